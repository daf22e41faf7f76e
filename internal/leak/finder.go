package leak

import (
	"slices"

	"github.com/envdrift/envdrift/internal/finder"
	"github.com/envdrift/envdrift/internal/secret"
)

// A named value is looked for in files of any kind.
type named struct {
	name  string
	value secret.Value
}

// A valueFinder finds the values that tell where they come from.
type valueFinder struct {
	names  []string
	values *finder.Finder
}

func newFinder(values []named) *valueFinder {
	f := &valueFinder{}
	var texts []string
	for _, v := range values {
		if text := v.value.Reveal(); finder.IsTelling(text) {
			f.names, texts = append(f.names, v.name), append(texts, text)
		}
	}
	f.values = finder.New(texts)
	return f
}

// find adds the names of the values that are in data.
func (f *valueFinder) find(names []string, data []byte) []string {
	f.values.Find(data, func(text, _ int) {
		if !slices.Contains(names, f.names[text]) {
			names = append(names, f.names[text])
		}
	})
	return names
}
