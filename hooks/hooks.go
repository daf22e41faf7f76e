// Package hooks installs envdrift's git hooks, and removes them.
//
// A hook file is envdrift's only if its whole content is what this package
// writes; a file that merely mentions envdrift is not. Other hooks keep
// running: [Install] chains each kind in the way its manager supports, and
// [Uninstall] restores the bytes that were there. A hooks directory that other
// repositories use as well is never written to.
//
// Where git takes hooks from its configuration, as 2.54 and later do, [Install]
// writes no file.
//
// A [Location] names the files and the configuration; [Locate] asks git for them.
package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// A State is how far envdrift is installed in one hook.
type State int

const (
	Absent   State = iota // there is no hook
	Foreign               // there is one, without envdrift
	Outdated              // envdrift's, but not as this version writes it
	Shadowed              // envdrift's, but git does not run it: see [Hook.Problem]
	Chained               // envdrift's runs, together with another hook
	Current               // envdrift's runs
)

func (s State) String() string {
	return [...]string{"absent", "foreign", "outdated", "shadowed", "chained", "current"}[s]
}

// A Manager is what else manages a hook.
type Manager int

const (
	NoManager      Manager = iota
	Script                 // a hook that is none of the following
	PreCommit              // the pre-commit framework, or prek: runs <hook>.legacy
	Husky                  // runs .husky/<hook>
	Lefthook               // runs the jobs of lefthook-local.yml
	LegacyEnvdrift         // the earlier tool of the same name: its block calls commands that are gone
)

func (m Manager) String() string {
	return [...]string{"nobody", "script", "pre-commit", "husky", "lefthook", "an earlier envdrift"}[m]
}

// A Problem is the reason why git does not run a hook that is there.
type Problem string

// The problems that [Inspect] finds.
const (
	NotExecutable  Problem = "the file is not executable"
	CarriageReturn Problem = "its lines end in CRLF"
	OtherDirectory Problem = "core.hooksPath leads git elsewhere"
	NoStub         Problem = "the hook manager has not set up this working tree"
	HooksOff       Problem = "core.hooksPath turns hooks off"
	TurnedOff      Problem = "git's configuration turns it off"
	NoLefthook     Problem = "lefthook is not found, so its hook runs nothing"
	NoExecMount    Problem = "the file system is mounted noexec"
)

// The warnings of [Hook].
const (
	Unasserted Problem = "where lefthook is not found, its hooks let everything pass: set assert_lefthook_installed: true in its configuration, then lefthook install"
	OneTree    Problem = "other clones and working trees do not have lefthook-local.yml: run envdrift hook install there too, or put the job into lefthook.yml"
	AsTask     Problem = "lint-staged runs envdrift as a task, and undoes its repairs: call envdrift hook run pre-commit beside lint-staged, in the hook itself"
	Removed    Problem = "simple-git-hooks removes the hook when it runs again: envdrift hook install says what to add to its configuration"
	Fleeting   Problem = "this envdrift is in a cache or a temporary folder; when that is emptied, the hook stops every commit: install envdrift, then run envdrift hook install again"
)

// A Hook is the state of one hook, as [Inspect] found it.
type Hook struct {
	Name     string
	File     string // where envdrift is installed, or would be
	State    State
	Manager  Manager
	Problem  Problem   // "" for none
	Scope    string    // of git's configuration that runs envdrift, "local" or "global"; "" for a hook file
	Own      string    // what of the user's runs envdrift: a file, or [GitConfiguration]; "" for nothing
	Order    []string  // what git runs at this hook, in its order: "hook.<name>" of its configuration, and the hook file
	Warnings []Problem // what may keep it from stopping what it should
	Eased    bool      // Install needs no hook file, so what keeps git from running one does not matter
	Twice    bool      // what Install wrote runs it as well
	Tracked  bool      // git tracks File, or others beside it, so that colleagues without envdrift run it too
	Ignored  bool      // git's configuration names envdrift, but this git is older than 2.54 and ignores that
}

// Runs reports whether git runs envdrift at this hook.
func (h Hook) Runs() bool {
	return h.Problem == "" && (h.State == Current || h.State == Chained || h.State == Outdated)
}

// A SharedError reports a hooks directory that other repositories use too.
type SharedError struct {
	Dir   string
	Scope string // where core.hooksPath is set
}

func (e *SharedError) Error() string {
	return fmt.Sprintf("hooks directory %s, set in %s configuration, is shared with other repositories", e.Dir, e.Scope)
}

// A ForeignError names a hook that is left unchanged because envdrift cannot be
// chained to it. The user can make File call "envdrift hook run".
type ForeignError struct {
	Name    string
	File    string
	Manager Manager
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s was not written by envdrift (%s) and cannot be chained", e.File, e.Manager)
}

// ErrHooksOff means that git's configuration turns all hooks off.
var ErrHooksOff = errors.New("core.hooksPath turns hooks off")

