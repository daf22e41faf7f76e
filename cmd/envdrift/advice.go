package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/internal/agent"
	"github.com/envdrift/envdrift/internal/audit"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/edit"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/keystore"
	"github.com/envdrift/envdrift/internal/leak"
	"github.com/envdrift/envdrift/internal/loader"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/userstate"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/helper"
)

// advice returns what to suggest for an error: the command to type, if there is one.
func (c *cli) advice(err error) []string {
	if e, ok := errors.AsType[*vault.Error](err); ok {
		return c.vaultAdvice(e)
	}
	for _, adviser := range advisers {
		if hints := adviser(c, err); hints != nil {
			return hints
		}
	}
	return nil
}

// An adviser returns the hints for an error that it knows, and nil for others.
type adviser func(*cli, error) []string

// advisers are asked in this order. Those of a rotation and of the hooks are with their
// commands.
var advisers = slices.Concat(
	usageAdvice, userAdvice, keyAdvice, fileAdvice, trustAdvice, searchAdvice, rotateAdvice, systemAdvice, hookAdvice,
)

var usageAdvice = []adviser{
	about(func(_ *cli, e *usageError) []string {
		switch {
		case e.instead != "":
			return []string{e.instead}
		case e.suggestion != "":
			return []string{fmt.Sprintf("did you mean %q?", e.suggestion)}
		}
		return []string{strings.TrimSpace("envdrift "+e.command) + " --help"}
	}),
}

// userAdvice is on coding agents, the user's own files and this program.
var userAdvice = []adviser{
	about(func(c *cli, _ *agent.Error) []string {
		return []string{
			c.commandLine("exec -- PROGRAM") + "   gives the values to a program; " + c.commandLine("ls") + "   names them",
			"if the user agrees: --yes; for good, the user sets allow = true in [agents] of " + c.userFile(),
		}
	}),
	is(errLogOff, func(c *cli) []string { return []string{c.logHint()} }),
	about(func(_ *cli, e *fs.PathError) []string {
		if !errors.Is(e, userstate.ErrBusy) {
			return nil
		}
		return []string{"fuser " + quote(e.Path) + "   names that process; if it hangs, end it"}
	}),
	about(func(c *cli, e *audit.Error) []string {
		off := "turn the log off: enabled = false in [audit] of " + c.userFile()
		if f, ok := errors.AsType[*userstate.FileError](e); ok {
			return []string{f.Remedy, "or " + off}
		}
		return []string{"make it writable, or " + off}
	}),
	about(func(_ *cli, e *userstate.FileError) []string { return []string{e.Remedy} }),
	about(func(_ *cli, e *olderError) []string { return []string{e.way.Command} }),
}

var keyAdvice = []adviser{
	always[*drift.DiffersError](hint("%s replaces it; the old file is kept as a backup", "sync --force")),
	always[*drift.PlaintextError](hint("%s", "lock")),
	about(func(c *cli, e *drift.WrongKeyError) []string {
		return []string{
			c.commandLine("verify "+quote(e.File)) + "   tells which values, and the steps if the file is wrong",
			"if the vault's key is wrong: " + c.oldSecretLine(e.Target),
		}
	}),
	always[*drift.NoFittingKeyError](hint("whoever encrypted it has its key, and can run %s; without them: %s   names the version to go back to", "repair", "verify")),
	about(func(c *cli, e *config.NoEnvFileError) []string {
		if c.work == nil {
			return nil
		}
		return c.missingAdvice(path.Join(e.Folder, cmp.Or(e.Wanted, ".env."+e.Environment)))
	}),
	about(func(c *cli, e *dotenv.ValueError) []string {
		if c.work == nil || !errors.Is(e, ecies.ErrWrongKey) {
			return nil
		}
		return c.wrongKeyAdvice(e.File)
	}),
	about(func(c *cli, e *keyring.NoKeyError) []string {
		if e.Mapped {
			return []string{c.commandLine("sync") + "   fetches the key; without --keys local or --skip-sync the vault is asked"}
		}
		return []string{"put the key into .env.keys or the environment, or name the file in a mapping of envdrift.toml"}
	}),
	about(func(c *cli, e *keyring.UnknownKeyError) []string {
		return []string{c.commandLine("encrypt "+quote(c.relPath(e.File))) + "   creates a new key pair"}
	}),
	about(func(c *cli, e *workspace.TrackedKeysError) []string {
		return []string{c.git("rm --cached "+c.words([]string{e.File})) + "   and delete it if it is not yours; or set env_keys_filename to a name of its own"}
	}),
}

