package dotenv_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// A vector is a case of testdata/parse.json: what "dotenvx get" 2.38.2 printed
// for an input. Undecryptable values are printed as they are, with exit 1.
type vector struct {
	Name, Category string
	Src            *string
	SrcBase64      []byte
	Files          []struct {
		Name string
		Src  *string
	}
	ProcessEnv map[string]string
	KeysFile   string
	Flags      struct{ BeforeFile, AfterFile []string }
	Expected   map[string]string
	ErrorCodes []string
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/parse.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// evaluate returns the result of Evaluate for the vector.
func (v vector) evaluate(without ...string) (map[string]string, error) {
	var files []dotenv.Source
	var options dotenv.EvalOptions
	add := func(name string, data []byte) {
		doc := dotenv.Parse(data)
		files = append(files, dotenv.Source{Name: name, Doc: doc, Keys: doc.KeysFrom(v.candidates())})
	}
	flags := func(args []string) {
		for len(args) > 0 {
			switch {
			case args[0] == "--overload":
				options.Override, args = true, args[1:]
			case args[0] == "--env":
				add("--env", []byte(args[1]))
				args = args[2:]
			default:
				panic("flag " + args[0])
			}
		}
	}
	flags(v.Flags.BeforeFile)
	switch {
	case v.Src != nil:
		add(".env", []byte(drop(*v.Src, without)))
	case v.SrcBase64 != nil:
		add(".env", v.SrcBase64)
	}
	for _, f := range v.Files {
		if f.Src != nil {
			add(f.Name, []byte(*f.Src))
		}
	}
	flags(v.Flags.AfterFile)
	vars, err := dotenv.Evaluate(files, v.ProcessEnv, options)
	return values(vars), err
}

// drop removes the lines that assign to one of names.
func drop(src string, names []string) string {
	var kept strings.Builder
	for line := range strings.Lines(src) {
		if name, _, _ := strings.Cut(line, "="); !slices.Contains(names, name) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func (v vector) candidates() (o dotenv.Candidates) {
	for _, name := range slices.Sorted(maps.Keys(v.ProcessEnv)) {
		if strings.HasPrefix(name, "DOTENV_PRIVATE_KEY") {
			keys, _ := ecies.ParsePrivateKeys(v.ProcessEnv[name])
			o.Environment = append(o.Environment, keys...)
		}
		if strings.HasPrefix(name, "DOTENV_PUBLIC_KEY") {
			if key, err := ecies.ParsePublicKey(v.ProcessEnv[name]); err == nil {
				o.Declared = append(o.Declared, key)
			}
		}
	}
	for _, e := range dotenv.Parse([]byte(v.KeysFile)).Entries() {
		if strings.HasPrefix(e.Name, "DOTENV_PRIVATE_KEY") {
			keys, _ := ecies.ParsePrivateKeys(e.Value)
			o.KeysFile = append(o.KeysFile, keys)
		}
	}
	return o
}

func values(vars []dotenv.Variable) map[string]string {
	m := map[string]string{}
	for _, v := range vars {
		m[v.Name] = v.Value.Reveal()
	}
	return m
}

// command names the vectors in which dotenvx runs $(…), and what envdrift
// leaves instead: the text, expanded as dotenvx does it when the command fails.
var command = map[string]string{
	"bt command":                          "A=$(echo hi)",
	"cmd unquoted":                        "A=$(echo hi)",
	"cmd dq":                              "A=<$(echo hi)>",
	"cmd twice":                           "A=$(echo a)-$(echo b)",
	"cmd with paren in quotes":            "A=$(echo ')')",
	"cmd subshell paren":                  "A=$( (echo x) )",
	"cmd leading newline and spaces kept": "A=$(printf ' x ')",
	"cmd sees earlier file vars":          "A=$(echo one)",
	"cmd: process env wins inside the command too":          "A=$(echo penv)",
	"cmd plus expansion: no expansion afterwards":           "A=$(echo hi)-one",
	"cmd output with dollar not expanded":                   "A=$(printf '%s' 'one')",
	"cmd escaped":                                           "A=$(echo hi)",
	"cmd escaped dq":                                        "A=$(echo hi)",
	"cmd in pre-existing process env value":                 "P=$(echo injected)",
	"cmd in default":                                        "A=$(echo d)",
	"cmd in escaped default":                                "B=$(echo d)",
	"cmd with hash dq":                                      "A=$(echo a#b)",
	"cmd multi line value":                                  "A=$(echo a\necho b)",
	"cmd with env prefix":                                   "A=$(FOO=bar; echo )",
	"cmd in export":                                         "A=$(echo hi)",
	"cmd in yaml":                                           "A=$(echo hi)",
	"cmd overload file value evaluated when key not in env": "A=$(echo hi)",
	"two files command-like literal in the first re-evaluated by the second": "A=$(echo injected)",
	"enc command is executed": "A=$(echo injected)",
}

// prototype names the vectors in which dotenvx finds members of JavaScript's
// objects instead of variables, fails or hangs.
var prototype = map[string]map[string]string{
	"key __proto__":     {"__proto__": "1", "C": "2"},
	"key toString":      {"toString": "1", "C": "2"},
	"prototype names":   {"B": "xy"},
	"prototype bare":    {"B": ""},
	"prototype default": {"B": "d"},
}

// spelling names the vectors in which dotenvx cannot use a private key because
// of the way in which a process variable spells it. envdrift reads it.
var spelling = map[string]string{
	"key leading space":               "A=World", // blanks are trimmed
	"key list right second":           "A=World", // lists are split, as 1.51.4 does
	"enc key list with spaces in env": "A=World",
}

// dependent names the value of a vector that refers to one which dotenvx cannot
// decrypt and then prints.
var dependent = map[string]string{
	"reference whose value is undecryptable": "B",
}

func TestEvaluateVectors(t *testing.T) {
	t.Parallel()
	excepted := 0
	for _, v := range readVectors(t) {
		want, special := prototype[v.Name]
		if !special {
			want = v.Expected
			for _, m := range []map[string]string{command, spelling} {
				if assignment, ok := m[v.Name]; ok {
					name, value, _ := strings.Cut(assignment, "=")
					if want[name] == value {
						t.Errorf("%s: dotenvx agrees with us; it is no exception", v.Name)
					}
					want[name], special = value, true
				}
			}
		}
		if special {
			excepted++
		}
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			if slices.Contains(v.ErrorCodes, "DECRYPTION_FAILED") && !special {
				v.testUndecryptable(t)
				return
			}
			if got, err := v.evaluate(); err != nil || !maps.Equal(got, want) {
				t.Errorf("Evaluate = %q, %v; want %q", got, err, want)
			}
		})
	}
	if want := len(command) + len(prototype) + len(spelling); excepted != want {
		t.Errorf("%d of %d exceptions are vectors", excepted, want)
	}
}

// testUndecryptable tests that the error names exactly what dotenvx prints
// encrypted, and that the other values are those of dotenvx.
func (v vector) testUndecryptable(t *testing.T) {
	var names []string
	want := maps.Clone(v.Expected)
	maps.DeleteFunc(want, func(name, value string) bool {
		if ecies.IsEncrypted(value) {
			names = append(names, name)
		}
		return ecies.IsEncrypted(value) || name == dependent[v.Name]
	})
	slices.Sort(names)
	vars, err := v.evaluate()
	if len(vars) != 0 || !slices.Equal(failed(err), names) {
		t.Errorf("Evaluate = %q, %v; want errors of %q alone", vars, err, names)
	}
	got, err := v.evaluate(names...)
	delete(got, dependent[v.Name])
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("Evaluate without %q = %q, %v; want %q", names, got, err, want)
	}
}

