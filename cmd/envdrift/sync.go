package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

type syncFlags struct {
	verify, force, checkDecryption bool
}

func (c *cli) addSync(app *kingpin.Application) (string, command) {
	var f syncFlags
	cmd := app.Command("sync", "Bring the vault's keys into .env.keys, beside each mapped env file.").HelpLong(`
A key that differs from the vault's is replaced with --force, or after a
question on a terminal; the old file is kept as a backup. Ephemeral mappings
are fetched and not written.

Statuses: 0 in step · 1 a key differs, or a check or a write failed · 2 wrong
usage or configuration · 3 a vault could not be used
Example:  envdrift sync --check-decryption --ci`)
	cmd.Flag("verify", "Write nothing; status 1 if something would change.").BoolVar(&f.verify)
	cmd.Flag("force", "Replace keys that differ without asking.").Short('f').BoolVar(&f.force)
	cmd.Flag("check-decryption", "Prove that each key decrypts its env file.").BoolVar(&f.checkDecryption)
	return cmd.FullCommand(), func(ctx context.Context) error {
		s, err := c.open()
		if err != nil {
			return err
		}
		targets, err := s.mapped()
		if err != nil {
			return err
		}
		_, err = s.sync(ctx, targets, f)
		return err
	}
}

// errOutOfStep reports, under --verify, a key that sync would write.
var errOutOfStep = errors.New("not in step with the vault")

// sync brings the keys of the targets into their keys files and reports each
// mapping. It returns the keys, for what is done with them next.
func (s *session) sync(ctx context.Context, targets []mapping.Target, f syncFlags) ([]keyring.Answer, error) {
	keys := s.fetch(ctx, targets)
	changes := drift.Sync(s.root.FS(), targets, keys, s.mayReplace(ctx, f))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !f.verify {
		if err := s.apply(ctx, changes); err != nil {
			return nil, err
		}
	}
	for i := range changes {
		c := &changes[i]
		if f.verify && (c.Action == drift.Created || c.Action == drift.Updated) {
			c.Note, c.Err = "would be "+string(c.Action), errOutOfStep
		}
		s.checkKey(c, targets[i], keys[i], f.checkDecryption)
		s.addChange(*c)
	}
	s.sum = countActions(changes)
	return keys, nil
}

// mayReplace says whether a key that differs may be replaced.
func (s *session) mayReplace(ctx context.Context, f syncFlags) func(*drift.DiffersError) bool {
	return func(e *drift.DiffersError) bool {
		switch {
		case f.verify:
			return false
		case f.force:
			return true
		case s.ci || s.json || !s.tty:
			return false
		}
		return s.ask(ctx, s.told(e)+". Replace it?")
	}
}

// checkKey adds to a change what the key makes of the env file: with
// --check-decryption a failure, else a note when it is plainly the wrong one.
func (s *session) checkKey(c *drift.Change, t mapping.Target, key keyring.Answer, check bool) {
	switch {
	case c.Err != nil:
		return
	case check && t.Err != nil:
		c.Action, c.Err = drift.Failed, t.Err
		return
	case t.Doc == nil:
		return
	}
	if check {
		verdict := drift.Check(t.Doc, nil, key.Keys)
		if err := verdict.Err(); err != nil {
			c.Action, c.Err = drift.Failed, fmt.Errorf("%s: %w", s.shown(t.File), err)
			return
		}
		c.Note = strings.TrimPrefix(c.Note+fmt.Sprintf("; decrypts all %d values", verdict.Values), "; ")
		return
	}
	if strange := drift.UnknownKeys(t.Doc, key.Keys); len(strange) > 0 {
		c.Note = strings.TrimPrefix(c.Note+fmt.Sprintf("; DRIFT: %s is encrypted for %s, not for the vault's key", s.shown(t.File), strings.Join(strange, ", ")), "; ")
	}
}

// countActions sums up a report.
func countActions(changes []drift.Change) string {
	counts := map[drift.Action]int{}
	for _, c := range changes {
		counts[c.Action]++
	}
	var parts []string
	for _, a := range drift.Actions {
		if counts[a] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[a], a))
		}
	}
	return strings.Join(parts, ", ")
}

// ask puts a question to the person at the terminal. Anything but yes is no,
// also an interrupt: ctx then tells.
func (s *session) ask(ctx context.Context, question string) bool {
	if ctx.Err() != nil {
		return false
	}
	fmt.Fprintf(s.stderr, "%s [y/N] ", clean(question))
	answered := make(chan string, 1)
	go func() {
		answer, err := bufio.NewReader(s.stdin).ReadString('\n')
		if err != nil {
			answer = ""
		}
		answered <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case answer := <-answered:
		return answer == "y" || answer == "yes"
	case <-ctx.Done():
		fmt.Fprintln(s.stderr)
		return false
	}
}
