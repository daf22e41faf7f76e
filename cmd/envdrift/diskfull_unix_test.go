//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDiskFull runs every command that writes with a limit on file size, for
// every size from nothing to enough: the limit simulates a disk that is full at
// any point. Each file must then be the old one or the new one, and the status
// of a command that wrote less than all must say so.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare []string
		args    string
	}{
		{name: "init", args: "init"},
		{name: "encrypt", args: "encrypt .env.production"},
		{name: "decrypt", prepare: []string{"encrypt .env.production"}, args: "decrypt .env.production"},
		{name: "vault-push", prepare: []string{"encrypt .env.production", "init"}, args: "vault-push . app-key --env production"},
		{name: "vault-pull", prepare: vaulted, args: "vault-pull . app-key --env production"},
		{name: "sync", prepare: vaulted, args: "sync"},
		{name: "pull", prepare: vaulted, args: "pull"},
		{name: "lock", prepare: append(slices.Clone(vaulted), "pull"), args: "lock"},
		{name: "repair", prepare: append(slices.Clone(vaulted), "-C ../home/other encrypt .env.production"), args: "repair .env.production"},
		{name: "recipient add", prepare: vaulted, args: "recipient add age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"},
		{name: "recipient show", args: "recipient show"},
		{name: "hook install", prepare: vaulted, args: "hook install --files"},
		{name: "hook install behind another", prepare: vaulted, args: "hook install --files"},
		{name: "hook install over an older one", prepare: append(slices.Clone(vaulted), "hook install --files"), args: "hook install --files"},
		{name: "hook uninstall", prepare: append(slices.Clone(vaulted), "hook install --files"), args: "hook uninstall"},
		{name: "trust", args: "trust -c vault.toml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newSmallDisk(t)
			for _, args := range tt.prepare {
				if out, status := r.run("unlimited", args); status != 0 {
					t.Fatalf("envdrift %s: status %d\n%s", args, status, out)
				}
			}
			switch tt.name {
			case "sync", "pull", "vault-pull":
				r.move(t, ".env.keys", "../home/keys")
			case "repair": // the key of another file was used here
				r.move(t, "../home/other/.env.production", ".env.production")
				r.move(t, "../home/other/.env.keys", ".env.keys")
			case "hook install behind another":
				tree{"repo/.git/hooks/pre-commit": {mode: 0o755, data: []byte("#!/bin/sh\ntrue\n")}}.write(r.dir)
			}
			if tt.name == "hook install over an older one" {
				r.moveProgram()
			}
			r.before = treeIn(r.dir)
			if out, status := r.run("unlimited", tt.args); status != 0 {
				t.Fatalf("envdrift %s: status %d\n%s", tt.args, status, out)
			}
			r.after = treeIn(r.dir)
			if len(r.changed()) == 0 {
				t.Fatalf("envdrift %s writes nothing", tt.args)
			}
			t.Logf("%s writes %q", tt.args, r.changed())
			for blocks := 0; ; blocks++ {
				if r.full(t, blocks, tt.args) {
					return
				}
			}
		})
	}
}

// vaulted puts the key of .env.production into a vault.
var vaulted = []string{"encrypt .env.production", "init", "vault-push --all", "vault-push . app-key --env production"}

// A smallDisk is a folder in which commands run out of disk space.
type smallDisk struct {
	dir           string // the folder of the repository, and of the home
	before, after tree
}

func newSmallDisk(t *testing.T) *smallDisk {
	t.Helper()
	r := &smallDisk{dir: filepath.Join(t.TempDir(), "000")}
	var env strings.Builder
	for i := range 20 {
		fmt.Fprintf(&env, "NAME%d=value-%d\n", i, i)
	}
	files := tree{
		"home": {mode: os.ModeDir}, "repo": {mode: os.ModeDir},
		"repo/.env.production": {mode: 0o644, data: []byte(env.String())}, "home/other": {mode: os.ModeDir},
		"home/other/.env.production": {mode: 0o644, data: []byte(strings.ReplaceAll(env.String(), "value", "other"))},
		"repo/vault.toml":            {mode: 0o644, data: []byte("[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = \"https://vault.example.com\"\n")},
	}
	files.write(r.dir)
	git := exec.CommandContext(t.Context(), "git", "init", "-q")
	git.Dir = filepath.Join(r.dir, "repo")
	if out, err := git.CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	return r
}

func (r *smallDisk) move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(r.dir, "repo", from), filepath.Join(r.dir, "repo", to)); err != nil {
		t.Fatal(err)
	}
}

