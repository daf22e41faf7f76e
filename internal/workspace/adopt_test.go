package workspace_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/dotenv"
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
