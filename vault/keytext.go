package vault

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/lazy"
	"github.com/envdrift/envdrift/internal/secret"
)

// A LabelError reports that a secret contains keys, but none under an
// acceptable name: the key of another environment is refused and never
// relabelled. It is an ErrMalformed.
type LabelError struct {
	Have []string // the names in the secret, in its order
	Want []string
}

func (e *LabelError) Error() string {
	return fmt.Sprintf("%v: it holds %s, not %s", ErrMalformed, strings.Join(e.Have, ", "), strings.Join(e.Want, " or "))
}

// Unwrap makes a LabelError an ErrMalformed.
func (e *LabelError) Unwrap() error { return ErrMalformed }

// KeyText finds the private key in what users store as one: the bare key, an
// assignment, a whole keys file, a JSON object, each perhaps quoted, commented
// or nested in another. It returns one or more keys, newest first, each of 64
// hex digits in lowercase, joined by commas; and the name that they were under,
// as it was written, or "".
//
// want are the names that the key may have, the preferred one first. If want is
// empty, the secret must have one name only. A key without a name is always
// accepted. Letter case does not count and "." is "_", as dotenvx writes it.
//
// Every error is an ErrMalformed, and a [*LabelError] if only the name is
// wrong. It states the reason without any part of the value.
func KeyText(v secret.Value, want ...string) (text secret.Value, label string, err error) {
	found, err := findKeys(v.Reveal(), 0)
	if err != nil {
		return secret.Value{}, "", err
	}
	key, err := choose(found, want)
	if err != nil {
		return secret.Value{}, "", err
	}
	return secret.New(key.text), key.label, nil
}

// OtherKeys returns the names of the keys that a secret has under none of want, as a
// keys file for several environments does. What is under a name and is no key does
// not count.
func OtherKeys(v secret.Value, want ...string) (names []string) {
	found, err := findKeys(v.Reveal(), 0)
	if err != nil {
		return nil
	}
	for _, k := range found {
		fits := k.label == "" || slices.ContainsFunc(want, func(w string) bool { return normal(k.label) == normal(w) })
		if _, err := checkShape(k.text); err == nil && !fits && !slices.Contains(names, k.label) {
			names = append(names, k.label)
		}
	}
	return names
}

// ReplaceKey returns the text of a secret with other keys in place of those that it
// holds: what is around them stays, as in a keys file or a JSON object. have and keys
// are lists of keys in the form of [KeyText], of which the rest is. If have is not
// in the text as one list, the error is an ErrMalformed.
func ReplaceKey(v secret.Value, have, keys string, want ...string) (secret.Value, error) {
	text, _, err := KeyText(v, want...)
	if err != nil {
		return secret.Value{}, err
	}
	replaced := keyList().ReplaceAllStringFunc(v.Reveal(), func(list string) string {
		if strings.ToLower(blanks().ReplaceAllString(list, "")) != text.Reveal() {
			return list
		}
		return keys
	})
	out := secret.New(replaced)
	if now, _, err := KeyText(out, want...); text.Reveal() != have || err != nil || now.Reveal() != keys {
		return secret.Value{}, malformed("its keys cannot be replaced where they are")
	}
	return out, nil
}

var (
	keyList = lazy.Regexp(`[0-9A-Fa-f]{64}(?:\s*,\s*[0-9A-Fa-f]{64})*`)
	blanks  = lazy.Regexp(`\s+`)
)

// A labelled is text that should be a key, and the name that it is under.
type labelled struct{ label, text string }

const maxNesting = 6 // of quotes and JSON in each other

var (
	// An assignment as dotenvx reads it. The name may contain what file
	// names contain, including a dash. godotenv cannot be used here: it
	// accepts no dash, expands "$", and its errors quote the line.
	assignment = lazy.Regexp(`^(?:export\s+)?([\w.-]+)(?:\s*=\s*|:\s+)(.*)$`)

	// The names of private keys. The bound keeps a key that was pasted into
	// the name from being printed as one.
	keyName = lazy.Regexp(`^(?i:DOTENV_PRIVATE_KEY)(?:_[\w.-]{1,60})?$`)

	lineEnd = lazy.Regexp(`\r\n|\n|\r`)
)

