package postcheckout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/state"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/all"
)

// What a checkout has to bring is decided without git, a process or a terminal.
func TestTargetsWithoutGit(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mapping := "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \"NAME\"\nenv_file = \".env\"\n"
	config := strings.ReplaceAll(mapping, "NAME", "a") + strings.ReplaceAll(mapping, "NAME", "b") + "ephemeral_keys = true\n" + strings.ReplaceAll(mapping, "NAME", "c") + "profile = \"local\"\n"
	for name, text := range map[string]string{"envdrift.toml": config, "a/.env": "A=1\n", "b/.env": "A=1\n", "c/.env": "A=1\n"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := workspace.Options{Dir: dir, Env: map[string]string{"HOME": dir}}
	o.Overrides.Providers = all.Providers()
	w, err := workspace.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		changed, profile, want string
	}{
		{"readme", "", ""},
		{"a/.env", "", "a/.env"},
		{"a/.env c/.env", "", "a/.env"},
		{"a/.env c/.env", "local", "a/.env c/.env"},
		{"a/.env", "gone", "a/.env"},
		{"envdrift.toml", "", "a/.env b/.env"},
		{"sub/pyproject.toml", "local", "a/.env b/.env c/.env"},
	}
	for _, tt := range tests {
		u := &Update{w: w, last: state.State{Profile: tt.profile}}
		changed := map[string]bool{}
		for _, file := range strings.Fields(tt.changed) {
			changed[file] = true
		}
		var got []string
		for _, target := range u.targets(changed) {
			got = append(got, target.File)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("targets for %s, profile %q = %q; want %q", tt.changed, tt.profile, got, tt.want)
		}
		if want := tt.changed != "readme"; concerns(w.Config, changed) != want {
			t.Errorf("concerns(%s) = %t; want %t", tt.changed, !want, want)
		}
	}
	u := &Update{w: w, last: state.State{Files: map[string]state.Intent{"b/.env": state.Pulled}}}
	for _, target := range u.targets(map[string]bool{"envdrift.toml": true}) {
		if !u.needsKey(target) {
			t.Errorf("needsKey(%s) = false; want true", target.File)
		}
	}
	u.last = state.State{}
	for _, target := range u.targets(map[string]bool{"b/.env": true}) {
		if u.needsKey(target) {
			t.Error("needsKey of an ephemeral key that nothing was pulled with = true")
		}
	}
}
