// Package drift is the engine: from mappings, keys and env files it computes
// findings and changes. It contacts no vault and runs no git. It reads from an
// [fs.FS], which may be the working tree, the index or a commit.
//
// # Data flow
//
//	prove    Resolve → Target → Check → Verdict      is what is there decryptable?
//	change   Sync, Decrypt, Encrypt → Change → Apply   what would be written, then write it
//
// Everything up to a [Change] is pure, so that a check, a dry run and the real
// run cannot differ. Only [Apply] writes.
package drift

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
)

// An Action is what happens to a file.
type Action string

// What a plan does, or did, with a file. Skipped is not a failure: there was
// nothing to do. Differs waits for the user to decide.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
	Set       Action = "set"
	Unset     Action = "unset"
	Encrypted Action = "encrypted"
	Decrypted Action = "decrypted"
	Activated Action = "activated"
	Ephemeral Action = "ephemeral"
	Skipped   Action = "skipped"
	Differs   Action = "differs"
	Failed    Action = "failed"
)

// Actions are all actions, in the order of a summary.
var Actions = [...]Action{Created, Updated, Set, Unset, Encrypted, Decrypted, Activated, Unchanged, Ephemeral, Skipped, Differs, Failed}

// A Change is one row of a plan: what is to be done with a file and why.
type Change struct {
	Mapping config.Mapping // the zero Mapping for a file that none names
	File    string         // relative to the tree's root
	Action  Action
	Names   []string // of the values or keys concerned
	Note    string   // what the user should know; no values
	Err     error    // why it failed, or must wait

	Write   bool   // whether Apply writes New to File
	Old     []byte // what the plan was made from; nil if there was no file
	New     []byte
	Private bool   // 0600
	Keep    bool   // Old is kept as a backup before it is replaced
	Backup  string // where Apply kept the backup
}

// AddNote adds a note; "" adds none.
func (c *Change) AddNote(note string) {
	if c.Note != "" && note != "" {
		c.Note += "; "
	}
	c.Note += note
}

// A ChangedError reports a file that is no longer what the plan was made from.
// It was not changed.
type ChangedError struct{ File string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s was changed by another program in the meantime; nothing was written to it", e.File)
}

// A BackupFunc keeps the old content of a file that is about to be replaced and
// returns where.
type BackupFunc func(file string, old []byte) (where string, err error)

// Apply writes what the changes say, at most workers files at a time, and
// records in each how it went. The caller has the clone's lock. A failure
// concerns only its change. If ctx ends, the remaining changes are not made and
// are Failed.
func Apply(ctx context.Context, root *os.Root, changes []Change, keep BackupFunc, workers int) {
	var g errgroup.Group
	g.SetLimit(max(workers, 1))
	for i := range changes {
		c := &changes[i]
		if !c.Write {
			continue
		}
		g.Go(func() error {
			err := ctx.Err()
			if err == nil {
				err = apply(root, c, keep)
			}
			if err != nil {
				c.Action, c.Err = Failed, err
			}
			return nil
		})
	}
	_ = g.Wait()
	propagateFailure(changes)
}

// propagateFailure marks changes as failed whose content another change was to
// write: mappings that share a keys file are written by the last of them.
func propagateFailure(changes []Change) {
	failed := map[string]error{}
	for _, c := range changes {
		if c.Write && c.Err != nil {
			failed[c.File] = c.Err
		}
	}
	for i, c := range changes {
		if err := failed[c.File]; err != nil && (c.Action == Created || c.Action == Updated) {
			changes[i].Action, changes[i].Err = Failed, err
		}
	}
}

func apply(root *os.Root, c *Change, keep BackupFunc) error {
	now, err := atomicfile.ReadFile(root.FS(), c.File)
	if errors.Is(err, fs.ErrNotExist) {
		now, err = nil, nil
	}
	if err != nil {
		return err
	}
	if now != nil && bytes.Equal(now, c.New) {
		return nil // another run did the same
	}
	if !bytes.Equal(now, c.Old) || (now == nil) != (c.Old == nil) {
		return &ChangedError{c.File}
	}
	perm := fs.FileMode(0o644)
	if c.Private {
		perm = 0o600
	}
	if c.Keep {
		where, err := keep(c.File, c.Old)
		if err != nil {
			return fmt.Errorf("keep a backup: %w", err)
		}
		c.Backup = where
	}
	err = atomicfile.Replace(root, c.File, c.Old, c.New, perm, c.Private)
	if !errors.Is(err, atomicfile.ErrChanged) {
		return err
	}
	if now, err := atomicfile.ReadFile(root.FS(), c.File); err == nil && bytes.Equal(now, c.New) {
		return nil
	}
	c.Backup = "" // it is only a copy
	return &ChangedError{c.File}
}

// CountActions returns how many changes have each action, as in "2 created, 1 failed".
func CountActions(changes []Change) string {
	counts := map[Action]int{}
	for _, c := range changes {
		counts[c.Action]++
	}
	var parts []string
	for _, a := range Actions {
		if counts[a] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[a], a))
		}
	}
	return strings.Join(parts, ", ")
}
