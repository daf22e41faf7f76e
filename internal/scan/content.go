package scan

import (
	"bytes"
	"context"
	"hash/maphash"
	"io"
	"sort"
)

// Allow is what a line says whose values are meant to be there.
const Allow = "envdrift:allow"

// usual is how much of a content is in memory, if no value is very long.
const usual = 1 << 20

// A hit is a value in a content, once for each line, or once for lines of a value that
// follow each other.
type hit struct {
	value   int
	form    Form
	line    int // 0 in binary data
	allowed bool
	around  uint64 // a hash of the line, to compare with that of an earlier version
}

// seed is that of all hashes in this process: they tell whether lines are the same.
var seed = maphash.MakeSeed()

// around is how much of a long line counts on each side of a hit.
const around = 1 << 10

// A content is searched by portions, which overlap by so much that each hit is in one
// of them with what is around it.
type content struct {
	m      *matcher
	binary bool
	seen   map[[2]int]int // the hits by value and line, and the last line of each
	hits   []hit
}

// search returns the hits in a content.
func (m *matcher) search(ctx context.Context, from io.Reader, size int64) ([]hit, error) {
	c := content{m: m, seen: map[[2]int]int{}}
	overlap := 2 * (m.reach + around)
	whole := max(m.portion, 4*overlap)
	buffer := make([]byte, min(size+1, int64(whole)))
	for kept, line, first := 0, 1, true; ; first = false {
		n, err := io.ReadFull(from, buffer[kept:])
		if err == nil && len(buffer) < whole { // it has more than it had
			kept = len(buffer)
			buffer = append(buffer, make([]byte, whole-kept)...)
			n, err = io.ReadFull(from, buffer[kept:])
		}
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if !last && err != nil {
			return nil, err
		}
		data := buffer[:kept+n]
		if first {
			c.binary = isBinary(data)
		}
		end := len(data)
		if !last {
			end -= overlap / 2
		}
		c.look(data, line, end)
		if last || ctx.Err() != nil {
			return c.hits, ctx.Err()
		}
		drop := len(data) - overlap
		line += bytes.Count(data[:drop], []byte("\n"))
		kept = copy(buffer, data[drop:])
	}
}

// isBinary reports whether git takes data for that of no text, which has no lines.
func isBinary(data []byte) bool {
	const looked = 8000
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} { // UTF-16 has lines
		if bytes.HasPrefix(data, []byte(mark)) {
			return false
		}
	}
	return bytes.IndexByte(data[:min(len(data), looked)], 0) >= 0
}

// look notes the hits in a portion that end before an offset. Its first byte is in the
// line first.
func (c *content) look(data []byte, first, end int) {
	var ends []int // of lines, once they are needed
	c.m.find(data, func(value int, form Form, from, to int) {
		if to > end {
			return // the next portion has it, with what follows
		}
		if ends == nil {
			ends = lineEnds(data)
		}
		at, until := sort.SearchInts(ends, from), sort.SearchInts(ends, to-1)
		h := hit{value: value, form: form, line: first + at}
		start, stop := 0, ends[until]
		if at > 0 {
			start = ends[at-1] + 1
		}
		text := data[max(start, from-around):min(stop, to+around)]
		h.allowed, h.around = allows(text), maphash.Bytes(seed, text)
		last := first + until
		if c.binary { // without lines the value is there, or not
			h.line, h.around, last = 0, 0, 0
		}
		c.note(h, last)
	})
}

// allows reports whether a line says that its values are meant to be there, also in UTF-16.
func allows(line []byte) bool {
	return bytes.Contains(line, []byte(Allow)) || bytes.Contains(bytes.ReplaceAll(line, []byte{0}, nil), []byte(Allow))
}

// note notes a hit that ends in the line last, unless it is known, or is a line of a
// value of which the line before is there too.
func (c *content) note(h hit, last int) {
	for _, line := range []int{h.line, h.line - 1} {
		i, known := c.seen[[2]int{h.value, line}]
		if !known || line < h.line && !c.m.ofLines[h.value] {
			continue
		}
		c.hits[i].allowed = c.hits[i].allowed || h.allowed
		for ; line <= last; line++ {
			c.seen[[2]int{h.value, line}] = i
		}
		return
	}
	for line := h.line; line <= last; line++ {
		c.seen[[2]int{h.value, line}] = len(c.hits)
	}
	c.hits = append(c.hits, h)
}

// lineEnds returns the offsets of line ends, and of the end.
func lineEnds(data []byte) (ends []int) {
	for at := 0; ; at++ {
		n := bytes.IndexByte(data[at:], '\n')
		if n < 0 {
			return append(ends, len(data))
		}
		at += n
		ends = append(ends, at)
	}
}

// removed returns the hits that are not in earlier versions of the same file, as often
// as they are there.
func removed(hits, earlier []hit) (left []hit) {
	type same struct {
		value  int
		around uint64
	}
	count := map[same]int{}
	for _, h := range earlier {
		count[same{h.value, h.around}]++
	}
	for _, h := range hits {
		if id := (same{h.value, h.around}); count[id] > 0 {
			count[id]--
			continue
		}
		left = append(left, h)
	}
	return left
}
