//go:build integration

package loader

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/secret"
)

// The commands of scripts/install-loaders that a model stands for. Those that start a
// program for each file get fewer of them. That of ruby3 was compared with its source.
var commands = map[string][]string{
	"bun": {"bun"}, "compose": {"compose"}, "deno": {"deno"}, "docker": {"docker"}, "dotenv": {"dotenv16", "dotenv17", "dotenv18"},
	"dotenv-expand": {"dotenv-expand"}, "dotenvy": {"just", "uv"}, "godotenv": {"godotenv"}, "java": {"java"}, "next": {"next"},
	"node": {"node20", "node26"}, "php": {"phpdotenv", "symfony"}, "python-dotenv": {"environs", "pydantic-settings", "python-dotenv"},
	"ruby": {"ruby"}, "ruby2": {"ruby"}, "sh": {"bash", "dash"}, "systemd": {"systemd"}, "vite": {"vite"},
}

var slow = []string{"bun", "deno", "just", "uv", "bash", "dash"}

// bin returns the path of a command. What apt or Maven brings may be missing, but
// not in CI.
func bin(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("LOADERS")
	if dir == "" {
		t.Fatal("LOADERS is not set: see scripts/install-loaders")
	}
	path := filepath.Join(dir, "bin", name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("skipped: %s is not installed", name)
	}
	return path
}

// A testValue is a value of a kind.
type testValue struct {
	Name, Kind, Value string
	Repeat            int
}

// known returns values as people have them.
func known(t *testing.T) []testValue {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "values.json"))
	if err != nil {
		t.Fatal(err)
	}
	var values []testValue
	if err := json.Unmarshal(data, &values); err != nil {
		t.Fatal(err)
	}
	for i := range values {
		values[i].Value += strings.Repeat("x", values[i].Repeat)
	}
	return values
}

// What random values are made of.
var alphabets = map[string]string{
	"plain": "abcXYZ019_./:@%+,=-", "blank": "ab1 \t", "shell": "ab1 ;&|<>()*!~?[]{}^#", "apostrophe": "ab1 '", "quote": "ab1 \"",
	"backtick": "ab1 `", "backslash": "anrtx1\\ ", "dollar": "aA1$ {}(_", "quotes": "ab1 '\"`", "quotes, backslash": "an1 '\"\\",
	"quotes, dollar": "aA1 '\"$", "backslash, dollar": "an1\\$ {}", "lines": "ab1 \n=#", "lines, quotes": "ab1 \n'\"", "lines, backslash": "an1 \n\\",
	"lines, dollar": "aA1 \n${}", "CR": "ab\r\n ", "not ASCII": "aé漢🔑\u00a0 ", "all": "aA1 '\"`\\$\n#{}=;&!",
}

// random returns n values, always the same for a seed.
func random(seed uint64, n int) []testValue {
	r := rand.New(rand.NewPCG(seed, 0))
	kinds := slices.Sorted(maps.Keys(alphabets))
	values := make([]testValue, n)
	for i := range values {
		kind := kinds[i%len(kinds)]
		letters := []rune(alphabets[kind])
		text := make([]rune, []int{1, 2, 3, 4, 6, 8, 12, 20}[r.IntN(8)])
		for k := range text {
			text[k] = letters[r.IntN(len(letters))]
		}
		values[i] = testValue{Name: kind + strconv.Itoa(i), Kind: kind, Value: string(text)}
	}
	return values
}

// files writes texts into files, each alone in a directory, behind an empty one, and
// returns their paths, one a line.
func files(t *testing.T, texts []string) string {
	t.Helper()
	dir := t.TempDir()
	var paths strings.Builder
	for i, text := range append([]string{""}, texts...) {
		file := filepath.Join(dir, strconv.Itoa(i), ".env")
		if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&paths, file)
	}
	return paths.String()
}

// run has a command read [files], and returns what each sets: nil for one that it
// refuses.
func run(t *testing.T, command, paths string) []map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bin(t, command))
	cmd.Stdin = strings.NewReader(paths)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%.2000s", command, err, stderr.String())
	}
	results := split(out)
	if want := strings.Count(paths, "\n"); len(results) != want {
		t.Fatalf("%s printed %d results for %d files", command, len(results), want)
	}
	for _, vars := range results[1:] {
		for name := range results[0] { // of the program itself
			delete(vars, name)
		}
		delete(vars, "_")
		delete(vars, "SHLVL")
	}
	return results[1:]
}

