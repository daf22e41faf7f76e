package age

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/vault"
)

const recipientsHead = `# Who may read the secrets under .envdrift/vault: an age recipient (age1…) or an
# SSH public key a line. A secret is readable by those who stood here when it
# was last written.
`

// RecipientsFile is where the recipients stand, relative to the configuration.
func (s *Store) RecipientsFile() string { return s.recipients }

// readRecipients gives the team's recipients, at least one.
func (s *Store) readRecipients() ([]age.Recipient, error) {
	data, err := s.read(s.recipients, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.fail("put", "", vault.ErrConfig, "there is no "+s.recipients, "envdrift init --provider age")
	}
	if err != nil {
		return nil, s.fail("put", "", vault.ErrConfig, err.Error(), "")
	}
	recipients, err := parseRecipients(data)
	if err != nil {
		return nil, s.fail("put", "", vault.ErrConfig, s.recipients+": "+err.Error(), "")
	}
	if len(recipients) == 0 {
		return nil, s.fail("put", "", vault.ErrConfig, s.recipients+" names nobody", "")
	}
	return recipients, nil
}

func parseRecipients(data []byte) ([]age.Recipient, error) {
	var recipients []age.Recipient
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxFile)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := parseRecipient(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		recipients = append(recipients, r)
	}
	return recipients, lines.Err()
}

var errRecipient = errors.New("is neither an age recipient (age1…) nor an SSH public key")

func parseRecipient(line string) (age.Recipient, error) {
	if strings.HasPrefix(line, "ssh-") {
		if r, err := agessh.ParseRecipient(line); err == nil {
			return r, nil
		}
		return nil, errRecipient
	}
	word, _, _ := strings.Cut(line, "#")
	if r, err := age.ParseX25519Recipient(strings.TrimSpace(word)); err == nil {
		return r, nil
	}
	return nil, errRecipient
}

// AddRecipient adds a line to a recipients file below root, which is made if it
// is not there. It reports false if the recipient stands there already.
func AddRecipient(root *os.Root, file, recipient, label string) (added bool, err error) {
	if _, err := parseRecipient(recipient); err != nil {
		return false, fmt.Errorf("%q %w", recipient, err)
	}
	data, err := root.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = []byte(recipientsHead), root.MkdirAll(path.Dir(file), 0o755)
	}
	if err != nil {
		return false, err
	}
	if bytes.Contains(data, []byte(recipient)) {
		return false, nil
	}
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		data = append(data, '\n')
	}
	line := recipient
	if !strings.HasPrefix(recipient, "ssh-") && label != "" {
		line += "  # " + strings.Map(printable, label)
	}
	return true, atomicfile.Write(root, file, append(data, line+"\n"...), 0o644, false)
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}
