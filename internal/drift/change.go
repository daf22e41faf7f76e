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
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/ecies"
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
	Stored    Action = "stored" // in the operating system's store
	Ephemeral Action = "ephemeral"
	Skipped   Action = "skipped"
	Differs   Action = "differs"
	Failed    Action = "failed"
)

// Actions are all actions, in the order of a summary.
var Actions = [...]Action{Created, Updated, Set, Unset, Encrypted, Decrypted, Activated, Stored, Unchanged, Ephemeral, Skipped, Differs, Failed}

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
	Private bool       // 0600
	Stored  ecies.Keys // to be kept in the operating system's store, not in File
	Keep    bool       // Old is kept as a backup before it is replaced
	Backup  string     // where Apply kept the backup
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

// together is how many files are written in one group: as many temporary files a
// kill may leave.
const together = 64

// Apply writes what the changes say, at most workers files at a time, and
// records in each how it went. The caller has the clone's lock. A failure
// concerns only its change. If ctx ends, the remaining changes are not made and
// are Failed.
func Apply(ctx context.Context, root *os.Root, changes []Change, keep BackupFunc, workers int) {
	var writes []*Change
	for i := range changes {
		if changes[i].Write {
			writes = append(writes, &changes[i])
		}
	}
	for group := range slices.Chunk(writes, together) {
		applyTogether(ctx, root, group, keep, workers)
	}
	propagateFailure(changes)
}

func applyTogether(ctx context.Context, root *os.Root, group []*Change, keep BackupFunc, workers int) {
	planned := make([]*atomicfile.Replacement, len(group))
	var g errgroup.Group
	g.SetLimit(max(workers, 1))
	for i, c := range group {
		g.Go(func() error {
			err := ctx.Err()
			if err == nil {
				planned[i], err = plan(root, c, keep)
			}
			if err != nil {
				c.Action, c.Err = Failed, err
			}
			return nil
		})
	}
	_ = g.Wait()
	atomicfile.ReplaceAll(root, slices.DeleteFunc(slices.Clone(planned), func(r *atomicfile.Replacement) bool { return r == nil }), workers)
	for i, c := range group {
		if r := planned[i]; r != nil {
			if err := c.written(root, r.Err); err != nil {
				c.Action, c.Err = Failed, err
			}
		}
	}
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

// plan returns how to write a change, or nil if the file is as it should be.
func plan(root *os.Root, c *Change, keep BackupFunc) (*atomicfile.Replacement, error) {
	now, err := atomicfile.ReadFile(root.FS(), c.File)
	if errors.Is(err, fs.ErrNotExist) {
		now, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if now != nil && bytes.Equal(now, c.New) {
		return nil, nil // another run did the same
	}
	if !bytes.Equal(now, c.Old) || (now == nil) != (c.Old == nil) {
		return nil, &ChangedError{c.File}
	}
	perm := fs.FileMode(0o644)
	if c.Private {
		perm = 0o600
	}
	if c.Keep {
		where, err := keep(c.File, c.Old)
		if err != nil {
			return nil, fmt.Errorf("keep a backup: %w", err)
		}
		c.Backup = where
	}
	return &atomicfile.Replacement{Name: c.File, Old: c.Old, Data: c.New, Perm: perm, Private: c.Private}, nil
}

// written returns the error of a change, given that of writing it.
func (c *Change) written(root *os.Root, err error) error {
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
