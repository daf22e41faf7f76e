// Package finder finds any of many texts in data in one pass, whatever their number.
package finder

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Shortest is the length in bytes from which a text can be found.
const Shortest = 8

// A Finder finds any of some texts. Where the first bytes of one may begin is looked
// up in a set that fits into the processor's cache: nearly all positions end there.
// Formatting does not print the texts.
type Finder struct {
	texts []string
	begin [1 << (setBits - 6)]uint64 // a set: hashes of the first eight bytes
	heads map[uint64][]int           // the texts by these bytes
}

const setBits = 20

// New returns a Finder of texts. Those that are shorter than Shortest are not found.
func New(texts []string) *Finder {
	f := &Finder{texts: texts, heads: make(map[uint64][]int, len(texts))}
	for i, text := range texts {
		if len(text) < Shortest {
			continue
		}
		head := binary.LittleEndian.Uint64([]byte(text[:Shortest]))
		at := hash(head)
		f.begin[at>>6] |= 1 << (at & 63)
		f.heads[head] = append(f.heads[head], i)
	}
	return f
}

func hash(head uint64) uint64 { return head * 0x9e3779b97f4a7c15 >> (64 - setBits) }

// Find calls found for each occurrence of each text in data, in the order of their
// beginnings: with the text's index and where it begins.
func (f *Finder) Find(data []byte, found func(text, at int)) {
	if len(f.heads) == 0 {
		return
	}
	for at := 0; at+Shortest <= len(data); at++ {
		head := binary.LittleEndian.Uint64(data[at:])
		bit := hash(head)
		if f.begin[bit>>6]&(1<<(bit&63)) == 0 {
			continue
		}
		for _, i := range f.heads[head] {
			if text := f.texts[i]; len(text) <= len(data)-at && string(data[at:at+len(text)]) == text {
				found(i, at)
			}
		}
	}
}

// Len returns the length of a text.
func (f *Finder) Len(text int) int { return len(f.texts[text]) }

// Longest returns the length of the longest text.
func (f *Finder) Longest() (longest int) {
	for _, text := range f.texts {
		longest = max(longest, len(text))
	}
	return longest
}

// Format prints the number of texts, whatever the verb is.
func (f *Finder) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "finder of %d texts", len(f.texts)) }

// IsTelling reports whether a text that is in another file is there because it was
// copied: it is long, and neither words nor an address without a password.
func IsTelling(text string) bool {
	const shortest = 12
	address := strings.Contains(text, "://") && !strings.Contains(text, "@")
	return len(text) >= shortest && !address && strings.ContainsAny(text, "0123456789") &&
		strings.ContainsFunc(text, func(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' })
}
