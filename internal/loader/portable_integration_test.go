//go:build integration

package loader

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	envfile "github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

var update = flag.Bool("update", false, "rewrite the table in docs/loaders.md")

// others are real loaders that no model stands for.
var others = []string{"decouple", "django-environ", "dotenvx", "honcho", "starlette"}

func everyCommand() []string {
	all := slices.Concat(slices.Collect(maps.Values(commands))...)
	return slices.Compact(slices.Sorted(slices.Values(append(all, others...))))
}

// A spelling is a value as this program writes it, and as it would be without any
// thought for loaders other than dotenvx.
type spelling struct{ value, line, naive string }

// written returns how values are written: new, and decrypted in each kind of quotes.
func written(t *testing.T, values []testValue) (all []spelling) {
	t.Helper()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		naive := "'" + v.Value + "'"
		if strings.Contains(v.Value, "'") && !strings.Contains(v.Value, "$") || strings.HasSuffix(v.Value, `\`) && !strings.Contains(v.Value, "\n") {
			naive = `"` + v.Value + `"`
		}
		if doc, err := envfile.Parse(nil).Set("A", v.Value); err == nil {
			all = append(all, spelling{v.Value, string(doc.Bytes()), "A=" + naive + "\n"})
		}
		ciphertext, err := key.PublicKey().Encrypt([]byte(v.Value))
		if err != nil {
			t.Fatal(err)
		}
		for _, quote := range []string{"", `"`, "'", "`"} {
			locked := envfile.Parse([]byte("A=" + quote + ciphertext + quote + "\n"))
			doc, _, err := locked.Decrypt(ecies.Keys{key}, envfile.Selection{})
			if err == nil {
				all = append(all, spelling{v.Value, string(doc.Bytes()), "A=" + quote + v.Value + quote + "\n"})
			}
		}
	}
	return all
}

// dotenvx reads back what is written, and no other loader loses a value that it read
// in the quotes that the value would be in otherwise.
func TestPortable(t *testing.T) {
	t.Parallel()
	many := prepare(t, written(t, append(known(t), random(3, 200)...)))
	few := prepare(t, written(t, random(4, 19)))
	for _, command := range everyCommand() {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := many
			if slices.Contains(slow, command) {
				s = few
			}
			before, after := s.read(t, command)
			for i, one := range s.all {
				if s.means[i] && !after[i] && (before[i] || command == "dotenvx") {
					t.Errorf("%s does not read %q, but %q", command, one.line, one.naive)
				}
			}
			t.Logf("%d of %d lines are read otherwise; %d in the quotes that they had", count(after), len(s.all), count(before))
		})
	}
}

// A set is spellings in files.
type set struct {
	all          []spelling
	lines, naive string // paths
	means        []bool // whether dotenvx reads the naive spelling as the value
}

func prepare(t *testing.T, all []spelling) set {
	lines, naive := make([]string, len(all)), make([]string, len(all))
	for i, s := range all {
		lines[i], naive[i] = between(s.line), between(s.naive)
	}
	s := set{all: all, lines: files(t, lines), naive: files(t, naive)}
	s.means, _ = s.read(t, "dotenvx")
	for i, one := range all { // a $ that is to be expanded is not one in single quotes
		if strings.Contains(one.value, "$") && isQuote(one.value[0]) {
			s.means[i] = false
		}
	}
	return s
}

// read reports which spellings a command reads as their values.
func (s set) read(t *testing.T, command string) (naive, lines []bool) {
	t.Helper()
	right := func(paths string) []bool {
		results := make([]bool, len(s.all))
		for i, vars := range run(t, command, paths) {
			results[i] = isRight(vars, s.all[i].value)
		}
		return results
	}
	return right(s.naive), right(s.lines)
}

func count(right []bool) (wrong int) {
	for _, ok := range right {
		if !ok {
			wrong++
		}
	}
	return wrong
}

// examples are the rows of the table.
var examples = []string{
	"abc-1.5", "", "two words", "a#b", "it's", `say "hi"`, `it's "5"`, "a`b`", `C:\dir`, `C:\new`, `C:\dir\`, "5$",
	"pa$word", "${HOME}", "it's $5", "line 1\nline 2", `{"key": "a\nb"}`, "a\r\nb",
}

// The table in docs/loaders.md is what the loaders read.
func TestTable(t *testing.T) {
	t.Parallel()
	var texts, lines []string
	for _, value := range examples {
		doc, err := envfile.Parse(nil).Set("A", value)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSuffix(string(doc.Bytes()), "\n"))
		texts = append(texts, between(string(doc.Bytes())))
	}
	wrong, paths := make([][]string, len(examples)), files(t, texts)
	for _, command := range everyCommand() {
		for i, vars := range run(t, command, paths) {
			if !isRight(vars, examples[i]) {
				wrong[i] = append(wrong[i], command)
			}
		}
	}
	var table strings.Builder
	table.WriteString("| written | read otherwise by |\n|---|---|\n")
	for i, line := range lines {
		line = strings.ReplaceAll(line, "\n", "⏎")
		fmt.Fprintf(&table, "| `` %s `` | %s |\n", line, strings.Join(wrong[i], ", "))
	}
	compareTable(t, filepath.Join("..", "..", "docs", "loaders.md"), table.String())
}

// compareTable compares what is between the marks in a document.
func compareTable(t *testing.T, file, table string) {
	t.Helper()
	const begin, end = "<!-- written -->\n", "<!-- end -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	old, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no table", file)
	}
	if old == table {
		return
	}
	if !*update {
		t.Fatalf("%s does not say what the loaders read, which is\n%s", file, table)
	}
	if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
