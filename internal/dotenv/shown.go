package dotenv

import (
	"bytes"
	"strings"
)

// Shown returns the document's text for a reader who must not see its values: show
// replaces that of each entry, with its quotes, and hide each line that is
// neither an assignment nor a comment, since it may be part of a value. Public
// keys and conflict markers stay.
func (d *Document) Shown(show func(Entry) string, hide func(line string) string) []byte {
	var out bytes.Buffer
	for _, l := range newSide(d).lines {
		switch text := strings.TrimFunc(l.text, isBlank); {
		case l.name != "" && l.entry.isPublicKey():
			out.WriteString(l.String())
		case l.name != "":
			out.WriteString(l.head + show(l.entry) + l.tail)
		case text == "", text[0] == '#', isMarkerLine(l.text):
			out.WriteString(l.text)
		default:
			out.WriteString(hide(l.text))
		}
		out.WriteString(l.end)
	}
	return out.Bytes()
}

func isMarkerLine(text string) bool {
	_, n := conflictMarker([]byte(text))
	return n >= 7
}