// findKeys returns everything in s that is in the place of a key, valid or not.
// It returns at least one, or an error.
func findKeys(s string, depth int) ([]labelled, error) {
	if depth > maxNesting {
		return nil, malformed("it is nested too deep")
	}
	if !utf8.ValidString(s) {
		return nil, malformed("it is binary data")
	}
	lines := significantLines(s)
	s = strings.Join(lines, "\n")
	switch {
	case s == "":
		return nil, malformed("it is empty")
	case s[0] == '{' || s[0] == '[':
		return findInJSON(s, depth)
	case len(s) > 1 && strings.ContainsRune("\"'`", rune(s[0])) && s[len(s)-1] == s[0]:
		return findKeys(dequote(s), depth+1)
	}
	return findInLines(lines)
}

// significantLines splits s at the line ends of any system and drops blank
// lines and comments.
func significantLines(s string) []string {
	var lines []string
	for _, line := range lineEnd().Split(s, -1) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// findInLines parses a bare key, or a keys file, which may contain other
// variables.
func findInLines(lines []string) ([]labelled, error) {
	var found []labelled
	for _, line := range lines {
		m := assignment().FindStringSubmatch(line)
		isKey := m != nil && keyName().MatchString(m[1])
		if m != nil && !isKey && len(lines) > 1 {
			continue
		}
		if problem := invisible(line); problem != "" {
			return nil, malformed("it holds %s", problem)
		}
		switch {
		case isKey:
			found = append(found, labelled{m[1], plainValue(m[2])})
		case len(lines) == 1:
			found = append(found, labelled{"", plainValue(line)})
		}
	}
	if found == nil {
		return nil, malformed("it has %d lines, none of them DOTENV_PRIVATE_KEY…=", len(lines))
	}
	return found, nil
}

// dequote removes the quotes around s. Double quotes may be a JSON string's.
func dequote(s string) string {
	var text string
	if s[0] == '"' && json.Unmarshal([]byte(s), &text) == nil {
		return text
	}
	return s[1 : len(s)-1]
}

// plainValue returns what follows a "=": the text in the quotes if there are
// any, else up to a comment.
func plainValue(s string) string {
	if s != "" && strings.ContainsRune("\"'`", rune(s[0])) {
		inner, rest, closed := strings.Cut(s[1:], s[:1])
		if rest = strings.TrimSpace(rest); closed && (rest == "" || rest[0] == '#') {
			return strings.TrimSpace(inner)
		}
	}
	s, _, _ = strings.Cut(s, "#")
	return strings.TrimSpace(s)
}

// findInJSON parses an object with DOTENV_PRIVATE_KEY… fields, as the AWS
// console makes it, or else the value of its field "value" or "data".
func findInJSON(s string, depth int) ([]labelled, error) {
	fields, err := objectFields(s)
	if err != nil {
		return nil, err
	}
	var found []labelled
	for _, f := range fields {
		if !keyName().MatchString(f.name) {
			continue
		}
		inner, err := findKeys(f.text, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%w (field %s)", err, f.name)
		}
		for _, k := range inner {
			if k.label != "" && normal(k.label) != normal(f.name) {
				return nil, malformed("its field %s holds %s", f.name, k.label)
			}
			found = append(found, labelled{f.name, k.text})
		}
	}
	if found != nil {
		return found, nil
	}
	for _, wrapper := range []string{"value", "data"} {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == wrapper })
		if i >= 0 {
			return findKeys(fields[i].text, depth+1)
		}
	}
	return nil, malformed("it is a JSON object without a field DOTENV_PRIVATE_KEY… or value; it has %s", fieldNames(fields))
}

// A field of a JSON object; text is a string's text or any other value's JSON.
type field struct{ name, text string }

