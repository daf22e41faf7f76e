package age

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"
)

const recipientsHead = `# Who may read the secrets in the age vault: a recipient (age1…) or an SSH
# public key a line. A secret can be read by those who stood here when it was
# last written.
`

// A Reader is a recipient of a vault: one line of its recipients file.
type Reader struct {
	Key   string `json:"recipient"`       // age1…, or the type and the key of an SSH public key
	Label string `json:"label,omitempty"` // whose it is: the comment above it or behind it; may be ""
	You   bool   `json:"you,omitempty"`   // the user has its identity

	recipient age.Recipient
	line      int // in the file, from 0
	first     int // the line of its label, if that is above it, else line
}

// String returns the key and whose it is.
func (r Reader) String() string {
	text := strings.TrimSpace(r.Key + "  " + r.Label)
	if r.You {
		text += "  (you)"
	}
	return text
}

// parseReaders parses a recipients file, in the form of the age command; "age1…
// # Ben" is accepted as well.
func parseReaders(data []byte) ([]Reader, error) {
	var readers []Reader
	comment := "" // the line above
	for n, line := range splitLines(data) {
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' {
			comment = text
			continue
		}
		r, err := parseReader(text)
		if err != nil {
			return nil, &lineError{n + 1, err}
		}
		r.line, r.first = n, n
		if comment != "" && !strings.Contains(recipientsHead, comment) {
			r.first, r.Label = n-1, strings.TrimSpace(strings.TrimLeft(comment, "#"))
		}
		readers, comment = append(readers, r), ""
	}
	return readers, nil
}

// splitLines returns the lines of a text with their ends.
func splitLines(data []byte) []string {
	return slices.Collect(strings.Lines(string(data)))
}

// A lineError reports a line of a recipients file that is no recipient.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// These errors never include the line: it may contain a private key.
var (
	errIdentity  = errors.New("is an identity, which is secret; a recipient begins with age1 or ssh-")
	errRecipient = errors.New("is neither an age recipient (age1…) nor an SSH public key (ssh-ed25519, ssh-rsa)")
	errCut       = errors.New("begins like an age recipient but is cut short or mistyped")
	errSSH       = errors.New("is no SSH key that age can use: a whole line ssh-ed25519 …, or ssh-rsa … of 2048 bits or more")
)

func parseReader(line string) (Reader, error) {
	words := strings.Fields(line)
	switch {
	case strings.ContainsAny(line, "\r\n") || len(words) == 0:
		return Reader{}, errRecipient
	case isPrivate(line):
		return Reader{}, errIdentity
	case strings.HasPrefix(line, "ssh-"), strings.HasPrefix(line, "ecdsa-"), strings.HasPrefix(line, "sk-"):
		r, err := agessh.ParseRecipient(line)
		if err != nil || len(words) < 2 {
			return Reader{}, errSSH
		}
		return Reader{Key: words[0] + " " + words[1], Label: strings.Join(words[2:], " "), recipient: r}, nil
	case !strings.HasPrefix(line, "age1"), len(words) > 1 && words[1][0] != '#':
		return Reader{}, errRecipient
	}
	r, err := parseAge(words[0])
	if err != nil {
		return Reader{}, errCut
	}
	_, label, _ := strings.Cut(line, "#")
	return Reader{Key: words[0], Label: strings.TrimSpace(label), recipient: r}, nil
}

// isPrivate reports whether text is what nobody else may have.
func isPrivate(text string) bool {
	return strings.Contains(strings.ToUpper(text), "AGE-SECRET-KEY") || strings.Contains(text, "PRIVATE KEY")
}

// parseAge parses age1…: a recipient that age knows, or one of a plugin.
func parseAge(word string) (age.Recipient, error) {
	if r, err := age.ParseRecipients(strings.NewReader(word)); err == nil {
		return r[0], nil
	}
	return plugin.NewRecipient(word, noQuestions)
}

// incompatible says why nothing can be encrypted to all of the readers: age does
// not weaken post-quantum recipients by others.
func incompatible(readers []Reader, err error) string {
	quantum := func(r Reader) bool { return strings.HasPrefix(r.Key, "age1pq1") }
	if n := len(slices.DeleteFunc(slices.Clone(readers), quantum)); n > 0 && n < len(readers) {
		return "post-quantum recipients (age1pq1…) do not go together with others: all of them must be, or none"
	}
	return err.Error()
}

// recipientsOf returns the recipients of readers, the first of which records all.
func recipientsOf(readers []Reader) []age.Recipient {
	var recipients []age.Recipient
	for i, r := range readers {
		if i == 0 {
			r.recipient = recorder{r.recipient, readers}
		}
		recipients = append(recipients, r.recipient)
	}
	return recipients
}

// find returns the reader with the key.
func find(readers []Reader, key string) (Reader, bool) {
	i := slices.IndexFunc(readers, func(r Reader) bool { return r.Key == key })
	if i < 0 {
		return Reader{}, false
	}
	return readers[i], true
}

// The following return the text of a recipients file with one change.

// withReader appends a reader, and a comment with its label.
func withReader(data []byte, line, label string) []byte {
	data = bytes.Clone(data)
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		data = append(data, '\n')
	}
	if label = printable(label); label != "" {
		data = append(data, "# "+label+"\n"...)
	}
	return append(data, line+"\n"...)
}

// withoutReader takes away the lines of a key, and the labels above them.
func withoutReader(data []byte, readers []Reader, key string) []byte {
	lines := splitLines(data)
	for _, r := range slices.Backward(readers) {
		if r.Key == key {
			lines = slices.Delete(lines, r.first, r.line+1)
		}
	}
	return []byte(strings.Join(lines, ""))
}

// withLabel changes the label above a reader.
func withLabel(data []byte, r Reader, label string) []byte {
	return []byte(strings.Join(slices.Replace(splitLines(data), r.first, r.line, "# "+printable(label)+"\n"), ""))
}

// printable returns label without what is not printed, such as line ends.
func printable(label string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, label))
}
