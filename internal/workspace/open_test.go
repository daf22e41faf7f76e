package workspace_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/workspace"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		files   []string // each the configuration, or a folder if it ends in "/"
		options workspace.Options
		env     map[string]string // paths relative to the place

		wantTop, wantBase, wantConfig string
	}{
		{name: "nothing", wantTop: ".", wantBase: "."},
		{name: "a repository without configuration", files: []string{".git/", "a/b/"}, options: workspace.Options{Dir: "a/b"}, wantTop: ".", wantBase: "."},
		{name: "configuration at the top", files: []string{".git/", "envdrift.toml"}, wantTop: ".", wantBase: ".", wantConfig: "envdrift.toml"},
		{name: "configuration above", files: []string{".git/", "a/envdrift.toml", "a/b/c/"}, options: workspace.Options{Dir: "a/b/c"}, wantTop: ".", wantBase: "a", wantConfig: "a/envdrift.toml"},
		{name: "configuration above, no repository", files: []string{"a/envdrift.toml", "a/b/c/"}, options: workspace.Options{Dir: "a/b/c"}, wantTop: "a", wantBase: ".", wantConfig: "a/envdrift.toml"},
		{name: "configuration above the repository does not count", files: []string{"envdrift.toml", "a/.git/"}, options: workspace.Options{Dir: "a"}, wantTop: "a", wantBase: "."},
		{name: "the nearest configuration", files: []string{".git/", "envdrift.toml", "a/envdrift.toml"}, options: workspace.Options{Dir: "a"}, wantTop: ".", wantBase: "a", wantConfig: "a/envdrift.toml"},
		{name: "a work tree of another clone", files: []string{".git", "envdrift.toml"}, wantTop: ".", wantBase: ".", wantConfig: "envdrift.toml"},
		{name: "-c, relative", files: []string{".git/", "a/", "b/other.toml"}, options: workspace.Options{Dir: "a", ConfigFile: "../b/other.toml"}, wantTop: ".", wantBase: "b", wantConfig: "b/other.toml"},
		{name: "-c into another repository", files: []string{"a/.git/", "b/.git/", "b/envdrift.toml"}, options: workspace.Options{Dir: "a", ConfigFile: "../b/envdrift.toml"}, wantTop: "b", wantBase: ".", wantConfig: "b/envdrift.toml"},
		{name: "GIT_WORK_TREE and GIT_DIR", files: []string{"a/b/", "envdrift.toml"}, options: workspace.Options{Dir: "a/b"}, env: map[string]string{"GIT_WORK_TREE": ".", "GIT_DIR": "elsewhere"}, wantTop: ".", wantBase: ".", wantConfig: "envdrift.toml"},
		{name: "GIT_WORK_TREE alone does not count", files: []string{"a/.git/", "envdrift.toml"}, options: workspace.Options{Dir: "a"}, env: map[string]string{"GIT_WORK_TREE": "."}, wantTop: "a", wantBase: "."},
		{name: "GIT_WORK_TREE that is not there", files: []string{"a/.git/"}, options: workspace.Options{Dir: "a"}, env: map[string]string{"GIT_WORK_TREE": "none", "GIT_DIR": "elsewhere"}, wantTop: "a", wantBase: "."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			for _, file := range tt.files {
				if strings.HasSuffix(file, "/") {
					p.mkdir(file)
				} else {
					p.write(file, mapped)
				}
			}
			for name, value := range tt.env {
				p.env[name] = p.path(value)
			}
			w := p.open(func(o *workspace.Options) {
				o.Dir, o.ConfigFile = p.path(tt.options.Dir), tt.options.ConfigFile
			})
			wantConfig, wantDebugs := "", []string(nil)
			if tt.wantConfig != "" {
				wantConfig = p.path(tt.wantConfig)
				wantDebugs = []string{"configuration: " + wantConfig}
			}
			if w.Top != p.path(tt.wantTop) || w.Base != tt.wantBase || w.Config.File != wantConfig {
				t.Errorf("Open = top %s, base %s, configuration %q; want %s, %s, %q", w.Top, w.Base, w.Config.File, p.path(tt.wantTop), tt.wantBase, wantConfig)
			}
			if w.Cwd() != p.path(tt.options.Dir) {
				t.Errorf("Cwd() = %s; want the directory where the work begins, %s", w.Cwd(), p.path(tt.options.Dir))
			}
			if !reflect.DeepEqual(p.user.debugs, wantDebugs) {
				t.Errorf("Open showed %q; want %q", p.user.debugs, wantDebugs)
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, content, dir, configFile string
		want                           string // in the error
	}{
		{name: "broken configuration", content: "[vault\n", want: "TOML syntax"},
		{name: "unknown key", content: "colour = 1\n", want: "colour"},
		{name: "-c to a file that is not there", configFile: "none.toml", want: "there is no such file"},
		{name: "-c to a folder that is not there", configFile: "none/envdrift.toml", want: "there is no such folder"},
		{name: "a directory that is not there", dir: "none", want: "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			if tt.content != "" {
				p.write("envdrift.toml", tt.content)
			}
			o := p.options()
			o.Dir, o.ConfigFile = p.path(tt.dir), tt.configFile
			w, err := workspace.Open(o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %v, %v; want an error with %q", w, err, tt.want)
			}
		})
	}
}

