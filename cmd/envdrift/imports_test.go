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

// layers defines the direction of imports: a package may import only those of
// lower layers.
var layers = layersOf(
	"internal/lazy internal/agent internal/finder internal/ecies/secp256k1montgomery",
	"internal/secret internal/atomicfile internal/coredump internal/interrupt runner",
	"internal/ecies internal/state internal/userstate internal/loader vault gitops runner/terminal",
	"internal/dotenv internal/config internal/keystore internal/vaulthttp internal/trust internal/audit internal/upgrade hooks",
	"vault/helper vault/conformance vault/settings vault/age vault/aws vault/azure vault/gcp vault/hashicorp",
	"vault/vaulttest vault/all internal/mapping",
	"internal/keyring",
	"internal/drift",
	"internal/workspace",
	"internal/verify internal/status internal/environ",
	"internal/edit internal/rotate internal/leak",
	"internal/compare internal/scan",
	"hooks/precommit hooks/postcheckout hooks/content",
	"internal/report internal/cmdline internal/servertest internal/interop",
	"cmd/envdrift cmd/envdrift-vault-aws cmd/envdrift-vault-azure cmd/envdrift-vault-gcp cmd/envdrift-vault-hashicorp bench bench/empty contrib/helpers",
)

func layersOf(layers ...string) map[string]int {
	of := map[string]int{}
	for i, layer := range layers {
		for _, name := range strings.Fields(layer) {
			of[name] = i
		}
	}
	return of
}

// only defines which packages may import a library.
var only = map[string][]string{
	"github.com/BurntSushi/": {"internal/config"},
	"github.com/alecthomas/": {"cmd/envdrift", "internal/cmdline"},
	"github.com/aws/":        {"vault/aws"},
	"github.com/Azure/":      {"vault/azure", "internal/servertest"},
	"github.com/hashicorp/":  {"vault/hashicorp"},
	"cloud.google.com/":      {"vault/gcp", "internal/servertest"},
	"filippo.io/":            {"vault/age"},
	"github.com/decred/":     {"internal/ecies", "bench"}, // bench measures the bare curve
	"github.com/envdrift/envdrift/gitops": {
		"hooks", "hooks/precommit", "hooks/postcheckout", "hooks/content", "internal/workspace", "internal/verify", "internal/compare", "internal/rotate", "internal/leak", "internal/scan", "internal/upgrade", "cmd/envdrift",
	},
	"github.com/fatih/":      {"internal/report"},
	"github.com/creack/":     {"runner/terminal"},
	"github.com/godbus/":     {"internal/keystore"},
	"github.com/danieljoos/": {"internal/keystore"},
}

// TestImports checks the direction of dependencies, and that runner needs only
// the standard library.
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
