//go:build unix

// Package helpers_test tests the helpers of this folder, with stand-ins of their tools.
package helpers_test

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/conformance"
	"github.com/envdrift/envdrift/vault/helper"
)

// A standin is where a tool's stand-in keeps its secrets, and how a helper is started
// with it.
type standin struct {
	tool, state, bin string
}

func newStandin(t *testing.T, tool string) standin {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs python3")
	}
	s := standin{tool, filepath.Join(t.TempDir(), "state"), t.TempDir()}
	program, err := filepath.Abs("testdata/standin")
	if err == nil {
		err = errors.Join(os.Symlink(program, filepath.Join(s.bin, tool)), os.Symlink(python(t), filepath.Join(s.bin, "python3")))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// python returns the program itself, where python3 is a script that looks for it.
func python(t *testing.T) string {
	t.Helper()
	path, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(path))
}

func (s standin) open(t *testing.T, settings map[string]string, env ...string) (vault.Store, error) {
	t.Helper()
	return open(t, s.tool, settings, append(env, "STANDIN="+s.state, "PATH="+s.bin+":"+os.Getenv("PATH"))...)
}

func open(t *testing.T, tool string, settings map[string]string, env ...string) (vault.Store, error) {
	t.Helper()
	path, err := filepath.Abs("envdrift-" + tool)
	if err != nil {
		t.Fatal(err)
	}
	return helper.Open(t.Context(), helper.Program{
		Provider: "exec:" + tool, Path: path, Dir: filepath.Dir(path), Settings: settings,
		Env: append(env, "PYTHONDONTWRITEBYTECODE=1"),
	}, vault.Config{})
}

// try runs the suite, and returns the tests that were left out.
func try(t *testing.T, store vault.Store, existing string) (without []string) {
	t.Helper()
	trial := conformance.NewTrial(store, existing)
	for r := range trial.Results(t.Context()) {
		for _, failure := range r.Failures {
			t.Errorf("%s: %s", r.Test, failure)
		}
		if r.Without != "" {
			without = append(without, r.Test)
		}
	}
	if left := trial.CleanUp(t.Context()); len(left) > 0 {
		t.Errorf("not deleted: %q", left)
	}
	return without
}

var tools = map[string]struct {
	token    string
	settings map[string]string
	login    string // the remedy without the token
}{
	"op":      {"OP_SERVICE_ACCOUNT_TOKEN=m4rked", map[string]string{"vault": "Team"}, "op account add"},
	"bw":      {"BW_SESSION=m4rked", nil, `export BW_SESSION="$(bw unlock --raw)"`},
	"doppler": {"DOPPLER_TOKEN=m4rked", map[string]string{"project": "p", "config": "c"}, "doppler login"},
}

// TestHelpers: each passes the suite, gives no secret to its tool as an argument, and
// says how to sign in.
func TestHelpers(t *testing.T) {
	t.Parallel()
	for tool, tt := range tools {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			s := newStandin(t, tool)
			store, err := s.open(t, tt.settings, tt.token)
			if err != nil {
				t.Fatal(err)
			}
			if without := strings.Join(try(t, store, ""), " "); without != "Existing Batch" {
				t.Errorf("left out: %s", without)
			}
			const text = "q7vAluEmArk"
			if _, err := store.Put(t.Context(), "App-key", secret.New(text), ""); err != nil {
				t.Fatal(err)
			}
			arguments, err := os.ReadFile(s.state + ".arguments")
			if err != nil || strings.Contains(string(arguments), text) || !strings.Contains(strings.ToUpper(string(arguments)), "APP") {
				t.Errorf("the arguments of %s hold a secret, or are none: %v\n%s", tool, err, arguments)
			}
			out, err := s.open(t, tt.settings)
			if err != nil {
				t.Fatal(err)
			}
			_, err = out.Get(t.Context(), "App-key")
			if e := (*vault.Error)(nil); !errors.Is(err, vault.ErrUnauthenticated) || !errors.As(err, &e) || e.Remedy != tt.login {
				t.Errorf("Get without a token = %v; want ErrUnauthenticated, and %q", err, tt.login)
			}
		})
	}
}

