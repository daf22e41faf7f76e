package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/audit"
)

func use(command string) audit.Use {
	return audit.Use{Time: time.Now().UTC(), Command: command, Repository: "/r", File: ".env", Outcome: audit.OK}
}

// read returns the uses in a log in which nothing is damaged.
func read(t *testing.T, file string) []audit.Use {
	t.Helper()
	uses, damaged, err := audit.Read(file)
	if err != nil || len(damaged) > 0 {
		t.Fatalf("Read: %v, damaged: %v", err, damaged)
	}
	return uses
}

func add(t *testing.T, file string, uses ...audit.Use) {
	t.Helper()
	if err := audit.Append(file, uses); err != nil {
		t.Fatal(err)
	}
}

func TestAppendThenRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state", "audit.jsonl")
	if uses := read(t, file); len(uses) != 0 {
		t.Errorf("a log that is not there has %v", uses)
	}
	full := audit.Use{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Command: "exec", Repository: "/r", File: "a\nb/.env", Secret: "s",
		Source: audit.Vault, Vault: "age vault", Key: "02ab…", Agent: "Codex", Outcome: "denied",
	}
	add(t, file, full, use("two"))
	add(t, file, use("three"))
	uses := read(t, file)
	if len(uses) != 3 || uses[0] != full || uses[1].Command != "two" || uses[2].Command != "three" {
		t.Errorf("Read = %+v", uses)
	}
}

// The folder and the file are the user's alone, also if another made the file.
func TestModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	dir := filepath.Join(t.TempDir(), "state")
	file := filepath.Join(dir, "audit.jsonl")
	add(t, file, use("one"))
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	add(t, file, use("two"))
	for name, want := range map[string]os.FileMode{dir: 0o700, file: 0o600, file + ".lock": 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

// The log and the one before it have at most Max bytes each, and the newest uses.
func TestMax(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	batch := make([]audit.Use, 1000)
	for i := range 40 {
		for j := range batch {
			batch[j] = use(strconv.Itoa(1000*i + j))
		}
		add(t, file, batch...)
		for _, name := range []string{file, file + ".1"} {
			if info, err := os.Stat(name); err == nil && info.Size() > audit.Max {
				t.Fatalf("%s has %d bytes", name, info.Size())
			}
		}
	}
	uses := read(t, file)
	for i, u := range uses {
		if want := strconv.Itoa(40000 - len(uses) + i); u.Command != want {
			t.Fatalf("use %d of %d is %s; want %s", i, len(uses), u.Command, want)
		}
	}
	if len(uses) < 5000 {
		t.Errorf("%d uses are left", len(uses))
	}
}

// What was logged is there also where the log was put aside, and no new one could be begun.
func TestOnlyOlder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	add(t, file, use("one"))
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if uses := read(t, file); len(uses) != 1 {
		t.Errorf("Read = %v; want one", uses)
	}
}

// Half a line damages no other, and is told.
func TestDamaged(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"{\"time\":\"2026-01-02T03": 1, "{}\n": 1, "null\n": 1, "x\ny": 2, "\x00\x00\x00": 1, "\n\n": 0, "": 0,
	} {
		file := filepath.Join(t.TempDir(), "audit.jsonl")
		add(t, file, use("one"))
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		add(t, file, use("two"))
		uses, damaged, err := audit.Read(file)
		if err != nil || len(uses) != 2 || uses[1].Command != "two" || len(damaged) != want {
			t.Errorf("%q: Read = %v, %v, %v", text, uses, damaged, err)
		}
		if want > 0 && !strings.Contains(damaged[0].Error(), "audit.jsonl:2: ") {
			t.Errorf("%q: %v", text, damaged[0])
		}
	}
}

// What is no file is told: a pipe would be waited for.
func TestReadNoFile(t *testing.T) {
	t.Parallel()
	if _, _, err := audit.Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Read of a folder = %v; want an error", err)
	}
}

func TestCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	names := []string{filepath.Join(file, "audit.jsonl"), dir}
	if link := filepath.Join(dir, "link"); os.Symlink(file, link) == nil {
		names = append(names, link)
	}
	for _, name := range names {
		err := audit.Append(name, []audit.Use{use("one")})
		if e := (*audit.Error)(nil); !errors.As(err, &e) || e.File != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || len(data) > 0 {
		t.Errorf("a link was followed: %q, %v", data, err)
	}
}

const writerFile = "ENVDRIFT_TEST_AUDIT_FILE"

// TestWriter is a process of the tests below: it writes until it is killed, or as
// often as it is told to.
func TestWriter(t *testing.T) {
	file, times, ok := strings.Cut(os.Getenv(writerFile), "|")
	if !ok {
		t.Skip("not started by another test")
	}
	n, _ := strconv.Atoi(times)
	for i := 0; i < n || n == 0; i++ {
		add(t, file, use(fmt.Sprintf("%d %d", os.Getpid(), i)), use("second"))
	}
}

func writer(file string, times int) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriter$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", writerFile, file, times))
	return cmd
}

// Of many processes that write at once no line is lost, torn or doubled.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	const processes, times = 20, 10
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			if out, err := writer(file, times).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, u := range read(t, file) {
		seen[u.Command]++
	}
	if len(seen) != processes*times+1 || seen["second"] != processes*times {
		t.Errorf("%d different uses, %d seconds; want %d, %d", len(seen), seen["second"], processes*times+1, processes*times)
	}
}

// Whoever is killed leaves no lock, and at most a part of its last line: the kernel ends a
// write that a kill interrupts at the end of a page.
func TestKilled(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	const kills = 10
	for range kills {
		cmd := writer(file, 0)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(file)
		for begun := time.Now(); time.Since(begun) < time.Minute; { // until it writes
			if now, _ := os.ReadFile(file); !bytes.Equal(now, before) {
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		add(t, file, use("after"))
	}
	uses, damaged, err := audit.Read(file)
	after := 0
	for _, u := range uses {
		if u.Command == "after" {
			after++
		}
	}
	if err != nil || after != kills || len(uses) < 2*kills || len(damaged) > kills {
		t.Errorf("Read = %d uses, %d of them after a kill, %d damaged, %v; want %d after", len(uses), after, len(damaged), err, kills)
	}
}

// Whatever the file holds, it can be read and written.
func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"time\":\"2026-01-02T03:04:05Z\",\"outcome\":\"ok\"}\n"))
	f.Add([]byte("{\n\n\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		before, _, err := audit.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		add(t, file, use("added"))
		after, _, err := audit.Read(file)
		if err != nil || len(after) != len(before)+1 || after[len(before)].Command != "added" {
			t.Errorf("%d uses, then %d, %v", len(before), len(after), err)
		}
	})
}
