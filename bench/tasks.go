package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A task is one thing to do, of one size.
type task struct {
	group   string
	name    string
	size    int
	unit    string
	prepare prepare
}

// A prepare creates in dir what a task of the size needs, and returns the
// contestants. stop, if not nil, ends with the task.
type prepare func(b *fixture, dir string, size int) (by []contestant, stop func(), err error)

func (t task) String() string {
	if t.size == 0 {
		return t.name
	}
	return fmt.Sprintf("%s, %d %s", t.name, t.size, t.unit)
}

// allTasks returns the tasks in the order of their sizes: the time of a tool
// for one determines whether it runs the next.
func allTasks(quick bool) []task {
	var list []task
	add := func(group, name, unit string, p prepare, sizes ...int) {
		if quick {
			sizes = sizes[:1]
		}
		for _, n := range sizes {
			list = append(list, task{group, name, n, unit, p})
		}
	}
	add("start", "version", "", start, 0)
	add("exec", "exec, plain", "values", execPlain, 20)
	add("exec", "exec", "values", execEncrypted, 20, 100, 1000, 10_000)
	add("vault", "exec, key in the vault", "mappings", execVault, 1)
	add("files", "decrypt", "values", decrypt, 100, 1000, 10_000)
	add("files", "encrypt", "values", encrypt, 100, 1000, 10_000)
	add("files", "re-encrypt with one change", "values", reencrypt, 100, 1000, 10_000)
	for _, latency := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		at := fmt.Sprintf(" at %d ms", latency.Milliseconds())
		for _, c := range vaultCommands {
			add("vault", c.name+at, "mappings", c.prepare(latency), 1, 20, 200)
		}
	}
	for _, n := range []int{200, 5000, 50_000, 200_000} { // a repository is made once
		for _, staged := range []int{0, 1, 50} {
			add("hooks", fmt.Sprintf("pre-commit, %d staged", staged), "files", preCommit(staged), n)
		}
		add("hooks", "post-checkout, nothing changed", "files", postCheckout, n)
		if quick {
			break
		}
	}
	return list
}

// have leaves out tools that are not installed.
func have(all ...contestant) (list []contestant) {
	for _, c := range all {
		if c.inside != nil || c.argv[0] != "" {
			list = append(list, c)
		}
	}
	return list
}

func start(b *fixture, dir string, _ int) ([]contestant, func(), error) {
	return have(
		contestant{tool: "envdrift", command: b.in(dir, nil, b.envdrift, "version")},
		contestant{tool: "sops", command: b.in(dir, nil, b.sops, "--version")},
		contestant{tool: "dotenvx", command: b.in(dir, nil, b.dotenvx, "--version")},
		contestant{tool: "earlier tool", command: b.in(dir, nil, b.earlier, "--version")},
		contestant{tool: "empty Go program", command: b.in(dir, nil, b.empty)},
		contestant{tool: "bare execve", command: b.in(dir, nil, "true")},
	), nil, nil
}

func execPlain(b *fixture, dir string, n int) ([]contestant, func(), error) {
	if err := write(filepath.Join(dir, ".env"), plain(n)); err != nil {
		return nil, nil, err
	}
	return runners(dir, n,
		contestant{tool: "envdrift", command: b.in(dir, nil, b.envdrift, "exec", "-f", ".env", "--", "true")},
		contestant{tool: "dotenvx", command: b.in(dir, nil, b.dotenvx, "run", "-q", "-f", ".env", "--", "true")},
		contestant{tool: "bare execve", command: b.in(dir, nil, "true")},
	)
}

func execEncrypted(b *fixture, dir string, n int) ([]contestant, func(), error) {
	f, err := b.files(dir, n)
	if err != nil {
		return nil, nil, err
	}
	return runners(dir, n,
		contestant{tool: "envdrift", command: b.in(dir, f.key, b.envdrift, "exec", "-f", envFile, "--", "true")},
		contestant{tool: "sops", command: b.in(dir, f.ageKey, b.sops, "exec-env", "--same-process", "sops.env", "true")},
		contestant{tool: "dotenvx", command: b.in(dir, f.key, b.dotenvx, "run", "-q", "-f", envFile, "--", "true")},
		contestant{tool: "bare execve", command: b.in(dir, nil, "true")},
	)
}

