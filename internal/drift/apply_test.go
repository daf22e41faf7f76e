package drift_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/drift"
)

// folder makes a folder that holds files, and opens it.
func folder(t *testing.T, files map[string]string) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root, dir
}

// contents reads a folder as folder takes it: leftovers show as well.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// writing is a planned change; old "" means that there was no file.
func writing(file, old, content string) drift.Change {
	c := drift.Change{File: file, Action: drift.Updated, Write: true, New: []byte(content)}
	if old != "" {
		c.Old = []byte(old)
	}
	return c
}

func noBackup(t *testing.T) drift.BackupFunc {
	return func(file string, _ []byte) (string, error) {
		t.Errorf("Apply wants a backup of %s", file)
		return "", nil
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		files  map[string]string
		change drift.Change
		want   string // what the file holds then; "" for no file, or one that is as before
		empty  bool   // there is an empty file then
		failed func(error) bool
	}{
		{name: "new file", change: writing("svc/.env", "", "new"), want: "new"},
		{name: "new empty file", files: map[string]string{"svc/x": ""}, change: drift.Change{File: "svc/.env", Action: drift.Updated, Write: true, New: []byte{}}, empty: true},
		{name: "as the plan saw it", files: map[string]string{"svc/.env": "old"}, change: writing("svc/.env", "old", "new"), want: "new"},
		{name: "empty file becomes one", files: map[string]string{"svc/.env": ""}, change: drift.Change{File: "svc/.env", Action: drift.Updated, Write: true, Old: []byte{}, New: []byte("new")}, want: "new"},
		{name: "another run did the same", files: map[string]string{"svc/.env": "new"}, change: writing("svc/.env", "old", "new"), want: "new"},
		{name: "another run made the same new file", files: map[string]string{"svc/.env": "new"}, change: writing("svc/.env", "", "new"), want: "new"},
		{name: "changed meanwhile", files: map[string]string{"svc/.env": "edited"}, change: writing("svc/.env", "old", "new"), want: "edited", failed: isChanged("svc/.env")},
		{name: "made meanwhile", files: map[string]string{"svc/.env": "made"}, change: writing("svc/.env", "", "new"), want: "made", failed: isChanged("svc/.env")},
		{name: "made meanwhile, empty", files: map[string]string{"svc/.env": "", "svc/x": ""}, change: writing("svc/.env", "", "new"), failed: isChanged("svc/.env")},
		{name: "gone meanwhile", change: writing("svc/.env", "old", "new"), failed: isChanged("svc/.env")},
		{name: "gone meanwhile, was empty", change: drift.Change{File: "svc/.env", Action: drift.Updated, Write: true, Old: []byte{}, New: []byte("new")}, failed: isChanged("svc/.env")},
		{name: "a folder in its place", files: map[string]string{"svc/.env/x": "x"}, change: writing("svc/.env", "", "new"), failed: wraps(atomicfile.ErrNotRegular)},
		{name: "no folder for it", change: writing("gone/.env", "", "new"), failed: wraps(fs.ErrNotExist)},
		{name: "git's own folder", files: map[string]string{".git/x": "x"}, change: writing(".git/config", "", "new"), failed: wraps(atomicfile.ErrGit)},
		{name: "out of the folder", change: writing("../x", "", "new"), failed: func(err error) bool { return err != nil }},
		{name: "no write is planned", files: map[string]string{"svc/.env": "old"}, change: drift.Change{File: "svc/.env", Action: drift.Updated, New: []byte("new")}, want: "old"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"svc/other": "other"}
			for name, content := range tt.files {
				files[name] = content
			}
			root, dir := folder(t, files)
			changes := []drift.Change{tt.change}
			drift.Apply(t.Context(), root, changes, noBackup(t), 1)
			c := changes[0]
			if tt.failed == nil && (c.Action != drift.Updated || c.Err != nil) {
				t.Errorf("Apply = %s, %v; want %s", c.Action, c.Err, drift.Updated)
			}
			if tt.failed != nil && (c.Action != drift.Failed || !tt.failed(c.Err)) {
				t.Errorf("Apply = %s, %v; want %s and another reason", c.Action, c.Err, drift.Failed)
			}
			if tt.want != "" || tt.empty {
				files[tt.change.File] = tt.want
			}
			if got := contents(t, dir); fmt.Sprint(got) != fmt.Sprint(files) {
				t.Errorf("Apply left %q; want %q", got, files)
			}
		})
	}
}

