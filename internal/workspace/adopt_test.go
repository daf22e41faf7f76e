package workspace_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/workspace"
)

// TestAdoptStoresAtOnce: keys are stored several at a time, those of one secret one
// after another, and a file that fails stops no other.
func TestAdoptStoresAtOnce(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	const n = 4
	toml, files := strings.Builder{}, []string{}
	toml.WriteString("[vault]\nprovider = \"local\"\n")
	for i := range n {
		fmt.Fprintf(&toml, "[[vault.sync.mappings]]\nsecret_name = \"s%d\"\nfolder_path = \"s%d\"\n", i, i)
		p.write(fmt.Sprintf("s%d/.env", i), "A=1\n")
		files = append(files, fmt.Sprintf("s%d/.env", i))
	}
	fmt.Fprint(&toml, "[[vault.sync.mappings]]\nsecret_name = \"s0\"\nfolder_path = \"shared\"\n")
	p.write("shared/.env", "A=2\n")
	p.write("s2/.env", "no value\n")
	p.write("envdrift.toml", toml.String())

	var mu sync.Mutex
	entered, all := 0, make(chan struct{})
	p.vaults.at("").onPut = func() {
		mu.Lock()
		if entered++; entered == n-1 { // all but s2's
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
		case <-time.After(10 * time.Second):
			t.Error("a key was stored alone")
		}
	}
	done := p.open().Adopt(t.Context(), append(files, "shared/.env"))
	for i, a := range done {
		if i == 2 {
			if a.Err == nil || a.Stored {
				t.Errorf("%s: stored %t, %v; want an error", a.File, a.Stored, a.Err)
			}
			continue
		}
		held := p.vaults.at("").secrets[a.Target.Mapping.SecretName]
		if a.Err != nil || held == "" || !dotenv.Parse([]byte(p.read(a.File))).State().HasCiphertext() {
			t.Errorf("%s: %v; the vault has a key: %t", a.File, a.Err, held != "")
		}
	}
}

func TestMapFile(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.commit("below/envdrift.toml", mapped)
	p.write("below/api/.env", "A=1\n")
	p.write("below/web/.env.staging", "A=1\n")
	p.write("below/web/.env.example", "A=\n")
	p.write(".env", "A=1\n")
	w := p.open(func(o *workspace.Options) { o.Dir = p.path("below") })
	if m, in, err := w.MapFile(t.Context(), "below/api/.env"); err != nil || in != "" || m.SecretName != "api" {
		t.Errorf("MapFile of a mapped file = %q in %q, %v; want that mapping", m.SecretName, in, err)
	}
	for range 2 {
		m, in, err := w.MapFile(t.Context(), "below/web/.env.staging")
		if err != nil || m.SecretName != "repo-below-web-staging-key" || m.Env() != "staging" || m.Folder != "web" {
			t.Errorf("MapFile = %q for %s in %s, %q, %v", m.SecretName, m.Env(), m.Folder, in, err)
		}
	}
	var files []string
	for _, target := range w.All() {
		if target.Err != nil {
			t.Errorf("%s: %v", target.File, target.Err)
		}
		files = append(files, target.File)
	}
	if want := []string{"below/api/.env", "below/web/.env.staging"}; !slices.Equal(files, want) {
		t.Errorf("mapped: %q; want %q", files, want)
	}
	if _, _, err := w.MapFile(t.Context(), "below/web/.env.example"); !errors.As(err, new(*workspace.CompanionError)) {
		t.Errorf("MapFile of a template = %v; want a CompanionError", err)
	}
	if _, _, err := w.MapFile(t.Context(), ".env"); err == nil || !strings.Contains(err.Error(), "next to it or below") {
		t.Errorf("MapFile above the configuration = %v", err)
	}
	if _, _, err := w.MapFile(t.Context(), "below/nope"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("MapFile of no file = %v; want fs.ErrNotExist", err)
	}
}
