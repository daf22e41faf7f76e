package config_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

func manual(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// documented returns the keys in the manual's tables.
func documented(t *testing.T) []string {
	t.Helper()
	var keys []string
	for _, row := range regexp.MustCompile("(?m)^\\| `((?:vault|hooks|check)\\.[\\w.]+)` \\|").FindAllStringSubmatch(manual(t), -1) {
		keys = append(keys, row[1])
	}
	slices.Sort(keys)
	return keys
}

// stated returns the keys that the example of everything sets. A named vault's
// keys, beyond the provider, count as those of the provider's section.
func stated(t *testing.T) []string {
	t.Helper()
	var values map[string]any
	meta, err := toml.Decode(everything, &values)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, key := range meta.Keys() {
		name := strings.Replace(key.String(), "vault.named.production-vault", "vault.named.NAME", 1)
		name = strings.TrimSuffix(name, ".folder") // the keys of a table are not envdrift's
		own := !strings.HasPrefix(name, "vault.named.") || strings.HasSuffix(name, ".provider") || strings.HasSuffix(name, ".timeout")
		if own && !slices.Contains([]string{"Hash", "ArrayHash"}, meta.Type(key...)) {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	if got, want := documented(t), stated(t); !slices.Equal(got, want) {
		t.Errorf("docs/configuration.md has the keys\n%q; want\n%q", got, want)
	}
}

// A key without a test would not be compared with the manual.
func TestEverythingIsStated(t *testing.T) {
	t.Parallel()
	unset := map[string]bool{}
	note := func(values ...any) {
		for _, value := range values {
			v := reflect.ValueOf(value)
			for i := range v.NumField() {
				field := v.Type().Field(i)
				name := v.Type().String() + "." + field.Name
				if was, seen := unset[name]; field.IsExported() && (was || !seen) {
					unset[name] = v.Field(i).IsZero()
				}
			}
		}
	}
	for _, provider := range all.Providers().Names() {
		c, err := config.Parse("/repo/envdrift.toml", []byte(everything), known(config.Overrides{Provider: provider}))
		if err != nil {
			t.Fatal(err)
		}
		note(*c, c.Vault, c.Named["production-vault"], c.Sync, c.Hooks, c.Check, c.Mappings[0], c.Mappings[1])
	}
	delete(unset, "vault.Config.Getenv")   // not a setting
	delete(unset, "vault.Config.Files")    // nor this
	delete(unset, "vault.Config.Notice")   // nor is this
	delete(unset, "vault.Config.Extra")    // for providers that have no field there
	delete(unset, "config.Config.Foreign") // not envdrift's
	for name, unset := range unset {
		if unset {
			t.Errorf("nothing in the example of everything sets %s", name)
		}
	}
}

// The rows of a provider's section are its settings, in any order.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	types := map[vault.Kind]string{
		vault.Text: "string", vault.Mount: "string", vault.URL: "address", vault.Path: "path", vault.Enum: "string", vault.Number: "number", vault.Table: "table",
	}
	for _, p := range all.Providers() {
		rows := rowsOf(t, "vault."+p.Name)
		for _, s := range p.Settings {
			row, ok := rows[s.Key]
			if !ok || row.kind != types[s.Kind] {
				t.Errorf("vault.%s.%s is documented as %q; want %q", p.Name, s.Key, row.kind, types[s.Kind])
			}
			for _, value := range append(s.Values, s.Env) {
				if !strings.Contains(row.text, value) {
					t.Errorf("vault.%s.%s: the manual does not mention %s", p.Name, s.Key, value)
				}
			}
			delete(rows, s.Key)
		}
		for key := range rows {
			t.Errorf("vault.%s.%s is documented and no setting", p.Name, key)
		}
	}
}

// A row is what the manual says about a key.
type row struct{ kind, text string }

// rowsOf returns the manual's rows for the keys of a section.
func rowsOf(t *testing.T, section string) map[string]row {
	t.Helper()
	rows := map[string]row{}
	pattern := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(section) + "\\.(\\w+)` \\| (\\w+) \\|(.*)$")
	for _, m := range pattern.FindAllStringSubmatch(manual(t), -1) {
		rows[m[1]] = row{m[2], m[3]}
	}
	return rows
}

// A date is a wrong value for every key, so the error lists every key that is
// known.
func TestEveryDocumentedKeyIsKnown(t *testing.T) {
	t.Parallel()
	for _, key := range documented(t) {
		text := key + " = 2020-01-01\n"
		if name, ok := strings.CutPrefix(key, "vault.sync.mappings."); ok {
			text = "[[vault.sync.mappings]]\n" + name + " = 2020-01-01\n"
		}
		if strings.HasPrefix(key, "vault.named.NAME.") && !strings.HasSuffix(key, ".provider") {
			text += "vault.named.NAME.provider = 'age'\n"
		}
		_, err := config.Parse("envdrift.toml", []byte(text), known(config.Overrides{}))
		if got := message(err); !strings.Contains(got, "is a date, not") || strings.Contains(got, "unknown key") {
			t.Errorf("%s: %v; want a complaint of its value alone", key, err)
		}
	}
}

func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```(\\w*)\n(.*?)```").FindAllStringSubmatch(manual(t), -1)
	examples := 0
	for _, block := range blocks {
		name := "envdrift.toml"
		switch {
		case block[1] != "toml" && !strings.HasPrefix(block[2], "# a comment"):
			continue
		case block[1] != "toml":
			name = "pair.txt"
		case strings.Contains(block[2], "[tool."):
			name = "pyproject.toml"
		}
		examples++
		if _, err := config.Parse(name, []byte(block[2]), known(config.Overrides{})); err != nil {
			t.Errorf("%s\n%v", block[2], err)
		}
	}
	if examples < 10 {
		t.Errorf("found %d examples; want at least 10", examples)
	}
}
