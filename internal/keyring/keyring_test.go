package keyring_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
)

// keyNamer gives keys the names of a test's table, for messages.
type keyNamer map[string]*ecies.PrivateKey

func namedKeys(t *testing.T, names ...string) keyNamer {
	t.Helper()
	n := keyNamer{}
	for _, name := range names {
		n[name] = newKey(t)
	}
	return n
}

func (n keyNamer) list(keys ecies.Keys) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = n.name(k)
	}
	return strings.Join(names, " ")
}

func (n keyNamer) name(key *ecies.PrivateKey) string {
	for name, k := range n {
		if k.PublicKey() == key.PublicKey() {
			return name
		}
	}
	return "unknown"
}

// held is one line for each held key: name, variable, origin.
func (n keyNamer) held(r *keyring.Ring) []string {
	var lines []string
	for _, h := range r.Held {
		lines = append(lines, n.name(h.Key)+" "+h.Name+" "+h.Origin)
	}
	return lines
}

func keysFileOf(lines ...string) *dotenv.KeysFile {
	return dotenv.ParseKeysFile([]byte(strings.Join(lines, "\n") + "\n"))
}

func TestRingCollects(t *testing.T) {
	t.Parallel()
	n := namedKeys(t, "a", "b", "c")
	a, b, c := n["a"].Reveal(), n["b"].Reveal(), n["c"].Reveal()
	tests := []struct {
		name    string
		collect func(*keyring.Ring)
		held    []string
		invalid []string // how each error begins
	}{
		{name: "nothing", collect: func(r *keyring.Ring) { r.Environ(nil); r.File("f", keysFileOf()) }},
		{
			name: "the environment by name, only its private keys",
			collect: func(r *keyring.Ring) {
				r.Environ(map[string]string{
					"DOTENV_PRIVATE_KEY_Z": a, "DOTENV_PRIVATE_KEY": b, "DOTENV_PRIVATE_KEY_B": c,
					"DOTENV_PUBLIC_KEY": n["a"].PublicKey().String(), "KEY": a, "MY_DOTENV_PRIVATE_KEY": a,
				})
			},
			held: []string{"b DOTENV_PRIVATE_KEY environment", "c DOTENV_PRIVATE_KEY_B environment", "a DOTENV_PRIVATE_KEY_Z environment"},
		},
		{
			name:    "a list in its order",
			collect: func(r *keyring.Ring) { r.Environ(map[string]string{"DOTENV_PRIVATE_KEY": b + ", " + a}) },
			held:    []string{"b DOTENV_PRIVATE_KEY environment", "a DOTENV_PRIVATE_KEY environment"},
		},
		{
			name: "a keys file in its order, repeated names and keys too",
			collect: func(r *keyring.Ring) {
				r.File("svc/.env.keys", keysFileOf("# DOTENV_PRIVATE_KEY="+c, "DOTENV_PRIVATE_KEY_Z="+a, "A=1", `DOTENV_PRIVATE_KEY="`+b+`"`, "DOTENV_PRIVATE_KEY_Z="+a))
			},
			held: []string{"a DOTENV_PRIVATE_KEY_Z svc/.env.keys", "b DOTENV_PRIVATE_KEY svc/.env.keys", "a DOTENV_PRIVATE_KEY_Z svc/.env.keys"},
		},
		{
			name: "sources in the order in which they are read",
			collect: func(r *keyring.Ring) {
				r.File("f", keysFileOf("DOTENV_PRIVATE_KEY="+a))
				r.Environ(map[string]string{"DOTENV_PRIVATE_KEY": b})
				r.File("g", keysFileOf("DOTENV_PRIVATE_KEY="+c))
			},
			held: []string{"a DOTENV_PRIVATE_KEY f", "b DOTENV_PRIVATE_KEY environment", "c DOTENV_PRIVATE_KEY g"},
		},
		{
			name: "what is no key",
			collect: func(r *keyring.Ring) {
				r.Environ(map[string]string{"DOTENV_PRIVATE_KEY": "s3cr3t", "DOTENV_PRIVATE_KEY_A": a, "DOTENV_PRIVATE_KEY_B": a + ",s3cr3t"})
				r.File("f", keysFileOf("DOTENV_PRIVATE_KEY_C=s3cr3t", "DOTENV_PRIVATE_KEY_D="+b))
			},
			held:    []string{"a DOTENV_PRIVATE_KEY_A environment", "b DOTENV_PRIVATE_KEY_D f"},
			invalid: []string{"DOTENV_PRIVATE_KEY in environment: ", "DOTENV_PRIVATE_KEY_B in environment: ", "DOTENV_PRIVATE_KEY_C in f: "},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r keyring.Ring
			tt.collect(&r)
			if got := n.held(&r); !slices.Equal(got, tt.held) {
				t.Errorf("Held = %q; want %q", got, tt.held)
			}
			if len(r.Invalid) != len(tt.invalid) {
				t.Fatalf("Invalid = %v; want %d errors", r.Invalid, len(tt.invalid))
			}
			for i, err := range r.Invalid {
				if !strings.HasPrefix(err.Error(), tt.invalid[i]) || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), a) {
					t.Errorf("Invalid[%d] = %v; want %s… and no value", i, err, tt.invalid[i])
				}
			}
		})
	}
}

