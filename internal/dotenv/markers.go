package dotenv

import (
	"bytes"
	"slices"
)

// A part is a piece of a text with conflict markers: lines that both sides have,
// or two versions.
type part struct {
	both         []byte
	ours, theirs []byte
	conflict     bool
}

// splitParts cuts a text at its conflict markers, with or without the version
// before (diff3). It is not ok if the markers do not fit together.
func splitParts(text []byte) (parts []part, ok bool) {
	const both, ours, base, theirs = 0, 1, 2, 3
	at, size := both, 0
	current := part{}
	flush := func() {
		if current.conflict || len(current.both) > 0 {
			parts = append(parts, current)
		}
		current = part{}
	}
	for len(text) > 0 {
		stop := findLineEnd(text, 0)
		stop += lineEnd(text[stop:])
		raw := text[:stop]
		text = text[stop:]
		c, n := conflictMarker(bytes.TrimRight(raw, "\r\n"))
		switch {
		case at == both && c == '<' && n >= 7:
			flush()
			at, size, current.conflict = ours, n, true
		case at == ours && c == '|' && n == size:
			at = base
		case (at == ours || at == base) && c == '=' && n == size:
			at = theirs
		case at == theirs && c == '>' && n == size:
			flush()
			at = both
		case at == both:
			current.both = append(current.both, raw...)
		case at == ours:
			current.ours = append(current.ours, raw...)
		case at == theirs:
			current.theirs = append(current.theirs, raw...)
		}
	}
	flush()
	return parts, at == both
}

func conflictMarker(line []byte) (c byte, length int) {
	if len(line) > 0 && line[0] == '|' {
		for length < len(line) && line[length] == '|' {
			length++
		}
		if length == len(line) || line[length] == ' ' {
			return '|', length
		}
		return 0, 0
	}
	return marker(line)
}

// TakeSide returns the document with the version of one side in place of each
// conflict, and the names of the variables that this concerns. Everything else
// stays as it is. It is not ok if conflict markers do not fit together.
func (d *Document) TakeSide(theirs bool) (taken *Document, names []string, ok bool) {
	parts, ok := splitParts(d.data)
	if !ok {
		return nil, nil, false
	}
	var out []byte
	for _, p := range parts {
		out = append(out, p.both...)
		if theirs {
			out = append(out, p.theirs...)
		} else {
			out = append(out, p.ours...)
		}
		for _, version := range [][]byte{p.ours, p.theirs} {
			for _, e := range Parse(version).entries {
				if !slices.Contains(names, e.Name) {
					names = append(names, e.Name)
				}
			}
		}
	}
	return Parse(out), names, true
}

// withoutMarkers returns a base with the lines of both sides of its conflicts, and
// the names of the variables between its markers.
func withoutMarkers(d *Document) (*Document, map[string]bool) {
	if d.Check() == nil {
		return d, nil
	}
	parts, ok := splitParts(d.data)
	if !ok {
		return d, nil
	}
	unsure := map[string]bool{}
	var out []byte
	for _, p := range parts {
		out = slices.Concat(out, p.both, p.ours, p.theirs)
		for _, e := range slices.Concat(Parse(p.ours).entries, Parse(p.theirs).entries) {
			unsure[e.Name] = true
		}
	}
	return Parse(out), unsure
}
