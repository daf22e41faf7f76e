package hashicorp

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/envdrift/envdrift/vault"
)

// A path is where a secret is below the mount.
type path struct {
	data    string // in a version 2 engine, where <mount>/data/… is the API's path
	plain   string // in a version 1 engine, where data is a folder like any other
	version int    // 0: the newest
}

// locate returns the path for name; its errors wrap [vault.ErrName].
func (s *Store) locate(name string) (path, error) {
	var p path
	rest, query, pinned := strings.Cut(name, "?")
	if pinned {
		n, err := strconv.ParseUint(strings.TrimPrefix(query, "version="), 10, 31)
		if err != nil || n == 0 || !strings.HasPrefix(query, "version=") {
			return path{}, vault.NewProblem(vault.ErrName, fmt.Sprintf("after the ? stands %q, not version=NUMBER", query), "")
		}
		p.version = int(n)
	}
	rest = strings.TrimPrefix(rest, "/")
	p.data, p.plain = rest, rest
	if below, ok := strings.CutPrefix(rest, s.mount+"/"); ok {
		p.data, p.plain = strings.TrimPrefix(below, "data/"), below
	}
	if err := checkPath(p.data); err != nil {
		return path{}, vault.NewProblem(vault.ErrName, err.Error(), "")
	}
	return p, nil
}

// isAPI reports whether the path of version 1 is one of version 2's API, so that
// the response would not show which version the engine is.
func (p path) isAPI() bool {
	first, _, _ := strings.Cut(p.plain, "/")
	switch first {
	case "data", "metadata", "detailed-metadata", "subkeys", "delete", "undelete", "destroy", "config":
		return true
	}
	return false
}

// checkPath refuses what an HTTP client would rewrite to another path.
func checkPath(path string) error {
	if !isPrintable(path) {
		return fmt.Errorf("the path has a character that does not print")
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("the path has an empty part, or one that is . or .. alone")
		}
	}
	return nil
}

func isPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func trimSlashes(path string) string { return strings.Trim(strings.TrimSpace(path), "/") }

// goneProblem reports what happened to a version and how to get it back.
func (p path) goneProblem(mount string, r record) error {
	if r.destroyed {
		return vault.NewProblem(vault.ErrNotFound, fmt.Sprintf("version %d was destroyed", r.version),
			"pin an older version ("+p.data+"?version=N), or store the secret again")
	}
	return vault.NewProblem(vault.ErrNotFound, fmt.Sprintf("version %d was deleted", r.version),
		fmt.Sprintf("vault kv undelete -mount=%s -versions=%d %s", mount, r.version, p.data))
}
