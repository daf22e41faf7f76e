package config_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
)

// mapping is a list of one mapping with a separate line for what is tested.
const mapping = "[[vault.sync.mappings]]\nsecret_name = 's'\nfolder_path = '.'\n"

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []string // without the file's name
	}{
		{"unknown key", "[vault]\nprovder = 'aws'\n", []string{`:2: vault.provder: unknown key (did you mean "provider"?)`}},
		{"unknown key, part of one", mapping + "folder = 'x'\n", []string{`:4: vault.sync.mappings[0].folder: unknown key (did you mean "folder_path"?)`}},
		{"unknown key, like nothing", "[hooks]\nxyzzy = 1\n", []string{`:2: hooks.xyzzy: unknown key`}},
		{"unknown section", "[valt.sync]\n", []string{`:1: valt: unknown key (did you mean "vault"?)`}},
		{"unknown provider section", "\n[vault.azur]\nvault_url = 'x'\n", []string{`:2: vault.azur: unknown key (did you mean "azure"?)`}},
		{"a token is no setting", "[vault.hashicorp]\ntoken = 'hvs.1'\n", []string{`:2: vault.hashicorp.token: unknown key`}},
		{"unknown in pyproject's way", "mapping = 1\n", []string{`:1: mapping: unknown key`}},
		{"mappings twice over", mapping + "[[mappings]]\nsecret_name = 's'\nfolder_path = 'b'\n", []string{`:4: mappings: unknown key`}},

		{"mappings beside a section", "max_workers = 1\n[vault.sync]\n" + "[[mappings]]\nsecret_name = 's'\nfolder_path = 'b'\n",
			[]string{`:1: max_workers: unknown key`, `:3: mappings: unknown key`}},

		{"misspelt provider", "[vault]\nprovider = 'azur'\n", []string{`:2: vault.provider: "azur" is none of age, aws, azure, gcp, hashicorp, exec:NAME (did you mean "azure"?)`}},
		{"provider in capitals", "[vault]\nprovider = 'AWS'\n", []string{`:2: vault.provider: "AWS" is none of age, aws, azure, gcp, hashicorp, exec:NAME (did you mean "aws"?)`}},
		{"two providers", "[vault.aws]\n[vault.gcp]\n", []string{`:1: vault.provider: is missing, and there are several sections: aws, gcp`}},
		{"misspelt provider, two sections", "[vault]\nprovider = 'ax'\n[vault.aws]\n[vault.gcp]\n", []string{`:2: vault.provider: "ax" is none of age, aws, azure, gcp, hashicorp, exec:NAME`}},
		{"named without provider", "[vault.named.prod]\nurl = 'https://x'\n", []string{`:1: vault.named.prod.provider: is missing`}},
		{"named with another provider's key", "[vault.named.prod]\nprovider = 'gcp'\nregion = 'x'\n", []string{`:3: vault.named.prod.region: unknown key`}},
		{"named is no section", "[vault.named]\nprod = 'x'\n", []string{`:2: vault.named.prod: is a string, not a section`}},

		{"types, all at once", "[vault]\ntimeout = 10\n[vault.sync]\nmax_workers = 'x'\nephemeral_keys = 'false'\n" + mapping + "environment = 3\nephemeral_keys = 1\nprofile = []\nvault_name = true\n",
			[]string{
				":2: vault.timeout: is a whole number, not a string",
				":4: vault.sync.max_workers: is a string, not a whole number",
				":5: vault.sync.ephemeral_keys: is a string, not true or false",
				":9: vault.sync.mappings[0].environment: is a whole number, not a string",
				":10: vault.sync.mappings[0].ephemeral_keys: is a whole number, not true or false",
				":11: vault.sync.mappings[0].profile: is a list, not a string",
				":12: vault.sync.mappings[0].vault_name: is true or false, not a string",
			}},
		{"secrets in the wrong place", "[vault.hashicorp]\ntoken = hvs.AAAA\n", []string{":2: TOML syntax: expected value"}},
		{"section is a value", "vault = 5\n", []string{":1: vault: is a whole number, not a section"}},
		{"mappings is no list", "[vault.sync]\nmappings = 'x'\n", []string{":2: vault.sync.mappings: is a string, not a list of sections: write [[vault.sync.mappings]]"}},
		{"mappings is a section", "[vault.sync.mappings]\nsecret_name = 'x'\n", []string{":1: vault.sync.mappings: is a section, not a list of sections: write [[vault.sync.mappings]]"}},
		{"mappings is a mixed list", "[vault.sync]\nmappings = [{}, 1]\n", []string{":2: vault.sync.mappings: is a list, not a list of sections: write [[vault.sync.mappings]]"}},
		{"tool.envdrift is a date", "[hooks]\ntimeout = 2020-01-01\n", []string{":2: hooks.timeout: is a date, not a string"}},

		{"max_workers 0", "[vault.sync]\nmax_workers = 0\n", []string{":2: vault.sync.max_workers: is 0, not from 1 to 1024"}},
		{"max_workers 1.5", "[vault.sync]\nmax_workers = 1.5\n", []string{":2: vault.sync.max_workers: is a number with a point, not a whole number"}},
		{"no duration", "[hooks]\ntimeout = '5 s'\n", []string{`:2: hooks.timeout: "5 s" is no time such as "10s"`}},
		{"negative duration", "[hooks]\ntimeout = '-5s'\n", []string{`:2: hooks.timeout: "-5s" is no time such as "10s"`}},
		{"no choice", "[hooks]\non_drift = 'Block'\n", []string{`:2: hooks.on_drift: "Block" is none of repair, block (did you mean "block"?)`}},

		{"missing keys", "[[vault.sync.mappings]]\n", []string{":1: vault.sync.mappings[0].secret_name: is missing", ":1: vault.sync.mappings[0].folder_path: is missing"}},
		{"empty strings", "[[vault.sync.mappings]]\nsecret_name = ''\nfolder_path = ' '\nenvironment = ''\n", []string{
			":2: vault.sync.mappings[0].secret_name: is empty", ":3: vault.sync.mappings[0].folder_path: is empty", ":4: vault.sync.mappings[0].environment: is empty"}},
		{"control character", "[[vault.sync.mappings]]\nsecret_name = \"a\\nb\"\nfolder_path = \"a\\u0000\"\n", []string{
			":2: vault.sync.mappings[0].secret_name: holds a control character", ":3: vault.sync.mappings[0].folder_path: holds a control character"}},

		{"environment with slash", mapping + "environment = 'a/b'\n", []string{`:4: vault.sync.mappings[0].environment: "a/b" may hold letters, digits, and . _ - only, and begins with a letter or digit`}},
		{"environment dots", mapping + "environment = '..'\n", []string{`:4: vault.sync.mappings[0].environment: ".." may hold letters, digits, and . _ - only, and begins with a letter or digit`}},
		{"profile with space", mapping + "profile = 'a b'\n", []string{`:4: vault.sync.mappings[0].profile: "a b" may hold letters, digits, and . _ - only, and begins with a letter or digit`}},
		{"environment of a companion", mapping + "environment = 'Keys'\n", []string{`:4: vault.sync.mappings[0].environment: "Keys" cannot name an environment: .env.Keys is no env file`}},
		{"profile of a companion", mapping + "profile = 'example'\n", []string{`:4: vault.sync.mappings[0].profile: "example" cannot name an environment: .env.example is no env file`}},

		{"keys file in a folder", "[vault.sync]\nenv_keys_filename = 'a/b'\n", []string{`:2: vault.sync.env_keys_filename: "a/b" is not a plain file name`}},
		{"keys file above", "[vault.sync]\nenv_keys_filename = '..'\n", []string{`:2: vault.sync.env_keys_filename: ".." is not a plain file name`}},
		{"env_file is the keys file", mapping + "env_file = 'x/.env.keys'\n", []string{`:4: vault.sync.mappings[0].env_file: "x/.env.keys" is no env file`}},
		{"env_file is a companion", mapping + "env_file = '.env.EXAMPLE'\n", []string{`:4: vault.sync.mappings[0].env_file: ".env.EXAMPLE" is no env file`}},
		{"env_file is the folder", mapping + "env_file = '.'\n", []string{`:4: vault.sync.mappings[0].env_file: "." is not the name of a file`}},
		{"activate_to the keys file", "[vault.sync]\nenv_keys_filename = 'k'\n" + mapping + "activate_to = 'k'\n", []string{`:6: vault.sync.mappings[0].activate_to: "k" is no env file`}},
		{"activate_to itself", mapping + "env_file = 'a/.env'\nactivate_to = './a/.env'\n", []string{":5: vault.sync.mappings[0].activate_to: is the env file of the mapping in line 1"}},
		{"activate_to itself, found", mapping + "profile = 'local'\nactivate_to = '.env.local'\n", []string{":5: vault.sync.mappings[0].activate_to: is the env file of the mapping in line 1"}},

		{"activate_to another's env file", mapping + "[[vault.sync.mappings]]\nsecret_name = 't'\nfolder_path = 'a'\n" + "[[vault.sync.mappings]]\nsecret_name = 'u'\nfolder_path = '.'\nprofile = 'p'\nactivate_to = 'a/.env.production'\n",
			[]string{":11: vault.sync.mappings[2].activate_to: is the env file of the mapping in line 4"}},
		{"activate_to one file, with one profile", mapping + "profile = 'p'\nenvironment = 'a'\nactivate_to = '.env'\n" + mapping + "profile = 'p'\nenvironment = 'b'\nactivate_to = './.env'\n",
			[]string{":12: vault.sync.mappings[1].activate_to: is also where the mapping in line 1 is copied to"}},

		{"same folder twice", mapping + "\n[[vault.sync.mappings]]\nsecret_name = 't'\nfolder_path = './'\nenvironment = 'production'\n", []string{":5: vault.sync.mappings: . (production) is mapped twice, in line 1 too"}},
		{"same file twice", mapping + "env_file = 'a/x.env'\n[[vault.sync.mappings]]\nsecret_name = 's'\nfolder_path = 'a'\nenv_file = 'x.env'\nenvironment = 'dev'\n", []string{":5: vault.sync.mappings: a/x.env is mapped twice, in line 1 too"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Parse("envdrift.toml", []byte(tt.text), known(config.Overrides{}))
			want := "envdrift.toml" + strings.Join(tt.want, "\nenvdrift.toml")
			if message(err) != want || c != nil {
				t.Errorf("Parse =\n%v; want\n%s", err, want)
			}
			var e *config.Error
			if !errors.As(err, &e) {
				t.Errorf("Parse gives a %T; want an *Error in it", err)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, want string }{
		{"services/api", ""},
		{"a b/ü", ""},
		{"..a/b..", ""},
		{"..", `".." leaves the folder`},
		{"../x", `"../x" leaves the folder`},
		{"a/../b", `"a/../b" leaves the folder`},
		{"a/../../b", `"a/../../b" leaves the folder`},
		{"/etc", `"/etc" is absolute; paths count from the configuration file`},
		{"//host/share", `"//host/share" is absolute; paths count from the configuration file`},
		{"C:", `"C:" is absolute; paths count from the configuration file`},
		{"c:/x", `"c:/x" is absolute; paths count from the configuration file`},
		{`a\b`, `"a\\b" has a backslash; write / on every system`},
		{`\\host\share`, `"\\\\host\\share" has a backslash; write / on every system`},
		{"a\x00b", "holds a control character"},
		{"a\x1b[0mb", "holds a control character"},
		{".git/hooks", `".git/hooks" is in .git`},
		{"a/.GIT/x", `"a/.GIT/x" is in .git`},
		{"a/.git. /x", `"a/.git. /x" is in .git`},
		{"GIT~1/x", `"GIT~1/x" is in .git`},
		{"a\u202eb", "holds a control character"},
	}
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, "\x00", `\u0000`, "\x1b", `\u001b`).Replace(s) + `"`
	}
	for _, tt := range tests {
		for _, key := range []string{"folder_path", "env_file", "activate_to"} {
			text := "[[vault.sync.mappings]]\nsecret_name = 's'\n" + key + " = " + quote(tt.path) + "\n"
			if key != "folder_path" {
				text += "folder_path = '.'\n"
			}
			_, err := config.Parse("envdrift.toml", []byte(text), known(config.Overrides{}))
			want := ""
			if tt.want != "" {
				want = "envdrift.toml:3: vault.sync.mappings[0]." + key + ": " + tt.want
			}
			if message(err) != want {
				t.Errorf("%s = %q: %v; want %s", key, tt.path, err, want)
			}
		}
	}
}

func TestPyprojectErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"[tool]\nenvdrift = 5\n", "pyproject.toml:2: tool.envdrift: is a whole number, not a section"},
		{"[tool.envdrift.vault.sync]\nmax_worker = 1\n", `pyproject.toml:2: tool.envdrift.vault.sync.max_worker: unknown key (did you mean "max_workers"?)`},
		{"[tool.envdrift]\nx = \n", `pyproject.toml:2: TOML syntax: expected value`},
		{"[tool.envdrift]\n# \xe9\n", "pyproject.toml:2: is not UTF-8"},
	}
	for _, tt := range tests {
		if _, err := config.Parse("pyproject.toml", []byte(tt.text), known(config.Overrides{})); message(err) != tt.want {
			t.Errorf("Parse(%q) = %v; want %s", tt.text, err, tt.want)
		}
	}
}

// Hooks parse the configuration of a branch: that must not exhaust the
// program's stack, nor take minutes.
func TestHostileSizes(t *testing.T) {
	t.Parallel()
	const n = 1 << 18
	tests := []struct{ name, text, want string }{
		{"arrays", "[guard]\na = " + strings.Repeat("[", n) + strings.Repeat("]", n), ":2: is nested more than 32 deep"},
		{"arrays left open", "[guard]\n\na = '\"'\nb = " + strings.Repeat("[\n", n), ":4: is nested more than 32 deep"},
		{"inline sections", "a = " + strings.Repeat("{a=", n), ":1: is nested more than 32 deep"},
		{"dotted key", "[guard]\n" + strings.Repeat("a.", n) + "a = 1", ":2: is nested more than 32 deep"},
		{"dotted section", "[guard." + strings.Repeat("a.", n) + "a]", ":1: is nested more than 32 deep"},
		{"large", strings.Repeat("#\n", 4*n), ": is larger than 1 MiB"},
	}
	for _, tt := range tests {
		if _, err := config.Parse("envdrift.toml", []byte(tt.text), known(config.Overrides{})); message(err) != "envdrift.toml"+tt.want {
			t.Errorf("%s: Parse = %.200v; want %s", tt.name, err, tt.want)
		}
		if _, err := config.Parse("pyproject.toml", []byte(tt.text), known(config.Overrides{})); !errors.Is(err, config.ErrNoConfig) {
			t.Errorf("%s: Parse(pyproject.toml) = %.200v; want ErrNoConfig", tt.name, err)
		}
	}
	const fine = "[guard]\na = [1.5, 2.5, [1, [2]], '" + "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" + "'] # [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n"
	parse(t, "envdrift.toml", fine)
}

