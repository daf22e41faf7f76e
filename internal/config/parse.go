package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/envdrift/envdrift/internal/lazy"
	"github.com/envdrift/envdrift/internal/loader"
)

// foreign are the sections that only the earlier tool knew.
var foreign = [...]string{"envdrift", "validation", "encryption", "precommit", "git_hook_check", "partial_encryption", "guard", "guardian", "agent"}

// Parse parses the content of a configuration file. Its name determines the
// kind: pyproject.toml, another .toml, or pair.txt. Errors are [*Error], joined
// in the order of the file, and [ErrNoConfig] for a pyproject.toml without a
// section of envdrift's.
func Parse(name string, data []byte, o Overrides) (*Config, error) {
	c := defaults(filepath.Dir(name), o)
	c.File, c.text = name, data
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	r := newReader(name, data)
	parse := c.parseTOML
	switch {
	case filepath.Ext(name) != ".toml":
		parse = c.parsePairs
	case filepath.Base(name) == "pyproject.toml":
		parse = c.parseProject
	}
	if err := parse(r); err != nil {
		return nil, err
	}
	c.applyOverrides(r)
	if err := r.join(); err != nil {
		return nil, err
	}
	return c, nil
}

// Limits beyond any real configuration. The TOML library takes time that grows
// with the square of a key's parts, and stack for each bracket, whose overflow
// ends the program. The file may come from any user.
const (
	maxSize    = 1 << 20
	maxNesting = 32
)

// decode parses TOML into maps.
func (r *reader) decode() (map[string]any, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	for line, rest := 1, r.text; rest != ""; {
		statement, after, nesting := cutStatement(rest)
		if nesting > maxNesting {
			return nil, &Error{File: r.file, Line: line, Problem: fmt.Sprintf("is nested more than %d deep", maxNesting)}
		}
		line, rest = line+strings.Count(statement, "\n"), after
	}
	var top map[string]any
	_, err := toml.Decode(r.text, &top)
	if e := (toml.ParseError{}); errors.As(err, &e) {
		return nil, &Error{File: r.file, Line: e.Position.Line, Problem: "TOML syntax: " + withoutText(e.Message)}
	}
	if err != nil {
		return nil, &Error{File: r.file, Problem: err.Error()}
	}
	return top, nil
}

// withoutText removes what a message of the TOML library repeats of the file: a
// secret in the wrong place, or without quotes, is a syntax error.
func withoutText(message string) string {
	if strings.Contains(message, " is out of range") {
		return "a number is out of range"
	}
	for _, end := range []string{" but found ", ", but got ", ": ", ` "`} {
		message, _, _ = strings.Cut(message, end)
	}
	return message
}

// check refuses what is not text, or too much text.
func (r *reader) check() error {
	if len(r.text) > maxSize {
		return &Error{File: r.file, Problem: fmt.Sprintf("is larger than %d MiB", maxSize>>20)}
	}
	valid := strings.ToValidUTF8(r.text, "\x00")
	if valid == r.text {
		return nil
	}
	line := 1
	for i := 0; r.text[i] == valid[i]; i++ {
		if r.text[i] == '\n' {
			line++
		}
	}
	return &Error{File: r.file, Line: line, Problem: "is not UTF-8"}
}

func (c *Config) parseTOML(r *reader) error {
	top, err := r.decode()
	if err != nil {
		return err
	}
	t := &table{r: r, values: top}
	c.parseTop(t)
	t.rest()
	return nil
}

// ourHeader finds a section of envdrift's in a file that the TOML library could
// not parse.
var ourHeader = lazy.Regexp(`(?m)^\s*\[\[?\s*tool\s*\.\s*["']?envdrift\b`)

// parseProject parses [tool.envdrift]. A pyproject.toml without it belongs to
// other tools, however broken it is.
func (c *Config) parseProject(r *reader) error {
	top, err := r.decode()
	if err != nil {
		if !ourHeader().MatchString(r.text) {
			return ErrNoConfig
		}
		return err
	}
	tool, _ := top["tool"].(map[string]any)
	if _, ok := tool["envdrift"]; !ok {
		return ErrNoConfig
	}
	t := (&table{r: r, where: "tool", values: tool}).section("envdrift")
	if t == nil {
		return nil
	}
	t.take("schema") // the keys of [envdrift] are here
	t.take("environments")
	c.parseTop(t)
	t.rest()
	return nil
}