// objectFields returns the fields of a JSON object in their order, including
// duplicates. The messages of package json are left out: they may quote the
// text.
func objectFields(s string) ([]field, error) {
	if s[0] == '[' {
		return nil, malformed("it is a JSON array")
	}
	if !json.Valid([]byte(s)) {
		return nil, malformed(`it begins with "{" and is not JSON`)
	}
	var fields []field
	d := json.NewDecoder(strings.NewReader(s))
	_, _ = d.Token() // the brace; there is no error in valid JSON
	for d.More() {
		name, _ := d.Token()
		var raw json.RawMessage
		_ = d.Decode(&raw)
		f := field{name: name.(string), text: string(raw)}
		if raw[0] == '"' {
			_ = json.Unmarshal(raw, &f.text)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// fieldNames lists the names of fields that look like names: a key in the place
// of a name must not be printed.
func fieldNames(fields []field) string {
	name := regexp.MustCompile(`^[A-Za-z_][\w.-]{0,30}$`)
	var names []string
	for _, f := range fields {
		if name.MatchString(f.name) {
			names = append(names, f.name)
		}
	}
	switch others := len(fields) - len(names); {
	case len(fields) == 0:
		return "no fields"
	case others > 0:
		names = append(names, fmt.Sprintf("%d with odd names", others))
	}
	return strings.Join(names, ", ")
}

// choose returns the key under the first name of want that is in found.
func choose(found []labelled, want []string) (labelled, error) {
	names := labels(found)
	if len(want) == 0 {
		want = names[:1]
		if len(names) > 1 {
			return labelled{}, malformed("it holds several keys: %s", strings.Join(names, ", "))
		}
	}
	for _, w := range want {
		named := slices.DeleteFunc(slices.Clone(found), func(k labelled) bool {
			return k.label != "" && normal(k.label) != normal(w)
		})
		if len(named) > 0 {
			return theOne(named)
		}
	}
	return labelled{}, &LabelError{Have: names, Want: want}
}

// theOne returns the only key in found, which may be there more than once.
func theOne(found []labelled) (labelled, error) {
	var one labelled
	for _, k := range found {
		text, err := checkShape(k.text)
		switch {
		case err != nil && k.label != "":
			return labelled{}, fmt.Errorf("%w (%s)", err, k.label)
		case err != nil:
			return labelled{}, err
		case one.text != "" && one.text != text:
			return labelled{}, malformed("it holds several keys named %s", k.label)
		}
		one = labelled{k.label, text}
	}
	return one, nil
}

// labels returns the names of found, each spelling once.
func labels(found []labelled) []string {
	var names []string
	for _, k := range found {
		if !slices.Contains(names, k.label) {
			names = append(names, k.label)
		}
	}
	return names
}

// normal returns the form in which names of keys are compared.
func normal(label string) string {
	return strings.ReplaceAll(strings.ToUpper(label), ".", "_")
}

// checkShape returns the keys of a comma-separated list in lowercase.
func checkShape(list string) (string, error) {
	keys := strings.Split(list, ",")
	for i, key := range keys {
		key = strings.ToLower(strings.TrimSpace(key))
		if len(key) != 64 || !isHex(key) {
			return "", malformed("%s", misshape(key))
		}
		keys[i] = key
	}
	return strings.Join(keys, ","), nil
}

// misshape says what key, in lowercase, is instead of a private key.
func misshape(key string) string {
	_, _, assigned := strings.Cut(key, "=")
	prefixed := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
	}
	switch {
	case key == "":
		return "the key is empty"
	case prefixed("encrypted:"):
		return "it is an encrypted value, not a key"
	case isHex(key) && (len(key) == 66 && prefixed("02", "03") || len(key) == 130 && prefixed("04")):
		return "it is a public key; the private one is needed"
	case isHex(key):
		return fmt.Sprintf("it has %d hex digits; a private key has 64", len(key))
	case assigned:
		return "it is an assignment where a key should stand"
	}
	return fmt.Sprintf("it is no private key: %d characters, not 64 hex digits", utf8.RuneCountInString(key))
}

func isHex(lower string) bool { return strings.Trim(lower, "0123456789abcdef") == "" }

// invisible describes the first character of s that an editor does not show. A
// key that looks right and is not deserves a message of its own.
func invisible(s string) string {
	for _, r := range s {
		switch {
		case r == '\t':
		case r == '\uFEFF':
			return "a byte order mark (U+FEFF)"
		case r == 0:
			return "a NUL character"
		case r == '\x1b':
			return "a terminal escape sequence"
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r):
			return fmt.Sprintf("an invisible character (%U)", r)
		}
	}
	return ""
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
