package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// secretMark begins every value of a project, so that it is found where it must
// not be.
const secretMark = "m4rked-"

// A judged project is a folder with an env file, whose key is in an age vault there. The
// user and a server can read the vault, each with an identity of their own.
type judged struct {
	t                *testing.T
	dir              string
	home, serverHome string
	right, stranger  *ecies.PrivateKey
	secrets          []string            // private keys and identities
	held             map[string][]string // the values of each object
}

// in returns the project for a test of its own.
func (p *judged) in(t *testing.T) *judged {
	other := *p
	other.t, other.held = t, map[string][]string{}
	return &other
}

const judgedConfig = "[vault]\nprovider = \"age\"\n" + judgedMapping

const judgedMapping = `[[vault.sync.mappings]]
secret_name = "k"
folder_path = "."
env_file = ".env.production"
`

func newJudged(t *testing.T, config string) *judged {
	t.Helper()
	p := &judged{t: t, dir: t.TempDir(), home: t.TempDir(), serverHome: t.TempDir()}
	var recipients []age.Recipient
	list := ""
	for _, home := range []string{p.home, p.serverHome} {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(home, "envdrift", "identity.txt"), []byte(identity.String()+"\n"))
		recipients = append(recipients, identity.Recipient())
		list += identity.Recipient().String() + "\n"
		p.secrets = append(p.secrets, identity.String())
	}
	for _, key := range []**ecies.PrivateKey{&p.right, &p.stranger} {
		var err error
		if *key, err = ecies.GenerateKey(); err != nil {
			t.Fatal(err)
		}
		p.secrets = append(p.secrets, (*key).Reveal())
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipients...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte(p.right.Reveal()))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(p.dir, ".envdrift", "vault", "k.age"), sealed.Bytes())
	writeFile(t, filepath.Join(p.dir, ".envdrift", "recipients"), []byte(list))
	writeFile(t, filepath.Join(p.dir, "envdrift.toml"), []byte(config))
	writeFile(t, filepath.Join(p.dir, "readme.md"), []byte("nothing of ours\n"))
	writeFile(t, filepath.Join(p.dir, envFile), p.encrypt(p.right, nil, "A", "B"))
	return p
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// plain returns an env file in which the value of each name is its mark and the
// name: every value is another one.
func plain(names ...string) []byte {
	var text bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&text, "%s=%s%s\n", name, secretMark, name)
	}
	return text.Bytes()
}

