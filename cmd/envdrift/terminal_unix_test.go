//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/servertest"
)

// A gate is a vault that responds when the test allows it.
type gate struct {
	keeper  *keeper
	arrived chan struct{} // a request did
	open    chan struct{} // closed: all are answered
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.arrived <- struct{}{}
	select {
	case <-g.open:
		g.keeper.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// console starts the command on a terminal.
func (b *bench) console(args ...string) *console {
	b.t.Helper()
	cmd := exec.Command("envdrift", args...)
	cmd.Dir, cmd.Env = b.dir, append([]string{"TERM=xterm"}, b.env...)
	near, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 200})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		near.Close()
	})
	return &console{b.t, near, bufio.NewReader(near), cmd}
}

// desk returns a clone with one mapping, whose key is behind a gate.
func desk(t *testing.T) (*bench, *gate) {
	t.Helper()
	g := &gate{newKeeper(t, 0), make(chan struct{}, 100), make(chan struct{})}
	key, err := ecies.ParsePrivateKey(g.keeper.key)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, t.TempDir()).with("VAULT_TOKEN=t0ken", "GORACE="+noRaceSleep)
	b.write("envdrift.toml", fmt.Appendf(nil, manyHashicorp+"[[vault.sync.mappings]]\nsecret_name = \"app\"\nfolder_path = \".\"\n", servertest.Web(t, g)))
	b.write(envFile, []byte(encrypted(t, key)))
	b.write(".gitignore", []byte(".env.keys\n"))
	b.run("git", "init", "-q")
	b.run("git", "add", "-A")
	b.run("git", "commit", "-q", "-m", "first")
	return b, g
}

const (
	asking  = "asking the vault"
	waiting = "waiting for another envdrift"
	escape  = "\x1b"
)

// TestTerminalProgress delays the vault until a terminal shows that it is being
// asked. The commands started before that, which must not show progress, did
// not.
func TestTerminalProgress(t *testing.T) {
	t.Parallel()
	b, g := desk(t)
	b.run("envdrift", "trust")
	dumb := b.with("TERM=dumb").console("verify")
	quiet := b.console("verify", "--quiet")
	piped := exec.Command("envdrift", "verify")
	var out bytes.Buffer
	piped.Dir, piped.Env, piped.Stdout, piped.Stderr = b.dir, b.env, &out, &out
	if err := piped.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-g.arrived
	}
	c := b.console("verify")
	c.read(asking)
	close(g.open)
	if rest, status := c.end(); status != 0 || !strings.Contains(rest, "1 of 1 verified") {
		t.Errorf("status %d; want 0\n%q", status, rest)
	}
	_ = piped.Wait()
	for name, c := range map[string]*console{"TERM=dumb": dumb, "--quiet": quiet} {
		if got, status := c.end(); status != 0 || strings.Contains(got, asking) {
			t.Errorf("%s: status %d, %q; want no progress", name, status, got)
		}
	}
	if !piped.ProcessState.Success() || strings.Contains(out.String(), asking) || strings.Contains(out.String(), escape) {
		t.Errorf("without terminal: %v, %q; want no progress", piped.ProcessState, &out)
	}
}

// TestTerminalColours checks that there are colors where they belong, and none
// elsewhere.
func TestTerminalColours(t *testing.T) {
	t.Parallel()
	b, g := desk(t)
	close(g.open)
	b.run("envdrift", "trust")
	for _, tt := range []struct {
		name  string
		bench *bench
		args  []string
		want  bool
	}{
		{"a terminal", b, []string{"verify", "-v"}, true},
		{"NO_COLOR", b.with("NO_COLOR=1"), []string{"verify", "-v"}, false},
		{"NO_COLOR, empty", b.with("NO_COLOR="), []string{"verify", "-v"}, true},
		{"TERM=dumb", b.with("TERM=dumb"), []string{"verify", "-v"}, false},
		{"--no-color", b, []string{"verify", "-v", "--no-color"}, false},
	} {
		got, status := tt.bench.console(tt.args...).end()
		if status != 0 || !strings.Contains(got, envFile) || strings.Contains(got, escape+"[") != tt.want {
			t.Errorf("%s: status %d, %q; want colours %t", tt.name, status, got, tt.want)
		}
	}
	if got := b.run("envdrift", "verify", "-v"); !strings.Contains(got, envFile) || strings.Contains(got, escape) {
		t.Errorf("without terminal: %q; want no colours", got)
	}
}

