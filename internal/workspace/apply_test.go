package workspace_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/workspace"
)

// write is a change that writes a file, from what it held.
func write(file, old, content string) drift.Change {
	c := drift.Change{File: file, Action: drift.Updated, Write: true, New: []byte(content)}
	if old != "" {
		c.Old = []byte(old)
	}
	return c
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, in := range []struct {
		name string
		make func(*testing.T) *place
	}{{"in a clone", newClone}, {"without a repository", newPlace}} {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			p := in.make(t)
			p.write("a/.env", "A=old\n")
			p.write("b/.env", "B=theirs\n")
			p.write("c/.env", "C=old\n")
			p.mkdir("new")
			changes := []drift.Change{
				write("a/.env", "A=old\n", "A=new\n"), write("b/.env", "B=old\n", "B=new\n"),
				{File: "c/.env", New: []byte("C=new\n")}, write("new/.env", "", "N=1\n"),
			}
			w := p.open()
			if err := w.Apply(t.Context(), changes); err != nil {
				t.Fatalf("Apply = %v", err)
			}
			for file, want := range map[string]string{"a/.env": "A=new\n", "b/.env": "B=theirs\n", "c/.env": "C=old\n", "new/.env": "N=1\n"} {
				if got := p.read(file); got != want {
					t.Errorf("after Apply, %s = %q; want %q", file, got, want)
				}
			}
			if moved := (*drift.ChangedError)(nil); changes[1].Action != drift.Failed || !errors.As(changes[1].Err, &moved) {
				t.Errorf("b/.env: %s, %v; want failed with a ChangedError", changes[1].Action, changes[1].Err)
			}
			if got := p.read(".gitignore"); got != "" {
				t.Errorf(".gitignore = %q; want none, no file is private", got)
			}
			// The lock is free again.
			if err := w.Apply(t.Context(), []drift.Change{write("a/.env", "A=new\n", "A=newer\n")}); err != nil || p.read("a/.env") != "A=newer\n" {
				t.Errorf("Apply once more = %v, a/.env = %q; want it written", err, p.read("a/.env"))
			}
		})
	}
}

// A plan that writes nothing needs no lock, and leaves no trace of one.
func TestApplyNothing(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.write("a/.env", "A=1\n")
	if err := p.open().Apply(t.Context(), []drift.Change{{File: "a/.env", Action: drift.Unchanged}}); err != nil {
		t.Errorf("Apply = %v; want nil", err)
	}
	if _, err := os.Stat(p.path(".git/envdrift")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of the lock: %v; want none", err)
	}
	if len(p.user.waited) > 0 {
		t.Errorf("progress %q; want none", p.user.waited)
	}
}

// What a killed run left may hold secrets: the next one removes it.
func TestApplyRemovesLeftovers(t *testing.T) {
	t.Parallel()
	name := strings.TrimSuffix(atomicfile.Pattern, "*") + "X"
	tests := []struct {
		name   string
		make   func(*testing.T) *place
		age    time.Duration
		change drift.Change
		stays  bool
	}{
		{name: "in a clone, fresh", make: newClone, change: write("a/.env", "A=1\n", "A=2\n")},
		{name: "in a clone, nothing to write", make: newClone, change: drift.Change{File: "a/.env"}},
		{name: "in a clone, another folder", make: newClone, change: drift.Change{File: "b/.env"}, stays: true},
		{name: "without a repository, fresh", make: newPlace, change: write("a/.env", "A=1\n", "A=2\n"), stays: true},
		{name: "without a repository, old", make: newPlace, age: time.Hour, change: write("a/.env", "A=1\n", "A=2\n")},
		{name: "without a repository, old, nothing to write", make: newPlace, age: time.Hour, change: drift.Change{File: "a/.env"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := tt.make(t)
			p.write("a/.env", "A=1\n")
			p.write("a/"+name, "SECRET=1\n")
			then := time.Now().Add(-tt.age)
			if err := os.Chtimes(p.path("a/"+name), then, then); err != nil {
				t.Fatal(err)
			}
			if err := p.open().Apply(t.Context(), []drift.Change{tt.change}); err != nil {
				t.Fatalf("Apply = %v", err)
			}
			if stays := p.read("a/"+name) != ""; stays != tt.stays {
				t.Errorf("what a killed run left is there: %t; want %t", stays, tt.stays)
			}
		})
	}
}

