package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSaveDuringLock saves a decrypted file, in place and by a rename, at random
// moments of lock. The save must be there afterwards, as it is or encrypted; if
// it is not encrypted, lock said so or had ended. ENVDRIFT_ROUNDS sets how often.
func TestSaveDuringLock(t *testing.T) {
	t.Parallel()
	rounds := 15
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS")); err == nil {
		rounds = n
	}
	f := newFixture(t)
	b := f.commit(t)
	b.write(".env.keys", []byte("DOTENV_PRIVATE_KEY_PRODUCTION="+f.right.Reveal()+"\n"))
	check := matrixCheck{b, f, "plain", ""}
	whole := 50 * time.Millisecond
	refused, encrypted := 0, 0
	for n := range rounds {
		b.write(envFile, fmt.Appendf(nil, "A=old %d\nB=1\n", n))
		want := fmt.Sprint("edit ", n)
		saved, delay := make(chan error), time.Duration(rand.Int64N(int64(whole)))
		go func() {
			time.Sleep(delay)
			saved <- save(filepath.Join(b.dir, envFile), "A="+want+"\nB=1\n", n%2 == 0)
		}()
		start := time.Now()
		out, err := b.try("envdrift", "lock")
		whole = time.Since(start)
		if err := <-saved; err != nil {
			t.Fatal(err)
		}
		if err != nil {
			if refused++; !strings.Contains(out, "was changed by another program in the meantime; nothing was written to it") {
				t.Fatalf("round %d: %v\n%s", n, err, out)
			}
		}
		data := b.read(envFile)
		if strings.Contains(data, "encrypted:") {
			encrypted++
		}
		if got := check.value(data, f.right); got != want {
			t.Fatalf("round %d: A = %q; want the save %q after\n%s", n, got, want, out)
		}
		if left, _ := filepath.Glob(filepath.Join(b.dir, ".envdrift-tmp-*")); left != nil {
			t.Fatalf("round %d: %q is left", n, left)
		}
	}
	t.Logf("%d of %d runs met the save and refused, %d encrypted it", refused, rounds, encrypted)
}

func save(file, data string, inPlace bool) error {
	if inPlace {
		return os.WriteFile(file, []byte(data), 0o644)
	}
	return errors.Join(os.WriteFile(file+"~", []byte(data), 0o644), os.Rename(file+"~", file))
}