// failed returns the names of the values that err reports, sorted.
func failed(err error) []string {
	var names []string
	for _, e := range unjoin(err) {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}

func unjoin(err error) []*dotenv.ValueError {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var all []*dotenv.ValueError
	for _, err := range joined.Unwrap() {
		all = append(all, err.(*dotenv.ValueError))
	}
	return all
}

func source(name, text string, keys ...*ecies.PrivateKey) dotenv.Source {
	return dotenv.Source{Name: name, Doc: dotenv.Parse([]byte(text)), Keys: keys}
}

func newKey(tb testing.TB) *ecies.PrivateKey {
	tb.Helper()
	key, err := ecies.GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func encrypt(t *testing.T, key *ecies.PrivateKey, plaintext string) string {
	t.Helper()
	ciphertext, err := key.PublicKey().Encrypt([]byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return ciphertext
}

func TestEvaluateOrderAndOrigin(t *testing.T) {
	t.Parallel()
	files := []dotenv.Source{
		source("a.env", "P=1\nA=1\n\nB=1\nA=2\n"),
		source("b.env", "C=1\nA=3\n"),
	}
	process := map[string]string{"P": "", "Q": "q"}
	tests := []struct {
		name     string
		override bool
		want     string
	}{
		{"process wins, then the first file", false, `P="" :0 A="2" a.env:5 B="1" a.env:4 C="1" b.env:1 `},
		{"the last file wins", true, `P="1" a.env:1 A="3" b.env:2 B="1" a.env:4 C="1" b.env:1 `},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vars, err := dotenv.Evaluate(files, process, dotenv.EvalOptions{Override: tt.override})
			var got strings.Builder
			for _, v := range vars {
				fmt.Fprintf(&got, "%s=%q %s:%d ", v.Name, v.Value.Reveal(), v.File, v.Line)
			}
			if err != nil || got.String() != tt.want {
				t.Errorf("Evaluate = %s, %v; want %s", got.String(), err, tt.want)
			}
			if len(process) != 2 || process["P"] != "" {
				t.Errorf("Evaluate changed the process environment to %q", process)
			}
		})
	}
}

// What the vectors do not cover; determined with the real program.
func TestEvaluateLiterals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src, want string
		process         map[string]string
	}{
		{"replaced, still literal", "X=9\nA='$X'\nA=foo\nB=${A}${X}\n", "foo${X}", nil},
		{"replaced by another literal", "X=9\nA='$X'\nA='foo'\nB=${A}${X}\n", "foo9", nil},
		{"its escaped reference counts", "X=9\nA='\\$X'\nB=${A}${X}\n", "$X${X}", nil},
		{"no reference in it", "X=9\nA='${'\nB=${A}${X}\n", "${9", nil},
		{"as a condition", "X=9\nA='$X'\nB=${A:+d}-${X}\n", "d-${X}", nil},
		{"value of the process", "X=9\nA='z'\nB=${A}${X}\n", "q$X${X}", map[string]string{"A": "q$X"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vars, err := dotenv.Evaluate([]dotenv.Source{source(".env", tt.src)}, tt.process, dotenv.EvalOptions{})
			if got := values(vars)["B"]; err != nil || got != tt.want {
				t.Errorf("B = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestEvaluateErrors(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	files := []dotenv.Source{
		source("a.env", strings.Join([]string{
			"NUL=" + encrypt(t, key, "hunter2\x00"),
			"LOOP='hunter2$LOOP'",
			"CYCLE='x$&'", // literal only if it contains a reference
			"C=hunter2${CYCLE}",
			"NESTED=" + encrypt(t, key, encrypt(t, key, "hunter2")),
			"LONG=hunter2",
			"REFERENCE=encrypted${NONE}:hunter2",
		}, "\n"), key),
		source("b.env", "HIDDEN=encrypted:garbage\nD="+encrypt(t, other, "hunter2")+"\n", key),
		source("c.env", "LONG=garbage\nE="+encrypt(t, other, "hunter2")+"\nF=encrypted:\n"),
	}
	_, err := dotenv.Evaluate(files, map[string]string{"HIDDEN": "h"}, dotenv.EvalOptions{})
	want := []struct {
		at  string
		err error
	}{
		{"a.env:1: NUL: ", dotenv.ErrNUL},
		{"a.env:4: C: ", dotenv.ErrCycle},
		{"a.env:5: NESTED: ", dotenv.ErrNested},
		{"a.env:7: REFERENCE: ", dotenv.ErrNested},
		{"b.env:2: D: ", ecies.ErrWrongKey},
		{"c.env:2: E: ", ecies.ErrNoKey},
		{"c.env:3: F: ", nil},
	}
	got := unjoin(err)
	for i, w := range want {
		if i >= len(got) || !strings.HasPrefix(got[i].Error(), w.at) || w.err != nil && !errors.Is(got[i], w.err) {
			t.Fatalf("error %d of\n%v\nis not %q %v", i, err, w.at, w.err)
		}
	}
	if len(got) != len(want) {
		t.Errorf("Evaluate reports %d errors, want %d:\n%v", len(got), len(want), err)
	}
}

// No verb prints values and keys, whatever contains them.
func TestEvaluateLeaksNothing(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	ciphertext := encrypt(t, key, "hunter2")
	file := source(".env", "A="+ciphertext+"\nB=hunter2$A\nC="+ciphertext+"\n", key)
	vars, err := dotenv.Evaluate([]dotenv.Source{file}, nil, dotenv.EvalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	broken := source(".env", "A="+ciphertext+"\nB='x$&hunter2'\nC=hunter2${B}\nD="+ciphertext[:90]+"\n")
	_, err = dotenv.Evaluate([]dotenv.Source{broken}, nil, dotenv.EvalOptions{})
	if len(unjoin(err)) != 3 {
		t.Fatalf("Evaluate = %v; want errors of A, C and D", err)
	}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb, vars)
		fmt.Fprintf(&out, verb, file)
		fmt.Fprintf(&out, verb, err)
		for _, e := range unjoin(err) {
			fmt.Fprintf(&out, verb, *e)
		}
	}
	for _, v := range []any{vars, file, err} {
		text, _ := json.Marshal(v)
		out.Write(text)
	}
	for _, secret := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), key.Reveal(), ciphertext[10:20]} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("output holds %q", secret)
		}
	}
}

