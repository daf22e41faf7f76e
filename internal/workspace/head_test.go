package workspace_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
)

func TestPrevious(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		setup func(*place)
		want  string // "" for no version
	}{
		{"before the first commit", func(p *place) { p.write(".env", "A=new\n") }, ""},
		{"not in HEAD", func(p *place) { p.commit("b.env", "A=1\n"); p.write(".env", "A=new\n") }, ""},
		{"HEAD's, not the one that was edited", func(p *place) { p.commit(".env", "A=old\n"); p.write(".env", "A=new\n") }, "A=old\n"},
		{"HEAD's, not the staged one", func(p *place) { p.commit(".env", "A=old\n"); p.write(".env", "A=new\n"); p.git("add", ".env") }, "A=old\n"},
		{"removed in the working tree", func(p *place) { p.commit(".env", "A=old\n"); p.git("rm", "-q", ".env") }, "A=old\n"},
		{"a folder of that name", func(p *place) { p.commit(".env/a", "A=1\n") }, ""},
		{"a link in HEAD", func(p *place) {
			if err := os.Symlink("b.env", p.path(".env")); err != nil {
				p.t.Skip(err)
			}
			p.git("add", ".env")
			p.git("commit", "-q", "-m", "link")
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newClone(t)
			tt.setup(p)
			got, err := p.open().Previous(t.Context(), ".env")
			text := ""
			if got != nil {
				text = string(got.Bytes())
			}
			if err != nil || text != tt.want || (got != nil) != (tt.want != "") {
				t.Errorf("Previous(.env) = %q, %v; want %q", text, err, tt.want)
			}
		})
	}
}

// An empty file is a version all the same.
func TestPreviousOfEmptyFile(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.commit(".env", "")
	if got, err := p.open().Previous(t.Context(), ".env"); got == nil || err != nil {
		t.Errorf("Previous(.env) = %v, %v; want the empty document", got, err)
	}
}

func TestPreviousWithoutRepository(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(".env", "A=1\n")
	if got, err := p.open().Previous(t.Context(), ".env"); got != nil || err != nil {
		t.Errorf("Previous(.env) = %v, %v; want none", got, err)
	}
}

// Without a git binary it is not known what HEAD has, which is not nothing.
func TestPreviousWithoutGitBinary(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.commit(".env", "A=old\n")
	delete(p.env, "PATH")
	got, err := p.open().Previous(t.Context(), ".env")
	if got != nil || !errors.Is(err, gitops.ErrNoGit) {
		t.Errorf("Previous(.env) = %v, %v; want %v", got, err, gitops.ErrNoGit)
	}
}

// What HEAD holds is read once: a command sees one state of the repository.
func TestReadHeadOnce(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.commit("a.env", "A=old\n")
	p.commit("b.env", "B=old\n")
	w := p.open()
	if err := w.ReadHead(t.Context(), []string{"a.env"}); err != nil {
		t.Fatalf("ReadHead(a.env) = %v", err)
	}
	p.commit("a.env", "A=new\n")
	p.commit("b.env", "B=new\n")
	if err := w.ReadHead(t.Context(), []string{"a.env", "b.env", "none"}); err != nil {
		t.Fatalf("ReadHead(a.env, b.env, none) = %v", err)
	}
	for file, want := range map[string]string{"a.env": "A=old\n", "b.env": "B=new\n"} {
		if got, err := w.Previous(t.Context(), file); err != nil || string(got.Bytes()) != want {
			t.Errorf("Previous(%s) = %v, %v; want %q", file, got, err, want)
		}
	}
}

// One damaged object is an error of its file alone.
func TestPreviousUnreadable(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.commit("a.env", "A=1\n")
	p.commit("b.env", "B=1\n")
	oid := p.git("rev-parse", "HEAD:a.env")
	if err := os.Remove(p.path(".git/objects/" + oid[:2] + "/" + oid[2:])); err != nil {
		t.Fatal(err)
	}
	w := p.open()
	if err := w.ReadHead(t.Context(), []string{"a.env", "b.env"}); err != nil {
		t.Errorf("ReadHead = %v; want nil: only one of the files is concerned", err)
	}
	if got, err := w.Previous(t.Context(), "a.env"); got != nil || !errors.Is(err, gitops.ErrMissing) || !strings.HasPrefix(err.Error(), "HEAD's version of a.env: ") {
		t.Errorf("Previous(a.env) = %v, %v; want ErrMissing with the file's name", got, err)
	}
	if got, err := w.Previous(t.Context(), "b.env"); got == nil || err != nil {
		t.Errorf("Previous(b.env) = %v, %v; want its version", got, err)
	}
}

// Where git fails it is not known that HEAD has no version.
func TestPreviousGitFails(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the git that fails is a shell script")
	}
	tests := []struct{ name, pattern string }{
		{"open", "*--show-toplevel*"},
		{"the commit", "*--verify*"},
		{"the tree", "*ls-tree*"},
		{"the objects", "*cat-file*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newClone(t)
			p.commit(".env", "A=1\n")
			p.breakGit(tt.pattern)
			w := p.open()
			for range 2 { // it is not taken for an answer
				if got, err := w.Previous(t.Context(), ".env"); got != nil || err == nil || !strings.Contains(err.Error(), "out of order") {
					t.Errorf("Previous(.env) = %v, %v; want git's error", got, err)
				}
			}
		})
	}
}
