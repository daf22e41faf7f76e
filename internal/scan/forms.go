package scan

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/finder"
)

// A Form says how a value is written where it was found; "" is as it is.
type Form string

// The forms. A value in several of them, such as base64 in a URL, has the inner one.
const (
	AsIs    Form = ""
	Base64  Form = "base64"
	Hex     Form = "hex"
	UTF16   Form = "UTF-16"
	Quoted  Form = "quoted"      // in a shell, SQL, YAML or CSV: with its quotes doubled; in Compose or systemd: $ or %
	Escaped Form = "escaped"     // with backslashes, as in JSON and in source code
	URL     Form = "URL-encoded" // with %XX, and perhaps + for a blank
	XML     Form = "with XML entities"
	Part    Form = "a part of it" // that is secret by itself
)

const (
	shortest = 8       // characters of a value that is searched for
	longest  = 4 << 10 // what begins like a longer one is one
	longLine = 20      // a line of a value is searched for by itself from this length
)

// encodings returns the texts that say what text does: without what surrounds them
// they need no decoding. Whatever precedes it, base64 has one of three alignments; the
// digits at both ends that also depend on a neighbour are left out.
func encodings(text string) map[string]Form {
	forms := inBase64(text)
	digits := hex.EncodeToString([]byte(text))
	forms[digits], forms[strings.ToUpper(digits)] = Hex, Hex
	return forms
}

func inBase64(text string) map[string]Form {
	forms := map[string]Form{}
	for before, skip := range []int{0, 2, 3} {
		padded := append(make([]byte, before), text...)
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms[alphabet.EncodeToString(padded)[skip:len(padded)*8/6]] = Base64
		}
	}
	return forms
}

// encodable returns what else a text is in what is put into base64: in a command of
// PowerShell, in a file of Windows, in JSON such as that of a service account.
func encodable(text string) []string {
	list := []string{inUTF16(text, binary.LittleEndian)}
	if strings.Contains(text, "\n") {
		list = append(list, strings.ReplaceAll(text, "\n", "\r\n"))
	}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string is always encoded
	if quoted := strings.TrimSuffix(out.String()[1:], "\"\n"); quoted != text {
		list = append(list, quoted)
	}
	return list
}

func inUTF16(text string, order binary.AppendByteOrder) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// spellings returns the texts that are text for some reader, without decoding.
func spellings(text string) map[string]Form {
	forms := map[string]Form{}
	forms[inUTF16(text, binary.LittleEndian)], forms[inUTF16(text, binary.BigEndian)] = UTF16, UTF16
	for quote, escapes := range map[string][]string{"'": {"''", `'\''`, `'"'"'`}, `"`: {`""`}, "$": {"$$"}, "%": {"%%"}} {
		for _, escape := range escapes {
			if strings.Contains(text, quote) {
				forms[strings.ReplaceAll(text, quote, escape)] = Quoted
			}
		}
	}
	forms[text] = AsIs
	return forms
}

// telling returns the lines of a text that are searched for by themselves: they may be
// indented, or only a part of the text may be there. What frames a key in PEM is in
// every such file.
func telling(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) >= longLine && finder.IsTelling(line) && !strings.HasPrefix(line, "-----") {
			lines = append(lines, line)
		}
	}
	return lines
}

// parts returns the parts of a value that are secret without the rest: the password in
// an address, long texts in JSON, and what is in base64.
func parts(text string) (list []string) {
	if address, err := url.Parse(text); err == nil && address.User != nil {
		if password, _ := address.User.Password(); utf8.RuneCountInString(password) >= shortest && !isCommon("PASSWORD", password, "") {
			list = append(list, password)
		}
	}
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil && len(plain) >= longLine && utf8.Valid(plain) {
		list = append(list, string(plain))
		text = string(plain)
	}
	var members any
	if strings.HasPrefix(strings.TrimSpace(text), "{") && json.Unmarshal([]byte(text), &members) == nil {
		list = appendTexts(list, members)
	}
	return list
}

// appendTexts appends the long texts in a JSON value that tell where they come from.
func appendTexts(list []string, value any) []string {
	switch value := value.(type) {
	case string:
		if len(value) >= longLine && finder.IsTelling(value) {
			list = append(list, value)
		}
	case []any:
		for _, member := range value {
			list = appendTexts(list, member)
		}
	case map[string]any:
		for _, member := range value {
			list = appendTexts(list, member)
		}
	}
	return list
}

// A view is the data as somebody reads it who undoes one way of writing.
type view struct {
	form   Form
	begins string // what an escape begins with
	// decode appends what an escape at the beginning of data stands for, and returns
	// its length: 0 if it is none.
	decode func(out, data []byte) ([]byte, int)
}

// joined is the data without line ends and what indents the next line: base64 is
// wrapped at any column, in JSON too, and a text of several lines is indented in YAML.
var joined = view{AsIs, "\n\\", func(out, data []byte) ([]byte, int) {
	switch {
	case data[0] == '\n':
		return bytes.TrimSuffix(out, []byte("\r")), indented(data)
	case bytes.HasPrefix(data, []byte(`\n`)), bytes.HasPrefix(data, []byte(`\r`)):
		return out, 2
	}
	return out, 0
}}

