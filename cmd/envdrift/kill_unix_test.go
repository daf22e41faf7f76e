//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/servertest"
)

// A snapshot is the content of a working tree, by path.
type snapshot map[string]string

// A killing is a clone of 200 mappings in which commands are killed.
type killing struct {
	*bench
	right, stranger *ecies.PrivateKey
	random          *rand.Rand
}

// newKilling makes the clone.
func newKilling(t *testing.T, random *rand.Rand) *killing {
	t.Helper()
	keeper := newKeeper(t, 0)
	k := &killing{bench: newBench(t, t.TempDir()), random: random}
	var err error
	if k.right, err = ecies.ParsePrivateKey(keeper.key); err != nil {
		t.Fatal(err)
	}
	if k.stranger, err = ecies.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	k.env = append(k.env, "CI=true", "ENVDRIFT_TRUST=1", "VAULT_TOKEN=t0ken", "GORACE="+noRaceSleep)
	var config strings.Builder
	fmt.Fprintf(&config, manyHashicorp, servertest.Web(t, keeper))
	file := encrypted(t, k.right)
	for i := range many {
		if err := os.MkdirAll(filepath.Join(k.dir, folder(i)), 0o755); err != nil {
			t.Fatal(err)
		}
		k.write(folder(i)+"/"+envFile, []byte(file))
		fmt.Fprintf(&config, "[[vault.sync.mappings]]\nsecret_name = \"app\"\nfolder_path = %q\nactivate_to = \".env\"\n", folder(i))
	}
	k.write("envdrift.toml", []byte(config.String()))
	k.write(".gitignore", []byte(".env\n.env.keys\n"))
	k.run("git", "init", "-q")
	k.run("git", "add", "-A")
	k.run("git", "commit", "-q", "-m", "first")
	return k
}

func folder(i int) string { return "services/s" + strconv.Itoa(i) }

// look reads the working tree. The temporary files of killed runs are separate.
func (k *killing) look() (files snapshot, left []string) {
	k.t.Helper()
	files = snapshot{}
	err := fs.WalkDir(os.DirFS(k.dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case strings.HasPrefix(d.Name(), ".envdrift-tmp-"):
			left = append(left, name)
		case !d.IsDir():
			files[name] = k.read(name)
		}
		return nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return files, left
}

// restore restores the working tree.
func (k *killing) restore(want snapshot) {
	k.t.Helper()
	files, _ := k.look()
	for name := range files {
		if _, keep := want[name]; !keep {
			if err := os.Remove(filepath.Join(k.dir, name)); err != nil {
				k.t.Fatal(err)
			}
		}
	}
	for name, data := range want {
		if files[name] != data {
			k.write(name, []byte(data))
		}
	}
}

// with returns a working tree in which every env file is other.
func (s snapshot) with(env string) snapshot {
	other := snapshot{}
	for name, data := range s {
		if other[name] = data; filepath.Base(name) == envFile {
			other[name] = env
		}
	}
	return other
}

// A victim is a command that is killed, and the working trees before and after
// it. Ciphertext is compared by its plaintext, because it differs each time.
type victim struct {
	name   string
	args   []string
	before snapshot
	after  snapshot
	files  int // the folders that it works on
}

// TestKilled kills every command that writes, at random moments. Then every
// file must be the old one or the new one, nothing that contains a secret can
// be committed, and the next run completes the work. ENVDRIFT_KILLS sets how
// often.
func TestKilled(t *testing.T) {
	t.Parallel()
	rounds, seed := 1, rand.Uint64()
	if fullMatrix {
		rounds = 10
	}
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_KILLS")); err == nil {
		rounds = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ENVDRIFT_SEED"), 10, 64); err == nil {
		seed = n
	}
	k := newKilling(t, rand.New(rand.NewPCG(seed, 0)))
	for _, v := range k.victims() {
		t.Run(v.name, func(t *testing.T) {
			k.t = t
			whole := k.whole(v)
			cut, leftovers := 0, 0
			for range rounds {
				k.restore(v.before)
				killed, lived := k.kill(v, time.Duration(k.random.Float64()*float64(whole)))
				if killed {
					cut++
				} else {
					whole = lived // the machine was busy when it was measured
				}
				leftovers += k.survives(v)
				k.finishes(v)
				if t.Failed() {
					t.Fatalf("seed: ENVDRIFT_SEED=%d ENVDRIFT_KILLS=%d", seed, rounds)
				}
			}
			t.Logf("%d of %d runs of %v were killed before their end, %d temporary files were left", cut, rounds, whole, leftovers)
		})
	}
}

