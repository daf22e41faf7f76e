package config_test

import (
	"errors"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
)

// Whatever a file contains, there is no panic, and the result is either a
// configuration whose paths stay inside and whose addresses are safe, or errors
// that say where.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		everything, "", "\ufeff", "a=b\nv/c=d\n", "[[mappings]]\nsecret_name='s'\nfolder_path='a'", "[tool.envdrift.vault]\nprovider='aws'\n",
		"vault.sync.mappings = [{secret_name='s', folder_path='.'}]", "a = '''\n'''' # x\nb = \"\"\"\\\"\"\"\"\"\"\n[x] # y\n", "\xff\xfe",
	} {
		f.Add("envdrift.toml", text, "")
		f.Add("pyproject.toml", text, "aws")
		f.Add("pair.txt", text, "azure")
	}
	f.Fuzz(func(t *testing.T, name, text, provider string) {
		if name = path.Base(filepath.ToSlash(name)); strings.ContainsRune(name, 0) {
			return
		}
		c, err := config.Parse(name, []byte(text), known(config.Overrides{Provider: provider}))
		if err != nil {
			checkError(t, err, strings.Count(text, "\n")+1)
			return
		}
		for i, m := range c.Mappings {
			for _, p := range []string{m.Folder, path.Join(m.Folder, m.EnvFile), path.Join(m.Folder, m.ActivateTo), path.Join(m.Folder, c.Sync.EnvKeysFilename)} {
				if !filepath.IsLocal(p) || strings.ContainsAny(p, "\\\x00") {
					t.Errorf("mapping %d leads to %q", i, p)
				}
			}
			if m.SecretName == "" || m.Line < 1 || strings.ContainsAny(m.Env(), "/\\\x00") {
				t.Errorf("mapping %d is %+v", i, m)
			}
			if v, err := c.VaultOf(m); err == nil && strings.Contains(v.URL, "@") {
				t.Errorf("mapping %d goes to %q", i, v.URL)
			}
			_, _ = c.EnvFile(m, []string{".env", m.EnvFile, m.VaultName, m.SecretName})
		}
	})
}

func checkError(t *testing.T, err error, lines int) {
	t.Helper()
	if errors.Is(err, config.ErrNoConfig) {
		return
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range all.Unwrap() {
			checkError(t, err, lines)
		}
		return
	}
	var e *config.Error
	if !errors.As(err, &e) || e.File == "" || e.Problem == "" || e.Line < 0 || e.Line > lines {
		t.Errorf("Parse gives %T %v; want an *Error in one of %d lines", err, err, lines)
	}
}
