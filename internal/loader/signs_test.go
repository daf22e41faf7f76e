package loader_test

import (
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/envdrift/envdrift/internal/loader"
)

func TestSigns(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, text string
		want             string // the loader; "" for none
	}{
		{"Next", "package.json", `{"dependencies": {"next": "^16"}}`, "next"},
		{"Vite", "package.json", `{"devDependencies": {"vite" : "8"}}`, "vite"},
		{"a plug-in of Vite", "package.json", `{"devDependencies": {"vite-plugin-x": "8"}}`, ""},
		{"Node's flag", "package.json", `{"scripts": {"start": "node --env-file=.env app.js"}}`, "node"},
		{"Bun", "bun.lock", `{}`, "bun"},
		{"Deno", "deno.jsonc", `{"tasks": {"dev": "deno run --env-file main.ts"}}`, "deno"},
		{"PEP 621", "pyproject.toml", "[project]\ndependencies = [\"python-dotenv>=1\"]\n", "python-dotenv"},
		{"Poetry", "pyproject.toml", "[tool.poetry.dependencies]\npydantic-settings = \"^2\"\n", "python-dotenv"},
		{"another package", "pyproject.toml", "[project]\ndependencies = [\"my-python-dotenv\"]\n", ""},
		{"requirements", "requirements-dev.txt", "flask\npython-dotenv==1.2.4\n", "python-dotenv"},
		{"Compose", "compose.yaml", "services:\n  a:\n    env_file: .env\n", "compose"},
		{"Compose's variables", "docker-compose.prod.yml", "services:\n  a:\n    image: a:${TAG}\n", "compose"},
		{"Compose without", "compose.yml", "services:\n  a:\n    image: a\n", ""},
		{"Go", "go.mod", "require github.com/joho/godotenv v1.5.1\n", "godotenv"},
		{"Rust", "Cargo.toml", "[dependencies]\ndotenvy = \"0.15\"\n", "dotenvy"},
		{"Ruby", "Gemfile", "gem 'dotenv-rails'\n", "ruby"},
		{"PHP", "composer.json", `{"require": {"vlucas/phpdotenv": "^5"}}`, "php"},
		{"Java", "pom.xml", "<artifactId>dotenv-java</artifactId>", "java"},
		{"systemd", "app.service", "[Service]\nEnvironmentFile=/srv/app/.env\n", "systemd"},
		{"another file", "notes.txt", "gem 'dotenv' --env-file=.env", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fstest.MapFS{tt.file: {Data: []byte(tt.text)}, "svc/a/.env": {}}
			found, err := loader.Signs(fsys, "svc/a")
			if err != nil {
				t.Fatal(err)
			}
			var want []loader.Sign
			if tt.want != "" {
				want = []loader.Sign{{Loader: tt.want, File: tt.file}}
			}
			if !slices.Equal(found, want) {
				t.Errorf("Signs = %v; want %v", found, want)
			}
		})
	}
}

// The nearest sign of each loader counts, and what is beside the folder does not.
func TestNearestSigns(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"package.json":     {Data: []byte(`{"dependencies": {"next": "16"}}`)},
		"svc/package.json": {Data: []byte(`{"dependencies": {"next": "15", "vite": "8"}}`)},
		"web/bun.lock":     {Data: []byte(`{}`)},
	}
	found, err := loader.Signs(fsys, "svc")
	if want := []loader.Sign{{"next", "svc/package.json"}, {"vite", "svc/package.json"}}; err != nil || !slices.Equal(found, want) {
		t.Errorf("Signs = %v, %v; want %v", found, err, want)
	}
}

// unreadable is a file system in which a file is listed, and cannot be read.
type unreadable struct {
	fstest.MapFS
	file string
}

func (u unreadable) ReadFile(name string) ([]byte, error) {
	if name == u.file {
		return nil, fs.ErrPermission
	}
	return u.MapFS.ReadFile(name)
}

func TestUnreadableSign(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"compose.yaml": {Data: []byte("env_file: .env")}, "go.mod": {Data: []byte("github.com/joho/godotenv")}}
	found, err := loader.Signs(unreadable{files, "compose.yaml"}, ".")
	if want := []loader.Sign{{"godotenv", "go.mod"}}; err != nil || !slices.Equal(found, want) {
		t.Errorf("Signs = %v, %v; want %v", found, err, want)
	}
}
