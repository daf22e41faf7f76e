package mapping_test

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/mapping"
)

// keysIn is a configuration whose keys files have this name.
func keysIn(name string) *config.Config {
	return &config.Config{Sync: config.SyncOptions{EnvKeysFilename: name}}
}

func envFile(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func link(to string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink}
}

// declaring is an env file whose header has the variables names.
func declaring(t *testing.T, names ...string) *fstest.MapFile {
	t.Helper()
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + "=" + newKey(t).PublicKey().String() + "\n")
	}
	return envFile(b.String() + "A=1\n")
}

func TestResolveFindsTheEnvFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		tree     fstest.MapFS
		base     string
		keysName string // "": .env.keys
		mapping  config.Mapping
		file     string
		keysFile string
		names    string
	}{
		{
			name: "production by default", tree: fstest.MapFS{"svc/.env.production": envFile("A=1\n")},
			mapping: config.Mapping{Folder: "svc"},
			file:    "svc/.env.production", keysFile: "svc/.env.keys", names: "DOTENV_PRIVATE_KEY_PRODUCTION",
		},
		{
			name: "stated environment", tree: fstest.MapFS{"svc/.env.production": envFile("A=1\n"), "svc/.env.staging": envFile("A=1\n")},
			mapping: config.Mapping{Folder: "svc", Environment: "staging"},
			file:    "svc/.env.staging", keysFile: "svc/.env.keys", names: "DOTENV_PRIVATE_KEY_STAGING",
		},
		{
			name: "the tree's root", tree: fstest.MapFS{".env.production": envFile("A=1\n")},
			base: ".", mapping: config.Mapping{Folder: "."},
			file: ".env.production", keysFile: ".env.keys", names: "DOTENV_PRIVATE_KEY_PRODUCTION",
		},
		{
			name: "configuration in a folder", tree: fstest.MapFS{"deploy/svc/.env.production": envFile("A=1\n"), "svc/.env.production": envFile("A=2\n")},
			base: "deploy", mapping: config.Mapping{Folder: "svc"},
			file: "deploy/svc/.env.production", keysFile: "deploy/svc/.env.keys", names: "DOTENV_PRIVATE_KEY_PRODUCTION",
		},
		{
			name: "folder above the configuration", tree: fstest.MapFS{"svc/.env.production": envFile("A=1\n")},
			base: "deploy", mapping: config.Mapping{Folder: "../svc/."},
			file: "svc/.env.production", keysFile: "svc/.env.keys", names: "DOTENV_PRIVATE_KEY_PRODUCTION",
		},
		{
			name: "another name for the keys file", tree: fstest.MapFS{"svc/.env.production": envFile("A=1\n")},
			keysName: "keys.env", mapping: config.Mapping{Folder: "svc"},
			file: "svc/.env.production", keysFile: "svc/keys.env", names: "DOTENV_PRIVATE_KEY_PRODUCTION",
		},
		{
			name: "header, then dotenvx's rule, then the environment",
			tree: fstest.MapFS{"svc/.env.ci.local": declaring(t, "DOTENV_PUBLIC_KEY_B", "DOTENV_PUBLIC_KEY_A")},
			mapping: config.Mapping{
				Folder: "svc", Environment: "staging", EnvFile: ".env.ci.local",
			},
			file: "svc/.env.ci.local", keysFile: "svc/.env.keys",
			names: "DOTENV_PRIVATE_KEY_B DOTENV_PRIVATE_KEY_A DOTENV_PRIVATE_KEY_CI_LOCAL DOTENV_PRIVATE_KEY_STAGING",
		},
		{
			name: "each name once", tree: fstest.MapFS{"svc/.env.production": declaring(t, "DOTENV_PUBLIC_KEY_PRODUCTION", "DOTENV_PUBLIC_KEY")},
			mapping: config.Mapping{Folder: "svc"},
			file:    "svc/.env.production", keysFile: "svc/.env.keys", names: "DOTENV_PRIVATE_KEY_PRODUCTION DOTENV_PRIVATE_KEY",
		},
		{
			name: "damaged header", tree: fstest.MapFS{"svc/.env.production": envFile("DOTENV_PUBLIC_KEY_CI=nonsense\nA=1\n")},
			mapping: config.Mapping{Folder: "svc"},
			file:    "svc/.env.production", keysFile: "svc/.env.keys", names: "DOTENV_PRIVATE_KEY_PRODUCTION",
		},
		{
			name: "a name that dotenvx has no rule for", tree: fstest.MapFS{"svc/my env": envFile("A=1\n")},
			mapping: config.Mapping{Folder: "svc", EnvFile: "my env"},
			file:    "svc/my env", keysFile: "svc/.env.keys", names: "DOTENV_PRIVATE_KEY_PRODUCTION",
		},
		{
			name: "env_file in a deeper folder", tree: fstest.MapFS{"svc/config/.env": envFile("A=1\n")},
			mapping: config.Mapping{Folder: "svc", EnvFile: "config/.env"},
			file:    "svc/config/.env", keysFile: "svc/.env.keys",
			// dotenvx has its rule for the base name.
			names: "DOTENV_PRIVATE_KEY DOTENV_PRIVATE_KEY_PRODUCTION",
		},
		{
			name: "link to a file", tree: fstest.MapFS{"svc/.env.production": link("../shared.env"), "shared.env": envFile("A=1\n")},
			mapping: config.Mapping{Folder: "svc"},
			file:    "svc/.env.production", keysFile: "svc/.env.keys", names: "DOTENV_PRIVATE_KEY_PRODUCTION",
		},
		{
			name: "a FIFO and a folder are no candidates",
			tree: fstest.MapFS{
				"svc/.env.production": {Mode: fs.ModeNamedPipe}, "svc/api.env.production/x": envFile(""), "svc/api-production.env": envFile("A=1\n"),
			},
			mapping: config.Mapping{Folder: "svc"},
			file:    "svc/api-production.env", keysFile: "svc/.env.keys", names: "DOTENV_PRIVATE_KEY_API-PRODUCTIONDEVELOPMENT DOTENV_PRIVATE_KEY_PRODUCTION",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := keysIn(".env.keys")
			if tt.keysName != "" {
				cfg = keysIn(tt.keysName)
			}
			tt.mapping.SecretName = "secret"
			got := mapping.Resolve(tt.tree, tt.base, cfg, []config.Mapping{tt.mapping})
			if len(got) != 1 {
				t.Fatalf("Resolve = %d targets; want 1", len(got))
			}
			target := got[0]
			if target.Err != nil || target.Doc == nil {
				t.Fatalf("Resolve: document %v, error %v; want a document", target.Doc, target.Err)
			}
			if e, ok := target.Doc.Get("A"); !ok || e.Value != "1" {
				t.Errorf("Resolve: A = %q; want 1", e.Value)
			}
			if !reflect.DeepEqual(target.Mapping, tt.mapping) {
				t.Errorf("Resolve: mapping = %+v; want it unchanged, %+v", target.Mapping, tt.mapping)
			}
			if target.File != tt.file || target.KeysFile != tt.keysFile {
				t.Errorf("Resolve = %q with keys in %q; want %q, %q", target.File, target.KeysFile, tt.file, tt.keysFile)
			}
			if names := strings.Join(target.Names, " "); names != tt.names {
				t.Errorf("Resolve: names = %q; want %q", names, tt.names)
			}
		})
	}
}

