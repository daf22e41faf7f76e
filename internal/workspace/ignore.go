package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/mapping"
)

// This file makes git ignore what must not be committed, and not ignore what must.

// Ignore appends to the top .gitignore what git would not ignore yet, and asks git
// again: another rule may win. Its error is a [*TrackedKeysError] or a
// [*NotIgnoredError] if git would add one of the files anyway.
func (w *Workspace) Ignore(ctx context.Context, files []string) error {
	if len(files) == 0 {
		return nil
	}
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return err
	}
	if !repo.HasGit() {
		return w.ignoreUnseen(files)
	}
	tracked, err := repo.Tracked(ctx, files)
	if err != nil {
		return err
	}
	ignored, err := repo.Ignored(ctx, files)
	if err != nil {
		return err
	}
	var lines []string
	for _, file := range files {
		if tracked[file] {
			return &TrackedKeysError{file}
		}
		if line := w.ignoreLine(file); !ignored[file] && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if err := w.addToGitignore(lines...); err != nil {
		return err
	}
	w.Notice("added to .gitignore: %s", strings.Join(lines, ", "))
	ignored, err = repo.Ignored(ctx, files)
	for _, file := range files {
		if err == nil && !ignored[file] {
			err = &NotIgnoredError{file}
		}
	}
	return err
}

// ignoreUnseen is Ignore without git. Which rules there are is not known, so each file
// has a line of its own in the top .gitignore afterwards.
func (w *Workspace) ignoreUnseen(files []string) error {
	old, err := atomicfile.ReadFile(w.root.FS(), ".gitignore")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	present := strings.Split(strings.ReplaceAll(string(old), "\r\n", "\n"), "\n")
	var lines []string
	for _, file := range files {
		if line := w.ignoreLine(file); !slices.Contains(present, line) && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	w.Notice("not checked whether git ignores %s: %v", strings.Join(files, ", "), gitops.ErrNoGit)
	if len(lines) == 0 {
		return nil
	}
	if err := w.addToGitignore(lines...); err != nil {
		return err
	}
	w.Notice("added to .gitignore: %s", strings.Join(lines, ", "))
	return nil
}

// ignoreLine returns the line of .gitignore for a private file.
func (w *Workspace) ignoreLine(file string) string {
	if path.Base(file) == w.Config.Sync.EnvKeysFilename {
		return literal(path.Base(file)) // wherever a service lies
	}
	return IgnoreLine(file)
}

// IgnoreLine returns the line of the top .gitignore for one file.
func IgnoreLine(file string) string { return "/" + literal(file) }

// literal escapes what .gitignore would read as a pattern.
func literal(file string) string {
	var line strings.Builder
	for i, r := range file {
		if strings.ContainsRune(`\*?[`, r) || i == 0 && strings.ContainsRune("#!", r) || r == ' ' && i == len(file)-1 {
			line.WriteByte('\\')
		}
		line.WriteRune(r)
	}
	return line.String()
}

// A NotIgnoredError reports a private file that git would add, whatever was added
// to the top .gitignore.
type NotIgnoredError struct{ File string }

func (e *NotIgnoredError) Error() string {
	return e.File + " would be added by git add: another rule, in a .gitignore below the top, takes it back; nothing was written to it"
}

// Unignore lets git add files that one of its rules ignores, by exceptions in the
// top .gitignore. A rule such as ".env*" hides the vault in .envdrift and the env
// files, and a commit without them locks everybody else out. Its error is a
// [*HiddenError].
func (w *Workspace) Unignore(ctx context.Context, files []string) error {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil || !repo.HasGit() {
		return err
	}
	var lines []string
	for _, file := range files {
		// Git looks into no directory that is ignored, so the outermost comes first.
		for _, p := range append(dirsOf(file), file) {
			ignored, err := repo.Ignored(ctx, []string{p})
			if err != nil {
				return err
			}
			if !ignored[p] {
				continue
			}
			line := "!/" + literal(p)
			if p != file {
				line += "/"
			}
			if err := w.addToGitignore(line); err != nil {
				return err
			}
			lines = append(lines, line)
		}
	}
	if len(lines) > 0 {
		w.Notice("added to .gitignore: %s", strings.Join(lines, ", "))
	}
	hidden, err := repo.Ignored(ctx, files)
	for _, file := range files {
		if err == nil && hidden[file] {
			err = &HiddenError{file}
		}
	}
	return err
}

// dirsOf returns the directories above a file, the outermost first.
func dirsOf(file string) (dirs []string) {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	slices.Reverse(dirs)
	return dirs
}

func (w *Workspace) addToGitignore(lines ...string) error {
	old, err := atomicfile.ReadFile(w.root.FS(), ".gitignore")
	if errors.Is(err, fs.ErrNotExist) {
		old, err = nil, nil
	}
	if err != nil {
		return err
	}
	return w.WriteFile(".gitignore", old, appendLines(old, lines), 0o644)
}

// Hidden returns the env files of targets, and the files of their secrets, that
// git ignores: nobody else gets them.
func (w *Workspace) Hidden(ctx context.Context, targets []mapping.Target) ([]string, error) {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return nil, err
	}
	var files []string
	for _, t := range targets {
		for _, file := range []string{t.File, w.VaultFile(ctx, t)} {
			if _, err := fs.Stat(w.Files(), file); file != "" && err == nil {
				files = append(files, file)
			}
		}
	}
	ignored, err := repo.Ignored(ctx, files)
	return slices.DeleteFunc(files, func(file string) bool { return !ignored[file] }), err
}

// A HiddenError reports a file that belongs into a commit and that git ignores.
type HiddenError struct{ File string }

func (e *HiddenError) Error() string {
	return fmt.Sprintf("git ignores %s, so nobody else gets it", e.File)
}

// KeysFiles returns the keys files beside mapped env files, and beside the
// configuration, that exist.
func (w *Workspace) KeysFiles() []string {
	candidates := []string{path.Join(w.Base, w.Config.Sync.EnvKeysFilename)}
	for _, m := range w.Config.Mappings {
		candidates = append(candidates, path.Join(w.Base, m.Folder, w.Config.Sync.EnvKeysFilename))
	}
	slices.Sort(candidates)
	return slices.DeleteFunc(slices.Compact(candidates), func(file string) bool {
		_, err := fs.Stat(w.Files(), file)
		return err != nil
	})
}
