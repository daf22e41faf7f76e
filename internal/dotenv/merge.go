package dotenv

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/ecies"
)

// MergeOptions are what [Merge] needs besides the three versions.
type MergeOptions struct {
	// Keys returns private keys, to compare values that are encrypted differently
	// and to re-encrypt. It is called at most once, and only if the ciphertexts
	// do not decide. It may be nil.
	Keys func() ecies.Keys

	// MayEncrypt returns why values must not be encrypted for a public key. Nil
	// allows every key.
	MayEncrypt func(ecies.PublicKey) error

	// StaysPlain reports whether the value of a name stays plaintext, besides those that
	// end in _PLAIN. It may be nil.
	StaysPlain func(name string) bool

	// Of the conflict markers: what the sides are called, and the length; 0 is
	// git's own.
	OursLabel, TheirsLabel string
	MarkerSize             int
}

// A Merged is the result of [Merge].
type Merged struct {
	Data      []byte // with conflict markers around each variable in conflict
	Conflicts []VariableConflict
}

// A VariableConflict is a variable that could not be merged, and why.
type VariableConflict struct {
	Name string
	Err  error // ErrBothChanged, ErrRemoved, a *MissingKeyError, or what MayEncrypt returned
}

// Why a variable is in conflict.
var (
	ErrBothChanged = errors.New("both sides changed it")
	ErrRemoved     = errors.New("one side removed it, the other changed it")
)

// A MissingKeyError reports a value that has to be decrypted for a merge, to
// compare it or to re-encrypt it, but that no key decrypts.
type MissingKeyError struct{ Keys []ecies.PublicKey } // of the header of its version

func (e *MissingKeyError) Error() string {
	short := make([]string, len(e.Keys))
	for i, k := range e.Keys {
		short[i] = k.Short()
	}
	if len(short) == 0 {
		return "no local key decrypts it"
	}
	return "the private key for " + strings.Join(short, " or ") + " is not local"
}

// ErrNotMergeable reports a file that cannot be merged by variables: it has
// lines that are neither variables nor comments, and both sides changed them, or
// the result would not read back.
var ErrNotMergeable = errors.New("cannot be merged by variables")

// Merge merges two versions of a document that come from base, variable by
// variable: all assignments of a name together. Comments, blank lines and the
// order are merged like text, except that nothing of them is a conflict: what both
// sides added in one place is kept, ours first. A line that neither side changed
// keeps its bytes. base may contain conflict markers, as git's virtual ancestors
// do; a variable between them was changed by both sides.
//
// Equal ciphertexts are equal values. Others are compared by their plaintexts, if
// there are keys. Where one side has another public key in the header, the other
// side's values are re-encrypted for it; where both have, theirs, if the keys of all
// versions are at hand.
//
// The error is an [*EncodingError] or a [*ConflictError] of ours or theirs, or
// [ErrNotMergeable].
func Merge(base, ours, theirs *Document, opt MergeOptions) (*Merged, error) {
	m := merger{opt: opt, plaintexts: map[string]plaintext{}}
	base, m.unsure = withoutMarkers(base)
	for i, d := range []*Document{base, ours, theirs} {
		if err := d.Check(); err != nil {
			return nil, err
		}
		m.sides[i] = newSide(d)
	}
	if !m.mergesUnparsed() {
		return nil, ErrNotMergeable
	}
	m.collect()
	m.decide()
	m.order()
	m.place()
	out := &Merged{Data: m.render(bothSides)}
	for _, v := range m.variables {
		if v.err != nil {
			out.Conflicts = append(out.Conflicts, VariableConflict{v.name, v.err})
		}
	}
	if !m.readsBack(oursSide) || len(out.Conflicts) > 0 && !m.readsBack(theirsSide) {
		return nil, ErrNotMergeable
	}
	return out, nil
}

// The sides of a merge.
const (
	baseSide = iota
	oursSide
	theirsSide
	bothSides // with conflict markers
)

// A merger is one run of [Merge].
type merger struct {
	opt        MergeOptions
	sides      [3]side
	unsure     map[string]bool // names of which the base has no one version
	variables  []*variable     // in the order of their first appearance in ours, then theirs, then base
	named      map[string]*variable
	winner     []ecies.PublicKey // the merged header; nil if it is in conflict, or if there is none
	items      []item
	keys       ecies.Keys
	keysLoaded bool
	plaintexts map[string]plaintext // by ciphertext
}