func TestResolveSaysWhyThereIsNoDocument(t *testing.T) {
	t.Parallel()
	hex := newKey(t).Reveal()
	tests := []struct {
		name    string
		tree    fstest.MapFS
		mapping config.Mapping
		file    string // what Target.File is nevertheless
		wantErr string
		is      error // nil: the text suffices
	}{
		{
			name: "no folder", tree: fstest.MapFS{}, mapping: config.Mapping{Folder: "svc"},
			wantErr: "read base/svc: file does not exist", is: fs.ErrNotExist,
		},
		{
			name: "a file in place of the folder", tree: fstest.MapFS{"base/svc": envFile("A=1\n")}, mapping: config.Mapping{Folder: "svc"},
			wantErr: "read base/svc: ",
		},
		{
			name: "no env file", tree: fstest.MapFS{"base/svc/README": envFile("")}, mapping: config.Mapping{Folder: "svc", Environment: "staging"},
			wantErr: (&config.NoEnvFileError{Folder: "base/svc", Environment: "staging"}).Error(),
		},
		{
			name: "another environment's env file", tree: fstest.MapFS{"base/svc/.env.staging": envFile("A=1\n")}, mapping: config.Mapping{Folder: "svc"},
			wantErr: (&config.NoEnvFileError{Folder: "base/svc", Environment: "production", Others: []string{".env.staging"}}).Error(),
		},
		{
			name: "only the keys file", tree: fstest.MapFS{"base/svc/production.env": envFile("A=1\n")}, mapping: config.Mapping{Folder: "svc"},
			wantErr: (&config.NoEnvFileError{Folder: "base/svc", Environment: "production"}).Error(),
		},
		{
			name: "env_file is not there", tree: fstest.MapFS{"base/svc/.env.production": envFile("A=1\n")}, mapping: config.Mapping{Folder: "svc", EnvFile: "api.env"},
			wantErr: (&config.NoEnvFileError{Folder: "base/svc", Environment: "production", Wanted: "api.env"}).Error(),
		},
		{
			name: "env_file is not in its deeper folder", tree: fstest.MapFS{"base/svc/x": envFile("")}, mapping: config.Mapping{Folder: "svc", EnvFile: "deep/.env"},
			file: "base/svc/deep/.env", wantErr: "read base/svc/deep/.env: file does not exist", is: fs.ErrNotExist,
		},
		{
			name:    "two candidates",
			tree:    fstest.MapFS{"base/svc/api-staging.env": envFile("A=1\n"), "base/svc/web-staging.env": envFile("A=1\n")},
			mapping: config.Mapping{Folder: "svc", Environment: "staging"},
			wantErr: (&config.AmbiguousError{Folder: "base/svc", Environment: "staging", Files: []string{"api-staging.env", "web-staging.env"}}).Error(),
		},
		{
			name: "private keys", tree: fstest.MapFS{"base/svc/.env.production": envFile("DOTENV_PRIVATE_KEY=" + hex + "\n")},
			mapping: config.Mapping{Folder: "svc"},
			file:    "base/svc/.env.production", wantErr: "read base/svc/.env.production: contains private keys, so it is not an env file", is: mapping.ErrKeysFile,
		},
		{
			name: "not UTF-8", tree: fstest.MapFS{"base/svc/.env.production": envFile("A=\xe9\n")},
			mapping: config.Mapping{Folder: "svc"},
			file:    "base/svc/.env.production", wantErr: "read base/svc/.env.production: line 1",
		},
		{
			name: "FIFO", tree: fstest.MapFS{"base/svc/deep/.env": {Mode: fs.ModeNamedPipe}}, mapping: config.Mapping{Folder: "svc", EnvFile: "deep/.env"},
			file: "base/svc/deep/.env", wantErr: "read base/svc/deep/.env: not a regular file", is: atomicfile.ErrNotRegular,
		},
		{
			name: "link to a folder", tree: fstest.MapFS{"base/svc/.env.production": link("deep"), "base/svc/deep/x": envFile("")},
			mapping: config.Mapping{Folder: "svc"},
			file:    "base/svc/.env.production", wantErr: "read base/svc/.env.production: not a regular file", is: atomicfile.ErrNotRegular,
		},
		{
			name: "link to nothing", tree: fstest.MapFS{"base/svc/.env.production": link("gone")}, mapping: config.Mapping{Folder: "svc"},
			file: "base/svc/.env.production", wantErr: "read base/svc/.env.production: file does not exist", is: fs.ErrNotExist,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			good := config.Mapping{SecretName: "good", Folder: "good"}
			tt.tree["base/good/.env.production"] = envFile("A=1\n")
			got := mapping.Resolve(tt.tree, "base", keysIn("production.env"), []config.Mapping{tt.mapping, good})
			bad := got[0]
			if bad.Doc != nil || bad.Err == nil || !strings.HasPrefix(bad.Err.Error(), tt.wantErr) || tt.is != nil && !errors.Is(bad.Err, tt.is) {
				t.Errorf("Resolve: document %v, error %v; want no document, %s", bad.Doc, bad.Err, tt.wantErr)
			}
			if bad.File != tt.file || bad.KeysFile != "base/svc/production.env" {
				t.Errorf("Resolve = %q with keys in %q; want %q, base/svc/production.env", bad.File, bad.KeysFile, tt.file)
			}
			want := "DOTENV_PRIVATE_KEY_" + strings.ToUpper(tt.mapping.Env())
			if !slices.Contains(bad.Names, want) {
				t.Errorf("Resolve: names = %q; want %s among them", bad.Names, want)
			}
			if got[1].Err != nil || got[1].Doc == nil || !reflect.DeepEqual(got[1].Mapping, good) {
				t.Errorf("Resolve: the other mapping = %+v; want it unaffected", got[1])
			}
		})
	}
}