// encrypt returns the env file with these names, encrypted for key; those that
// previous has too keep their ciphertext if the key is the same.
func (p *judged) encrypt(key *ecies.PrivateKey, previous []byte, names ...string) []byte {
	p.t.Helper()
	doc, _, err := dotenv.Parse(plain(names...)).Encrypt(key.PublicKey(), dotenv.EncryptOptions{
		Header: "DOTENV_PUBLIC_KEY_PRODUCTION", File: envFile,
		Previous: dotenv.Parse(previous), PreviousKeys: ecies.Keys{key},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return doc.Bytes()
}

// values returns the names of the values that a file holds, encrypted for one of
// the project's keys or not at all.
func (p *judged) values(data []byte) (names []string) {
	for _, e := range dotenv.Parse(data).Entries() {
		value := e.Value
		if ecies.IsEncrypted(value) {
			text, _, err := ecies.Keys{p.right, p.stranger}.Decrypt(value)
			if err != nil {
				continue
			}
			value = string(text)
		}
		if name, ok := strings.CutPrefix(value, secretMark); ok {
			names = append(names, name)
		}
	}
	return names
}

// repository makes the project a repository in which the user works.
func (p *judged) repository() *bench {
	p.t.Helper()
	b := newBench(p.t, p.home).with("GIT_ALLOW_PROTOCOL=file:git:http", "PYTHONDONTWRITEBYTECODE=1", "GORACE="+noRaceSleep)
	if err := os.CopyFS(b.dir, os.DirFS(p.dir)); err != nil {
		p.t.Fatal(err)
	}
	b.run("git", "init", "-q", "-b", "main")
	b.run("git", "config", "user.name", "a") // simple-git gives git no GIT_AUTHOR_NAME
	b.run("git", "config", "user.email", "a@example.com")
	b.run("git", "add", "-A")
	b.run("git", "commit", "-q", "-m", "first")
	return b
}

// An oracle says what is wrong with the content of a repository. It shares the
// cipher and the parser with the code under test, nothing else.
type oracle struct {
	*judged
	known map[string]string // what is wrong with each object, and each file of a commit
	old   map[string]bool   // objects that were there before our hooks
}

func newOracle(p *judged) *oracle { return &oracle{p, map[string]string{}, map[string]bool{}} }

// wrong returns what is wrong with what the revisions reach, the objects of tags
// included; "" if nothing is.
func (o *oracle) wrong(b *bench, revisions ...string) string {
	o.t.Helper()
	if len(revisions) == 0 {
		return ""
	}
	var ask []string
	objects := strings.Fields(b.run("git", append([]string{"rev-list", "--objects", "--no-object-names"}, revisions...)...))
	for _, object := range objects {
		for _, name := range []string{object, object + ":" + envFile} {
			if _, ok := o.known[name]; !ok {
				ask = append(ask, name)
			}
		}
	}
	found := catFile(o.t, b, ask)
	for _, name := range ask {
		o.known[name] = "" // a tree, or no such file
	}
	for name, file := range found {
		object, _, named := strings.Cut(name, ":")
		if o.old[file.oid] {
			continue // also if a new commit still has it
		}
		if !named {
			o.known[name] = o.wrongBlob(file.data)
		} else if found[object].kind == "commit" { // not a tag of one
			o.known[name] = o.wrongFile(file.data)
		}
	}
	for _, object := range objects {
		for _, name := range []string{object, object + ":" + envFile} {
			if wrong := o.known[name]; wrong != "" {
				return name[:7] + " " + wrong
			}
		}
	}
	return ""
}

// wrongBlob returns what no file may hold.
func (o *oracle) wrongBlob(content []byte) string {
	if bytes.Contains(content, []byte(secretMark)) {
		return "shows a secret"
	}
	for _, text := range o.secrets {
		if bytes.Contains(content, []byte(text)) {
			return "holds a private key"
		}
	}
	return ""
}

// wrongFile returns why the vault's key does not decrypt the mapped file.
func (o *oracle) wrongFile(content []byte) string {
	seen := 0
	for _, e := range dotenv.Parse(content).Entries() {
		if strings.HasPrefix(e.Name, dotenv.PublicPrefix) {
			continue
		}
		seen++
		value, _, err := ecies.Keys{o.right}.Decrypt(e.Value)
		if err != nil || string(value) != secretMark+e.Name {
			return "does not decrypt " + e.Name
		}
	}
	if seen == 0 {
		return "holds nothing"
	}
	return ""
}

type gitObject struct {
	oid, kind string
	data      []byte
}

// catFile returns each object that exists and is no tree.
func catFile(t *testing.T, b *bench, names []string) map[string]gitObject {
	t.Helper()
	if len(names) == 0 {
		return nil
	}
	cmd := exec.Command("git", "cat-file", "--batch")
	cmd.Dir, cmd.Env, cmd.Stdin = b.dir, b.env, strings.NewReader(strings.Join(names, "\n")+"\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git cat-file: %v", err)
	}
	objects := map[string]gitObject{}
	for _, name := range names {
		line, rest, _ := bytes.Cut(out, []byte("\n"))
		out = rest
		fields := strings.Fields(string(line))
		size, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			continue // missing
		}
		if fields[1] != "tree" {
			objects[name] = gitObject{fields[0], fields[1], out[:size]}
		}
		out = out[size+1:]
	}
	return objects
}

// kept returns the names of the values that are left somewhere: in one of the
// working trees of a repository, in an index, a commit that a ref or a reflog has,
// a stash, or a backup.
func (p *judged) kept(places ...*bench) map[string]bool {
	b := places[0]
	b.t.Helper()
	found := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(b.dir, ".git", "envdrift", "backup", "*"))
	for _, place := range places {
		files = append(files, filepath.Join(place.dir, envFile))
	}
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			for _, name := range p.values(data) {
				found[name] = true
			}
		}
	}
	objects := strings.Fields(b.run("git", "rev-list", "--objects", "--no-object-names", "--all", "--reflog", "--indexed-objects"))
	unread := slices.DeleteFunc(slices.Clone(objects), func(object string) bool { _, ok := p.held[object]; return ok })
	for name, object := range catFile(p.t, b, unread) {
		p.held[name] = p.values(object.data)
	}
	for _, object := range objects {
		for _, name := range p.held[object] {
			found[name] = true
		}
	}
	return found
}

// serverHook lets a bare repository check what is pushed, in the hook of that name.
// The server has the age identity in its home, unless there is an environment.
func serverHook(p *judged, dir, event string, env ...string) {
	p.t.Helper()
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	home := p.serverHome
	if len(env) > 0 {
		home = p.t.TempDir()
	}
	hook := "#!/bin/sh\n"
	for _, set := range append(env, "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_STATE_HOME="+home, "PATH="+os.Getenv("PATH"), "GORACE="+noRaceSleep) {
		hook += "export " + quoted(set) + "\n"
	}
	name := filepath.Join(dir, "hooks", event)
	writeFile(p.t, name, []byte(hook+"exec envdrift hook run "+event+` "$@"`+"\n"))
	if err := os.Chmod(name, 0o755); err != nil {
		p.t.Fatal(err)
	}
}
