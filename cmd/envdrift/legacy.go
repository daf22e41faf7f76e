package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// legacy are the commands and flags of the earlier envdrift that are gone, and
// those of dotenvx and others, and what replaces them. A row without flags is for a
// command.
var legacy = [...]struct{ command, flags, instead string }{
	{"agent", "", `nothing runs in the background: "envdrift hook install" lets git call envdrift when it matters`},
	{"guard", "", `"envdrift verify --staged" checks env files before a commit, and "envdrift scan --staged" finds their values in other files; for secrets that are in no env file use a scanner such as gitleaks`},
	{"install", "", `there is nothing else to install, and "envdrift hook install" sets up git`},
	{"pull-partial", "", `one file holds all: "envdrift pull" decrypts it`},
	{"push", "", `one file holds all: "envdrift lock" encrypts it, but for names that end in _PLAIN; a key is stored by "envdrift vault-push"`},
	{"validate", "", `envdrift knows no schemas: let the program check what it gets from "envdrift exec -- PROGRAM"`},

	{"del", "", `envdrift unset NAME`},
	{"ext", "", `"envdrift leak" and "envdrift scan" search, "envdrift hook install" lets git check every commit`},
	{"genexample", "", `"envdrift check" compares with an .env.example that you write`},
	{"gitignore", "", `"envdrift init" and "envdrift doctor --fix" add .env.keys to .gitignore`},
	{"keypair", "", `the public key is in the env file, and "envdrift sync" writes the private one to .env.keys; none is printed`},
	{"list", "", `envdrift status`},
	{"precommit", "", `envdrift hook install`},
	{"protect", "", `envdrift hook install`},
	{"run", "", `envdrift exec -- PROGRAM`},
	{"start", "", `envdrift exec -- PROGRAM`},

	{"decrypt", "--age-key-file --backend -b --sops-config", sopsInstead},
	{"decrypt", "--env-file -f", `envdrift decrypt FILE`},
	{"encrypt", "--age --age-key-file --azure-kv --backend -b --gcp-kms --kms --sops-config", sopsInstead},
	{"encrypt", "--env-file -f", `envdrift encrypt FILE`},
	{"encrypt", "--schema -s --service-dir -d", `every value is encrypted, whatever a schema says: leave it out`},
	{"encrypt", "--secret --verify-vault", `envdrift decrypt FILE --verify-vault --secret NAME`},
	{"exec", "--strict", `leave it out: a value that cannot be decrypted always stops the program`},
	{"hook", "--install -i", `envdrift hook install`},
	{"init", "--class-name --detect-sensitive --force -f --output -o", `init writes envdrift.toml, and no Settings class any more: "envdrift init"`},
	{"lock", "--all", `leave it out: lock encrypts every mapped file, and combined files are no more`},
	{"pull", "--merge -m", `leave it out: activate_to in a mapping writes the decrypted file where the program reads it`},
	{"rotate", "--env-file -f", `envdrift rotate FILE`},
	{"sync", "--schema -s --service-dir -d --validate-schema", `envdrift knows no schemas: leave it out; "envdrift sync --check-decryption" proves each key on its file`},
	{"vault-pull", "--env-file", `leave it out: "envdrift decrypt FILE" when the key is there`},
	{"vault-push", "--direct", `a key is never an argument: "envdrift vault-push FOLDER SECRET --stdin" reads it from standard input`},
}

const sopsInstead = `only the dotenvx format is written and read: use sops itself for files of its own`

// instead returns what replaces the first of the arguments that only the
// earlier envdrift knew.
func (c *cli) instead(args []string) string {
	command := ""
	for _, arg := range args {
		if arg == "--" {
			break // what follows is for another program
		}
		flag, _, _ := strings.Cut(arg, "=")
		isFlag := strings.HasPrefix(arg, "-")
		for _, row := range legacy {
			gone := row.flags == "" && command == "" && arg == row.command ||
				isFlag && command == row.command && slices.Contains(strings.Fields(row.flags), flag)
			if gone {
				return row.instead
			}
		}
		if command == "" && c.app.GetCommand(arg) != nil {
			command = arg
		}
	}
	return ""
}

// addIgnored accepts a switch for what is always done now.
func addIgnored(cmd *kingpin.CmdClause, name string) {
	cmd.Flag(name, "Always so.").Hidden().Bool()
}
