package dotenv

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
)

// Errors of a value that must not be passed to a program.
var (
	ErrNUL    = errors.New("holds a NUL byte")
	ErrNested = errors.New("comes out as an encrypted value")
)

// A Source is an env file to evaluate and the keys that decrypt it.
type Source struct {
	Name string // for errors
	Doc  *Document
	Keys ecies.Keys
}

// EvalOptions changes how [Evaluate] decides between values.
type EvalOptions struct {
	// Override makes files take precedence over the process environment,
	// and later files over earlier ones. Without it, it is the other way
	// around.
	Override bool
}

// A Variable is what a program is to see under a name.
type Variable struct {
	Name  string
	Value secret.Value
	// File and Line are the assignment that Value comes from. File is empty
	// if the process environment has the name already and takes precedence;
	// the value then is the environment's, decrypted if it is encrypted.
	File string
	Line int
}

// A ValueError reports a value that cannot be passed to a program. It does not
// contain the value.
type ValueError struct {
	File string
	Line int
	Name string
	Err  error // ErrCycle, ErrTooLong, ErrNUL, ErrNested or an error of ecies.Keys.Decrypt
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s:%d: %s: %v", e.File, e.Line, e.Name, e.Err)
}

func (e *ValueError) Unwrap() error { return e.Err }

// Evaluate returns the variables of files as a child of "dotenvx run" sees
// them, each name once, in the order in which the names first appear.
// References are looked up in the files so far and in process.
//
// Each value is determined as follows. Decrypted text is treated like the
// file's own:
//
//   - A name that process or an earlier file has, even if empty, keeps that
//     value as it is, unless o.Override is set.
//   - A value in single quotes is taken as it is.
//   - In all others, $NAME, ${NAME}, ${NAME:-default} and ${NAME:+alternative},
//     also without the colon, are replaced, and \$ becomes $.
//
// Commands are never run: $(…) is text like any other.
//
// The error joins a [*ValueError] for each value that cannot be determined, in
// the order of the files; there are no variables then. A value that process or
// an earlier file hides is not decrypted and cannot fail.
func Evaluate(files []Source, process map[string]string, o EvalOptions) ([]Variable, error) {
	var (
		vars    []Variable
		errs    []error
		outer   = maps.Clone(process)
		indexes = map[string]int{}
	)
	if outer == nil {
		outer = map[string]string{}
	}
	for _, f := range files {
		s := scope{outer: outer, own: map[string]string{}, literals: map[string]string{}, override: o.Override}
		decrypted := s.decrypt(f)
		for _, e := range f.Doc.Entries() {
			value, err := s.evaluate(e, decrypted)
			if err != nil {
				errs = append(errs, &ValueError{f.Name, e.Line, e.Name, err})
			}
			s.own[e.Name] = value
			i, known := indexes[e.Name]
			if !known {
				i = len(vars)
				indexes[e.Name] = i
				vars = append(vars, Variable{Name: e.Name})
			}
			v := &vars[i]
			v.Value = secret.New(value)
			if !s.preset(e.Name) {
				v.File, v.Line = f.Name, e.Line
			}
		}
		maps.Copy(outer, s.own)
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return vars, nil
}

// A scope is the variables that the values of one file can refer to.
type scope struct {
	outer    map[string]string // of the process and earlier files
	own      map[string]string // of this file so far
	literals map[string]string // of this file so far, in single quotes
	override bool
}

// preset reports whether name has a value that the file cannot change.
func (s *scope) preset(name string) bool {
	_, ok := s.outer[name]
	return ok && !s.override
}

// text returns the text from which e is evaluated.
func (s *scope) text(e Entry) string {
	if s.preset(e.Name) {
		return s.outer[e.Name]
	}
	return e.Value
}

// decrypt decrypts at once all values that the evaluation of f needs, as that
// takes most of the time. It returns them by ciphertext.
func (s *scope) decrypt(f Source) map[string]ecies.Decrypted {
	var ciphertexts []string
	decrypted := map[string]ecies.Decrypted{}
	for _, e := range f.Doc.Entries() {
		text := s.text(e)
		if _, seen := decrypted[text]; ecies.IsEncrypted(text) && !seen {
			decrypted[text] = ecies.Decrypted{}
			ciphertexts = append(ciphertexts, text)
		}
	}
	for i, d := range f.Keys.DecryptAll(ciphertexts) {
		decrypted[ciphertexts[i]] = d
	}
	return decrypted
}

// evaluate returns the value of e. With an error the value is empty.
func (s *scope) evaluate(e Entry, decrypted map[string]ecies.Decrypted) (value string, err error) {
	value = s.text(e)
	if ecies.IsEncrypted(value) {
		d := decrypted[value]
		if d.Err != nil {
			return "", d.Err
		}
		value = d.Plaintext.Reveal()
	}
	switch {
	case e.Quote == '\'':
		s.literals[e.Name] = value
	case !s.preset(e.Name):
		if value, err = expand(value, s); err != nil {
			return "", err
		}
		value = unescape(value)
	}
	switch {
	case ecies.IsEncrypted(value):
		return "", ErrNested
	case strings.ContainsRune(value, 0):
		return "", ErrNUL
	}
	return value, nil
}

// lookup implements [names]. The process's value takes precedence over the
// file's, as it does for the child.
func (s *scope) lookup(name string) (value string, set bool) {
	first, second := s.outer, s.own
	if s.override {
		first, second = second, first
	}
	if value, set = first[name]; !set {
		value, set = second[name]
	}
	return value, set
}

// isLiteral implements [names]. A text in single quotes that contains nothing
// to expand is like any other; here a backslash before a reference does not
// hide it.
func (s *scope) isLiteral(name string) bool {
	_, holds := findReference(strings.ReplaceAll(s.literals[name], `\`, " "))
	return holds
}
