package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"

	"github.com/envdrift/envdrift/internal/lazy"
	"github.com/envdrift/envdrift/vault"
)

// A reader collects the mistakes in one file.
type reader struct {
	file  string
	text  string
	lines map[string]int // of the keys in text, once needed
	errs  []*Error
}

func newReader(file string, data []byte) *reader { return &reader{file: file, text: string(data)} }

// lineOf returns the line of a key, or of the nearest enclosing element that is
// there: 0 if there is none.
func (r *reader) lineOf(key string) int {
	if r.lines == nil {
		r.lines = keyLines(r.text)
	}
	for key != "" {
		if line, ok := r.lines[key]; ok {
			return line
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return 0
}

func (r *reader) fail(key, problem, suggestion string) {
	r.failAt(r.lineOf(key), key, problem, suggestion)
}

func (r *reader) failAt(line int, key, problem, suggestion string) {
	r.errs = append(r.errs, &Error{File: r.file, Line: line, Key: key, Problem: problem, Suggestion: suggestion})
}

// join returns all errors, in the order of the file.
func (r *reader) join() error {
	slices.SortStableFunc(r.errs, func(a, b *Error) int { return a.Line - b.Line })
	errs := make([]error, len(r.errs))
	for i, e := range r.errs {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// A table is a section of the file while its keys are taken from it one by one.
// The keys that are left are unknown.
type table struct {
	r      *reader
	where  string // "vault.sync", "vault.sync.mappings[1]"
	values map[string]any
	known  []string
}

func (t *table) key(name string) string { return join(t.where, name) }

func (t *table) fail(name, problem, suggestion string) {
	t.r.fail(t.key(name), problem, suggestion)
}

func (t *table) has(name string) bool {
	_, ok := t.values[name]
	return ok
}

// take removes a key from what is left.
func (t *table) take(name string) (any, bool) {
	t.known = append(t.known, name)
	v, ok := t.values[name]
	delete(t.values, name)
	return v, ok
}

// rest reports the keys that were not taken.
func (t *table) rest() {
	for _, name := range slices.Sorted(maps.Keys(t.values)) {
		t.fail(name, "unknown key", nearest(name, t.known))
	}
}

func (t *table) section(name string) *table {
	v, ok := t.take(name)
	if !ok {
		return nil
	}
	values, ok := v.(map[string]any)
	if !ok {
		t.fail(name, fmt.Sprintf("is %s, not a section", kind(v)), "")
		return nil
	}
	return &table{r: t.r, where: t.key(name), values: values}
}

// text reads a string that, if it is there, must not be empty.
func (t *table) text(name string) string {
	v, ok := t.take(name)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		t.fail(name, fmt.Sprintf("is %s, not a string", kind(v)), "")
		return ""
	}
	switch s = strings.TrimSpace(s); {
	case s == "":
		t.fail(name, "is empty", "")
	case hasControl(s):
		t.fail(name, "holds a control character", "")
		return ""
	}
	return s
}

func (t *table) required(name string) string {
	if !t.has(name) {
		t.fail(name, "is missing", "")
	}
	return t.text(name)
}

func (t *table) oneOf(name, otherwise string, allowed ...string) string {
	s := t.text(name)
	switch {
	case s == "":
		return otherwise
	case !slices.Contains(allowed, s):
		t.fail(name, notOneOf(s, allowed), nearest(strings.ToLower(s), allowed))
		return otherwise
	}
	return s
}

// provider reads the name of a provider that is known.
func (t *table) provider(known vault.Providers) string {
	s := t.text("provider")
	if _, ok := known.Find(s); ok || s == "" {
		return s
	}
	t.fail("provider", notOneOf(s, known.Names()), nearest(strings.ToLower(s), known.Names()))
	return ""
}

func notOneOf(s string, allowed []string) string {
	return fmt.Sprintf("%q is none of %s", s, strings.Join(allowed, ", "))
}

func (t *table) flag(name string, otherwise bool) bool {
	v, ok := t.take(name)
	if !ok {
		return otherwise
	}
	b, ok := v.(bool)
	if !ok {
		t.fail(name, fmt.Sprintf("is %s, not true or false", kind(v)), "")
	}
	return b
}

// number reads a whole number from least to most; 0 if it is not there.
func (t *table) number(name string, least, most int64) int {
	v, ok := t.take(name)
	if !ok {
		return 0
	}
	n, ok := v.(int64)
	switch {
	case !ok:
		t.fail(name, fmt.Sprintf("is %s, not a whole number", kind(v)), "")
	case n < least || n > most:
		t.fail(name, fmt.Sprintf("is %d, not from %d to %d", n, least, most), "")
		return 0
	}
	return int(n)
}

func (t *table) duration(name string, otherwise time.Duration) time.Duration {
	s := t.text(name)
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		t.fail(name, fmt.Sprintf(`%q is no time such as "10s"`, s), "")
		return otherwise
	}
	return d
}

// setting reads a provider's setting; "" if it is not there or is wrong.
func (t *table) setting(s vault.Setting) string {
	switch s.Kind {
	case vault.Mount:
		return strings.Trim(t.text(s.Key), "/")
	case vault.URL:
		return t.url(s.Key)
	case vault.Path:
		return t.path(s.Key, t.text(s.Key))
	case vault.Enum:
		return t.oneOf(s.Key, "", s.Values...)
	case vault.Number:
		if n := t.number(s.Key, s.Least, s.Most); n != 0 {
			return strconv.Itoa(n)
		}
		return ""
	case vault.Table:
		return t.texts(s.Key)
	}
	return t.text(s.Key)
}

// texts reads a section of strings. It returns a JSON object, whose keys are sorted.
func (t *table) texts(name string) string {
	s := t.section(name)
	if s == nil {
		return ""
	}
	all := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		if text := s.text(key); text != "" {
			all[key] = text
		}
	}
	data, err := json.Marshal(all)
	if err != nil || len(all) == 0 {
		return "" // strings are always JSON
	}
	return string(data)
}

func (t *table) url(name string) string {
	u := t.text(name)
	if u == "" {
		return ""
	}
	if problem := badURL(u); problem != "" {
		t.fail(name, problem, "")
		return ""
	}
	return u
}

// path cleans the key's value p, a path that must stay below its base.
func (t *table) path(name, p string) string {
	if p == "" {
		return ""
	}
	if problem := badPath(p); problem != "" {
		t.fail(name, problem, "")
		return ""
	}
	return path.Clean(p)
}

// label reads a word that is safe in the names of files and variables.
func (t *table) label(name string) string {
	s := t.text(name)
	if s != "" && !labelForm().MatchString(s) {
		t.fail(name, fmt.Sprintf("%q may hold letters, digits, and . _ - only, and begins with a letter or digit", s), "")
		return ""
	}
	return s
}

var labelForm = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func kind(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a point"
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a section"
	}
	return "a date"
}

// Nearest returns the word that s may be a misspelling or a part of, or "".
func Nearest(s string, words []string) string { return nearest(s, words) }

// nearest returns the word that s may be a misspelling or a part of.
func nearest(s string, words []string) string {
	best, distance := "", max(2, len(s)/3)
	if len(s) < 4 {
		distance = 1
	}
	for _, w := range words {
		if d := levenshtein.ComputeDistance(s, w); d <= distance && w != "" {
			best, distance = w, d-1
		}
	}
	if i := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, s) }); best == "" && len(s) > 2 && i >= 0 {
		return words[i]
	}
	return best
}
