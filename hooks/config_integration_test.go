//go:build integration

package hooks

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
)

// commands reads git's configuration as git itself does: it is compared with
// "git hook list".
//
//	eval "$(scripts/install-git)" && go test -tags integration -run Commands ./hooks
func TestCommandsAsGit(t *testing.T) {
	t.Parallel()
	git := os.Getenv("GIT_NEW")
	if git == "" {
		t.Fatal("GIT_NEW is not set: see scripts/install-git")
	}
	dir := t.TempDir()
	global := dir + "/global"
	environ := []string{"HOME=" + dir, "GIT_CONFIG_GLOBAL=" + global, "GIT_CONFIG_NOSYSTEM=1", "PATH=" + strings.TrimSuffix(git, "/git") + ":" + os.Getenv("PATH")}
	run := func(args ...string) (string, error) {
		cmd := exec.Command(git, args...)
		cmd.Dir, cmd.Env = dir, environ
		out, err := cmd.Output()
		return string(out), err
	}
	if _, err := run("init", "-q"); err != nil {
		t.Fatal(err)
	}
	repo, err := gitops.Open(t.Context(), dir, environ)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	for i := range 100 {
		var texts [2]string
		for f := range texts {
			for range random.IntN(9) {
				texts[f] += fmt.Sprintf("[hook %q]\n\t%s\n", pick("a", "A", "b.c", "d e", "pre-push"), pick(
					"event = pre-commit", "event = pre-commit", "event = post-merge", "event =", "command = x", "command = y",
					"enabled = false", "enabled = off", "enabled = 0", "enabled = true", "enabled =", "enabled = no"))
			}
			// git fails at an event of a name without a command, or at a name that is an event's
			texts[f] = strings.ReplaceAll(texts[f], "[hook \"pre-push\"]\n\tevent = ", "[hook \"a\"]\n\tevent = ")
		}
		all := ""
		for _, name := range []string{"a", "A", "b.c", "d e"} {
			all += fmt.Sprintf("[hook %q]\n\tcommand = z\n", name)
		}
		if err := errors.Join(os.WriteFile(global, []byte(all+texts[0]), 0o644), os.WriteFile(dir+"/.git/config", []byte("[core]\n\trepositoryformatversion = 0\n"+texts[1]), 0o644)); err != nil {
			t.Fatal(err)
		}
		settings, err := repo.Settings(t.Context(), `^hook\.`)
		if err != nil {
			t.Fatal(err)
		}
		got := commands(settings)
		for _, event := range []string{"pre-commit", "post-merge"} {
			out, _ := run("hook", "list", event) // 1 for none
			var want, names []string
			for line := range strings.Lines(out) {
				words := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
				want = append(want, fmt.Sprint(words[len(words)-1], len(words) > 1))
			}
			for _, c := range got[event] {
				names = append(names, fmt.Sprint(c.Name, c.Off != ""))
			}
			for _, list := range [][]string{names, want} { // the order of those that run counts
				slices.SortStableFunc(list, func(a, b string) int {
					offA, offB := strings.HasSuffix(a, "true"), strings.HasSuffix(b, "true")
					if offA && offB {
						return strings.Compare(a, b)
					}
					return strings.Compare(fmt.Sprint(offA), fmt.Sprint(offB))
				})
			}
			if !slices.Equal(names, want) {
				t.Errorf("%d: %s: commands = %q; git has %q\n%s---\n%s", i, event, names, want, texts[0], texts[1])
			}
		}
	}
}
