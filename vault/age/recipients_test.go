package age

import (
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
)

const sshRecipient = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"

const pluginRecipient = "age1made1vysx6ctyv5kh2upqwfjkx6tsd9jkuaq6aelqq"

func newRecipient(tb testing.TB) string {
	tb.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		tb.Fatal(err)
	}
	return id.Recipient().String()
}

func TestParseReaders(t *testing.T) {
	t.Parallel()
	r := newRecipient(t)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	pq, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, file string
		n          int
		err        error
		word       string
	}{
		{"nothing", "", 0, nil, ""},
		{"comments", "# Ben\n\n  # Eva\r\n", 0, nil, ""},
		{"one", r, 1, nil, ""},
		{"CRLF and blanks", "# Ben\r\n  " + r + " \r\n\r\n" + sshRecipient + " ben@example.com\r\n", 2, nil, ""},
		{"comment behind", r + " # Ben\n", 1, nil, ""},
		{"post-quantum", pq.Recipient().String(), 1, nil, ""},
		{"junk", "# Ben\nben\n", 0, errRecipient, "line 2"},
		{"two on a line", r + " " + r, 0, errRecipient, "line 1"},
		{"damaged", r[:20] + r[21:], 0, errCut, "line 1"},
		{"cut short", r[:40], 0, errCut, "cut short"},
		{"plugin", pluginRecipient, 1, nil, ""},
		{"other SSH key", "ssh-dss AAAA", 0, errSSH, "ssh-rsa … of 2048 bits"},
		{"ECDSA", "ecdsa-sha2-nistp256 AAAA", 0, errSSH, "ssh-ed25519 …"},
		{"SSH key cut short", sshRecipient[:50], 0, errSSH, "line 1"},
		{"identity", id.String(), 0, errIdentity, "line 1"},
		{"SSH private key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", 0, errIdentity, "line 1"},
		{"byte order mark", "\ufeff" + r, 0, errRecipient, "line 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseReaders([]byte(tt.file))
			if len(got) != tt.n || !errors.Is(err, tt.err) {
				t.Errorf("parseReaders = %d, %v; want %d, %v", len(got), err, tt.n, tt.err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.word) || strings.Contains(strings.ToUpper(err.Error()), id.String()[15:])) {
				t.Errorf("parseReaders = %v; want %q and no secret", err, tt.word)
			}
		})
	}
}

func FuzzParseReaders(f *testing.F) {
	r := newRecipient(f)
	for _, seed := range []string{"", "# Ben\n" + r + "\n", r + " # Ben", sshRecipient, "ssh-rsa AAAA", "age1", "\r\n\x00", "AGE-SECRET-KEY-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		recipients, err := parseReaders([]byte(file))
		if err != nil && recipients != nil {
			t.Errorf("parseReaders(%q) = recipients and %v", file, err)
		}
		for _, r := range recipients {
			again, err := parseReader(r.Key)
			if err != nil || again.Key != r.Key {
				t.Errorf("parseReader(%q) = %q, %v; want it again", r.Key, again.Key, err)
			}
		}
	})
}

// What one change makes of a recipients file, the rest of which stays as it is.
func TestEditRecipients(t *testing.T) {
	t.Parallel()
	ben, eva := newRecipient(t), newRecipient(t)
	head := recipientsHead + ben + "\n"
	file := head + "# eva@example.com\n" + eva + "\n" + sshRecipient + " ben@laptop"
	readers, err := parseReaders([]byte(file))
	if err != nil || len(readers) != 3 {
		t.Fatalf("parseReaders = %d readers, %v; want 3", len(readers), err)
	}
	for i, want := range []string{"", "eva@example.com", "ben@laptop"} {
		if readers[i].Label != want {
			t.Errorf("label %d = %q; want %q", i, readers[i].Label, want)
		}
	}
	tests := []struct{ name, got, want string }{
		{"a label with a line end", string(withReader([]byte(file), ben, "x\ny")), file + "\n# xy\n" + ben + "\n"},
		{"no label", string(withReader(nil, ben, "")), ben + "\n"},
		{"removed with the label", string(withoutReader([]byte(file), readers, eva)), head + sshRecipient + " ben@laptop"},
		{"removed, the head stays", string(withoutReader([]byte(file), readers, ben)), recipientsHead + file[len(head):]},
		{"another label", string(withLabel([]byte(file), readers[1], "Eva")), strings.Replace(file, "eva@example.com", "Eva", 1)},
		{"a first label", string(withLabel([]byte(file), readers[0], "Ben")), recipientsHead + "# Ben\n" + file[len(recipientsHead):]},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %q; want %q", tt.name, tt.got, tt.want)
		}
	}
}

// A merge of two recipients files: the additions and removals of both sides,
// whatever the other side did.
func TestMergeRecipients(t *testing.T) {
	t.Parallel()
	var names [5]string
	for i := range names {
		names[i] = newRecipient(t)
	}
	text := func(set int) []byte {
		var b []byte
		for i, name := range names {
			if set&(1<<i) != 0 {
				b = withReader(b, name, "")
			}
		}
		return b
	}
	for base := range 32 {
		for ours := range 32 {
			theirs := (base*7 + ours*13) % 32
			merged, err := Conflict{text(base), text(ours), text(theirs)}.merge()
			readers, parseErr := parseReaders(merged)
			if err != nil || parseErr != nil {
				t.Fatalf("merge = %v, %v", err, parseErr)
			}
			got := 0
			for i, name := range names {
				if _, there := find(readers, name); there {
					got |= 1 << i
				}
			}
			if want := (ours | theirs) &^ (base &^ ours) &^ (base &^ theirs); got != want {
				t.Errorf("base %05b, ours %05b, theirs %05b: merged %05b; want %05b", base, ours, theirs, got, want)
			}
		}
	}
}

func TestSplitMarkers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, ours, theirs string
		marked                   bool
	}{
		{"none", "a\nb\n", "a\nb\n", "a\nb\n", false},
		{"merge", "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\nd\n", "a\nb\nd\n", "a\nc\nd\n", true},
		{"diff3", "<<<<<<< HEAD\nb\n||||||| 123\nx\n=======\nc\n>>>>>>> other\n", "b\n", "c\n", true},
		{"CRLF, long, no label", "<<<<<<<<<\r\nb\r\n=========\r\nc\r\n>>>>>>>>>\r\n", "b\r\n", "c\r\n", true},
		{"half", ">>>>>>> other\n", "", "", true},
	}
	for _, tt := range tests {
		c, marked := splitMarkers([]byte(tt.text))
		if string(c.Ours) != tt.ours || string(c.Theirs) != tt.theirs || marked != tt.marked {
			t.Errorf("%s: splitMarkers = %q, %q, %t; want %q, %q, %t", tt.name, c.Ours, c.Theirs, marked, tt.ours, tt.theirs, tt.marked)
		}
	}
}