// The proof reports values in plain text. To resolve a mapping says nothing.
func TestResolveTakesPlaintext(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{"svc/.env.production": envFile("A=1\n")}
	got := mapping.Resolve(tree, "", keysIn(".env.keys"), []config.Mapping{{Folder: "svc"}})[0]
	if got.Err != nil || got.Doc.State() != dotenv.Plain {
		t.Errorf("Resolve of plaintext: state %v, error %v; want %v", got.Doc.State(), got.Err, dotenv.Plain)
	}
}

func TestResolveReportsSharedFiles(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{"svc/.env.production": envFile("A=1\n"), "other/.env.production": envFile("A=1\n"), "bad/x": envFile("")}
	mappings := []config.Mapping{
		{SecretName: "first", Folder: "svc", Line: 3},
		{SecretName: "bad-1", Folder: "bad", Line: 5},
		{SecretName: "other", Folder: "other", Line: 7},
		{SecretName: "second", Folder: "./svc/", EnvFile: ".env.production", Line: 9},
		{SecretName: "bad-2", Folder: "bad", Line: 11},
	}
	got := mapping.Resolve(tree, "", keysIn(".env.keys"), mappings)
	for i, want := range map[int]string{
		0: "svc/.env.production is also mapped to second (line 9)",
		3: "svc/.env.production is also mapped to first (line 3)",
	} {
		shared := (*mapping.SharedFileError)(nil)
		if !errors.As(got[i].Err, &shared) || shared.Error() != want || shared.File != "svc/.env.production" {
			t.Errorf("Resolve: error of mapping %d = %v; want %s", i, got[i].Err, want)
		}
		if got[i].File != "svc/.env.production" {
			t.Errorf("Resolve: file of mapping %d = %q; want it known", i, got[i].File)
		}
	}
	if got[2].Err != nil {
		t.Errorf("Resolve: error of the mapping for another file = %v; want none", got[2].Err)
	}
	for _, i := range []int{1, 4} {
		if e := (*config.NoEnvFileError)(nil); !errors.As(got[i].Err, &e) {
			t.Errorf("Resolve: error of mapping %d = %v; want a NoEnvFileError: no file is shared", i, got[i].Err)
		}
	}
}

