package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/envdrift/envdrift/internal/ecies"
)

// curve returns a function that does n times, shared by all cores and by decred's
// library, the scalar multiplications that are the minimum to decrypt a value
// (one) or to encrypt it (two, one of them by the base point), and nothing else.
func curve(n int, encrypt bool) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		k, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			return 0, err
		}
		var point secp256k1.JacobianPoint
		k.PubKey().AsJacobian(&point)
		begin := time.Now()
		var wg sync.WaitGroup
		cores := runtime.GOMAXPROCS(0)
		for i := range cores {
			wg.Go(func() {
				var r secp256k1.JacobianPoint
				for range (n + i) / cores { // of all i: n together
					if encrypt {
						secp256k1.ScalarBaseMultNonConst(&k.Key, &r)
					}
					secp256k1.ScalarMultNonConst(&k.Key, &point, &r)
				}
			})
		}
		wg.Wait()
		return time.Since(begin), nil
	}
}

// workers is the default of envdrift's max_workers: the number of requests at a
// time.
const workers = 8

// each calls do for 0 to n-1, so many at a time as envdrift asks its vault.
func each(n int, do func(int) error) error {
	failed := make([]error, n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				failed[i] = do(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// leastRounds asks the vault once for the key of each folder, on connections that
// are open, and does nothing else.
func leastRounds(address string, folders []string, n int) func() (time.Duration, error) {
	request := func(i int) error { return ask(http.MethodGet, address, folders[i]+"-key", nil) }
	return func() (time.Duration, error) {
		if err := each(min(n, workers), request); err != nil { // connects
			return 0, err
		}
		begin := time.Now()
		err := each(n, request)
		return time.Since(begin), err
	}
}

var ciphertext = regexp.MustCompile(`encrypted:[A-Za-z0-9+/=]+`)

// least does what v cannot do without: the requests; then the decryption of every
// value, by envdrift's own package; then the writes, all files before one sync, and
// all renames before another.
func (v vaultCommand) least(t *team, address string) func() (time.Duration, error) {
	requests := leastRounds(address, t.folders, len(t.folders))
	return func() (time.Duration, error) {
		spent, err := requests()
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		if v.decrypts {
			for i, file := range t.files {
				keys, err := ecies.ParsePrivateKeys(t.keys[i])
				if err != nil {
					return 0, err
				}
				for _, d := range keys.DecryptAll(ciphertext.FindAllString(string(file), -1)) {
					if d.Err != nil {
						return 0, d.Err
					}
				}
			}
		}
		if v.writes != "" {
			err = t.writeAll(v.writes)
		}
		return spent + time.Since(begin), err
	}
}

// writeAll replaces the file of this name in every folder.
func (t *team) writeAll(name string) error {
	path := func(i int) string { return filepath.Join(t.dir, t.folders[i], name) }
	data := make([]byte, 2000) // as long as a file of a team, decrypted
	err := each(len(t.folders), func(i int) error { return os.WriteFile(path(i)+".new", data, 0o600) })
	if err != nil {
		return err
	}
	syscall.Sync()
	defer syscall.Sync()
	return each(len(t.folders), func(i int) error { return os.Rename(path(i)+".new", path(i)) })
}
