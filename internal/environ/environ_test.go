package environ_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// memory is a vault of texts by name.
type memory struct{ texts map[string]string }

func (m *memory) Get(_ context.Context, name string) (vault.Secret, error) {
	text, ok := m.texts[name]
	if !ok {
		return vault.Secret{}, &vault.Error{Op: "get", Vault: "memory", Name: name, Err: vault.ErrNotFound}
	}
	return vault.Secret{Name: name, Value: secret.New(text)}, nil
}

func (m *memory) Put(context.Context, string, secret.Value, string) (string, error) {
	return "", errors.ErrUnsupported
}
func (m *memory) String() string { return "memory" }

// A place is a directory without git, and the process that works there.
type place struct {
	t       *testing.T
	dir     string
	env     map[string]string
	store   *memory
	profile string
}

func newPlace(t *testing.T, files map[string]string) *place {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, dir: dir, env: map[string]string{"HOME": dir, "KEPT": "kept"}, store: &memory{map[string]string{}}}
	for name, text := range files {
		p.write(name, text)
	}
	return p
}

func (p *place) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) open(cwd string) *workspace.Workspace {
	p.t.Helper()
	o := workspace.Options{
		Dir: filepath.Join(p.dir, cwd), Env: p.env, Profile: p.profile, Consent: workspace.CI,
		OpenVault: func(context.Context, vault.Config) (vault.Store, error) { return p.store, nil },
	}
	o.Overrides.Providers = all.Providers()
	w, err := workspace.Open(o)
	if err != nil {
		p.t.Fatal(err)
	}
	return w
}

