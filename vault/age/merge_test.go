package age_test

import (
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/envdrift/envdrift/vault"
	agevault "github.com/envdrift/envdrift/vault/age"
)

// TestMergeSecret: who must, can read the merged secret, and nobody else; and no
// side is lost that the user cannot read.
func TestMergeSecret(t *testing.T) {
	t.Parallel()
	me := newRepo(t)
	mine := me.join()
	colleague, theirs := me.colleague()
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	foreign := stranger.Recipient().String()
	k1, k2, k3 := strings.Repeat("1f", 32), strings.Repeat("2e", 32), strings.Repeat("3d", 32)
	seal := func(content, recipient string) []byte { return []byte(me.seal(content, recipient, true)) }
	tests := []struct {
		name string
		c    agevault.Conflict
		want string
		kind error
	}{
		{name: "only re-encrypted", c: agevault.Conflict{Base: seal("1", mine), Ours: seal("1", mine), Theirs: seal("1", mine)}, want: "1"},
		{name: "changed here", c: agevault.Conflict{Base: seal("1", mine), Ours: seal("2", mine), Theirs: seal("1", mine)}, want: "2"},
		{name: "changed there", c: agevault.Conflict{Base: seal("1", mine), Ours: seal("1", mine), Theirs: seal("2", mine)}, want: "2"},
		{name: "the base cannot be read", c: agevault.Conflict{Base: seal("1", foreign), Ours: seal("2", mine), Theirs: seal("2", mine)}, want: "2"},
		{name: "new on both sides", c: agevault.Conflict{Ours: seal("1", mine), Theirs: seal("1", mine)}, want: "1"},
		{name: "changed on both", c: agevault.Conflict{Base: seal("1", mine), Ours: seal("2", mine), Theirs: seal("3", mine)}, kind: vault.ErrConflict},
		{name: "changed, with a base that cannot be read", c: agevault.Conflict{Base: seal("1", foreign), Ours: seal("1", mine), Theirs: seal("2", mine)}, kind: vault.ErrConflict},
		{name: "ours cannot be read", c: agevault.Conflict{Base: seal("1", mine), Ours: seal("2", foreign), Theirs: seal("1", mine)}, kind: vault.ErrDenied},
		{name: "theirs cannot be read", c: agevault.Conflict{Base: seal("1", mine), Ours: seal("1", mine), Theirs: seal("2", foreign)}, kind: vault.ErrDenied},
		{name: "rotated on both", c: agevault.Conflict{Base: seal(k1, mine), Ours: seal(k1+","+k2, mine), Theirs: seal(k1+","+k3, mine)}, want: k1 + "," + k2 + "," + k3},
		{name: "rotated on both, under a name", c: agevault.Conflict{Base: seal("K="+k1, mine), Ours: seal("DOTENV_PRIVATE_KEY="+k1+","+k2, mine), Theirs: seal(k1+","+k3, mine)}, want: "DOTENV_PRIVATE_KEY=" + k1 + "," + k2 + "," + k3},
		{name: "finished there, begun here", c: agevault.Conflict{Base: seal(k1+","+k2, mine), Ours: seal(k1+","+k2+","+k3, mine), Theirs: seal(k2+","+k1, mine)}, want: k2 + "," + k1 + "," + k3},
		{name: "retired there, begun here", c: agevault.Conflict{Base: seal(k2+","+k1, mine), Ours: seal(k2+","+k3+","+k1, mine), Theirs: seal(k2, mine)}, want: k2 + "," + k3},
		{name: "rotated on both, with a base that cannot be read", c: agevault.Conflict{Base: seal(k1, foreign), Ours: seal(k1+","+k2, mine), Theirs: seal(k1+","+k3, mine)}, want: k1 + "," + k2 + "," + k3},
		{name: "other keys on both", c: agevault.Conflict{Base: seal(k1, mine), Ours: seal(k2, mine), Theirs: seal(k1+","+k3, mine)}, kind: vault.ErrConflict},
		{name: "removed there", c: agevault.Conflict{Base: seal("1", mine), Ours: seal("2", mine)}, kind: vault.ErrMalformed},
		{name: "damaged", c: agevault.Conflict{Base: seal("1", mine), Ours: seal("1", mine), Theirs: []byte("x\n")}, kind: vault.ErrMalformed},
	}
	recipients := []byte(mine + "\n" + theirs + "\n")
	for _, tt := range tests {
		data, err := me.open(nil).MergeSecret("key", tt.c, recipients)
		if tt.kind != nil {
			if !errors.Is(err, tt.kind) || data != nil {
				t.Errorf("MergeSecret, %s: %d bytes, %v; want %v", tt.name, len(data), err, tt.kind)
			}
			continue
		}
		if err != nil {
			t.Errorf("MergeSecret, %s: %v", tt.name, err)
			continue
		}
		me.write(me.file("key"), string(data), 0o644)
		me.wantText(me.open(nil), "key", tt.want)
		colleague.wantText(colleague.open(nil), "key", tt.want)
		_, err = me.open(map[string]string{"ENVDRIFT_AGE_KEY": stranger.String()}).Get(t.Context(), "key")
		me.wantErr(err, vault.ErrDenied)
	}
	if _, err := me.open(nil).MergeSecret("key", tests[0].c, []byte(theirs+"\n")); !errors.Is(err, vault.ErrDenied) {
		t.Errorf("MergeSecret without the user among the recipients: %v; want %v", err, vault.ErrDenied)
	}
	if _, err := me.open(nil).MergeSecret("key", tests[0].c, []byte("nonsense\n")); !errors.Is(err, vault.ErrConfig) {
		t.Errorf("MergeSecret for nonsense: %v; want %v", err, vault.ErrConfig)
	}
}
