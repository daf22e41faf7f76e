package workspace_test

import (
	"errors"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

const keyName = "DOTENV_PRIVATE_KEY"

func assignment(k *ecies.PrivateKey) string { return keyName + "=" + k.Reveal() + "\n" }

func TestRequest(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("envdrift.toml", mapped)
	p.write("api/.env", "A=working tree\n")
	w := p.open()
	doc := dotenv.Parse([]byte("A=staged\n"))
	if q := w.Request("api/.env", doc); !q.Mapped() || q.File != "api/.env" || q.Doc != doc {
		t.Errorf("Request(api/.env) = file %s, mapped %t, document %v; want the mapping and the document that was given", q.File, q.Mapped(), q.Doc)
	}
	if q := w.Request("web/.env", doc); q.Mapped() || q.File != "web/.env" || q.Doc != doc {
		t.Errorf("Request(web/.env) = file %s, mapped %t, document %v; want no mapping", q.File, q.Mapped(), q.Doc)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	ours, theirs := newKey(t), newKey(t)
	tests := []struct {
		name   string
		file   string // what api/.env holds
		beside string // what api/.env.keys holds
		cwd    string // what .env.keys at the top holds
		env    string // what the variable DOTENV_PRIVATE_KEY holds
		policy keyring.Policy
		config string

		want    ecies.Keys
		err     error
		asked   bool // the vault
		program ecies.Keys
	}{
		{name: "nothing is encrypted", file: "A=1\n"},
		{name: "from the keys file beside", file: locked(t, ours, "A=1\n"), beside: assignment(ours), want: ecies.Keys{ours}, program: ecies.Keys{ours}},
		{name: "from the keys file in the current directory", file: locked(t, ours, "A=1\n"), cwd: assignment(ours), want: ecies.Keys{ours}, program: ecies.Keys{ours}},
		{name: "from the environment", file: locked(t, ours, "A=1\n"), env: ours.Reveal(), want: ecies.Keys{ours}, program: ecies.Keys{ours}},
		{name: "from the vault", file: locked(t, ours, "A=1\n"), want: ecies.Keys{ours}, asked: true, program: ecies.Keys{ours}},
		{name: "another local key", file: locked(t, ours, "A=1\n"), beside: assignment(theirs), want: ecies.Keys{ours}, asked: true, program: ecies.Keys{ours}},
		{name: "the vault alone", file: locked(t, ours, "A=1\n"), beside: assignment(ours), policy: keyring.VaultOnly, want: ecies.Keys{ours}, asked: true, program: ecies.Keys{ours}},
		{name: "ephemeral", file: locked(t, ours, "A=1\n"), beside: assignment(ours), config: mapped + "ephemeral_keys = true\n", want: ecies.Keys{ours}, asked: true, program: ecies.Keys{ours}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write("envdrift.toml", mapped)
			if tt.config != "" {
				p.write("envdrift.toml", tt.config)
			}
			for name, content := range map[string]string{"api/.env": tt.file, "api/.env.keys": tt.beside, ".env.keys": tt.cwd} {
				if content != "" {
					p.write(name, content)
				}
			}
			if tt.env != "" {
				p.env[keyName] = tt.env
			}
			store := p.vaults.at("")
			store.secrets["api"] = ours.Reveal()
			w := p.open()
			qs := []keyring.Request{request(t, w, "api/.env")}

			got := w.Keys(t.Context(), qs, tt.policy)[0]
			if got.Err != nil || got.Keys.Reveal() != tt.want.Reveal() || len(store.asked) > 0 != tt.asked {
				t.Errorf("Keys = %d keys, %v, vault asked for %q; want %d keys, asked %t", len(got.Keys), got.Err, store.asked, len(tt.want), tt.asked)
			}
			local := slices.Contains(p.user.debugs, "key: a local one for api"+string(os.PathSeparator)+".env")
			if want := len(tt.want) > 0 && !tt.asked; local != want {
				t.Errorf("shown %q; want word of a local key: %t", p.user.debugs, want)
			}
			got = w.ProgramKeys(t.Context(), qs, tt.policy)[0]
			if got.Err != nil || got.Keys.Reveal() != tt.program.Reveal() {
				t.Errorf("ProgramKeys = %d keys, %v; want %d", len(got.Keys), got.Err, len(tt.program))
			}
		})
	}
}

// The errors concern their files alone, and the answers are in the files' order.
func TestKeysOfSeveralFiles(t *testing.T) {
	t.Parallel()
	one, two, none := newKey(t), newKey(t), newKey(t)
	p := newPlace(t)
	p.write("envdrift.toml", mapped+"[[vault.sync.mappings]]\nsecret_name = \"two\"\nfolder_path = \"two\"\n")
	p.write("api/.env", locked(t, one, "A=1\n"))
	p.write("two/.env", locked(t, two, "A=1\n"))
	p.write("local/.env", locked(t, two, "A=1\n"))
	p.write("local/.env.keys", assignment(two))
	p.write("other/.env", locked(t, none, "A=1\n"))
	p.vaults.at("").secrets["api"] = one.Reveal()
	w := p.open()
	var qs []keyring.Request
	for _, file := range []string{"other/.env", "local/.env", "two/.env", "api/.env"} {
		qs = append(qs, request(t, w, file))
	}
	got := w.Keys(t.Context(), qs, keyring.Auto)
	if unknown := (*keyring.NoKeyError)(nil); !errors.As(got[0].Err, &unknown) {
		t.Errorf("Keys, a file that nobody maps = %v; want a NoKeyError", got[0].Err)
	}
	if got[1].Err != nil || got[1].Keys.Reveal() != two.Reveal() {
		t.Errorf("Keys, a file with a local key = %v; want that", got[1].Err)
	}
	if !errors.Is(got[2].Err, vault.ErrNotFound) {
		t.Errorf("Keys, a secret that is not there = %v; want ErrNotFound", got[2].Err)
	}
	if got[3].Err != nil || got[3].Keys.Reveal() != one.Reveal() {
		t.Errorf("Keys, a file with a key in the vault = %v; want that", got[3].Err)
	}
}

func TestKeysBeside(t *testing.T) {
	t.Parallel()
	a, b := newKey(t), newKey(t)
	p := newPlace(t)
	p.write("a/.env.keys", assignment(a))
	p.write("../elsewhere/.env.keys", assignment(b))
	p.mkdir("folder/.env.keys")
	p.write("bad/.env.keys", keyName+"=no key\n")
	w := p.open()
	tests := []struct {
		name    string
		folders []string
		want    ecies.Keys
		origins []string
		invalid int
	}{
		{name: "no keys file", folders: []string{"none"}},
		{name: "in the tree", folders: []string{"a"}, want: ecies.Keys{a}, origins: []string{"a/.env.keys"}},
		{name: "outside of the tree", folders: []string{p.path("../elsewhere")}, want: ecies.Keys{b}, origins: []string{p.path("../elsewhere/.env.keys")}},
		{name: "both", folders: []string{"a", p.path("../elsewhere")}, want: ecies.Keys{a, b}, origins: []string{"a/.env.keys", p.path("../elsewhere/.env.keys")}},
		{name: "a folder in its place", folders: []string{"folder", "a"}, want: ecies.Keys{a}, origins: []string{"a/.env.keys"}, invalid: 1},
		{name: "no key in it", folders: []string{"bad"}, invalid: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ring := w.KeysBeside(tt.folders...)
			var origins []string
			for _, held := range ring.Held {
				origins = append(origins, held.Origin)
			}
			if ring.Keys().Reveal() != tt.want.Reveal() || !reflect.DeepEqual(origins, tt.origins) || len(ring.Invalid) != tt.invalid {
				t.Errorf("KeysBeside(%q) = keys of %q, invalid %v; want %q, %d invalid", tt.folders, origins, ring.Invalid, tt.origins, tt.invalid)
			}
		})
	}
}