// folded is the data with blanks for line ends: YAML breaks a long text between its words.
var folded = view{AsIs, "\n", func(out, data []byte) ([]byte, int) {
	return append(bytes.TrimSuffix(out, []byte("\r")), ' '), indented(data)
}}

// indented returns the length of a line end and what indents the next line.
func indented(data []byte) int { return len(data) - len(bytes.TrimLeft(data[1:], " \t")) }

// narrow is the data without zeros: ASCII of that in UTF-16 and UTF-32, in either order.
var narrow = view{UTF16, "\x00", func(out, data []byte) ([]byte, int) {
	return out, len(data) - len(bytes.TrimLeft(data, "\x00"))
}}

var views = [...]view{{Escaped, `\`, unescape}, {URL, "%", unpercent}, {URL, "%+", unpercent}, {XML, "&", unentity}}

// A decoded is what a view makes of some data.
type decoded struct {
	text  []byte
	marks []mark // behind each escape
}

// A mark says that what is at an offset of the text comes from one of the data.
type mark struct{ text, data int }

func (v view) of(data []byte) (d decoded) {
	next := func(from int) int {
		at := -1
		if len(v.begins) == 1 { // which the processor has an instruction for
			at = bytes.IndexByte(data[from:], v.begins[0])
		} else {
			at = bytes.IndexAny(data[from:], v.begins)
		}
		if at < 0 {
			return len(data)
		}
		return from + at
	}
	at := next(0)
	if at == len(data) {
		return d
	}
	d.text = append(make([]byte, 0, len(data)), data[:at]...)
	for at < len(data) {
		n := 0
		if d.text, n = v.decode(d.text, data[at:]); n > 0 {
			d.marks = append(d.marks, mark{len(d.text), at + n})
		} else {
			d.text, n = append(d.text, data[at]), 1
		}
		from := at + n
		at = next(from)
		d.text = append(d.text, data[from:at]...)
	}
	return d
}

// source returns the offset in the data of what is at an offset of the text.
func (d decoded) source(at int) int {
	i := sort.Search(len(d.marks), func(i int) bool { return d.marks[i].text > at })
	if i == 0 {
		return at
	}
	return d.marks[i-1].data + at - d.marks[i-1].text
}

// unescape undoes a backslash as JSON, most languages, shells and .properties have it.
func unescape(out, data []byte) ([]byte, int) {
	if len(data) < 2 {
		return out, 0
	}
	c := data[1]
	if i := strings.IndexByte("nrtbf", c); i >= 0 {
		return append(out, "\n\r\t\b\f"[i]), 2
	}
	switch {
	case c == 'u':
		r, ok := hexAt(data, 2, 4)
		if !ok {
			return out, 0
		}
		if low, ok := hexAt(data, 8, 4); ok && utf16.IsSurrogate(rune(r)) && data[6] == '\\' && data[7] == 'u' {
			return utf8.AppendRune(out, utf16.DecodeRune(rune(r), rune(low))), 12
		}
		return utf8.AppendRune(out, rune(r)), 6
	case c == 'U':
		if r, ok := hexAt(data, 2, 8); ok {
			return utf8.AppendRune(out, rune(r)), 10
		}
	case c == 'x':
		return unescapeHex(out, data)
	case '0' <= c && c <= '3' && len(data) > 3:
		if b, err := strconv.ParseUint(string(data[1:4]), 8, 8); err == nil {
			return append(out, byte(b)), 4
		}
	case c == '\n', c == '\r' && len(data) > 2 && data[2] == '\n': // the line goes on, in YAML after what indents it
		return out, len(data) - len(bytes.TrimLeft(bytes.TrimLeft(data[1:], "\r\n"), " \t"))
	case ' ' <= c && c <= '~' && !isWord(c):
		return append(out, c), 2
	}
	return out, 0
}

// unescapeHex undoes \xNN: a byte in C, Go and shells, where several make a character,
// and a character in Python, JavaScript and YAML.
func unescapeHex(out, data []byte) ([]byte, int) {
	const length = 4
	var bytes []byte
	for at := 0; len(bytes) < utf8.UTFMax && at+1 < len(data) && data[at] == '\\' && data[at+1] == 'x'; at += length {
		b, ok := hexAt(data, at+2, 2)
		if !ok {
			break
		}
		bytes = append(bytes, byte(b))
	}
	if len(bytes) == 0 {
		return out, 0
	}
	if r, size := utf8.DecodeRune(bytes); r != utf8.RuneError {
		return utf8.AppendRune(out, r), size * length
	}
	return utf8.AppendRune(out, rune(bytes[0])), length
}

func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// hexAt returns the number that digits at an offset stand for.
func hexAt(data []byte, at, digits int) (uint64, bool) {
	if len(data) < at+digits {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[at:at+digits]), 16, 32)
	return n, err == nil
}

func unpercent(out, data []byte) ([]byte, int) {
	if data[0] == '+' {
		return append(out, ' '), 1
	}
	if b, ok := hexAt(data, 1, 2); ok {
		return append(out, byte(b)), 3
	}
	return out, 0
}

var entities = map[string]byte{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}

func unentity(out, data []byte) ([]byte, int) {
	const longestName = 8
	end := bytes.IndexByte(data[:min(len(data), longestName+2)], ';')
	if end < 0 {
		return out, 0
	}
	name := string(data[1:end])
	if c, ok := entities[name]; ok {
		return append(out, c), end + 1
	}
	number, ok := strings.CutPrefix(strings.ToLower(name), "#")
	if !ok {
		return out, 0
	}
	base := 10
	if digits, isHex := strings.CutPrefix(number, "x"); isHex {
		number, base = digits, 16
	}
	if r, err := strconv.ParseUint(number, base, 21); err == nil {
		return utf8.AppendRune(out, rune(r)), end + 1
	}
	return out, 0
}

// A matcher knows the texts of values.
type matcher struct {
	plain, joined *finder.Finder
	ofPlain       []meaning // of the texts of plain
	ofJoined      []meaning
	ofLines       map[int]bool // values that have several
	folds         bool         // some may be folded
	reach         int          // an occurrence has at most so many bytes
	portion       int          // of a content, in memory
}

// A meaning is what a text stands for.
type meaning struct {
	value int
	form  Form
}

func newMatcher(values []value) *matcher {
	m := &matcher{ofLines: map[int]bool{}, portion: usual}
	var plain, wrapped []string
	for i, v := range values {
		texts := map[string]Form{}
		for _, part := range parts(v.text.Reveal()) {
			texts[part] = Part
		}
		texts[strings.TrimSpace(v.text.Reveal())] = AsIs // a line end at its end is not copied
		for text, form := range texts {
			if !strings.Contains(text, "\n") { // what a .env file in double quotes has for a line end
				texts[strings.TrimSpace(strings.ReplaceAll(text, `\n`, "\n"))] = form
			}
		}
		for text, form := range texts {
			add := func(forms map[string]Form, texts *[]string, of *[]meaning) {
				for text, inner := range forms {
					*texts, *of = append(*texts, text), append(*of, meaning{i, cmp.Or(inner, form)})
				}
			}
			if strings.Contains(text, "\n") {
				m.ofLines[i] = true
				for _, line := range telling(text) {
					add(map[string]Form{cut(line): AsIs}, &plain, &m.ofPlain)
				}
				add(map[string]Form{string(joined.of([]byte(cut(text))).text): AsIs}, &wrapped, &m.ofJoined)
			}
			encoded := encodings(cut(text))
			for _, other := range encodable(cut(text)) {
				maps.Copy(encoded, inBase64(other))
			}
			add(encoded, &plain, &m.ofPlain)
			add(encoded, &wrapped, &m.ofJoined)
			m.folds = m.folds || len(text) >= longLine && strings.Contains(text, " ")
			add(spellings(cut(text)), &plain, &m.ofPlain)
		}
	}
	m.plain, m.joined = finder.New(plain), finder.New(wrapped)
	const widest = 12 // \u0041 in UTF-16
	m.reach = widest * max(m.plain.Longest(), m.joined.Longest())
	return m
}

func cut(text string) string { return text[:min(len(text), longest)] }

// find calls found for the occurrences of values in data, some of them more than once.
func (m *matcher) find(data []byte, found func(value int, form Form, from, to int)) {
	m.read(data, found)
	if d := narrow.of(data); len(d.marks) > 0 {
		m.read(d.text, d.found(UTF16, found))
	}
}

// read finds values in data that is text.
func (m *matcher) read(data []byte, found func(value int, form Form, from, to int)) {
	in(m.plain, m.ofPlain, data, found)
	if d := joined.of(data); len(d.marks) > 0 {
		in(m.joined, m.ofJoined, d.text, d.found(AsIs, found))
	}
	if m.folds {
		d := folded.of(data)
		in(m.plain, m.ofPlain, d.text, d.found(AsIs, found))
	}
	for _, v := range views {
		m.decode(v, data, 2, found)
	}
}

// decode finds values in what a view makes of data, and in what it makes of that: JSON
// is put into JSON.
func (m *matcher) decode(v view, data []byte, times int, found func(value int, form Form, from, to int)) {
	d := v.of(data)
	if len(d.marks) == 0 {
		return
	}
	found = d.found(v.form, found)
	in(m.plain, m.ofPlain, d.text, found)
	if times > 1 {
		m.decode(v, d.text, times-1, found)
	}
}

// found tells where in the data something in the text is, and its form.
func (d decoded) found(form Form, found func(value int, form Form, from, to int)) func(int, Form, int, int) {
	return func(value int, inner Form, from, to int) {
		found(value, cmp.Or(inner, form), d.source(from), d.source(to-1)+1)
	}
}

func in(f *finder.Finder, of []meaning, data []byte, found func(value int, form Form, from, to int)) {
	f.Find(data, func(text, at int) { found(of[text].value, of[text].form, at, at+f.Len(text)) })
}
