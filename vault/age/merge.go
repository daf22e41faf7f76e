package age

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A Conflict is a file that a merge could not resolve: its version before, and
// those of both sides. A nil version does not exist.
type Conflict struct{ Base, Ours, Theirs []byte }

// A ConflictFunc returns what git holds of a file in conflict, whose path is
// relative to the configuration; nil if it holds nothing.
type ConflictFunc func(file string) (*Conflict, error)

// hasMarkers reports whether text holds conflict markers.
func hasMarkers(text []byte) bool {
	_, marked := splitMarkers(text)
	return marked
}

// splitMarkers returns the two sides of a text with conflict markers. What was
// before is not known from it.
func splitMarkers(text []byte) (c Conflict, marked bool) {
	const both, ours, base, theirs = 0, 1, 2, 3
	part := both
	for line := range bytes.Lines(text) {
		switch word, _, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " "); {
		case isMarker(word, '<'):
			part, marked = ours, true
			continue
		case part == ours && isMarker(word, '|'):
			part = base
			continue
		case part != both && isMarker(word, '='):
			part = theirs
			continue
		case isMarker(word, '>'):
			part, marked = both, true
			continue
		}
		if part == both || part == ours {
			c.Ours = append(c.Ours, line...)
		}
		if part == both || part == theirs {
			c.Theirs = append(c.Theirs, line...)
		}
	}
	return c, marked
}

func isMarker(word string, c byte) bool {
	return len(word) >= 7 && strings.Trim(word, string(c)) == ""
}

var errNoBase = errors.New("has conflict markers, and git no longer holds the versions: edit it")

// merge returns the recipients file of a merge: ours, with what the other side
// added and without what it took away.
func (c Conflict) merge() ([]byte, error) {
	var sides [3][]Reader
	for i, data := range [][]byte{c.Base, c.Ours, c.Theirs} {
		var err error
		if sides[i], err = parseReaders(data); err != nil {
			return nil, err
		}
	}
	base, ours, theirs := sides[0], sides[1], sides[2]
	merged := c.Ours
	for _, r := range base {
		if _, kept := find(theirs, r.Key); !kept {
			readers, _ := parseReaders(merged) // ours, with fewer lines
			merged = withoutReader(merged, readers, r.Key)
		}
	}
	for _, r := range theirs {
		_, old := find(base, r.Key)
		if _, there := find(ours, r.Key); !old && !there {
			merged = withReader(merged, r.Key, r.Label)
		}
	}
	return merged, nil
}

// Recipients returns the recipients file of a merge: ours, with what the other side
// added and without what it took away. The error says which line is no recipient.
func (c Conflict) Recipients() ([]byte, error) {
	for _, data := range [][]byte{c.Base, c.Ours, c.Theirs} {
		if hasMarkers(data) {
			return nil, errNoBase
		}
	}
	return c.merge()
}

// MergeSecret returns the file of a secret after a merge, encrypted to the readers
// of a merged recipients file: the value that one side changed, or that both
// have. The user must be able to read it before and after. The error is a
// [*vault.Error] of kind ErrConflict if both sides changed the value.
func (s *Store) MergeSecret(name string, c Conflict, recipients []byte) ([]byte, error) {
	readers, err := parseReaders(recipients)
	if err != nil {
		return nil, s.fail("merge", name, vault.ErrConfig, s.recipients+": "+err.Error(), "")
	}
	value, err := s.mergedValue(name, c)
	if err != nil {
		return nil, err
	}
	data, err := s.encryptTo(readers, name, value)
	if err == nil {
		_, err = s.decrypt("merge", name, data)
	}
	return data, err
}

func (s *Store) mergedValue(name string, c Conflict) (secret.Value, error) {
	ours, err := s.decrypt("merge", name, c.Ours)
	if err != nil {
		return ours, err
	}
	theirs, err := s.decrypt("merge", name, c.Theirs)
	if err != nil || ours.Equal(theirs) {
		return ours, err
	}
	var base secret.Value
	if len(c.Base) > 0 {
		base, err = s.decrypt("merge", name, c.Base)
		switch {
		case err != nil: // not known who changed it
		case base.Equal(ours):
			return theirs, nil
		case base.Equal(theirs):
			return ours, nil
		}
	}
	if merged, ok := mergeKeys(base, ours, theirs); ok {
		return merged, nil
	}
	return s.agreed(name, c)
}

// mergeKeys merges lists of keys that have one in common, as when a key was rotated on
// both sides: ours, with what theirs added and without what it took away, so that what
// either side encrypted still decrypts. The first key is the one that a side put there.
func mergeKeys(base, ours, theirs secret.Value) (secret.Value, bool) {
	var lists [3][]string
	for i, text := range []secret.Value{base, ours, theirs} {
		if list, _, err := vault.KeyText(text); err == nil {
			lists[i] = strings.Split(list.Reveal(), ",")
		} else if i > 0 {
			return secret.Value{}, false
		}
	}
	before, mine, other := lists[0], lists[1], lists[2]
	merged := slices.Clone(mine)
	for _, key := range other {
		if !slices.Contains(mine, key) {
			merged = append(merged, key)
		}
	}
	if len(merged) == len(mine)+len(other) {
		return secret.Value{}, false // unrelated
	}
	merged = slices.DeleteFunc(merged, func(key string) bool {
		return slices.Contains(before, key) && (!slices.Contains(mine, key) || !slices.Contains(other, key))
	})
	if len(before) > 0 && mine[0] == before[0] {
		if i := slices.Index(merged, other[0]); i > 0 {
			merged = slices.Insert(slices.Delete(merged, i, i+1), 0, other[0])
		}
	}
	out, err := vault.ReplaceKey(ours, strings.Join(mine, ","), strings.Join(merged, ","))
	return out, err == nil
}
