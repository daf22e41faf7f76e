package gcp

import (
	"fmt"
	"strings"

	"github.com/envdrift/envdrift/vault"
)

// A ref is a parsed name.
type ref struct {
	project string // as in the name; "" if it has none
	secret  string
	version string // number or alias; "" for the newest
}

// parse parses name; its errors wrap [vault.ErrName].
func parse(name string) (ref, error) {
	r, err := split(name)
	switch {
	case err != nil:
	case !isID(r.secret, 255):
		err = nameProblem("a secret's id is 1 to 255 letters, digits, - and _")
	case r.version != "" && !isID(r.version, 63):
		err = nameProblem("a version is a number or an alias of letters, digits, - and _")
	}
	if err != nil {
		return ref{}, err
	}
	return r, nil
}

func split(name string) (ref, error) {
	name, query, pinned := strings.Cut(name, "?")
	r := ref{secret: name}
	if pinned {
		var ok bool
		if r.version, ok = strings.CutPrefix(query, "version="); !ok || r.version == "" {
			return ref{}, nameProblem(fmt.Sprintf("after the ? stands %q, not version=NUMBER", query))
		}
	}
	if !strings.HasPrefix(name, "projects/") {
		return r, nil
	}
	parts := strings.Split(name, "/")
	switch {
	case len(parts) > 2 && parts[2] == "locations":
		return ref{}, nameProblem("regional secrets are not supported")
	case len(parts) != 4 && len(parts) != 6, parts[2] != "secrets", !isProject(parts[1]):
		return ref{}, nameProblem("a full name has the form projects/PROJECT/secrets/SECRET[/versions/VERSION]")
	}
	r.project, r.secret = parts[1], parts[3]
	if len(parts) == 6 {
		if parts[4] != "versions" || parts[5] == "" || pinned {
			return ref{}, nameProblem("a full name ends with /versions/VERSION, or ?version=VERSION, once")
		}
		r.version = parts[5]
	}
	return r, nil
}

func nameProblem(rule string) error { return vault.NewProblem(vault.ErrName, rule, "") }

func isID(s string, limit int) bool {
	return s != "" && len(s) <= limit && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// isProject accepts ids, which older organizations prefix with a domain
// (example.org:app), and numbers.
func isProject(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.:") == ""
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// check refuses names of other projects than the store's. A number may be the
// store's: only a response shows that.
func (r ref) check(ours string) error {
	if r.project == "" || r.project == ours || r.byNumber(ours) {
		return nil
	}
	return notOurs(r.project, ours)
}

// byNumber reports whether r has a number and the store an id.
func (r ref) byNumber(ours string) bool { return isNumber(r.project) && !isNumber(ours) }

func notOurs(project, ours string) error {
	return vault.NewProblem(vault.ErrName, fmt.Sprintf("the name is of project %s; this vault is project %s", project, ours),
		"add a [vault.named.NAME] section with project_id = \""+project+"\", and set the mapping's vault_name")
}

func (r ref) secretName(project string) string {
	return "projects/" + project + "/secrets/" + r.secret
}

func (r ref) versionName(project string) string {
	version := r.version
	if version == "" {
		version = "latest"
	}
	return r.secretName(project) + "/versions/" + version
}

// splitName returns the project and the version in the full name of a version,
// as responses have it.
func splitName(full string) (project, version string) {
	parts := strings.Split(full, "/")
	if len(parts) != 6 {
		return "", ""
	}
	return parts[1], parts[5]
}