// A side is one version, cut into lines.
type side struct {
	doc    *Document
	mark   string // the byte order mark, or ""
	lines  []line
	ids    []string // of lines
	keys   []ecies.PublicKey
	ending string // of most lines
}

// A line is an assignment, which may be several lines of text, or one line of
// anything else.
type line struct {
	name       string // "" if it is no assignment
	text       string // if it is no assignment: without its end
	entry      Entry
	head, tail string // what is before and behind the value
	raw        string // the value, with quotes
	end        string // the line end; "" at the end of the file
}

func (l line) String() string { return l.text + l.head + l.raw + l.tail }

func (l line) sameText(other line) bool {
	return l.head == other.head && l.raw == other.raw && l.tail == other.tail
}

const byteOrderMark = "\ufeff"

func newSide(d *Document) side {
	s := side{doc: d, ending: d.lineEnding()}
	text := d.data
	if bytes.HasPrefix(text, []byte(byteOrderMark)) {
		s.mark = byteOrderMark
	}
	headers, _ := d.PublicKeys()
	for _, h := range headers {
		s.keys = append(s.keys, h.Key)
	}
	rest := d.entries
	for at := len(s.mark); at < len(text); {
		stop := findLineEnd(text, at)
		l := line{text: string(text[at:stop])}
		if len(rest) > 0 && rest[0].start <= stop {
			e := rest[0]
			rest = rest[1:]
			stop = findLineEnd(text, e.to)
			l = line{
				name: e.Name, entry: e, raw: string(text[e.from:e.to]),
				head: string(text[at:e.from]), tail: string(text[e.to:stop]),
			}
		}
		l.end = string(text[stop : stop+lineEnd(text[stop:])])
		s.lines = append(s.lines, l)
		at = stop + len(l.end)
	}
	s.ids = identify(s.lines)
	return s
}

// identify returns what tells the lines of a version apart: an assignment is the
// same as one of its name in another version, whatever its value.
func identify(lines []line) []string {
	ids, count := make([]string, len(lines)), map[string]int{}
	for i, l := range lines {
		if ids[i] = "#" + l.text; l.name != "" {
			ids[i] = assignmentID(l.name, count[l.name])
			count[l.name]++
		}
	}
	return ids
}

func assignmentID(name string, n int) string { return fmt.Sprintf("=%s %d", name, n) }

// mergesUnparsed reports whether at most one side changed the lines that are
// neither assignments nor comments: nobody knows what they mean.
func (m *merger) mergesUnparsed() bool {
	var unparsed [3][]string
	for i := range m.sides {
		for _, l := range m.sides[i].lines {
			if text := strings.TrimFunc(l.text, isBlank); text != "" && text[0] != '#' {
				unparsed[i] = append(unparsed[i], l.text)
			}
		}
	}
	return slices.Equal(unparsed[oursSide], unparsed[baseSide]) ||
		slices.Equal(unparsed[theirsSide], unparsed[baseSide]) ||
		slices.Equal(unparsed[oursSide], unparsed[theirsSide])
}

// A variable is all assignments of a name, and what becomes of them.
type variable struct {
	name  string
	at    [3][]line
	lines []line // the result
	err   error  // why there is none
}

func (m *merger) collect() {
	m.named = map[string]*variable{}
	for _, i := range []int{oursSide, theirsSide, baseSide} {
		for _, l := range m.sides[i].lines {
			if l.name == "" {
				continue
			}
			v := m.named[l.name]
			if v == nil {
				v = &variable{name: l.name}
				m.named[l.name] = v
				m.variables = append(m.variables, v)
			}
			v.at[i] = append(v.at[i], l)
		}
	}
}

// decide decides on each variable, the public keys first.
func (m *merger) decide() {
	for _, header := range []bool{true, false} {
		for _, v := range m.variables {
			if strings.HasPrefix(v.name, PublicPrefix) == header {
				m.decideOn(v)
			}
		}
		if header {
			m.winner = m.mergedHeader()
		}
	}
}

