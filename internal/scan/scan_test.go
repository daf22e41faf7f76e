package scan_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/scan"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/all"
)

// A desk is a repository with an encrypted env file, whose key is at hand.
type desk struct {
	tb     testing.TB
	dir    string
	env    map[string]string
	values []string
}

func newDesk(tb testing.TB, r *rand.Rand, values int) *desk {
	tb.Helper()
	dir, err := filepath.EvalSymlinks(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	d := &desk{tb: tb, dir: dir, env: map[string]string{"HOME": dir, "PATH": os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM": "1"}}
	var text strings.Builder
	for i := range values {
		d.values = append(d.values, token(r))
		fmt.Fprintf(&text, "NAME_%d='%s'\n", i, d.values[i])
	}
	key, err := ecies.GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	doc, _, err := dotenv.Parse([]byte(text.String())).Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
	if err != nil {
		tb.Fatal(err)
	}
	d.write(".env", string(doc.Bytes()))
	d.write(".env.keys", "DOTENV_PRIVATE_KEY="+ecies.Keys{key}.Reveal()+"\n")
	d.git("init", "-q", "-b", "main")
	d.git("add", ".env")
	d.git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "-m", "first")
	return d
}

func token(r *rand.Rand) string {
	const from = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=&-_" \`
	text := make([]byte, 8+r.IntN(40))
	for i := range text {
		text[i] = from[r.IntN(len(from)-3*(1-min(1, i)))] // a blank or a quote is not the first
	}
	return string(text) + "z"
}

func (d *desk) write(name, text string) {
	d.tb.Helper()
	file := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		d.tb.Fatal(err)
	}
}

func (d *desk) git(args ...string) {
	d.tb.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = d.dir
	for name, value := range d.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		d.tb.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func (d *desk) open() *workspace.Workspace {
	d.tb.Helper()
	o := workspace.Options{Dir: d.dir, Env: d.env, Consent: workspace.Never}
	o.Overrides.Providers = all.Providers()
	w, err := workspace.Open(o)
	if err != nil {
		d.tb.Fatal(err)
	}
	return w
}

func (d *desk) search(s scan.Scope) *scan.Result {
	d.tb.Helper()
	w := d.open()
	result, err := scan.Search(d.tb.Context(), w, s)
	if err = errors.Join(err, w.Close()); err != nil {
		d.tb.Fatal(err)
	}
	return result
}

// plant writes files of source code, of which each that is to have one has a value,
// and returns where: FILE:LINE NAME.
func (d *desk) plant(r *rand.Rand, files, planted int) (want []string) {
	forms := []func(string) string{
		func(s string) string { return s },
		func(s string) string { return base64.StdEncoding.EncodeToString([]byte("user:" + s)) },
		url.QueryEscape,
		func(s string) string { text, _ := json.Marshal(s); return string(text) },
	}
	const line = "\tif err := json.Unmarshal([]byte(`{\"a\": \"b\\n\"}`), &v); err != nil && a+b%c == 3 { // a comment"
	for i := range files {
		lines := append(slices.Repeat([]string{line}, 100), fmt.Sprint("// ", i)) // no content twice
		name := fmt.Sprintf("src/f%d.go", i)
		if i < planted {
			at, value := r.IntN(len(lines)), r.IntN(len(d.values))
			lines[at] += " " + forms[r.IntN(len(forms))](d.values[value]) + " "
			want = append(want, fmt.Sprintf("%s:%d NAME_%d", name, at+1, value))
		}
		d.write(name, strings.Join(lines, "\n"))
	}
	d.git("add", "src")
	slices.Sort(want)
	return want
}

// In whatever scope, what was planted is found, and nothing else.
func TestPlantedFiles(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	d := newDesk(t, r, 100)
	want := d.plant(r, 80, 60)
	check := func(s scan.Scope) {
		t.Helper()
		var got []string
		for _, f := range d.search(s).Findings {
			for _, v := range f.Values {
				got = append(got, fmt.Sprintf("%s:%d %s", f.File, f.Line, v.Name))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%+v: found\n%q; want\n%q", s, got, want)
		}
	}
	check(scan.Scope{})
	check(scan.Scope{Staged: true})
	check(scan.Scope{Files: []string{"src"}})
	d.git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "-m", "planted")
	check(scan.Scope{Rev: "HEAD"})
	check(scan.Scope{Rev: "HEAD~1..HEAD"})
}

// A search that ends early does not return what looks like all.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	d := newDesk(t, r, 3)
	d.plant(r, 3, 0)
	w := d.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, s := range []scan.Scope{{}, {Staged: true}, {Rev: "HEAD"}} {
		if _, err := scan.Search(ctx, w, s); err == nil {
			t.Errorf("%+v: no error from a search that was cancelled", s)
		}
	}
}

// BenchmarkStaged searches 1,000 staged files, 10 MB, for 1,000 values, which it has to
// decrypt.
func BenchmarkStaged(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	d := newDesk(b, r, 1000)
	d.plant(r, 1000, 0)
	for b.Loop() {
		if result := d.search(scan.Scope{Staged: true}); len(result.Findings) > 0 || result.Contents != 1000 || result.Values < 1000 {
			b.Fatal(result)
		}
	}
}

// A merge adds what neither side has: not what it brings from the other one.
func TestMerges(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rand.New(rand.NewPCG(3, 4)), 3)
	commit := func(message string) {
		d.git("add", "-A", ":!.env.keys")
		d.git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", message)
	}
	places := func(s scan.Scope) (list []string) {
		for _, f := range d.search(s).Findings {
			list = append(list, fmt.Sprint(f.File, ":", f.Line))
		}
		return list
	}
	d.write("both", "one\ntwo\nthree\n")
	commit("base")
	d.git("checkout", "-q", "-b", "side")
	d.write("both", "one "+d.values[0]+"\ntwo\nthree\n")
	d.write("theirs", d.values[1])
	commit("side")
	d.git("checkout", "-q", "main")
	d.write("both", "one\ntwo\nthree more\n")
	commit("main")
	d.git("-c", "user.name=x", "-c", "user.email=x@y", "merge", "-q", "--no-commit", "side")
	if got := places(scan.Scope{Staged: true}); got != nil {
		t.Errorf("a merge as git makes it adds %q; want nothing", got)
	}
	d.write("both", "one "+d.values[0]+"\ntwo "+d.values[2]+"\nthree more\n")
	d.git("add", "both")
	if got, want := places(scan.Scope{Staged: true}), []string{"both:2"}; !slices.Equal(got, want) {
		t.Errorf("an edited merge adds %q; want %q", got, want)
	}
	commit("merge")
	if got, want := places(scan.Scope{Rev: "HEAD^1..HEAD"}), []string{"both:1", "theirs:1", "both:2"}; !slices.Equal(got, want) {
		t.Errorf("the merge and what it brings add %q; want %q", got, want)
	}
}
