package runner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A TooBigError reports arguments and an environment that the system refused
// for their size. It contains sizes by name, never a value.
type TooBigError struct {
	Total int    // bytes, counted as the system does
	Sizes []Size // largest first

	// The limits, where they are known: of all together and of a single entry.
	Limit, EntryLimit int
}

// A Size is the number of bytes that one entry takes, including name, "=" and
// the terminating NUL.
type Size struct {
	Name  string // of the variable, or "argument 2"
	Bytes int
}

func (e *TooBigError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "arguments and environment take %d bytes", e.Total)
	switch {
	case e.EntryLimit > 0 && e.Sizes[0].Bytes > e.EntryLimit:
		fmt.Fprintf(&b, "; one entry may take %d", e.EntryLimit)
	case e.Limit > 0:
		fmt.Fprintf(&b, "; %d are allowed", e.Limit)
	default:
		b.WriteString("; that is more than the system allows")
	}
	b.WriteString("; the largest:")
	for i, s := range e.Sizes[:min(3, len(e.Sizes))] {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %s %d", s.Name, s.Bytes)
	}
	return b.String()
}

// tooBig explains why path with args cannot be started in env. It is called
// only after the system has refused, so that it cannot disagree with the
// system.
func tooBig(path string, args []string, env Environ) *TooBigError {
	const pointer = 8
	e := &TooBigError{Total: len(path) + 1}
	add := func(name string, bytes int) {
		e.Sizes = append(e.Sizes, Size{name, bytes})
		e.Total += bytes + pointer
	}
	for i, arg := range args {
		add(fmt.Sprintf("argument %d", i), len(arg)+1)
	}
	for _, v := range env.vars {
		add(v.name, len(v.name)+len(v.value)+len("=\x00"))
	}
	slices.SortFunc(e.Sizes, func(a, b Size) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
	e.Limit, e.EntryLimit = limits()
	return e
}