func TestApplyIgnoresPrivateFilesFirst(t *testing.T) {
	t.Parallel()
	private := write("api/.env.keys", "", "K=1\n")
	private.Private = true
	p := newClone(t)
	p.mkdir("api")
	p.user.onNotice = func() {
		if p.read("api/.env.keys") != "" {
			t.Error("the keys file was there before .gitignore")
		}
	}
	changes := []drift.Change{private}
	if err := p.open().Apply(t.Context(), changes); err != nil || changes[0].Err != nil {
		t.Fatalf("Apply = %v, %v", err, changes[0].Err)
	}
	if got := p.read(".gitignore"); got != ".env.keys\n" {
		t.Errorf(".gitignore = %q; want .env.keys", got)
	}
	if got := p.git("status", "--porcelain", "--untracked-files=all"); got != "?? .gitignore" {
		t.Errorf("git status = %q; want .gitignore alone", got)
	}
	if info, err := os.Stat(p.path("api/.env.keys")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("api/.env.keys: %v, %v; want mode 0600", info, err)
	}

	// Where git cannot be made to ignore it, it is not written.
	p = newClone(t)
	p.mkdir("api")
	p.mkdir(".gitignore")
	if err := p.open().Apply(t.Context(), []drift.Change{private}); err == nil {
		t.Error("Apply with a folder for .gitignore = nil; want an error")
	}
	if got := p.read("api/.env.keys"); got != "" {
		t.Errorf("api/.env.keys = %q; want no file", got)
	}
}

func TestApplyKeepsBackup(t *testing.T) {
	t.Parallel()
	for _, in := range []struct {
		name string
		make func(*testing.T) *place
	}{{"in a clone", newClone}, {"without a repository", newPlace}} {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			p := in.make(t)
			p.write("a/.env", "A=old\n")
			change := write("a/.env", "A=old\n", "A=new\n")
			change.Keep = true
			changes := []drift.Change{change}
			if err := p.open().Apply(t.Context(), changes); err != nil || changes[0].Err != nil {
				t.Fatalf("Apply = %v, %v", err, changes[0].Err)
			}
			where := changes[0].Backup
			if in.name == "in a clone" {
				if want := p.path(".git/envdrift/backup"); filepath.Dir(where) != want {
					t.Errorf("backup %s; want it in %s", where, want)
				}
			} else {
				if !strings.HasPrefix(where, "a/.env.backup.") {
					t.Errorf("backup %s; want it beside the file", where)
				}
				where = p.path(where)
			}
			data, err := os.ReadFile(where)
			if err != nil || string(data) != "A=old\n" {
				t.Errorf("backup holds %q, %v; want the old content", data, err)
			}
			if info, err := os.Stat(where); err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("backup has mode %v; want 0600", info.Mode().Perm())
			}
			if got := p.read("a/.env"); got != "A=new\n" {
				t.Errorf("a/.env = %q; want the new content", got)
			}
		})
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.write("a/.env", "A=1\n")
	unlock, err := p.open(func(o *workspace.Options) { o.Command = "sync" }).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if exclude := p.read(".git/info/exclude"); !strings.Contains(exclude, atomicfile.Pattern) {
		t.Errorf("info/exclude = %q; want %s, which a killed run leaves", exclude, atomicfile.Pattern)
	}
	w := p.open()
	if _, err := w.Git(t.Context()); err != nil { // the deadline is for the lock alone
		t.Fatal(err)
	}

	// A deadline ends the wait, and the error says who holds the lock.
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = w.Lock(short)
	if want := fmt.Sprintf("envdrift sync, process %d", os.Getpid()); !errors.Is(err, gitops.ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("Lock, held by another = %v; want ErrLocked with %q", err, want)
	}
	changes := []drift.Change{write("a/.env", "A=1\n", "A=2\n")}
	if err := w.Apply(short, changes); !errors.Is(err, gitops.ErrLocked) || p.read("a/.env") != "A=1\n" {
		t.Errorf("Apply, the lock held by another = %v, a/.env = %q; want ErrLocked, nothing written", err, p.read("a/.env"))
	}
	done := []drift.Change{{File: "a/.env", Action: drift.Encrypted}}
	if err := w.Remember(short, done, nil); !errors.Is(err, gitops.ErrLocked) {
		t.Errorf("Remember, the lock held by another = %v; want ErrLocked", err)
	}

	// Who waits gets it as soon as it is free.
	waits, got := make(chan struct{}), make(chan error)
	p.user.onProgress = func(what string) {
		if what == "waiting for another envdrift" {
			close(waits)
		}
	}
	go func() {
		release, err := w.Lock(t.Context())
		if err == nil {
			err = release()
		}
		got <- err
	}()
	<-waits
	select {
	case err := <-got:
		t.Fatalf("Lock, held by another = %v; want it to wait", err)
	default:
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("Lock after the other's unlock = %v; want nil", err)
	}
}