// TestInfisical: it reads, says that it does not store, and takes no output for none.
func TestInfisical(t *testing.T) {
	t.Parallel()
	s := newStandin(t, "infisical")
	if err := os.WriteFile(s.state, []byte(`{"app-key": "q7v $HOME"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := s.open(t, map[string]string{"project": "1-2"}, "INFISICAL_TOKEN=m4rked")
	if err != nil {
		t.Fatal(err)
	}
	if without := strings.Join(try(t, store, "app-key"), " "); without != "PutGet Update EmptyRefused Concurrent Batch Versions Conflict Atomic" {
		t.Errorf("left out: %s", without)
	}
	if got, err := store.Get(t.Context(), "app-key"); err != nil || got.Value.Reveal() != "q7v $HOME" {
		t.Errorf("Get = right value %t, %v", got.Value.Reveal() == "q7v $HOME", err)
	}
	_, err = store.Put(t.Context(), "new", secret.New("x"), "")
	if e := (*vault.Error)(nil); !errors.Is(err, vault.ErrUnsupported) || !errors.As(err, &e) || e.Remedy != "store it on Infisical's page" {
		t.Errorf("Put = %v; want that it is not supported, and what to do", err)
	}
	if s, err := s.open(t, nil); s != nil || !errors.Is(err, vault.ErrConfig) {
		t.Errorf("without a project: %v, %v; want ErrConfig", s, err)
	}
}

// TestOdd: what the tools do that one might not expect.
func TestOdd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		tool, state, name string
		settings          map[string]string
		put               bool
		want              error
		text              string
	}{
		{tool: "bw", state: `{"1":{"id":"1","name":"app-key-2","notes":"x"}}`, name: "app-key", want: vault.ErrNotFound}, // it searches for parts
		{tool: "bw", state: `{"1":{"id":"1","name":"k","notes":"x"},"2":{"id":"2","name":"k","notes":"y"}}`, name: "k", want: vault.ErrName, text: "2 items have this name"},
		{tool: "bw", state: `{"1":{"id":"1","name":"k","notes":null}}`, name: "k", want: vault.ErrMalformed},
		{tool: "op", state: `{"1":{"id":"1","title":"k","category":"SECURE_NOTE","fields":[{"id":"notesPlain","label":"notesPlain","value":"x"}]}}`, name: "k", want: vault.ErrMalformed, text: "no field envdrift"},
		{tool: "op", state: `{"1":{"id":"1","title":"k","category":"LOGIN","fields":[{"id":"envdrift","label":"envdrift","value":"x"}]}}`, name: "k", put: true, want: vault.ErrUnsupported, text: "without loss"},
		{tool: "op", settings: map[string]string{"vault": "other"}, name: "k", want: vault.ErrConfig, text: "isn't a vault"},
		{tool: "op", name: "-k", want: vault.ErrName},
		{tool: "doppler", name: "1k", want: vault.ErrName},
		{tool: "doppler", settings: map[string]string{"config": "c"}, name: "k", want: vault.ErrConfig, text: "must specify a project"},
	} {
		t.Run(tt.tool+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStandin(t, tt.tool)
			if err := os.WriteFile(s.state, []byte(cmp.Or(tt.state, "{}")), 0o600); err != nil {
				t.Fatal(err)
			}
			settings := tt.settings
			if settings == nil {
				settings = tools[tt.tool].settings
			}
			store, err := s.open(t, settings, tools[tt.tool].token)
			if err != nil {
				t.Fatal(err)
			}
			got, err := store.Get(t.Context(), tt.name)
			if tt.put {
				_, err = store.Put(t.Context(), tt.name, secret.New("y"), got.Version)
			}
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v; want %v: %s", err, tt.want, tt.text)
			}
		})
	}
}

// TestEndsTool: a tool that waits for ever is ended with its helper.
func TestEndsTool(t *testing.T) {
	t.Parallel()
	s := newStandin(t, "op")
	pid := filepath.Join(s.bin, "pid")
	waits := "#!/bin/sh\necho $$ >" + pid + "\nexec sleep 60\n"
	if err := errors.Join(os.Remove(filepath.Join(s.bin, "op")), os.WriteFile(filepath.Join(s.bin, "op"), []byte(waits), 0o755)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	path, err := filepath.Abs("envdrift-op")
	if err != nil {
		t.Fatal(err)
	}
	store, err := helper.Open(ctx, helper.Program{Provider: "exec:op", Path: path, Env: []string{"PATH=" + s.bin + ":" + os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1"}}, vault.Config{})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = store.Get(ctx, "k") }()
	var process int
	for deadline := time.Now().Add(20 * time.Second); process == 0; time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(pid)
		if process, _ = strconv.Atoi(strings.TrimSpace(string(text))); time.Now().After(deadline) {
			t.Fatal("the tool does not start")
		}
	}
	cancel()
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(process, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the tool goes on")
		}
	}
}

// TestSettings: a misspelt setting, and a tool that is not there.
func TestSettings(t *testing.T) {
	t.Parallel()
	s := newStandin(t, "op")
	if store, err := s.open(t, map[string]string{"valt": "x"}); store != nil || !errors.Is(err, vault.ErrConfig) || !strings.Contains(err.Error(), "there is no setting valt") {
		t.Errorf("Open = %v, %v; want that there is no such setting", store, err)
	}
	if err := os.Remove(filepath.Join(s.bin, "op")); err != nil {
		t.Fatal(err)
	}
	store, err := open(t, "op", nil, "PATH="+s.bin+":/usr/bin:/bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(t.Context(), "k"); !errors.Is(err, vault.ErrConfig) || !strings.Contains(err.Error(), "there is no op in PATH") {
		t.Errorf("Get = %v; want that op is not there", err)
	}
}