// A program without a user needs no UI of its own.
func TestOpenWithoutUI(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("envdrift.toml", mapped)
	p.vaults.at("").secrets["api"] = newKey(t).Reveal()
	p.write("api/.env", "A=1\n")
	w := p.open(func(o *workspace.Options) { o.UI = nil })
	w.Debug("shown to nobody")
	if got := w.Fetch(t.Context(), targets(t, w)); len(got) != 1 || got[0].Err != nil {
		t.Errorf("Fetch without a UI = %+v; want one key", got)
	}
}

func TestAccessors(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.env["NAME"] = "value"
	p.write("a.txt", "x")
	w := p.open(func(o *workspace.Options) { o.Overrides.Provider = "local" })
	if got := w.Getenv("NAME"); got != "value" {
		t.Errorf("Getenv(NAME) = %q; want value", got)
	}
	if got := w.Env()["NAME"]; got != "value" {
		t.Errorf("Env()[NAME] = %q; want value", got)
	}
	if got := w.Overrides().Provider; got != "local" {
		t.Errorf("Overrides().Provider = %q; want local", got)
	}
	if got := w.Config.Vault.Provider; got != "local" {
		t.Errorf("without a file, the vault's provider = %q; want what the command line says, local", got)
	}
	if _, err := fs.Stat(w.Files(), "a.txt"); err != nil {
		t.Errorf("Files: %v; want the working tree", err)
	}
	if _, err := w.Root().Stat("a.txt"); err != nil {
		t.Errorf("Root: %v; want the working tree", err)
	}
}

func TestInside(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mkdir(".git")
	p.mkdir("a/b")
	p.mkdir("../outside")
	if err := os.Symlink(p.path("a/b"), p.path("link")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(p.path("../outside"), p.path("out")); err != nil {
		t.Fatal(err)
	}
	w := p.open(func(o *workspace.Options) { o.Cwd = p.path("a") })
	tests := []struct {
		name, file, want string // "" for an error
	}{
		{"in the current directory", ".env", "a/.env"},
		{"below", "b/.env", "a/b/.env"},
		{"above", "../.env", ".env"},
		{"the directory itself", ".", "a"},
		{"the top", "..", "."},
		{"a folder that is not there", "none/.env", "a/none/.env"},
		{"absolute", p.path("a/b/.env"), "a/b/.env"},
		{"through a link inside", "../link/.env", "a/b/.env"},
		{"a link itself", "../out", "out"},
		{"outside", "../../.env", ""},
		{"absolute, outside", filepath.Dir(p.dir), ""},
		{"through a link that leads out", "../out/.env", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := w.Inside(tt.file)
			outside := (*workspace.OutsideError)(nil)
			if got != tt.want || errors.As(err, &outside) != (tt.want == "") {
				t.Errorf("Inside(%q) = %q, %v; want %q", tt.file, got, err, tt.want)
			}
		})
	}
}

func TestOutsideError(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, err := p.open().Inside("../other/.env")
	outside := (*workspace.OutsideError)(nil)
	if !errors.As(err, &outside) {
		t.Fatalf("Inside(../other/.env) = %v; want an OutsideError", err)
	}
	if want := p.path("../other"); outside.Dir != want {
		t.Errorf("Dir = %s; want %s", outside.Dir, want)
	}
	if want := "../other/.env is outside " + p.dir; err.Error() != want {
		t.Errorf("Error() = %q; want %q", err, want)
	}
}

