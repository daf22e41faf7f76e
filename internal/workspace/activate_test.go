package workspace_test

import (
	"errors"
	"os"
	"reflect"
	"runtime"
	"testing"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/state"
	"github.com/envdrift/envdrift/internal/workspace"
)

const tracked = "api/.env.local is tracked by git, and the copy is plaintext"
const edited = "api/.env.local was not written by envdrift, or was edited since"

func TestPlanCopy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		setup  func(*place)
		before string // what the copy holds; "" for no file
		was    string // what envdrift wrote there; "" for nothing
		force  bool

		want      drift.Action // "" for an error
		keep      bool
		err       string
		forceable bool
	}{
		{name: "new", want: drift.Activated},
		{name: "the same already", before: "A=1\n", want: drift.Unchanged},
		{name: "the same, by somebody else", before: "A=1\n", was: "A=0\n", want: drift.Unchanged},
		{name: "as envdrift wrote it", before: "A=0\n", was: "A=0\n", want: drift.Activated},
		{name: "edited since", before: "A=mine\n", was: "A=0\n", err: edited, forceable: true},
		{name: "never written", before: "A=mine\n", err: edited, forceable: true},
		{name: "edited since, force", before: "A=mine\n", was: "A=0\n", force: true, want: drift.Activated, keep: true},
		{name: "as envdrift wrote it, force", before: "A=0\n", was: "A=0\n", force: true, want: drift.Activated},
		{name: "tracked", before: "A=0\n", was: "A=0\n", setup: func(p *place) { p.git("add", "api/.env.local") }, err: tracked},
		{name: "tracked, force", before: "A=0\n", was: "A=0\n", force: true, setup: func(p *place) { p.git("add", "api/.env.local") }, err: tracked},
		{name: "tracked, and removed", before: "A=0\n", setup: func(p *place) {
			p.git("add", "api/.env.local")
			if err := os.Remove(p.path("api/.env.local")); err != nil {
				p.t.Fatal(err)
			}
		}, err: tracked},
		{name: "a folder", setup: func(p *place) { p.mkdir("api/.env.local") }, err: "read api/.env.local: not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newClone(t)
			p.mkdir("api")
			if tt.before != "" {
				p.write("api/.env.local", tt.before)
			}
			if tt.setup != nil {
				tt.setup(p)
			}
			remembered := state.State{Activated: map[string]string{}}
			if tt.was != "" {
				remembered.Activated["api/.env.local"] = state.Sum([]byte(tt.was))
			}
			c := drift.Change{File: "api/.env.local", New: []byte("A=1\n")}
			err := p.open().PlanCopy(t.Context(), &c, remembered, tt.force)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != tt.err || c.Action != tt.want || c.Write != (tt.want == drift.Activated) || c.Keep != tt.keep {
				t.Errorf("PlanCopy = %v, %s, write %t, keep %t; want %q, %s, keep %t", err, c.Action, c.Write, c.Keep, tt.err, tt.want, tt.keep)
			}
			if refused := (*workspace.ActivateError)(nil); errors.As(err, &refused) && refused.Forceable != tt.forceable {
				t.Errorf("ActivateError: forceable %t; want %t", refused.Forceable, tt.forceable)
			}
			if c.Write && string(c.Old) != tt.before {
				t.Errorf("the plan was made from %q; want %q", c.Old, tt.before)
			}
		})
	}
}

func TestPlanCopyWithoutRepository(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	c := drift.Change{File: ".env.local", New: []byte("A=1\n")}
	if err := p.open().PlanCopy(t.Context(), &c, state.State{}, false); err != nil || c.Action != drift.Activated {
		t.Errorf("PlanCopy = %v, %s; want nil, activated", err, c.Action)
	}
}

// As long as git does not say that it is untracked, nothing is written.
func TestPlanCopyGitFails(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the git that fails is a shell script")
	}
	for _, tt := range []struct{ name, pattern string }{{"open", "*--show-toplevel*"}, {"the index", "*ls-files*"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newClone(t)
			p.breakGit(tt.pattern)
			c := drift.Change{File: ".env.local", New: []byte("A=1\n")}
			if err := p.open().PlanCopy(t.Context(), &c, state.State{}, true); err == nil || c.Write {
				t.Errorf("PlanCopy = %v, write %t; want git's error", err, c.Write)
			}
		})
	}
}

