package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// sharedClone returns a clone of some services with an age vault, shared by a
// linked worktree.
func sharedClone(t *testing.T) (main, linked *bench, keys []*ecies.PrivateKey) {
	t.Helper()
	b := newBench(t, t.TempDir())
	var config strings.Builder
	config.WriteString("[vault]\nprovider = \"age\"\n")
	for i := range 8 {
		dir := fmt.Sprintf("s%d", i)
		if err := os.Mkdir(filepath.Join(b.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		b.write(dir+"/"+envFile, []byte("A=1\n"))
		fmt.Fprintf(&config, "[[vault.sync.mappings]]\nsecret_name = \"%s-key\"\nfolder_path = %q\nactivate_to = \".env\"\n", dir, dir)
	}
	b.run("envdrift", "init")
	b.write("envdrift.toml", []byte(config.String()))
	for i := range 8 {
		dir := fmt.Sprintf("s%d", i)
		b.run("envdrift", "encrypt", dir+"/"+envFile)
		held := dotenv.ParseKeysFile([]byte(b.read(dir + "/.env.keys"))).Entries()
		key, err := ecies.ParsePrivateKey(held[0].Value.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	b.run("envdrift", "vault-push", "--all")
	b.run("git", "init", "-q", "-b", "main")
	b.run("git", "add", "-A", ":!*.env.keys")
	b.run("git", "commit", "-q", "-m", "first")
	for i := range 8 {
		if err := os.Remove(filepath.Join(b.dir, fmt.Sprintf("s%d/.env.keys", i))); err != nil {
			t.Fatal(err)
		}
	}
	b.run("git", "worktree", "add", "-q", "../linked")
	return b, b.in("../linked"), keys
}

// atOnce starts every command in every bench three times, all at once, and
// returns the output of those that failed.
func atOnce(benches []*bench, commands ...string) (failed []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, b := range benches {
		for _, line := range commands {
			for range 3 {
				wg.Go(func() {
					<-start
					if out, err := b.try("envdrift", strings.Fields(line)...); err != nil {
						mu.Lock()
						defer mu.Unlock()
						failed = append(failed, fmt.Sprintf("%s: %v\n%s", line, err, out))
					}
				})
			}
		}
	}
	close(start)
	wg.Wait()
	return failed
}

// TestParallel runs each command that writes in many processes on one clone and
// its linked worktree. The later ones find the work done. Because an encryption
// differs each time, they may have to report that.
func TestParallel(t *testing.T) {
	t.Parallel()
	main, linked, keys := sharedClone(t)
	benches := []*bench{main, linked}
	files := ""
	for i := range keys {
		files += fmt.Sprintf(" s%d/%s", i, envFile)
	}
	steps := []struct {
		command string
		value   string // of A afterwards
		edit    bool   // before
		plain   bool   // afterwards
	}{
		{command: "sync", value: "1"},
		{command: "pull", value: "1", plain: true},
		{command: "lock", value: "2", edit: true},
		{command: "decrypt" + files, value: "2", plain: true},
		{command: "encrypt" + files, value: "3", edit: true},
		{command: "vault-push s0 s0-key --env production", value: "3"},
		{command: "vault-pull s0 s0-key --env production", value: "3"},
	}
	for _, step := range steps {
		for _, b := range benches {
			for i := range keys {
				if name := fmt.Sprintf("s%d/%s", i, envFile); step.edit {
					b.write(name, []byte(strings.NewReplacer("A=1", "A="+step.value, "A=2", "A="+step.value).Replace(b.read(name))))
				}
			}
		}
		for _, out := range atOnce(benches, step.command) {
			if !step.edit || !onlyMeanwhile(out) {
				t.Error(out)
			}
		}
		for _, b := range benches {
			for i, key := range keys {
				holds(b, fmt.Sprintf("s%d", i), key, step.value, step.plain)
			}
		}
	}
}

// holds checks the files of a service.
func holds(b *bench, dir string, key *ecies.PrivateKey, value string, plain bool) {
	b.t.Helper()
	keysFile := b.read(dir + "/.env.keys")
	if held := dotenv.ParseKeysFile([]byte(keysFile)).Entries(); len(held) != 1 || held[0].Value.Reveal() != key.Reveal() {
		b.t.Errorf("%s/.env.keys holds %d keys; want its own", dir, len(held))
	}
	doc := dotenv.Parse([]byte(b.read(dir + "/" + envFile)))
	values, err := doc.Reveal(ecies.Keys{key})
	if err != nil || values[len(values)-1].Plaintext.Reveal() != value || (doc.State() == dotenv.Plain) != plain {
		b.t.Errorf("%s/%s is %v, %v; want A=%s, plain %t", dir, envFile, doc.State(), err, value, plain)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, dir, ".envdrift-tmp-*")); left != nil {
		b.t.Errorf("left behind: %q", left)
	}
}

// TestParallelDifferent runs commands at the same time that want different
// things. Some may have to report that, but what they write is whole.
func TestParallelDifferent(t *testing.T) {
	t.Parallel()
	main, linked, keys := sharedClone(t)
	main.run("envdrift", "hook", "install")
	benches := []*bench{main, linked}
	head := strings.TrimSpace(main.run("git", "rev-parse", "HEAD"))
	none := strings.Repeat("0", len(head))
	said := atOnce(benches, "sync", "pull", "lock", "hook install", "hook run post-checkout "+none+" "+head+" 1", "hook run pre-commit", "status", "repair")
	for _, out := range said {
		if !onlyMeanwhile(out) {
			t.Error(out)
		}
	}
	for _, b := range benches {
		b.run("envdrift", "pull")
		b.run("envdrift", "lock")
		for i, key := range keys {
			holds(b, fmt.Sprintf("s%d", i), key, "1", false)
		}
		if got := b.run("git", "status", "--porcelain", ":!.gitignore"); got != "" {
			t.Errorf("git status:\n%s", got)
		}
	}
	lines := strings.Fields(main.read(".gitignore"))
	slices.Sort(lines)
	if want := 1 + len(keys); len(slices.Compact(slices.Clone(lines))) != want || len(lines) != want {
		t.Errorf(".gitignore holds %q; want the keys file and every copy, once", lines)
	}
}

// TestParallelTrust trusts the vaults of many repositories at once.
func TestParallelTrust(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	var benches []*bench
	for i := range 6 {
		b := newBench(t, home)
		b.write("envdrift.toml", fmt.Appendf(nil, "[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = \"https://v%d.example\"\n[[vault.sync.mappings]]\nsecret_name = \"s\"\nfolder_path = \".\"\n", i))
		benches = append(benches, b)
	}
	for _, out := range atOnce(benches, "trust") {
		t.Error(out)
	}
	listed := benches[0].run("envdrift", "trust", "--list")
	for i, b := range benches {
		if want := fmt.Sprintf("https://v%d.example", i); strings.Count(listed, want) != 1 || !strings.Contains(listed, b.dir) {
			t.Errorf("the list lacks %s:\n%s", want, listed)
		}
	}
}

// TestParallelBackups replaces keys at once: every old one must be kept, whole.
func TestParallelBackups(t *testing.T) {
	t.Parallel()
	main, linked, keys := sharedClone(t)
	benches := []*bench{main, linked}
	stranger, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	old := "DOTENV_PRIVATE_KEY_PRODUCTION=" + stranger.Reveal() + "\n"
	for _, b := range benches {
		for i := range keys {
			b.write(fmt.Sprintf("s%d/.env.keys", i), []byte(old))
		}
	}
	for _, out := range atOnce(benches, "sync --force") {
		t.Error(out)
	}
	for _, b := range benches {
		for i, key := range keys {
			holds(b, fmt.Sprintf("s%d", i), key, "1", false)
		}
	}
	kept, _ := filepath.Glob(filepath.Join(main.dir, ".git/envdrift/backup/*"))
	for _, name := range kept {
		if data, err := os.ReadFile(name); err != nil || string(data) != old {
			t.Errorf("%s is not what was there: %v", name, err)
		}
	}
	if want := len(benches) * len(keys); len(kept) != want {
		t.Errorf("%d backups; want %d", len(kept), want)
	}
}

// TestParallelWithoutClone has no lock that protects the temporary files of one
// run from another.
func TestParallelWithoutClone(t *testing.T) {
	t.Parallel()
	b := newBench(t, t.TempDir())
	var commands, files []string
	for i := range 8 {
		file := fmt.Sprintf(".env.e%d", i)
		b.write(file, []byte("A=1\n"))
		b.run("envdrift", "encrypt", file)
		commands, files = append(commands, "decrypt "+file), append(files, file)
	}
	for _, out := range atOnce([]*bench{b}, commands...) {
		t.Error(out)
	}
	for _, file := range files {
		if got := dotenv.Parse([]byte(b.read(file))).State(); got != dotenv.Plain {
			t.Errorf("%s is %v; want it in plain text", file, got)
		}
	}
}

// onlyMeanwhile reports whether a command failed only because another one wrote
// the file first, and said what to do. Status fails if it sees what pull wrote
// before lock has encrypted it again.
func onlyMeanwhile(out string) bool {
	if strings.HasPrefix(out, "status: ") {
		return strings.Count(out, "\nplaintext ") > 0 && !strings.Contains(out, "\ndrift ")
	}
	failed := strings.Count(out, "\nfailed ") + strings.Count(out, "\ndiffers ")
	return failed > 0 && strings.Count(out, "was changed by another program in the meantime") == failed && strings.Contains(out, "run the same command again")
}
