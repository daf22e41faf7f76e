package dotenv_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// A cell is one line of a random env file.
type cell struct {
	name    string // "" for a comment or a blank line
	comment string // the whole line, or behind the value
	plain   int    // of a safe's plaintexts
	variant int    // which of its ciphertexts
	quote   string
	export  bool
}

// A safe is plaintexts, each encrypted several times for each of two keys: a round
// of the test encrypts nothing itself.
type safe struct {
	keys    ecies.Keys
	plain   []string
	ciphers [2][][]string // by key, plaintext, variant
	known   map[string]sealed
}

// A sealed is what a ciphertext of a safe is made of.
type sealed struct{ key, plain int }

// open decrypts a value that is not one of the safe's own.
func (s *safe) open(t *testing.T, value string) (text string, key int) {
	t.Helper()
	if k, ok := s.known[value]; ok {
		return s.plain[k.plain], k.key
	}
	plain, used, err := s.keys.Decrypt(value)
	if err != nil {
		t.Error(err)
	}
	return string(plain), slices.IndexFunc(s.keys, func(k *ecies.PrivateKey) bool { return k.PublicKey() == used })
}

func newSafe(t testing.TB) *safe {
	s := &safe{known: map[string]sealed{}, plain: []string{"", "one", "two words", "multi\nline", "$A and ${B}", "#hash", "ünïcode", "a=b"}}
	for k := range s.ciphers {
		key, err := ecies.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		s.keys = append(s.keys, key)
		for i, text := range s.plain {
			var variants []string
			for range 3 {
				c, err := key.PublicKey().Encrypt([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				variants = append(variants, c)
				s.known[c] = sealed{k, i}
			}
			s.ciphers[k] = append(s.ciphers[k], variants)
		}
	}
	return s
}

// A file is a random env file.
type file struct {
	cells []cell
	key   int
	end   string
	open  bool // the last line has no end
}

func (f file) clone() file { f.cells = slices.Clone(f.cells); return f }

func (f file) line(s *safe, c cell) string {
	if c.name == "" {
		return c.comment
	}
	text := c.name + "="
	if c.export {
		text = "export " + text
	}
	if c.name == "DOTENV_PUBLIC_KEY" {
		return text + `"` + s.keys[f.key].PublicKey().String() + `"`
	}
	return text + c.quote + s.ciphers[f.key][c.plain][c.variant] + c.quote + c.comment
}

func (f file) doc(s *safe) *dotenv.Document {
	var out strings.Builder
	for i, c := range f.cells {
		out.WriteString(f.line(s, c))
		if i < len(f.cells)-1 || !f.open {
			out.WriteString(f.end)
		}
	}
	return dotenv.Parse([]byte(out.String()))
}

func randomFile(r *rand.Rand, s *safe) file {
	f := file{end: "\n", open: r.IntN(5) == 0}
	if r.IntN(5) == 0 {
		f.end = "\r\n"
	}
	f.cells = []cell{{comment: "#/---/"}, {name: "DOTENV_PUBLIC_KEY"}, {}}
	for i := range r.IntN(12) {
		switch r.IntN(6) {
		case 0:
			f.cells = append(f.cells, cell{comment: fmt.Sprintf("# base %d", i)})
		case 1:
			f.cells = append(f.cells, cell{})
		default:
			f.cells = append(f.cells, randomCell(r, s, fmt.Sprintf("V%d", i)))
		}
	}
	if r.IntN(10) == 0 { // a name twice
		f.cells = append(f.cells, randomCell(r, s, fmt.Sprintf("V%d", r.IntN(12))))
	}
	return f
}

func randomCell(r *rand.Rand, s *safe, name string) cell {
	return cell{
		name: name, plain: r.IntN(len(s.plain)), variant: r.IntN(3),
		quote: []string{"", `"`, "'"}[r.IntN(3)], export: r.IntN(8) == 0,
	}
}

// edit changes a file at random. who is part of what it adds.
func (f *file) edit(r *rand.Rand, s *safe, who string) {
	for n := range r.IntN(5) {
		at := 3 + r.IntN(len(f.cells)-2)
		exists := at < len(f.cells)
		isVariable := exists && f.cells[at].name != ""
		switch op := r.IntN(12); {
		case op < 2 && isVariable:
			f.cells[at].plain, f.cells[at].variant = r.IntN(len(s.plain)), r.IntN(3)
		case op == 2 && isVariable: // the same again
			f.cells[at].variant = r.IntN(3)
		case op == 3 && exists:
			f.cells = slices.Delete(f.cells, at, at+1)
		case op < 6:
			f.cells = slices.Insert(f.cells, at, randomCell(r, s, fmt.Sprintf("N%d", r.IntN(12))))
		case op == 6:
			f.cells = slices.Insert(f.cells, at, cell{comment: fmt.Sprintf("# %s %d", who, n)})
		case op == 7:
			f.cells = slices.Insert(f.cells, at, cell{})
		case op == 8 && exists: // moved
			c := f.cells[at]
			f.cells = slices.Delete(f.cells, at, at+1)
			f.cells = slices.Insert(f.cells, 3+r.IntN(len(f.cells)-2), c)
		case op == 9 && isVariable && who == "ours": // two sides may do that differently
			f.cells[at].export = !f.cells[at].export
		case op == 10 && isVariable && who == "theirs":
			f.cells[at].comment = " # " + who
		case op == 11 && r.IntN(4) == 0: // rotated
			f.key = 1
			for i := range f.cells {
				f.cells[i].variant = r.IntN(3)
			}
		}
	}
	if r.IntN(20) == 0 {
		f.end, f.open = map[string]string{"\n": "\r\n", "\r\n": "\n"}[f.end], r.IntN(2) == 0
	}
}

// values returns the plaintexts of each name, and whether they are expanded.
func (f file) values(s *safe) map[string]string {
	values := map[string]string{}
	for _, c := range f.cells {
		if c.name == "" || c.name == "DOTENV_PUBLIC_KEY" {
			continue
		}
		literal := c.quote == "'" && strings.Contains(s.plain[c.plain], "$")
		values[c.name] += fmt.Sprintf("%q %t\n", s.plain[c.plain], literal)
	}
	return values
}

// wantMerge merges plaintexts by name.
func wantMerge(base, ours, theirs map[string]string) (merged map[string]string, conflicts []string) {
	merged = map[string]string{}
	names := maps.Clone(ours)
	maps.Copy(names, theirs)
	for name := range names {
		b, o, t := base[name], ours[name], theirs[name]
		switch {
		case o == b, o == t:
			merged[name] = t
		case t == b:
			merged[name] = o
		default:
			conflicts = append(conflicts, name)
		}
		if merged[name] == "" {
			delete(merged, name)
		}
	}
	slices.Sort(conflicts)
	return merged, conflicts
}

func mergeRounds(n int) int {
	if more, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS")); err == nil {
		return more
	}
	return n
}

// TestMergeLaws merges random edits of random files: the values are merged as
// their plaintexts are by name, and what nobody changed keeps its bytes.
func TestMergeLaws(t *testing.T) {
	t.Parallel()
	s := newSafe(t)
	for round := range mergeRounds(500) {
		r := rand.New(rand.NewPCG(1, uint64(round)))
		base := randomFile(r, s)
		ours, theirs := base.clone(), base.clone()
		ours.edit(r, s, "ours")
		theirs.edit(r, s, "theirs")
		if !checkMerge(t, s, base, ours, theirs) {
			t.Fatalf("round %d\n--- base\n%s\n--- ours\n%s\n--- theirs\n%s", round, base.doc(s).Bytes(), ours.doc(s).Bytes(), theirs.doc(s).Bytes())
		}
	}
}

func checkMerge(t *testing.T, s *safe, base, ours, theirs file) bool {
	t.Helper()
	opt := dotenv.MergeOptions{Keys: func() ecies.Keys { return s.keys }}
	b, o, th := base.doc(s), ours.doc(s), theirs.doc(s)
	got, err := dotenv.Merge(b, o, th, opt)
	if err != nil {
		t.Errorf("Merge: %v", err)
		return false
	}
	want, conflicts := wantMerge(base.values(s), ours.values(s), theirs.values(s))
	var names []string
	for _, c := range got.Conflicts {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	ok := true
	fail := func(format string, args ...any) {
		t.Errorf(format+"\n--- merged\n%s", append(args, got.Data)...)
		ok = false
	}
	if !slices.Equal(names, conflicts) {
		fail("Merge: conflicts %q; want %q", names, conflicts)
		return false
	}
	merged := dotenv.Parse(got.Data)
	if len(conflicts) > 0 {
		if e := (*dotenv.ConflictError)(nil); !errors.As(merged.Check(), &e) {
			fail("Merge: conflicts %q and no markers", names)
		}
	} else if merged.Check() != nil {
		fail("Merge: %v", merged.Check())
	}
	for _, side := range []bool{false, true} {
		doc, between, fits := merged.TakeSide(side)
		slices.Sort(between)
		if !fits || !slices.Equal(between, conflicts) {
			fail("TakeSide: %q, %t; want %q", between, fits, conflicts)
			continue
		}
		from := ours
		if side {
			from = theirs
		}
		all := maps.Clone(want)
		for _, name := range conflicts {
			if v := from.values(s)[name]; v != "" {
				all[name] = v
			}
		}
		if have := valuesOf(t, doc, s, len(conflicts) == 0); !maps.Equal(have, all) {
			fail("Merge: values %q; want %q", have, all)
		}
	}
	for _, name := range untouched(s, base, ours, theirs) {
		if !bytes.Contains(got.Data, []byte(name)) {
			fail("Merge: %q lost its bytes", name)
		}
	}
	for _, tt := range []struct{ base, ours, theirs, want *dotenv.Document }{{b, b, th, th}, {b, o, b, o}, {b, o, o, o}} {
		if got, err := dotenv.Merge(tt.base, tt.ours, tt.theirs, dotenv.MergeOptions{}); err != nil || !bytes.Equal(got.Data, tt.want.Bytes()) {
			fail("Merge with a side that changed nothing: %v\n%s\nwant\n%s", err, got.Data, tt.want.Bytes())
		}
	}
	return ok
}

// valuesOf is values of a merged file. Without a conflict all values are for the
// key in the header.
func valuesOf(t *testing.T, doc *dotenv.Document, s *safe, oneKey bool) map[string]string {
	t.Helper()
	headers, _ := doc.PublicKeys()
	values := map[string]string{}
	for _, e := range doc.Entries() {
		if e.Name == "DOTENV_PUBLIC_KEY" {
			continue
		}
		plain, key := s.open(t, e.Value)
		if oneKey && (len(headers) != 1 || headers[0].Key != s.keys[key].PublicKey()) {
			t.Errorf("Merge: %s is encrypted for another key than the header's", e.Name)
		}
		values[e.Name] += fmt.Sprintf("%q %t\n", plain, e.Quote == '\'' && strings.Contains(plain, "$"))
	}
	return values
}

// untouched returns the lines of names whose lines are the same in all versions.
func untouched(s *safe, files ...file) (lines []string) {
	texts := make([]map[string]string, len(files))
	for i, f := range files {
		texts[i] = map[string]string{}
		for _, c := range f.cells {
			if c.name != "" {
				texts[i][c.name] += "\n" + f.line(s, c)
			}
		}
	}
	for name, text := range texts[0] {
		if text == texts[1][name] && text == texts[2][name] {
			lines = append(lines, strings.Split(text[1:], "\n")...)
		}
	}
	return lines
}
