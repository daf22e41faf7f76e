package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// keyLines returns the line of every key, section and element of a list of
// sections in a valid TOML document, under names such as
// "vault.sync.mappings[1].env_file". The library knows these lines but does not
// expose them. So the text is cut into statements here, and the library parses
// which key each of them sets.
func keyLines(text string) map[string]int {
	lines, elements := map[string]int{}, map[string]int{}
	at := func(where string, key toml.Key, line int) string {
		for _, part := range key {
			where = join(where, part)
			note(lines, where, line)
			if n := elements[where]; n > 0 {
				where = element(where, n-1)
				note(lines, where, line)
			}
		}
		return where
	}
	section, line := "", 1
	for text != "" {
		var s string
		s, text, _ = cutStatement(text)
		key := keyOf(s)
		switch trimmed := strings.TrimSpace(s); {
		case len(key) == 0:
		case strings.HasPrefix(trimmed, "[["):
			last := len(key) - 1
			elements[join(at("", key[:last], line), key[last])]++
			section = at("", key, line)
		case strings.HasPrefix(trimmed, "["):
			section = at("", key, line)
		default:
			at(section, key, line)
		}
		line += strings.Count(s, "\n")
	}
	return lines
}

// note records the first line in which a name is seen.
func note(lines map[string]int, name string, line int) {
	if _, seen := lines[name]; !seen {
		lines[name] = line
	}
}

func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}

func element(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// keyOf returns the key that a statement sets or opens; nil for a comment.
func keyOf(statement string) toml.Key {
	name, _, _ := strings.Cut(statement, "=")
	if name = strings.TrimSpace(name); name == "" || name[0] == '#' {
		return nil
	}
	if inner, ok := insideOf(name, "[[", "]]"); ok {
		name = inner
	} else if inner, ok := insideOf(name, "[", "]"); ok {
		name = inner
	}
	if parts := strings.Split(name, "."); !slices.ContainsFunc(parts, func(part string) bool { return !isBare(part) }) {
		return parts // most are: no need to parse
	}
	var ignored map[string]any
	meta, err := toml.Decode(statement, &ignored)
	if err != nil || len(meta.Keys()) == 0 {
		return nil
	}
	return meta.Keys()[0]
}

func insideOf(s, opening, closing string) (inner string, ok bool) {
	inner, opened := strings.CutPrefix(s, opening)
	inner, closed := strings.CutSuffix(inner, closing)
	return inner, opened && closed
}

// isBare reports whether a part of a key needs no quotes.
func isBare(part string) bool {
	return part != "" && strings.Trim(part, "-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

// cutStatement cuts off the first statement: the text up to a line end that is
// not in a string, array or inline table. deepest is how deeply its brackets
// and dotted keys are nested.
func cutStatement(text string) (statement, rest string, deepest int) {
	depth, dots := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"', '\'':
			i += stringLen(text[i:]) - 1
		case '#':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '.':
			dots++
		case '=', ',':
			dots = 0
		case '\n':
			if dots = 0; depth <= 0 {
				return text[:i+1], text[i+1:], deepest
			}
		}
		deepest = max(deepest, depth+dots)
	}
	return text, "", deepest
}

// stringLen returns the length of the string at the beginning of s, including
// quotes.
func stringLen(s string) int {
	quote := s[:1]
	end := quote
	if strings.HasPrefix(s, quote+quote+quote) {
		end = s[:3]
	}
	for i := len(end); i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == `"`:
			i++
		case strings.HasPrefix(s[i:], end):
			i += len(end)
			// Up to two quotes may precede the closing three.
			for extra := 0; len(end) == 3 && extra < 2 && strings.HasPrefix(s[i:], quote); extra++ {
				i++
			}
			return i
		}
	}
	return len(s)
}
