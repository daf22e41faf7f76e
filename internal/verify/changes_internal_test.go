package verify

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// one is a vault with one text.
type one struct{ text string }

func (o *one) Get(_ context.Context, name string) (vault.Secret, error) {
	return vault.Secret{Name: name, Value: secret.New(o.text)}, nil
}
func (o *one) Put(context.Context, string, secret.Value, string) (string, error) {
	return "", errors.ErrUnsupported
}
func (o *one) String() string { return "one" }

// mapIndex is an index in memory.
type mapIndex struct{ fstest.MapFS }

func (mapIndex) Close() error { return nil }
func (i mapIndex) File(name string) (gitops.File, bool) {
	_, ok := i.MapFS[name]
	return gitops.File{Path: name}, ok
}

// What is decided about staged files needs no git, no process and no terminal.
func TestCheckWithoutGit(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	right, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	encrypted := func(key *ecies.PrivateKey) []byte {
		doc, _, err := dotenv.Parse([]byte("A=1\n")).Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
		if err != nil {
			t.Fatal(err)
		}
		return doc.Bytes()
	}
	store := &one{ecies.Keys{right}.Reveal()}
	o := workspace.Options{Dir: dir, Env: map[string]string{"HOME": dir}, Consent: workspace.CI, OpenVault: func(context.Context, vault.Config) (vault.Store, error) { return store, nil }}
	o.Overrides.Providers = all.Providers()
	w, err := workspace.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	config := "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \"good\"\nenv_file = \".env\"\n[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \"drift\"\nenv_file = \".env\"\n[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \"large\"\nenv_file = \".env\"\n"
	staged := map[string][]byte{"envdrift.toml": []byte(config), "good/.env": encrypted(right), "drift/.env": encrypted(stranger), "loose/.env": []byte("A=1\n"), "large/.env": nil}
	c := newChanges(w, nil)
	index := mapIndex{fstest.MapFS{}}
	c.tree = index
	for name, data := range staged {
		index.MapFS[name] = &fstest.MapFile{Data: data}
		if name != "envdrift.toml" {
			f := c.file(gitops.Change{Path: name, Status: gitops.Added})
			f.Data = data
			c.Files = append(c.Files, f)
		}
	}
	c.Check(t.Context(), t.Context())
	for _, f := range c.Files {
		switch f.Change.Path {
		case "good/.env":
			if !f.Verified || f.Err != nil || !f.Mapped {
				t.Errorf("good: verified %t, %v", f.Verified, f.Err)
			}
		case "drift/.env":
			if !drift.IsDrift(f.Err) {
				t.Errorf("drift: %v", f.Err)
			}
		case "large/.env": // its content was not read
			if f.Verified || !errors.Is(f.Err, atomicfile.ErrTooLarge) {
				t.Errorf("large: verified %t, %v", f.Verified, f.Err)
			}
		case "loose/.env":
			if !errors.As(f.Err, new(*UnmappedPlaintextError)) {
				t.Errorf("loose: %v", f.Err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil || c.Close() != nil {
		t.Error("there is a repository")
	}
}
