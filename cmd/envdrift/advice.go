package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
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

// otherStore says how to do without the operating system's store.
func (c *cli) otherStore() string {
	return `store = "file" in [keys] of ` + c.userFile() + "   keeps keys in .env.keys instead"
}

// advice returns what to suggest for errors that packages return by type: the
// command to type, if there is one.
func (c *cli) advice(err error) []string {
	if e := (*vault.Error)(nil); errors.As(err, &e) {
		return c.vaultAdvice(e)
	}
	if e := (*usageError)(nil); errors.As(err, &e) {
		if e.instead != "" {
			return []string{e.instead}
		}
		if e.suggestion != "" {
			return []string{fmt.Sprintf("did you mean %q?", e.suggestion)}
		}
		return []string{strings.TrimSpace(fmt.Sprintf("envdrift %s", e.command)) + " --help"}
	}
	if errors.As(err, new(*agent.Error)) {
		return []string{
			c.commandLine("exec -- PROGRAM") + "   gives the values to a program; " + c.commandLine("ls") + "   names them",
			"if the user agrees: --yes; for good, the user sets allow = true in [agents] of " + c.userFile(),
		}
	}
	if errors.Is(err, errLogOff) {
		return []string{c.logHint()}
	}
	if p := (*fs.PathError)(nil); errors.Is(err, userstate.ErrBusy) && errors.As(err, &p) {
		return []string{"fuser " + quote(p.Path) + "   names that process; if it hangs, end it"}
	}
	if e := (*audit.Error)(nil); errors.As(err, &e) {
		off := "turn the log off: enabled = false in [audit] of " + c.userFile()
		if f := (*userstate.FileError)(nil); errors.As(e, &f) {
			return []string{f.Remedy, "or " + off}
		}
		return []string{"make it writable, or " + off}
	}
	if e := (*userstate.FileError)(nil); errors.As(err, &e) {
		return []string{e.Remedy}
	}
	if e := (*olderError)(nil); errors.As(err, &e) {
		return []string{e.way.Command}
	}
	if e := (*drift.DiffersError)(nil); errors.As(err, &e) {
		return []string{c.commandLine("sync --force") + " replaces it; the old file is kept as a backup"}
	}
	if e := (*drift.PlaintextError)(nil); errors.As(err, &e) {
		return []string{c.commandLine("lock")}
	}
	if e := (*drift.WrongKeyError)(nil); errors.As(err, &e) {
		return []string{
			c.commandLine("verify "+quote(e.File)) + "   tells which values, and the steps if the file is wrong",
			"if the vault's key is wrong: " + c.oldSecretLine(e.Target),
		}
	}
	if errors.As(err, new(*drift.NoFittingKeyError)) {
		return []string{"whoever encrypted it has its key, and can run " + c.commandLine("repair") + "; without them: " + c.commandLine("verify") + "   names the version to go back to"}
	}
	if e := (*config.NoEnvFileError)(nil); c.work != nil && errors.As(err, &e) {
		return c.missingAdvice(path.Join(e.Folder, cmp.Or(e.Wanted, ".env."+e.Environment)))
	}
	if e := (*dotenv.ValueError)(nil); c.work != nil && errors.As(err, &e) && errors.Is(e, ecies.ErrWrongKey) {
		return c.wrongKeyAdvice(e.File)
	}
	if e := (*keyring.NoKeyError)(nil); errors.As(err, &e) {
		if e.Mapped {
			return []string{c.commandLine("sync") + "   fetches the key; without --keys local or --skip-sync the vault is asked"}
		}
		return []string{"put the key into .env.keys or the environment, or name the file in a mapping of envdrift.toml"}
	}
	if e := (*keyring.UnknownKeyError)(nil); errors.As(err, &e) {
		return []string{c.commandLine("encrypt "+quote(c.relPath(e.File))) + "   creates a new key pair"}
	}
	if e := (*workspace.TrackedKeysError)(nil); errors.As(err, &e) {
		return []string{c.git("rm --cached "+c.words([]string{e.File})) + "   and delete it if it is not yours; or set env_keys_filename to a name of its own"}
	}
	if e := (*loader.SpellingError)(nil); errors.As(err, &e) {
		return []string{c.commandLine("exec -- PROGRAM") + "   gives a program any value, without a file"}
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) && errors.Is(e, workspace.ErrLost) {
		return []string{cmp.Or(c.sparseLine(e.Path), c.git("restore "+c.words([]string{e.Path})))}
	}
	if e := (*workspace.ActivateError)(nil); errors.As(err, &e) {
		if e.Forceable {
			return []string{c.commandLine("pull --force") + "   replaces it; the old file is kept as a backup"}
		}
		return []string{c.git("rm --cached "+c.words([]string{e.File})) + "   or another activate_to"}
	}
	if e := (*workspace.OutsideError)(nil); errors.As(err, &e) {
		return []string{"work there instead: envdrift -C " + quote(e.Dir) + " …"}
	}
	if e := (*workspace.NearerError)(nil); errors.As(err, &e) {
		return []string{"work there instead: envdrift -C " + quote(e.Dir) + " …"}
	}
	if e := (*edit.SeveralError)(nil); errors.As(err, &e) {
		return []string{"name one: -f " + quote(e.Files[0])}
	}
	if e := (*edit.NoNameError)(nil); errors.As(err, &e) {
		return []string{c.commandLine("ls -f "+quote(e.File)) + "   lists what it sets"}
	}
	if e := (*environ.AmbiguousError)(nil); errors.As(err, &e) {
		return []string{"choose one: --env " + quote(e.Environments[0]) + "; or name files: -f FILE"}
	}
	if e := (*environ.DangerousNameError)(nil); errors.As(err, &e) {
		return []string{"if you want that: --allow " + e.Variable.Name + "; without the variable: --except " + e.Variable.Name,
			"always: allow = [\"" + e.Variable.Name + "\"] in [exec] of " + c.userFile()}
	}
	if e := (*workspace.TrustError)(nil); errors.As(err, &e) {
		if e.Setting != "" {
			return []string{"if that is right, in the settings of the CI job: " + e.Setting}
		}
		return []string{c.commandLine("trust") + "   trusts it, if that is right"}
	}
	if e := (*helper.OtherError)(nil); errors.As(err, &e) {
		return []string{fmt.Sprintf("envdrift vault add %s %s --force   replaces it", e.Name, quote(e.New))}
	}
	if e := (*workspace.AgreementError)(nil); errors.As(err, &e) && !e.Expected {
		return []string{"ask who changed it; if that is right: " + c.commandLine("trust")}
	}
	if e := (*workspace.OverwriteError)(nil); errors.As(err, &e) {
		return []string{"check first: envdrift verify; then the same command with --force overwrites it"}
	}
	if e := (*keyring.UnmappedError)(nil); errors.As(err, &e) {
		return []string{"add a mapping for it to envdrift.toml, or name the secret: envdrift decrypt FILE --verify-vault --secret NAME"}
	}
	if errors.As(err, new(*leak.MissingError)) {
		return []string{"search a complete clone: one that was made without --filter, and in which git fsck finds nothing missing"}
	}
	if errors.As(err, new(*verify.ShallowError)) || errors.As(err, new(*leak.ShallowError)) {
		return []string{"git fetch --unshallow   in GitHub Actions: fetch-depth: 0 for actions/checkout"}
	}
	if e := (*gitops.RevisionError)(nil); errors.As(err, &e) {
		if e.Revision == "HEAD" {
			return []string{c.git("commit") + "   makes the first commit; " + c.commandLine("verify --staged") + " proves what it would hold"}
		}
		return []string{c.git("branch --all") + "   lists the branches that this clone has; " + c.git("fetch") + " gets those of the remote"}
	}
	if e := (*verify.NotFoundError)(nil); errors.As(err, &e) {
		return []string{c.commandLine("status") + "   lists the files of all mappings"}
	}
	if e := (*drift.ChangedError)(nil); errors.As(err, &e) {
		return []string{"review the file, then run the same command again"}
	}
	if e := c.rotateAdvice(err); e != "" {
		return []string{e}
	}
	if e := (*fs.PathError)(nil); c.work != nil && errors.As(err, &e) && errors.Is(e, dotenv.ErrUTF16) {
		return []string{c.commandLine("encrypt --convert "+quote(c.relPath(e.Path))) + "   rewrites it in UTF-8 and encrypts it"}
	}
	if e := (*fs.PathError)(nil); c.work != nil && errors.As(err, &e) && errors.As(e, new(*dotenv.ConflictError)) {
		return c.repairSteps(mapping.Target{}, e.Path, e, false)
	}
	switch {
	case errors.Is(err, keystore.ErrLocked), errors.Is(err, keystore.ErrUnavailable), errors.Is(err, keystore.ErrFull):
		return []string{c.otherStore()}
	case errors.Is(err, verify.ErrNoCommits):
		return []string{"for the commit itself: --rev HEAD"}
	case errors.Is(err, gitops.ErrLocked):
		return []string{"wait for it, or stop it, then run the same command again"}
	case errors.Is(err, config.ErrNoConfig):
		return []string{c.commandLine("init") + " writes envdrift.toml; or name one with -c FILE"}
	case errors.Is(err, mapping.ErrKeysFile):
		return []string{"private keys are never encrypted or committed; name the env file instead"}
	case errors.Is(err, gitops.ErrNotRepository):
		return []string{"change to the repository and its working tree, or name that: envdrift -C DIR …; for a new one: git init"}
	case errors.Is(err, fs.ErrNotExist):
		if e := (*fs.PathError)(nil); c.work != nil && errors.As(err, &e) {
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
	case errors.Is(err, fs.ErrPermission):
		return []string{"check its owner and mode: ls -l"}
	}
	return c.hookAdvice(err)
}

// wrongKeyAdvice returns what helps when the keys that were found do not decrypt a file.
func (c *cli) wrongKeyAdvice(name string) []string {
	file, err := c.work.Inside(name)
	if _, mapped := c.work.Target(file); err == nil && mapped {
		return []string{c.commandLine("verify "+c.words([]string{file})) + "   says whether it is the file or a local key that is not the vault's, and the steps"}
	}
	return []string{"put the private key of the public key in its header into .env.keys or the environment"}
}

// missingAdvice returns how to bring back a mapped file that git has.
func (c *cli) missingAdvice(file string) []string {
	repo, err := c.work.Git(context.Background())
	if err != nil || repo == nil {
		return nil
	}
	if tracked, err := repo.Tracked(context.Background(), []string{file}); err != nil || !tracked[file] {
		return nil
	}
	return []string{c.git("restore "+c.words([]string{file})) + "   brings it back"}
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
