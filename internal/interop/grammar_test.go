//go:build integration

package interop

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
)

// Pieces of odd files. $( is not among them, as envdrift runs no commands, nor
// are names that have a meaning in JavaScript.
var (
	lines = []string{
		"", "", "", "export ", "export\t", " ", "\t", "  export  ", "# ", "#", "; ", "\ufeff", "\u00a0", "\u0085", "export export ",
	}
	separators = []string{
		"=", "=", "=", "=", "=", " = ", "= ", " =", ": ", ":", ":\n", "\n=", " \n = ", "==", "+=", " ", ":=", "\t=\t", "=\u2003",
	}
	ends = []string{
		"\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n", " # note\n", "#x\n", " \n", "\u2028", "", " \t\r\n", "\n# it's\n", "\n\n\n",
	}
	pieces = []string{
		"a", "b c", "x", "1", "'", "\"", "`", "''", "\"\"", "``", "\\", "\\\\", "\\n", "\\r", "\\t", "\\'", "\\\"", "\\`",
		"\\$", "$", "$$", "${", "}", "{", "#", " #", " ", "\t", "\n", "\r\n", "\r", "=", ":", "é", "🔑", "\u2028", "\u2029",
		"\u00a0", "\u0085", "\u200b", "\u3000", "\v", "\f", "\ufeff", "://", "%", "&", "$&", "$`", "$'", "$1", "encrypted", "export ",
	}
	references = []string{
		"$%s", "${%s}", "${%s:-%s}", "${%s-%s}", "${%s:+%s}", "${%s+%s}", "\\$%s", "\\${%s}", "${%s:-${%s}}", "$%s$%s", "${ %s }", "${%s:?e}",
	}
)

// An oddFile generates a file of assignments and of what looks like one. Its
// names are unique, so that many files can be read at once.
type oddFile struct {
	*rand.Rand
	id int
}

func (o oddFile) name() string {
	return fmt.Sprintf("%s%d", pick(o.Rand, []string{"A", "B", "C", "D", "e.f-", "_"}), o.id)
}

func (o oddFile) value() string {
	var b strings.Builder
	for range o.IntN(6) {
		if o.IntN(4) > 0 {
			b.WriteString(pick(o.Rand, pieces))
			continue
		}
		format := pick(o.Rand, references)
		args := []any{o.name(), o.name()}
		fmt.Fprintf(&b, format, args[:strings.Count(format, "%s")]...)
	}
	return b.String()
}

func (o oddFile) line() string {
	value := o.value()
	switch quote := pick(o.Rand, []string{"", "'", "\"", "`"}); o.IntN(8) {
	case 0:
		value = quote + value
	case 1:
		value = quote + value + quote + o.value()
	default:
		value = quote + value + quote
	}
	return pick(o.Rand, lines) + o.name() + pick(o.Rand, separators) + value + pick(o.Rand, ends)
}

// An oddCase is a file and the process variables that it is read with.
type oddCase struct {
	source  dotenv.Source
	text    string
	process map[string]string
}

// next returns the next case that both can read: dotenvx hangs where Evaluate
// reports a cycle, and removes quotes in the middle of a value, at a U+2028 or
// U+2029, which envdrift leaves.
func (o oddFile) next(options dotenv.EvalOptions) oddCase {
	for {
		var text strings.Builder
		for range 1 + o.IntN(8) {
			text.WriteString(o.line())
		}
		c := oddCase{text: text.String(), process: map[string]string{}}
		for range o.IntN(3) {
			c.process[o.name()] = o.value()
		}
		c.source = dotenv.Source{Name: fmt.Sprintf("%d.env", o.id), Doc: dotenv.Parse([]byte(c.text))}
		_, err := dotenv.Evaluate([]dotenv.Source{c.source}, c.process, options)
		if err == nil && !slices.ContainsFunc(c.source.Doc.Entries(), quotesInside) && !strings.Contains(fmt.Sprint(c.text, c.process), "$(") {
			return c
		}
	}
}

func quotesInside(e dotenv.Entry) bool {
	return strings.ContainsAny(e.Value, "\u2028\u2029") && strings.ContainsAny(e.Value, "'\"`")
}

// An odd file means the same to dotenvx and to envdrift. Starting dotenvx takes
// longer than reading a file, so it reads many at once: 60 in a batch, each
// batch with its own seed. ENVDRIFT_INTEROP_BATCHES asks for more than 12,
// starting with the one that ENVDRIFT_INTEROP_FIRST numbers.
func TestGrammar(t *testing.T) {
	t.Parallel()
	const size = 60
	batches := number(t, "ENVDRIFT_INTEROP_BATCHES", 12)
	first := number(t, "ENVDRIFT_INTEROP_FIRST", 0)
	d := v2(t)
	for batch := first; batch < first+batches; batch++ {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			t.Parallel()
			var (
				dir     = t.TempDir()
				options = dotenv.EvalOptions{Override: batch%2 == 1}
				process = map[string]string{}
				sources []dotenv.Source
				files   []string
				environ []string
				flags   []string
			)
			for id := range size {
				c := oddFile{seeded(uint64(batch*size + id)), id}.next(options)
				write(t, dir, c.source.Name, []byte(c.text))
				sources, files = append(sources, c.source), append(files, c.source.Name)
				maps.Copy(process, c.process)
			}
			for name, value := range process {
				environ = append(environ, name+"="+value)
			}
			if options.Override {
				flags = []string{"--overload"}
			}
			vars, err := dotenv.Evaluate(sources, process, options)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, values(vars), d.get(t, dir, files, environ, flags...))
		})
	}
}

// number returns the number in an environment variable, or other.
func number(t *testing.T, variable string, other int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return other
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}