func TestAllLocalKeys(t *testing.T) {
	t.Parallel()
	own, neighbour := newKey(t), newKey(t)
	p := newPlace(t)
	p.write("envdrift.toml", mapped+"[[vault.sync.mappings]]\nsecret_name = \"web\"\nfolder_path = \"web\"\n")
	p.write("api/.env.keys", assignment(own))
	p.write("web/.env.keys", assignment(neighbour))
	w := p.open()
	for range 2 { // the neighbours' are remembered, and not added up
		if got := w.LocalKeys(t.Context(), "api/.env").Keys(); got.Reveal() != own.Reveal() {
			t.Errorf("LocalKeys(api/.env): %d keys; want the one beside it", len(got))
		}
		if got := w.AllLocalKeys(t.Context(), "api/.env"); got.Keys().Reveal() != (ecies.Keys{own, neighbour}).Reveal() || len(got.Held) != 3 {
			t.Errorf("AllLocalKeys(api/.env): %d keys in %d places; want its own, and both folders'", len(got.Keys()), len(got.Held))
		}
	}
}

func TestEncryptionKeys(t *testing.T) {
	t.Parallel()
	ours, theirs := newKey(t), newKey(t)
	ephemeral := mapped + "ephemeral_keys = true\n"
	tests := []struct {
		name    string
		file    string // what is to be encrypted
		head    string // HEAD's version
		config  string // "" for mapped
		unowned bool   // no mapping names the file
		beside  string // what api/.env.keys holds
		vault   string // what the secret holds; "" for none
		down    error  // of the vault
		compare bool

		public   *ecies.PrivateKey // whose public key; nil for an error
		keys     ecies.Keys        // to compare with HEAD
		declared bool
		fromFile bool
		unkept   error
		err      error
		unknown  bool // the error is an UnknownKeyError
		asked    bool
	}{
		{name: "declared, local", file: locked(t, ours, "A=1\n") + "B=2\n", beside: assignment(ours), compare: true, public: ours, keys: ecies.Keys{ours}, declared: true},
		{name: "declared, not compared", file: locked(t, ours, "A=1\n") + "B=2\n", vault: ours.Reveal(), public: ours, declared: true},
		{name: "declared, compared", file: locked(t, ours, "A=1\n") + "B=2\n", vault: ours.Reveal(), compare: true, public: ours, keys: ecies.Keys{ours}, declared: true, asked: true},
		{name: "declared, the vault is down", file: locked(t, ours, "A=1\n") + "B=2\n", down: vault.ErrDenied, compare: true, public: ours, declared: true, unkept: vault.ErrDenied, asked: true},
		{name: "declared, no mapping", file: locked(t, ours, "A=1\n") + "B=2\n", unowned: true, compare: true, public: ours, declared: true},
		{name: "declared by HEAD", file: "A=1\n", head: locked(t, ours, "A=1\n"), vault: ours.Reveal(), compare: true, public: ours, keys: ecies.Keys{ours}, declared: true, asked: true},
		{name: "declared, ephemeral", file: locked(t, ours, "A=1\n") + "B=2\n", config: ephemeral, beside: assignment(ours), vault: ours.Reveal(), compare: true, public: ours, keys: ecies.Keys{ours}, declared: true, asked: true},
		{name: "declared, ephemeral, the vault is down", file: locked(t, ours, "A=1\n") + "B=2\n", config: ephemeral, beside: assignment(ours), down: vault.ErrDenied, compare: true, public: ours, declared: true, err: vault.ErrDenied, asked: true},
		{name: "undeclared, in the vault", file: "A=1\n", beside: assignment(theirs), vault: ours.Reveal(), public: ours, keys: ecies.Keys{ours}, asked: true},
		{name: "undeclared, the vault is down", file: "A=1\n", beside: assignment(theirs), down: vault.ErrDenied, err: vault.ErrDenied, asked: true},
		{name: "undeclared, nothing in the vault, a keys file", file: "A=1\n", beside: assignment(theirs), public: theirs, keys: ecies.Keys{theirs}, fromFile: true, asked: true},
		{name: "undeclared, nothing anywhere", file: "A=1\n", unknown: true, asked: true},
		{name: "undeclared, no mapping, a keys file", file: "A=1\n", unowned: true, beside: assignment(theirs), public: theirs, keys: ecies.Keys{theirs}, fromFile: true},
		{name: "undeclared, no mapping, nothing", file: "A=1\n", unowned: true, unknown: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write("api/.env", tt.file)
			if tt.beside != "" {
				p.write("api/.env.keys", tt.beside)
			}
			switch {
			case tt.unowned:
				p.write("envdrift.toml", strings.ReplaceAll(mapped, `"api"`, `"other"`))
			case tt.config != "":
				p.write("envdrift.toml", tt.config)
			default:
				p.write("envdrift.toml", mapped)
			}
			store := p.vaults.at("")
			store.err = tt.down
			if tt.vault != "" {
				store.secrets["api"] = tt.vault
			}
			w := p.open()
			q := request(t, w, "api/.env")
			if tt.head != "" {
				q.Head = dotenv.Parse([]byte(tt.head))
			}
			got := w.EncryptionKeys(t.Context(), []keyring.Request{q}, tt.compare)[0]
			unknown := (*keyring.UnknownKeyError)(nil)
			if !tt.unknown && !errors.Is(got.Err, tt.err) || errors.As(got.Err, &unknown) != tt.unknown || !errors.Is(got.Unkept, tt.unkept) {
				t.Errorf("EncryptionKeys: error %v, not compared because %v; want %v, %v, unknown %t", got.Err, got.Unkept, tt.err, tt.unkept, tt.unknown)
			}
			if tt.public != nil && got.Public != tt.public.PublicKey() {
				t.Errorf("EncryptionKeys: public key %s; want %s", got.Public.Short(), tt.public.PublicKey().Short())
			}
			if got.Keys.Reveal() != tt.keys.Reveal() || got.Declared != tt.declared || got.FromFile != tt.fromFile {
				t.Errorf("EncryptionKeys: %d private keys, declared %t, from file %t; want %d, %t, %t",
					len(got.Keys), got.Declared, got.FromFile, len(tt.keys), tt.declared, tt.fromFile)
			}
			if len(store.asked) > 0 != tt.asked {
				t.Errorf("vault asked for %q; want asked %t", store.asked, tt.asked)
			}
			if got.Header != "DOTENV_PUBLIC_KEY" || got.Private != keyName {
				t.Errorf("EncryptionKeys: names %s, %s; want DOTENV_PUBLIC_KEY, %s", got.Header, got.Private, keyName)
			}
		})
	}
}

