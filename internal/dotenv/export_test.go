package dotenv

import "strings"

// Frame returns what is outside the values and their quotes.
func (d *Document) Frame() string {
	var b strings.Builder
	rest := 0
	for _, e := range d.entries {
		b.Write(d.text[rest:e.from])
		rest = e.to
	}
	b.Write(d.text[rest:])
	return b.String()
}