// However a key is spelled, the error includes its line.
func TestLinesOfUnusualSpellings(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"dotted", "vault.sync.x = 1\n", ":1: vault.sync.x"},
		{"quoted", "[ 'vault' . \"sync\" ]\n\"x\" = 1\n", ":2: vault.sync.x"},
		{"escaped", "[vault.sync]\n\"\\u0078\" = 1\n", ":2: vault.sync.x"},
		{"inline section", "\n[vault]\nsync = {max_workers = 1,\n x = 1}\n", ":3: vault.sync.x"},
		{"after a string that looks like it", "[hooks]\non_drift = 'block'\n[vault]\nmappings = {a = '''\n[vault.sync]\nx = 1'''}\n[vault.sync]\nx = 1\n", ":8: vault.sync.x"},
		{"after quotes within quotes", "[vault]\nmappings = {a = \"\"\"\\\"\"\"\"\"}\n[vault.sync]\nx = 1\n", ":4: vault.sync.x"},
		{"after a comment with quotes", "[vault] # don't [\nsync.x = 1 # \"\n", ":2: vault.sync.x"},
		{"after a list over lines", "[guard]\na = [\n  'b', # ]\n\n]\n[vault.sync]\nx = 1\n", ":7: vault.sync.x"},
		{"CRLF", "[vault.sync]\r\n\r\nx = 1\r\n", ":3: vault.sync.x"},
		{"section twice opened", "[vault.sync]\nmax_workers = 1\n[hooks]\n[vault.aws]\nx = 1\n", ":5: vault.aws.x"},
		{"second of a list", mapping + "[[vault.sync.mappings]]\nsecret_name = 's'\nfolder_path = 'b'\nx = 1\n", ":7: vault.sync.mappings[1].x"},
		{"section of a list's element", mapping + "[vault.sync.mappings.x]\n", ":4: vault.sync.mappings[0].x"},
		{"in an inline list", "[vault.sync]\nmappings = [\n{secret_name = 's', folder_path = '.', x = 1}]\n", ":2: vault.sync.mappings[0].x"},
		{"no final newline", "[vault.sync]\nx = 1", ":2: vault.sync.x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse("envdrift.toml", []byte(tt.text), known(config.Overrides{}))
			if want := "envdrift.toml" + tt.want + ": unknown key"; message(err) != want {
				t.Errorf("Parse = %v; want %s", err, want)
			}
		})
	}
}