// A key that everybody with the repository has keeps nothing secret.
func TestEncryptionKeysFromTrackedKeysFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		setup func(*place)
		want  string // the error; "" for none
	}{
		{"not tracked", func(*place) {}, ""},
		{"tracked", func(p *place) { p.git("add", "api/.env.keys") }, "api/.env.keys is tracked by git, so everyone who has the repository knows what is in it"},
		{"no git to ask", func(p *place) { delete(p.env, "PATH") }, gitops.ErrNoGit.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newClone(t)
			p.write("api/.env", "A=1\n")
			p.write("api/.env.keys", assignment(newKey(t)))
			tt.setup(p)
			w := p.open()
			got := w.EncryptionKeys(t.Context(), []keyring.Request{request(t, w, "api/.env")}, false)[0]
			text := ""
			if got.Err != nil {
				text = got.Err.Error()
			}
			if text != tt.want {
				t.Errorf("EncryptionKeys: %v; want %q", got.Err, tt.want)
			}
			if tracked := (*workspace.TrackedKeysError)(nil); errors.As(got.Err, &tracked) != (tt.name == "tracked") {
				t.Errorf("EncryptionKeys: %T; want a TrackedKeysError only if it is tracked", got.Err)
			}
		})
	}
}

func TestEncrypt(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	p := newPlace(t)
	p.write("api/.env", "A=1\nB=2\nC=3\n")
	w := p.open()
	q := request(t, w, "api/.env")
	head := locked(t, key, "A=1\nB=other\n")
	q.Head = dotenv.Parse([]byte(head))
	pair := keyring.Pair{Public: key.PublicKey(), Header: "DOTENV_PUBLIC_KEY", Keys: ecies.Keys{key}}
	got := w.Encrypt(t.Context(), q, pair, dotenv.Selection{Except: []string{"C"}})
	if got.Action != drift.Encrypted || got.File != "api/.env" || !got.Write || !reflect.DeepEqual(got.Names, []string{"A", "B"}) {
		t.Fatalf("Encrypt = %s %s, write %t, names %q; want encrypted api/.env, A and B", got.Action, got.File, got.Write, got.Names)
	}
	if v := values(t, string(got.New), key); v != "A=1\nB=2\nC=3\n" {
		t.Errorf("values = %q; want those of the file", v)
	}
	doc := dotenv.Parse(got.New)
	before, _ := q.Head.Get("A")
	if a, _ := doc.Get("A"); a.Value != before.Value {
		t.Errorf("A = %s; want HEAD's ciphertext of the same value, %s", a.Value, before.Value)
	}
	if c, _ := doc.Get("C"); c.Encrypted() {
		t.Error("C is encrypted; want plain text, it was not selected")
	}
}

