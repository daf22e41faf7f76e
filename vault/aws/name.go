package aws

import (
	"fmt"
	"strings"

	"github.com/envdrift/envdrift/vault"
)

// An id identifies a version of a secret.
type id struct {
	secret  string // name or ARN
	version string // "": by its label
	stage   string // a label; "": AWSCURRENT
}

func (i id) pinned() bool { return i.version != "" || i.stage != "" }

func (i id) isARN() bool { return strings.HasPrefix(i.secret, "arn:") }

// parse parses name; its errors are of kind ErrName. AWS refuses a bad name
// too, but only after looking for credentials, and with a message of its own.
func (s *Store) parse(name string) (id, error) {
	rest, query, pinned := strings.Cut(name, "?")
	i := id{secret: rest}
	if i.isARN() {
		if rule := s.brokenARN(rest); rule != "" {
			return id{}, vault.NewProblem(vault.ErrName, rule, "")
		}
	} else if !consistsOf(rest, isNameByte, 1, 512) {
		return id{}, vault.NewProblem(vault.ErrName, "a name has 1 to 512 of A-Z a-z 0-9 / _ + = . @ -, or is an ARN", "")
	}
	if !pinned {
		return i, nil
	}
	key, value, _ := strings.Cut(query, "=")
	switch {
	case key == "version" && consistsOf(value, isNameByte, 32, 64):
		i.version = value
	case key == "stage" && consistsOf(value, isNameByte, 1, 256):
		i.stage = value
	default:
		return id{}, vault.NewProblem(vault.ErrName, "after the ? stands version= and an id of 32 to 64 characters, or stage= and a label", "")
	}
	return i, nil
}

// brokenARN returns the rule that arn breaks, or "".
func (s *Store) brokenARN(arn string) string {
	// arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX
	part := strings.Split(arn, ":")
	switch {
	case len(part) != 7, part[2] != "secretsmanager", part[5] != "secret",
		!consistsOf(part[1], isRegionByte, 1, 32), !consistsOf(part[3], isRegionByte, 1, 32),
		!consistsOf(part[4], isDigit, 12, 12), !consistsOf(part[6], isNameByte, 1, 519):
		return "the ARN is not of the form arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"
	case part[3] != s.region:
		return fmt.Sprintf("the ARN is of region %s, and this vault of %s", part[3], s.region)
	}
	return ""
}

func consistsOf(text string, allowed func(byte) bool, least, most int) bool {
	for i := range len(text) {
		if !allowed(text[i]) {
			return false
		}
	}
	return least <= len(text) && len(text) <= most
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isRegionByte(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'z' || c == '-' }

func isNameByte(c byte) bool {
	return isRegionByte(c) || 'A' <= c && c <= 'Z' || strings.IndexByte("/_+=.@", c) >= 0
}