func TestResolveOfNoMappings(t *testing.T) {
	t.Parallel()
	if got := mapping.Resolve(fstest.MapFS{}, "", keysIn(".env.keys"), nil); len(got) != 0 {
		t.Errorf("Resolve of no mappings = %v; want none", got)
	}
}

func TestTargetFolder(t *testing.T) {
	t.Parallel()
	for keysFile, want := range map[string]string{"a/b/.env.keys": "a/b", ".env.keys": "."} {
		if got := (mapping.Target{KeysFile: keysFile}).Folder(); got != want {
			t.Errorf("Folder with keys in %q = %q; want %q", keysFile, got, want)
		}
	}
}

func TestAdHoc(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{
		"a/.env": envFile("A=1\n"), "a/.env.staging": declaring(t, "DOTENV_PUBLIC_KEY_CI"), "a/api.env": envFile("A=1\n"), "a/.env.": envFile("A=1\n"),
	}
	tests := []struct {
		name, file, environment, names string
		is                             error
	}{
		{name: "no environment in the name", file: "a/.env", environment: "production", names: "DOTENV_PRIVATE_KEY DOTENV_PRIVATE_KEY_PRODUCTION"},
		{name: "environment and header", file: "a/.env.staging", environment: "staging", names: "DOTENV_PRIVATE_KEY_CI DOTENV_PRIVATE_KEY_STAGING"},
		{name: "another form of name", file: "a/api.env", environment: "production", names: "DOTENV_PRIVATE_KEY_APIDEVELOPMENT DOTENV_PRIVATE_KEY_PRODUCTION"},
		{name: "nothing behind the dot", file: "a/.env.", environment: "production", names: "DOTENV_PRIVATE_KEY_ DOTENV_PRIVATE_KEY_PRODUCTION"},
		{name: "no file", file: "a/.env.eu", environment: "eu", names: "DOTENV_PRIVATE_KEY_EU", is: fs.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := mapping.ForFile(tree, "secret", tt.file, mapping.Target{})
			if got.File != tt.file || got.KeysFile != "" || !reflect.DeepEqual(got.Mapping, config.Mapping{SecretName: "secret", Environment: tt.environment}) {
				t.Errorf("AdHoc(%q) = %+v; want the file, the secret and %s", tt.file, got, tt.environment)
			}
			if names := strings.Join(got.Names, " "); names != tt.names {
				t.Errorf("AdHoc(%q): names = %q; want %q", tt.file, names, tt.names)
			}
			if !errors.Is(got.Err, tt.is) || (got.Doc == nil) != (tt.is != nil) {
				t.Errorf("AdHoc(%q): document %v, error %v; want %v", tt.file, got.Doc, got.Err, tt.is)
			}
		})
	}
}