// Inspect returns the state of each hook, in the order of [Names].
func Inspect(l Location) ([]Hook, error) {
	var found []Hook
	for _, name := range Names() {
		h, err := l.inspect(name)
		if err != nil {
			return nil, err
		}
		found = append(found, h)
	}
	return found, nil
}

func (l Location) inspect(name string) (Hook, error) {
	h := Hook{Name: name}
	if !l.Global {
		var err error
		if h, err = l.inspectFile(name); err != nil {
			return Hook{}, err
		}
	}
	l.inspectConfig(&h)
	h.Order, h.Eased = l.order(name), l.ByConfig && !l.Files
	if !l.Global {
		h.Warnings = l.warnings(h)
	}
	return h, nil
}

// inspectFile inspects the hook file, and what it leads to.
func (l Location) inspectFile(name string) (Hook, error) {
	h := Hook{Name: name, File: l.slot(name)}
	if l.off() {
		h.Problem = HooksOff
		l.findShadowed(&h)
		return h, nil
	}
	t, err := l.target(name)
	if err != nil {
		return Hook{}, err
	}
	h.File, h.Manager, h.Tracked = t.file, t.manager, l.tracked(t.file)
	if t.block != nil {
		err = t.inspectBlock(&h)
	} else {
		err = l.inspectScript(t, &h)
	}
	if err != nil {
		return Hook{}, err
	}
	if h.Own, err = l.own(name, t); err != nil {
		return Hook{}, err
	}
	switch {
	case h.Own == "" && (h.State == Absent || h.State == Foreign):
		l.findShadowed(&h)
		return h, nil
	case h.Own != "":
		h.Twice = h.State != Absent && h.State != Foreign
		h.State = Chained
	}
	slot := l.slot(name)
	switch data, _ := os.ReadFile(slot); {
	case h.Problem != "":
	case !executable(slot) && !t.runs && t.block != nil:
		h.Problem = NoStub
	case !executable(slot):
		h.Problem = NotExecutable
	case firstLineEndsInCR(data):
		h.Problem = CarriageReturn
	case h.Manager == Lefthook && lefthookIsGone(l.Top, data):
		h.Problem = NoLefthook
	}
	if h.Problem == NotExecutable && hasMode(h.File) && hasMode(slot) {
		h.Problem = NoExecMount
	}
	if h.Problem != "" {
		h.State = Shadowed
	}
	return h, nil
}

// findShadowed looks for envdrift's hook in the default directory if git is
// configured to look elsewhere.
func (l Location) findShadowed(h *Hook) {
	file := filepath.Join(l.CommonDir, "hooks", h.Name)
	if file == l.slot(h.Name) {
		return
	}
	if data, err := os.ReadFile(file); err == nil && isOurs(h.Name, data) {
		h.State = Shadowed
		if h.Problem == "" {
			h.Problem = OtherDirectory
		}
	}
}

// inspectScript inspects a hook that is a file of its own.
func (l Location) inspectScript(t target, h *Hook) error {
	data, err := os.ReadFile(t.file)
	if errors.Is(err, os.ErrNotExist) && !exists(t.file) {
		if t.manager != NoManager {
			h.State = Foreign
		}
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) { // a dangling link is foreign
		return err
	}
	switch {
	case !isOurs(h.Name, data):
		h.State = Foreign
		if h.Manager == NoManager {
			h.Manager = Script
		}
		if isEarlier(data) {
			h.Manager = LegacyEnvdrift
		}
		return nil
	case string(data) != script(h.Name, l.Self):
		h.State = Outdated
	case exists(l.chained(h.Name)) || t.manager != NoManager:
		h.State = Chained
	default:
		h.State = Current
	}
	if h.Manager == NoManager && exists(l.chained(h.Name)) {
		h.Manager = Script
	}
	if !executable(t.file) {
		h.Problem = NotExecutable
	} else if hasCRLF(data) {
		h.Problem = CarriageReturn
	}
	return nil
}

// Install installs every hook and returns the states after that: in git's
// configuration if git runs hooks from there, unless the user wants files. Then it
// removes what an earlier one wrote in the other place. It is idempotent. The error
// joins a [*ForeignError] for each hook that was left unchanged, or is a
// [*SharedError], [*SimpleGitHooksError], [*OldGitError] or [ErrHooksOff] if nothing
// was done.
func Install(ctx context.Context, l Location) ([]Hook, error) {
	switch {
	case l.ByConfig && !l.Files:
		return l.each(ctx, l.configure)
	case l.Global:
		return nil, &OldGitError{l.major, l.minor}
	case l.off():
		return nil, ErrHooksOff
	case l.shared():
		return nil, &SharedError{Dir: l.Dir, Scope: l.Scope}
	}
	if l.Files { // from now on
		if err := l.set(ctx, filesKey, "true"); err != nil {
			return nil, err
		}
	}
	if err := l.simpleGitHooksError(); err != nil {
		found, errInspect := Inspect(l)
		return found, errors.Join(err, errInspect)
	}
	return l.each(ctx, func(ctx context.Context, name string) error {
		if err := l.install(name); err != nil {
			return err
		}
		return l.unconfigure(ctx, name)
	})
}