// ringOf holds "env" and "env2" in the environment, the others in files.
func ringOf(n keyNamer) *keyring.Ring {
	r := &keyring.Ring{}
	r.Environ(map[string]string{
		"DOTENV_PRIVATE_KEY":    n["env"].Reveal() + "," + n["env2"].Reveal(),
		"DOTENV_PRIVATE_KEY_CI": n["env"].Reveal(),
	})
	r.File("a/.env.keys", keysFileOf("DOTENV_PRIVATE_KEY_CI="+n["file"].Reveal(), "DOTENV_PRIVATE_KEY="+n["file2"].Reveal()))
	r.File("b/.env.keys", keysFileOf("DOTENV_PRIVATE_KEY="+n["file"].Reveal()))
	return r
}

// headed is an env file that declares the public keys of these private ones.
func headed(n keyNamer, names ...string) *dotenv.Document {
	var b strings.Builder
	for i, name := range names {
		b.WriteString("DOTENV_PUBLIC_KEY" + strings.Repeat("_X", i) + "=" + n[name].PublicKey().String() + "\n")
	}
	return dotenv.Parse([]byte(b.String() + "A=1\n"))
}

func TestRingChooses(t *testing.T) {
	t.Parallel()
	n := namedKeys(t, "env", "env2", "file", "file2", "stranger")
	r := ringOf(n)
	tests := []struct {
		name          string
		doc           *dotenv.Document
		declared, all string
	}{
		{"the header names a key of the environment", headed(n, "env"), "env", "env env2"},
		{"the header names a key of two files", headed(n, "file"), "file", "file env env2"},
		{"the header names two keys", headed(n, "file2", "env2"), "file2 env2", "file2 env2 env"},
		{"the header lists no recipient's key", headed(n, "stranger"), "", "env env2"},
		{"no header", headed(n), "", "env env2 file file2"},
		{"damaged header", dotenv.Parse([]byte("DOTENV_PUBLIC_KEY=x\nA=1\n")), "", "env env2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := n.list(r.Declared(tt.doc)); got != tt.declared {
				t.Errorf("Declared = %q; want %q", got, tt.declared)
			}
			if got := n.list(r.For(tt.doc)); got != tt.all {
				t.Errorf("For = %q; want %q", got, tt.all)
			}
		})
	}
}

// dotenvx takes a public key in the environment for one that every file
// declares. It does not make a file's own header say more.
func TestRingTakesPublicKeysOfTheEnvironment(t *testing.T) {
	t.Parallel()
	n := namedKeys(t, "file", "file2", "stranger")
	doc := headed(n, "stranger")
	for _, tt := range []struct {
		name, public, want string
	}{
		{"one of the file's", n["file2"].PublicKey().String(), "file2"},
		{"nobody's", n["stranger"].PublicKey().String(), ""},
		{"none", "nonsense", ""},
	} {
		r := &keyring.Ring{}
		r.File("f", keysFileOf("DOTENV_PRIVATE_KEY="+n["file"].Reveal(), "DOTENV_PRIVATE_KEY_B="+n["file2"].Reveal()))
		r.Environ(map[string]string{"DOTENV_PUBLIC_KEY_B": tt.public})
		if got := n.list(r.For(doc)); got != tt.want {
			t.Errorf("%s: For = %q; want %q", tt.name, got, tt.want)
		}
		if got := n.list(r.Declared(doc)); got != "" {
			t.Errorf("%s: Declared = %q; want none", tt.name, got)
		}
		if len(r.Held) != 2 || len(r.Invalid) != 0 {
			t.Errorf("%s: %d keys held, invalid %v; want 2 and none", tt.name, len(r.Held), r.Invalid)
		}
	}
}

func TestRingKeysAndNamed(t *testing.T) {
	t.Parallel()
	n := namedKeys(t, "env", "env2", "file", "file2")
	r := ringOf(n)
	if got, want := n.list(r.Keys()), "env env2 file file2"; got != want {
		t.Errorf("Keys = %q; want each once, %q", got, want)
	}
	for name, want := range map[string]string{
		"DOTENV_PRIVATE_KEY":    "env env2 file2 file",
		"DOTENV_PRIVATE_KEY_CI": "env file",
		"DOTENV_PRIVATE_KEY_C":  "",
	} {
		if got := n.list(r.Named(name)); got != want {
			t.Errorf("Named(%s) = %q; want %q", name, got, want)
		}
	}
	var none keyring.Ring
	if got := len(none.Keys()) + len(none.Named("DOTENV_PRIVATE_KEY")) + len(none.For(headed(n))) + len(none.Declared(headed(n, "env"))); got != 0 {
		t.Errorf("an empty ring returns %d keys; want none", got)
	}
}