// runners returns contestants that start a program, here true. Each first
// shows, where that does not take long, that the program gets the values.
func runners(dir string, n int, all ...contestant) ([]contestant, func(), error) {
	all = have(all...)
	if n > 100 {
		return all, nil, nil
	}
	name, _, _ := strings.Cut(string(lastLine(plain(n))), "=")
	for _, c := range all {
		show := c.command
		show.argv = append(c.argv[:len(c.argv)-1:len(c.argv)-1], "printenv", name)
		switch c.tool {
		case "bare execve":
			continue
		case "sops": // takes a line for the shell
			show.argv = append(c.argv[:len(c.argv)-1:len(c.argv)-1], "printenv "+name)
		}
		if out, err := show.output(nil); err != nil || name+"="+out != string(lastLine(plain(n))) {
			return nil, nil, fmt.Errorf("%s does not pass on %s (%v)", c.tool, name, err)
		}
	}
	return all, nil, nil
}

func lastLine(text []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return lines[len(lines)-1]
}

// files are the same values in every form: for envdrift and dotenvx the file
// with its header, for sops a separate file.
type files struct {
	dir                             string
	encrypted, decrypted            []byte
	sopsEncrypted                   []byte
	key, ageKey                     []string // for the environment
	recipient, changed, sopsChanged string   // one value of the decrypted files changed
}

func (b *fixture) files(dir string, n int) (*files, error) {
	f := &files{dir: dir}
	keys, err := b.encrypted(dir, n, ".")
	if err != nil {
		return nil, err
	}
	f.key = []string{keyName + "=" + keys[0]}
	if err := os.Remove(filepath.Join(dir, ".env.keys")); err != nil {
		return nil, err
	}
	if f.encrypted, err = os.ReadFile(filepath.Join(dir, envFile)); err != nil {
		return nil, err
	}
	out, err := b.in(dir, f.key, b.envdrift, "decrypt", "--stdout", envFile).output(nil)
	if err != nil {
		return nil, err
	}
	f.decrypted = []byte(out + "\n")
	f.changed = strings.Replace(out, "password-0@", "changed@", 1) + "\n"
	f.sopsChanged = strings.Replace(string(plain(n)), "password-0@", "changed@", 1)
	if b.sops == "" {
		return f, nil
	}
	identity, err := b.in(dir, nil, b.ageKeygen).output(nil)
	if err != nil {
		return nil, err
	}
	f.ageKey = []string{"SOPS_AGE_KEY=" + string(lastLine([]byte(identity)))}
	if f.recipient, err = b.in(dir, nil, b.ageKeygen, "-y").output([]byte(identity)); err != nil {
		return nil, err
	}
	if err := write(filepath.Join(dir, "sops.env"), plain(n)); err != nil {
		return nil, err
	}
	if _, err := b.in(dir, nil, b.sops, "encrypt", "-i", "--age", f.recipient, "sops.env").output(nil); err != nil {
		return nil, err
	}
	f.sopsEncrypted, err = os.ReadFile(filepath.Join(dir, "sops.env"))
	return f, err
}

// put writes text to the file before each run.
func (f *files) put(name string, text []byte) func() error {
	return func() error { return write(filepath.Join(f.dir, name), text) }
}

// holds checks, after each run, that the file contains the plaintext.
func (f *files) holds(name string, want bool) func() error {
	return func() error {
		data, err := os.ReadFile(filepath.Join(f.dir, name))
		if got := bytes.Contains(data, []byte("postgres://")); err == nil && got != want {
			err = fmt.Errorf("%s holds plaintext: %t; want %t", name, got, want)
		}
		return err
	}
}