// Refresh writes one hook that is [Outdated] as Install would.
func Refresh(ctx context.Context, l Location, name string) error {
	switch {
	case l.ByConfig && !l.Files:
		return l.configure(ctx, name)
	case l.off():
		return ErrHooksOff
	case l.shared():
		return &SharedError{Dir: l.Dir, Scope: l.Scope}
	}
	return l.install(name)
}

// each does something for each hook, and returns the states after that.
func (l Location) each(ctx context.Context, do func(ctx context.Context, name string) error) ([]Hook, error) {
	var problems []error
	for _, name := range Names() {
		problems = append(problems, do(ctx, name))
	}
	if l.ByConfig || len(l.Commands) > 0 {
		problems = append(problems, l.readConfig(ctx))
	}
	found, err := Inspect(l)
	return found, errors.Join(append(problems, err)...)
}

// install installs one hook, unless the user's own configuration runs envdrift
// there.
func (l Location) install(name string) error {
	t, err := l.target(name)
	if err != nil {
		return err
	}
	if own, err := l.own(name, t); own != "" || err != nil {
		return err
	}
	if t.block == nil {
		return l.installScript(name, t)
	}
	if t.runs { // an earlier version replaced it
		if err := l.uninstallScript(name, t.file); err != nil {
			return err
		}
	}
	return t.installBlock(name)
}

func (l Location) installScript(name string, t target) error {
	h := Hook{Name: name, File: t.file, Manager: t.manager}
	if err := l.inspectScript(t, &h); err != nil {
		return err
	}
	foreign := &ForeignError{Name: name, File: t.file, Manager: Script}
	if h.Manager == LegacyEnvdrift {
		foreign.Manager = LegacyEnvdrift
		return foreign
	}
	if exists(t.file + ".exe") { // git for Windows would run envdrift's in its place
		foreign.File += ".exe"
		return foreign
	}
	if h.State != Foreign || !exists(t.file) {
		return writeHook(t.file, script(name, l.Self))
	}
	chained := l.chained(name)
	if exists(chained) && !sameFile(t.file, chained) { // the same file: an install was killed here
		return foreign
	}
	if err := setAside(t.file, chained); err != nil {
		return err
	}
	if err := writeHook(t.file, script(name, l.Self)); err != nil {
		return errors.Join(err, putBack(chained, t.file))
	}
	return nil
}

// setAside gives file the name chained. The file keeps its own name as well
// until envdrift's replaces it, so that there is a hook at every moment. It is
// renamed if it is a symbolic link, through which envdrift's would be written,
// or if the file system has no hard links.
func setAside(file, chained string) error {
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() && (sameFile(file, chained) || os.Link(file, chained) == nil) {
		return nil
	}
	return os.Rename(file, chained)
}

func putBack(chained, file string) error {
	if sameFile(chained, file) { // a rename between two names of a file does nothing
		return os.Remove(chained)
	}
	return os.Rename(chained, file)
}

// sameFile reports whether both are names of one file, not symbolic links to
// it.
func sameFile(a, b string) bool {
	x, errX := os.Lstat(a)
	y, errY := os.Lstat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// Uninstall removes every hook, also from where git no longer looks, and
// restores what was chained. It returns the states after that.
func Uninstall(ctx context.Context, l Location) ([]Hook, error) {
	section, _, _ := strings.Cut(filesKey, ".")
	unset := l.unset(ctx, section)
	found, err := l.each(ctx, func(ctx context.Context, name string) error {
		if l.Global {
			return l.unconfigure(ctx, name)
		}
		return errors.Join(l.unconfigure(ctx, name), l.removeFiles(name, nil))
	})
	return found, errors.Join(unset, err)
}

// removeFiles removes what Install wrote into files for one hook, but for the blocks
// in files that are to stay.
func (l Location) removeFiles(name string, stay []string) error {
	var problems []error
	for _, file := range l.scripts(name) {
		problems = append(problems, l.uninstallScript(name, file))
	}
	for _, file := range l.blocks(name) {
		if !slices.Contains(stay, file) {
			problems = append(problems, uninstallBlock(name, file))
		}
	}
	return errors.Join(problems...)
}

func (l Location) uninstallScript(name, file string) error {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !isOurs(name, data) {
		return nil
	}
	chained := filepath.Join(filepath.Dir(file), name+chainedSuffix)
	if exists(chained) {
		return os.Rename(chained, file)
	}
	return os.Remove(file)
}

// writeHook replaces file by an executable with content text.
func writeHook(file, text string) error {
	if data, err := os.ReadFile(file); err == nil && string(data) == text && executable(file) {
		return nil
	}
	if err := write(file, text, 0o755); err != nil {
		return err
	}
	return os.Chmod(file, 0o755)
}

func write(file, text string, perm os.FileMode) error {
	dir := filepath.Dir(file)
	if err := atomicfile.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return errors.Join(atomicfile.Write(root, filepath.Base(file), []byte(text), perm, false), root.Close())
}

// exists reports whether file exists, even as a dangling link.
func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}
