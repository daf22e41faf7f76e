package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/mapping"
)

type lockFlags struct {
	check, verifyVault, syncKeys, force bool
}

func (c *cli) addLock(app *kingpin.Application) (string, command) {
	var f lockFlags
	cmd := app.Command("lock", "Encrypt every mapped env file, ready to commit.").HelpLong(`
The reverse of pull: only what was edited gets a new ciphertext, so that a diff
shows just that. A new key pair is never made here; that is encrypt's.

Statuses: 0 all encrypted · 1 a file could not be, or --check found plaintext,
or --verify-vault drift · 2 wrong usage or configuration · 3 a vault could not
be used
Example:  envdrift lock --verify-vault`)
	cmd.Flag("check", "Write nothing; status 1 if a file is not encrypted.").BoolVar(&f.check)
	cmd.Flag("verify-vault", "First prove that the vault's keys are those of the files; encrypt nothing if one is not.").BoolVar(&f.verifyVault)
	cmd.Flag("sync-keys", "First bring the vault's keys, as sync; implies --verify-vault.").BoolVar(&f.syncKeys)
	cmd.Flag("force", "With --sync-keys: replace keys that differ without asking.").Short('f').BoolVar(&f.force)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.lockAll(ctx, f) }
}

func (c *cli) lockAll(ctx context.Context, f lockFlags) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	targets, err := s.mapped()
	if err != nil {
		return err
	}
	if f.syncKeys && !f.check {
		if _, err := s.sync(ctx, targets, syncFlags{force: f.force}); err != nil {
			return err
		}
	}
	if f.verifyVault || f.syncKeys {
		if s.gate(ctx, targets); s.failed() {
			s.sum = "nothing was encrypted"
			return nil
		}
	}
	plan, err := s.lockTargets(ctx, targets)
	if err != nil {
		return err
	}
	if f.check {
		return s.reportCheck(plan)
	}
	if err := s.apply(ctx, plan); err != nil {
		return err
	}
	for _, ch := range plan {
		s.addChange(ch)
	}
	s.sum = countActions(plan)
	return s.remember(ctx, plan)
}

// gate proves for each file that what it is encrypted for, or will be, is the
// vault's key. Only failures are reported.
func (s *session) gate(ctx context.Context, targets []mapping.Target) {
	keys := s.fetch(ctx, targets)
	for i, t := range targets {
		err := keys[i].Err
		if err == nil && t.Doc != nil {
			err = drift.Check(t.Doc, nil, keys[i].Keys).KeyErr()
		}
		if err != nil {
			s.add(row{Status: problem(err), File: t.File, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), err: err})
		}
	}
}

// failed reports whether the report holds a failure so far.
func (c *cli) failed() bool {
	for _, r := range c.rows {
		if r.err != nil {
			return true
		}
	}
	return false
}

// lockTargets plans the encryption of each target's file. The vault is asked
// at once for all those whose private key is not at hand: without it no value
// can be compared with HEAD's.
func (s *session) lockTargets(ctx context.Context, targets []mapping.Target) ([]drift.Change, error) {
	plan, keys, declared := make([]drift.Change, len(targets)), make([]fileKey, len(targets)), make([]bool, len(targets))
	var files []string
	for i, t := range targets {
		if plan[i] = s.lockable(t); plan[i].Action == "" {
			files = append(files, t.File)
		}
	}
	if err := s.readHead(ctx, files); err != nil {
		return nil, err
	}
	var asked []int
	var ask []mapping.Target
	for i, t := range targets {
		c := &plan[i]
		if c.Action != "" {
			continue
		}
		keys[i], declared[i], c.Err = s.declaredKey(ctx, t.File, t.Doc)
		if t.Mapping.Ephemeral {
			keys[i].keys = nil // a key at hand is not its key, whatever it fits
		}
		if c.Err == nil && len(keys[i].keys) == 0 {
			asked, ask = append(asked, i), append(ask, t)
		}
	}
	unkept := map[int]error{}
	for n, held := range s.fetch(ctx, ask) {
		i := asked[n]
		switch keys[i].keys = held.Keys; {
		case !declared[i]:
			keys[i], plan[i].Err = s.undeclaredKey(ctx, targets[i].File, keys[i], held)
		case targets[i].Mapping.Ephemeral:
			plan[i].Err = held.Err
		default:
			unkept[i] = held.Err
		}
	}
	for i, t := range targets {
		if plan[i].Action == "" {
			s.planLock(ctx, &plan[i], t, keys[i])
			if err := unkept[i]; err != nil && plan[i].Write {
				plan[i].Note = strings.TrimPrefix(plan[i].Note+"; not compared with HEAD, for want of the key: "+err.Error(), "; ")
			}
		}
	}
	return plan, ctx.Err()
}

// lockable begins the plan for a target; its Action is set if there is nothing
// to encrypt.
func (s *session) lockable(t mapping.Target) drift.Change {
	c := drift.Change{Mapping: t.Mapping, File: cmp.Or(t.File, t.Folder())}
	if missing := (*config.NoEnvFileError)(nil); errors.As(t.Err, &missing) {
		c.Action, c.Note = drift.Skipped, s.told(missing)
		return c
	}
	if t.Err != nil {
		c.Action, c.Err = drift.Failed, t.Err
		return c
	}
	if state := t.Doc.State(); state == dotenv.Encrypted || state == dotenv.Empty {
		c.Action, c.Note = drift.Unchanged, "encrypted already"
	}
	return c
}

func (s *session) planLock(ctx context.Context, c *drift.Change, t mapping.Target, key fileKey) {
	if c.Err == nil {
		*c, c.Err = s.encryptWith(ctx, t.File, t.Doc, key, dotenv.Selection{})
		c.Mapping = t.Mapping
	}
	if c.Err != nil {
		c.Action = drift.Failed
	}
}

// reportCheck reports a plan that is not carried out.
func (s *session) reportCheck(plan []drift.Change) error {
	pending := 0
	for _, ch := range plan {
		if ch.Err != nil {
			pending++
		}
		if ch.Write {
			pending++
			ch.Action, ch.Err = "plaintext", &drift.PlaintextError{Names: ch.Names}
			ch.Names = nil
		}
		s.addChange(ch)
	}
	s.sum = fmt.Sprintf("%d of %s encrypted", len(plan)-pending, plural(len(plan), "file"))
	return nil
}
