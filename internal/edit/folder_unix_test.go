//go:build unix

package edit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if file := os.Getenv("EDIT_TEST_FILE"); file != "" {
		f, err := newFolder(file, func(string) {})
		if err == nil {
			err = os.WriteFile(filepath.Join(f.dir, "text"), []byte("A=canary"), 0o600)
		}
		fmt.Println(f.dir, err)
		select {}
	}
	os.Exit(m.Run())
}

// rounds is how often a random test is repeated.
func rounds(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS"))
	if err != nil {
		return 5
	}
	t.Logf("%d rounds", n)
	return n
}

// A process that is killed leaves no text, whenever it is killed.
func TestFolderOfKilledProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), ".env")
	dir := ""
	kept := func() bool {
		// A folder that is empty may stay: before the guard runs nothing is written.
		left, _ := filepath.Glob(strings.TrimRight(dir, "0123456789") + "*/*")
		return len(left) > 0
	}
	for i := range rounds(t) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "EDIT_TEST_FILE="+file)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := fmt.Fscan(out, &dir); err != nil {
				t.Fatal(err)
			}
			if _, err := newFolder(file, func(string) {}); !errors.As(err, new(*BusyError)) {
				t.Errorf("a second editor: %v; want a BusyError", err)
			}
		} else {
			time.Sleep(time.Duration(i) * time.Millisecond)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		deadline := time.Now().Add(20 * time.Second)
		for kept() {
			if time.Now().After(deadline) {
				t.Fatalf("round %d: the text of a killed process is still there", i)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	f, err := newFolder(file, func(string) {})
	for end := time.Now().Add(20 * time.Second); errors.As(err, new(*BusyError)) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond) // a guard that is being started holds the lock until it runs
		f, err = newFolder(file, func(string) {})
	}
	if err != nil {
		t.Fatalf("after a killed process: %v", err)
	}
	info, err := os.Stat(f.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v; want mode 0700", info, err)
	}
	f.remove()
	if _, err := os.Stat(f.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder after remove: %v", err)
	}
}

func TestPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open, link := filepath.Join(dir, "open"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Symlink(open, link), private(open)); err != nil {
		t.Fatal(err)
	}
	if private(link) == nil {
		t.Error("a link to a private folder is accepted")
	}
	if err := os.Chmod(open, 0o750); err != nil {
		t.Fatal(err)
	}
	if private(open) == nil {
		t.Error("a folder that the group can read is accepted")
	}
}