func TestPlanRepairs(t *testing.T) {
	t.Parallel()
	right, stranger, lost := newKey(t), newKey(t), newKey(t)
	tests := []struct {
		name  string
		head  string // "" for no commit of the file
		file  string
		vault error

		want   drift.Action // "" for no change
		values string
		names  []string
		err    error
		locked bool // the error is a NoFittingKeyError
	}{
		{name: "no drift", file: locked(t, right, "A=1\n")},
		{name: "plain text is no drift", file: "A=1\n"},
		{name: "an edit with a key at hand", head: locked(t, right, "A=1\nB=2\n"), file: locked(t, stranger, "A=1\nB=3\n"), want: drift.Repaired, values: "A=1\nB=3\n", names: []string{"B"}},
		{name: "new, with a key at hand", file: locked(t, stranger, "A=1\n"), want: drift.Repaired, values: "A=1\n", names: []string{"A"}},
		{name: "no key at hand", head: locked(t, right, "A=1\n"), file: locked(t, lost, "A=2\n"), want: drift.Restored, values: "A=1\n"},
		{name: "new, no key at hand", file: locked(t, lost, "A=2\n"), want: drift.Failed, locked: true},
		{name: "the vault is down", file: locked(t, stranger, "A=1\n"), vault: vault.ErrDenied, want: drift.Failed, err: vault.ErrDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newClone(t)
			p.commit("envdrift.toml", mapped)
			if tt.head != "" {
				p.commit("api/.env", tt.head)
			}
			p.write("api/.env", tt.file)
			p.write("api/.env.keys", assignment(stranger))
			p.vaults.at("").secrets["api"], p.vaults.at("").err = right.Reveal(), tt.vault
			w := p.open()
			changes, err := w.PlanRepairs(t.Context(), targets(t, w))
			if err != nil {
				t.Fatalf("PlanRepairs = %v", err)
			}
			if tt.want == "" {
				if len(changes) != 0 {
					t.Errorf("PlanRepairs = %v; want nothing to do", changes[0].Action)
				}
				return
			}
			if len(changes) != 1 {
				t.Fatalf("PlanRepairs = %d changes; want one", len(changes))
			}
			c := changes[0]
			noFit := (*drift.NoFittingKeyError)(nil)
			if c.Action != tt.want || c.Mapping.SecretName != "api" || !tt.locked && !errors.Is(c.Err, tt.err) || errors.As(c.Err, &noFit) != tt.locked {
				t.Errorf("PlanRepairs = %s %s of %q, %v; want %s, %v, no fitting key %t", c.Action, c.File, c.Mapping.SecretName, c.Err, tt.want, tt.err, tt.locked)
			}
			if want := tt.want != drift.Failed; c.Write != want || c.Keep != want {
				t.Errorf("write %t, keep the old %t; want both %t", c.Write, c.Keep, want)
			}
			if c.Write && (values(t, string(c.New), right) != tt.values || !reflect.DeepEqual(c.Names, tt.names) || string(c.Old) != tt.file) {
				t.Errorf("repaired: values %q, names %q; want %q, %q, and the old content kept", values(t, string(c.New), right), c.Names, tt.values, tt.names)
			}
			if p.read("api/.env") != tt.file {
				t.Error("PlanRepairs wrote to the file; want a plan only")
			}
		})
	}
}

