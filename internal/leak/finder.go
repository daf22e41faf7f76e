package leak

import (
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/secret"
)

// A named value is looked for in files of any kind.
type named struct {
	name  string
	value secret.Value
}

// A finder finds any of some values in a text in one pass.
type finder struct {
	begins [1 << 16]bool // by the first two bytes of a value
	values map[[4]byte][]named
}

func newFinder(values []named) *finder {
	f := &finder{values: map[[4]byte][]named{}}
	for _, v := range values {
		if text := v.value.Reveal(); isTelling(text) {
			f.begins[uint16(text[0])<<8|uint16(text[1])] = true
			at := [4]byte([]byte(text))
			f.values[at] = append(f.values[at], v)
		}
	}
	return f
}

// find adds the names of the values that are in data.
func (f *finder) find(names []string, data []byte) []string {
	if len(f.values) == 0 {
		return names
	}
	for i := 0; i+4 <= len(data); i++ {
		if !f.begins[uint16(data[i])<<8|uint16(data[i+1])] {
			continue
		}
		for _, v := range f.values[[4]byte(data[i:])] {
			if text := v.value.Reveal(); len(text) <= len(data)-i && string(data[i:i+len(text)]) == text && !slices.Contains(names, v.name) {
				names = append(names, v.name)
			}
		}
	}
	return names
}

// isTelling reports whether a value that is in another file is there because it was
// copied: it is long, and neither words nor an address without a password.
func isTelling(value string) bool {
	const shortest = 12
	address := strings.Contains(value, "://") && !strings.Contains(value, "@")
	return len(value) >= shortest && !address && strings.ContainsAny(value, "0123456789") &&
		strings.ContainsFunc(value, func(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' })
}
