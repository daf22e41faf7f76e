package dotenv_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
)

// readJSON reads a file of testdata.
func readJSON(tb testing.TB, name string, v any) {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		tb.Fatal(err)
	}
}

// grammarCase is a case of parse.json as far as the grammar is concerned.
type grammarCase struct {
	Name       string
	Category   string
	Src        *string
	SrcBase64  []byte
	ProcessEnv map[string]string
	Expected   map[string]string
}

// plain reports whether the values that dotenvx returns depend on the grammar
// alone: nothing to decrypt, to expand or to take from the environment.
func (c grammarCase) plain() bool {
	return c.Expected != nil && len(c.ProcessEnv) == 0 && !bytes.Contains(c.data(), []byte("$")) &&
		!bytes.Contains(c.data(), []byte("encrypted:"))
}

func (c grammarCase) data() []byte {
	if c.Src != nil {
		return []byte(*c.Src)
	}
	return c.SrcBase64
}

func grammarCases(tb testing.TB) []grammarCase {
	tb.Helper()
	var file struct{ Cases []grammarCase }
	readJSON(tb, "parse.json", &file)
	return slices.DeleteFunc(file.Cases, func(c grammarCase) bool { return c.Category == "files" })
}

// lastValues returns what each name is set to, without expansion.
func lastValues(doc *dotenv.Document) map[string]string {
	values := map[string]string{}
	for _, e := range doc.Entries() {
		values[e.Name] = e.Value
	}
	return values
}

func TestParseVectors(t *testing.T) {
	t.Parallel()
	// dotenvx loses the whole file on names of JavaScript's Object
	// prototype.
	prototype := map[string]map[string]string{
		"key __proto__": {"__proto__": "1", "C": "2"},
		"key toString":  {"toString": "1", "C": "2"},
	}
	compared := 0
	for _, tt := range grammarCases(t) {
		doc := dotenv.Parse(tt.data())
		if got := doc.Bytes(); !bytes.Equal(got, tt.data()) {
			t.Errorf("%s: Parse(%q).Bytes() = %q", tt.Name, tt.data(), got)
		}
		if !tt.plain() {
			continue // takes an evaluation, which has the same vectors
		}
		want := tt.Expected
		if other, ok := prototype[tt.Name]; ok {
			want = other
		}
		compared++
		if got := lastValues(doc); !maps.Equal(got, want) {
			t.Errorf("%s: Parse(%q) has %q; want %q", tt.Name, tt.data(), got, want)
		}
	}
	if compared < 150 {
		t.Errorf("only %d cases compared", compared)
	}
}

