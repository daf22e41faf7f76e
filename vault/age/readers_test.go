package age_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/envdrift/envdrift/vault"
	agevault "github.com/envdrift/envdrift/vault/age"
)

func (r repo) recipients() string {
	r.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, agevault.DefaultRecipients))
	if err != nil {
		r.Fatal(err)
	}
	return string(data)
}

// colleague returns another user of the same repository, and their recipient.
func (r repo) colleague() (repo, string) {
	r.Helper()
	other := newRepo(r.T)
	other.dir = r.dir
	recipient, _, err := agevault.EnsureIdentity(other.identityFile())
	if err != nil {
		r.Fatal(err)
	}
	return other, recipient
}

// snapshot returns every file below the vault's directory.
func (r repo) snapshot() string {
	r.Helper()
	var b strings.Builder
	for _, file := range []string{r.file("a"), r.file("team/b"), filepath.Join(r.dir, agevault.DefaultRecipients)} {
		data, err := os.ReadFile(file)
		if err != nil {
			r.Fatal(err)
		}
		b.Write(data)
	}
	return b.String()
}

func twoSecrets(t *testing.T) repo {
	t.Helper()
	r := newRepo(t)
	r.join()
	r.put(r.open(nil), "a", text+"a", "")
	r.put(r.open(nil), "team/b", text+"b", "")
	return r
}

func TestAddAndRemoveReader(t *testing.T) {
	t.Parallel()
	r := twoSecrets(t)
	mine := r.open(nil)
	colleague, recipient := r.colleague()
	theirs := colleague.open(nil)
	_, err := theirs.Get(t.Context(), "a")
	r.wantErr(err, vault.ErrDenied, recipient)

	c, err := mine.AddReader(t.Context(), recipient, "ben@example.com")
	if err != nil || !slices.Equal(c.Secrets, []string{"a", "team/b"}) || len(c.Added) != 1 {
		t.Fatalf("AddReader = %+v, %v; want a and team/b re-encrypted", c, err)
	}
	r.wantText(theirs, "team/b", text+"b")
	r.wantText(mine, "a", text+"a")

	// again: only the label is changed
	before := strings.Replace(r.snapshot(), "ben@example.com", "Ben", 1)
	if c, err := mine.AddReader(t.Context(), recipient, ""); err != nil || len(c.Added)+len(c.Relabeled)+len(c.Secrets) > 0 {
		t.Errorf("AddReader, again = %+v, %v; want no change", c, err)
	}
	if c, err := mine.AddReader(t.Context(), recipient, "Ben"); err != nil || len(c.Relabeled) != 1 || len(c.Secrets) > 0 {
		t.Errorf("AddReader with another label = %+v, %v; want only the label changed", c, err)
	}
	if got := r.snapshot(); got != before {
		t.Errorf("files = %q; want only the label changed, %q", got, before)
	}

	for _, who := range []string{"somebody", "age1", recipient[:7], "Be"} {
		_, err := mine.RemoveReader(t.Context(), agevault.Removal{Who: who})
		r.wantErr(err, vault.ErrConfig, "no recipient", "envdrift recipient list")
	}
	c, err = mine.RemoveReader(t.Context(), agevault.Removal{Who: recipient[:20]})
	if err != nil || len(c.Removed) != 1 || len(c.Secrets) != 2 || strings.Contains(r.recipients(), "Ben") {
		t.Fatalf("RemoveReader = %+v, %v; want Ben gone from %q", c, err, r.recipients())
	}
	_, err = theirs.Get(t.Context(), "a")
	r.wantErr(err, vault.ErrDenied)
	r.wantText(mine, "a", text+"a")

	// nobody removes themselves, or the last one
	_, err = mine.RemoveReader(t.Context(), agevault.Removal{Who: strings.Fields(r.recipients())[0]})
	r.wantErr(err, vault.ErrConfig, "nobody could read")
	if _, err := mine.AddReader(t.Context(), recipient, "Ben"); err != nil {
		t.Fatal(err)
	}
	_, err = mine.RemoveReader(t.Context(), agevault.Removal{Who: strings.Fields(r.recipients())[0]})
	r.wantErr(err, vault.ErrConfig, "this is you")
}