func (c *Config) parseTop(t *table) {
	if v, _ := t.values["vault"].(map[string]any); t.has("mappings") && v["sync"] == nil {
		c.parseSync(t) // a file of mappings only: what is in [vault.sync] elsewhere is at the top
	}
	if v := t.section("vault"); v != nil {
		c.parseVault(v)
	}
	if h := t.section("hooks"); h != nil {
		c.Hooks.OnDrift = h.oneOf("on_drift", c.Hooks.OnDrift, Repair, Block)
		c.Hooks.OnUnmapped = h.oneOf("on_unmapped", c.Hooks.OnUnmapped, Warn, Block)
		c.Hooks.OnPlaintext = h.oneOf("on_plaintext", c.Hooks.OnPlaintext, Block, Warn, Off)
		c.Hooks.OnUnreachable = h.oneOf("on_unreachable", c.Hooks.OnUnreachable, Block, Warn)
		c.Hooks.OnValue = h.oneOf("on_value", c.Hooks.OnValue, Off, Warn, Block)
		c.Hooks.PostCheckout = h.oneOf("post_checkout", c.Hooks.PostCheckout, Pull, Sync, Off)
		c.Hooks.Timeout = h.duration("timeout", c.Hooks.Timeout)
		h.rest()
	}
	if k := t.section("check"); k != nil {
		c.Check = Check{Only: k.patterns("only"), Optional: k.patterns("optional"), Loaders: k.allOf("loaders", loader.Names()...)}
		k.rest()
	}
	t.refuseUserSections()
	for _, name := range foreign {
		if v, ok := t.take(name); ok {
			c.addForeign(name, v)
		}
	}
	slices.Sort(c.Foreign)
}

// addForeign records a section of the earlier tool. One that encrypted with
// SOPS, which envdrift does not, has a name of its own.
func (c *Config) addForeign(name string, value any) {
	c.Foreign = append(c.Foreign, name)
	section, _ := value.(map[string]any)
	if _, ok := section["sops"]; name == "encryption" && (ok || section["backend"] == "sops") {
		c.Foreign = append(c.Foreign, "encryption.sops")
	}
}

func (c *Config) parseVault(t *table) {
	stated, provider := t.has("provider"), t.provider(c.override.Providers)
	timeout := t.duration("timeout", 0)
	sections := c.parseProviders(t, timeout)
	if named := t.section("named"); named != nil {
		c.parseNamed(named, timeout)
	}
	if s := t.section("sync"); s != nil {
		c.parseSync(s)
		s.rest()
	}
	if _, ok := t.take("mappings"); ok { // the earlier tool read it but did not use it
		c.Foreign = append(c.Foreign, "vault.mappings")
	}
	t.rest()
	c.Vault.Timeout = timeout
	c.chooseVault(t, stated, provider, sections)
}

func (c *Config) parseSync(t *table) {
	s := &c.Sync
	s.DefaultVaultName = t.text("default_vault_name")
	if name := t.text("env_keys_filename"); name != "" {
		s.EnvKeysFilename = name
		if !isPlainName(name) {
			t.fail("env_keys_filename", fmt.Sprintf("%q is not a plain file name", name), "")
		}
	}
	s.MaxWorkers = t.number("max_workers", 1, 1024)
	s.EphemeralKeys = t.flag("ephemeral_keys", false)
	s.Plain = t.patterns("plain")
	c.parseMappings(t)
}

func (c *Config) parseMappings(t *table) {
	value, ok := t.take("mappings")
	if !ok {
		return
	}
	list, ok := sections(value)
	if !ok {
		t.fail("mappings", fmt.Sprintf("is %s, not a list of sections: write [[%s]]", kind(value), t.key("mappings")), "")
		return
	}
	for i, values := range list {
		m := &table{r: t.r, where: element(t.key("mappings"), i), values: values}
		c.Mappings = append(c.Mappings, c.parseMapping(m))
	}
	c.checkCopies(t)
}

