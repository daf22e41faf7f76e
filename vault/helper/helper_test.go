package helper_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/helper"
	"github.com/envdrift/envdrift/vault/vaulttest"
)

// TestMain is also the helpers of the tests.
func TestMain(m *testing.M) {
	act, ok := helpers[os.Getenv("HELPER_TEST")]
	if !ok {
		os.Exit(m.Run())
	}
	if err := act(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// helpers are one that works, and those that do what they must not.
var helpers = map[string]func() error{
	"folder": func() error { return helper.Serve(context.Background(), os.Stdin, os.Stdout, openFolder) },
	"hangs":  func() error { time.Sleep(time.Hour); return nil },
	"dies":   func() error { os.Exit(3); return nil },
	"closes its output": func() error {
		_ = os.Stdout.Close()
		time.Sleep(time.Hour)
		return nil
	},
	"does not let itself be ended": func() error {
		signal.Ignore(syscall.SIGTERM)
		return afterOpen(func(string) { time.Sleep(time.Hour) })
	},
	"dies when asked": func() error {
		return afterOpen(func(string) { os.Exit(3) })
	},
	"hangs when asked": func() error {
		return afterOpen(func(string) { time.Sleep(time.Hour) })
	},
	"prints rubbish": func() error {
		return afterOpen(func(string) { fmt.Println("Loading…") })
	},
	"floods": func() error {
		return afterOpen(func(string) {
			for {
				if _, err := io.WriteString(os.Stdout, strings.Repeat("x", 1<<16)); err != nil {
					os.Exit(0)
				}
			}
		})
	},
	"answers another's question": func() error {
		return afterOpen(func(string) { fmt.Println(`{"id":7,"secrets":{"a":{"value":"x"}}}`) })
	},
	"answers for another name": func() error {
		return afterOpen(func(string) { fmt.Println(`{"id":2,"secrets":{"b":{"value":"x"}}}`) })
	},
	"does not say the version": func() error {
		return afterOpen(func(string) { fmt.Println(`{"id":2,"value":"x"}`) }, `,"versions":true`)
	},
	"echoes": func() error {
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	},
	"answers late": func() error {
		id := 1
		return afterOpen(func(string) {
			time.Sleep(300 * time.Millisecond)
			id++
			fmt.Printf(`{"id":%d,"value":"%d","version":"1"}`+"\n", id, id)
		})
	},
	"is a batch that lacks a name": func() error {
		return afterOpen(func(string) { fmt.Println(`{"id":2,"secrets":{"b":{"value":"x","version":"1"}}}`) }, `,"batch":20`)
	},
	"is for another vault": func() error {
		os.Exit(helper.Main(vault.Provider{Name: "gcp"}, nil))
		return nil
	},
	"leaves a program behind": func() error {
		return afterOpen(func(string) {
			child := exec.Command("sleep", "60")
			child.Stdout = os.Stdout
			_ = child.Start()
			os.Exit(3)
		})
	},
	"reports an unknown kind": func() error {
		return afterOpen(func(string) { fmt.Println(`{"id":2,"error":{"kind":"strange","detail":"what?"}}`) })
	},
	"talks too much": func() error {
		return afterOpen(func(string) {
			fmt.Printf(`{"id":2,"error":{"kind":"denied","detail":"no %s"}}`+"\n", strings.Repeat("ä", 1<<20))
		})
	},
	"stays": func() error {
		fmt.Println(`{"id":1,"protocol":1,"vault":"test"}`)
		_, _ = io.Copy(io.Discard, os.Stdin)
		time.Sleep(time.Hour)
		return nil
	},
	"notices": func() error {
		return afterOpen(func(string) {
			for range 10_000 {
				fmt.Println(`{"notice":"wait"}`)
			}
			fmt.Println(`{"id":2,"value":"x"}`)
		})
	},
	"reads nothing": func() error {
		fmt.Println(`{"id":1,"protocol":1,"vault":"test"}`)
		time.Sleep(time.Hour)
		return nil
	},
	"speaks another version": func() error {
		fmt.Println(`{"id":1,"protocol":2,"vault":"of the future"}`)
		_, _ = io.Copy(io.Discard, os.Stdin)
		return nil
	},
}

// afterOpen answers the first request, with more, and then does something else.
func afterOpen(act func(line string), more ...string) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	fmt.Printf(`{"id":1,"protocol":1,"vault":"test"%s}`+"\n", strings.Join(more, ""))
	for lines.Scan() {
		act(lines.Text())
	}
	return lines.Err()
}

// A folder is a vault of files, one for each secret. It denies and fails as it is told.
type folder struct {
	dir, fails string
	mu         sync.Mutex
}

func openFolder(_ context.Context, settings map[string]string, cfg vault.Config) (vault.Store, error) {
	if settings["fails"] == "config" {
		return nil, &vault.Error{Op: "open", Vault: "folder", Err: vault.ErrConfig, Detail: "it is to fail", Remedy: "do not tell it to"}
	}
	if settings["notice"] != "" {
		cfg.Notice(settings["notice"])
	}
	return &folder{dir: settings["folder"], fails: settings["fails"]}, nil
}

func (f *folder) String() string { return "folder " + filepath.Base(f.dir) }

func (f *folder) admit(ctx context.Context, op, name string) error {
	kind := map[string]error{
		"denied": vault.ErrDenied, "unauthenticated": vault.ErrUnauthenticated, "unavailable": vault.ErrUnavailable,
	}[f.fails]
	if !regexp.MustCompile(`^[a-z0-9-]{1,100}$`).MatchString(name) {
		kind = vault.ErrName
	}
	if err := context.Cause(ctx); err != nil {
		kind = err
	}
	if kind == nil {
		return nil
	}
	return &vault.Error{Op: op, Vault: f.String(), Name: name, Err: kind, Detail: "a-z, 0-9 and -", Remedy: "ask the test"}
}

func version(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text))[:12] }