// What is refused is refused before anything is written.
func TestAddReaderRefuses(t *testing.T) {
	t.Parallel()
	r := twoSecrets(t)
	id := newIdentity(t)
	pq, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	stranger, recipient := r.colleague()
	key := filepath.Join(r.home, "key.txt")
	r.write(key, id, 0o600)
	before := r.snapshot()
	tests := []struct {
		name string
		as   repo
		line string
		kind error
		word string
	}{
		{"nothing", r, "", vault.ErrConfig, "neither"},
		{"a word", r, "ben", vault.ErrConfig, "neither"},
		{"an identity", r, id, vault.ErrConfig, "is an identity"},
		{"an identity in lower case", r, strings.ToLower(id), vault.ErrConfig, "is an identity"},
		{"the path of an identity", r, key, vault.ErrConfig, "is an identity"},
		{"no such file", r, "none.pub", vault.ErrConfig, "none.pub"},
		{"two lines", r, recipient + "\n" + recipient, vault.ErrConfig, "neither"},
		{"cut short", r, recipient[:40], vault.ErrConfig, "cut short"},
		{"post-quantum beside others", r, pq.Recipient().String(), vault.ErrConfig, "do not go together"},
		{"of an absent plugin", r, "age1made1vysx6ctyv5kh2upqwfjkx6tsd9jkuaq6aelqq", vault.ErrConfig, "age-plugin-made is not in the PATH"},
		{"by one who cannot read", stranger, recipient, vault.ErrDenied, "it is encrypted to others"},
	}
	for _, tt := range tests {
		c, err := tt.as.open(nil).AddReader(t.Context(), tt.line, "label")
		if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.word) || len(c.Secrets) > 0 {
			t.Errorf("%s: AddReader = %+v, %v; want %q", tt.name, c, err, tt.word)
		}
		if strings.Contains(strings.ToUpper(err.Error()), id[15:]) {
			t.Errorf("%s: AddReader = %v; want no identity in it", tt.name, err)
		}
		if r.snapshot() != before {
			t.Errorf("%s: AddReader wrote something", tt.name)
		}
	}

	// one secret that cannot be read: the other stays as it is
	r.write(r.file("team/b"), "x", 0o644)
	before = r.snapshot()
	if _, err := r.open(nil).AddReader(t.Context(), recipient, ""); !errors.Is(err, vault.ErrMalformed) || r.snapshot() != before {
		t.Errorf("AddReader beside a damaged secret = %v; want malformed, and no change", err)
	}
}

func TestAddReaderOfFile(t *testing.T) {
	t.Parallel()
	r := twoSecrets(t)
	_, public := sshKey(t, "")
	file := filepath.Join(r.home, "ben.pub")
	r.write(file, public+" ben@laptop\n", 0o644)
	if c, err := r.open(nil).AddReader(t.Context(), file, ""); err != nil || len(c.Added) != 1 || c.Added[0].Key != public {
		t.Errorf("AddReader(FILE.pub) = %+v, %v; want %q", c, err, public)
	}
}

// An interrupted run leaves the recipients file as it was: the command can be
// repeated.
func TestAddReaderCancelled(t *testing.T) {
	t.Parallel()
	r := twoSecrets(t)
	_, recipient := r.colleague()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := r.snapshot()
	if c, err := r.open(nil).AddReader(ctx, recipient, ""); !errors.Is(err, context.Canceled) || len(c.Secrets) > 0 || r.snapshot() != before {
		t.Errorf("AddReader = %+v, %v; want cancelled, nothing written", c, err)
	}
}

// stoppingAfter is cancelled when it was asked n times.
type stoppingAfter struct {
	context.Context
	n *int
}

func (c stoppingAfter) Err() error {
	if *c.n--; *c.n < 0 {
		return context.Canceled
	}
	return nil
}

