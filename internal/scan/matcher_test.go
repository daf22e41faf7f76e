package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/envdrift/envdrift/internal/secret"
)

func valuesOf(texts ...string) (values []value) {
	for _, text := range texts {
		values = append(values, value{text: secret.New(text)})
	}
	return values
}

// writings are what programs make of a value, each with some text around it.
var writings = []struct {
	name  string
	write func(r *rand.Rand, text string) string
}{
	{"as it is", func(_ *rand.Rand, s string) string { return s }},
	{"base64", func(_ *rand.Rand, s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"base64 of more", func(r *rand.Rand, s string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", r.IntN(5)) + s + strings.Repeat("y", r.IntN(5))))
	}},
	{"URL base64 of more", func(r *rand.Rand, s string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("?", r.IntN(5)) + s + ">"))
	}},
	{"wrapped base64", func(r *rand.Rand, s string) string {
		return wrap(base64.StdEncoding.EncodeToString([]byte(s)), 4+r.IntN(76), []string{"\n", "\r\n", "\n  ", "\n\t"}[r.IntN(4)])
	}},
	{"wrapped base64 in JSON", func(r *rand.Rand, s string) string {
		return marshal(wrap(base64.StdEncoding.EncodeToString([]byte(s)), 4+r.IntN(76), "\n"))
	}},
	{"base64 of JSON", func(r *rand.Rand, s string) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(map[string]string{"key": s})
		return base64.StdEncoding.EncodeToString(b.Bytes())
	}},
	{"a command for PowerShell", func(_ *rand.Rand, s string) string {
		return base64.StdEncoding.EncodeToString([]byte(inUTF16("$a = '"+s, binary.LittleEndian)))
	}},
	{"base64 of lines of Windows", func(_ *rand.Rand, s string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(s, "\n", "\r\n")))
	}},
	{"hex", func(_ *rand.Rand, s string) string { return hex.EncodeToString([]byte(s)) }},
	{"HEX", func(_ *rand.Rand, s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }},
	{"a query", func(_ *rand.Rand, s string) string { return "a=1&p=" + url.QueryEscape(s) }},
	{"a path", func(_ *rand.Rand, s string) string { return url.PathEscape(s) }},
	{"all bytes in a URL, in lower case", func(_ *rand.Rand, s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, "%%%02x", c)
		}
		return b.String()
	}},
	{"base64 in a URL", func(_ *rand.Rand, s string) string {
		return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s)))
	}},
	{"Go's JSON", func(_ *rand.Rand, s string) string { return marshal(s) }},
	{"JavaScript's JSON", func(_ *rand.Rand, s string) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(s)
		return b.String()
	}},
	{"Python's JSON", func(_ *rand.Rand, s string) string { return ascii(s, `\u%04x`) }},
	{"PHP's JSON", func(_ *rand.Rand, s string) string { return strings.ReplaceAll(ascii(s, `\u%04x`), "/", `\/`) }},
	{".NET's JSON", func(_ *rand.Rand, s string) string {
		var b strings.Builder
		for _, unit := range utf16.Encode([]rune(s)) {
			if unit < ' ' || unit > '~' || strings.ContainsRune("\"'+<>&`\\", rune(unit)) {
				fmt.Fprintf(&b, `\u%04X`, unit)
			} else {
				b.WriteByte(byte(unit))
			}
		}
		return b.String()
	}},
	{"a character for each \\x, as in YAML", func(_ *rand.Rand, s string) string {
		var b strings.Builder
		for _, r := range s {
			switch {
			case r > 0xffff:
				fmt.Fprintf(&b, `\U%08X`, r)
			case r > 0xff:
				fmt.Fprintf(&b, `\u%04X`, r)
			case r < ' ' || r > '~' || r == '"' || r == '\\':
				fmt.Fprintf(&b, `\x%02X`, r)
			default:
				b.WriteRune(r)
			}
		}
		return b.String()
	}},
	{"a byte for each \\x", func(_ *rand.Rand, s string) string { return eachByte(s, `\x%02x`) }},
	{"octal", func(_ *rand.Rand, s string) string { return eachByte(s, `\%03o`) }},
	{"JSON in JSON", func(_ *rand.Rand, s string) string { return marshal(marshal(s)) }},
	{"Go's quotes", func(_ *rand.Rand, s string) string { return strconv.Quote(s) }},
	{"a shell's quotes", func(_ *rand.Rand, s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }},
	{"a shell's escaped quotes", func(_ *rand.Rand, s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }},
	{"CSV", func(_ *rand.Rand, s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }},
	{"XML", func(_ *rand.Rand, s string) string { return html.EscapeString(s) }},
	{"Compose", func(_ *rand.Rand, s string) string { return strings.ReplaceAll(marshal(s), "$", "$$") }},
	{"systemd", func(_ *rand.Rand, s string) string { return strings.ReplaceAll(marshal(s), "%", "%%") }},
	{"UTF-16", func(_ *rand.Rand, s string) string { return inUTF16(s, binary.LittleEndian) }},
	{"base64 in UTF-16", func(_ *rand.Rand, s string) string {
		return inUTF16(wrap(base64.StdEncoding.EncodeToString([]byte(s)), 76, "\r\n"), binary.BigEndian)
	}},
	{"JSON in UTF-16", func(_ *rand.Rand, s string) string { return inUTF16(ascii(s, `\u%04x`), binary.LittleEndian) }},
	{"CRLF", func(_ *rand.Rand, s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
	{"a YAML block", func(r *rand.Rand, s string) string {
		return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", r.IntN(12)))
	}},
}

func eachByte(s, escape string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '\\' {
			fmt.Fprintf(&b, escape, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func wrap(s string, columns int, end string) string {
	var lines []string
	for line := range slices.Chunk([]byte(s), columns) {
		lines = append(lines, string(line))
	}
	return strings.Join(lines, end)
}

func marshal(s string) string {
	data, _ := json.Marshal(s)
	return string(data)
}

func ascii(s, escape string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		switch {
		case unit == '"' || unit == '\\':
			b.WriteString(`\` + string(rune(unit)))
		case unit == '\n':
			b.WriteString(`\n`)
		case unit < ' ' || unit > '~':
			fmt.Fprintf(&b, escape, unit)
		default:
			b.WriteByte(byte(unit))
		}
	}
	return b.String()
}

// randomValue returns a value as there are: a token, words, a password, or lines.
func randomValue(r *rand.Rand) string {
	const word = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	alphabets := []string{word, word + "_-.", word + ` !"#$%&'()*+,-./:;<=>?@[\]^_{|}~` + "`", "äöü€𝄞漢字" + word, word + "+/="}
	from := []rune(alphabets[r.IntN(len(alphabets))])
	line := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteRune(from[r.IntN(len(from))])
		}
		return b.String()
	}
	text := line(shortest + r.IntN(60))
	for range r.IntN(3) * r.IntN(4) {
		text += "\n" + strings.TrimSpace(line(1+r.IntN(64)))
	}
	return strings.TrimSpace(text) + "z"
}

// Whatever the value, however a program writes it, and wherever it is in a file, it
// is found, in the line where it begins.
func TestPlantedValuesAreFound(t *testing.T) {
	t.Parallel()
	const filler = "The quick brown fox = \"jumps\" % over + the & lazy \\ dog; 0123456789abcdef\n\n\t"
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		var texts []string
		for range 20 {
			texts = append(texts, randomValue(r))
		}
		m := newMatcher(valuesOf(texts...))
		for _, w := range writings {
			i := r.IntN(len(texts))
			before := strings.Repeat(filler, r.IntN(3)) + filler[:r.IntN(20)]
			data := before + " " + w.write(r, texts[i]) + "\"\n" + strings.Repeat(filler, r.IntN(2))
			hits, err := m.search(t.Context(), strings.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			line := 1 + strings.Count(before, "\n")
			if !slices.ContainsFunc(hits, func(h hit) bool { return h.value == i && (h.line == line || strings.HasSuffix(w.name, "UTF-16")) }) {
				t.Fatalf("seed %d, %s: %q is not found in %q, line %d: %+v", seed, w.name, texts[i], data, line, hits)
			}
		}
	}
}

// A long value with blanks is found where YAML folds it.
func TestFolded(t *testing.T) {
	t.Parallel()
	const text = "abandon ability able about above absent absorb abstract absurd abuse access accident"
	m := newMatcher(valuesOf(text))
	for _, end := range []string{"\n", "\n    ", "\r\n  "} {
		data := "seed:\n  words: " + strings.ReplaceAll(text, "absent absorb", "absent"+end+"absorb")
		hits, err := m.search(t.Context(), strings.NewReader(data), int64(len(data)))
		if err != nil || len(hits) != 1 || hits[0].line != 2 {
			t.Errorf("with %q: %+v, %v; want one in line 2", end, hits, err)
		}
	}
}

// A large content is searched to its end, also where two portions meet, however its
// bytes arrive.
func TestLargeContents(t *testing.T) {
	t.Parallel()
	m := newMatcher(valuesOf("s3cr3t-v4lue/of+some length", strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 5)))
	m.portion = 16 << 10
	overlap := 2 * (m.reach + around)
	step := max(m.portion, 4*overlap) - overlap
	data := bytes.Repeat([]byte("x\n"), 2*step)
	for _, at := range []int{0, 1, step - 20, step, step + 7, step + overlap/2, step + overlap - 30, step + overlap, 2*step + 11, len(data) - 40} {
		planted := bytes.Clone(data)
		copy(planted[at:], url.QueryEscape("s3cr3t-v4lue/of+some length"))
		for name, reader := range map[string]io.Reader{"whole": bytes.NewReader(planted), "halves": iotest.HalfReader(bytes.NewReader(planted))} {
			hits, err := m.search(t.Context(), reader, int64(len(planted)))
			if want := at/2 + 1; err != nil || len(hits) != 1 || hits[0].line != want {
				t.Errorf("%s, at %d: %+v, %v; want one in line %d", name, at, hits, err, want)
			}
		}
		// A file that grew since its size was asked for.
		if hits, err := m.search(t.Context(), bytes.NewReader(planted), 3); err != nil || len(hits) != 1 {
			t.Errorf("grown, at %d: %+v, %v", at, hits, err)
		}
	}
	long := strings.Repeat("y\n", 70_000) + strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 5)
	if hits, err := m.search(t.Context(), strings.NewReader(long), int64(len(long))); err != nil || len(hits) != 1 || hits[0].line != 70_001 {
		t.Errorf("a long value: %+v, %v", hits, err)
	}
}

// A line allows what is in it, and no other does.
func TestAllowed(t *testing.T) {
	t.Parallel()
	const text = "hunter2hunter2\nsecond line of it, 1234567"
	m := newMatcher(valuesOf("s3cr3t-value", text))
	tests := []struct {
		data string
		want string
	}{
		{"a\nb = s3cr3t-value\n", "2 false"},
		{"a\nb = s3cr3t-value # envdrift:allow\n", "2 true"},
		{"# envdrift:allow\nb = s3cr3t-value\n", "2 false"},
		{inUTF16("\ufeffa\nb = s3cr3t-value # envdrift:allow\n", binary.LittleEndian), "2 true"},
		{"b = s3cr3t-value\n# envdrift:allow", "1 false"},
		{text + " # envdrift:allow\n", "1 true"},
		{"s3cr3t-value s3cr3t-value\ns3cr3t-value\n", "1 false, 2 false"},
		{"\x00 s3cr3t-value\ns3cr3t-value", "0 false"},
	}
	for _, tt := range tests {
		hits, err := m.search(t.Context(), strings.NewReader(tt.data), int64(len(tt.data)))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range hits {
			got = append(got, fmt.Sprint(h.line, " ", h.allowed))
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%q: %q; want %q", tt.data, got, tt.want)
		}
	}
}

// A value is found without the blanks around it: a line end at its end is seldom copied.
func TestSurroundingBlanks(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"s3cr3t-value\n", "s3cr3t-value\r\n", "  s3cr3t-value ", `s3cr3t-value\n`} {
		m := newMatcher(valuesOf(value))
		for _, data := range []string{`k: "s3cr3t-value"`, "k: czNjcjN0LXZhbHVl", "k: " + value + "\n", "k: " + base64.StdEncoding.EncodeToString([]byte(value))} {
			if hits, err := m.search(t.Context(), strings.NewReader(data), int64(len(data))); err != nil || len(hits) != 1 || hits[0].line != 1 {
				t.Errorf("%q in %q: %+v, %v", value, data, hits, err)
			}
		}
	}
}

// What was in a line before is not added: one more is, and so is a changed line.
func TestRemoved(t *testing.T) {
	t.Parallel()
	m := newMatcher(valuesOf("s3cr3t-value"))
	find := func(text string) []hit {
		hits, err := m.search(t.Context(), strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		return hits
	}
	tests := []struct {
		before, now string
		want        int
	}{
		{"a s3cr3t-value\n", "new\na s3cr3t-value\nnew\n", 0},
		{"a s3cr3t-value\n", "a s3cr3t-value\na s3cr3t-value\n", 1},
		{"a s3cr3t-value\n", "b s3cr3t-value\n", 1},
		{"a s3cr3t-value\n", "a s3cr3t-value s3cr3t-value\n", 1},
		{"", "a s3cr3t-value\n", 1},
		{"a s3cr3t-value\n", "", 0},
	}
	for _, tt := range tests {
		if got := len(removed(find(tt.now), find(tt.before))); got != tt.want {
			t.Errorf("from %q to %q: %d new; want %d", tt.before, tt.now, got, tt.want)
		}
	}
}

func TestIsCommon(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       bool
	}{
		{"NODE_ENV", "production", true},
		{"DEPLOYMENT", "deployment", true},
		{"STAGE", "acceptance", true},
		{"DB_HOST", "localhost:5432", true},
		{"API_URL", "https://api.example.com/", true},
		{"MAX_BYTES", "10485760", true},
		{"BIND", "192.168.10.1:8080", true},
		{"HOOK", "https://hooks.example.com/services/T0/B0/x", false},
		{"DSN", "postgres://u:pw@db/x", false},
		{"API_URL", "https://example.com?token=x", false},
		{"PIN_SECRET", "12345678", false},
		{"WORDS", "correct horse", false},
		{"TOKEN", "hunter2hunter2", false},
	}
	for _, tt := range tests {
		if got := isCommon(tt.name, tt.text, "acceptance"); got != tt.want {
			t.Errorf("isCommon(%s, %q) = %t; want %t", tt.name, tt.text, got, tt.want)
		}
	}
}

// BenchmarkSearch searches 10 MB of source code for 1,000 values.
func BenchmarkSearch(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 1000 {
		texts = append(texts, randomValue(r))
	}
	m := newMatcher(valuesOf(texts...))
	line := "\tif err := json.Unmarshal([]byte(`{\"a\": \"b\\n\"}`), &v); err != nil && a+b%c == 3 { // a comment\n"
	data := []byte(strings.Repeat(line, 10<<20/len(line)))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if hits, err := m.search(b.Context(), bytes.NewReader(data), int64(len(data))); err != nil || len(hits) != 0 {
			b.Fatal(hits, err)
		}
	}
}

func BenchmarkNewMatcher(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 1000 {
		texts = append(texts, randomValue(r))
	}
	for b.Loop() {
		newMatcher(valuesOf(texts...))
	}
}

// Whatever the data is, what is found is in it.
func FuzzFind(f *testing.F) {
	m := newMatcher(valuesOf("s3cr3t-value", "a+b/c d\"e'f<g>", "line one is 1 long line\nline two\n"))
	for _, data := range []string{"s3cr3t\\u002dvalue", "a%2Bb%2fc+d%22e%27f%3Cg%3e", "\\", "%", "&#x41;&;", "\\ud834\\udd1e", "line one is 1 long line\r\n\tline two\n\\"} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m.find(data, func(value int, form Form, from, to int) {
			if from < 0 || to <= from || to > len(data) {
				t.Errorf("value %d (%s) is said to be at %d to %d of %d bytes", value, form, from, to, len(data))
			}
		})
	})
}

// What is secret without the rest of a value is found without it.
func TestParts(t *testing.T) {
	t.Parallel()
	const pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n"
	account := `{"type":"service_account","token_uri":"https://oauth2.googleapis.com/token","private_key":` + marshal(pem) + `}`
	tests := []struct {
		value, data string
		want        bool
	}{
		{"postgres://app:hunter2hunter2@db/app", "POSTGRES_PASSWORD: hunter2hunter2", true},
		{"postgres://app:hunter2%2Fhunter2@db/app", "POSTGRES_PASSWORD: hunter2/hunter2", true},
		{"postgres://app:postgres@db/app", "image: postgres", false},
		{account, "{\n  \"private_key\": " + marshal(pem) + "\n}", true},
		{account, strings.ReplaceAll(pem, "\n", "\r\n"), true},
		{account, `{"type":"service_account","token_uri":"https://oauth2.googleapis.com/token"}`, false},
		{base64.StdEncoding.EncodeToString([]byte(account)), pem, true},
		{base64.StdEncoding.EncodeToString([]byte(pem)), pem, true},
		{pem, "-----BEGIN PRIVATE KEY-----\n", false},
		{strings.ReplaceAll(pem, "\n", `\n`), pem, true},
		{pem, strings.ReplaceAll(pem, "\n", `\n`), true},
		{strings.Repeat("x\n", longest) + pem, pem, true},
	}
	for _, tt := range tests {
		hits, err := newMatcher(valuesOf(tt.value)).search(t.Context(), strings.NewReader(tt.data), int64(len(tt.data)))
		if err != nil || len(hits) > 0 != tt.want {
			t.Errorf("of %.60q in %.60q: %+v, %v; want one: %t", tt.value, tt.data, hits, err, tt.want)
		}
	}
}
