package age

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

const recipientsHead = `# Who may read the secrets in the age vault: a recipient (age1…) or an SSH
# public key a line. A secret can be read by those who stood here when it was
# last written.
`

// RecipientsFile returns the path of the recipients, relative to the
// configuration.
func (s *Store) RecipientsFile() string { return s.recipients }

// readRecipients returns the team's recipients, at least one.
func (s *Store) readRecipients(root *os.Root) ([]age.Recipient, error) {
	data, err := read(root.FS(), s.recipients)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s", s.recipients)
	}
	if err != nil {
		return nil, err
	}
	lines, err := parseRecipients(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.recipients, err)
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s lists no recipient", s.recipients)
	}
	var recipients []age.Recipient
	for _, l := range lines {
		recipients = append(recipients, l.Recipient)
	}
	return recipients, nil
}

// A recipient is one line of a recipients file.
type recipient struct {
	age.Recipient
	key string // the line without its comment
}

// parseRecipients parses a recipients file, in the form of the age command;
// "age1… # Ben" is accepted as well.
func parseRecipients(data []byte) ([]recipient, error) {
	var recipients []recipient
	n := 0
	for line := range bytes.Lines(data) {
		n++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		r, err := parseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("line %d %w", n, err)
		}
		recipients = append(recipients, r)
	}
	return recipients, nil
}

// These errors never include the line: it may contain a private key.
var (
	errIdentity  = errors.New("is an identity, which is secret; a recipient begins with age1 or ssh-")
	errRecipient = errors.New("is neither an age recipient (age1…) nor an SSH public key (ssh-ed25519, ssh-rsa)")
)

func parseRecipient(line string) (recipient, error) {
	words := strings.Fields(line)
	switch {
	case strings.ContainsAny(line, "\r\n") || len(words) == 0:
		return recipient{}, errRecipient
	case strings.Contains(strings.ToUpper(line), "AGE-SECRET-KEY"), strings.Contains(line, "PRIVATE KEY"):
		return recipient{}, errIdentity
	case strings.HasPrefix(line, "ssh-") && len(words) > 1:
		r, err := agessh.ParseRecipient(line)
		if err != nil {
			return recipient{}, errRecipient
		}
		return recipient{r, words[0] + " " + words[1]}, nil
	case len(words) > 1 && words[1][0] != '#':
		return recipient{}, errRecipient
	}
	parsed, err := age.ParseRecipients(strings.NewReader(words[0]))
	if err != nil {
		return recipient{}, errRecipient
	}
	return recipient{parsed[0], words[0]}, nil
}

// AddRecipient adds a recipient to a file below root, under a comment with its
// owner. It creates the file if necessary. It returns false if the recipient is
// already there.
func AddRecipient(root *os.Root, file, line, label string) (added bool, err error) {
	line = strings.TrimSpace(line)
	r, err := parseRecipient(line)
	if err != nil {
		return false, fmt.Errorf("the recipient %w", err)
	}
	data, err := read(root.FS(), file)
	old := bytes.Clone(data)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = []byte(recipientsHead), atomicfile.MkdirAllIn(root, path.Dir(file), 0o755)
	}
	if err != nil {
		return false, err
	}
	there, err := parseRecipients(data)
	if err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	for _, t := range there {
		if t.key == r.key {
			return false, nil
		}
	}
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		data = append(data, '\n')
	}
	if label = strings.Map(printable, label); label != "" {
		data = append(data, "# "+label+"\n"...)
	}
	if err := atomicfile.Replace(root, file, old, append(data, line+"\n"...), 0o644, false); err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	return true, nil
}

func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}