// Wherever a change stops, everyone whom the recipients file names, and who is to
// stay, can read every secret; and the same command completes it.
func TestStoppedChange(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"add", "remove"} {
		for n := 0; ; n++ {
			r := twoSecrets(t)
			ben, benKey := r.colleague()
			eva, evaKey := r.colleague()
			s := r.open(nil)
			if _, err := s.AddReader(t.Context(), evaKey, "eva"); err != nil {
				t.Fatal(err)
			}
			change := func(ctx context.Context) error {
				_, err := s.AddReader(ctx, benKey, "ben")
				return err
			}
			if verb == "remove" {
				if err := change(t.Context()); err != nil {
					t.Fatal(err)
				}
				change = func(ctx context.Context) error {
					_, err := s.RemoveReader(ctx, agevault.Removal{Who: "ben"})
					return err
				}
			}
			asked := n
			err := change(stoppingAfter{t.Context(), &asked})
			for _, user := range []repo{r, eva, ben} {
				if listed := strings.Contains(r.recipients(), benKey); user == ben && (!listed || verb == "remove") {
					continue
				}
				user.wantText(user.open(nil), "a", text+"a")
				user.wantText(user.open(nil), "team/b", text+"b")
			}
			if err == nil {
				break
			}
			if err := change(t.Context()); err != nil {
				t.Errorf("%s, stopped after %d, again: %v", verb, n, err)
			}
			eva.wantText(eva.open(nil), "team/b", text+"b")
			if _, err := ben.open(nil).Get(t.Context(), "team/b"); (err == nil) != (verb == "add") {
				t.Errorf("%s, stopped after %d, again: ben reads: %v", verb, n, err)
			}
		}
	}
}

// editing edits the recipients file when it is asked for the n-th time.
type editing struct {
	context.Context
	n    *int
	edit func()
}

func (c editing) Err() error {
	if *c.n--; *c.n == 0 {
		c.edit()
	}
	return nil
}

// An editor's save that comes while secrets are re-encrypted is not lost.
func TestEditedMeanwhile(t *testing.T) {
	t.Parallel()
	r := twoSecrets(t)
	_, recipient := r.colleague()
	edited, n := r.recipients()+"# a note\n", 3
	_, err := r.open(nil).AddReader(editing{t.Context(), &n, func() {
		r.write(filepath.Join(r.dir, agevault.DefaultRecipients), edited, 0o644)
	}}, recipient, "")
	r.wantErr(err, vault.ErrConflict, "was edited meanwhile", "envdrift recipient sync")
	if got := r.recipients(); got != edited {
		t.Errorf("recipients = %q; want the edited %q", got, edited)
	}
}

// A plugin in the repository, which a branch brought, is not started.
func TestPluginInRepository(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("not tested: the plugin is a shell script")
		return
	}
	r := twoSecrets(t)
	bin := filepath.Join(r.dir, "node_modules", ".bin")
	r.write(filepath.Join(bin, "age-plugin-made"), "#!/bin/sh\ntouch "+filepath.Join(r.home, "ran")+"\n", 0o755)
	t.Setenv("PATH", bin)
	_, err := r.open(nil).AddReader(t.Context(), "age1made1vysx6ctyv5kh2upqwfjkx6tsd9jkuaq6aelqq", "")
	r.wantErr(err, vault.ErrConfig, "is in this repository")
	if _, err := os.Stat(filepath.Join(r.home, "ran")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ran: %v; want the plugin not started", err)
	}
}

func TestSyncReaders(t *testing.T) {
	t.Parallel()
	none := func(string) (*agevault.Conflict, error) { return nil, nil }
	r := twoSecrets(t)
	mine := r.open(nil)
	colleague, recipient := r.colleague()
	r.add(recipient) // as an editor does
	c, err := mine.SyncReaders(t.Context(), none, nil)
	if err != nil || len(c.Secrets) != 2 {
		t.Fatalf("SyncReaders = %+v, %v; want both secrets re-encrypted", c, err)
	}
	colleague.wantText(colleague.open(nil), "a", text+"a")

	// markers alone do not say what was there before
	r.write(filepath.Join(r.dir, agevault.DefaultRecipients), "<<<<<<< HEAD\n"+recipient+"\n=======\n>>>>>>> x\n", 0o644)
	_, err = mine.SyncReaders(t.Context(), none, nil)
	r.wantErr(err, vault.ErrConfig, "edit it", "envdrift recipient sync")
	_, err = mine.AddReader(t.Context(), recipient, "")
	r.wantErr(err, vault.ErrConfig, "merge conflict", "envdrift recipient sync")
}

