package azure

import (
	"fmt"
	"strings"

	"github.com/envdrift/envdrift/vault"
)

// A place identifies a secret in the vault.
type place struct {
	name    string
	version string // "": the newest
}

// locate parses name; its errors wrap [vault.ErrName].
func (s *Store) locate(name string) (place, error) {
	short := name
	if id, ok := strings.CutPrefix(name, "https://"); ok {
		host, path, _ := strings.Cut(id, "/")
		if !strings.EqualFold(host, s.host) {
			return place{}, vault.NewProblem(vault.ErrName, fmt.Sprintf("that is a secret of %q, another vault", host), "")
		}
		short = strings.TrimPrefix(path, "secrets/")
	}
	short, version, pinned := strings.Cut(short, "?version=")
	if !pinned {
		short, version, pinned = strings.Cut(short, "/")
	}
	if !isName(short) {
		return place{}, vault.NewProblem(vault.ErrName, "a name is 1 to 127 letters (a-z, A-Z), digits and hyphens", "")
	}
	if pinned && !isVersion(version) {
		return place{}, vault.NewProblem(vault.ErrName, fmt.Sprintf("%q is no version, which is 32 hexadecimal digits", version), "")
	}
	return place{short, version}, nil
}

func isName(s string) bool {
	return len(s) >= 1 && len(s) <= 127 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-')
	})
}

func isVersion(s string) bool {
	return len(s) == 32 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F' || r >= '0' && r <= '9')
	})
}
