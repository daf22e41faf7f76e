package age_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"
)

// TestMain makes the test binary an age plugin as well, whose recipients are
// X25519 recipients.
func TestMain(m *testing.M) {
	name, isPlugin := strings.CutPrefix(filepath.Base(os.Args[0]), "age-plugin-")
	if !isPlugin {
		os.Exit(m.Run())
	}
	p, err := plugin.New(name)
	if err != nil {
		os.Exit(3)
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) { return age.ParseX25519Recipient(string(data)) })
	p.HandleIdentity(func(data []byte) (age.Identity, error) { return age.ParseX25519Identity(string(data)) })
	switch strings.Join(os.Args[1:], " ") {
	case "--age-plugin=recipient-v1":
		os.Exit(p.RecipientV1())
	case "--age-plugin=identity-v1":
		os.Exit(p.IdentityV1())
	}
	os.Exit(4)
}

// A plugin outside of the repository writes and reads secrets.
func TestPlugin(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("not tested: the plugin is a symbolic link")
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "age-plugin-made")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipient := plugin.EncodeRecipient("made", []byte(id.Recipient().String()))

	r := twoSecrets(t)
	if c, err := r.open(nil).AddReader(t.Context(), recipient, "token"); err != nil || len(c.Secrets) != 2 {
		t.Fatalf("AddReader = %+v, %v; want both secrets re-encrypted", c, err)
	}
	other := newRepo(t)
	other.dir = r.dir
	other.write(other.identityFile(), "# Recipient: "+recipient+"\n"+plugin.EncodeIdentity("made", []byte(id.String()))+"\n", 0o600)
	theirs := other.open(nil)
	other.wantText(theirs, "a", text+"a")
	if got, _, created, err := theirs.OwnRecipient(); got != recipient || created || err != nil {
		t.Errorf("OwnRecipient = %q, %t, %v; want the plugin's", got, created, err)
	}
	other.put(theirs, "c", text+"c", "")
	r.wantText(r.open(nil), "c", text+"c")
}