func TestSyncConflictedSecret(t *testing.T) {
	t.Parallel()
	none := func(string) (*agevault.Conflict, error) { return nil, nil }
	me := newRepo(t)
	recipient := me.join()
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	foreign := other.Recipient().String()
	tests := []struct {
		name         string
		ours, theirs string
		want         string
		kind         error
	}{
		{name: "the same", ours: me.seal(text, recipient, true), theirs: me.seal(text, recipient, true), want: text},
		{name: "only ours can be read", ours: me.seal(text, recipient, true), theirs: me.seal(text+"2", foreign, true), want: text},
		{name: "only theirs can be read", ours: me.seal(text, foreign, true), theirs: me.seal(text, recipient, true), want: text},
		{name: "two keys", ours: me.seal(text, recipient, true), theirs: me.seal(text+"2", recipient, true), kind: vault.ErrConflict},
		{name: "neither", ours: me.seal(text, foreign, true), theirs: me.seal(text, foreign, true), kind: vault.ErrDenied},
		{name: "one damaged", ours: me.seal(text, recipient, true), theirs: "x\n", kind: vault.ErrMalformed},
	}
	for _, tt := range tests {
		conflicted := "<<<<<<< HEAD\n" + tt.ours + "=======\n" + tt.theirs + ">>>>>>> other\n"
		me.write(me.file("key"), conflicted, 0o644)
		s := me.open(nil)
		_, err := s.Get(t.Context(), "key")
		me.wantErr(err, vault.ErrMalformed, "merge conflict", "envdrift recipient sync")
		_, err = s.SyncReaders(t.Context(), none, nil)
		if tt.kind == nil {
			if err != nil {
				t.Errorf("%s: SyncReaders = %v", tt.name, err)
			}
			me.wantText(s, "key", tt.want)
			continue
		}
		if !errors.Is(err, tt.kind) {
			t.Errorf("%s: SyncReaders = %v; want %v", tt.name, err, tt.kind)
		}
		if data, _ := os.ReadFile(me.file("key")); string(data) != conflicted {
			t.Errorf("%s: the file was changed to %q", tt.name, data)
		}
	}
}

// A key that was pushed after the conflict, before git add, is not lost.
func TestSyncKeepsWhatWasPushedSince(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	recipient := r.join()
	side := []byte(r.seal("old", recipient, true))
	s := r.open(nil)
	r.put(s, "key", text, "")
	_, err := s.SyncReaders(t.Context(), func(file string) (*agevault.Conflict, error) {
		if file == agevault.DefaultRecipients {
			return nil, nil
		}
		return &agevault.Conflict{Ours: side, Theirs: side}, nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.wantText(s, "key", text)
}

func TestOwnRecipient(t *testing.T) {
	t.Parallel()
	private, public := sshKey(t, "")
	id, err := age.ParseX25519Identity(newIdentity(t))
	if err != nil {
		t.Fatal(err)
	}
	own := id.Recipient().String()
	tests := []struct {
		name    string
		ssh     bool
		file    bool   // an identity of its own
		reader  string // of the vault
		env     map[string]string
		want    string // "" for a new one
		created bool
	}{
		{name: "nothing", created: true},
		{name: "an SSH key", ssh: true, want: public},
		{name: "an SSH key that reads the vault", ssh: true, reader: public, want: public},
		{name: "both, the SSH key reads", ssh: true, file: true, reader: public, want: public},
		{name: "both", ssh: true, file: true, want: own},
		{name: "an identity", file: true, want: own},
		{name: "ENVDRIFT_AGE_KEY", ssh: true, env: map[string]string{"ENVDRIFT_AGE_KEY": id.String()}, want: own},
	}
	for _, tt := range tests {
		r := newRepo(t)
		if tt.ssh {
			r.write(filepath.Join(r.home, ".ssh", "id_ed25519"), private, 0o600)
		}
		if tt.file {
			r.write(r.identityFile(), id.String(), 0o600)
		}
		if tt.reader != "" {
			r.add(tt.reader)
		}
		got, _, created, err := r.open(tt.env).OwnRecipient()
		if err != nil || tt.want != "" && got != tt.want || created != tt.created {
			t.Errorf("%s: OwnRecipient = %q, %t, %v; want %q, %t", tt.name, got, created, err, tt.want, tt.created)
		}
		if _, err := os.Stat(r.identityFile()); (err == nil) != (tt.file || tt.created) {
			t.Errorf("%s: identity file: %v; want one made only for who has none", tt.name, err)
		}
	}
}