func TestRemember(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.commit("a.txt", "x")
	p.git("worktree", "add", "-q", "../tree")
	done := []drift.Change{
		{File: "decrypted", Action: drift.Decrypted},
		{File: "skipped", Action: drift.Skipped},
		{File: "encrypted", Action: drift.Encrypted},
		{File: "activated", Action: drift.Activated, New: []byte("A=1\n")},
		{File: "failed", Action: drift.Decrypted, Err: errors.New("x")},
		{File: "unchanged", Action: drift.Unchanged},
	}
	err := p.open().Remember(t.Context(), done, func(s *state.State) { s.Profile = "dev" })
	if err != nil {
		t.Fatalf("Remember = %v", err)
	}
	want := state.State{
		Profile:   "dev",
		Files:     map[string]state.Intent{"decrypted": state.Pulled, "skipped": state.Pulled, "encrypted": state.Locked},
		Activated: map[string]string{"activated": state.Sum([]byte("A=1\n"))},
	}
	for _, dir := range []string{p.dir, p.path("../tree")} {
		got, err := p.open(func(o *workspace.Options) { o.Dir = dir }).State(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("State in %s = %+v, %v; want %+v", dir, got, err, want)
		}
	}

	// What is remembered of other files, and the profile, stays.
	if err := p.open().Remember(t.Context(), []drift.Change{{File: "decrypted", Action: drift.Encrypted}}, nil); err != nil {
		t.Fatalf("Remember = %v", err)
	}
	want.Files["decrypted"] = state.Locked
	if got, err := p.open().State(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("State = %+v, %v; want %+v", got, err, want)
	}
	if got := p.git("status", "--porcelain"); got != "" {
		t.Errorf("git status = %q; want nothing of it in the tree", got)
	}
}

func TestRememberWithoutRepository(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	w := p.open()
	if err := w.Remember(t.Context(), []drift.Change{{File: "a", Action: drift.Decrypted}}, nil); err != nil {
		t.Errorf("Remember = %v; want nil", err)
	}
	got, err := w.State(t.Context())
	if err != nil || len(got.Files) > 0 || got.Activated == nil {
		t.Errorf("State = %+v, %v; want an empty one with a map", got, err)
	}
}

func TestStateDamaged(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.write(".git/envdrift/state.json", "{")
	w := p.open()
	if got, err := w.State(t.Context()); err == nil {
		t.Errorf("State = %+v, nil; want an error", got)
	}
	if err := w.Remember(t.Context(), nil, nil); err == nil {
		t.Error("Remember = nil; want an error")
	}
	if got := p.read(".git/envdrift/state.json"); got != "{" {
		t.Errorf("state.json = %q; want it left alone", got)
	}
}

// The folder of the state cannot be made where a file has its name.
func TestStateWithoutFolder(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.write(".git/envdrift", "")
	w := p.open()
	if _, err := w.State(t.Context()); err == nil {
		t.Error("State = nil; want an error")
	}
	if err := w.Remember(t.Context(), nil, nil); err == nil {
		t.Error("Remember = nil; want an error")
	}
}

func TestCopyOf(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mkdir(".git")
	p.write("svc/envdrift.toml", mapped+"activate_to = \"run/.env.local\"\n[[vault.sync.mappings]]\nsecret_name = \"web\"\nfolder_path = \"web\"\n")
	p.write("svc/api/.env", "A=1\n")
	p.write("svc/web/.env", "A=1\n")
	w := p.open(func(o *workspace.Options) { o.Dir = p.path("svc") })
	for file, want := range map[string]string{"svc/api/.env": "svc/api/run/.env.local", "svc/web/.env": ""} {
		if got := w.CopyOf(target(t, w, file)); got != want {
			t.Errorf("CopyOf(%s) = %q; want %q", file, got, want)
		}
	}
}