func decrypt(b *fixture, dir string, n int) ([]contestant, func(), error) {
	f, err := b.files(dir, n)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := f.put(envFile, f.encrypted), f.put("sops.env", f.sopsEncrypted)
	done, sopsDone := f.holds(envFile, true), f.holds("sops.env", true)
	return have(
		contestant{tool: "envdrift", reset: ours, check: done, command: b.in(dir, f.key, b.envdrift, "decrypt", "-q", envFile)},
		contestant{tool: "sops", reset: theirs, check: sopsDone, command: b.in(dir, f.ageKey, b.sops, "decrypt", "-i", "sops.env")},
		contestant{tool: "dotenvx", reset: ours, check: done, command: b.in(dir, f.key, b.dotenvx, "decrypt", "-f", envFile)},
		contestant{tool: "earlier tool", reset: ours, check: done, command: b.in(dir, f.key, b.earlier, "decrypt", envFile)},
		contestant{tool: "curve alone", inside: curve(n, false)},
	), nil, nil
}

func encrypt(b *fixture, dir string, n int) ([]contestant, func(), error) {
	f, err := b.files(dir, n)
	if err != nil {
		return nil, nil, err
	}
	return have(append(f.encrypters(b, f.decrypted, plain(n)), contestant{tool: "curve alone", inside: curve(n, true)})...), nil, nil
}

// reencrypt does what follows an edit of a decrypted file whose encrypted form
// is committed. envdrift keeps what did not change, for which it must decrypt
// what is committed; the others re-encrypt all of it.
func reencrypt(b *fixture, dir string, n int) ([]contestant, func(), error) {
	f, err := b.files(dir, n)
	if err != nil {
		return nil, nil, err
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", envFile}, {"commit", "-qm", "first"}} {
		if _, err := b.in(dir, nil, append([]string{"git"}, args...)...).output(nil); err != nil {
			return nil, nil, err
		}
	}
	return have(append(f.encrypters(b, []byte(f.changed), []byte(f.sopsChanged)), contestant{tool: "curve alone", inside: curve(n, false)})...), nil, nil
}

func (f *files) encrypters(b *fixture, text, sopsText []byte) []contestant {
	ours, done := f.put(envFile, text), f.holds(envFile, false)
	return []contestant{
		{tool: "envdrift", reset: ours, check: done, command: b.in(f.dir, f.key, b.envdrift, "encrypt", "-q", envFile)},
		{tool: "sops", reset: f.put("sops.env", sopsText), check: f.holds("sops.env", false),
			command: b.in(f.dir, nil, b.sops, "encrypt", "-i", "--age", f.recipient, "sops.env")},
		{tool: "dotenvx", reset: ours, check: done, command: b.in(f.dir, f.key, b.dotenvx, "encrypt", "-f", envFile)},
		{tool: "earlier tool", reset: ours, check: done, command: b.in(f.dir, f.key, b.earlier, "encrypt", envFile)},
	}
}

// A vaultCommand is one that asks the vault once for every mapping. The earlier
// tool verifies one file per call.
type vaultCommand struct {
	name              string
	envdrift, earlier []string
	writes            string // in every service's folder
	decrypts          bool   // every value
}

var vaultCommands = []vaultCommand{
	{"sync", []string{"sync", "-q"}, []string{"sync", "--force", "--ci"}, ".env.keys", false},
	{"pull", []string{"pull", "-q"}, []string{"pull", "--force"}, envFile, true},
	{"verify", []string{"verify", "-q"}, nil, "", true},
}

// teamValues is how many values each file of a team has.
const teamValues = 20

// execVault is exec without a local key: one mapping, one request.
func execVault(b *fixture, dir string, n int) ([]contestant, func(), error) {
	if b.vault == nil {
		return nil, nil, nil
	}
	t, err := b.team(dir, n, openbao(b.vault.url.String()))
	if err != nil {
		return nil, nil, err
	}
	if err := t.fresh(); err != nil {
		return nil, nil, err
	}
	return have(
		contestant{tool: "envdrift", command: b.in(filepath.Join(dir, t.folders[0]), nil, b.envdrift, "exec", "--", "true")},
		contestant{tool: "least round trips", inside: leastRounds(b.vault.url.String(), t.folders, n)},
	), nil, nil
}

