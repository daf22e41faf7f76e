package mapping_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/mapping"
)

func TestDiscover(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	encrypted := locked(t, key, "A=1\n", nil).Bytes()
	tree := fstest.MapFS{}
	for _, name := range []string{
		".env", ".env.staging", ".env.example", ".env.keys", ".env.d.ts", ".env.local.php", ".env.production copy",
		"svc/.env.production", "svc/app.env", "svc/readme.md",
		"sub/.git", "sub/.env", "nested/.git/HEAD", "nested/a/.env", "node_modules/x/.env", "vendor/.env", ".hidden/.env", "dist/.env",
	} {
		tree[name] = &fstest.MapFile{Data: []byte("A=1\n")}
	}
	tree["svc/prod.env"] = &fstest.MapFile{Data: encrypted}
	got, err := mapping.Discover(tree)
	want := []string{".env", ".env.staging", "svc/.env.production", "svc/prod.env"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Discover = %q, %v; want %q", got, err, want)
	}
}

func TestPropose(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file string
		want config.Mapping
	}{
		{".env", config.Mapping{SecretName: "my-app-key", Folder: ".", EnvFile: ".env"}},
		{".env.staging", config.Mapping{SecretName: "my-app-staging-key", Folder: ".", EnvFile: ".env.staging", Environment: "staging"}},
		{"services/API/.env.prod.eu", config.Mapping{SecretName: "my-app-services-api-prod-eu-key", Folder: "services/API", EnvFile: ".env.prod.eu", Environment: "prod.eu"}},
		{"a/prod.env", config.Mapping{SecretName: "my-app-a-prod-env-key", Folder: "a", EnvFile: "prod.env"}},
		{".env.TAKEN", config.Mapping{SecretName: "my-app-taken-3-key", Folder: ".", EnvFile: ".env.TAKEN", Environment: "TAKEN"}},
	}
	for _, tt := range tests {
		if got := mapping.Propose("My_App", tt.file, []config.Mapping{{SecretName: "my-app-taken-key"}, {SecretName: "my-app-taken-2-key"}}); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Propose(My_App, %s) = %+v; want %+v", tt.file, got, tt.want)
		}
	}
}

func TestPointerIsNoEnvFile(t *testing.T) {
	t.Parallel()
	pointer := []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
	if _, err := mapping.ParseEnvFile(".env", pointer); !errors.Is(err, mapping.ErrPointer) {
		t.Errorf("ParseEnvFile of a pointer = %v; want ErrPointer", err)
	}
	if mapping.IsPointer([]byte("VERSION=https://git-lfs.github.com/spec/\n")) {
		t.Error("IsPointer of an assignment = true; want false")
	}
}

// TestProposeNames: no two files get one secret.
func TestProposeNames(t *testing.T) {
	t.Parallel()
	var mappings []config.Mapping
	for _, tt := range [][2]string{{"a-b/.env", "app-a-b-key"}, {"a/b/.env", "app-a-b-2-key"}, {"a/.env.b", "app-a-b-3-key"}} {
		m := mapping.Propose("app", tt[0], mappings)
		if m.SecretName != tt[1] {
			t.Errorf("Propose(%s) names %s; want %s", tt[0], m.SecretName, tt[1])
		}
		mappings = append(mappings, m)
	}
}
