package age

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

const sshRecipient = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"

func newRecipient(tb testing.TB) string {
	tb.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		tb.Fatal(err)
	}
	return id.Recipient().String()
}

func TestParseRecipients(t *testing.T) {
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
		{"damaged", r[:20] + r[21:], 0, errRecipient, "line 1"},
		{"other SSH key", "ssh-dss AAAA", 0, errRecipient, "line 1"},
		{"identity", id.String(), 0, errIdentity, "line 1"},
		{"SSH private key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", 0, errIdentity, "line 1"},
		{"byte order mark", "\ufeff" + r, 0, errRecipient, "line 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseRecipients([]byte(tt.file))
			if len(got) != tt.n || !errors.Is(err, tt.err) {
				t.Errorf("parseRecipients = %d, %v; want %d, %v", len(got), err, tt.n, tt.err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.word) || strings.Contains(strings.ToUpper(err.Error()), id.String()[15:])) {
				t.Errorf("parseRecipients = %v; want %q and no secret", err, tt.word)
			}
		})
	}
}

func FuzzParseRecipients(f *testing.F) {
	r := newRecipient(f)
	for _, seed := range []string{"", "# Ben\n" + r + "\n", r + " # Ben", sshRecipient, "ssh-rsa AAAA", "age1", "\r\n\x00", "AGE-SECRET-KEY-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		recipients, err := parseRecipients([]byte(file))
		if err != nil && recipients != nil {
			t.Errorf("parseRecipients(%q) = recipients and %v", file, err)
		}
		for _, r := range recipients {
			again, err := parseRecipient(r.key)
			if err != nil || again.key != r.key {
				t.Errorf("parseRecipient(%q) = %q, %v; want it again", r.key, again.key, err)
			}
		}
	})
}

func TestAddRecipient(t *testing.T) {
	t.Parallel()
	ben, eva := newRecipient(t), newRecipient(t)
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	add := func(line, label string, want bool) {
		t.Helper()
		if added, err := AddRecipient(root, DefaultRecipients, line, label); added != want || err != nil {
			t.Errorf("AddRecipient(%q) = %t, %v; want %t", line, added, err, want)
		}
	}
	file := filepath.Join(dir, filepath.FromSlash(DefaultRecipients))
	add(ben, "ben@example.com\n"+eva, true)
	add(ben, "again", false)
	add(sshRecipient+" ben@laptop", "", true)
	add(sshRecipient+" another comment", "", false)

	// a commented-out line does not count; the last line may have no line
	// end
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, "# left in May: "+eva...), 0o644); err != nil {
		t.Fatal(err)
	}
	add(" "+eva+"\n", "", true)

	got, err := os.ReadFile(file)
	want := recipientsHead + "# ben@example.com" + eva + "\n" + ben + "\n" + sshRecipient + " ben@laptop\n# left in May: " + eva + "\n" + eva + "\n"
	if err != nil || string(got) != want {
		t.Errorf("file = %q, %v; want %q", got, err, want)
	}
}

func TestAddRecipientRefuses(t *testing.T) {
	t.Parallel()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	for _, line := range []string{"", "#", "ben", id.String(), strings.ToLower(id.String()), sshRecipient + "\n" + id.Recipient().String()} {
		added, err := AddRecipient(root, DefaultRecipients, line, "")
		if added || err == nil || strings.Contains(strings.ToUpper(err.Error()), id.String()[15:]) {
			t.Errorf("AddRecipient(%d bytes) = %t, %v; want an error that does not quote it", len(line), added, err)
		}
	}
	if _, err := root.Stat(DefaultRecipients); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("recipients file: %v; want it not to exist", err)
	}
}
