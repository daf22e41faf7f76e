//go:build unix

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

const setupScript = "../../scripts/setup-envdrift"

// shellOf returns the text of a block of a YAML file: the lines below the one that
// ends with start, without their indentation.
func shellOf(t *testing.T, file, start string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), start+"\n")
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	if !found || indent == "" {
		t.Fatalf("%s has no block %q", file, start)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, indent) && strings.TrimSpace(line) != "" {
			break
		}
		lines = append(lines, strings.TrimPrefix(line, indent))
	}
	return strings.TrimRight(strings.Join(lines, ""), "\n") + "\n"
}

// A release is a server of one release, as an archive of programs and its checksums.
type release struct {
	archive   []byte
	checksums string
}

func (r *release) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	switch q.URL.Path {
	case "/v0.1.0/SHA256SUMS":
		fmt.Fprint(w, r.checksums)
	case "/v0.1.0/" + archiveName:
		w.Write(r.archive)
	default:
		http.NotFound(w, q)
	}
}

var archiveName = fmt.Sprintf("envdrift_0.1.0_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)

func newRelease(t *testing.T, programs ...string) *release {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	out := tar.NewWriter(z)
	for _, name := range programs {
		text := "#!/bin/sh\necho envdrift 0.1.0\n"
		out.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg})
		out.Write([]byte(text))
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r := &release{archive: buf.Bytes()}
	r.checksums = fmt.Sprintf("%064d  another.tar.gz\n%s  %s\n", 0, r.sum(), archiveName)
	return r
}

func (r *release) sum() string { return fmt.Sprintf("%x", sha256.Sum256(r.archive)) }

// TestSetupAction runs the shell of action.yml, and the script that it calls, with a
// release on this machine.
func TestSetupAction(t *testing.T) {
	t.Parallel()
	all := []string{"envdrift", "envdrift-vault-aws", "envdrift-vault-azure", "envdrift-vault-gcp", "envdrift-vault-hashicorp", "LICENSE"}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	action, component := shellOf(t, "../../action.yml", "the runner's own"), shellOf(t, "../../templates/envdrift/template.yml", "    - |")
	for name, c := range map[string]struct {
		change func(*release)
		env    []string
		want   string // "" if all is installed
	}{
		"right":       {},
		"right, sum":  {env: []string{"ENVDRIFT_SHA256=SUM"}},
		"upper case":  {env: []string{"ENVDRIFT_SHA256=UPPER"}},
		"blank sum":   {env: []string{"ENVDRIFT_SHA256= "}, want: "nothing is installed"},
		"attest yes":  {env: []string{"ENVDRIFT_ATTESTATION=yes"}, want: "true or false"},
		"no release":  {env: []string{"ENVDRIFT_VERSION=v0.2.0"}, want: "is there a release v0.2.0?"},
		"no version":  {env: []string{"ENVDRIFT_VERSION=main"}, want: `"main" is no version`},
		"empty":       {env: []string{"ENVDRIFT_VERSION="}, want: "set the input version to a release"},
		"attested":    {env: []string{"ENVDRIFT_ATTESTATION=true", "GH=true"}},
		"unattested":  {env: []string{"ENVDRIFT_ATTESTATION=true", "GH=false"}, want: "nothing is installed"},
		"path":        {env: []string{"ENVDRIFT_VERSION=0.1.0/../../x"}, want: "is no version"},
		"plain http":  {env: []string{"ENVDRIFT_DOWNLOADS=http://example.com"}, want: "only https"},
		"changed":     {change: func(r *release) { r.archive = newRelease(t, "envdrift").archive }, want: "nothing is installed"},
		"other sum":   {env: []string{"ENVDRIFT_SHA256=" + strings.Repeat("0", 64)}, want: "nothing is installed"},
		"not listed":  {change: func(r *release) { r.checksums = strings.Repeat("0", 64) + "  another.tar.gz\n" }, want: "does not list"},
		"twice":       {change: func(r *release) { r.checksums += r.checksums }, want: "does not list"},
		"no checksum": {change: func(r *release) { r.checksums = "<html>" }, want: "does not list"},
		"incomplete":  {change: func(r *release) { *r = *newRelease(t, "envdrift") }, want: "does not contain envdrift-vault-aws"},
	} {
		for kind, script := range map[string]string{"action": action, "component": component} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				r, dir := newRelease(t, all...), t.TempDir()
				if c.change != nil {
					c.change(r)
				}
				server := httptest.NewServer(r)
				defer server.Close()
				bin := filepath.Join(dir, "programs of envdrift")
				gh := "#!/bin/sh\n[ \"$1 $2 $4 $5\" = 'attestation verify --repo envdrift/envdrift' ] && tar -tzf \"$3\" && $GH\n"
				if err := os.WriteFile(filepath.Join(dir, "gh"), []byte(gh), 0o700); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("bash", "-eo", "pipefail", "-c", script)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "ENVDRIFT_FROM=release", "ENVDRIFT_VERSION=v0.1.0", "ENVDRIFT_BIN="+bin, "ENVDRIFT_DOWNLOADS="+server.URL, "ENVDRIFT_SHA256=",
					"GITHUB_ACTION_PATH="+root, "GITHUB_PATH="+dir+"/path", "GITHUB_OUTPUT="+dir+"/output")
				for _, v := range c.env {
					cmd.Env = append(cmd.Env, strings.NewReplacer("SUM", r.sum(), "UPPER", strings.ToUpper(r.sum())).Replace(v))
				}
				out, err := cmd.CombinedOutput()
				if (err == nil) != (c.want == "") || !strings.Contains(string(out), c.want) {
					t.Fatalf("%v\n%s\nwant %q", err, out, c.want)
				}
				installed, _ := filepath.Glob(bin + "/*")
				if want := len(all) - 1; c.want == "" && len(installed) != want {
					t.Errorf("%d programs; want %d", len(installed), want)
				}
				if path, _ := os.ReadFile(dir + "/path"); kind == "action" && (string(path) == bin+"\n") != (c.want == "") {
					t.Errorf("the PATH gets %q", path)
				}
				if strings.Contains(c.want, "nothing is installed") && len(installed) > 0 {
					t.Errorf("installed: %q", installed)
				}
			})
		}
	}
}