const verifyEach = `for f in */; do
	"$0" decrypt "$f` + envFile + `" --verify-vault --ci -p hashicorp --vault-url "$1" --secret "${f%/}-key" || exit
done`

func (v vaultCommand) prepare(latency time.Duration) prepare {
	return func(b *fixture, dir string, n int) ([]contestant, func(), error) {
		if b.vault == nil {
			return nil, nil, nil
		}
		address, stop, err := b.vault.slow(latency)
		if err != nil {
			return nil, nil, err
		}
		t, err := b.team(dir, n, openbao(address))
		if err != nil {
			return nil, stop, err
		}
		earlier := append([]string{b.earlier}, v.earlier...)
		if v.earlier == nil && b.earlier != "" {
			earlier = []string{"sh", "-c", verifyEach, b.earlier, address}
		}
		return have(
			contestant{tool: "envdrift", reset: t.fresh, check: t.wrote(v.writes), command: b.in(dir, nil, append([]string{b.envdrift}, v.envdrift...)...)},
			contestant{tool: "earlier tool", reset: t.fresh, check: t.wrote(v.writes), command: b.in(dir, nil, earlier...)},
			contestant{tool: "least round trips", inside: leastRounds(address, t.folders, n)},
			contestant{tool: "least work", reset: t.fresh, inside: v.least(t, address)},
		), stop, nil
	}
}

// A team is n services with an encrypted env file each, whose keys are in the
// vault.
type team struct {
	dir     string
	folders []string
	files   [][]byte
	keys    []string
}

func (b *fixture) team(dir string, n int, vault string) (*team, error) {
	t := &team{dir: dir}
	var config strings.Builder
	config.WriteString(vault)
	for i := range n {
		folder := fmt.Sprintf("s%03d", i)
		t.folders = append(t.folders, folder)
		fmt.Fprintf(&config, "[[vault.sync.mappings]]\nsecret_name = \"%s-key\"\nfolder_path = %q\n", folder, folder)
	}
	if err := write(filepath.Join(dir, ".gitignore"), []byte(".env.keys\n")); err != nil {
		return nil, err
	}
	keys, err := b.encrypted(dir, teamValues, t.folders...)
	if err != nil {
		return nil, err
	}
	t.keys = keys
	for i, folder := range t.folders {
		if b.vault != nil {
			if err := b.vault.put(folder+"-key", keyName+"="+keys[i]); err != nil {
				return nil, err
			}
		}
		data, err := os.ReadFile(filepath.Join(dir, folder, envFile))
		if err != nil {
			return nil, err
		}
		t.files = append(t.files, data)
	}
	// Not reset: encrypt would ask that vault which key to use.
	if err := write(filepath.Join(dir, "envdrift.toml"), []byte(config.String())); err != nil {
		return nil, err
	}
	_, err = b.in(dir, nil, "sh", "-c", "git init -q && git add -A && git commit -qm first").output(nil)
	return t, err
}

// The vaults of a team, as the configuration names them.
func openbao(address string) string {
	return fmt.Sprintf("[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = %q\n", address)
}

const ageVault = "[vault]\nprovider = \"age\"\n"

// fresh creates the folders as in a new clone.
func (t *team) fresh() error {
	for i, folder := range t.folders {
		folder = filepath.Join(t.dir, folder)
		if err := os.Remove(filepath.Join(folder, ".env.keys")); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := write(filepath.Join(folder, envFile), t.files[i]); err != nil {
			return err
		}
	}
	return nil
}

// wrote checks, after each run, that every folder has what it should.
func (t *team) wrote(name string) func() error {
	return func() error {
		for i, folder := range t.folders {
			if name == "" {
				break
			}
			data, err := os.ReadFile(filepath.Join(t.dir, folder, name))
			if err != nil {
				return err
			}
			if bytes.Equal(data, t.files[i]) {
				return fmt.Errorf("%s/%s is as before", folder, name)
			}
		}
		return nil
	}
}