func (f *folder) Get(ctx context.Context, name string) (vault.Secret, error) {
	if err := f.admit(ctx, "get", name); err != nil {
		return vault.Secret{}, err
	}
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		return vault.Secret{}, &vault.Error{Op: "get", Vault: f.String(), Name: name, Err: vault.ErrNotFound}
	}
	return vault.Secret{Name: name, Value: secret.New(string(text)), Version: version(text)}, nil
}

func (f *folder) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	if err := f.admit(ctx, "put", name); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	seen, kind := "", error(nil)
	if text, err := os.ReadFile(filepath.Join(f.dir, name)); err == nil {
		seen = version(text)
	}
	switch {
	case value.IsEmpty():
		kind = vault.ErrMalformed
	case seen != base:
		kind = vault.ErrConflict
	}
	if kind != nil {
		return "", &vault.Error{Op: "put", Vault: f.String(), Name: name, Err: kind}
	}
	return version([]byte(value.Reveal())), os.WriteFile(filepath.Join(f.dir, name), []byte(value.Reveal()), 0o600)
}

// A batchFolder takes several names at once.
type batchFolder struct{ *folder }

func (batchFolder) MaxBatch() int { return 20 }

func (f batchFolder) GetBatch(ctx context.Context, names []string) map[string]vault.Result {
	results := map[string]vault.Result{}
	for _, name := range names {
		s, err := f.Get(ctx, name)
		results[name] = vault.Result{Secret: s, Err: err}
	}
	return results
}

func init() {
	helpers["batch"] = func() error {
		return helper.Serve(context.Background(), os.Stdin, os.Stdout, func(ctx context.Context, settings map[string]string, cfg vault.Config) (vault.Store, error) {
			f, err := openFolder(ctx, settings, cfg)
			if err != nil {
				return nil, err
			}
			return batchFolder{f.(*folder)}, nil
		})
	}
}

// start opens a vault with one of the helpers.
func start(t *testing.T, which string, settings map[string]string, cfg vault.Config) (vault.Store, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return helper.Open(t.Context(), helper.Program{Provider: "exec:test", Path: self, Env: []string{"HELPER_TEST=" + which, "PATH=" + os.Getenv("PATH")}, Settings: settings}, cfg)
}

// TestConformance runs the suite of all vaults through a helper.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"folder", "batch"} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			vaulttest.Run(t, func(t *testing.T) vaulttest.Fixture {
				dir := t.TempDir()
				open := func(fails string) vault.Store {
					s, err := start(t, which, map[string]string{"folder": dir, "fails": fails}, vault.Config{})
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				one := open("")
				return vaulttest.Fixture{
					Store: one, Reopen: func() vault.Store { return one }, // the folder is locked by its process alone
					Denied: open("denied"), Unauthenticated: open("unauthenticated"), Unavailable: open("unavailable"),
					Name: func(short string) string { return "n-" + short },
					Seed: func(name, raw string) {
						if err := os.WriteFile(filepath.Join(dir, name), []byte(raw), 0o600); err != nil {
							t.Fatal(err)
						}
					},
					BadNames: []string{"UPPER"}, Credentials: []string{"none-in-use"},
					Lacks: map[vaulttest.Capability]string{
						vaulttest.Malformed: "a folder holds any text", vaulttest.Pins: "a folder keeps one version",
					},
				}
			})
		})
	}
}

