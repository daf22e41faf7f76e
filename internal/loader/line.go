package loader

import (
	"slices"
	"strings"
)

// A Line is an assignment as it is in a file.
type Line struct {
	Head string // up to the separator, with it: "A=", "export A=", "A: "
	Raw  string // the value with its quotes
	Tail string // what is behind: blanks, a comment
}

// Reads reports whether the loader surely reads the line as the variable with the
// value.
func (l Loader) Reads(line Line, name, value string) bool {
	got, sure := l.Read(line.Raw)
	return sure && got == value && !slices.Contains(misreadHeads[headOf(line.Head, name)], l.Name) && !slices.Contains(misreadTails[tailOf(line)], l.Name)
}

// FirstWins reports whether the loader takes the first of several assignments of a
// name, and not the last one as dotenvx does.
func (l Loader) FirstWins() bool { return l.Name == "deno" || l.Name == "dotenvy" }

// misreadHeads and misreadTails are the loaders that do not read a line that begins or
// ends in a certain way.
var (
	misreadHeads = map[string][]string{
		"export": {"docker", "java", "php", "systemd"},
		"blanks": {"docker", "php", "sh"},
		"colon":  {"deno", "docker", "dotenvy", "java", "node", "php", "python-dotenv", "sh", "systemd", "vite"},
	}
	misreadTails = map[string][]string{
		"comment": {"docker", "systemd"},
		"quotes":  {"docker", "ruby", "systemd"},                 // "x" # say "hi"
		"glued":   {"docker", "dotenvy", "php", "sh", "systemd"}, // "x"#note
	}
)

func headOf(head, name string) string {
	switch assigned, exported := strings.CutPrefix(head, "export"); {
	case head == name+"=":
		return ""
	case strings.HasSuffix(strings.TrimRight(head, " \t"), ":"):
		return "colon"
	case exported && strings.TrimLeft(assigned, " \t") == name+"=":
		return "export"
	}
	return "blanks"
}

func tailOf(line Line) string {
	switch comment := strings.TrimLeft(line.Tail, " \t"); {
	case strings.TrimSpace(comment) == "":
		return ""
	case comment == line.Tail:
		return "glued"
	case line.Raw != "" && isQuote(line.Raw[0]) && strings.ContainsRune(comment, rune(line.Raw[0])):
		return "quotes"
	}
	return "comment"
}
