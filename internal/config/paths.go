package config

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// badPath says what is wrong with a path in the configuration. It does not
// follow links: the code that opens the path does so inside a root.
func badPath(p string) string {
	drive := len(p) > 1 && p[1] == ':' && (p[0]|0x20 >= 'a' && p[0]|0x20 <= 'z')
	switch {
	case hasControl(p):
		return "holds a control character"
	case strings.Contains(p, `\`):
		return fmt.Sprintf("%q has a backslash; write / on every system", p)
	case path.IsAbs(p) || drive:
		return fmt.Sprintf("%q is absolute; paths count from the configuration file", p)
	case slices.Contains(strings.Split(p, "/"), "..") || !filepath.IsLocal(filepath.FromSlash(p)):
		return fmt.Sprintf("%q leaves the folder", p)
	case slices.ContainsFunc(strings.Split(p, "/"), atomicfile.IsGit):
		return fmt.Sprintf("%q is in .git", p)
	}
	return ""
}

func isPlainName(name string) bool {
	return name != "." && badPath(name) == "" && !strings.ContainsAny(name, "/:")
}

// hasControl reports characters that are displayed as something else, or not at
// all.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) })
}