// TestHostile: a helper that does what it must not is a clear error, in time.
func TestHostile(t *testing.T) {
	t.Parallel()
	for which, want := range map[string]struct {
		kind error
		text string
	}{
		"hangs":                        {vault.ErrUnavailable, "has not answered for"},
		"dies":                         {vault.ErrUnavailable, "it ended without an answer: exit status 3"},
		"closes its output":            {vault.ErrUnavailable, "it ended without an answer"},
		"does not let itself be ended": {vault.ErrUnavailable, "has not answered for"},
		"dies when asked":              {vault.ErrUnavailable, "it ended without an answer"},
		"hangs when asked":             {vault.ErrUnavailable, "has not answered for"},
		"prints rubbish":               {vault.ErrUnavailable, "a line that is no answer"},
		"floods":                       {vault.ErrUnavailable, "a line of more than 4 MiB"},
		"answers another's question":   {vault.ErrUnavailable, "answered what was not asked"},
		"answers for another name":     {vault.ErrMalformed, "it is empty"},
		"does not say the version":     {vault.ErrUnavailable, "does not say which version it is"},
		"is for another vault":         {vault.ErrConfig, "the program that was started is the helper for gcp"},
		"talks too much":               {vault.ErrDenied, "ä…"},
		"echoes":                       {vault.ErrConfig, "it is no helper of envdrift's"},
		"leaves a program behind":      {vault.ErrUnavailable, "has not answered for"},
		"reports an unknown kind":      {vault.ErrUnavailable, `the unknown kind "strange": what?`},
		"speaks another version":       {vault.ErrConfig, "speaks version 2 of the protocol, and this envdrift speaks 1"},
	} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			s, err := start(t, which, nil, vault.Config{Timeout: 200 * time.Millisecond})
			if err == nil {
				_, err = s.Get(t.Context(), "a")
			}
			self, _ := os.Executable()
			if err != nil && which != "is for another vault" && which != "talks too much" && want.kind != vault.ErrMalformed && (!strings.Contains(err.Error(), "exec:test") || !strings.Contains(err.Error(), self)) {
				t.Errorf("%v; want the helper's name and its path", err)
			}
			e := (*vault.Error)(nil)
			if !errors.As(err, &e) || !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
				t.Errorf("%v; want %v with %q", err, want.kind, want.text)
			}
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if s != nil {
				if _, again := s.Put(t.Context(), "a", secret.New("s3cr3t"), ""); again == nil || strings.Contains(again.Error(), "s3cr3t") {
					t.Errorf("afterwards, Put = %v; want an error", again)
				}
			}
		})
	}
}

