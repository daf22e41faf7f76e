package dotenv_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// TestMergeText merges plaintext, where every line can be read.
func TestMergeText(t *testing.T) {
	t.Parallel()
	const markers = "<<<<<<< mine\n%s=======\n%s>>>>>>> yours\n"
	tests := []struct {
		name, base, ours, theirs, want string
		conflicts                      string
	}{
		{name: "both append", base: "A=1\n", ours: "A=1\nB=2\n", theirs: "A=1\nC=3\n", want: "A=1\nB=2\nC=3\n"},
		{name: "both append in blocks", base: "A=1\n", ours: "A=1\n\n# b\nB=2\n", theirs: "A=1\n\n# c\nC=3\n", want: "A=1\n\n# b\nB=2\n\n# c\nC=3\n"},
		{name: "both append the same, one more", base: "A=1\n", ours: "A=1\n\nB=2\nC=3\n", theirs: "A=1\n\nB=2\n", want: "A=1\n\nB=2\nC=3\n"},
		{name: "adjacent lines", base: "A=1\nB=2\n", ours: "A=9\nB=2\n", theirs: "A=1\nB=8\n", want: "A=9\nB=8\n"},
		{name: "moved and edited", base: "A=1\nB=2\nC=3\n", ours: "B=2\nC=3\nA=1\n", theirs: "A=9\nB=2\nC=3\n", want: "B=2\nC=3\nA=9\n"},
		{name: "moved by both", base: "A=1\nB=2\nC=3\n", ours: "B=2\nC=3\nA=1\n", theirs: "B=2\nA=1\nC=3\n", want: "B=2\nA=1\nC=3\n"},
		{name: "removed and moved", base: "A=1\nB=2\nC=3\n", ours: "B=2\nC=3\n", theirs: "B=2\nC=3\nA=1\n", want: "B=2\nC=3\n"},
		{name: "comments of both", base: "# x\nA=1\n", ours: "# y\nA=1\n", theirs: "# z\nA=1\n", want: "# y\n# z\nA=1\n"},
		{name: "value here, comment there", base: "A=1 # x\n", ours: "A=2 # x\n", theirs: "A=1 # y\n", want: "A=2 # y\n"},
		{name: "value here, export there", base: "A='1'\n", ours: "A='2'\n", theirs: "export A='1'\n", want: "export A='2'\n"},
		{name: "a conflict", base: "X=0\nA=1\nY=0\n", ours: "X=0\nA=2\nY=0\n", theirs: "X=5\nA=3\nY=0\n",
			want: "X=5\n" + fmt.Sprintf(markers, "A=2\n", "A=3\n") + "Y=0\n", conflicts: "A: both sides changed it"},
		{name: "removed and edited", base: "A=1\nB=1\n", ours: "B=1\n", theirs: "A=2\nB=1\n",
			want: fmt.Sprintf(markers, "", "A=2\n") + "B=1\n", conflicts: "A: one side removed it, the other changed it"},
		{name: "two comments behind a value", base: "A=1 # x\n", ours: "A=1 # y\n", theirs: "A=1 # z\n",
			want: fmt.Sprintf(markers, "A=1 # y\n", "A=1 # z\n"), conflicts: "A: both sides changed it"},
		{name: "new on both sides", ours: "A=1\nB=2\n", theirs: "A=1\nC=3\n", want: "A=1\nB=2\nC=3\n"},
		{name: "the same in other quotes", base: "", ours: "A=1\n", theirs: "A='1'\n", want: "A=1\n"},
		{name: "expanded or not", base: "", ours: "A=$X\n", theirs: "A='$X'\n", want: fmt.Sprintf(markers, "A=$X\n", "A='$X'\n"), conflicts: "A: both sides changed it"},
		{name: "several lines", base: "A=\"1\n2\"\nB=1\n", ours: "A=\"1\n3\"\nB=1\n", theirs: "A=\"1\n2\"\nB=\"x\ny\"\n", want: "A=\"1\n3\"\nB=\"x\ny\"\n"},
		{name: "a value below its name", base: "A=\n'1'\nB=1\n", ours: "A=\n'2'\nB=1\n", theirs: "A=\n'1'\nB=2\n", want: "A=\n'2'\nB=2\n"},
		{name: "a name twice", base: "A=1\nA=2\n", ours: "A=1\nA=3\n", theirs: "A=1\nA=2\nB=1\n", want: "A=1\nA=3\nB=1\n"},
		{name: "a name twice, both changed", base: "A=1\nA=2\n", ours: "A=1\nA=3\n", theirs: "A=1\n",
			want: fmt.Sprintf(markers, "A=1\nA=3\n", "A=1\n"), conflicts: "A: both sides changed it"},
		{name: "one side has CRLF now", base: "A=1\nB=2\n", ours: "A=1\r\nB=2\r\n", theirs: "A=9\nB=2\nC=3\n", want: "A=9\r\nB=2\r\nC=3\r\n"},
		{name: "no end of the last line", base: "A=1", ours: "A=1\nB=2", theirs: "A=1\nC=3", want: "A=1\nB=2\nC=3"},
		{name: "an end of the last line", base: "A=1", ours: "A=1", theirs: "A=1\n", want: "A=1\n"},
		{name: "a byte order mark", base: "\ufeffA=1\n", ours: "\ufeffB=2\nA=1\n", theirs: "\ufeffA=3\n", want: "\ufeffB=2\nA=3\n"},
		{name: "a base in conflict, agreed", base: "<<<<<<<<< a\nA=1\n=========\nA=2\n>>>>>>>>> b\nB=1\n", ours: "A=3\nB=1\n", theirs: "A=3\nB=2\n", want: "A=3\nB=2\n"},
		{name: "a base in conflict, not agreed", base: "<<<<<<<<< a\nA=1\n=========\nA=2\n>>>>>>>>> b\nB=1\n", ours: "A=1\nB=1\n", theirs: "A=2\nB=2\n",
			want: fmt.Sprintf(markers, "A=1\n", "A=2\n") + "B=2\n", conflicts: "A: both sides changed it"},
		{name: "no variables", base: "junk\n", ours: "junk\nA=1\n", theirs: "junk\nB=1\n", want: "junk\nA=1\nB=1\n"},
		{name: "everything removed", base: "A=1\n", ours: "", theirs: "A=1\n", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opt := dotenv.MergeOptions{OursLabel: "mine", TheirsLabel: "yours"}
			got, err := dotenv.Merge(dotenv.Parse([]byte(tt.base)), dotenv.Parse([]byte(tt.ours)), dotenv.Parse([]byte(tt.theirs)), opt)
			if err != nil {
				t.Fatalf("Merge: %v", err)
			}
			if string(got.Data) != tt.want {
				t.Errorf("Merge = %q; want %q", got.Data, tt.want)
			}
			if conflicts := conflictText(got); conflicts != tt.conflicts {
				t.Errorf("Merge: conflicts %q; want %q", conflicts, tt.conflicts)
			}
		})
	}
}

