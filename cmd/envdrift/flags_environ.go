package main

import (
	"errors"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/keyring"
)

// environFlags are the flags of exec and env.
type environFlags struct {
	environ.Options
	keys string
}

func (f *environFlags) add(cmd *kingpin.CmdClause) {
	cmd.Flag("file", "Env file; repeatable, the first to set a name wins.").Short('f').PlaceHolder("FILE").StringsVar(&f.Files)
	cmd.Flag("env", "The mappings of this environment only.").PlaceHolder("NAME").StringVar(&f.Env)
	addKeysFlag(cmd, &f.keys)
	cmd.Flag("override", "The files win over the environment, later ones over earlier.").BoolVar(&f.Override)
	cmd.Flag("overload", "The same as --override.").Hidden().BoolVar(&f.Override)
	cmd.Flag("only", "Of the files, only names that match this glob; repeatable, or with commas.").PlaceHolder("GLOB").StringsVar(&f.Selection.Only)
	cmd.Flag("except", "Of the files, no names that match this glob.").PlaceHolder("GLOB").StringsVar(&f.Selection.Except)
	cmd.Flag("allow", "Let the files set this name, although it can make programs run code; repeatable.").PlaceHolder("NAME").StringsVar(&f.Allow)
	cmd.Flag("pristine", "Keep only PATH, HOME, TERM and the like of the environment.").BoolVar(&f.Pristine)
	cmd.Flag("keep-env", "Leave vault credentials such as VAULT_TOKEN in the environment.").BoolVar(&f.KeepEnv)
}

// check reports flags that contradict each other, and splits the lists.
func (f *environFlags) check() error {
	f.Keys = policies[f.keys]
	only, except := dotenv.SplitPatterns(f.Selection.Only), dotenv.SplitPatterns(f.Selection.Except)
	switch {
	case len(f.Selection.Only) > 0 && len(only) == 0: // as of --only "$UNSET", which must not mean all
		return errors.New("--only is empty: name variables, or leave it out")
	case len(f.Selection.Except) > 0 && len(except) == 0:
		return errors.New("--except is empty: name variables, or leave it out")
	case len(f.Files) > 0 && f.Env != "":
		return errors.New("--file and --env exclude each other")
	case f.Pristine && f.KeepEnv:
		return errors.New("--pristine and --keep-env exclude each other")
	}
	f.Selection.Only, f.Selection.Except = only, except
	return f.Selection.Check()
}

var policies = map[string]keyring.Policy{"auto": keyring.Auto, "vault": keyring.VaultOnly, "local": keyring.LocalOnly}

// addKeysFlag adds the flag that names one of policies.
func addKeysFlag(cmd *kingpin.CmdClause, policy *string) {
	cmd.Flag("keys", "auto: a local key that fits the file, else the vault's; vault; local.").Default("auto").EnumVar(policy, "auto", "vault", "local")
}