func TestParsePairs(t *testing.T) {
	t.Parallel()
	const text = "\ufeff# comment\r\n\r\n  myapp-key = services/myapp/ \r\nproduction-vault/prod-key=services/prod\r\nk=a=b\r\n"
	tests := []struct {
		provider string
		want     []config.Mapping
	}{
		{"azure", []config.Mapping{
			{SecretName: "myapp-key", Folder: "services/myapp", Line: 3},
			{SecretName: "prod-key", VaultName: "production-vault", Folder: "services/prod", Line: 4},
			{SecretName: "k", Folder: "a=b", Line: 5},
		}},
		{"hashicorp", []config.Mapping{
			{SecretName: "myapp-key", Folder: "services/myapp", Line: 3},
			{SecretName: "production-vault/prod-key", Folder: "services/prod", Line: 4},
			{SecretName: "k", Folder: "a=b", Line: 5},
		}},
	}
	for _, tt := range tests {
		for _, name := range []string{"pair.txt", "pairs", "x.toml.txt"} {
			c, err := config.Parse(name, []byte(text), known(config.Overrides{Provider: tt.provider}))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(c.Mappings, tt.want) {
				t.Errorf("Parse(%s) for %s = %+v; want %+v", name, tt.provider, c.Mappings, tt.want)
			}
		}
	}
}

func TestPairErrors(t *testing.T) {
	t.Parallel()
	const text = `a
[vault]
=b
c=
v/=d
/e=d
f=../x
g=h
i=h
`
	_, err := config.Parse("pair.txt", []byte(text), known(config.Overrides{Provider: "azure"}))
	want := `pair.txt:1: is no secret-name=folder-path
pair.txt:2: is no secret-name=folder-path; the name of a TOML file ends in .toml
pair.txt:3: has no secret before =
pair.txt:4: has no folder after =
pair.txt:5: has no secret before =
pair.txt:6: has no vault before the slash
pair.txt:7: "../x" leaves the folder
pair.txt:9: vault.sync.mappings: h (production) is mapped twice, in line 8 too`
	if message(err) != want {
		t.Errorf("Parse =\n%v; want\n%s", err, want)
	}
	if _, err := config.Parse("pair.txt", []byte("a=b\n\xe9=c\n"), known(config.Overrides{})); message(err) != "pair.txt:2: is not UTF-8" {
		t.Errorf("Parse of Latin-1 = %v; want line 2", err)
	}
}
