//go:build unix

package gitops_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOpenedIndex: only while nobody wrote the index is it the one that was opened,
// however it was written.
func TestOpenedIndex(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		open      string
		meanwhile func(s *sandbox, index string)
		want      string
	}{
		{"nothing", ".git/index", func(*sandbox, string) {}, "true true "},
		{"another file", "a.env", func(*sandbox, string) {}, "false false "},
		{"staged", ".git/index", func(s *sandbox, _ string) { s.git("add", "-A") }, "true false "},
		{"staged and taken back", ".git/index", func(s *sandbox, _ string) {
			s.git("add", "-A")
			s.git("reset", "-q")
		}, "true false "},
		{"written in place", ".git/index", func(s *sandbox, index string) {
			if err := os.WriteFile(index, []byte(s.read(".git/index")), 0o644); err != nil {
				s.t.Fatal(err)
			}
		}, "true false "},
		{"gone", ".git/index", func(s *sandbox, index string) {
			if err := os.Remove(index); err != nil {
				s.t.Fatal(err)
			}
		}, "true false "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := initRepo(t)
			s.write("a.env", "A=2\n")
			index, err := os.Open(filepath.Join(s.dir, tt.open))
			if err != nil {
				t.Fatal(err)
			}
			defer index.Close()
			cmd := exec.Command(self)
			cmd.Dir, cmd.Env, cmd.ExtraFiles = s.dir, append(s.env, "GITOPS_TEST_INDEX=1"), []*os.File{index} // the first is number 3
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			answers, got := bufio.NewScanner(out), ""
			ask := func() {
				fmt.Fprintln(in)
				answers.Scan()
				got += answers.Text() + " "
			}
			ask()
			tt.meanwhile(s, filepath.Join(s.dir, ".git/index"))
			ask()
			if err := in.Close(); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err != nil || got != tt.want {
				t.Errorf("IndexIs = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}
