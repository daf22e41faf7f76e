package main

import (
	"context"
	"io"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

type pushFlags struct {
	folder, secret, environment, key string
	stdin, all                       bool
	options                          workspace.PushOptions
}

func (c *cli) addVaultPush(app *kingpin.Application) (string, command) {
	var f pushFlags
	cmd := app.Command("vault-push", "Store the private key of a folder's .env.keys in the vault.").HelpLong(`
Another key in the vault is overwritten only with --force. What was stored is
read back. The key never appears on a command line.

Statuses: 0 stored, or already there · 1 another key is there, or none to push ·
2 wrong usage or configuration · 3 the vault could not be used
Example:  envdrift vault-push services/api api-dotenvx-key --env production`)
	cmd.Arg("FOLDER", "The folder with .env.keys.").StringVar(&f.folder)
	cmd.Arg("SECRET", "The secret's name in the vault.").StringVar(&f.secret)
	cmd.Flag("all", "The key of every mapping, instead of FOLDER and SECRET.").BoolVar(&f.all)
	cmd.Flag("env", "The environment whose key is pushed.").Short('e').PlaceHolder("NAME").StringVar(&f.environment)
	cmd.Flag("key", "The key's full name, instead of --env.").PlaceHolder("DOTENV_PRIVATE_KEY…").StringVar(&f.key)
	cmd.Flag("stdin", "Read the key from standard input instead of .env.keys.").BoolVar(&f.stdin)
	cmd.Flag("force", "Overwrite another key.").Short('f').BoolVar(&f.options.Force)
	cmd.Flag("allow-tracked", "Store a key from a .env.keys that git tracks.").BoolVar(&f.options.Tracked)
	addIgnored(cmd, "skip-encrypt")
	return cmd.FullCommand(), func(ctx context.Context) error { return c.vaultPush(ctx, f) }
}

func (c *cli) vaultPush(ctx context.Context, f pushFlags) error {
	if f.all != (f.folder == "") || (f.folder == "") != (f.secret == "") {
		return c.misuse("name FOLDER and SECRET, or --all")
	}
	if f.all && (f.stdin || f.key != "" || f.environment != "") {
		return c.misuse("--all takes each mapping's own key: no --stdin, --key or --env")
	}
	if err := c.open(); err != nil {
		return err
	}
	if f.all {
		return c.pushAll(ctx, f)
	}
	folder, err := c.work.Inside(f.folder)
	if err != nil {
		return err
	}
	p, err := c.preparePush(ctx, folder, c.work.KeyTarget(folder, f.secret, f.environment, f.key), f)
	if err != nil {
		return err
	}
	return c.push(ctx, p, c.work.FetchToCheck(ctx, []mapping.Target{p.Target})[0], f.options.Force)
}

// preparePush finds the key that is to be stored.
func (c *cli) preparePush(ctx context.Context, folder string, t mapping.Target, f pushFlags) (workspace.Push, error) {
	if f.stdin {
		text, err := io.ReadAll(io.LimitReader(c.stdin, 1<<16))
		if err != nil {
			return workspace.Push{}, err
		}
		return c.work.PreparePushOf(secret.New(string(text)), t, f.options.Force)
	}
	return c.work.PreparePush(ctx, folder, t, f.options)
}

// push stores a key and reports it.
func (c *cli) push(ctx context.Context, p workspace.Push, held keyring.Answer, force bool) error {
	stored, version, err := c.work.Push(ctx, p, held, force)
	if err == nil {
		c.addPushed("", p.Target, p.Name, held.Vault, stored, version)
	}
	return err
}

// addPushed reports that a vault has a key, of file if that is not "".
func (c *cli) addPushed(file string, t mapping.Target, name, to string, stored bool, version string) {
	r := report.Row{
		Status: report.Status(drift.Unchanged), File: file, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(),
		Vault: to, Names: []string{name}, Note: "the vault already has this key",
	}
	if stored {
		r.Status, r.Note = report.Pushed, "to "+to+", read back"
	}
	if version != "" && !vault.IsMark(version) {
		r.Note += ", version " + version
	}
	c.add(r)
}

// pushAll pushes the key of every mapping; one that fails does not stop the
// others.
func (c *cli) pushAll(ctx context.Context, f pushFlags) error {
	targets, err := c.work.Mapped()
	if err != nil {
		return err
	}
	var pushes []workspace.Push
	for _, t := range targets {
		p, err := c.preparePush(ctx, t.Folder(), t, f)
		if err != nil {
			c.addFailure(t, t.KeysFile, err)
			continue
		}
		pushes = append(pushes, p)
	}
	for i, r := range c.work.PushAll(ctx, pushes, f.options.Force) {
		p := pushes[i]
		if r.Err != nil {
			c.addFailure(p.Target, p.Target.KeysFile, r.Err)
			continue
		}
		c.addPushed("", p.Target, p.Name, r.Vault, r.Stored, r.Version)
	}
	return nil
}
