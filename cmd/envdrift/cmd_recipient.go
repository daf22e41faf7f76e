package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/vault/age"
)

func (c *cli) addRecipient(app *kingpin.Application, commands map[string]command) {
	cmd := app.Command("recipient", "Show or change who can read the age vault of this repository.")
	name := cmd.Flag("vault", "An age vault of [vault.named], instead of the default vault.").PlaceHolder("NAME").String()
	who, label := new([]string), new(string)
	show := cmd.Command("show", "Print your recipient, for a teammate to add; creates your identity if you have none.").HelpLong(`
An SSH key of yours that age can use counts as an identity.

Statuses: 0 printed · 1 could not · 2 wrong usage
Example:  envdrift recipient show`)
	commands[show.FullCommand()] = func(ctx context.Context) error { return c.showRecipient(ctx, *name) }

	list := cmd.Command("list", "Print who can read the age vaults, and for whom each secret is encrypted.").HelpLong(`
Every recipient can read every secret of a vault, unless its line says otherwise: the
recipients file was changed and the secret was not re-encrypted. A file that the age
command wrote names nobody; its recipients are only counted.

Statuses: 0 printed · 1 could not · 2 wrong usage or configuration
Example:  envdrift recipient list`)
	commands[list.FullCommand()] = func(ctx context.Context) error { return c.listRecipients(ctx, *name) }

	change := func(verb, help, long string, run func(context.Context, *age.Store) (age.Change, error)) *kingpin.CmdClause {
		clause := cmd.Command(verb, help).HelpLong(long)
		commands[clause.FullCommand()] = func(ctx context.Context) error { return c.changeRecipients(ctx, *name, run) }
		return clause
	}
	add := change("add", "Give a teammate access to the age vault: add a recipient and re-encrypt every secret.", `
Review and commit what it changes. The recipient can read every secret of the
vault. For one who is there already, --label changes only the label.

Statuses: 0 added, or already a recipient · 1 could not · 2 wrong usage · 3 the vault
could not be read
Example:  envdrift recipient add age1… --label ben@example.com`,
		func(ctx context.Context, s *age.Store) (age.Change, error) {
			return s.AddReader(ctx, strings.Join(*who, " "), *label)
		})
	add.Arg("RECIPIENT", "age1…, an SSH public key, or the path of its .pub file.").Required().StringsVar(who)
	add.Flag("label", "Whose it is, as a comment in the file.").PlaceHolder("TEXT").StringVar(label)

	leave := false
	remove := change("remove", "Take somebody out of the recipients and re-encrypt every secret for the others.", `
Who was removed keeps every secret that they could read, also in the history of
git: the command says which, and how to replace these keys.

Statuses: 0 removed · 1 could not · 2 wrong usage · 3 the vault could not be read
Example:  envdrift recipient remove ben@example.com`,
		func(ctx context.Context, s *age.Store) (age.Change, error) {
			return s.RemoveReader(ctx, age.Removal{Who: strings.Join(*who, " "), Leave: leave, Committed: c.work.CommittedIn(ctx)})
		})
	remove.Arg("RECIPIENT", "A label, which takes all recipients that have it, or a recipient or its beginning.").Required().StringsVar(who)
	remove.Flag("force", "Remove yourself, too: you cannot read the vault any more.").BoolVar(&leave)

	change("sync", "Re-encrypt every secret for the recipients as the file names them, as after a merge.", `
Resolves the conflicts of a merge in the age vault: both sides' recipients count,
and a secret that is the same on both sides is re-encrypted for them. What somebody
could read who is no recipient is named, as by remove.

Statuses: 0 re-encrypted · 1 could not · 2 wrong usage or configuration · 3 the vault
could not be read
Example:  envdrift recipient sync`,
		func(ctx context.Context, s *age.Store) (age.Change, error) {
			return s.SyncReaders(ctx, c.work.AgeConflict(ctx), c.work.CommittedIn(ctx))
		})
}

