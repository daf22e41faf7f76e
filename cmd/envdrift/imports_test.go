package main

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/envdrift/envdrift/"

// layers holds which way imports may point: a package may import those of
// lower layers, and of its own layer only where inside says so.
var layers = map[string]int{
	"internal/secret": 0, "internal/atomicfile": 0, "runner": 0,
	"internal/ecies": 1, "internal/state": 1, "vault": 1, "gitops": 1,
	"internal/dotenv": 2, "internal/config": 2, "internal/vaulthttp": 2, "internal/trust": 2, "hooks": 2,
	"vault/age": 3, "vault/aws": 3, "vault/azure": 3, "vault/gcp": 3, "vault/hashicorp": 3,
	"vault/vaulttest": 4, "vault/all": 4, "internal/mapping": 4,
	"internal/keyring":    5,
	"internal/drift":      6,
	"internal/servertest": 7, "internal/interop": 7,
	"cmd/envdrift": 9, "bench": 9,
}

// only holds which packages may import a library.
var only = map[string][]string{
	"github.com/go-git/":                  {"gitops"},
	"github.com/BurntSushi/":              {"internal/config"},
	"github.com/alecthomas/":              {"cmd/envdrift"},
	"github.com/aws/":                     {"vault/aws"},
	"github.com/Azure/":                   {"vault/azure", "internal/servertest"},
	"github.com/hashicorp/":               {"vault/hashicorp"},
	"cloud.google.com/":                   {"vault/gcp", "internal/servertest"},
	"filippo.io/":                         {"vault/age"},
	"github.com/decred/":                  {"internal/ecies", "bench"}, // bench measures the bare curve
	"github.com/envdrift/envdrift/gitops": {"hooks", "cmd/envdrift"},
}

// TestImports holds the direction of dependencies, and that runner needs the
// standard library alone.
func TestImports(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if base := d.Name(); dir != root && (strings.HasPrefix(base, ".") || base == "testdata" || base == "zz") {
			return fs.SkipDir
		}
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			return nil // no Go files
		}
		name, _ := filepath.Rel(root, dir)
		checkImports(t, filepath.ToSlash(name), pkg.Imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImports(t *testing.T, name string, imports []string) {
	layer, known := layers[name]
	if !known {
		t.Errorf("package %s stands in no layer", name)
	}
	for _, imported := range imports {
		if ours, ok := strings.CutPrefix(imported, module); ok && layers[ours] >= layer {
			t.Errorf("%s imports %s, which lies no deeper", name, ours)
		}
		if name == "runner" && strings.Contains(imported, ".") {
			t.Errorf("runner imports %s; it is to need the standard library alone", imported)
		}
		for library, allowed := range only {
			if strings.HasPrefix(imported, library) && !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s, which only %v may", name, imported, allowed)
			}
		}
	}
}