// A mapped file keeps all that its mapping says but the secret. It is not read
// again.
func TestAdHocOfAMappedFile(t *testing.T) {
	t.Parallel()
	mapped := mapping.Target{
		Mapping: config.Mapping{SecretName: "mapped", Folder: "a", Environment: "eu", VaultName: "v", Line: 3},
		File:    "a/.env.staging", KeysFile: "a/.env.keys", Names: []string{"DOTENV_PRIVATE_KEY_EU"}, Err: errors.New("why"),
	}
	got := mapping.ForFile(nil, "stated", "a/.env.staging", mapped)
	want := mapped.Mapping
	want.SecretName = "stated"
	if !reflect.DeepEqual(got.Mapping, want) {
		t.Errorf("AdHoc of a mapped file: mapping = %+v; want %+v", got.Mapping, want)
	}
	if got.File != mapped.File || got.KeysFile != mapped.KeysFile || !slices.Equal(got.Names, mapped.Names) || !errors.Is(got.Err, mapped.Err) {
		t.Errorf("AdHoc of a mapped file = %+v; want the rest as in %+v", got, mapped)
	}
}

func TestForKey(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{
		"a/.env": envFile("A=1\n"), "a/.env.staging": declaring(t, "DOTENV_PUBLIC_KEY_CI"), "a/.env.bad": envFile("A=\xe9\n"),
	}
	tests := []struct {
		name, environment string
		file              string
		wantEnvironment   string
		names             string
	}{
		{"no environment", "", "a/.env", "production", "DOTENV_PRIVATE_KEY DOTENV_PRIVATE_KEY_PRODUCTION"},
		{"environment and header", "staging", "a/.env.staging", "staging", "DOTENV_PRIVATE_KEY_CI DOTENV_PRIVATE_KEY_STAGING"},
		{"no env file", "eu", "", "eu", "DOTENV_PRIVATE_KEY_EU"},
		{"unreadable env file", "bad", "", "bad", "DOTENV_PRIVATE_KEY_BAD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := mapping.ForKey(tree, "a", tt.environment, "keys.env")
			if got.File != tt.file || (got.Doc == nil) != (tt.file == "") || got.Err != nil || got.KeysFile != "a/keys.env" {
				t.Errorf("ForKey(%q) = %+v; want file %q, keys in a/keys.env, no error", tt.environment, got, tt.file)
			}
			if !reflect.DeepEqual(got.Mapping, config.Mapping{Folder: "a", Environment: tt.wantEnvironment}) {
				t.Errorf("ForKey(%q): mapping = %+v; want %s in a", tt.environment, got.Mapping, tt.wantEnvironment)
			}
			if names := strings.Join(got.Names, " "); names != tt.names {
				t.Errorf("ForKey(%q): names = %q; want %q", tt.environment, names, tt.names)
			}
		})
	}
}

func TestEnvironmentKey(t *testing.T) {
	t.Parallel()
	for environment, want := range map[string]string{
		"production": "DOTENV_PRIVATE_KEY_PRODUCTION",
		"prod-eu":    "DOTENV_PRIVATE_KEY_PROD-EU",
		"größe":      "DOTENV_PRIVATE_KEY",
	} {
		if got := mapping.EnvironmentKey(environment); got != want {
			t.Errorf("EnvironmentKey(%q) = %q; want %q", environment, got, want)
		}
	}
}
