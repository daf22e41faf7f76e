package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// An office is a clone in which an editor runs git all the time while the user
// commits.
type office struct {
	*bench
	*fixture
	refused  int // commits that git refused because the index was locked
	without  int // commits that lack the edit: git's own, when two of them write the index
	repaired int // commits that the hook stopped, with the repair made
}

const indexLocked = "index.lock': File exists"

// TestEditorBeside commits again and again, with a drifted env file in every
// third round, while an editor asks for the status and stages another file. No
// edit may be lost, whatever git refuses. The same is done without hooks to
// compare. ENVDRIFT_ROUNDS sets how often.
func TestEditorBeside(t *testing.T) {
	t.Parallel()
	rounds := 8
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS")); err == nil {
		rounds = n
	}
	f := newFixture(t)
	for _, hooked := range []bool{true, false} {
		t.Run(fmt.Sprintf("hook %t", hooked), func(t *testing.T) {
			t.Parallel()
			o := &office{bench: f.commit(t), fixture: f}
			if hooked {
				o.run("envdrift", "hook", "install")
			}
			o.bench.write(".env.keys", []byte("DOTENV_PRIVATE_KEY_PRODUCTION="+f.stranger.Reveal()+","+f.right.Reveal()+"\n"))
			defer o.editor()()
			for n := range rounds {
				o.round(n, hooked)
			}
			t.Logf("%d rounds: git refused %d commits and made %d without what was staged, the hook stopped %d with a repair", rounds, o.refused, o.without, o.repaired)
		})
	}
}

// editor runs git until the returned function is called.
func (o *office) editor() (quit func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(work func(n int)) {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					work(n)
				}
			}
		})
	}
	loop(func(int) { _, _ = o.try("git", "status", "--porcelain") })
	loop(func(n int) {
		// At once, or git would read a partial file.
		beside := o.bench.dir + ".other"
		_ = os.WriteFile(beside, fmt.Appendf(nil, "%d\n", n), 0o644)
		_ = os.Rename(beside, filepath.Join(o.bench.dir, "other.txt"))
		_, _ = o.try("git", "add", "other.txt")
	})
	return func() { close(stop); wg.Wait() }
}

// round makes an edit and commits it, however often that takes.
func (o *office) round(n int, hooked bool) {
	o.t.Helper()
	key := o.right
	if n%3 == 2 && hooked {
		key = o.stranger
	}
	// The length differs each time: git takes a file for unchanged that was
	// written in the same second and has the same length.
	want := fmt.Sprint("edit ", strings.Repeat("and ", n%7), n)
	doc, _, err := dotenv.Parse([]byte("A="+want+"\nB=1\n")).Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY_PRODUCTION", File: envFile})
	if err != nil {
		o.t.Fatal(err)
	}
	o.bench.write(envFile, doc.Bytes())
	args := []string{"commit", "-q", "-m", want}
	if n%2 == 1 {
		args = append(args, "-a")
	}
	for o.committed() != want {
		o.insist("git", "add", envFile)
		out, err := o.try("git", args...)
		switch {
		case err == nil && o.committed() != want:
			o.without++
		case err == nil:
		case strings.Contains(out, "repaired: review"):
			o.repaired++
		case strings.Contains(out, "envdrift:"):
			o.t.Fatalf("round %d: the hook made no repair:\n%s", n, out)
		case strings.Contains(out, indexLocked):
			o.refused++
		default:
			o.t.Fatalf("round %d: %v\n%s", n, err, out)
		}
		if !o.somewhere(want, doc.Bytes()) {
			o.t.Fatalf("round %d: the edit is gone after\n%s", n, out)
		}
	}
}

// committed returns A in HEAD, which the right key must decrypt.
func (o *office) committed() string {
	o.t.Helper()
	return (matrixCheck{o.bench, o.fixture, "plain", ""}).value(o.run("git", "show", "HEAD:"+envFile), o.right)
}

// somewhere reports whether the edit is in the working tree.
func (o *office) somewhere(want string, edited []byte) bool {
	now := []byte(o.bench.read(envFile))
	if bytes.Equal(now, edited) {
		return true
	}
	values, err := dotenv.Parse(now).Reveal(ecies.Keys{o.right, o.stranger})
	return err == nil && len(values) > 1 && values[1].Plaintext.Reveal() == want
}

// insist runs git until the index is not locked.
func (o *office) insist(name string, args ...string) {
	o.t.Helper()
	for {
		out, err := o.try(name, args...)
		if err == nil {
			return
		}
		if !strings.Contains(out, indexLocked) {
			o.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
	}
}
