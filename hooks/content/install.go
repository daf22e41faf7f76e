package content

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A State is how far git is set up to merge and show encrypted files.
type State struct {
	Set, Lacking []string // keys of git's configuration that envdrift has set, or would
	Own          []string // those that the user has set otherwise; they stay
	Old          bool     // one of Set is another version's, or of a program that is gone
	Named        bool     // git's attributes name some of the files
	Missing      []string // files that they do not name
	Shared       bool     // the attributes are in .gitattributes
	Caches       bool     // diff.envdrift.cachetextconv is set: git would store what is shown
}

// A Condition is a State in one word.
type Condition string

// The conditions.
const (
	Absent     Condition = "absent"
	Installed  Condition = "installed"
	Incomplete Condition = "incomplete" // git's configuration without the attributes, or the reverse
	Outdated   Condition = "outdated"
	Foreign    Condition = "foreign" // the user's own
)

// Condition returns what State comes to. Only with [Installed] git merges and shows
// every file as it should.
func (s State) Condition() Condition {
	switch {
	case len(s.Own) > 0:
		return Foreign
	case len(s.Set) == 0 && !s.Named:
		return Absent
	case len(s.Lacking) > 0 || !s.Named:
		return Incomplete
	case s.Old || len(s.Missing) > 0:
		return Outdated
	}
	return Installed
}

// An attribute is one line of a file of attributes.
type attribute struct {
	file, text  string
	probe       string // a path that it is for
	merge, diff string
}

// A Setup sets up git for the files of one workspace.
type Setup struct {
	Workspace *workspace.Workspace
	Repo      *gitops.Repo
	Self      string // the envdrift that git runs if there is none in PATH
	Shared    bool   // write .gitattributes, which the team commits
}

const (
	textconvKey = "diff.envdrift.textconv"
	cacheKey    = "diff.envdrift.cachetextconv"
)

// settings returns what envdrift sets in git's configuration, in order: a driver with
// a name alone makes git refuse every merge. Git runs a
// command by the shell at the top of the working tree, and replaces what begins
// with a %. Where envdrift is gone, or cannot, the command does what git would.
func settings(self string) [][2]string {
	find := `s=` + shellQuote(self) + `; e=$(command -v envdrift); case $e in "$s") ;; /*) case $(cd "${e%/*}" && pwd -P)/ in "$(pwd -P)"/*) e=$s;; esac;; *) e=$s;; esac; `
	inMerge := strings.ReplaceAll(find, "%", "%%")
	driver := func(kind Kind) string {
		return inMerge + `if [ -x "$e" ]; then "$e" git merge ` + string(kind) + ` %O %A %B %L %P %S %X %Y; s=$?; [ $s -gt 1 ] || exit $s; fi; ` +
			`git merge-file -q -L ours -L base -L theirs --marker-size=%L %A %O %B`
	}
	return [][2]string{
		{"merge.envdrift.driver", driver(EnvFile)},
		{"merge.envdrift.name", "env files, by variables (envdrift)"},
		{"merge.envdrift-recipients.driver", driver(Recipients)},
		{"merge.envdrift-recipients.name", "recipients of the age vault (envdrift)"},
		{"merge.envdrift-vault.driver", driver(VaultFile)},
		{"merge.envdrift-vault.name", "secrets of the age vault (envdrift)"},
		{textconvKey, find + `f() { if [ -x "$e" ]; then "$e" git textconv "$1" && return; fi; cat "$1"; }; f`},
	}
}

// isOurs reports whether a value of git's configuration is one that this version, or
// another one, set.
func isOurs(key, value string) bool {
	if strings.HasSuffix(key, ".name") {
		return strings.HasSuffix(value, "(envdrift)")
	}
	return strings.Contains(value, `"$e" git merge `) || strings.Contains(value, `"$e" git textconv `)
}

func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(filepath.ToSlash(s), "'", `'\''`) + "'"
}