// The shell builds its own commit where there is no release.
func TestSetupActionFromSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := "#!/bin/sh\necho \"$PWD: $CGO_ENABLED $*\"; mkdir -p \"$GOBIN\"; cp \"$0\" \"$GOBIN/envdrift\"\n"
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(from string, env ...string) (string, error) {
		cmd := exec.Command("bash", "-eo", "pipefail", "-c", shellOf(t, "../../action.yml", "the runner's own"))
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "ENVDRIFT_FROM="+from, "ENVDRIFT_BIN="+dir+"/bin",
			"GITHUB_ACTION_PATH="+dir, "GITHUB_PATH="+dir+"/path", "GITHUB_OUTPUT="+dir+"/output")
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("source"); err != nil || !strings.Contains(out, dir+": 0 install ") || !strings.Contains(out, " ./cmd/...\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run("source", "ENVDRIFT_ATTESTATION=true"); err == nil || !strings.Contains(out, "there is no archive") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run("elsewhere"); err == nil || !strings.Contains(out, "release or source") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The component cannot refer to a file, so it has the text of the script.
func TestComponentHasTheScript(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(setupScript)
	if err != nil {
		t.Fatal(err)
	}
	const file = "../../templates/envdrift/template.yml"
	want := "(\n" + string(script) + ")\n"
	got := shellOf(t, file, "    - |")
	if got == want {
		return
	}
	if !*update {
		t.Fatal("the component has another text than scripts/setup-envdrift: go test ./cmd/envdrift -run TestComponentHasTheScript -update")
	}
	indented := func(s string) string { return regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(s, "      $1") }
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), indented(got), indented(want), 1))
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is shown and what calls itself name one release of the actions.
func TestActionsNameOneRelease(t *testing.T) {
	t.Parallel()
	found := map[string][]string{}
	for _, file := range []string{"../../README.md", "../../docs/ci.md", "../../.github/workflows/verify.yml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`envdrift/envdrift[\w./-]*@(\S+)|version: (v[0-9.]+)`).FindAllStringSubmatch(string(data), -1) {
			version := strings.TrimPrefix(strings.Trim(m[1]+m[2], "`})"), "v")
			found[version] = append(found[version], file)
		}
	}
	if len(found) != 1 {
		t.Errorf("%v; want one release", found)
	}
}
