package main

import "github.com/alecthomas/kingpin/v2"

// oneFile are the flags of the commands that work on one env file.
type oneFile struct{ file, env string }

func (f *oneFile) add(cmd *kingpin.CmdClause) {
	cmd.Flag("file", "The env file; default: the one that exec reads here.").Short('f').PlaceHolder("FILE").StringVar(&f.file)
	cmd.Flag("env", "The env file of this environment.").PlaceHolder("NAME").StringVar(&f.env)
}

func (c *cli) openOne(f oneFile) error {
	if f.file != "" && f.env != "" {
		return c.misuse("--file and --env exclude each other")
	}
	return c.open()
}