func conflictText(m *dotenv.Merged) string {
	var list []string
	for _, c := range m.Conflicts {
		list = append(list, fmt.Sprintf("%s: %v", c.Name, c.Err))
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// TestMergeRefuses: what is not made of variables is merged by others.
func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	utf16 := "\xff\xfeA\x00=\x001\x00"
	tests := []struct {
		name, base, ours, theirs string
		want                     any
	}{
		{"lines that are no variables", "junk\n", "junk 1\n", "junk 2\n", dotenv.ErrNotMergeable},
		{"UTF-16", "", utf16, "A=2\n", new(*dotenv.EncodingError)},
		{"markers on one side", "A=1\n", "<<<<<<< x\nA=1\n=======\nA=2\n>>>>>>> y\n", "A=2\n", new(*dotenv.ConflictError)},
		{"quotes that would swallow a line", "A=1\nB=x\n", "A=\"1\nB=x\n", "A=1\nB=x\"\n", dotenv.ErrNotMergeable},
	}
	for _, tt := range tests {
		_, err := dotenv.Merge(dotenv.Parse([]byte(tt.base)), dotenv.Parse([]byte(tt.ours)), dotenv.Parse([]byte(tt.theirs)), dotenv.MergeOptions{})
		if sentinel, ok := tt.want.(error); ok && !errors.Is(err, sentinel) || !ok && !errors.As(err, tt.want) {
			t.Errorf("Merge, %s: %v; want %T", tt.name, err, tt.want)
		}
	}
}

// TestMergeRotated: one side encrypted everything for another key meanwhile.
func TestMergeRotated(t *testing.T) {
	t.Parallel()
	before, after := newKey(t), newKey(t)
	encrypt := func(key *ecies.PrivateKey, text string) *dotenv.Document {
		doc, _, err := dotenv.Parse([]byte(text)).Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	base := encrypt(before, "A=1\nB=2\nC=3\n")
	edited, _, err := dotenv.Parse(append(base.Bytes(), "D='$d'\n"...)).Encrypt(before.PublicKey(), dotenv.EncryptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	edited, err = edited.Set("B", mustEncrypt(t, before, "two"))
	if err != nil {
		t.Fatal(err)
	}
	rotated := encrypt(after, "A=1\nB=2\nC=3\n")
	both := ecies.Keys{after, before}
	refused := errors.New("refused")
	tests := []struct {
		name         string
		keys         ecies.Keys
		ours, theirs *dotenv.Document
		may          error
		want         string // conflicts
	}{
		{name: "rotated here", keys: both, ours: rotated, theirs: edited},
		{name: "rotated there", keys: both, ours: edited, theirs: rotated},
		{name: "the old key is missing", keys: ecies.Keys{after}, ours: rotated, theirs: edited,
			want: "B: the private key for " + before.PublicKey().Short() + " is not local; D: the private key for " + before.PublicKey().Short() + " is not local"},
		{name: "the new key is missing", keys: ecies.Keys{before}, ours: rotated, theirs: edited,
			want: "B: the private key for " + after.PublicKey().Short() + " is not local"},
		{name: "the new key is not allowed", keys: both, ours: edited, theirs: rotated, may: refused, want: "B: refused; D: refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			got, err := dotenv.Merge(base, tt.ours, tt.theirs, dotenv.MergeOptions{
				Keys:       func() ecies.Keys { asked++; return tt.keys },
				MayEncrypt: func(ecies.PublicKey) error { return tt.may },
			})
			if err != nil || asked != 1 {
				t.Fatalf("Merge: %v, asked %d times for keys; want once", err, asked)
			}
			if conflicts := conflictText(got); conflicts != tt.want {
				t.Errorf("Merge: conflicts %q; want %q", conflicts, tt.want)
			}
			if tt.want != "" {
				return
			}
			plain, _, err := dotenv.Parse(got.Data).Decrypt(ecies.Keys{after}, dotenv.Selection{})
			if err != nil {
				t.Fatalf("Merge: the new key does not decrypt it: %v", err)
			}
			want := "A=1\nB='two'\nC=3\nD='$d'\n"
			if _, values, _ := strings.Cut(string(plain.Bytes()), "# .env\n"); values != want {
				t.Errorf("Merge = %q; want %q", values, want)
			}
		})
	}
	t.Run("rotated on both sides", func(t *testing.T) {
		t.Parallel()
		other := newKey(t)
		theirs, err := encrypt(other, "A=1\nB=2\nC=3\n").Set("B", mustEncrypt(t, other, "two"))
		if err != nil {
			t.Fatal(err)
		}
		for _, keys := range []ecies.Keys{{before, after, other}, {after, other}, {before, after}} {
			got, err := dotenv.Merge(base, rotated, theirs, dotenv.MergeOptions{Keys: func() ecies.Keys { return keys }})
			if err != nil {
				t.Fatal(err)
			}
			if len(keys) < 3 {
				if !strings.Contains(conflictText(got), "DOTENV_PUBLIC_KEY: both sides changed it") {
					t.Errorf("Merge with a key missing: conflicts %q; want one about the header", conflictText(got))
				}
				continue
			}
			plain, _, err := dotenv.Parse(got.Data).Decrypt(ecies.Keys{after}, dotenv.Selection{})
			if err != nil || len(got.Conflicts) > 0 {
				t.Fatalf("Merge = %v, %v; want it to be encrypted for the key of ours", got.Conflicts, err)
			}
			if e, _ := plain.Get("B"); e.Value != "two" {
				t.Errorf("Merge: B = %q; want that of theirs", e.Value)
			}
		}
	})
	t.Run("no key is asked for where the ciphertexts decide", func(t *testing.T) {
		t.Parallel()
		got, err := dotenv.Merge(base, edited, dotenv.Parse(append(base.Bytes(), "# more\n"...)), dotenv.MergeOptions{
			Keys: func() ecies.Keys { t.Error("Merge asked for keys"); return nil },
		})
		if err != nil || len(got.Conflicts) > 0 {
			t.Errorf("Merge = %v, %v; want no conflict", got.Conflicts, err)
		}
	})
	t.Run("one side encrypted the file, the other added plaintext", func(t *testing.T) {
		t.Parallel()
		plain := dotenv.Parse([]byte("A=1\nB=2\nC=3\n"))
		got, err := dotenv.Merge(plain, rotated, dotenv.Parse([]byte("A=1\nB=2\nC=4\nE=5\nF_PLAIN=6\n")), dotenv.MergeOptions{Keys: func() ecies.Keys { return both }})
		if err != nil || len(got.Conflicts) > 0 {
			t.Fatalf("Merge = %v, %v; want no conflict", got.Conflicts, err)
		}
		doc := dotenv.Parse(got.Data)
		values, err := doc.Reveal(ecies.Keys{after})
		if left := doc.Plaintext(dotenv.Selection{}); err != nil || len(left) > 0 {
			t.Fatalf("Merge: %v, %v in plaintext", err, left)
		}
		var have []string
		for _, v := range values[1:] {
			have = append(have, v.Name+"="+v.Plaintext.Reveal())
		}
		if want := "A=1 B=2 C=4 E=5 F_PLAIN=6"; strings.Join(have, " ") != want {
			t.Errorf("Merge = %q; want %q", have, want)
		}
	})
	t.Run("some names stay plaintext", func(t *testing.T) {
		t.Parallel()
		got, err := dotenv.Merge(dotenv.Parse([]byte("A=1\nB=2\nC=3\n")), rotated, dotenv.Parse([]byte("A=1\nB=2\nC=3\nLOG=debug\n")), dotenv.MergeOptions{
			Keys: func() ecies.Keys { return both }, StaysPlain: func(name string) bool { return name == "LOG" },
		})
		if err != nil || !strings.HasSuffix(string(got.Data), "\nLOG=debug\n") {
			t.Errorf("Merge = %s, %v; want LOG in plaintext", got.Data, err)
		}
	})
	t.Run("both sides made a file of their own", func(t *testing.T) {
		t.Parallel()
		got, err := dotenv.Merge(dotenv.Parse(nil), encrypt(before, "A=1\nB=2\n"), encrypt(after, "A=1\nC=3\n"), dotenv.MergeOptions{Keys: func() ecies.Keys { return both }})
		if want := "DOTENV_PUBLIC_KEY: both sides changed it"; err != nil || conflictText(got) != want {
			t.Fatalf("Merge: %q, %v; want %q", conflictText(got), err, want)
		}
		for _, theirs := range []bool{false, true} {
			doc, _, _ := dotenv.Parse(got.Data).TakeSide(theirs)
			key := map[bool]*ecies.PrivateKey{false: before, true: after}[theirs]
			if doc, err = doc.ForHeader(both, nil); err != nil {
				t.Fatalf("ForHeader: %v", err)
			}
			if _, err := doc.Reveal(ecies.Keys{key}); err != nil {
				t.Errorf("ForHeader, theirs %t: %v", theirs, err)
			}
		}
	})
}