func isChanged(file string) func(error) bool {
	return func(err error) bool {
		e := (*drift.ChangedError)(nil)
		return errors.As(err, &e) && e.File == file && strings.HasPrefix(e.Error(), file+" was changed")
	}
}

func wraps(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

func TestApplySetsModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps access in ACLs")
	}
	tests := []struct {
		name      string
		old, want fs.FileMode // old 0: no file
		private   bool
	}{
		{name: "new env file", want: 0o644},
		{name: "new keys file", private: true, want: 0o600},
		{name: "env file keeps its mode", old: 0o640, want: 0o640},
		{name: "keys file that others can read", old: 0o644, private: true, want: 0o600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root, dir := folder(t, nil)
			c := writing("f", "", "new")
			c.Private = tt.private
			if tt.old != 0 {
				c.Old = []byte("old")
				if err := os.WriteFile(filepath.Join(dir, "f"), c.Old, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(filepath.Join(dir, "f"), tt.old); err != nil {
					t.Fatal(err)
				}
			}
			changes := []drift.Change{c}
			drift.Apply(t.Context(), root, changes, noBackup(t), 1)
			info, err := os.Stat(filepath.Join(dir, "f"))
			if err != nil {
				t.Fatalf("Apply = %v, and there is no file: %v", changes[0].Err, err)
			}
			if got := info.Mode().Perm(); got != tt.want {
				t.Errorf("Apply left mode %o; want %o", got, tt.want)
			}
		})
	}
}

// A file that was written in place would change under its second name too,
// and whoever reads it meanwhile would find a part.
func TestApplyReplacesTheFile(t *testing.T) {
	t.Parallel()
	root, dir := folder(t, map[string]string{"f": "old"})
	if err := os.Link(filepath.Join(dir, "f"), filepath.Join(dir, "second")); err != nil {
		t.Skip("no hard links here:", err)
	}
	changes := []drift.Change{writing("f", "old", "new")}
	drift.Apply(t.Context(), root, changes, noBackup(t), 1)
	want := map[string]string{"f": "new", "second": "old"}
	if got := contents(t, dir); fmt.Sprint(got) != fmt.Sprint(want) || changes[0].Err != nil {
		t.Errorf("Apply left %q, %v; want %q", got, changes[0].Err, want)
	}
}

func TestApplyWritesThroughALink(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("making symbolic links needs a privilege on Windows")
	}
	root, dir := folder(t, map[string]string{"real": "old"})
	for name, target := range map[string]string{"link": "real", "dangling": "nothing"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	changes := []drift.Change{writing("link", "old", "new"), writing("dangling", "", "new")}
	drift.Apply(t.Context(), root, changes, noBackup(t), 1)
	if got, _ := os.ReadFile(filepath.Join(dir, "real")); string(got) != "new" || changes[0].Err != nil {
		t.Errorf("Apply through a link left %q, %v; want new", got, changes[0].Err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "link")); to != "real" {
		t.Errorf("Apply made %q of the link, %v; want it to stay", to, err)
	}
	if changes[1].Action != drift.Failed || !errors.Is(changes[1].Err, fs.ErrNotExist) {
		t.Errorf("Apply through a link to nothing = %s, %v; want it to fail", changes[1].Action, changes[1].Err)
	}
}