// given lists what the files set.
func given(e environ.Environ) string {
	var list []string
	for _, v := range e.Given {
		list = append(list, v.Name+"="+v.Value.Reveal())
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

const twoMappings = `
[[vault.sync.mappings]]
secret_name = "api"
folder_path = "api"
environment = "production"
[[vault.sync.mappings]]
secret_name = "api-staging"
folder_path = "api"
environment = "staging"
[[vault.sync.mappings]]
secret_name = "db"
folder_path = "api"
env_file = "db.env"
[[vault.sync.mappings]]
secret_name = "web"
folder_path = "web"
env_file = ".env"
[[vault.sync.mappings]]
secret_name = "web-production"
folder_path = "web"
environment = "production"
env_file = ".env.production"
`

func TestBuild(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{
		"envdrift.toml": twoMappings, "api/.env.production": "A=prod\n", "api/.env.staging": "A=staging\nS=1\n", "api/db.env": "DB=1\n", "api/sub/x": "",
		"web/.env": "W=dev\n", "web/.env.production": "W=live\nL=1\n", "tools/.env": "T=1\n", "tools/b.env": "T=2\nU=3\n",
		"odd/.env":  "A=1\nDOTENV_PRIVATE_KEY=x\nDOTENV_PUBLIC_KEY=y\nB_PLAIN=2\nC=${KEPT}\nD=${DOTENV_PRIVATE_KEY}\nKEPT=file\n",
		"json/.env": "{\"a\": 1}\n", "bad/.env": "NODE_OPTIONS=--require x\nA=1\n", "trust/.env": "KUBECONFIG=x\n",
	})
	p.env["DOTENV_PRIVATE_KEY"], p.env["VAULT_TOKEN"], p.env["LC_TIME"] = "private", "token", "C"
	tests := []struct {
		name, cwd string
		o         environ.Options
		want      string // what the files set
		err       func(error) bool
	}{
		{name: "several environments", cwd: "api/sub", err: is[*environ.AmbiguousError]},
		{name: "one of them, and what belongs to no environment by its name", cwd: "api/sub", o: environ.Options{Env: "production"}, want: "A=prod DB=1"},
		{name: "another", cwd: "api", o: environ.Options{Env: "staging"}, want: "A=staging S=1"},
		{name: "none of that name", cwd: "api", o: environ.Options{Env: "nowhere"}, err: isAny},
		{name: ".env is the default", cwd: "web", want: "W=dev"},
		{name: "production without it", cwd: "web", o: environ.Options{Env: "production"}, want: "L=1 W=live"},
		{name: "no mapping: .env", cwd: "tools", want: "T=1"},
		{name: "named files, the first wins", cwd: "tools", o: environ.Options{Files: []string{".env", "b.env"}}, want: "T=1 U=3"},
		{name: "the last overrides", cwd: "tools", o: environ.Options{Files: []string{".env", "b.env"}, Override: true}, want: "T=2 U=3"},
		{name: "a named file elsewhere", cwd: "tools", o: environ.Options{Files: []string{"../web/.env"}}, want: "W=dev"},
		{name: "a missing file", cwd: "tools", o: environ.Options{Files: []string{"nope"}}, err: func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		{name: "the process wins, but for its keys", cwd: "odd", want: "A=1 B_PLAIN=2 C=kept D=x DOTENV_PUBLIC_KEY=y KEPT=kept"},
		{name: "unless the file overrides", cwd: "odd", o: environ.Options{Override: true}, want: "A=1 B_PLAIN=2 C=kept D=x DOTENV_PUBLIC_KEY=y KEPT=file"},
		{name: "pristine: as if nothing else were set", cwd: "odd", o: environ.Options{Pristine: true}, want: "A=1 B_PLAIN=2 C= D=x DOTENV_PUBLIC_KEY=y KEPT=file"},
		{name: "only", cwd: "odd", o: environ.Options{Selection: dotenv.Selection{Only: []string{"A", "B_*"}}}, want: "A=1 B_PLAIN=2"},
		{name: "only a name that no file sets", cwd: "odd", o: environ.Options{Selection: dotenv.Selection{Only: []string{"Z"}}}, err: isAny},
		{name: "except", cwd: "odd", o: environ.Options{Selection: dotenv.Selection{Except: []string{"*_*", "KEPT"}}}, want: "A=1 C=kept D=x"},
		{name: "no variables", cwd: "json", err: func(err error) bool { return errors.Is(err, environ.ErrNoVariables) }},
		{name: "runs code", cwd: "bad", err: func(err error) bool {
			e := (*environ.DangerousNameError)(nil)
			return errors.As(err, &e) && e.Danger == environ.RunsCode && e.Error() == ".env:1: NODE_OPTIONS can make programs run code of the file's author"
		}},
		{name: "runs code, allowed", cwd: "bad", o: environ.Options{Allow: []string{"NODE_OPTIONS"}}, want: "A=1 NODE_OPTIONS=--require x"},
		{name: "changes trust", cwd: "trust", err: func(err error) bool {
			e := (*environ.DangerousNameError)(nil)
			return errors.As(err, &e) && e.Danger == environ.ChangesTrust
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := environ.Build(t.Context(), p.open(tt.cwd), tt.o)
			if got := given(e); tt.err == nil && (err != nil || got != tt.want) || tt.err != nil && (err == nil || !tt.err(err)) {
				t.Errorf("Build = %q, %v; want %q, error %t", got, err, tt.want, tt.err != nil)
			}
		})
	}
}

// Which of a folder's mappings make the environment.
func TestBuildOfMappings(t *testing.T) {
	t.Parallel()
	mapped := func(file, more string) string {
		return "[[vault.sync.mappings]]\nsecret_name = \"" + file + "\"\nfolder_path = \".\"\nenv_file = \"" + file + "\"\n" + more
	}
	tests := []struct {
		name, config, profile string
		o                     environ.Options
		want                  string
		err                   string // the whole text
	}{
		{name: "a profile's file and the default", config: mapped(".env", "") + mapped(".env.local", "profile = \"local\"\n"), profile: "local", want: "D=1 L=1"},
		{name: "without the profile", config: mapped(".env", "") + mapped(".env.local", "profile = \"local\"\n"), want: "D=1"},
		{name: "the default states the environment that was chosen", config: mapped(".env", "environment = \"production\"\n") + mapped(".env.production", "environment = \"production\"\n"), o: environ.Options{Env: "production"}, want: "D=1 P=1"},
		{name: "the default does not state it", config: mapped(".env", "") + mapped(".env.production", "environment = \"production\"\n"), o: environ.Options{Env: "production"}, want: "P=1"},
		{name: "two files of one environment", config: mapped(".env.production", "environment = \"production\"\n") + mapped(".env.local", "environment = \"production\"\n"), want: "L=1 P=1"},
		{name: "files of two environments", config: mapped(".env.production", "environment = \"production\"\n") + mapped(".env.local", "environment = \"local\"\n"), err: "there are env files of several environments here: production, local"},
		{name: "no such environment", config: mapped(".env", ""), o: environ.Options{Env: "nowhere"}, err: `no mapping of environment "nowhere" here or above`},
		{name: "an environment without a configuration", o: environ.Options{Env: "nowhere"}, err: `no mapping of environment "nowhere" here or above`},
		{name: "a mapped file that is missing", config: mapped(".env", "") + mapped("gone.env", ""), err: "any"},
		{name: "a mapped file that is empty", config: mapped("empty.env", ""), err: "read empty.env: " + environ.ErrNoVariables.Error()},
		{name: "an empty file that no mapping names", o: environ.Options{Files: []string{"empty.env"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, map[string]string{".env": "D=1\n", ".env.production": "P=1\n", ".env.local": "L=1\n", "empty.env": ""})
			p.profile = tt.profile
			if tt.config != "" {
				p.write("envdrift.toml", tt.config)
			}
			e, err := environ.Build(t.Context(), p.open("."), tt.o)
			if tt.err == "" && (err != nil || given(e) != tt.want) || tt.err != "" && (err == nil || tt.err != "any" && err.Error() != tt.err) {
				t.Errorf("Build = %q, %v; want %q, %s", given(e), err, tt.want, tt.err)
			}
		})
	}
}

// What an env file may set, where the process has no value.
func TestDangers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		danger environ.Danger
		names  string
	}{
		{environ.RunsCode, "PATH HOME SHELL XDG_CONFIG_HOME LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES OPENSSL_CONF EDITOR PAGER SSH_ASKPASS " +
			"GIT_SSH_COMMAND GIT_CONFIG_COUNT BASH_FUNC_x BASH_ENV ENV PROMPT_COMMAND IFS ZDOTDIR MAKEFLAGS GOFLAGS RUSTC_WRAPPER NODE_OPTIONS NODE_PATH " +
			"NPM_CONFIG_REGISTRY npm_config_registry Npm_Config_x PYTHONPATH PYTHONSTARTUP PERL5OPT RUBYOPT PHPRC JAVA_TOOL_OPTIONS _JAVA_OPTIONS CLASSPATH " +
			"DOTNET_STARTUP_HOOKS CORECLR_PROFILER_PATH TF_CLI_ARGS ANSIBLE_CONFIG"},
		{environ.ChangesTrust, "ENVDRIFT_TRUST CI NODE_TLS_REJECT_UNAUTHORIZED SSL_CERT_FILE CURL_CA_BUNDLE AWS_CONFIG_FILE KUBECONFIG DOCKER_CONFIG"},
		{"", "DATABASE_URL APP_PATH PATHS ENVIRONMENT LDAP_URL GITHUB_TOKEN NODE_ENV PYTHON CI_TOKEN MY_LD_PRELOAD NPM_TOKEN AWS_REGION"},
	}
	for _, tt := range tests {
		for _, name := range strings.Fields(tt.names) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t, map[string]string{".env": name + "=1\n"})
				p.env = map[string]string{}
				_, err := environ.Build(t.Context(), p.open("."), environ.Options{})
				var got environ.Danger
				if e := (*environ.DangerousNameError)(nil); errors.As(err, &e) {
					got = e.Danger
				} else if err != nil {
					t.Fatalf("Build = %v", err)
				}
				if got != tt.danger {
					t.Errorf("a file that sets %s: danger %q; want %q", name, got, tt.danger)
				}
				if _, err := environ.Build(t.Context(), p.open("."), environ.Options{Allow: []string{name}}); err != nil {
					t.Errorf("Build with %s allowed = %v", name, err)
				}
			})
		}
	}
}

