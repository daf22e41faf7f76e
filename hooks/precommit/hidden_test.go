package precommit_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/hooks/precommit"
)

// putAway puts the unstaged edits into a patch and away, as hook managers do. The
// patch of an earlier run, which did the same, lies beside it.
func (d *desk) putAway(patch string) {
	d.t.Helper()
	d.write("../"+patch, d.git("diff", "--binary"))
	d.git("checkout", "--", ".")
}

// Each manager keeps the patch at its place. Where it has edits of the drifted
// file, the repair is in the index alone, and the patch applies afterwards.
func TestRepairHidden(t *testing.T) {
	t.Parallel()
	const edit = "B=mine\n"
	framework := map[string]string{"PRE_COMMIT": "1"}
	tests := []struct {
		name   string
		patch  string            // beside the home, or under the repository
		env    map[string]string // %HOME% is the home
		hidden bool
	}{
		{name: "pre-commit", patch: ".cache/pre-commit/patch1795811787-24796", env: framework, hidden: true},
		{name: "pre-commit, a cache elsewhere", patch: "c/pre-commit/patch1-2", env: map[string]string{"PRE_COMMIT": "1", "XDG_CACHE_HOME": "%HOME%/c"}, hidden: true},
		{name: "pre-commit, its own home", patch: "[p]/patch1-2", env: map[string]string{"PRE_COMMIT": "1", "PRE_COMMIT_HOME": "%HOME%/[p]"}, hidden: true},
		{name: "pre-commit, on Windows", patch: ".cache/pre-commit/patch1-2", env: map[string]string{"PRE_COMMIT": "1", "HOME": "", "USERPROFILE": "%HOME%"}, hidden: true},
		{name: "prek", patch: ".cache/prek/patches/1795811787561-24839.patch", env: framework, hidden: true},
		{name: "prek, its own home", patch: "p/patches/1-2.patch", env: map[string]string{"PRE_COMMIT": "1", "PREK_HOME": "%HOME%/p"}, hidden: true},
		{name: "prek, on Windows", patch: "l/prek/patches/1-2.patch", env: map[string]string{"PRE_COMMIT": "1", "LocalAppData": "%HOME%/l"}, hidden: true},
		{name: "lefthook", patch: "repo/.git/info/lefthook-unstaged.patch", hidden: true},
		{name: "lefthook, all files", patch: "repo/.git/info/lefthook-unstaged-all.patch", hidden: true},
		{name: "a manager that does not run", patch: ".cache/pre-commit/patch1-2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := drifted(t, true)
			home := filepath.Dir(d.dir)
			for name, value := range tt.env {
				d.env[name] = strings.ReplaceAll(value, "%HOME%", home)
			}
			staged := d.git("show", ":svc/.env")
			d.write("svc/.env", staged+edit)
			d.putAway(tt.patch)
			r := d.check(precommit.Options{}).Files[0].Repair
			if r.Err != nil || !r.Index || r.Tree == tt.hidden {
				t.Fatalf("Repair = %+v; want it in the index, and in the working tree: %t", r, !tt.hidden)
			}
			if d.values(d.git("show", ":svc/.env")) != "A=1 B=2" {
				t.Errorf("the index holds %q", d.git("show", ":svc/.env"))
			}
			if !tt.hidden {
				return
			}
			d.git("apply", filepath.Join(home, tt.patch))
			if d.read("svc/.env") != staged+edit {
				t.Errorf("the edits are lost: %q", d.read("svc/.env"))
			}
		})
	}
}

// The edits of another file, and the patch of an earlier run, which starts from
// another version, are no reason to leave the working tree alone. Neither is a
// patch that can no longer be read, or a stash of other content.
func TestRepairNotHidden(t *testing.T) {
	t.Parallel()
	d := drifted(t, true)
	d.env["PRE_COMMIT"] = "1"
	drifting := d.git("show", ":svc/.env")
	d.git("reset", "-q")
	d.write("svc/.env", drifting+"# stashed\n")
	d.git("stash")
	d.write("svc/.env", d.git("show", "HEAD:svc/.env")+"# earlier\n")
	d.write("note", "1\n")
	d.git("add", "note")
	d.write("note", "2\n")
	d.putAway(".cache/prek/patches/1-1.patch")
	d.stage("svc/.env", drifting)
	d.write("note", "2\n")
	d.putAway(".cache/prek/patches/2-2.patch")
	d.write("../.cache/prek/patches/3-3.patch/file", "")
	if r := d.check(precommit.Options{}).Files[0].Repair; r.Err != nil || !r.Index || !r.Tree {
		t.Errorf("Repair = %+v; want it in the index and in the working tree", r)
	}
}

// The framework removes none of its patches; that of this run is the newest.
func TestRepairHiddenAmongMany(t *testing.T) {
	t.Parallel()
	d := drifted(t, true)
	d.env["PRE_COMMIT"] = "1"
	d.write("svc/.env", d.read("svc/.env")+"# mine\n")
	d.putAway(".cache/pre-commit/patch1-1")
	home := filepath.Dir(d.dir)
	for i := range 40 {
		name := filepath.Join(home, ".cache", "pre-commit", "patch0-"+strings.Repeat("9", i))
		at := time.Now().Add(-time.Duration(i+1) * time.Minute)
		if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Chtimes(name, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if r := d.check(precommit.Options{}).Files[0].Repair; !r.Index || r.Tree {
		t.Errorf("Repair = %+v; want it in the index alone", r)
	}
}

// What git or the manager drops is not repaired, and nothing is written.
func TestRepairWouldNotLast(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(d *desk)
		options precommit.Options
		want    error
	}{
		{
			name: "hidden edits, and an index that git drops", want: precommit.ErrEdited,
			prepare: func(d *desk) {
				d.env["PRE_COMMIT"] = "1"
				d.write("svc/.env", d.read("svc/.env")+"# mine\n")
				d.putAway(".cache/pre-commit/patch1-1")
				d.temporaryIndex()
			},
		},
		{name: "lint-staged", want: precommit.ErrUndone, prepare: func(d *desk) { d.git("stash", "store", strings.TrimSpace(d.git("stash", "create"))) }},
		{
			name: "a hook that stashes", want: precommit.ErrUndone,
			prepare: func(d *desk) { d.write("note", "1\n"); d.git("stash", "-q", "--keep-index", "-u") },
		},
		{
			name: "lint-staged, but by hand", options: precommit.Options{ByHand: true},
			prepare: func(d *desk) { d.git("stash", "store", strings.TrimSpace(d.git("stash", "create"))) },
		},
		{
			name: "lefthook, which makes a stash too", // for the other file
			prepare: func(d *desk) {
				d.stage("note", "1\n")
				d.write("note", "2\n")
				d.git("stash", "store", strings.TrimSpace(d.git("stash", "create")))
				d.putAway("repo/.git/info/lefthook-unstaged.patch")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := drifted(t, true)
			tt.prepare(d)
			index, tree := d.git("ls-files", "-s"), d.read("svc/.env")
			check := d.check(tt.options)
			r := check.Files[slices.IndexFunc(check.Files, func(f *precommit.StagedFile) bool { return f.Repair != nil })].Repair
			if !errors.Is(r.Err, tt.want) {
				t.Errorf("Repair.Err = %v; want %v", r.Err, tt.want)
			}
			if same := index == d.git("ls-files", "-s") && tree == d.read("svc/.env"); same != (tt.want != nil) {
				t.Errorf("unchanged = %t; want %t", same, tt.want != nil)
			}
		})
	}
}