func TestPlanRepairsWithoutHead(t *testing.T) {
	t.Parallel()
	right, stranger := newKey(t), newKey(t)
	p := newClone(t)
	p.commit("envdrift.toml", mapped)
	p.commit("api/.env", locked(t, right, "A=1\n"))
	p.write("api/.env", locked(t, stranger, "A=1\n"))
	oid := p.git("rev-parse", "HEAD:api/.env")
	if err := os.Remove(p.path(".git/objects/" + oid[:2] + "/" + oid[2:])); err != nil {
		t.Fatal(err)
	}
	p.vaults.at("").secrets["api"] = right.Reveal()
	w := p.open()
	changes, err := w.PlanRepairs(t.Context(), targets(t, w))
	if err != nil || len(changes) != 1 || changes[0].Action != drift.Failed || changes[0].Write || !errors.Is(changes[0].Err, gitops.ErrMissing) {
		t.Errorf("PlanRepairs with an unreadable version in HEAD = %+v, %v; want one that failed with ErrMissing", changes, err)
	}
	if runtime.GOOS == "windows" {
		return // the git that fails is a shell script
	}
	p.breakGit("*ls-tree*")
	w = p.open()
	if changes, err := w.PlanRepairs(t.Context(), []mapping.Target{target(t, w, "api/.env")}); err == nil {
		t.Errorf("PlanRepairs with a git that fails = %d changes, nil; want its error", len(changes))
	}
	if len(p.vaults.opened) != 1 {
		t.Errorf("vaults opened: %d; want none after git failed", len(p.vaults.opened)-1)
	}
}

