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
)

// A cli is one run: the flags that every command knows, and the system.
type cli struct {
	*system
	app  *kingpin.Application
	name string // of the command that runs

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
}

// A command does the work and returns why it could not. Failures of single
// files are rows of the report instead.
type command func(context.Context) error

func (c *cli) application() (*kingpin.Application, map[string]command) {
	app := kingpin.New("envdrift", "Proves that encrypted env files decrypt with the key in the team's vault, repairs those that do not, and runs programs with the values.")
	c.app = app
	app.UsageTemplate(usageTemplate).UsageFuncs(usageFuncs)
	app.UsageWriter(c.stdout)
	app.ErrorWriter(c.stderr)
	app.Terminate(os.Exit)
	app.HelpFlag.Short('h').Help("Show what envdrift, or a command of it, does.")
	app.Version(versionLine()).VersionFlag.Short('V').Hidden()

	app.Flag("config", "The configuration file, instead of envdrift.toml or pyproject.toml here or above.").Short('c').PlaceHolder("FILE").StringVar(&c.configFile)
	app.Flag("directory", "Work as if started in DIR.").Short('C').PlaceHolder("DIR").StringVar(&c.directory)
	c.overrides.Providers = all.Providers()
	app.Flag("provider", "The vault: age, aws, azure, gcp or hashicorp.").Short('p').PlaceHolder("NAME").StringVar(&c.overrides.Provider)
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
	for _, add := range []func(*kingpin.Application) (string, command){
		c.addInit, c.addAdd, c.addSet, c.addUnset, c.addGet, c.addLs, c.addEdit, c.addDiff, c.addCheck, c.addEncrypt, c.addDecrypt, c.addVerify, c.addSync, c.addPull, c.addLock, c.addRepair, c.addStatus, c.addDoctor, c.addLeak,
		c.addVaultPush, c.addVaultPull, c.addRotate, c.addResolve, c.addExec, c.addEnv, c.addTrust, c.addCompletion, c.addMan, c.addVersion,
	} {
		name, run := add(app)
		commands[name] = run
	}
	c.addHook(app, commands)
	c.addRecipient(app, commands)
	c.addGit(app, commands)
	return app, commands
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