// Where the process wins, a dangerous name in a file does no harm.
func TestDangerousNameOfTheProcess(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{".env": "PATH=evil\nA=1\n"})
	p.env["PATH"] = "good"
	e, err := environ.Build(t.Context(), p.open("."), environ.Options{})
	if path, _ := e.All.Lookup("PATH"); err != nil || given(e) != "A=1" || path != "good" {
		t.Errorf("Build = %q with PATH=%s, %v; want A=1 and the process's PATH", given(e), path, err)
	}
	if _, err := environ.Build(t.Context(), p.open("."), environ.Options{Override: true}); !is[*environ.DangerousNameError](err) {
		t.Errorf("Build that overrides = %v; want a DangerousNameError", err)
	}
	if p.env["PATH"] != "good" || p.env["A"] != "" {
		t.Errorf("Build changed the environment of the process: %v", p.env)
	}
}

func TestBuildOnlyPattern(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{".env": "A=1\n"})
	e, err := environ.Build(t.Context(), p.open("."), environ.Options{Selection: dotenv.Selection{Only: []string{"Z_*", "A"}}})
	if err != nil || given(e) != "A=1" {
		t.Errorf("Build with a pattern that matches nothing = %q, %v; want A=1", given(e), err)
	}
}

func TestPristineBaseline(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has names of its own")
	}
	p := newPlace(t, map[string]string{".env": "A=1\n"})
	const want = "HOME LANG LC_ALL LOGNAME PATH SHELL TERM TMPDIR TZ USER"
	p.env = map[string]string{"LC": "x", "PATHS": "x", "SSH_AUTH_SOCK": "x", "AWS_PROFILE": "x"}
	for _, name := range strings.Fields(want) {
		p.env[name] = "x"
	}
	e, err := environ.Build(t.Context(), p.open("."), environ.Options{Pristine: true})
	e.All.Delete("A")
	if got := strings.Join(e.All.Names(), " "); err != nil || got != want {
		t.Errorf("Build keeps %q, %v; want %q", got, err, want)
	}
}

