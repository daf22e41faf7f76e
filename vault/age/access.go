package age

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"

	"github.com/envdrift/envdrift/vault"
)

// ErrRecipients reports a secret that is not encrypted for the recipients that the
// recipients file names.
var ErrRecipients = errors.New("its recipients are not those of the recipients file")

// recordType is the type of a stanza in the header of a secret's file that says
// whom the file is encrypted for: most of age's own stanzas do not. Every program
// that reads age files skips the types that it does not know. Nobody can change the
// header who cannot read the secret.
const recordType = "envdrift-recipients"

const tagSize = 8 // bytes of the SHA-256 of a recipient, in a record

func tagOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return string(sum[:tagSize])
}

// A recorder is a recipient that adds the record of all readers to a header. It
// takes the place of one of them, for age compares their labels.
type recorder struct {
	age.Recipient
	readers []Reader
}

func (r recorder) WrapWithLabels(fileKey []byte) (stanzas []*age.Stanza, labels []string, err error) {
	if labeled, ok := r.Recipient.(age.RecipientWithLabels); ok {
		stanzas, labels, err = labeled.WrapWithLabels(fileKey)
	} else {
		stanzas, err = r.Wrap(fileKey)
	}
	var tags strings.Builder
	for _, reader := range r.readers {
		tags.WriteString(tagOf(reader.Key))
	}
	return append(stanzas, &age.Stanza{Type: recordType, Body: []byte(tags.String())}), labels, err
}

// A header is what the header of a file shows of its recipients to everyone.
type header struct {
	recorded bool
	tags     []string       // of all recipients, if they are recorded
	count    map[string]int // of stanzas, by their type; of SSH keys by type and fingerprint
}

// headerOf reads the header of an age file.
func headerOf(data []byte) (*header, error) {
	var in io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte(armor.Header)) {
		in = armor.NewReader(in)
	}
	h := &header{count: map[string]int{}}
	if _, err := age.Decrypt(in, h); !errors.As(err, new(*age.NoIdentityMatchError)) {
		return nil, err
	}
	return h, nil
}