// TestReadsNothing: a helper that does not read a long request is an error, in time.
func TestReadsNothing(t *testing.T) {
	t.Parallel()
	s, err := start(t, "reads nothing", nil, vault.Config{Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := s.Put(context.Background(), "a", secret.New(strings.Repeat("x", 300_000)), "")
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, vault.ErrUnavailable) {
			t.Errorf("Put = %v; want ErrUnavailable", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Put hangs")
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	if s, err := start(t, "folder", map[string]string{"fails": "config"}, vault.Config{}); s != nil || !errors.Is(err, vault.ErrConfig) ||
		!strings.Contains(err.Error(), "it is to fail") || err.(*vault.Error).Remedy != "do not tell it to" {
		t.Errorf("Open = %v, %v; want the helper's own error", s, err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if s, err := helper.Open(t.Context(), helper.Program{Path: missing}, vault.Config{}); s != nil || !errors.Is(err, vault.ErrConfig) || !strings.Contains(err.Error(), missing) {
		t.Errorf("Open = %v, %v; want an ErrConfig that names the program", s, err)
	}
}

// TestEnds: a helper ends when its client does.
func TestEnds(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{"HELPER_TEST=folder"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the helper: %v; want it to end in peace", err)
	}
}

// TestClose: a helper ends when its store is closed, also one that does not want to.
func TestClose(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"folder", "stays"} {
		s, err := start(t, which, map[string]string{"folder": t.TempDir()}, vault.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.(io.Closer).Close(); err != nil {
			t.Errorf("Close, %s: %v", which, err)
		}
		if _, err := s.Get(t.Context(), "a"); !errors.Is(err, vault.ErrUnavailable) {
			t.Errorf("Get from a closed vault, %s: %v; want ErrUnavailable", which, err)
		}
	}
}

// TestNotice: what a helper notices is shown, without secrets.
func TestNotice(t *testing.T) {
	t.Parallel()
	shown := make(chan string, 1)
	_, err := start(t, "folder", map[string]string{"notice": "waiting for hvs.CAESIhunter2hunter2hunter2"}, vault.Config{Notice: func(text string) { shown <- text }})
	if text := <-shown; err != nil || !strings.HasPrefix(text, "waiting for ") || strings.Contains(text, "hunter2") {
		t.Errorf("Open showed %q, %v", text, err)
	}
}

// TestManyNotices: a helper that does not stop to notice does not fill the screen.
func TestManyNotices(t *testing.T) {
	t.Parallel()
	shown := 0
	s, err := start(t, "notices", nil, vault.Config{Notice: func(string) { shown++ }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a"); err != nil || shown == 0 || shown > 1000 {
		t.Errorf("Get = %v, after %d notices; want some, not all", err, shown)
	}
}

// TestOneAtATime: a helper that says nothing of it has one request at a time, also
// while nobody waits for the answer any more.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	s, err := start(t, "answers late", nil, vault.Config{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get until a deadline = %v; want that", err)
	}
	var wg sync.WaitGroup
	answers := make([]string, 3)
	for i := range answers {
		wg.Go(func() {
			got, err := s.Get(t.Context(), "a")
			if answers[i] = got.Value.Reveal(); err != nil {
				t.Errorf("Get = %v", err)
			}
		})
	}
	wg.Wait()
	slices.Sort(answers)
	if !slices.Equal(answers, []string{"3", "4", "5"}) { // the id of each request
		t.Errorf("answers %q; want those to each request", answers)
	}
}

// TestCancelledHangs: a helper that hangs in a call that was cancelled does not keep
// the next one waiting.
func TestCancelledHangs(t *testing.T) {
	t.Parallel()
	s, err := start(t, "hangs when asked", nil, vault.Config{Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _ = s.Get(ctx, "a")
	if _, err := s.Get(t.Context(), "b"); !errors.Is(err, vault.ErrTimeout) {
		t.Errorf("Get after one that hangs = %v; want ErrTimeout", err)
	}
}

// TestReap: before a process ends, so does a helper that owes an answer, whatever it
// does with SIGTERM, and one that owes none may go on to read its input.
func TestReap(t *testing.T) { // not parallel: it is for all helpers of this process
	late, err := start(t, "does not let itself be ended", nil, vault.Config{})
	if err != nil {
		t.Fatal(err)
	}
	idle, err := start(t, "folder", map[string]string{"folder": t.TempDir()}, vault.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := late.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Get = %v; want the deadline", err)
	}
	helper.Reap()
	if _, err := late.Get(t.Context(), "a"); !errors.Is(err, vault.ErrUnavailable) || strings.Contains(err.Error(), "has not answered for") {
		t.Errorf("Get after Reap = %v; want that the helper has ended", err)
	}
	if _, err := idle.Get(t.Context(), "a"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("Get from another helper = %v; want ErrNotFound", err)
	}
}

func TestBatchLacks(t *testing.T) {
	t.Parallel()
	s, err := start(t, "is a batch that lacks a name", nil, vault.Config{})
	if err != nil {
		t.Fatal(err)
	}
	got := s.(vault.BatchStore).GetBatch(t.Context(), []string{"a", "b", ""})
	if err := got["a"].Err; !errors.Is(err, vault.ErrUnavailable) || !strings.Contains(err.Error(), "its answer lacks the name") {
		t.Errorf("a: %v; want that the answer lacks it", err)
	}
	if got["b"].Err != nil || !errors.Is(got[""].Err, vault.ErrName) {
		t.Errorf("b: %v, nothing: %v; want the secret, and ErrName", got["b"].Err, got[""].Err)
	}
}