func is[E error](err error) bool { return errors.As(err, new(E)) }
func isAny(err error) bool       { return err != nil }

func TestBuildInherits(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{".env": "A=1\n"})
	for _, name := range []string{"DOTENV_PRIVATE_KEY_CI", "ENVDRIFT_AGE_KEY", "VAULT_TOKEN", "VAULT_JWT", "AWS_SECRET_ACCESS_KEY", "LC_TIME", "PATH", "SSH_AUTH_SOCK"} {
		p.env[name] = "x"
	}
	tests := []struct {
		o    environ.Options
		want string
	}{
		{environ.Options{}, "A AWS_SECRET_ACCESS_KEY HOME KEPT LC_TIME PATH SSH_AUTH_SOCK"},
		{environ.Options{KeepEnv: true}, "A AWS_SECRET_ACCESS_KEY HOME KEPT LC_TIME PATH SSH_AUTH_SOCK VAULT_JWT VAULT_TOKEN"},
		{environ.Options{Pristine: true}, "A HOME LC_TIME PATH"},
	}
	for _, tt := range tests {
		e, err := environ.Build(t.Context(), p.open("."), tt.o)
		if got := strings.Join(e.All.Names(), " "); err != nil || got != tt.want {
			t.Errorf("Build with %+v: the program sees %q, %v; want %q", tt.o, got, err, tt.want)
		}
	}
}

// encrypted makes an env file for key.
func encrypted(t *testing.T, key *ecies.PrivateKey, text string) string {
	t.Helper()
	doc, _, err := dotenv.Parse([]byte(text)).Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
	if err != nil {
		t.Fatal(err)
	}
	return string(doc.Bytes())
}

// What anybody can read in the file is no secret, but what a reference brings into it is,
// and what is encrypted.
func TestSecretsWithoutPlain(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, map[string]string{
		"envdrift.toml": "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \".\"\nenv_file = \".env\"\nplain = [\"L*\"]\n",
		".env":          encrypted(t, key, "A=1\nLATER=2\n") + "LEVEL=info\nLINK=x${HELD}\nLOCAL=file\n",
		".env.keys":     "DOTENV_PRIVATE_KEY=" + ecies.Keys{key}.Reveal() + "\n",
	})
	p.env["HELD"], p.env["LOCAL"] = "token", "process"
	e, err := environ.Build(t.Context(), p.open("."), environ.Options{})
	if got := strings.Join(e.Secrets(), " "); err != nil || got != "1 2 xtoken process" {
		t.Errorf("secrets %q, %v; want 1 2 xtoken process", got, err)
	}
}