// fileAdvice is on choosing, reading and writing env files.
var fileAdvice = []adviser{
	always[*loader.SpellingError](hint("%s   gives a program any value, without a file", "exec -- PROGRAM")),
	about(func(c *cli, e *fs.PathError) []string {
		if !errors.Is(e, workspace.ErrLost) {
			return nil
		}
		return []string{cmp.Or(c.sparseLine(e.Path), c.git("restore "+c.words([]string{e.Path})))}
	}),
	about(func(c *cli, e *workspace.ActivateError) []string {
		if e.Forceable {
			return []string{c.commandLine("pull --force") + "   replaces it; the old file is kept as a backup"}
		}
		return []string{c.git("rm --cached "+c.words([]string{e.File})) + "   or another activate_to"}
	}),
	about(func(_ *cli, e *workspace.OutsideError) []string { return workThere(e.Dir) }),
	about(func(_ *cli, e *workspace.NearerError) []string { return workThere(e.Dir) }),
	about(func(_ *cli, e *edit.SeveralError) []string { return []string{"name one: -f " + quote(e.Files[0])} }),
	about(func(c *cli, e *edit.NoNameError) []string {
		return []string{c.commandLine("ls -f "+quote(e.File)) + "   lists what it sets"}
	}),
	about(func(c *cli, e *environ.UnsetError) []string {
		if e.Similar != "" {
			return []string{fmt.Sprintf("did you mean %q?", e.Similar)}
		}
		return []string{c.commandLine("ls") + "   lists what the file sets"}
	}),
	about(func(_ *cli, e *environ.AmbiguousError) []string {
		return []string{"choose one: --env " + quote(e.Environments[0]) + "; or name files: -f FILE"}
	}),
	about(func(c *cli, e *environ.DangerousNameError) []string {
		return []string{
			"if you want that: --allow " + e.Variable.Name + "; without the variable: --except " + e.Variable.Name,
			"always: allow = [\"" + e.Variable.Name + "\"] in [exec] of " + c.userFile(),
		}
	}),
}

func workThere(dir string) []string {
	return []string{"work there instead: envdrift -C " + quote(dir) + " …"}
}

var trustAdvice = []adviser{
	about(func(c *cli, e *workspace.TrustError) []string {
		if e.Setting != "" {
			return []string{"if that is right, in the settings of the CI job: " + e.Setting}
		}
		return []string{c.commandLine("trust") + "   trusts it, if that is right"}
	}),
	about(func(_ *cli, e *helper.OtherError) []string {
		return []string{fmt.Sprintf("envdrift vault add %s %s --force   replaces it", e.Name, quote(e.New))}
	}),
	about(func(c *cli, e *workspace.AgreementError) []string {
		if e.Expected {
			return nil
		}
		return []string{"ask who changed it; if that is right: " + c.commandLine("trust")}
	}),
	always[*workspace.OverwriteError](hint("check first: envdrift verify; then the same command with --force overwrites it")),
}

// searchAdvice is on what is to be verified or searched.
var searchAdvice = []adviser{
	always[*keyring.UnmappedError](hint("add a mapping for it to envdrift.toml, or name the secret: envdrift decrypt FILE --verify-vault --secret NAME")),
	always[*leak.MissingError](hint("search a complete clone: one that was made without --filter, and in which git fsck finds nothing missing")),
	always[*verify.ShallowError](hint(unshallow)),
	always[*leak.ShallowError](hint(unshallow)),
	about(func(c *cli, e *gitops.RevisionError) []string {
		if e.Revision == "HEAD" {
			return []string{c.git("commit") + "   makes the first commit; " + c.commandLine("verify --staged") + " proves what it would hold"}
		}
		return []string{c.git("branch --all") + "   lists the branches that this clone has; " + c.git("fetch") + " gets those of the remote"}
	}),
	always[*verify.NotFoundError](hint("%s   lists the files of all mappings", "status")),
	always[*drift.ChangedError](hint("review the file, then run the same command again")),
}

const unshallow = "git fetch --unshallow   in GitHub Actions: fetch-depth: 0 for actions/checkout"

// systemAdvice is on git, and the files and the store of the operating system.
var systemAdvice = []adviser{
	about(func(c *cli, e *fs.PathError) []string {
		if c.work == nil || !errors.Is(e, dotenv.ErrUTF16) {
			return nil
		}
		return []string{c.commandLine("encrypt --convert "+quote(c.relPath(e.Path))) + "   rewrites it in UTF-8 and encrypts it"}
	}),
	about(func(c *cli, e *fs.PathError) []string {
		if c.work == nil || !errors.As(e, new(*dotenv.ConflictError)) {
			return nil
		}
		return c.repairSteps(mapping.Target{}, e.Path, e, false)
	}),
	is(keystore.ErrLocked, (*cli).otherStore),
	is(keystore.ErrUnavailable, (*cli).otherStore),
	is(keystore.ErrFull, (*cli).otherStore),
	is(verify.ErrNoCommits, hint("for the commit itself: --rev HEAD")),
	is(gitops.ErrLocked, hint("wait for it, or stop it, then run the same command again")),
	is(config.ErrNoConfig, hint("%s writes envdrift.toml; or name one with -c FILE", "init")),
	is(mapping.ErrKeysFile, hint("private keys are never encrypted or committed; name the env file instead")),
	is(gitops.ErrNotRepository, hint("change to the repository and its working tree, or name that: envdrift -C DIR …; for a new one: git init")),
	notExistAdvice,
	is(fs.ErrPermission, hint("check its owner and mode: ls -l")),
}