// Install sets git's configuration, of this clone alone, and the attributes of the
// mapped files. It is idempotent. What the user has set otherwise stays, and so do
// attributes in .gitattributes, which the team may have committed.
func (s Setup) Install(ctx context.Context) (State, error) {
	have, err := s.configured(ctx)
	if err != nil {
		return State{}, err
	}
	shared, err := s.isShared()
	if err != nil {
		return State{}, err
	}
	s.Shared = s.Shared || shared
	for _, setting := range settings(s.Self) {
		key, value := setting[0], setting[1]
		if old, set := have[key]; set && (old == value || !isOurs(key, old)) {
			continue
		}
		if err := s.Repo.SetLocal(ctx, key, value); err != nil {
			return State{}, err
		}
	}
	lines, err := s.attributes(ctx)
	if err != nil {
		return State{}, err
	}
	for _, place := range s.places() {
		if err := place.update(lines, place.shared == s.Shared); err != nil {
			return State{}, err
		}
	}
	return s.Inspect(ctx)
}

// Refresh names the files of new mappings, where Install has named others.
func (s Setup) Refresh(ctx context.Context) error {
	state, err := s.Inspect(ctx)
	if err != nil || len(state.Lacking) > 0 || !state.Named || len(state.Missing) == 0 {
		return err
	}
	_, err = s.Install(ctx)
	return err
}

// Uninstall takes away what Install wrote, and nothing else.
func (s Setup) Uninstall(ctx context.Context) error {
	have, err := s.configured(ctx)
	if err != nil {
		return err
	}
	for _, setting := range slices.Backward(settings(s.Self)) {
		if old, set := have[setting[0]]; set && isOurs(setting[0], old) {
			if err := s.Repo.UnsetLocal(ctx, setting[0]); err != nil {
				return err
			}
		}
	}
	for _, place := range s.places() {
		if err := place.update(nil, false); err != nil {
			return err
		}
	}
	return nil
}

// Inspect returns how far git is set up. It asks git which attributes count.
func (s Setup) Inspect(ctx context.Context) (state State, err error) {
	have, err := s.configured(ctx)
	if err != nil {
		return State{}, err
	}
	for _, setting := range settings(s.Self) {
		switch old, set := have[setting[0]]; {
		case !set:
			state.Lacking = append(state.Lacking, setting[0])
		case !isOurs(setting[0], old):
			state.Own = append(state.Own, setting[0])
		default:
			state.Set = append(state.Set, setting[0])
			state.Old = state.Old || isOld(old, setting[1])
		}
	}
	_, state.Caches = have[cacheKey]
	if state.Shared, err = s.isShared(); err != nil {
		return state, err
	}
	lines, err := s.attributes(ctx)
	if err != nil {
		return state, err
	}
	probes := make([]string, len(lines))
	for i, a := range lines {
		probes[i] = a.probe
	}
	merges, err := s.Repo.Attributes(ctx, "merge", probes)
	if err != nil {
		return state, err
	}
	diffs, err := s.Repo.Attributes(ctx, "diff", probes)
	for _, a := range lines {
		if merges[a.probe] == a.merge && (a.diff == "" || diffs[a.probe] == a.diff) {
			state.Named = true
		} else {
			state.Missing = append(state.Missing, a.file)
		}
	}
	return state, err
}

// isShared reports whether .gitattributes has envdrift's lines.
func (s Setup) isShared() (bool, error) {
	for _, place := range s.places() {
		data, err := place.read()
		if err != nil || place.shared && bytes.Contains(data, []byte(blockBegin)) {
			return err == nil, err
		}
	}
	return false, nil
}

// isOld reports whether a value that envdrift has set is not the one of now, other
// than by naming another program that there is.
func isOld(old, now string) bool {
	program, rest := cutProgram(old)
	current, restNow := cutProgram(now)
	if program == current || rest != restNow {
		return rest != restNow
	}
	unquoted := strings.NewReplacer(`'\''`, "'", "'", "", "%%", "%").Replace(program)
	_, err := os.Stat(filepath.FromSlash(unquoted))
	return err != nil
}

// cutProgram cuts the quoted name of envdrift out of the text of a driver.
func cutProgram(text string) (program, rest string) {
	if after, ok := strings.CutPrefix(text, "s="); ok {
		program, rest, _ = strings.Cut(after, "; ")
		return program, rest
	}
	return "", text
}

// configured returns git's settings of envdrift's drivers.
func (s Setup) configured(ctx context.Context) (map[string]string, error) {
	list, err := s.Repo.Settings(ctx, `^(merge|diff)\.envdrift(-[a-z]+)?\.`)
	have := map[string]string{}
	for _, setting := range list {
		have[setting.Key] = setting.Value
	}
	return have, err
}