func TestBuildDecrypts(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, map[string]string{
		"envdrift.toml": "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \".\"\nenv_file = \".env\"\n",
		".env":          encrypted(t, key, "A=1\nB_PLAIN=2\n"),
	})
	p.store.texts["k"] = ecies.Keys{key}.Reveal()
	e, err := environ.Build(t.Context(), p.open("."), environ.Options{})
	if got := strings.Join(e.Secrets(), " "); err != nil || got != "1" {
		t.Errorf("Build by the vault's key: secrets %q, %v; want 1", got, err)
	}
	delete(p.store.texts, "k")
	if _, err := environ.Build(t.Context(), p.open("."), environ.Options{}); !errors.Is(err, vault.ErrNotFound) || !strings.HasPrefix(err.Error(), ".env: ") {
		t.Errorf("Build without a key = %v; want the file's name and ErrNotFound", err)
	}
	if _, err := environ.Build(t.Context(), p.open("."), environ.Options{Keys: keyring.LocalOnly}); !is[*keyring.NoKeyError](err) {
		t.Errorf("Build with local keys alone = %v; want a NoKeyError", err)
	}
	p.write("other.env", encrypted(t, key, "A=1\n"))
	for name, o := range map[string]environ.Options{
		".env":      {Keys: keyring.LocalOnly},
		"other.env": {Keys: keyring.VaultOnly, Files: []string{"other.env"}},
	} {
		if _, err := environ.Build(t.Context(), p.open("."), o); err == nil || strings.Count(err.Error(), name+":") != 1 {
			t.Errorf("Build of %s without a key = %v; want the file's name once", name, err)
		}
	}
	p.store.texts["k"] = ecies.Keys{key}.Reveal()
	if e, err = environ.Build(t.Context(), p.open("."), environ.Options{Files: []string{".env"}}); err != nil || strings.Join(e.Secrets(), " ") != "1" {
		t.Errorf("Build of a named file by its mapping = %v, %v; want the vault's key to decrypt it", e.Given, err)
	}
	delete(p.store.texts, "k")
	p.env["DOTENV_PRIVATE_KEY"] = ecies.Keys{key}.Reveal()
	if _, err = environ.Build(t.Context(), p.open("."), environ.Options{}); err != nil {
		t.Errorf("Build by a local key = %v", err)
	}
	outside := newPlace(t, nil)
	outside.env = p.env
	e, err = environ.Build(t.Context(), outside.open("."), environ.Options{Files: []string{filepath.Join(p.dir, ".env")}})
	if err != nil || !strings.HasPrefix(given(e), "A=1 ") {
		t.Errorf("Build of a file elsewhere = %q, %v", given(e), err)
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{".env": "A=1\nB=2\nD=old\nE=\n"})
	before, err := environ.Build(t.Context(), p.open("."), environ.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sum := environ.Fingerprint(t.Context(), p.open("."), environ.Options{})
	if again := environ.Fingerprint(t.Context(), p.open("."), environ.Options{}); again != sum {
		t.Error("Fingerprint differs for the same files")
	}
	p.write(".env", "A=1\nC=3\nD=new\n")
	after, err := environ.Build(t.Context(), p.open("."), environ.Options{})
	if got := strings.Join(before.Changed(after), " "); err != nil || got != "B C D E" {
		t.Errorf("Changed = %q, %v; want B C D E", got, err)
	}
	if environ.Fingerprint(t.Context(), p.open("."), environ.Options{}) == sum {
		t.Error("Fingerprint is the same for other files")
	}
	sum = environ.Fingerprint(t.Context(), p.open("."), environ.Options{})
	p.env["DOTENV_PRIVATE_KEY"] = strings.Repeat("1", 64)
	if environ.Fingerprint(t.Context(), p.open("."), environ.Options{}) == sum {
		t.Error("Fingerprint is the same with another local key")
	}
	if environ.Fingerprint(t.Context(), p.open("."), environ.Options{Files: []string{"nope"}}) == sum {
		t.Error("Fingerprint is the same without the file")
	}
}
