package main

import (
	"context"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/mapping"
)

type pullKeyFlags struct {
	folder, secret, environment, key string
	force                            bool
}

func (c *cli) addVaultPull(app *kingpin.Application) (string, command) {
	var f pullKeyFlags
	cmd := app.Command("vault-pull", "Fetch one key from the vault into a folder's .env.keys.").HelpLong(`
Works without a configuration, with -p and the vault's flags. Nothing is
decrypted.

Statuses: 0 written, or already there · 1 another key is there · 2 wrong usage ·
3 the vault could not be used
Example:  envdrift vault-pull services/api api-dotenvx-key --env production`)
	cmd.Arg("FOLDER", "The folder for .env.keys.").Required().StringVar(&f.folder)
	cmd.Arg("SECRET", "The secret's name in the vault.").Required().StringVar(&f.secret)
	cmd.Flag("env", "The environment that the key is for.").Short('e').PlaceHolder("NAME").StringVar(&f.environment)
	cmd.Flag("key", "The key's full name, instead of --env.").PlaceHolder("DOTENV_PRIVATE_KEY…").StringVar(&f.key)
	cmd.Flag("force", "Replace a key that differs without asking.").Short('f').BoolVar(&f.force)
	addIgnored(cmd, "no-decrypt")
	return cmd.FullCommand(), func(ctx context.Context) error {
		if err := c.open(); err != nil {
			return err
		}
		folder, err := c.work.Inside(f.folder)
		if err != nil {
			return err
		}
		t := c.work.KeyTarget(folder, f.secret, f.environment, f.key)
		t.Mapping.Ephemeral = false // the user asked for the file
		_, err = c.sync(ctx, []mapping.Target{t}, syncFlags{force: f.force})
		return err
	}
}