func TestPlanEncryption(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	key := newKey(t)
	p.commit("envdrift.toml", mapped+"[[vault.sync.mappings]]\nsecret_name = \"none\"\nfolder_path = \"none\"\n")
	head := locked(t, key, "A=1\nB=2\n")
	p.commit("api/.env", head)
	p.write("api/.env", "A=1\nB=3\n")
	p.write("none/.env", "A=1\n")
	store := p.vaults.at("")
	store.secrets["api"] = key.Reveal()
	w := p.open()
	plan, err := w.PlanEncryption(t.Context(), targets(t, w))
	if err != nil || len(plan) != 2 {
		t.Fatalf("PlanEncryption = %d changes, %v; want two", len(plan), err)
	}
	if got := string(plan[0].New); values(t, got, key) != "A=1\nB=3\n" || !strings.Contains(got, line(head, "A")) {
		t.Errorf("the first file becomes\n%s\nwant A's ciphertext of HEAD's version kept:\n%s", got, head)
	}
	unknown := (*keyring.UnknownKeyError)(nil)
	if c := plan[1]; c.Action != drift.Failed || c.File != "none/.env" || !errors.As(c.Err, &unknown) {
		t.Errorf("the second file: %s %s, %v; want an UnknownKeyError", c.Action, c.File, c.Err)
	}

	store.err = vault.ErrUnavailable
	w = p.open()
	plan, err = w.PlanEncryption(t.Context(), targets(t, w)[:1])
	if err != nil || !plan[0].Write || !strings.Contains(plan[0].Note, "not compared with HEAD, because the key is missing") {
		t.Errorf("PlanEncryption without the vault: write %t, note %q, %v", plan[0].Write, plan[0].Note, err)
	}
}

// line returns the line of an env file that sets a variable.
func line(text, name string) string {
	_, rest, _ := strings.Cut(text, "\n"+name+"=")
	value, _, _ := strings.Cut(rest, "\n")
	return name + "=" + value + "\n"
}