func TestEntries(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src string
		want      string // NAME quote value line, each
	}{
		{"quotes", "A=1\nB='2'\nC=\"3\"\nD=`4`\n", `A 0 "1" 1|B ' "2" 2|C " "3" 3|D ` + "` \"4\" 4"},
		{"a quote that does not close", "A='x\nB=\"x\" y\n", `A ' "'x" 1|B " "\"x\" y" 2`},
		{"each occurrence", "A=1\nA=2\n", `A 0 "1" 1|A 0 "2" 2`},
		{"line of the name", "\n\n# c\n  export A=\"x\ny\"\n\nB=\n", `A " "x\ny" 4|B 0 "" 7`},
		{"lines of CRLF", "A=\"x\r\ny\"\r\nB=1\r\n", `A " "x\ny" 1|B 0 "1" 3`},
		{"lines of CR", "A=1\r\rB=2\r", `A 0 "1" 1|B 0 "2" 3`},
		{"colon and CRLF", "A:\r\nB=2", `A 0 "B=2" 1`},
		{"export alone on its line", "export\n\nA=1", `A 0 "1" 3`},
		{"export without a name", "export A B\nexport:  1\n", `export 0 "1" 2`},
		{"name before blank lines", "A\n\n=1", `A 0 "1" 1`},
		{"no name", "=1\n= 2\n:3", ""},
		{"blank at the end", "A=1\n\t", `A 0 "1" 1`},
		{"colon at the end", "A:", ""},
		{"byte order mark", "\ufeffA=1", `A 0 "1" 1`},
		{"NEL is no blank", "A=\u00851", "A 0 \"\\u00851\" 1"},
		{"invalid bytes", "A=a\xe2\x82b\xff", `A 0 "a��b�" 1`},
		{"escapes of an open quote", `A="a\nb` + "\nB='it\\'s\n", `A " "\"a\nb" 1|B ' "'it's" 2`},
		{"comment below", "A=\"1\"\n# c \"\nB=2", `A " "1" 1|B 0 "2" 3`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, e := range dotenv.Parse([]byte(tt.src)).Entries() {
				quote := "0"
				if e.Quote != 0 {
					quote = string(rune(e.Quote))
				}
				got = append(got, fmt.Sprintf("%s %s %q %d", e.Name, quote, e.Value, e.Line))
			}
			if got := strings.Join(got, "|"); got != tt.want {
				t.Errorf("Entries of %q = %s; want %s", tt.src, got, tt.want)
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	doc := dotenv.Parse([]byte("A=1\nB=2\nA=3\n"))
	if e, ok := doc.Get("A"); !ok || e.Value != "3" || e.Line != 3 {
		t.Errorf("Get(A) = %v, %t; want the last one", e, ok)
	}
	if e, ok := doc.Get("C"); ok {
		t.Errorf("Get(C) = %v; want none", e)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src string
		line      int // 0: valid
	}{
		{"text", "A=1\n", 0},
		{"byte order mark", "\xef\xbb\xbfA=é\n", 0},
		{"control characters", "A=\x01\x7f\n", 0},
		{"replacement character", "A=\ufffd\n", 0},
		{"latin1", "A=1\nB=caf\xe9\n", 2},
		{"NUL", "A=1\n\nB=\x00\n", 3},
		{"NUL first", "A=\x00\nB=\xe9\n", 1},
		{"UTF-16LE", "\xff\xfeA\x00=\x001\x00", 1},
		{"UTF-16BE", "\xfe\xff\x00A\x00=\x001", 1},
		{"UTF-16LE without a mark", "A\x00=\x001\x00\n\x00", 1},
		{"after CR", "A=1\rB=\xff", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := dotenv.Parse([]byte(tt.src)).Check()
			var encoding *dotenv.EncodingError
			switch {
			case tt.line == 0 && err != nil:
				t.Errorf("Check() of %q = %v; want nil", tt.src, err)
			case tt.line > 0 && (!errors.As(err, &encoding) || encoding.Line != tt.line):
				t.Errorf("Check() of %q = %v; want an EncodingError for line %d", tt.src, err, tt.line)
			}
		})
	}
}

func TestUnparsedLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src  string
		want []int
	}{
		{"", nil},
		{"# c\n\n  # d\nA=1 # e\n", nil},
		{"export SECRET\nA=1\n", []int{1}},
		{"A=1\nA B=2\n[section]\r\n; x\nB=2", []int{2, 3, 4}},
		{"A=\"x\njunk\n\"\njunk\n", []int{4}},
		{"A:1\n\"A\"=1\nA+=1", []int{1, 2, 3}},
		{"A=\"x\n y\" z\n", []int{2}},
	}
	for _, tt := range tests {
		if got := dotenv.Parse([]byte(tt.src)).UnparsedLines(); !slices.Equal(got, tt.want) {
			t.Errorf("UnparsedLines() of %q = %d; want %d", tt.src, got, tt.want)
		}
	}
}

func TestEntryDoesNotLeak(t *testing.T) {
	t.Parallel()
	doc := dotenv.Parse([]byte("PASSWORD=hunter2\n"))
	e := doc.Entries()[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		for _, v := range []any{e, &e, doc, doc.Entries(), struct{ E dotenv.Entry }{e}} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, "hunter2") || strings.Contains(out, fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("Sprintf(%q, %T) = %s; want no value", verb, v, out)
			}
		}
	}
	if out, err := json.Marshal(doc.Entries()); err != nil || strings.Contains(string(out), "hunter2") {
		t.Errorf("Marshal = %s, %v; want no value", out, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range grammarCases(f) {
		f.Add(c.data())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc := dotenv.Parse(data)
		if got := doc.Bytes(); !bytes.Equal(got, data) {
			t.Errorf("Parse(%q).Bytes() = %q", data, got)
		}
		line := 1
		for _, e := range doc.Entries() {
			if e.Name == "" || e.Line < line {
				t.Errorf("Parse(%q): entry %v after line %d", data, e, line)
			}
			line = e.Line
		}
		doc.UnparsedLines()
	})
}

// manyLines returns a file of n assignments.
func manyLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "KEY_%d=value number %d abcdefgh\n", i, i)
	}
	return b.Bytes()
}

// BenchmarkParse includes files that make a backtracking reader quadratic. All
// take about the same time per byte.
func BenchmarkParse(b *testing.B) {
	const n = 10_000
	for name, data := range map[string][]byte{
		"plain":          manyLines(n),
		"blank lines":    bytes.Repeat([]byte("\n"), 30*n),
		"names alone":    bytes.Repeat([]byte("export\nA\n\n"), 3*n),
		"open quotes":    bytes.Repeat([]byte("A=\"x\\\"y z\nB='x\\'y z\n"), n),
		"quotes at ends": bytes.Repeat([]byte("A=\"x\\\"\nB=\n\n"), 2*n),
		"escaped quotes": append([]byte("A=\""), bytes.Repeat([]byte(`\" x`), 8*n)...),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				dotenv.Parse(data)
			}
		})
	}
}
