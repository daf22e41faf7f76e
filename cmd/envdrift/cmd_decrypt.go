package main

import (
	"context"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/loader"
	"github.com/envdrift/envdrift/internal/mapping"
)

type decryptFlags struct {
	files       []string
	stdout      bool
	yes         bool
	verifyVault bool
	secret      string
	loader      string
	selection   dotenv.Selection
}

func (c *cli) addDecrypt(app *kingpin.Application) (string, command) {
	var f decryptFlags
	cmd := app.Command("decrypt", "Decrypt env files in place, or prove that the vault's key would.").HelpLong(`
Every value of a file is decrypted, or none. The key is a local one that fits the
file's header, from the environment or .env.keys, else the vault's.

With --stdout a file outside of the repository is decrypted too, with local keys
alone. As a textconv of your own in git's configuration it shows what no local key
decrypts as it is; hook install sets one up that shows tags.

With --verify-vault nothing is written: the vault's key alone is tried on every
value, and the repair steps are printed if it does not fit.

Statuses: 0 decrypted, or proven · 1 a value does not decrypt · 2 wrong usage ·
3 the vault could not be used
Example:  envdrift decrypt .env.production --verify-vault --ci \
            -p azure --vault-url https://my.vault.azure.net --secret my-key`)
	cmd.Arg("FILE", "Env files; default .env.").StringsVar(&f.files)
	cmd.Flag("stdout", "Print the plaintext instead of writing it.").BoolVar(&f.stdout)
	addYes(cmd, &f.yes)
	addFor(cmd, "With --stdout: print an env file that this loader reads; see envdrift env --list-loaders.", &f.loader)
	cmd.Flag("verify-vault", "Prove that the vault's key decrypts the files; write nothing.").BoolVar(&f.verifyVault)
	cmd.Flag("secret", "With --verify-vault: the secret's name, instead of the mapping's.").PlaceHolder("NAME").StringVar(&f.secret)
	addSelection(cmd, &f.selection)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.decrypt(ctx, f) }
}

func (c *cli) decrypt(ctx context.Context, f decryptFlags) error {
	if f.secret != "" && !f.verifyVault {
		return c.misuse("--secret goes with --verify-vault")
	}
	if f.stdout && (c.json || f.verifyVault) {
		return c.misuse("--stdout prints plaintext, --json and --verify-vault a report: choose one")
	}
	if !isLoader(f.loader) {
		return c.misuse("%w", loaderError(f.loader))
	}
	if f.loader != "" && !f.stdout {
		return c.misuse("--for goes with --stdout")
	}
	if err := f.selection.Check(); err != nil {
		return c.misuse("%w", err)
	}
	if _, byGit := c.env["GIT_PREFIX"]; f.stdout && !byGit {
		if err := c.mayShow(f.yes); err != nil {
			return err
		}
	}
	if err := c.open(); err != nil {
		return err
	}
	if len(f.files) == 0 {
		f.files = []string{".env"}
	}
	if f.verifyVault {
		return c.verifyNamed(ctx, f.files, f.secret)
	}
	for _, name := range f.files {
		if err := c.decryptFile(ctx, name, f); err != nil {
			c.addFailure(mapping.Target{}, c.typed(name), err)
		}
	}
	return nil
}

// printPlaintext prints what a file is decrypted. If git asks, for a textconv of its
// configuration, no vault is asked, and what does not decrypt is printed as it is:
// after an error git would show no diff at all. For a coding agent everything is, and
// for a hook: hook managers take what "git diff" prints for a patch, keep it and
// apply it.
func (c *cli) printPlaintext(ctx context.Context, name string, f decryptFlags) error {
	_, byGit := c.env["GIT_PREFIX"]
	_, inHook := c.env["GIT_INDEX_FILE"] // which git sets for the hooks of a commit
	content, plain, err := c.work.Plaintext(ctx, name, f.selection, byGit)
	if byGit && (inHook || c.mayShow(f.yes) != nil) && content != nil {
		plain, err = content, nil
	}
	if err != nil && byGit && content != nil {
		c.say("envdrift: shown as it is: %s", c.message(err))
		plain, err = content, nil
	}
	if l, ok := loader.Find(f.loader); ok && err == nil {
		plain, err = c.work.ForLoader(l, name, plain)
	}
	if err == nil {
		_, err = c.stdout.Write(plain)
	}
	return err
}

func (c *cli) decryptFile(ctx context.Context, name string, f decryptFlags) error {
	if f.stdout {
		return c.printPlaintext(ctx, name, f)
	}
	file, err := c.work.Inside(name)
	if err != nil {
		return err
	}
	doc, err := mapping.ReadEnvFile(c.work.Files(), file)
	if err != nil {
		return err
	}
	key := c.work.Keys(ctx, []keyring.Request{c.work.Request(file, doc)}, keyring.Auto)[0]
	if key.Err != nil {
		return key.Err
	}
	plan := []drift.Change{drift.Decrypt(file, doc, key.Keys, f.selection)}
	if err := c.work.Apply(ctx, plan); err != nil {
		return err
	}
	c.addChange(plan[0])
	return nil
}