// moveProgram makes hooks that were installed name an envdrift that was elsewhere.
func (r *smallDisk) moveProgram() {
	files := tree{}
	for name, f := range treeIn(r.dir) {
		if strings.HasPrefix(name, "repo/.git/hooks/") && bytes.Contains(f.data, []byte("/envdrift'")) {
			f.data = bytes.ReplaceAll(f.data, []byte("/envdrift'"), []byte("/elsewhere/envdrift'"))
			files[name] = f
		}
	}
	files.write(r.dir)
}

// run runs envdrift with file sizes limited to blocks.
func (r *smallDisk) run(blocks, args string) (out string, status int) {
	cmd := exec.Command("sh", "-c", `trap "" XFSZ; ulimit -f `+blocks+`; exec envdrift `+args)
	cmd.Dir = filepath.Join(r.dir, "repo")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(r.dir, "home"), "CI=", "GORACE=" + noRaceSleep,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
	}
	text, _ := cmd.CombinedOutput() // the status reports it
	return string(text), cmd.ProcessState.ExitCode()
}

// changed returns the files that the command writes if there is enough space.
// It ignores git's own files.
func (r *smallDisk) changed() (names []string) {
	all := maps.Clone(r.before)
	maps.Copy(all, r.after)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if isWritten(name) && !bytes.Equal(r.before[name].data, r.after[name].data) {
			names = append(names, name)
		}
	}
	return names
}

func isWritten(name string) bool {
	inGit, ok := strings.CutPrefix(name, "repo/.git/")
	if !ok {
		return true
	}
	dir, base, _ := strings.Cut(inGit, "/")
	return dir == "envdrift" && base != "lock-holder" || dir == "hooks" || dir == "info"
}

// full runs the command once, in a copy of the folder as it was before, and
// reports whether there was enough space.
func (r *smallDisk) full(t *testing.T, blocks int, args string) bool {
	t.Helper()
	trial := &smallDisk{dir: filepath.Join(filepath.Dir(r.dir), fmt.Sprintf("%03d", blocks+1))} // a path of the same length
	r.before.write(trial.dir)
	out, status := trial.run(fmt.Sprint(blocks), args)
	if strings.Contains(out, "envdrift-tmp") {
		t.Errorf("%s, room for %d blocks: the message names a temporary file\n%s", args, blocks, out)
	}
	got := treeIn(trial.dir)
	for name, f := range got {
		if isWritten(name) && !r.isWhole(name, f.data) {
			t.Errorf("%s, room for %d blocks: %s has %d bytes, before %d; want %d\n%s", args, blocks, name, len(f.data), len(r.before[name].data), len(r.after[name].data), out)
		}
	}
	for _, row := range regexp.MustCompile(`(?m)^installed +(\S+)`).FindAllStringSubmatch(out, -1) {
		if name := "repo/.git/hooks/" + row[1]; len(got[name].data) != len(r.after[name].data) {
			t.Errorf("%s, room for %d blocks: %s is not installed\n%s", args, blocks, row[1], out)
		}
	}
	all := true
	for _, name := range r.changed() {
		_, was := r.before[name]
		_, is := got[name]
		_, shall := r.after[name]
		if !is && was && shall {
			t.Errorf("%s, room for %d blocks: %s is gone\n%s", args, blocks, name, out)
		}
		all = all && (is == shall || strings.Contains(name, "/backup/")) && (!is || len(got[name].data) == len(r.after[name].data))
	}
	if status == 0 && !all {
		t.Errorf("%s, room for %d blocks: status 0, but not all is written\n%s", args, blocks, out)
	}
	if blocks > 100 && status != 0 {
		t.Fatalf("%s: status %d with room for %d blocks\n%s", args, status, blocks, out)
	}
	return status == 0
}

// isWhole reports whether data is the old content of the file or the new one.
// Ciphertexts and dates differ each time; their lengths do not.
func (r *smallDisk) isWhole(name string, data []byte) bool {
	before, was := r.before[name]
	after, shall := r.after[name]
	switch {
	case was && bytes.Equal(data, before.data):
		return true
	case name == "repo/.git/envdrift/state.json":
		return json.Valid(data) // it reports what was done
	case name == "home/.local/state/envdrift/trust.json":
		return json.Valid(data) // it has the path of the clone, which differs each time
	case strings.Contains(name, "/backup/"): // the name includes the time
		return bytes.Equal(data, r.before["repo/.env.production"].data)
	}
	return shall && len(data) == len(after.data)
}