// notExistAdvice is on a file that is not there.
func notExistAdvice(c *cli, err error) []string {
	if !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok && c.work != nil {
		if path.Base(e.Path) == c.work.Config.Sync.EnvKeysFilename {
			return []string{c.commandLine("sync") + "   fetches the keys from the vault; vault-push --stdin reads a key from elsewhere"}
		}
		if line := c.sparseLine(e.Path); line != "" {
			return []string{line}
		}
		if similar := c.work.Similar(e.Path); similar != "" {
			return []string{fmt.Sprintf("did you mean %q?", c.relPath(similar))}
		}
	}
	switch {
	case c.name == "scan": // whose files need not be env files
		return []string{"git ls-files   lists those that git tracks"}
	case strings.HasPrefix(c.name, "vault "), strings.HasPrefix(c.name, "recipient "): // whose files are none
		return []string{"check the path: ls"}
	case c.work == nil || c.work.Config.File == "":
		return []string{"change to the folder of the file; " + c.commandLine("init") + "   maps the env files that are here"}
	}
	return []string{c.commandLine("status") + "   lists the files of all mappings; " + c.commandLine("add FILE") + " maps a new one, which you write first"}
}

// wrongKeyAdvice returns what helps when the keys that were found do not decrypt a file.
func (c *cli) wrongKeyAdvice(name string) []string {
	file, err := c.work.Inside(name)
	if _, mapped := c.work.Target(file); err == nil && mapped {
		return []string{c.commandLine("verify "+c.words([]string{file})) + "   says whether it is the file or a local key that is not the vault's, and the steps"}
	}
	return []string{"put the private key of the public key in its header into .env.keys or the environment"}
}

// missingAdvice returns how to bring back a mapped file that git has. Nothing else helps.
func (c *cli) missingAdvice(file string) []string {
	repo, err := c.work.Git(context.Background())
	if err != nil || repo == nil {
		return []string{}
	}
	if tracked, err := repo.Tracked(context.Background(), []string{file}); err != nil || !tracked[file] {
		return []string{}
	}
	return []string{c.git("restore "+c.words([]string{file})) + "   brings it back"}
}

// otherStore says how to do without the operating system's store.
func (c *cli) otherStore() []string {
	return []string{`store = "file" in [keys] of ` + c.userFile() + "   keeps keys in .env.keys instead"}
}

// userFile returns the name of the user's own configuration file.
func (c *cli) userFile() string {
	return cmp.Or(config.UserFile(c.getenv), "~/.config/envdrift/config.toml")
}

// vaultAdvice returns what the vault advises, and how to store what is missing
// or is not a key.
func (c *cli) vaultAdvice(e *vault.Error) []string {
	var hints []string
	if e.Remedy != "" {
		hints = append(hints, e.Remedy)
	}
	switch {
	case errors.Is(e, vault.ErrNotFound):
		if t, ok := c.work.OfSecret(e.Name); ok {
			if line := c.sparseLine(c.work.VaultFile(context.Background(), t)); line != "" {
				return []string{line}
			}
		}
		return append(hints, c.storeLine(e.Name)+"   stores it; whoever has the key runs this")
	case errors.As(e, new(*hooks.LateError)):
		return append(hints, "raise timeout in [hooks], if the vault is only slow")
	case errors.Is(e, vault.ErrMalformed) && e.Op != "put" && len(hints) == 0:
		if t, ok := c.work.OfSecret(e.Name); ok {
			return []string{c.oldSecretLine(t),
				"or, if nobody needs what it holds: " + c.storeLine(e.Name) + " --force   replaces it; whoever has the key runs this"}
		}
		return []string{"check the name: " + c.commandLine("status") + "   lists the secrets of all mappings"}
	}
	return hints
}

// sparseLine returns the command that adds what a sparse checkout left out, or "" if
// that is not why a file is missing.
func (c *cli) sparseLine(file string) string {
	ctx := context.Background()
	repo, err := c.work.Git(ctx)
	if err != nil || repo == nil || file == "" {
		return ""
	}
	dir, err := repo.LeftOut(ctx, file)
	if err != nil || dir == "" || dir == "." {
		return ""
	}
	return c.git("sparse-checkout add "+c.words([]string{dir})) + "   this sparse checkout leaves it out"
}

// about makes an adviser for a type of error.
func about[E error](hints func(*cli, E) []string) adviser {
	return func(c *cli, err error) []string {
		if e, ok := errors.AsType[E](err); ok {
			return hints(c, e)
		}
		return nil
	}
}

// always makes an adviser for a type of error, with hints that are the same for each.
func always[E error](hints func(*cli) []string) adviser {
	return about(func(c *cli, _ E) []string { return hints(c) })
}

// is makes an adviser for what [errors.Is] finds.
func is(known error, hints func(*cli) []string) adviser {
	return func(c *cli, err error) []string {
		if errors.Is(err, known) {
			return hints(c)
		}
		return nil
	}
}

// hint makes hints of one text, in which each %s is an envdrift command line.
func hint(text string, commands ...string) func(*cli) []string {
	return func(c *cli) []string {
		lines := make([]any, len(commands))
		for i, words := range commands {
			lines[i] = c.commandLine(words)
		}
		return []string{fmt.Sprintf(text, lines...)}
	}
}
