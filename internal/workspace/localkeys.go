package workspace

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
)

// LocalKeys collects the local keys for an env file: those of the environment, and
// of the keys files beside it, in the folders above it, and in Cwd. The nearest
// come first. If none fits, the ring looks into the clone's other worktrees, then into
// the operating system's store.
func (w *Workspace) LocalKeys(ctx context.Context, file string) *keyring.Ring {
	ring := w.localKeys(file)
	ring.More = func(public ecies.PublicKey) []keyring.LocalKey {
		if t, _ := w.Target(file); t.Mapping.Ephemeral {
			return nil
		}
		if held := w.inWorktrees(ctx, file, public); len(held) > 0 {
			return held
		}
		return w.inStore(ctx, file, public)
	}
	return ring
}

func (w *Workspace) localKeys(file string) *keyring.Ring {
	folders := upward(path.Dir(file))
	if here, err := w.Inside("."); err == nil && !slices.Contains(folders, here) {
		folders = append(folders, here)
	}
	return w.KeysBeside(folders...)
}

// upward returns a folder and those above it, to the top. One that is elsewhere
// comes alone: what is above it is not the user's choice.
func upward(folder string) []string {
	folders := []string{folder}
	for !path.IsAbs(folder) && !filepath.IsAbs(folder) && folder != "." {
		folder = path.Dir(folder)
		folders = append(folders, folder)
	}
	return folders
}

// KeysBeside collects the keys of the environment and of some folders' keys files.
func (w *Workspace) KeysBeside(folders ...string) *keyring.Ring {
	ring := &keyring.Ring{}
	ring.Environ(w.options.Env)
	w.addKeysFiles(ring, folders)
	return ring
}

// addKeysFiles adds the keys of some folders' keys files.
func (w *Workspace) addKeysFiles(ring *keyring.Ring, folders []string) {
	for _, folder := range folders {
		name := path.Join(folder, w.Config.Sync.EnvKeysFilename)
		tree, inTree := w.root.FS(), name
		if filepath.IsAbs(folder) { // exec may read a file elsewhere
			tree, inTree = os.DirFS(folder), path.Base(name)
		}
		data, err := atomicfile.ReadFile(tree, inTree)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			ring.Invalid = append(ring.Invalid, err)
			continue
		}
		found := w.parse(name, data)
		ring.Held = append(ring.Held, found.Held...)
		ring.Invalid = append(ring.Invalid, found.Invalid...)
	}
}

// A parsedKeys is what a keys file with that content holds.
type parsedKeys struct {
	data string
	ring *keyring.Ring
}

// parse parses a keys file, unless it has the content that it had the last time:
// a thousand env files may have one keys file.
func (w *Workspace) parse(name string, data []byte) *keyring.Ring {
	if known, ok := w.parsed.Load(name); ok && known.(parsedKeys).data == string(data) {
		return known.(parsedKeys).ring
	}
	ring := &keyring.Ring{}
	ring.File(name, dotenv.ParseKeysFile(data))
	w.parsed.Store(name, parsedKeys{string(data), ring})
	return ring
}

// AllLocalKeys collects the local keys beside every mapped file as well: what
// drifted may have been encrypted with a neighbour's key. The neighbours' are
// read once: all of hundreds of files may have drifted.
func (w *Workspace) AllLocalKeys(ctx context.Context, file string) *keyring.Ring {
	if w.others == nil {
		var folders []string
		for _, m := range w.Config.Mappings {
			folders = append(folders, path.Join(w.Base, m.Folder))
		}
		slices.Sort(folders)
		w.others = w.KeysBeside(slices.Compact(folders)...).Held
	}
	ring := w.LocalKeys(ctx, file)
	ring.Held = append(ring.Held, w.others...)
	return ring
}

// inWorktrees returns the keys of the clone's other worktrees, from the same places
// there, that are listed with the one for a public key. The files are read and not copied.
func (w *Workspace) inWorktrees(ctx context.Context, file string, public ecies.PublicKey) (held []keyring.LocalKey) {
	if filepath.IsAbs(file) {
		return nil
	}
	for _, top := range w.otherWorktrees(ctx) {
		there := &keyring.Ring{}
		for _, folder := range upward(path.Dir(file)) {
			w.addKeysFiles(there, []string{filepath.Join(top, filepath.FromSlash(folder))})
		}
		for _, key := range there.Held {
			if key.Key.PublicKey() == public {
				w.Debug("key: from the worktree %s, for %s", top, w.RelPath(file))
				held = append(held, key)
			}
		}
	}
	return held
}

// listWorktrees returns the tops of the clone's other worktrees. If they cannot be told,
// the vault decides, or the error about the missing key.
func (w *Workspace) listWorktrees(ctx context.Context) (tops []string) {
	if w.isOnlyWorktree() {
		return nil
	}
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return nil
	}
	all, _ := repo.Worktrees(ctx)
	return slices.DeleteFunc(all, func(top string) bool { return filepath.Clean(top) == filepath.Clean(w.Top) })
}

// isOnlyWorktree reports whether the clone is seen to have one worktree without git,
// which takes as long as all else that exec does.
func (w *Workspace) isOnlyWorktree() bool {
	dir, plain := w.plainGitDir()
	if !plain {
		return false
	}
	_, err := os.Lstat(filepath.Join(dir, "worktrees"))
	return errors.Is(err, fs.ErrNotExist)
}

// plainGitDir returns the git directory of the usual clone: the folder .git of the
// working tree, which no variable replaces.
func (w *Workspace) plainGitDir() (dir string, plain bool) {
	dir = filepath.Join(w.Top, ".git")
	info, err := os.Lstat(dir)
	return dir, err == nil && info.IsDir() && w.Getenv("GIT_DIR") == "" && w.Getenv("GIT_COMMON_DIR") == ""
}
