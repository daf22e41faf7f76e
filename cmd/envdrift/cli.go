package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/term"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/all"
	"github.com/envdrift/envdrift/vault/helper"
)

// A cli is one run: the flags that every command knows, and the system.
type cli struct {
	*system
	app  *kingpin.Application
	name string // of the command that runs
	hook string // "hook pre-commit" and the like, if git runs it

	configFile string
	directory  string
	overrides  config.Overrides
	profile    string
	ci         bool
	json       bool
	format     report.Format // of standard output
	quiet      bool
	verbose    bool
	noColor    bool
	shared     bool // of hook install

	args   []string
	dir    string // absolute: the current directory, or -C
	work   *workspace.Workspace
	report report.Report // the rows so far
	busy   sync.Mutex    // held by what an interrupt must not cut

	details *[]string // what -v prints once it is known to show no value; nil: at once
}

// A command does the work and returns why it could not. Failures of single
// files are rows of the report instead.
type command func(context.Context) error

// application returns the whole command line or, if word is the first word of a
// command, only the part that has this command.
func (c *cli) application(word string) (*kingpin.Application, map[string]command) {
	app := kingpin.New("envdrift", "Proves that encrypted env files decrypt with the key in the team's vault, repairs those that do not, and runs programs with the values.")
	c.app = app
	app.UsageTemplate(usageTemplate).UsageFuncs(usageFuncs)
	app.UsageWriter(c.stdout)
	app.ErrorWriter(c.stderr)
	app.Terminate(os.Exit)
	app.HelpFlag.Short('h').Help("Show what envdrift, or a command of it, does.")
	if word == "" {
		app.Version(versionLine()).VersionFlag.Short('V').Hidden()
	}
	app.Flag("config", "The configuration file, instead of envdrift.toml or pyproject.toml here or above.").Short('c').PlaceHolder("FILE").StringVar(&c.configFile)
	app.Flag("directory", "Work as if started in DIR.").Short('C').PlaceHolder("DIR").StringVar(&c.directory)
	c.overrides.Providers = all.Providers()
	app.Flag("provider", "The vault: age, aws, azure, gcp, hashicorp or exec:NAME.").Short('p').PlaceHolder("NAME").StringVar(&c.overrides.Provider)
	app.Flag("vault-url", "Address of an Azure Key Vault or a HashiCorp Vault.").PlaceHolder("URL").StringVar(c.overrides.Flag("--vault-url"))
	app.Flag("region", "AWS region.").PlaceHolder("NAME").StringVar(c.overrides.Flag("--region"))
	app.Flag("project-id", "GCP project.").PlaceHolder("ID").StringVar(c.overrides.Flag("--project-id"))
	app.Flag("profile", "Also the mappings of this profile.").PlaceHolder("NAME").StringVar(&c.profile)
	app.Flag("ci", "Never ask; every failure counts.").BoolVar(&c.ci)
	app.Flag("json", "Print one JSON document on standard output.").BoolVar(&c.json)
	app.Flag("quiet", "Print errors only.").Short('q').BoolVar(&c.quiet)
	app.Flag("verbose", "Say which files, vaults and keys are used.").Short('v').BoolVar(&c.verbose)
	app.Flag("no-color", "No colours; NO_COLOR does the same.").BoolVar(&c.noColor)

	commands := map[string]command{}
	for _, builder := range builders {
		if word == "" || word == builder.word {
			builder.add(c, app, commands)
		}
	}
	return app, commands
}

// builders make the commands, each those that begin with a word.
var builders = []struct {
	word string
	add  func(*cli, *kingpin.Application, map[string]command)
}{
	{"init", single((*cli).addInit)}, {"add", single((*cli).addAdd)}, {"hook", (*cli).addHook},
	{"set", single((*cli).addSet)}, {"unset", single((*cli).addUnset)}, {"edit", single((*cli).addEdit)}, {"ls", single((*cli).addLs)}, {"get", single((*cli).addGet)},
	{"exec", single((*cli).addExec)}, {"env", single((*cli).addEnv)}, {"pull", single((*cli).addPull)}, {"lock", single((*cli).addLock)},
	{"encrypt", single((*cli).addEncrypt)}, {"decrypt", single((*cli).addDecrypt)},
	{"verify", single((*cli).addVerify)}, {"check", single((*cli).addCheck)}, {"diff", single((*cli).addDiff)}, {"status", single((*cli).addStatus)},
	{"doctor", single((*cli).addDoctor)}, {"repair", single((*cli).addRepair)}, {"resolve", single((*cli).addResolve)}, {"leak", single((*cli).addLeak)}, {"scan", single((*cli).addScan)}, {"log", single((*cli).addLog)},
	{"sync", single((*cli).addSync)}, {"vault-push", single((*cli).addVaultPush)}, {"vault-pull", single((*cli).addVaultPull)},
	{"rotate", single((*cli).addRotate)}, {"recipient", (*cli).addRecipient}, {"trust", single((*cli).addTrust)}, {"keys", (*cli).addKeys}, {"vault", (*cli).addVault},
	{"completion", single((*cli).addCompletion)}, {"man", single((*cli).addMan)}, {"version", single((*cli).addVersion)},
	{"git", (*cli).addGit},
}

func single(add func(*cli, *kingpin.Application) (string, command)) func(*cli, *kingpin.Application, map[string]command) {
	return func(c *cli, app *kingpin.Application, commands map[string]command) {
		name, run := add(c, app)
		commands[name] = run
	}
}

// soleCommand returns the first word of the command that args name, if the rest of the
// command line is not needed to understand them; "" otherwise.
func soleCommand(args []string) string {
	for _, arg := range args {
		if arg == "--" {
			break
		}
		flag, dashed := strings.CutPrefix(arg, "-")
		if strings.HasPrefix(flag, "-help") || dashed && !strings.HasPrefix(flag, "-") && strings.ContainsAny(flag, "hV") {
			return ""
		}
	}
	for _, builder := range builders {
		if len(args) > 0 && args[0] == builder.word && builder.word != "completion" && builder.word != "man" {
			return builder.word
		}
	}
	return ""
}

// enter changes to the requested directory.
func (c *cli) enter() error {
	c.noColor = c.noColor || c.env["NO_COLOR"] != ""
	if c.env["CI"] == "true" {
		c.ci = true
	}
	if c.json {
		c.format = report.JSON
	}
	if c.directory != "" {
		if err := os.Chdir(c.directory); err != nil {
			return err
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	// The real path, as git names the repository.
	if c.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	// A vault's helper, such as az, is not taken from the repository.
	return os.Setenv("PATH", gitops.SafePath(os.Getenv("PATH"), c.dir))
}

// hostSystem returns the system of the process. From then on, keys and vault
// tokens are only in its env: a helper that a vault's SDK starts, such as az,
// inherits the environment of the process.
func hostSystem() *system {
	secret.Declare(helper.Variables()...)
	env := map[string]string{}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
		if class := secret.ClassOf(name); class == secret.Private || class == secret.VaultAccess {
			_ = os.Unsetenv(name) // fails only for a name that was not set
		}
	}
	return &system{
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		tty:    term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
		env:    env,

		stdoutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
}

func (s *system) getenv(name string) string { return s.env[name] }
