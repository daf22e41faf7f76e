//go:build integration

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A dotenvxCase is one of internal/dotenv/testdata/parse.json: files, and the
// result of the real dotenvx 2.38.2.
type dotenvxCase struct {
	Name       string
	Src        *string
	SrcBase64  []byte
	Files      []struct{ Name, Src string }
	ProcessEnv map[string]string
	KeysFile   string
	Flags      struct{ BeforeFile, AfterFile []string }
	Expected   map[string]string
	Exit       int
}

// refused names the cases for which exec starts no program, with the reason.
// dotenvx passes what it made of the bytes.
var refused = map[string]string{
	"invalid utf8":              "not UTF-8",
	"utf16be bom":               "UTF-16",
	"utf16le crlf (PowerShell)": "UTF-16",
}

// foreign names the cases in which dotenvx does what envdrift does not.
var foreign = map[string]string{
	"enc command is executed":               "runs a command that an encrypted value holds",
	"cmd in pre-existing process env value": "runs a command that a process variable holds",
	"prototype bare":                        "finds a member of a JavaScript object instead of a variable",
}

// The child of "envdrift exec" has the environment of "dotenvx run", except for
// private keys. The real dotenvx, which is slow, runs for some of the cases.
// For the others its recorded result is used.
func TestExecAsDotenvx(t *testing.T) {
	t.Parallel()
	dotenvx := os.Getenv("DOTENVX_2_38_2")
	if dotenvx == "" {
		t.Fatal(`DOTENVX_2_38_2 is not set; run: eval "$(scripts/install-dotenvx DIR)"`)
	}
	cases := dotenvxCases(t)
	if len(cases) < 300 {
		t.Errorf("%d cases; want at least 300", len(cases))
	}
	const every = 7
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dir := c.write(t)
			got, err := c.child(t, dir, "envdrift", "exec")
			if reason, ok := refused[c.Name]; ok {
				if err == nil || !strings.Contains(err.Error(), reason) {
					t.Errorf("exec: %v; want a refusal: %s", err, reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			compareChild(t, got, c.want())
			if i%every == 0 {
				real, err := c.child(t, dir, dotenvx, "run", "--quiet")
				if err != nil {
					t.Fatal(err)
				}
				compareChild(t, got, real)
			}
		})
	}
}

// dotenvxCases returns the cases that dotenvx passes to a program without an
// error, and without running a command of the file.
func dotenvxCases(t *testing.T) []dotenvxCase {
	t.Helper()
	data, err := os.ReadFile("../../internal/dotenv/testdata/parse.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []dotenvxCase }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	named := func(name string) bool {
		return slices.ContainsFunc(file.Cases, func(c dotenvxCase) bool { return c.Name == name })
	}
	for _, exceptions := range []map[string]string{refused, foreign} {
		for name := range exceptions {
			if !named(name) {
				t.Errorf("%s is an exception and no case", name)
			}
		}
	}
	return slices.DeleteFunc(file.Cases, func(c dotenvxCase) bool {
		inline := slices.Contains(append(c.Flags.BeforeFile, c.Flags.AfterFile...), "--env") // another flag for envdrift
		return c.Exit != 0 || c.Expected == nil || inline || c.runsCommand() || foreign[c.Name] != ""
	})
}

func (c dotenvxCase) runsCommand() bool {
	text := string(c.SrcBase64)
	if c.Src != nil {
		text += *c.Src
	}
	for _, f := range c.Files {
		text += f.Src
	}
	return strings.Contains(text, "$(")
}

// write writes the files of the case to a directory.
func (c dotenvxCase) write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files := map[string][]byte{".env": c.SrcBase64}
	if c.Src != nil {
		files[".env"] = []byte(*c.Src)
	}
	for _, f := range c.Files {
		files[f.Name] = []byte(f.Src)
	}
	if c.KeysFile != "" {
		files[".env.keys"] = []byte(c.KeysFile)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// scrubbed returns the environment of both programs, in addition to the case's
// own.
func scrubbed(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GORACE=" + noRaceSleep,
		"DOTENVX_NO_ARMOR=true", "DOTENVX_NO_NATIVE=true",
	}
}

// child runs a program that prints its environment under argv, in dir.
func (c dotenvxCase) child(t *testing.T, dir string, argv ...string) (map[string]string, error) {
	t.Helper()
	argv = append(argv, c.Flags.BeforeFile...)
	for _, f := range c.Files {
		argv = append(argv, "-f", f.Name)
	}
	if c.Files == nil {
		argv = append(argv, "-f", ".env")
	}
	argv = append(append(argv, c.Flags.AfterFile...), "--", "env", "-0")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, scrubbed(dir)
	for name, value := range c.ProcessEnv {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, &childError{err, stderr.String()}
	}
	env := environment(strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"))
	for _, kv := range scrubbed("") {
		name, _, _ := strings.Cut(kv, "=")
		delete(env, name)
	}
	return env, nil
}

type childError struct {
	err    error
	stderr string
}

func (e *childError) Error() string { return e.err.Error() + ": " + e.stderr }

func environment(list []string) map[string]string {
	env := map[string]string{}
	for _, kv := range list {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	return env
}

// want returns what the child saw when the case was made.
func (c dotenvxCase) want() map[string]string {
	env := maps.Clone(c.ProcessEnv)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, c.Expected)
	return env
}

// compareChild fails the test for each variable that differs.
func compareChild(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if value, ok := got[name]; !strings.HasPrefix(name, "DOTENV_PRIVATE_KEY") && (!ok || value != want[name]) {
			t.Errorf("%s = %q, set %t; want %q", name, value, ok, want[name])
		}
	}
	for name, value := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s = %q; want none", name, value)
		}
	}
}

// The commands and flags of dotenvx in docs/start-dotenvx.md are those of the real one.
func TestFlagsOfDotenvx(t *testing.T) {
	t.Parallel()
	dotenvx := os.Getenv("DOTENVX_2_38_2")
	if dotenvx == "" {
		t.Fatal(`DOTENVX_2_38_2 is not set; run: eval "$(scripts/install-dotenvx DIR)"`)
	}
	texts := map[string]string{} // the help of each command
	help := func(command string) string {
		if text, ok := texts[command]; ok {
			return text
		}
		out, err := exec.Command(dotenvx, strings.Fields(command+" --help")...).CombinedOutput()
		if err != nil || strings.HasPrefix(string(out), "Usage: dotenvx run -- yourcommand") && command != "" {
			texts[command] = ""
		} else {
			texts[command] = string(out)
		}
		return texts[command]
	}
	checked := 0
	for _, row := range flagRows(t) {
		for command, flags := range commandsIn(row.dotenvx, func(name string) bool { return !strings.HasPrefix(name, "-") }) {
			text := help(cmp.Or(command, "run"))
			if command == "ext" {
				text = help("ext scan")
			}
			if text == "" {
				t.Errorf("%s: dotenvx has no %s", row.dotenvx, command)
			}
			for _, flag := range flags {
				checked++
				if !regexp.MustCompile(`(^|[\s,])` + regexp.QuoteMeta(flag) + `([\s,]|$)`).MatchString(text) {
					t.Errorf("%s: dotenvx %s has no %s", row.dotenvx, command, flag)
				}
			}
		}
	}
	if checked < 20 {
		t.Errorf("%d flags", checked)
	}
}