func TestLockWithoutRepository(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	w := p.open()
	for range 2 { // there is no clone whose runs could be told apart
		unlock, err := w.Lock(t.Context())
		if err != nil {
			t.Fatalf("Lock = %v", err)
		}
		defer func() {
			if err := unlock(); err != nil {
				t.Errorf("unlock = %v", err)
			}
		}()
	}
	if entries, err := os.ReadDir(p.dir); err != nil || len(entries) > 0 {
		t.Errorf("the folder holds %v, %v; want nothing", entries, err)
	}
}

// Where the exclude file cannot be written, the lock is not kept.
func TestLockExcludeFails(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	if err := os.RemoveAll(p.path(".git/info")); err != nil {
		t.Fatal(err)
	}
	p.mkdir(".git/info/exclude")
	w := p.open()
	if _, err := w.Lock(t.Context()); err == nil {
		t.Fatal("Lock with a folder for info/exclude = nil; want an error")
	}
	if got := p.read(".git/envdrift/lock-holder"); got != "" {
		t.Errorf("the lock is held by %q; want nobody", got)
	}
	if err := os.Remove(p.path(".git/info/exclude")); err != nil {
		t.Fatal(err)
	}
	unlock, err := w.Lock(t.Context())
	if err != nil {
		t.Fatalf("Lock afterwards = %v; want it free", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestIgnore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before string
		setup  func(*place)
		files  []string
		want   string
		notice string
	}{
		{name: "nothing", files: nil},
		{name: "no .gitignore yet", files: []string{"a/.env"}, want: "/a/.env\n", notice: "/a/.env"},
		{name: "appended", before: "x\n", files: []string{"a/.env", "b/.env"}, want: "x\n/a/.env\n/b/.env\n", notice: "/a/.env, /b/.env"},
		{name: "no line end", before: "x", files: []string{"a/.env"}, want: "x\n/a/.env\n", notice: "/a/.env"},
		{name: "CRLF", before: "x\r\ny", files: []string{"a/.env", "b/.env"}, want: "x\r\ny\r\n/a/.env\r\n/b/.env\r\n", notice: "/a/.env, /b/.env"},
		{name: "ignored already", before: "*.env\n", files: []string{"a/.env"}, want: "*.env\n"},
		{name: "some ignored already", before: "/a/\n", files: []string{"a/.env", "b/.env"}, want: "/a/\n/b/.env\n", notice: "/b/.env"},
		{name: "keys files, wherever", files: []string{"a/.env.keys", "b/.env.keys"}, want: ".env.keys\n", notice: ".env.keys"},
		{name: "characters of patterns", files: []string{"a/[b]/*.env", `a/b\c?`, "#!x "}, want: "/a/\\[b]/\\*.env\n/a/b\\\\c\\?\n/\\#!x\\ \n", notice: `/a/\[b]/\*.env, /a/b\\c\?, /\#!x\ `},
		{name: "ignored by another file", setup: func(p *place) { p.write("a/.gitignore", ".env\n") }, files: []string{"a/.env"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newClone(t)
			if tt.before != "" {
				p.write(".gitignore", tt.before)
			}
			if tt.setup != nil {
				tt.setup(p)
			}
			w := p.open()
			for range 2 { // once more changes nothing
				if err := w.Ignore(t.Context(), tt.files); err != nil {
					t.Fatalf("Ignore(%q) = %v", tt.files, err)
				}
			}
			if got := p.read(".gitignore"); got != tt.want {
				t.Errorf("after Ignore(%q), .gitignore = %q; want %q", tt.files, got, tt.want)
			}
			var notices []string
			if tt.notice != "" {
				notices = []string{"added to .gitignore: " + tt.notice}
			}
			if !reflect.DeepEqual(p.user.notices, notices) {
				t.Errorf("shown %q; want %q", p.user.notices, notices)
			}
		})
	}
}

// What git would add all the same is not written to.
func TestIgnoreRefuses(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.write("a/.gitignore", "!.env\n")
	p.write("README.md", "x")
	p.git("add", "README.md")
	w := p.open()
	if err := w.Ignore(t.Context(), []string{"a/.env"}); !errors.As(err, new(*workspace.NotIgnoredError)) {
		t.Errorf("Ignore with a rule that wins = %v; want a *NotIgnoredError", err)
	}
	if err := w.Ignore(t.Context(), []string{"README.md"}); !errors.As(err, new(*workspace.TrackedKeysError)) {
		t.Errorf("Ignore of a tracked file = %v; want a *TrackedKeysError", err)
	}
}

func TestIgnoreKeysFileByItsName(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.write("envdrift.toml", "[vault.sync]\nenv_keys_filename = \"keys.env\"\n")
	if err := p.open().Ignore(t.Context(), []string{"a/keys.env", "a/.env.keys"}); err != nil {
		t.Fatal(err)
	}
	if got, want := p.read(".gitignore"), "keys.env\n/a/.env.keys\n"; got != want {
		t.Errorf(".gitignore = %q; want %q: only the configured name counts everywhere", got, want)
	}
}

func TestIgnoreWithoutRepository(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if err := p.open().Ignore(t.Context(), []string{".env"}); err != nil || p.read(".gitignore") != "" {
		t.Errorf("Ignore = %v, .gitignore = %q; want neither", err, p.read(".gitignore"))
	}
}

func TestIgnoreGitFails(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the git that fails is a shell script")
	}
	p := newClone(t)
	p.breakGit("*check-ignore*")
	if err := p.open().Ignore(t.Context(), []string{".env"}); err == nil || p.read(".gitignore") != "" {
		t.Errorf("Ignore = %v, .gitignore = %q; want git's error, nothing written", err, p.read(".gitignore"))
	}
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mkdir("a")
	w := p.open()
	var old []byte
	for _, content := range []string{"one\n", "two\n"} {
		if err := w.WriteFile("a/f", old, []byte(content), 0o644); err != nil || p.read("a/f") != content {
			t.Errorf("WriteFile = %v, then %q; want %q", err, p.read("a/f"), content)
		}
		old = []byte(content)
	}
	for _, old := range [][]byte{nil, []byte("one\n")} {
		if err := w.WriteFile("a/f", old, []byte("three\n"), 0o644); !errors.As(err, new(*drift.ChangedError)) || p.read("a/f") != "two\n" {
			t.Errorf("WriteFile in the place of %q = %v, then %q; want the file to be kept", old, err, p.read("a/f"))
		}
	}
	if err := w.WriteFile("../f", nil, nil, 0o644); err == nil {
		t.Error("WriteFile(../f) = nil; want an error: it leads out of the tree")
	}
}

func TestAddMapping(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("envdrift.toml", mapped)
	p.mkdir("web")
	m := config.Mapping{SecretName: "web", Folder: "web"}
	name, err := p.open().AddMapping(t.Context(), m)
	if err != nil || name != "envdrift.toml" {
		t.Fatalf("AddMapping = %q, %v; want envdrift.toml", name, err)
	}
	p.write("web/.env", "A=1\n")
	if got := target(t, p.open(), "web/.env").Mapping.SecretName; got != "web" {
		t.Errorf("the new mapping names the secret %q; want web", got)
	}
}