func TestRelPath(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mkdir("a")
	p.mkdir(".git")
	w := p.open(func(o *workspace.Options) { o.Cwd = p.path("a") })
	tests := []struct{ name, file, want string }{
		{"beside", "a/.env", ".env"},
		{"above", ".env", filepath.FromSlash("../.env")},
		{"elsewhere", "b/c/.env", filepath.FromSlash("../b/c/.env")},
		{"none", "", ""},
		{"absolute", p.path("b/.env"), p.path("b/.env")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := w.RelPath(tt.file); got != tt.want {
				t.Errorf("RelPath(%q) = %q; want %q", tt.file, got, tt.want)
			}
		})
	}
}

const profiles = mapped + `[[vault.sync.mappings]]
secret_name = "api-dev"
folder_path = "api"
profile = "dev"
[[vault.sync.mappings]]
secret_name = "deep"
folder_path = "web"
env_file = "deploy/app.env"
`

func TestMapped(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, config, profile string
		want                  string // "secret file" of each
		wantErr               string
	}{
		{name: "no configuration", wantErr: config.ErrNoConfig.Error()},
		{name: "no mapping", config: "[vault]\n", wantErr: "there are none"},
		{name: "no profile", config: profiles, want: "api svc/api/.env, deep svc/web/deploy/app.env"},
		{name: "a profile's too", config: profiles, profile: "dev", want: "api svc/api/.env, api-dev svc/api/.env.dev, deep svc/web/deploy/app.env"},
		{name: "unknown profile", config: profiles, profile: "div", wantErr: `no mapping has the profile "div" (did you mean "dev"?)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.mkdir(".git")
			p.mkdir("svc")
			if tt.config != "" {
				p.write("svc/envdrift.toml", tt.config)
			}
			for _, file := range []string{"svc/api/.env", "svc/api/.env.dev", "svc/web/deploy/app.env"} {
				p.write(file, "A=1\n")
			}
			w := p.open(func(o *workspace.Options) { o.Dir, o.Profile = p.path("svc"), tt.profile })
			got, err := w.Mapped()
			var list []string
			for _, target := range got {
				if target.Err != nil || target.Doc == nil {
					t.Errorf("target %s: document %v, %v; want what the file holds", target.File, target.Doc, target.Err)
				}
				list = append(list, target.Mapping.SecretName+" "+target.File)
			}
			if s := strings.Join(list, ", "); s != tt.want || (err != nil) != (tt.wantErr != "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("Mapped() = %q, %v; want %q, error %q", s, err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("envdrift.toml", profiles)
	for _, file := range []string{"api/.env", "api/.env.dev", "web/deploy/app.env", "web/.env"} {
		p.write(file, "A=1\n")
	}
	w := p.open()
	tests := []struct{ name, file, want string }{
		{"found by its folder", "api/.env", "api"},
		{"of a profile that was not asked for", "api/.env.dev", "api-dev"},
		{"env_file deeper than the folder", "web/deploy/app.env", "deep"},
		{"beside a mapped one", "web/.env", ""},
		{"not there", "api/.env.other", ""},
		{"elsewhere", "none/.env", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := w.Target(tt.file)
			if got.Mapping.SecretName != tt.want || ok != (tt.want != "") {
				t.Errorf("Target(%s) = secret %q, %t; want %q", tt.file, got.Mapping.SecretName, ok, tt.want)
			}
		})
	}
}

// A counting tree counts what is opened.
type counting struct {
	fstest.MapFS
	opened int
}

func (c *counting) Open(name string) (fs.File, error) {
	c.opened++
	return c.MapFS.Open(name)
}

// In a tree that does not change, targets are resolved once: the work for all of
// its files grows with their number, not with its square.
func TestTargetReadsOnce(t *testing.T) {
	t.Parallel()
	const files = 40
	for _, folder := range []string{"all", "s%d"} {
		p := newPlace(t)
		tree := &counting{MapFS: fstest.MapFS{}}
		var cfg strings.Builder
		names := make([]string, files)
		for i := range files {
			names[i] = strings.ReplaceAll(folder, "%d", strconv.Itoa(i)) + "/.env.e" + strconv.Itoa(i)
			tree.MapFS[names[i]] = &fstest.MapFile{Data: []byte("A=1\n")}
			fmt.Fprintf(&cfg, "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = %q\nenvironment = \"e%d\"\n", path.Dir(names[i]), i)
		}
		tree.MapFS["envdrift.toml"] = &fstest.MapFile{Data: []byte(cfg.String())}
		w, err := p.open().At(tree, ".")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if _, ok := w.Target(name); !ok {
				t.Errorf("Target(%q) is not found", name)
			}
		}
		if most := 4 * files; tree.opened > most {
			t.Errorf("%d files in %q: %d opened; want at most %d", files, folder, tree.opened, most)
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	other := strings.ReplaceAll(mapped, `"api"`, `"other"`)
	tests := []struct {
		name, dir string
		tree      map[string]string

		wantFile, wantBase, wantSecret string
		wantErr                        string
	}{
		{name: "in the folder", dir: "a", tree: map[string]string{"a/envdrift.toml": mapped, "envdrift.toml": other}, wantFile: "a/envdrift.toml", wantBase: "a", wantSecret: "api"},
		{name: "above", dir: "a/b/c", tree: map[string]string{"a/envdrift.toml": mapped}, wantFile: "a/envdrift.toml", wantBase: "a", wantSecret: "api"},
		{name: "at the top", dir: "a", tree: map[string]string{"envdrift.toml": other}, wantFile: "envdrift.toml", wantBase: ".", wantSecret: "other"},
		{name: "pyproject.toml", dir: ".", tree: map[string]string{"pyproject.toml": "[[tool.envdrift.vault.sync.mappings]]\nsecret_name = \"py\"\nfolder_path = \"api\"\n"}, wantFile: "pyproject.toml", wantBase: ".", wantSecret: "py"},
		{name: "somebody else's pyproject.toml", dir: "a", tree: map[string]string{"a/pyproject.toml": "[tool.black]\n", "envdrift.toml": mapped}, wantFile: "envdrift.toml", wantBase: ".", wantSecret: "api"},
		{name: "none", dir: "a", tree: map[string]string{"a/.env": "A=1\n"}, wantBase: "."},
		{name: "broken", dir: "a", tree: map[string]string{"a/envdrift.toml": "[", "envdrift.toml": mapped}, wantErr: "TOML syntax"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write("envdrift.toml", strings.ReplaceAll(mapped, `"api"`, `"working-tree"`))
			w := p.open()
			tree := fstest.MapFS{}
			for name, content := range tt.tree {
				tree[name] = &fstest.MapFile{Data: []byte(content)}
			}
			got, err := w.At(tree, tt.dir)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("At(%s) = %v; want an error with %q", tt.dir, err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatalf("At(%s) = %v", tt.dir, err)
			}
			wantFile, secretName := "", ""
			if tt.wantFile != "" {
				wantFile = p.path(tt.wantFile)
			}
			if len(got.Config.Mappings) > 0 {
				secretName = got.Config.Mappings[0].SecretName
			}
			if got.Config.File != wantFile || got.Base != tt.wantBase || secretName != tt.wantSecret {
				t.Errorf("At(%s) = configuration %q, base %s, secret %q; want %q, %s, %q",
					tt.dir, got.Config.File, got.Base, secretName, wantFile, tt.wantBase, tt.wantSecret)
			}
			if w.Config.Mappings[0].SecretName != "working-tree" || w.Base != "." {
				t.Errorf("after At, the workspace itself has %q, base %s; want what it had", w.Config.Mappings[0].SecretName, w.Base)
			}
		})
	}
}

// What At returns reads the files of the tree, not those of the working tree.
func TestAtReadsTheTree(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("envdrift.toml", mapped)
	p.write("api/.env", "A=working tree\n")
	tree := fstest.MapFS{"envdrift.toml": {Data: []byte(mapped)}, "api/.env": {Data: []byte("A=tree\n")}}
	at, err := p.open().At(tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	got, err := at.Mapped()
	if err != nil || len(got) != 1 || got[0].Doc == nil {
		t.Fatalf("Mapped() = %v, %v; want one target", got, err)
	}
	if e, _ := got[0].Doc.Get("A"); e.Value != "tree" {
		t.Errorf("A = %q; want that of the tree", e.Value)
	}
}