// TestTerminalSyncAsks answers the question whether to replace a key.
func TestTerminalSyncAsks(t *testing.T) {
	t.Parallel()
	stranger, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	old := "DOTENV_PRIVATE_KEY_PRODUCTION=" + stranger.Reveal() + "\n"
	for _, tt := range []struct {
		name, answer string
		status       int
		replaced     bool
	}{
		{"yes", "yes\n", 0, true},
		{"no", "n\n", statusFail, false},
		{"Return", "\n", statusFail, false},
		{"^D", "\x04", statusFail, false},
		{"^C", "\x03", statusInterrupt, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, g := desk(t)
			close(g.open)
			b.run("envdrift", "trust")
			b.write(".env.keys", []byte(old))
			c := b.console("sync")
			right, _ := ecies.ParsePrivateKey(g.keeper.key)
			question := c.read("Replace it? [y/N] ")
			for _, key := range []*ecies.PrivateKey{stranger, right} {
				if !strings.Contains(question, key.PublicKey().Short()) || strings.Contains(question, key.Reveal()) {
					t.Errorf("the question is %q; want both fingerprints and no key", question)
				}
			}
			c.enter(tt.answer)
			rest, status := c.end()
			now := b.read(".env.keys")
			kept, _ := filepath.Glob(filepath.Join(b.dir, ".git/envdrift/backup/*"))
			if status != tt.status || strings.Contains(now, right.Reveal()) != tt.replaced || !tt.replaced && now != old || len(kept) == 1 != tt.replaced {
				t.Errorf("status %d, replaced %t, %d backups; want %d, %t\n%s", status, now != old, len(kept), tt.status, tt.replaced, rest)
			}
		})
	}
	b, g := desk(t)
	close(g.open)
	b.run("envdrift", "trust")
	b.write(".env.keys", []byte(old))
	if out, err := b.try("envdrift", "sync"); err == nil || strings.Contains(out, "[y/N]") || b.read(".env.keys") != old {
		t.Errorf("without terminal: %v\n%s", err, out)
	}
}

// TestTerminalTrustAsks answers the question whether a vault may receive the
// user's credentials. Without a yes it is not contacted.
func TestTerminalTrustAsks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer string
		status       int
	}{
		{"yes", "y\n", 0},
		{"no", "n\n", statusFail},
		{"^D", "\x04", statusFail},
		{"^C", "\x03", statusInterrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, g := desk(t)
			close(g.open)
			c := b.console("pull")
			if question := c.read("Agree? [y/N] "); !strings.Contains(question, "\n  hashicorp, http://127.0.0.1") || strings.Contains(question, "�") {
				t.Errorf("the question %q does not show where", question)
			}
			if len(g.arrived) > 0 {
				t.Error("the vault was contacted before the answer")
			}
			before := b.read(envFile)
			c.enter(tt.answer)
			rest, status := c.end()
			agreed := b.run("envdrift", "trust", "--list") != ""
			yes := tt.status == 0
			if status != tt.status || agreed != yes || len(g.arrived) > 0 != yes || (b.read(envFile) != before) != yes {
				t.Errorf("status %d, agreed %t, %d requests; want %d, %t\n%s", status, agreed, len(g.arrived), tt.status, yes, rest)
			}
		})
	}
}

// TestTerminalInterrupt presses ^C while waiting for the vault, or for another
// run.
func TestTerminalInterrupt(t *testing.T) {
	t.Parallel()
	b, g := desk(t)
	b.run("envdrift", "trust")
	before := b.read(envFile)
	c := b.console("pull")
	<-g.arrived
	c.enter("\x03")
	interrupted(b, c, before)

	close(g.open)
	repo, err := gitops.Open(t.Context(), b.dir, b.env)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := repo.Lock(t.Context(), "the test")
	if err != nil {
		t.Fatal(err)
	}
	c = b.console("pull")
	c.read(waiting)
	c.enter("\x03")
	interrupted(b, c, before)
	if err := unlock(); err != nil {
		t.Error(err)
	}
	b.run("envdrift", "pull")
}

func interrupted(b *bench, c *console, before string) {
	b.t.Helper()
	rest, status := c.end()
	keys, _ := filepath.Glob(filepath.Join(b.dir, ".env.keys"))
	if status != statusInterrupt || !strings.Contains(rest, "interrupted") || b.read(envFile) != before || keys != nil {
		b.t.Errorf("status %d, %q written; want %d and the files as they were\n%s", status, keys, statusInterrupt, rest)
	}
}
