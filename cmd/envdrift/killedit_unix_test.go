//go:build unix

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// busyEditor saves the text again and again, by way of other files, and then two new
// values.
const busyEditor = `for i in 1 2 3 4 5 6 7 8; do cp "$1" "$1.$i" && mv "$1.$i" "$1"; sleep 0.005; done
sed -e s/^A=.*/A=n3w-a/ -e s/^B=.*/B=n3w-b/ "$1" >"$1.new" && mv "$1.new" "$1"`

// TestEditKilled kills edit at random moments of its life, alone or with its editor.
// The file is then the old one or the new one, and no text is left. ENVDRIFT_KILLS
// sets how often.
func TestEditKilled(t *testing.T) {
	t.Parallel()
	rounds, seed := 15, rand.Uint64()
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_KILLS")); err == nil {
		rounds = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ENVDRIFT_SEED"), 10, 64); err == nil {
		seed = n
	}
	random := rand.New(rand.NewPCG(seed, 0))
	b, memory, tmp := newBench(t, t.TempDir()), t.TempDir(), t.TempDir()
	if dir, err := os.MkdirTemp("/dev/shm", "envdrift-test"); err == nil {
		memory = dir
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	b.env = append(b.env, "CI=true", "TMPDIR="+tmp, "XDG_RUNTIME_DIR="+memory, "GORACE="+noRaceSleep, "EDITOR=sh "+filepath.Join(b.dir, "editor"))
	b.write("editor", []byte(busyEditor))
	b.write(".env", []byte("# first\nA=0ld-a\nB=0ld-b\n\nC=0ld-c\n"))
	b.run("envdrift", "encrypt", ".env")
	before := b.read(".env")
	start := time.Now()
	b.run("envdrift", "edit")
	whole, killed, written := time.Since(start), 0, 0
	for i := range rounds {
		b.write(".env", []byte(before))
		when := random.Float64()
		if i%3 == 0 {
			when = 0.9 + 0.2*when // where it writes the file
		}
		dead, lived := b.killEdit(time.Duration(when*float64(whole)), random.IntN(2) == 0)
		if dead {
			killed++
		} else {
			whole = lived // the machine was busy when it was measured
		}
		switch now := b.read(".env"); {
		case now == before && dead:
		case b.isEdited(now, before):
			written++
		default:
			t.Errorf("after %v, killed: %t: the file is neither the old one nor the new one:\n%s", lived, dead, now)
		}
		deadline := time.Now().Add(30 * time.Second)
		for left := textsIn(memory, tmp); len(left) > 0; left = textsIn(memory, tmp) {
			if time.Now().After(deadline) {
				t.Fatalf("after %v: left: %q (ENVDRIFT_SEED=%d ENVDRIFT_KILLS=%d)", lived, left, seed, rounds)
			}
			time.Sleep(5 * time.Millisecond) // what removes them is another process
		}
	}
	t.Logf("%d of %d runs of %v were killed before their end, %d had written the file", killed, rounds, whole, written)
}

// textsIn returns the files of editors below some folders: all but locks, which are
// empty.
func textsIn(dirs ...string) (files []string) {
	for _, dir := range dirs {
		for name, f := range treeIn(dir) {
			if !f.mode.IsDir() && (!strings.HasSuffix(name, ".lock") || len(f.data) > 0) {
				files = append(files, filepath.Join(dir, name))
			}
		}
	}
	return files
}

// killEdit starts edit, kills it after a while, or it and its editor, and waits until
// both have ended.
func (b *bench) killEdit(after time.Duration, group bool) (killed bool, lived time.Duration) {
	b.t.Helper()
	cmd := exec.Command("envdrift", "edit")
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.dir, b.env, &out, &out // Wait waits for whoever holds the pipe
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if group {
		pid = -pid
	}
	timer := time.AfterFunc(after, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	_ = cmd.Wait()
	timer.Stop()
	if strings.Contains(out.String(), "is being edited by another envdrift") {
		return b.killEdit(after, group) // the last guard held the lock, as it was just being started
	}
	if killed = !cmd.ProcessState.Exited(); !killed && !cmd.ProcessState.Success() {
		b.t.Errorf("edit: %v\n%s", cmd.ProcessState, &out)
	}
	return killed, time.Since(start)
}

// isEdited reports whether now is before with the new values, and nothing else.
func (b *bench) isEdited(now, before string) bool {
	held := dotenv.ParseKeysFile([]byte(b.read(".env.keys"))).Entries()
	keys, err := ecies.ParsePrivateKeys(held[0].Value.Reveal())
	if err != nil {
		b.t.Fatal(err)
	}
	values, err := dotenv.Parse([]byte(now)).Reveal(keys)
	lines, old := strings.Split(now, "\n"), strings.Split(before, "\n")
	if err != nil || len(lines) != len(old) {
		return false
	}
	for i, line := range lines {
		if line != old[i] && !strings.HasPrefix(line, "A=") && !strings.HasPrefix(line, "B=") {
			return false
		}
	}
	for _, v := range values {
		if want, edited := map[string]string{"A": "n3w-a", "B": "n3w-b"}[v.Name]; edited && v.Plaintext.Reveal() != want {
			return false
		}
	}
	return true
}