// victims returns the commands that write.
func (k *killing) victims() []victim {
	committed, _ := k.look()
	k.run("envdrift", "sync")
	synced, _ := k.look()
	k.run("envdrift", "pull")
	pulled, _ := k.look()
	plain := pulled[folder(0)+"/"+envFile]
	edited := pulled.with(strings.Replace(plain, "m4rked", "ed1ted", 1))
	strays := synced.with(encrypted(k.t, k.stranger))
	strays[".env.keys"] = "DOTENV_PRIVATE_KEY_PRODUCTION=" + k.stranger.Reveal() + "\n"
	repaired := synced.with(committed[folder(0)+"/"+envFile])
	repaired[".env.keys"] = strays[".env.keys"]
	few := []string{}
	for i := range 12 {
		few = append(few, folder(i)+"/"+envFile)
	}
	return []victim{
		{"sync", []string{"sync"}, committed, synced, many},
		{"pull", []string{"pull"}, committed, pulled, many},
		{"lock", []string{"lock"}, edited, edited, many},
		{"vault-pull", []string{"vault-pull", folder(0), "app", "--env", "production"}, committed, synced, 1},
		{"repair", []string{"repair"}, strays, repaired, many},
		{"encrypt", append([]string{"encrypt"}, few...), edited, edited, len(few)},
		{"decrypt", append([]string{"decrypt"}, few...), synced, pulled, len(few)},
	}
}

// whole measures how long a victim runs that is not killed.
func (k *killing) whole(v victim) time.Duration {
	k.t.Helper()
	k.restore(v.before)
	start := time.Now()
	k.run("envdrift", v.args...)
	return time.Since(start)
}

// kill starts a victim and kills it after a while, if it has not ended.
func (k *killing) kill(v victim, after time.Duration) (killed bool, lived time.Duration) {
	k.t.Helper()
	cmd := exec.Command("envdrift", v.args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = k.dir, k.env, &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait()
	if killed = !cmd.ProcessState.Exited(); !killed && !cmd.ProcessState.Success() {
		k.t.Errorf("%s: %v\n%s", v.name, cmd.ProcessState, &out)
	}
	return killed, time.Since(start)
}

// survives checks what must be true after a kill, and counts what was left
// behind.
func (k *killing) survives(v victim) (leftovers int) {
	k.t.Helper()
	now, left := k.look()
	for name, data := range now {
		if data != v.before[name] && !k.isAfter(v, name, data) {
			k.t.Errorf("%s was killed: %s is neither the old file nor the new one", v.name, name)
		}
	}
	for name := range v.before {
		if _, there := now[name]; !there {
			k.t.Errorf("%s was killed: %s is gone", v.name, name)
		}
	}
	for _, name := range left {
		info, err := os.Stat(filepath.Join(k.dir, name))
		if err != nil || dotenv.IsKeysFile([]byte(k.read(name))) && info.Mode().Perm() != 0o600 {
			k.t.Errorf("%s was killed: %s: %v, %v; want it to be its owner's alone", v.name, name, info, err)
		}
	}
	if status := k.run("git", "status", "--porcelain", "-uall"); strings.Contains(status, "??") {
		k.t.Errorf("%s was killed: git would add what it left:\n%s", v.name, status)
	}
	return len(left)
}

// isAfter reports whether data is the victim's result for a file.
func (k *killing) isAfter(v victim, name, data string) bool {
	want, ok := v.after[name]
	encrypts := v.name == "lock" || v.name == "encrypt" || v.name == "repair"
	if !encrypts || filepath.Base(name) != envFile {
		return ok && data == want
	}
	doc := dotenv.Parse([]byte(data))
	wanted, err := dotenv.Parse([]byte(want)).Reveal(ecies.Keys{k.right})
	values, err2 := doc.Reveal(ecies.Keys{k.right})
	if err != nil || err2 != nil || doc.State() != dotenv.Encrypted || len(values) != len(wanted) {
		return false
	}
	return values[len(values)-1].Plaintext.Reveal() == wanted[len(wanted)-1].Plaintext.Reveal()
}

// finishes runs the victim again, alone, and checks that all is done.
func (k *killing) finishes(v victim) {
	k.t.Helper()
	if out, err := k.try("envdrift", v.args...); err != nil {
		k.t.Errorf("%s after it was killed: %v\n%s", v.name, err, out)
	}
	now, left := k.look()
	for i := range v.files {
		names := []string{".env.keys", envFile, ".env"}
		if v.files < many { // one that writes only these
			names = names[:2]
		}
		for _, name := range names {
			name = folder(i) + "/" + name
			if _, want := v.after[name]; want && !k.isAfter(v, name, now[name]) {
				k.t.Errorf("%s after it was killed: %s is not as it should be", v.name, name)
			}
		}
	}
	if len(left) > 0 {
		k.t.Errorf("%s after it was killed: %q are still there", v.name, left)
	}
}
