package age_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/envdrift/envdrift/vault"
	agevault "github.com/envdrift/envdrift/vault/age"
)

// access is what the files show, in words, by secret.
func (r repo) access(past ...[]byte) map[string]string {
	r.Helper()
	list, err := r.open(nil).Access(past...)
	if err != nil {
		r.Fatal(err)
	}
	words := map[string]string{}
	for _, a := range list {
		words[a.Secret] = a.String()
	}
	return words
}

// What envdrift wrote says for whom, to everyone; what age wrote is only counted.
func TestAccess(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	mine := r.join()
	r.put(r.open(nil), "ours", text, "")
	r.write(r.file("of-age"), r.seal(text, mine, true), 0o644)
	r.write(r.file("binary"), r.seal(text, mine, false), 0o644)
	_, public := sshKey(t, "")
	_, other := r.colleague()
	_, third := r.colleague()
	tests := []struct {
		name       string
		recipients []string
		ours, age  string
	}{
		{"as they are", []string{mine}, "", ""},
		{"one more", []string{mine, other}, "not for ", "not for 1 of the recipients"},
		{"an SSH key more", []string{mine, public}, "not for ssh-", "not for ssh-"},
		{"another plugin's", []string{mine, "age1made1vysx6ctyv5kh2upqwfjkx6tsd9jkuaq6aelqq"}, "not for age1made1", ""},
		{"another instead", []string{other}, "for 1 more than", ""}, // of age's own only the number is known
		{"two instead", []string{other, third}, "; for 1 more than", "not for 1 of the recipients"},
		{"an SSH key instead", []string{public}, "; for 1 more than", "not for ssh-"},
	}
	for _, tt := range tests {
		r.write(r.dir+"/"+agevault.DefaultRecipients, strings.Join(tt.recipients, "\n")+"\n", 0o644)
		got := r.access()
		if !strings.Contains(got["ours"], tt.ours) || (got["ours"] == "") != (tt.ours == "") {
			t.Errorf("%s: of envdrift's file: %q; want %q", tt.name, got["ours"], tt.ours)
		}
		for _, name := range []string{"of-age", "binary"} {
			if !strings.Contains(got[name], tt.age) || (got[name] == "") != (tt.age == "") {
				t.Errorf("%s: of %s: %q; want %q", tt.name, name, got[name], tt.age)
			}
		}
		err := r.open(nil).CheckReaders("ours")
		if errors.Is(err, agevault.ErrRecipients) != (tt.ours != "") {
			t.Errorf("%s: CheckReaders = %v; want an error: %t", tt.name, err, tt.ours != "")
		}
	}
	past := []byte("junk\n")
	if got := r.access(past, []byte("# eva\n"+mine+"\n"))["ours"]; !strings.Contains(got, "still for eva (age1") {
		t.Errorf("Access = %q; want eva named by an older version", got)
	}

	// without a recipients file there is nothing to compare with
	if err := os.Remove(r.dir + "/" + agevault.DefaultRecipients); err != nil {
		t.Fatal(err)
	}
	if err := r.open(nil).CheckReaders("ours"); err != nil {
		t.Errorf("CheckReaders without recipients = %v", err)
	}
}

// Post-quantum recipients are recorded as well: age compares their labels.
func TestAccessPostQuantum(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	var lines []string
	for range 2 {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			t.Fatal(err)
		}
		r.write(r.identityFile(), id.String()+"\n", 0o600)
		lines = append(lines, id.Recipient().String())
	}
	r.add(strings.Join(lines, "\n"))
	r.put(r.open(nil), "a", text, "")
	r.wantText(r.open(nil), "a", text)
	if got := r.access()["a"]; got != "" {
		t.Errorf("Access = %q; want no difference", got)
	}
}

// Somebody who leaves completes what was stopped, though they cannot read it any
// more; and a label takes all keys that have it.
func TestLeave(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		r := twoSecrets(t)
		_, benKey := r.colleague()
		s := r.open(nil)
		mine := strings.Fields(r.recipients())[0]
		for key, label := range map[string]string{benKey: "ben", mine: "me", newIdentityRecipient(t): "ME"} {
			if _, err := s.AddReader(t.Context(), key, label); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.RemoveReader(t.Context(), agevault.Removal{Who: "me"})
		r.wantErr(err, vault.ErrConfig, "this is you", "--force")
		head := r.snapshotOf("a", "team/b")
		leave := agevault.Removal{Who: "me", Leave: true, Committed: func(file string) ([]byte, error) { return []byte(head[file]), nil }}
		asked := n
		c, err := s.RemoveReader(stoppingAfter{t.Context(), &asked}, leave)
		stopped := err != nil
		if stopped {
			c, err = s.RemoveReader(t.Context(), leave)
		}
		if err != nil || len(c.Removed) != 2 || !slices.Equal(c.Read, []string{"a", "team/b"}) || strings.TrimSpace(r.recipients()) != "# ben\n"+benKey {
			t.Fatalf("stopped after %d: RemoveReader = %+v, %v; want ben alone in %q", n, c, err, r.recipients())
		}
		for secret, words := range r.access() {
			if words != "" {
				t.Errorf("stopped after %d: %s: %s", n, secret, words)
			}
		}
		if !stopped {
			break
		}
	}
}

func newIdentityRecipient(t *testing.T) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String()
}

// snapshotOf returns the files of secrets, by their path.
func (r repo) snapshotOf(secrets ...string) map[string]string {
	r.Helper()
	files := map[string]string{}
	for _, name := range secrets {
		data, err := os.ReadFile(r.file(name))
		if err != nil {
			r.Fatal(err)
		}
		files[r.open(nil).Path(name)] = string(data)
	}
	return files
}