func (m *merger) mergedHeader() (keys []ecies.PublicKey) {
	for _, v := range m.variables {
		if !strings.HasPrefix(v.name, PublicPrefix) {
			continue
		}
		if v.err != nil {
			return nil
		}
		if n := len(v.lines); n > 0 {
			if key, err := ecies.ParsePublicKey(v.lines[n-1].entry.Value); err == nil {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

func (m *merger) decideOn(v *variable) {
	base, ours, theirs := v.at[baseSide], v.at[oursSide], v.at[theirsSide]
	known := !m.unsure[v.name]
	switch {
	case slices.EqualFunc(ours, theirs, line.sameText):
		m.take(v, oursSide, ours)
	case known && slices.EqualFunc(ours, base, line.sameText):
		m.take(v, theirsSide, theirs)
	case known && slices.EqualFunc(theirs, base, line.sameText):
		m.take(v, oursSide, ours)
	default:
		m.mergeValues(v, known)
	}
}

// mergeValues merges a variable whose lines differ in all versions: its values,
// and if all versions have it equally often, what is before and behind each.
func (m *merger) mergeValues(v *variable, known bool) {
	from, err := m.sideWithValues(v, known)
	if err != nil {
		v.err = err
		return
	}
	lines := slices.Clone(v.at[from])
	if n := len(v.at[baseSide]); known && len(v.at[oursSide]) == n && len(v.at[theirsSide]) == n {
		for i := range lines {
			base, ours, theirs := v.at[baseSide][i], v.at[oursSide][i], v.at[theirsSide][i]
			var okHead, okTail bool
			lines[i].head, okHead = threeWay(base.head, ours.head, theirs.head)
			lines[i].tail, okTail = threeWay(base.tail, ours.tail, theirs.tail)
			if !okHead || !okTail {
				v.err = ErrBothChanged
				return
			}
		}
	}
	m.take(v, from, lines)
}

// threeWay returns what became of base, unless both sides changed it.
func threeWay(base, ours, theirs string) (string, bool) {
	if ours == base {
		return theirs, true
	}
	return ours, theirs == base || ours == theirs
}

// take makes the assignments of one side the result.
func (m *merger) take(v *variable, i int, lines []line) {
	v.lines = slices.Clone(lines)
	for n := range v.lines {
		if v.err == nil {
			v.err = m.adopt(&v.lines[n], i)
		}
	}
}

// sideWithValues returns the side that has the merged values of a variable, or why
// neither has.
func (m *merger) sideWithValues(v *variable, known bool) (int, error) {
	equal, err := m.equal(v, oursSide, theirsSide)
	if equal {
		return m.prefer(v), nil
	}
	if known {
		unchanged, err1 := m.equal(v, oursSide, baseSide)
		if unchanged {
			return theirsSide, nil
		}
		unchanged, err2 := m.equal(v, theirsSide, baseSide)
		if unchanged {
			return oursSide, nil
		}
		err = errors.Join(err, err1, err2)
	}
	if m.bothRotated(v) {
		return oursSide, nil
	}
	return 0, whyNot(v, err)
}

// bothRotated reports whether a variable is a public key that both sides replaced, and
// the keys of both are at hand: whichever is taken, all values can be encrypted for it.
func (m *merger) bothRotated(v *variable) bool {
	for _, lines := range v.at {
		if len(lines) != 1 || !lines[0].entry.isPublicKey() {
			return false
		}
		key, err := ecies.ParsePublicKey(lines[0].entry.Value)
		if err != nil || m.allKeys().Find(key) == nil {
			return false
		}
	}
	return true
}

// allKeys returns the keys at hand.
func (m *merger) allKeys() ecies.Keys {
	if !m.keysLoaded && m.opt.Keys != nil {
		m.keys = m.opt.Keys()
	}
	m.keysLoaded = true
	return m.keys
}

// prefer returns the side of two with equal values that is taken: one that need
// not be re-encrypted.
func (m *merger) prefer(v *variable) int {
	for _, i := range []int{oursSide, theirsSide} {
		if !slices.ContainsFunc(v.at[i], func(l line) bool { return m.isForeign(l.entry, m.sides[i]) }) {
			return i
		}
	}
	return oursSide
}

// whyNot returns the reason for a conflict. err is why values could not be
// compared, or nil.
func whyNot(v *variable, err error) error {
	if missing := (*MissingKeyError)(nil); errors.As(err, &missing) {
		return missing
	}
	if len(v.at[oursSide]) == 0 || len(v.at[theirsSide]) == 0 {
		return ErrRemoved
	}
	return ErrBothChanged
}

// equal compares the values of a variable on two sides.
func (m *merger) equal(v *variable, a, b int) (bool, error) {
	if len(v.at[a]) != len(v.at[b]) {
		return false, nil
	}
	for n := range v.at[a] {
		if equal, err := m.sameValue(v.at[a][n], a, v.at[b][n], b); !equal {
			return false, err
		}
	}
	return true, nil
}

// A plaintext is a decrypted value, or why there is none.
type plaintext struct {
	text string
	err  error
}

// sameValue reports whether two assignments have the same value and expand it
// alike. The error is a [*MissingKeyError] if that cannot be known.
func (m *merger) sameValue(a line, sideA int, b line, sideB int) (bool, error) {
	if a.raw == b.raw {
		return true, nil
	}
	if a.entry.isPublicKey() {
		return a.entry.Value == b.entry.Value, nil
	}
	x, errA := m.reveal(a.entry, m.sides[sideA])
	y, errB := m.reveal(b.entry, m.sides[sideB])
	if err := errors.Join(errA, errB); err != nil {
		return false, err
	}
	literal := (a.entry.Quote == '\'') == (b.entry.Quote == '\'')
	return x == y && (literal || !strings.Contains(x, "$")), nil
}

// reveal returns the plaintext of an entry.
func (m *merger) reveal(e Entry, s side) (string, error) {
	if !e.Encrypted() {
		return e.Value, nil
	}
	p, known := m.plaintexts[e.Value]
	if !known {
		text, _, err := m.allKeys().Decrypt(e.Value)
		p = plaintext{string(text), err}
		m.plaintexts[e.Value] = p
	}
	if p.err != nil || ecies.IsEncrypted(p.text) {
		return "", &MissingKeyError{s.keys}
	}
	return p.text, nil
}

// isForeign reports whether a value of one side does not belong into the merged
// file as it is: it is encrypted for a public key that the merged header no longer
// has, or its side was not encrypted at all.
func (m *merger) isForeign(e Entry, s side) bool {
	switch {
	case len(m.winner) == 0 || e.isPublicKey():
		return false
	case e.Encrypted():
		return len(s.keys) > 0 && !slices.ContainsFunc(s.keys, func(k ecies.PublicKey) bool { return slices.Contains(m.winner, k) })
	}
	if len(s.keys) > 0 || s.doc.StaysPlain(e.Name) {
		return false
	}
	return m.opt.StaysPlain == nil || !m.opt.StaysPlain(e.Name)
}

// adopt re-encrypts the value of a line that comes from side i if it has to be.
func (m *merger) adopt(l *line, i int) error {
	if !m.isForeign(l.entry, m.sides[i]) {
		return nil
	}
	text, err := m.reveal(l.entry, m.sides[i])
	if err != nil {
		return err
	}
	if m.opt.MayEncrypt != nil {
		if err := m.opt.MayEncrypt(m.winner[0]); err != nil {
			return err
		}
	}
	value, err := m.winner[0].Encrypt([]byte(text))
	if err != nil {
		return err
	}
	quotes := ""
	if l.entry.quoted {
		quotes = string(l.entry.Quote)
	}
	l.entry.Value, l.raw = value, quotes+value+quotes
	return nil
}

// ForHeader returns the document with every value re-encrypted that keys decrypt,
// and that is not encrypted for the one public key of its header: after a
// conflict about that. Values that no key decrypts stay. mayEncrypt is asked
// before anything is encrypted, as in [MergeOptions].
func (d *Document) ForHeader(keys ecies.Keys, mayEncrypt func(ecies.PublicKey) error) (*Document, error) {
	headers, err := d.PublicKeys()
	if err != nil || len(headers) == 0 {
		return d, err
	}
	var changes []change
	var todo []int
	var values []string
	for i, e := range d.entries {
		if e.Encrypted() && !e.isPublicKey() {
			todo, values = append(todo, i), append(values, e.Value)
		}
	}
	for n, r := range keys.DecryptAll(values) {
		if r.Err != nil || slices.ContainsFunc(headers, func(h Header) bool { return h.Key == r.Used }) {
			continue
		}
		if len(changes) == 0 && mayEncrypt != nil {
			if err := mayEncrypt(headers[0].Key); err != nil {
				return nil, err
			}
		}
		value, err := headers[0].Key.Encrypt([]byte(r.Plaintext.Reveal()))
		if err != nil {
			return nil, err
		}
		anyQuote := !strings.Contains(r.Plaintext.Reveal(), "$")
		changes = append(changes, change{index: todo[n], value: value, anyQuote: anyQuote})
	}
	return d.rewrite(changes)
}