// Unwrap implements [age.Identity]: it sees the stanzas, and opens none.
func (h *header) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		h.count[kindOf(s)]++
		if s.Type != recordType {
			continue
		}
		h.recorded = true
		for tag := range slices.Chunk(s.Body, tagSize) {
			h.tags = append(h.tags, string(tag))
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func kindOf(s *age.Stanza) string {
	if strings.HasPrefix(s.Type, "ssh-") && len(s.Args) > 0 {
		return s.Type + " " + s.Args[0]
	}
	return s.Type
}

// kind returns what [kindOf] returns for the stanza of a reader; "" for one of a
// plugin, which may be any number of stanzas.
func (r Reader) kind() string {
	switch r.recipient.(type) {
	case *age.X25519Recipient:
		return "X25519"
	case *age.HybridRecipient:
		return "mlkem768x25519"
	case *agessh.Ed25519Recipient, *agessh.RSARecipient:
		if stanzas, err := r.recipient.Wrap(make([]byte, 16)); err == nil && len(stanzas) == 1 {
			return kindOf(stanzas[0])
		}
	}
	return ""
}

// mayRead reports whether a reader can read the file, or that it cannot be excluded.
func (h *header) mayRead(r Reader) bool {
	kind := r.kind()
	return h.recorded && slices.Contains(h.tags, tagOf(r.Key)) || !h.recorded && (kind == "" || h.count[kind] > 0)
}

// isFor reports whether the file of a secret records that it is for these readers.
func isFor(data []byte, readers []Reader) bool {
	h, err := headerOf(data)
	return err == nil && h.recorded && h.compare("", readers, nil).String() == ""
}

// An Access is what the file of a secret shows of who can read it, compared with
// the recipients file. A file that envdrift wrote records its recipients. Of others
// the SSH keys are known, and how many recipients there are of each kind of age's own.
type Access struct {
	Secret   string   `json:"secret"`
	Recorded bool     `json:"recorded"`          // else those of age's own are only counted
	Missing  []Reader `json:"missing,omitempty"` // recipients who cannot read it
	Former   []Reader `json:"former,omitempty"`  // who can read it and is no recipient, by an older recipients file
	Fewer    int      `json:"fewer,omitempty"`   // how many recipients cannot read it of whom it is not known who
	More     int      `json:"more,omitempty"`    // how many others can read it of whom it is not known who
}

// String says how the recipients differ, or nothing.
func (a Access) String() string {
	var parts []string
	for _, r := range a.Missing {
		parts = append(parts, "not for "+r.short())
	}
	if a.Fewer > 0 {
		parts = append(parts, fmt.Sprintf("not for %d of the recipients", a.Fewer))
	}
	for _, r := range a.Former {
		parts = append(parts, "still for "+r.short()+", who was removed")
	}
	if a.More > 0 {
		parts = append(parts, fmt.Sprintf("for %d more than the recipients file names", a.More))
	}
	return strings.Join(parts, "; ")
}

// short is the key, abbreviated, and whose it is.
func (r Reader) short() string {
	key := r.Key
	if len(key) > 24 {
		key = key[:12] + "…" + key[len(key)-6:]
	}
	if r.Label != "" {
		return r.Label + " (" + key + ")"
	}
	return key
}

func (h *header) compare(name string, readers, past []Reader) Access {
	a := Access{Secret: name, Recorded: h.recorded}
	if h.recorded {
		has := map[string]bool{}
		for _, r := range readers {
			tag := tagOf(r.Key)
			if has[tag] = true; !slices.Contains(h.tags, tag) {
				a.Missing = append(a.Missing, r)
			}
		}
		for _, tag := range h.tags {
			if has[tag] {
				continue
			}
			if i := slices.IndexFunc(past, func(r Reader) bool { return tagOf(r.Key) == tag }); i >= 0 {
				a.Former = append(a.Former, past[i])
			} else {
				a.More++
			}
		}
		return a
	}
	want := map[string][]Reader{}
	for _, r := range readers {
		want[r.kind()] = append(want[r.kind()], r)
	}
	for kind, n := range h.count {
		if known := strings.HasPrefix(kind, "ssh-") || kind == "X25519" || kind == "mlkem768x25519"; known {
			a.More += max(0, n-len(want[kind]))
		}
	}
	for kind, of := range want {
		switch missing := len(of) - h.count[kind]; {
		case kind == "" || missing <= 0:
		case missing == len(of):
			a.Missing = append(a.Missing, of...)
		default:
			a.Fewer += missing
		}
	}
	slices.SortFunc(a.Missing, func(a, b Reader) int { return a.line - b.line })
	return a
}

// Access compares the recipients of each secret with the recipients file. past are
// older versions of that file: they name who was removed. The error says which
// secrets could not be looked at.
func (s *Store) Access(past ...[]byte) ([]Access, error) {
	names, err := s.names()
	if err != nil {
		return nil, s.unreadable("list", "", err)
	}
	var list []Access
	var errs []error
	readers, err := s.currentReaders()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		a, err := s.access(name, readers, past...)
		if errs = append(errs, err); err == nil {
			list = append(list, a)
		}
	}
	return list, errors.Join(errs...)
}

// currentReaders returns who is to read the vault, in the tree that it is of. The
// error is [fs.ErrNotExist] if nothing says so.
func (s *Store) currentReaders() ([]Reader, error) {
	text, err := s.read(s.recipients)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, s.unreadable("list", "", err)
	}
	return s.parse(text)
}

func (s *Store) access(name string, readers []Reader, past ...[]byte) (Access, error) {
	data, err := s.read(s.Path(name))
	if err != nil {
		return Access{}, s.unreadable("list", name, err)
	}
	if hasMarkers(data) {
		return Access{}, s.fail("list", name, vault.ErrMalformed, "its file has a merge conflict", s.command("recipient sync"))
	}
	h, err := headerOf(data)
	if err != nil {
		return Access{}, s.fail("list", name, vault.ErrMalformed, "its file is no age file, or damaged", "git log -- "+s.Path(name))
	}
	var former []Reader
	for _, text := range past {
		older, _ := parseReaders(text) // a version that does not parse names nobody
		former = append(former, older...)
	}
	return h.compare(name, readers, former), nil
}

// CheckReaders returns an error of kind [ErrRecipients] if the file of a secret
// shows that it is not encrypted for the recipients of the recipients file: they
// were changed without "recipient sync". It needs no identity. A vault without a
// recipients file has nothing to compare with.
func (s *Store) CheckReaders(name string) error {
	readers, err := s.readersOnce()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	a, err := s.access(name, readers)
	if text := a.String(); err == nil && text != "" {
		err = s.fail("list", name, ErrRecipients, text, s.command("recipient sync"))
	}
	return err
}