func (c *cli) showRecipient(ctx context.Context, vault string) error {
	if err := c.open(); err != nil {
		return err
	}
	recipient, identity, created, err := c.work.OwnRecipient(ctx, vault)
	if err != nil {
		return err
	}
	if created {
		c.say("created %s: whoever has this file can read the vault; keep a copy in a safe place", identity)
	}
	if c.json {
		c.report.Data = map[string]string{"recipient": recipient, "identity": identity}
		return nil
	}
	_, err = fmt.Fprintln(c.stdout, recipient)
	return err
}

func (c *cli) listRecipients(ctx context.Context, vault string) error {
	if err := c.open(); err != nil {
		return err
	}
	lists, err := c.work.ReadersOf(ctx, vault)
	if c.json {
		c.report.Data = lists
		return err
	}
	for _, l := range lists {
		for _, r := range l.Readers {
			fmt.Fprintln(c.stdout, report.Clean(l.Vault+"  "+r.String()))
		}
		for _, a := range l.Secrets {
			files, _ := c.work.FilesOf(l.Name, []string{a.Secret})
			fmt.Fprintln(c.stdout, report.Clean(l.Vault+"  "+c.accessLine(a, files, l.Name)))
		}
	}
	return err
}

// accessLine says for whom a secret is encrypted, and of which files it is.
func (c *cli) accessLine(a age.Access, files []string, vault string) string {
	line := a.Secret
	for i, file := range files {
		files[i] = c.relPath(file)
	}
	if len(files) > 0 {
		line += " (" + strings.Join(files, ", ") + ")"
	}
	switch text := a.String(); {
	case text != "":
		return line + "  " + text + "  → " + c.commandLine("recipient sync"+vaultFlag(vault))
	case a.Recorded:
		return line + "  for all recipients"
	}
	return line + "  for as many as there are recipients; who they are is not recorded"
}

func (c *cli) changeRecipients(ctx context.Context, vault string, change func(context.Context, *age.Store) (age.Change, error)) error {
	if err := c.open(); err != nil {
		return err
	}
	store, err := c.work.AgeVault(ctx, vault)
	if err != nil {
		return err
	}
	done, err := c.work.ChangeReaders(ctx, store, change)
	recipients := c.work.InRepository(store.RecipientsFile())
	for _, note := range done.Notes() {
		c.add(report.Row{Status: report.Status(drift.Updated), File: recipients, Note: note})
	}
	for _, name := range done.Secrets {
		c.add(report.Row{Status: report.Status(drift.Updated), File: c.work.InRepository(store.Path(name)), Vault: store.String(), Note: "re-encrypted"})
	}
	switch {
	case err == nil && len(c.report.Rows) == 0:
		c.add(report.Row{Status: report.Status(drift.Unchanged), File: recipients, Note: "already a recipient"})
	case err == nil && len(done.Removed)+len(done.Read) > 0:
		c.addKept(ctx, store, done)
	}
	return err
}

// addKept says which secrets those who were removed keep, and how to replace them.
func (c *cli) addKept(ctx context.Context, store *age.Store, done age.Change) {
	if c.report.Data = map[string][]string{"keeps": done.Read}; len(done.Read) == 0 {
		c.report.Summary = "who was removed could read none of the secrets that are here now"
		return
	}
	c.report.Summary = "who was removed keeps every secret that they could read, also in git's history: " + strings.Join(done.Read, ", ")
	var hints []string
	files, unmapped := c.work.FilesOf(store.Name(), done.Read)
	if len(files) > 0 {
		hints = append(hints, c.rotateLine(files)+"   after committing this; then change the values (docs/team.md)")
	}
	if len(unmapped) > 0 {
		hints = append(hints, "no mapping here names "+strings.Join(unmapped, ", ")+": replace these keys where they are used")
	}
	for _, r := range done.Removed {
		for _, name := range c.work.AlsoReads(ctx, store.Name(), r) {
			hints = append(hints, c.commandLine("recipient remove "+quote(r.Key)+vaultFlag(name))+"   they are a recipient of that vault too")
		}
	}
	c.report.Rows[0].Hints = hints
}