// attributes returns the lines for the mapped env files and for the age vaults.
func (s Setup) attributes(ctx context.Context) (lines []attribute, err error) {
	w := s.Workspace
	add := func(a attribute) {
		if a.diff != "" {
			a.text += " diff=" + a.diff
		}
		a.text += " merge=" + a.merge
		if !slices.Contains(lines, a) {
			lines = append(lines, a)
		}
	}
	for _, t := range mapping.Resolve(w.Files(), w.Base, w.Config, w.Config.Mappings) {
		if t.File == "" && t.Mapping.EnvFile != "" { // which a branch may have
			t.File = path.Join(w.Base, t.Mapping.Folder, t.Mapping.EnvFile)
		}
		if t.File != "" && filepath.IsLocal(t.File) {
			add(attribute{file: t.File, text: pattern(t.File), probe: t.File, merge: "envdrift", diff: "envdrift"})
		}
	}
	recipients, dirs, err := w.AgeFiles(ctx)
	for i, file := range recipients {
		add(attribute{file: file, text: pattern(file), probe: file, merge: "envdrift-recipients"})
		below := pattern(dirs[i]) + "/**/*.age"
		if strings.HasPrefix(below, `"`) {
			below = strings.TrimSuffix(pattern(dirs[i]), `"`) + `/**/*.age"`
		}
		add(attribute{file: dirs[i], text: below, probe: dirs[i] + "/x.age", merge: "envdrift-vault"})
	}
	return lines, err
}

// pattern returns a path as a pattern of gitattributes that matches nothing else.
func pattern(file string) string {
	var b strings.Builder
	quoted := strings.ContainsFunc(file, func(r rune) bool { return r <= ' ' || r == '"' || r == 0x7f })
	for _, c := range []byte("/" + file) {
		switch {
		case strings.IndexByte(`*?[\`, c) >= 0 && quoted:
			b.WriteString(`\\` + strings.ReplaceAll(string(c), `\`, `\\`))
		case strings.IndexByte(`*?[\`, c) >= 0:
			b.WriteString(`\` + string(c))
		case c == '"':
			b.WriteString(`\"`)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return `"` + b.String() + `"`
	}
	return b.String()
}

// A place is a file that may hold envdrift's attributes.
type place struct {
	dir, name string
	shared    bool
}

func (s Setup) places() []place {
	return []place{
		{dir: filepath.Join(s.Repo.CommonDir, "info"), name: "attributes"},
		{dir: s.Repo.Top, name: ".gitattributes", shared: true},
	}
}

// The lines around envdrift's attributes.
const (
	blockBegin = `# envdrift begins: "envdrift hook install" writes these lines, "envdrift hook uninstall" takes them away`
	blockEnd   = `# envdrift ends`
)

func (p place) read() ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(p.dir, p.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// update replaces envdrift's block, or takes it away. The rest of the file stays.
func (p place) update(lines []attribute, wanted bool) error {
	old, err := p.read()
	if err != nil {
		return err
	}
	data := withoutBlock(old)
	if wanted && len(lines) > 0 {
		if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
			data = append(data, '\n')
		}
		data = append(data, blockBegin+"\n"...)
		for _, a := range lines {
			data = append(data, a.text+"\n"...)
		}
		data = append(data, blockEnd+"\n"...)
	}
	switch {
	case bytes.Equal(data, old):
		return nil
	case len(data) == 0:
		return os.Remove(filepath.Join(p.dir, p.name))
	}
	if err := atomicfile.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(p.dir)
	if err != nil {
		return err
	}
	if old == nil {
		err = atomicfile.Write(root, p.name, data, 0o644, false)
	} else {
		err = atomicfile.Replace(root, p.name, old, data, 0o644, false)
	}
	return cmp.Or(err, root.Close())
}

func withoutBlock(data []byte) []byte {
	before, rest, ok := bytes.Cut(data, []byte(blockBegin+"\n"))
	_, after, complete := bytes.Cut(rest, []byte(blockEnd+"\n"))
	if !ok || !complete { // edited: it is the user's now
		return data
	}
	return slices.Concat(before, after)
}
