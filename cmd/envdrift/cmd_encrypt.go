package main

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
)

type encryptFlags struct {
	files     []string
	check     bool
	convert   bool
	selection dotenv.Selection
}

func (c *cli) addEncrypt(app *kingpin.Application) (string, command) {
	var f encryptFlags
	cmd := app.Command("encrypt", "Encrypt the plaintext values of env files, in place.").HelpLong(`
The public key is the one in the file's header, else the one whose private key
the vault holds for the file's mapping, else the one next to the file in
.env.keys. If there is none, a new key pair is created.

Statuses: 0 encrypted, or nothing to do · 1 could not, or --check found
plaintext · 2 wrong usage · 3 the vault could not be used
Example:  envdrift encrypt .env.production`)
	cmd.Arg("FILE", "Env files; default those of the mappings, or .env if there are none.").StringsVar(&f.files)
	cmd.Flag("check", "Write nothing; status 1 if a value is in plain text.").BoolVar(&f.check)
	cmd.Flag("convert", "First rewrite files in UTF-16, as PowerShell writes them, in UTF-8.").BoolVar(&f.convert)
	addSelection(cmd, &f.selection)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.encrypt(ctx, f) }
}

// addSelection adds the flags of encrypt and decrypt that choose variables.
func addSelection(cmd *kingpin.CmdClause, sel *dotenv.Selection) {
	cmd.Flag("key", "Only names that match this glob; repeatable.").Short('k').PlaceHolder("GLOB").StringsVar(&sel.Only)
	cmd.Flag("exclude-key", "Not the names that match this glob; repeatable.").PlaceHolder("GLOB").StringsVar(&sel.Except)
	cmd.Flag("backend", "dotenvx.").Short('b').Hidden().Enum("dotenvx") // of the earlier envdrift; there is no other
}

func (c *cli) encrypt(ctx context.Context, f encryptFlags) error {
	if err := f.selection.Check(); err != nil {
		return c.misuse("%w", err)
	}
	if err := c.open(); err != nil {
		return err
	}
	c.report.OnStdout = f.check
	if len(f.files) == 0 && len(c.work.Config.Mappings) > 0 {
		return c.encryptMapped(ctx, f)
	}
	if len(f.files) == 0 {
		f.files = []string{".env"}
	}
	for _, file := range f.files {
		inside, err := c.work.Inside(file)
		if err == nil {
			err = c.encryptFile(ctx, inside, f)
		}
		if err != nil {
			c.addFailure(mapping.Target{}, c.typed(file), err)
		}
	}
	return nil
}

// encryptMapped encrypts the files of all mappings.
func (c *cli) encryptMapped(ctx context.Context, f encryptFlags) error {
	targets, err := c.work.Mapped()
	for _, t := range targets {
		if ch, done := c.work.Unreadable(t); done {
			c.addChange(ch)
		} else if err := c.encryptFile(ctx, t.File, f); err != nil {
			c.addFailure(t, t.File, err)
		}
	}
	return err
}

// encryptFile encrypts the selected values of one file.
func (c *cli) encryptFile(ctx context.Context, file string, f encryptFlags) error {
	doc, err := mapping.ReadEnvFile(c.work.Files(), file)
	if errors.Is(err, dotenv.ErrUTF16) && f.convert && !f.check {
		doc, err = c.work.ConvertToUTF8(file)
	}
	if err != nil {
		return err
	}
	if f.check {
		c.checkEncrypted(file, c.work.Request(file, doc).Doc, f.selection)
		return nil
	}
	if err := c.work.CheckCompanion(file); err != nil {
		return err
	}
	q := c.work.Request(file, doc)
	doc = q.Doc
	if err := doc.CheckForm(); err != nil {
		return err
	}
	if len(doc.Plaintext(f.selection)) == 0 {
		notes := append([]string{"nothing to encrypt", (&drift.UnparsedError{Lines: doc.UnparsedLines()}).Error()}, plainNote(q, f.selection))
		c.add(report.Row{Status: report.Status(drift.Unchanged), File: file, Note: strings.Join(nonEmpty(notes...), "; ")})
		return nil
	}
	changes, key, err := c.work.EncryptFile(ctx, q, f.selection, false)
	for i, ch := range changes {
		if i == len(changes)-1 {
			ch.AddNote(plainNote(q, f.selection))
		}
		c.addChange(ch)
	}
	if n := len(changes); err != nil && (n == 0 || changes[n-1].Err == nil) {
		return err
	}
	if key.Generated && err == nil {
		c.say("Created a new key pair. Store its private key in the vault before you commit:")
		c.say("  %s", c.pushLine(file, key.Private))
	}
	return nil
}

// plainNote says how the names that --exclude-key left out stay plaintext for every
// command; "" if there is no need.
func plainNote(q keyring.Request, sel dotenv.Selection) string {
	if !q.Mapped() || len(sel.Except) == 0 {
		return ""
	}
	var left []string
	for _, e := range q.Doc.Plaintext(dotenv.Selection{Only: sel.Except}) {
		left = append(left, strconv.Quote(e.Name))
	}
	if len(left) == 0 {
		return ""
	}
	return "to leave it so: plain = [" + strings.Join(left, ", ") + "] in its mapping"
}

func (c *cli) checkEncrypted(file string, doc *dotenv.Document, sel dotenv.Selection) {
	row := report.Row{Status: "encrypted", File: file}
	if row.Err = cmp.Or(drift.CheckWithoutKey(doc, sel), drift.CheckCiphertexts(doc)); row.Err != nil {
		row.Status = statusFor(row.Err)
	}
	if errors.As(row.Err, new(*drift.PlaintextError)) {
		row.Hints = []string{c.commandLine("encrypt " + quote(c.relPath(file)))}
	}
	c.add(row)
}
