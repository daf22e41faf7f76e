// Package lazy puts off what most runs of a short program do not need.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp returns a function that returns the compiled expression, which is compiled at
// the first call. It panics then if the expression does not parse.
func Regexp(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
