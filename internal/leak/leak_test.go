package leak

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
)

func TestFinder(t *testing.T) {
	t.Parallel()
	f := newFinder([]named{
		{"A", secret.New("sk_live_12345678")},
		{"B", secret.New("sk_live_12345678-longer")},
		{"C", secret.New("sk_test_12345678")},
		{"SHORT", secret.New("abc123")},
		{"WORDS", secret.New("just some words here")},
		{"ADDRESS", secret.New("https://example.com/v1")},
		{"NUMBER", secret.New("123456789012")},
		{"DSN", secret.New("postgres://u:p@db:5432/x")},
	})
	tests := []struct{ text, want string }{
		{"", ""},
		{"sk_", ""},
		{"token: sk_live_12345678\n", "A"},
		{"sk_live_12345678-longer", "A B"},
		{"sk_live_1234567", ""},
		{"sk_sk_test_12345678 sk_test_12345678", "C"},
		{"abc123 just some words here https://example.com/v1 123456789012", ""},
		{"\x00postgres://u:p@db:5432/x\xff", "DSN"},
	}
	for _, tt := range tests {
		names := f.find(nil, []byte(tt.text))
		slices.Sort(names)
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("find(%q) = %q; want %q", tt.text, got, tt.want)
		}
	}
	if got := newFinder(nil).find(nil, []byte("anything")); got != nil {
		t.Errorf("a finder of nothing finds %q", got)
	}
}

// A content that is larger than a portion is searched to its end, also where two
// portions meet.
func TestLargeContents(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	line := "DOTENV_PRIVATE_KEY=" + ecies.Keys{key}.Reveal() + "\n"
	const portion = 16 << 10
	for _, at := range []int{0, portion - 40, portion, 3*portion - 1, 5 * portion} {
		dir := t.TempDir()
		text := bytes.Repeat([]byte("x\n"), 6*portion)
		copy(text[at:], "\n"+line)
		cmd := exec.Command("git", "-c", "init.defaultBranch=main", "init", "-q", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatal(err, string(out))
		}
		cmd = exec.Command("git", "hash-object", "-w", "--stdin")
		cmd.Dir, cmd.Stdin = dir, bytes.NewReader(text)
		oid, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		repo, err := gitops.Open(t.Context(), dir, cmd.Environ())
		if err != nil {
			t.Fatal(err)
		}
		id := gitops.OID(strings.TrimSpace(string(oid)))
		s := &search{
			repo: repo, result: &Result{}, values: newFinder(nil), local: map[string]dotenv.FoundKey{}, evidence: map[gitops.OID]*evidence{},
			history: &gitops.History{Versions: []gitops.Version{{Path: "large", Mode: gitops.Regular, OID: id}}}, portion: portion,
		}
		if err := s.readContents(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := s.evidence[id]; e == nil || len(e.keys) == 0 || e.keys[0].Keys.Find(key.PublicKey()) == nil {
			t.Errorf("the key at %d was not found: %+v", at, e)
		}
	}
}