func mustEncrypt(t *testing.T, key *ecies.PrivateKey, text string) string {
	t.Helper()
	value, err := key.PublicKey().Encrypt([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// FuzzMerge: whatever is merged, a merge with an unchanged side is the other side,
// and a result without conflicts reads back.
func FuzzMerge(f *testing.F) {
	f.Add("A=1\n", "A=2\n", "A=1\nB=2\n")
	f.Add("\ufeffA='1\n2'\r\n", "# c\n\nexport A=1", "A=1\nA=2\n")
	f.Add("<<<<<<< a\nA=1\n=======\nA=2\n>>>>>>> b\n", "A=\n\"x\" # y\n", "A: 1\n\u2028B=`2`\n")
	f.Fuzz(func(t *testing.T, base, ours, theirs string) {
		b, o, th := dotenv.Parse([]byte(base)), dotenv.Parse([]byte(ours)), dotenv.Parse([]byte(theirs))
		got, err := dotenv.Merge(b, o, th, dotenv.MergeOptions{})
		if err == nil && len(got.Conflicts) == 0 {
			if err := dotenv.Parse(got.Data).Check(); err != nil {
				t.Errorf("Merge(%q, %q, %q) = %q: %v", base, ours, theirs, got.Data, err)
			}
		}
		for _, tt := range [][2]*dotenv.Document{{b, o}, {o, b}} {
			if got, err := dotenv.Merge(b, tt[0], tt[1], dotenv.MergeOptions{}); b.Check() == nil && err == nil && string(got.Data) != ours {
				t.Errorf("Merge(%q, %q, %q) = %q; want the changed side", base, tt[0].Bytes(), tt[1].Bytes(), got.Data)
			}
		}
	})
}
