package dotenv

import (
	"bytes"
	"slices"
	"strings"
)

// An item is a place in the merged file: for a line of any kind.
type item struct {
	id   string
	name string // "" if it is no assignment
	text string
	end  string // the line end
}

// order merges the sequence of lines. What all three versions have in common, in
// an order that they share, stays. Between that are the lines that either side
// added, or moved there; the others of the base were removed, or moved away.
func (m *merger) order() {
	base, ours, theirs := &m.sides[baseSide], &m.sides[oursSide], &m.sides[theirsSide]
	inOurs, inTheirs := matchLines(base.ids, ours.ids), matchLines(base.ids, theirs.ids)
	added := [3][]bool{oursSide: unmatched(inOurs, len(ours.ids)), theirsSide: unmatched(inTheirs, len(theirs.ids))}
	var at [3]int
	gap := func(endOurs, endTheirs int) {
		m.between(m.addedIn(oursSide, at[oursSide], endOurs, added), m.addedIn(theirsSide, at[theirsSide], endTheirs, added))
	}
	for i := range base.ids {
		o, t := inOurs[i], inTheirs[i]
		if o < 0 || t < 0 {
			continue
		}
		gap(o, t)
		it := m.item(oursSide, o)
		it.end, _ = threeWay(base.end(i), ours.end(o), theirs.end(t))
		m.items = append(m.items, it)
		at[oursSide], at[theirsSide] = o+1, t+1
	}
	gap(len(ours.ids), len(theirs.ids))
}

// end returns the end of a line; the last one of a file may lack it.
func (s *side) end(i int) string {
	if s.lines[i].end == "" {
		return s.ending
	}
	return s.lines[i].end
}

// item returns the place for a line of one side. A line that only one side has
// ends as the merged file does, if it ends as its own file.
func (m *merger) item(i, n int) item {
	s := &m.sides[i]
	l := s.lines[n]
	it := item{id: s.ids[n], name: l.name, text: l.text, end: s.end(n)}
	if it.end == s.ending {
		it.end = m.ending()
	}
	return it
}

// ending returns how the lines of the merged file end.
func (m *merger) ending() string {
	ours, theirs := &m.sides[oursSide], &m.sides[theirsSide]
	if len(ours.lines) == 0 {
		return theirs.ending
	}
	base := m.sides[baseSide].ending
	if len(m.sides[baseSide].lines) == 0 {
		base = theirs.ending
	}
	end, _ := threeWay(base, ours.ending, theirs.ending)
	return end
}

func unmatched(matches []int, n int) []bool {
	added := slices.Repeat([]bool{true}, n)
	for _, j := range matches {
		if j >= 0 {
			added[j] = false
		}
	}
	return added
}

// addedIn returns the added lines of one side from from to to.
func (m *merger) addedIn(i, from, to int, added [3][]bool) (items []item) {
	for n := from; n < to; n++ {
		if added[i][n] {
			items = append(items, m.item(i, n))
		}
	}
	return items
}

// between appends what both sides added in one place: what is the same once.
func (m *merger) between(ours, theirs []item) {
	t := 0
	for o, match := range matchLines(contexts(ours), contexts(theirs)) {
		if match >= 0 {
			m.items = append(m.items, theirs[t:match]...)
			t = match + 1
		}
		m.items = append(m.items, ours[o])
	}
	m.items = append(m.items, theirs[t:]...)
}

// contexts returns the ids of lines to compare what two sides added: blank lines
// are the same only before the same line.
func contexts(items []item) []string {
	ids, next := make([]string, len(items)), ""
	for i, it := range slices.Backward(items) {
		if ids[i] = it.id; it.name == "" && strings.TrimSpace(it.text) == "" {
			ids[i] += next
			continue
		}
		next = it.id
	}
	return ids
}

// place makes the items have each assignment of the result once.
func (m *merger) place() {
	count := map[string]int{}
	m.items = slices.DeleteFunc(m.items, func(it item) bool {
		if it.name == "" {
			return false
		}
		count[it.name]++
		return count[it.name] > m.named[it.name].places()
	})
	for i, seen := 0, map[string]int{}; i < len(m.items); i++ {
		if it := &m.items[i]; it.name != "" {
			it.id = assignmentID(it.name, seen[it.name])
			seen[it.name]++
		}
	}
	for _, v := range m.variables {
		for n := count[v.name]; n < v.places(); n++ {
			m.insert(v, n)
		}
	}
}

// places returns how many assignments of a variable there are in the result. One
// in conflict has one place.
func (v *variable) places() int {
	if v.err != nil {
		return 1
	}
	return len(v.lines)
}

// insert makes a place for an assignment that lost its own, because one side
// removed or moved it: after the line that it comes after on a side that has it.
func (m *merger) insert(v *variable, n int) {
	id := assignmentID(v.name, n)
	i := oursSide
	if len(v.at[oursSide]) <= n {
		i = theirsSide
	}
	own := slices.Index(m.sides[i].ids, id)
	if own < 0 {
		m.items = append(m.items, item{id: id, name: v.name, end: m.ending()})
		return
	}
	where := 0
	for before := own - 1; before >= 0; before-- {
		if at := slices.IndexFunc(m.items, func(it item) bool { return it.id == m.sides[i].ids[before] }); at >= 0 {
			where = at + 1
			break
		}
	}
	m.items = slices.Insert(m.items, where, m.item(i, own))
}

