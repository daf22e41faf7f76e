package config

import (
	"path"
	"strings"
)

// parsePairs parses pair.txt: a line for each mapping, "secret=folder" or, if
// the provider finds vaults by name, "vault/secret=folder"; # begins a comment
// line.
func (c *Config) parsePairs(r *reader) error {
	if err := r.check(); err != nil {
		return err
	}
	for i, line := range strings.Split(r.text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m, problem := parsePair(line, c.override.namesLead())
		if problem != "" {
			r.failAt(i+1, "", problem, "")
			continue
		}
		m.Line = i + 1
		c.Mappings = append(c.Mappings, m)
	}
	return nil
}

func parsePair(line string, namesLead bool) (m Mapping, problem string) {
	if strings.HasPrefix(line, "[") {
		return m, "is no secret-name=folder-path; the name of a TOML file ends in .toml"
	}
	secret, folder, ok := strings.Cut(line, "=")
	if !ok {
		return m, "is no secret-name=folder-path"
	}
	m.SecretName, m.Folder = strings.TrimSpace(secret), strings.TrimSpace(folder)
	if vaultName, rest, ok := strings.Cut(m.SecretName, "/"); namesLead && ok {
		m.VaultName, m.SecretName = strings.TrimSpace(vaultName), strings.TrimSpace(rest)
		if m.VaultName == "" {
			return m, "has no vault before the slash"
		}
	}
	switch {
	case m.SecretName == "":
		return m, "has no secret before ="
	case m.Folder == "":
		return m, "has no folder after ="
	case hasControl(m.SecretName):
		return m, "holds a control character"
	}
	if problem := badPath(m.Folder); problem != "" {
		return m, problem
	}
	m.Folder = path.Clean(m.Folder)
	return m, ""
}
