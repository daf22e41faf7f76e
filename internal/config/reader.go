package config

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
)

// A reader collects what is wrong with one file. The TOML library tells no
// positions of keys, so they are looked up in the text.
type reader struct {
	file  string
	lines []string
	errs  []error
}

func newReader(file string, data []byte) *reader {
	return &reader{file: file, lines: strings.Split(string(data), "\n")}
}

func (r *reader) join() error { return errors.Join(r.errs...) }

// tables gives the lines of the [[name]] headers.
func (r *reader) tables(name string) []int {
	var at []int
	for i, line := range r.lines {
		if header(line, "[[", "]]") == name {
			at = append(at, i+1)
		}
	}
	return at
}

// lineOf finds the key in the section [name], or in the index'th [[name]]. An
// unusual spelling is not found: 0.
func (r *reader) lineOf(section string, index int, key string) int {
	in, seen := section == "", -1
	for i, line := range r.lines {
		if single, many := header(line, "[", "]"), header(line, "[[", "]]"); many != "" {
			if many == section {
				seen++
			}
			in = many == section && seen == index
		} else if single != "" {
			in = single == section && index < 0
			if single == section+"."+key || section == "" && single == key {
				return i + 1
			}
		}
		name, _, ok := strings.Cut(line, "=")
		if ok && in && strings.Trim(strings.TrimSpace(name), `"'`) == key {
			return i + 1
		}
	}
	return 0
}

// header gives the name in a table's header line.
func header(line, open, end string) string {
	line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, open) || !strings.HasSuffix(line, end) || open == "[" && strings.HasPrefix(line, "[[") {
		return ""
	}
	name := strings.TrimSpace(line[len(open) : len(line)-len(end)])
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = strings.Trim(strings.TrimSpace(p), `"'`)
	}
	return strings.Join(parts, ".")
}

// A table is a section of the file while its keys are taken from it one by
// one; what is left is unknown.
type table struct {
	r      *reader
	where  string // "vault.sync", "vault.sync.mappings[1]"
	values map[string]any
	known  []string

	plain string // where without index, for a table of a list
	index int
	line  int // where a table of a list begins
}

func (t *table) key(name string) string {
	if t.where == "" {
		return name
	}
	return t.where + "." + name
}

func (t *table) fail(name, problem, suggestion string) {
	section, index := t.where, -1
	if t.plain != "" {
		section, index = t.plain, t.index
	}
	line := t.r.lineOf(section, index, name)
	if line == 0 {
		line = t.line
	}
	t.r.errs = append(t.r.errs, &Error{File: t.r.file, Line: line, Key: t.key(name), Problem: problem, Suggestion: suggestion})
}

func (t *table) failHere(problem string) {
	t.r.errs = append(t.r.errs, &Error{File: t.r.file, Line: t.line, Problem: problem})
}

// take removes a key from what is left.
func (t *table) take(name string) (any, bool) {
	t.known = append(t.known, name)
	v, ok := t.values[name]
	delete(t.values, name)
	return v, ok
}

// rest reports what was not taken.
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
		t.fail(name, "is not a section", "")
		return nil
	}
	return &table{r: t.r, where: t.key(name), values: values}
}

// text reads a string that, if it is there, is not empty.
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
	if s = strings.TrimSpace(s); s == "" {
		t.fail(name, "is empty", "")
	}
	return s
}

func (t *table) required(name string) string {
	if _, ok := t.values[name]; !ok {
		t.fail(name, "is missing", "")
	}
	return t.text(name)
}

func (t *table) oneOf(name, otherwise string, allowed ...string) string {
	if _, ok := t.values[name]; !ok {
		t.take(name)
		return otherwise
	}
	s := t.text(name)
	if s != "" && !slices.Contains(allowed, s) {
		t.fail(name, fmt.Sprintf("%q is none of %s", s, strings.Join(allowed, ", ")), nearest(strings.ToLower(s), allowed))
		return otherwise
	}
	return s
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
		t.fail(name, fmt.Sprintf("is %s, not a number", kind(v)), "")
	case n < least || n > most:
		t.fail(name, fmt.Sprintf("is %d, not from %d to %d", n, least, most), "")
		return 0
	}
	return int(n)
}

func (t *table) duration(name string, otherwise time.Duration) time.Duration {
	if _, ok := t.values[name]; !ok {
		t.take(name)
		return otherwise
	}
	s := t.text(name)
	d, err := time.ParseDuration(s)
	if s != "" && (err != nil || d <= 0) {
		t.fail(name, fmt.Sprintf("%q is no time such as \"10s\"", s), "")
		return otherwise
	}
	return d
}

func (t *table) url(name string) string {
	u := t.text(name)
	if u == "" {
		return ""
	}
	if problem := badURL(u); problem != "" {
		t.fail(name, problem, "")
	}
	return u
}

// path reads a path that stays below the folder it counts from.
func (t *table) path(name string) string {
	p := t.text(name)
	if p == "" {
		return ""
	}
	if problem := badPath(p); problem != "" {
		t.fail(name, fmt.Sprintf("%q %s", p, problem), "")
		return ""
	}
	return path.Clean(p)
}

func (t *table) folder(name string) string {
	if _, ok := t.values[name]; !ok {
		t.fail(name, "is missing", "")
	}
	return t.path(name)
}

// label reads a name of letters, digits, dots, hyphens and underscores.
func (t *table) label(name string) string {
	s := t.text(name)
	if s != "" && !labelForm.MatchString(s) {
		t.fail(name, fmt.Sprintf("%q may hold letters, digits, and . _ - only", s), "")
	}
	return s
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a section"
	}
	return "a date"
}

// nearest gives the word that a typing error may have made into s.
func nearest(s string, words []string) string {
	best, distance := "", max(2, len(s)/3)+1
	for _, w := range words {
		if d := levenshtein.ComputeDistance(s, w); d < distance {
			best, distance = w, d
		}
	}
	return best
}