// render returns the merged file; of variables in conflict it has the version of
// view, which is one side, or both with markers.
func (m *merger) render(view int) []byte {
	var out bytes.Buffer
	ours, theirs := &m.sides[oursSide], &m.sides[theirsSide]
	mark, _ := threeWay(m.sides[baseSide].mark, ours.mark, theirs.mark)
	out.WriteString(mark)
	seen, last := map[string]int{}, ""
	for _, it := range m.items {
		if it.name == "" {
			out.WriteString(it.text + it.end)
			last = it.end
			continue
		}
		v, n := m.named[it.name], seen[it.name]
		seen[it.name]++
		if v.err != nil {
			m.renderConflict(&out, v, view, it.end)
			if last = ""; view != bothSides && len(v.at[view]) > 0 {
				last = it.end
			}
			continue
		}
		out.WriteString(v.lines[n].String() + it.end)
		last = it.end
	}
	if !m.endsLine() {
		out.Truncate(out.Len() - len(last))
	}
	return out.Bytes()
}

func (m *merger) renderConflict(out *bytes.Buffer, v *variable, view int, end string) {
	write := func(i int) {
		for _, l := range v.at[i] {
			out.WriteString(l.String() + end)
		}
	}
	if view != bothSides {
		write(view)
		return
	}
	size := m.opt.MarkerSize
	if size <= 0 {
		size = 7
	}
	marker := func(c, label string) {
		out.WriteString(strings.TrimRight(strings.Repeat(c, size)+" "+label, " ") + end)
	}
	marker("<", m.opt.OursLabel)
	write(oursSide)
	marker("=", "")
	write(theirsSide)
	marker(">", m.opt.TheirsLabel)
}

// endsLine reports whether the merged file ends with a line end.
func (m *merger) endsLine() bool {
	var ends [3]string
	for i := range m.sides {
		if n := len(m.sides[i].lines); n == 0 || m.sides[i].lines[n-1].end != "" {
			ends[i] = "\n"
		}
	}
	end, _ := threeWay(ends[baseSide], ends[oursSide], ends[theirsSide])
	return end != ""
}

// readsBack reports whether one view of the merged file has the assignments that
// it should: lines that are put together in another order may mean something
// else.
func (m *merger) readsBack(view int) bool {
	var want []Entry
	seen := map[string]int{}
	for _, it := range m.items {
		if it.name == "" {
			continue
		}
		v, n := m.named[it.name], seen[it.name]
		seen[it.name]++
		lines := v.at[view]
		if v.err == nil {
			lines = v.lines[n : n+1]
		}
		for _, l := range lines {
			want = append(want, l.entry)
		}
	}
	out := Parse(m.render(view))
	return sameEntries(out.entries, want) && out.Check() == nil
}

// matchLines returns for each line of a the same line of b, or -1; in the same
// order in both. Lines that occur once on each side decide, as in patience diff,
// and lines between those as far as they are few.
func matchLines(a, b []string) []int {
	matches := slices.Repeat([]int{-1}, len(a))
	match(a, b, 0, matches)
	return matches
}

// match fills in matches for a; offset is where b begins.
func match(a, b []string, offset int, matches []int) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		matches[0] = offset
		a, b, matches, offset = a[1:], b[1:], matches[1:], offset+1
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		matches[len(a)-1] = offset + len(b) - 1
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) == 0 || len(b) == 0 {
		return
	}
	anchors := longestIncreasing(uniquePairs(a, b))
	if len(anchors) == 0 {
		matchFew(a, b, offset, matches)
		return
	}
	fromA, fromB := 0, 0
	for _, p := range append(anchors, pair{len(a), len(b)}) {
		match(a[fromA:p.a], b[fromB:p.b], offset+fromB, matches[fromA:p.a])
		if p.a < len(a) {
			matches[p.a] = offset + p.b
		}
		fromA, fromB = p.a+1, p.b+1
	}
}

// A pair is the positions of a line in two versions.
type pair struct{ a, b int }

// uniquePairs returns the lines that occur once in each version, in the order of
// the first.
func uniquePairs(a, b []string) (pairs []pair) {
	type occurrences struct{ inA, inB, at int }
	count := make(map[string]occurrences, len(b))
	for j, id := range b {
		c := count[id]
		c.inB, c.at = c.inB+1, j
		count[id] = c
	}
	for _, id := range a {
		if c, ok := count[id]; ok {
			c.inA++
			count[id] = c
		}
	}
	for i, id := range a {
		if c := count[id]; c.inA == 1 && c.inB == 1 {
			pairs = append(pairs, pair{i, c.at})
		}
	}
	return pairs
}

// longestIncreasing returns most of the pairs, in an order that both versions
// have.
func longestIncreasing(pairs []pair) []pair {
	var ends []int // of the best sequence of each length: its last pair
	before := make([]int, len(pairs))
	for i, p := range pairs {
		at, _ := slices.BinarySearchFunc(ends, p.b, func(end, b int) int { return pairs[end].b - b })
		if before[i] = -1; at > 0 {
			before[i] = ends[at-1]
		}
		if at == len(ends) {
			ends = append(ends, i)
		} else {
			ends[at] = i
		}
	}
	if len(ends) == 0 {
		return nil
	}
	var list []pair
	for i := ends[len(ends)-1]; i >= 0; i = before[i] {
		list = append(list, pairs[i])
	}
	slices.Reverse(list)
	return list
}

// matchFew finds the longest common sequence of lines that repeat, such as blank
// ones. Of very many it finds none.
func matchFew(a, b []string, offset int, matches []int) {
	const most = 1 << 20
	if len(a)*len(b) > most {
		return
	}
	width := len(b) + 1
	length := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			matches[i] = offset + j
			i, j = i+1, j+1
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
}