func TestKeysFrom(t *testing.T) {
	t.Parallel()
	a, b, c := newKey(t), newKey(t), newKey(t)
	declare := func(name string, k *ecies.PrivateKey) string { return name + "=" + k.PublicKey().String() + "\n" }
	tests := []struct {
		name       string
		src        string
		candidates dotenv.Candidates
		want       ecies.Keys
	}{
		{"nothing declared: all", "A=1\n",
			dotenv.Candidates{Environment: ecies.Keys{a}, KeysFile: []ecies.Keys{{b}, {a}, {c}}}, ecies.Keys{a, b, c}},
		{"keys file: the declared one", declare("DOTENV_PUBLIC_KEY", b),
			dotenv.Candidates{KeysFile: []ecies.Keys{{a}, {b}, {c}}}, ecies.Keys{b}},
		{"environment: all, the declared one first", declare("DOTENV_PUBLIC_KEY", b),
			dotenv.Candidates{Environment: ecies.Keys{a, b}, KeysFile: []ecies.Keys{{c}}}, ecies.Keys{b, a}},
		{"two declared", declare("DOTENV_PUBLIC_KEY_B", b) + declare("DOTENV_PUBLIC_KEY_A", a),
			dotenv.Candidates{KeysFile: []ecies.Keys{{a}, {b}, {c}}}, ecies.Keys{b, a}},
		{"the last of a name", declare("DOTENV_PUBLIC_KEY", b) + declare("DOTENV_PUBLIC_KEY", a),
			dotenv.Candidates{KeysFile: []ecies.Keys{{a}, {b}, {c}}}, ecies.Keys{a}},
		{"upper case", strings.ToUpper(declare("DOTENV_PUBLIC_KEY", b)),
			dotenv.Candidates{KeysFile: []ecies.Keys{{a}, {b}}}, ecies.Keys{b}},
		{"declared by the process", declare("DOTENV_PUBLIC_KEY", b),
			dotenv.Candidates{KeysFile: []ecies.Keys{{a}, {b}, {c}}, Declared: []ecies.PublicKey{c.PublicKey()}}, ecies.Keys{b, c}},
		{"declared is no key", "DOTENV_PUBLIC_KEY=\n",
			dotenv.Candidates{KeysFile: []ecies.Keys{{a}}}, nil},
		{"keys file: the rest of the declared one's list too", declare("DOTENV_PUBLIC_KEY", b),
			dotenv.Candidates{KeysFile: []ecies.Keys{{a}, {c, b}}}, ecies.Keys{b, c}},
		{"nothing offered", declare("DOTENV_PUBLIC_KEY", b), dotenv.Candidates{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := dotenv.Parse([]byte(tt.src)).KeysFrom(tt.candidates); !slices.Equal(got, tt.want) {
				t.Errorf("KeysFrom gives %s; want %s", publics(got), publics(tt.want))
			}
		})
	}
}

func publics(keys ecies.Keys) (short []string) {
	for _, k := range keys {
		short = append(short, k.PublicKey().Short())
	}
	return short
}