// split reads what a driver prints.
func split(out []byte) (results []map[string]string) {
	vars, refused := map[string]string{}, false
	for record := range bytes.SplitSeq(out, []byte{0}) {
		name, value, _ := strings.Cut(string(record), "=")
		switch {
		case len(record) == 0 && refused:
			results = append(results, nil)
			vars, refused = map[string]string{}, false
		case len(record) == 0:
			results = append(results, vars)
			vars = map[string]string{}
		case string(record) == "!":
			refused = true
		default:
			vars[name] = value
		}
	}
	return results[:len(results)-1] // behind the last NUL is nothing
}

// between returns a file with an assignment between two others.
func between(line string) string { return "B=before\n" + line + "Z=after\n" }

// isRight reports whether a file of [between] was read as it should.
func isRight(vars map[string]string, value string) bool {
	return maps.Equal(vars, map[string]string{"B": "before", "A": value, "Z": "after"})
}

// Wherever a model is sure, the real loader reads the same: of any spelling of any
// value, whoever wrote it, and of random text.
func TestModels(t *testing.T) {
	each(t, func(t *testing.T, l Loader, command string) {
		n := 200
		if slices.Contains(slow, command) {
			n = 20
		}
		var texts, want []string
		add := func(raw string) {
			if value, sure := l.Read(raw); sure {
				texts, want = append(texts, between("A="+raw+"\n")), append(want, value)
			}
		}
		for _, v := range random(1, n) {
			for raw := range spellings(v.Value) {
				add(raw)
			}
			add(v.Value)
			add(`"` + v.Value + `"`)
			add("'" + v.Value + "'")
		}
		texts, want = distinct(texts, want)
		wrong := 0
		for i, vars := range run(t, command, files(t, texts)) {
			if !isRight(vars, want[i]) {
				if wrong++; wrong <= 5 {
					t.Errorf("%s reads %q as %q; the model %q", command, texts[i], vars, want[i])
				}
			}
		}
		t.Logf("%d texts, %d wrong", len(texts), wrong)
	})
}

func distinct(texts, want []string) (a, b []string) {
	seen := map[string]bool{}
	for i, text := range texts {
		if !seen[text] {
			seen[text] = true
			a, b = append(a, text), append(b, want[i])
		}
	}
	return a, b
}

// What Line writes for a loader, that loader reads, whatever the value.
func TestLine(t *testing.T) {
	each(t, func(t *testing.T, l Loader, command string) {
		n := 2000
		if slices.Contains(slow, command) {
			n = 100
		}
		var texts, want []string
		refused := map[string]int{}
		for _, v := range append(known(t), random(2, n)...) {
			line, err := l.Line("A", secret.New(v.Value))
			if err != nil {
				refused[v.Kind]++
				continue
			}
			texts, want = append(texts, between(line)), append(want, v.Value)
		}
		for i, vars := range run(t, command, files(t, texts)) {
			if !isRight(vars, want[i]) {
				t.Errorf("%s reads %q as %q", command, texts[i], vars)
			}
		}
		t.Logf("%d lines; no spelling: %v", len(texts), refused)
	})
}

// Every name that a model takes, the real loader does.
func TestNames(t *testing.T) {
	each(t, func(t *testing.T, l Loader, command string) {
		var texts, names []string
		for _, name := range []string{"a", "_", "A1", "a.b", "A-B", "1A"} {
			if line, err := l.Line(name, secret.New("x")); err == nil {
				texts, names = append(texts, "B=before\n"+line+"Z=after\n"), append(names, name)
			}
		}
		for i, vars := range run(t, command, files(t, texts)) {
			if want := map[string]string{"B": "before", names[i]: "x", "Z": "after"}; !maps.Equal(vars, want) && names[i] != "_" {
				t.Errorf("%s reads %q as %q", command, texts[i], vars)
			}
		}
	})
}

// each runs test for every loader and each of its commands, on two cores.
func each(t *testing.T, test func(*testing.T, Loader, string)) {
	t.Parallel()
	for _, l := range All() {
		for _, command := range commands[l.Name] {
			t.Run(l.Name+"/"+command, func(t *testing.T) {
				t.Parallel()
				test(t, l, command)
			})
		}
	}
}