// checkCopies reports copies that would replace an env file or each other.
func (c *Config) checkCopies(t *table) {
	envFiles := map[string]int{}
	for _, m := range c.Mappings {
		envFiles[path.Join(m.Folder, cmp.Or(m.EnvFile, ".env."+m.Env()))] = m.Line
	}
	for i, m := range c.Mappings {
		if m.ActivateTo == "" {
			continue
		}
		fail := func(problem string, line int) {
			t.r.fail(element(t.key("mappings"), i)+".activate_to", fmt.Sprintf(problem, line), "")
		}
		copied := path.Join(m.Folder, m.ActivateTo)
		if line, ok := envFiles[copied]; ok {
			fail("is the env file of the mapping in line %d", line)
		}
		for _, other := range c.Mappings[:i] {
			together := m.Profile == "" || other.Profile == "" || m.Profile == other.Profile
			if together && other.ActivateTo != "" && path.Join(other.Folder, other.ActivateTo) == copied {
				fail("is also where the mapping in line %d is copied to", other.Line)
			}
		}
	}
}

// sections returns the elements of a list of sections, written as [[list]] or
// as list = [{…}, {…}], which the library distinguishes.
func sections(value any) (list []map[string]any, ok bool) {
	if list, ok := value.([]map[string]any); ok {
		return list, true
	}
	loose, ok := value.([]any)
	for _, v := range loose {
		values, isSection := v.(map[string]any)
		list, ok = append(list, values), ok && isSection
	}
	return list, ok
}

func (c *Config) parseMapping(t *table) Mapping {
	m := Mapping{
		SecretName:  t.required("secret_name"),
		Folder:      t.path("folder_path", t.required("folder_path")),
		Environment: t.label("environment"),
		EnvFile:     t.path("env_file", t.text("env_file")),
		VaultName:   t.text("vault_name"),
		Profile:     t.label("profile"),
		ActivateTo:  t.path("activate_to", t.text("activate_to")),
		Ephemeral:   t.flag("ephemeral_keys", c.Sync.EphemeralKeys),
		Plain:       append(slices.Clone(c.Sync.Plain), t.patterns("plain")...),
		Line:        t.r.lineOf(t.where),
	}
	if t.has("loader") {
		m.Loader = t.oneOf("loader", "", loader.Names()...)
		if m.ActivateTo == "" {
			t.fail("loader", "says what reads the copy that activate_to names, and there is none", "")
		}
	}
	if IsCompanion(".env." + m.Env()) {
		key := "environment"
		if m.Environment == "" {
			key = "profile"
		}
		t.fail(key, fmt.Sprintf("%q cannot name an environment: .env.%s is no env file", m.Env(), m.Env()), "")
	}
	c.checkFile(t, "env_file", m.EnvFile)
	c.checkFile(t, "activate_to", m.ActivateTo)
	t.rest()
	return m
}

// checkFile refuses names that no env file has: a write there would overwrite
// the private keys, or a file that is kept for people to read.
func (c *Config) checkFile(t *table, key, file string) {
	switch base := path.Base(file); {
	case file == "":
	case base == "." || base == ".git":
		t.fail(key, fmt.Sprintf("%q is not the name of a file", file), "")
	case base == c.Sync.EnvKeysFilename || IsCompanion(base):
		t.fail(key, fmt.Sprintf("%q is no env file", file), "")
	}
}

// findDuplicates reports mappings that certainly mean one file. Duplicates that
// depend on the files in a folder are found when the folder is read.
func (c *Config) findDuplicates(r *reader) {
	first := map[string]int{}
	for _, m := range c.Mappings {
		if m.Folder == "" {
			continue // reported already
		}
		file := path.Join(m.Folder, m.EnvFile)
		place := file
		if m.EnvFile == "" {
			place += "\x00" + m.Env()
			file += " (" + m.Env() + ")"
		}
		if line, twice := first[place]; twice {
			r.failAt(m.Line, "vault.sync.mappings", fmt.Sprintf("%s is mapped twice, in line %d too", file, line), "")
			continue
		}
		first[place] = m.Line
	}
}