func TestApplyKeepsABackup(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		file   string // what the file holds when Apply comes
		err    error  // the keeper's
		asked  bool
		action drift.Action
		want   string
		note   string
		backup string
	}{
		{name: "before the write", file: "old", asked: true, action: drift.Updated, want: "new", note: "before", backup: "backup-1"},
		{name: "without one nothing is written", file: "old", err: errNoRoom, asked: true, action: drift.Failed, want: "old", note: "before"},
		{name: "not of what another run did", file: "new", action: drift.Updated, want: "new", note: "before"},
		{name: "not of a changed file", file: "edited", action: drift.Failed, want: "edited", note: "before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root, dir := folder(t, map[string]string{"f": tt.file})
			c := writing("f", "old", "new")
			c.Keep, c.Note = true, "before"
			changes := []drift.Change{c}
			asked := 0
			drift.Apply(t.Context(), root, changes, func(file string, old []byte) (string, error) {
				asked++
				now, _ := os.ReadFile(filepath.Join(dir, "f"))
				if file != "f" || string(old) != "old" || string(now) != "old" {
					t.Errorf("Keeper(%q, %q) while the file holds %q; want f, old, old", file, old, now)
				}
				return "backup-1", tt.err
			}, 1)
			if got := changes[0]; got.Action != tt.action || got.Note != tt.note || got.Backup != tt.backup {
				t.Errorf("Apply = %s, note %q, backup %q; want %s, %q, %q", got.Action, got.Note, got.Backup, tt.action, tt.note, tt.backup)
			}
			if tt.err != nil && (!errors.Is(changes[0].Err, tt.err) || changes[0].Err.Error() != "keep a backup: no room") {
				t.Errorf("Apply = %v; want the keeper's error", changes[0].Err)
			}
			if got := contents(t, dir)["f"]; got != tt.want || (asked == 1) != tt.asked {
				t.Errorf("Apply left %q, asked the keeper %d times; want %q, asked %t", got, asked, tt.want, tt.asked)
			}
		})
	}
}

var errNoRoom = errors.New("no room")

// TestApplyWhenTheWriteFails takes the folder away between the last look at the
// file and its write, which the keeper stands between. What fails in each step
// of a write is the subject of package atomicfile.
func TestApplyWhenTheWriteFails(t *testing.T) {
	t.Parallel()
	root, dir := folder(t, map[string]string{"svc/f": "old", "other/f": "old"})
	c := writing("svc/f", "old", "new")
	c.Keep = true
	changes := []drift.Change{c, writing("other/f", "old", "new")}
	drift.Apply(t.Context(), root, changes, func(string, []byte) (string, error) {
		return "backup-1", os.Rename(filepath.Join(dir, "svc"), filepath.Join(dir, "moved"))
	}, 1)
	if changes[0].Action != drift.Failed || !errors.Is(changes[0].Err, fs.ErrNotExist) {
		t.Errorf("Apply = %s, %v; want %s, %v", changes[0].Action, changes[0].Err, drift.Failed, fs.ErrNotExist)
	}
	if changes[1].Action != drift.Updated || changes[1].Err != nil {
		t.Errorf("Apply of the other file = %s, %v; want %s", changes[1].Action, changes[1].Err, drift.Updated)
	}
	want := map[string]string{"moved/f": "old", "other/f": "new"}
	if got := contents(t, dir); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Apply left %q; want %q", got, want)
	}
}

// Mappings that share a keys file are written by the last of them. If that
// fails, none of them has its key.
func TestApplySpreadsAFailure(t *testing.T) {
	t.Parallel()
	root, dir := folder(t, map[string]string{"keys": "edited", "other": "old"})
	before := errors.New("its own reason")
	changes := []drift.Change{
		{File: "keys", Action: drift.Created},
		{File: "keys", Action: drift.Updated},
		{File: "keys", Action: drift.Unchanged},
		{File: "keys", Action: drift.Differs, Err: before},
		{File: "keys", Action: drift.Ephemeral},
		{File: "other", Action: drift.Created},
		writing("keys", "old", "new"),
		writing("other", "old", "new"),
	}
	drift.Apply(t.Context(), root, changes, noBackup(t), 2)
	var got []string
	for _, c := range changes {
		got = append(got, string(c.Action))
	}
	if want := "failed failed unchanged differs ephemeral created failed updated"; strings.Join(got, " ") != want {
		t.Errorf("Apply = %q; want %q", strings.Join(got, " "), want)
	}
	for _, i := range []int{0, 1, 6} {
		if !isChanged("keys")(changes[i].Err) {
			t.Errorf("Apply: error of change %d = %v; want a ChangedError", i, changes[i].Err)
		}
	}
	if !errors.Is(changes[3].Err, before) || changes[5].Err != nil {
		t.Errorf("Apply: errors of changes 3 and 5 = %v, %v; want them as they were", changes[3].Err, changes[5].Err)
	}
	if got := contents(t, dir); got["keys"] != "edited" || got["other"] != "new" {
		t.Errorf("Apply left %q; want keys edited, other new", got)
	}
}

func TestApplyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	root, dir := folder(t, map[string]string{"a": "old", "b": "old", "c": "old"})
	ctx, cancel := context.WithCancel(t.Context())
	first := writing("a", "old", "new")
	first.Keep = true
	changes := []drift.Change{first, writing("b", "old", "new"), {File: "c", Action: drift.Unchanged}}
	drift.Apply(ctx, root, changes, func(string, []byte) (string, error) { cancel(); return "k", nil }, 1)
	if changes[0].Action != drift.Updated || changes[0].Err != nil {
		t.Errorf("Apply = %s, %v; want what was begun to be finished", changes[0].Action, changes[0].Err)
	}
	if changes[1].Action != drift.Failed || !errors.Is(changes[1].Err, context.Canceled) {
		t.Errorf("Apply after the end = %s, %v; want %s, %v", changes[1].Action, changes[1].Err, drift.Failed, context.Canceled)
	}
	if changes[2].Action != drift.Unchanged || changes[2].Err != nil {
		t.Errorf("Apply of nothing to write = %s, %v; want %s", changes[2].Action, changes[2].Err, drift.Unchanged)
	}
	want := map[string]string{"a": "new", "b": "old", "c": "old"}
	if got := contents(t, dir); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Apply left %q; want %q", got, want)
	}
}

func TestApplyKeepsToItsWorkers(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{-1, 0, 1, 4} {
		synctest.Test(t, func(t *testing.T) {
			files, want := map[string]string{}, map[string]string{}
			var changes []drift.Change
			for i := range 12 {
				name := fmt.Sprintf("%02d", i)
				files[name], want[name] = "old", "new"+name
				c := writing(name, "old", "new"+name)
				c.Keep = true
				changes = append(changes, c)
			}
			root, dir := folder(t, files)
			var busy slowKeeper
			drift.Apply(t.Context(), root, changes, busy.keep, workers)
			if busy.atMost != max(workers, 1) {
				t.Errorf("Apply with %d workers wrote %d files at a time", workers, busy.atMost)
			}
			for i, c := range changes {
				if want := c.File + ".old"; c.Err != nil || c.Backup != want {
					t.Errorf("Apply with %d workers: change %d = %v, backup %q; want %q", workers, i, c.Err, c.Backup, want)
				}
			}
			if got := contents(t, dir); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("Apply with %d workers left %q; want %q", workers, got, want)
			}
		})
	}
}

// slowKeeper takes a second of the bubble's time, so that as many workers as
// there are get in.
type slowKeeper struct {
	mu           sync.Mutex
	busy, atMost int
}

func (k *slowKeeper) keep(file string, _ []byte) (string, error) {
	k.enter(1)
	time.Sleep(time.Second)
	k.enter(-1)
	return file + ".old", nil
}

func (k *slowKeeper) enter(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy += n
	k.atMost = max(k.atMost, k.busy)
}

func TestActionsNamesEachOnce(t *testing.T) {
	t.Parallel()
	seen := map[drift.Action]bool{}
	for _, a := range drift.Actions {
		if seen[a] {
			t.Errorf("Actions has %s twice", a)
		}
		seen[a] = true
	}
	if last := drift.Actions[len(drift.Actions)-1]; last != drift.Failed {
		t.Errorf("Actions ends with %s; want %s, which is read last", last, drift.Failed)
	}
}
