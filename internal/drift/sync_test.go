package drift_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

// synced is a target that is in order, in the folder svc.
func synced(secretName, name string) mapping.Target {
	return mapping.Target{
		Mapping: config.Mapping{SecretName: secretName, Folder: "svc"},
		File:    "svc/.env.production", KeysFile: "svc/.env.keys", Names: []string{name, "DOTENV_PRIVATE_KEY_OTHER"},
	}
}

func inVault(keys ...*ecies.PrivateKey) keyring.Answer { return keyring.Answer{Keys: keys} }

// treeWith has a keys file of these lines; none without lines.
func treeWith(lines ...string) fstest.MapFS {
	if len(lines) == 0 {
		return fstest.MapFS{"svc/x": {}}
	}
	return fstest.MapFS{"svc/.env.keys": {Data: []byte(strings.Join(lines, "\n") + "\n")}}
}

func never(*drift.DiffersError) bool  { return false }
func always(*drift.DiffersError) bool { return true }

// keysOf is what a keys file holds, a line for each name.
func keysOf(data []byte) string {
	var lines []string
	for _, e := range dotenv.ParseKeysFile(data).Entries() {
		lines = append(lines, e.Name+"="+e.Value.Reveal())
	}
	return strings.Join(lines, "\n")
}

func TestSyncOfOneTarget(t *testing.T) {
	t.Parallel()
	key, older, other := newKey(t), newKey(t), newKey(t)
	k, o, x := key.Reveal(), older.Reveal(), other.Reveal()
	const name = "DOTENV_PRIVATE_KEY"
	differs := func(localKeys string) string {
		return "svc/.env.keys holds another DOTENV_PRIVATE_KEY (public key " + localKeys + ") than the vault (" + key.PublicKey().Short() + ")"
	}
	tests := []struct {
		name    string
		tree    fstest.MapFS
		vault   keyring.Answer
		replace func(*drift.DiffersError) bool
		action  drift.Action
		wantErr string
		write   string // the names and keys of the new content; "" for no write
		keep    bool
	}{
		{name: "no keys file", tree: treeWith(), vault: inVault(key), action: drift.Created, write: name + "=" + k},
		{name: "a list from the vault", tree: treeWith(), vault: inVault(key, older), action: drift.Created, write: name + "=" + k + "," + o},
		{name: "empty keys file", tree: fstest.MapFS{"svc/.env.keys": {}}, vault: inVault(key), action: drift.Created, write: name + "=" + k},
		{
			name: "keys file with another name's key", tree: treeWith("DOTENV_PRIVATE_KEY_OTHER=" + x), vault: inVault(key),
			action: drift.Created, write: "DOTENV_PRIVATE_KEY_OTHER=" + x + "\n" + name + "=" + k,
		},
		{
			name: "the vault's key under another fitting name", tree: treeWith("DOTENV_PRIVATE_KEY_OTHER=" + k), vault: inVault(key),
			action: drift.Created, write: "DOTENV_PRIVATE_KEY_OTHER=" + k + "\n" + name + "=" + k,
		},
		{name: "the same key", tree: treeWith(name + "=" + k), vault: inVault(key), action: drift.Unchanged},
		{name: "the same key in upper case", tree: treeWith(name + `="` + strings.ToUpper(k) + `"`), vault: inVault(key), action: drift.Unchanged},
		{name: "the same key twice", tree: treeWith(name+"="+k, name+"="+k), vault: inVault(key), action: drift.Unchanged},
		{name: "the same list on two lines", tree: treeWith(name+"="+k, name+"="+o), vault: inVault(key, older), action: drift.Unchanged},
		{name: "another key, kept", tree: treeWith(name + "=" + x), vault: inVault(key), replace: never, action: drift.Differs, wantErr: differs(other.PublicKey().Short())},
		{name: "another key, replaced", tree: treeWith(name + "=" + x), vault: inVault(key), replace: always, action: drift.Updated, write: name + "=" + k, keep: true},
		{name: "the list in another order", tree: treeWith(name + "=" + o + "," + k), vault: inVault(key, older), action: drift.Updated, write: name + "=" + k + "," + o},
		{name: "the newest of the vault's list", tree: treeWith(name + "=" + k), vault: inVault(key, older), action: drift.Unchanged},
		{name: "an older one of the vault's list", tree: treeWith(name + "=" + o), vault: inVault(key, older), action: drift.Updated, write: name + "=" + k + "," + o},
		{name: "one of the vault's list and another", tree: treeWith(name + "=" + k + "," + x), vault: inVault(key, older), replace: never, action: drift.Differs, wantErr: differs(key.PublicKey().Short())},
		{name: "a key more than the vault, after its own", tree: treeWith(name + "=" + k + "," + o), vault: inVault(key), action: drift.Unchanged},
		{name: "a key more than the vault, before its own", tree: treeWith(name + "=" + x + "," + k), vault: inVault(key), replace: never, action: drift.Differs, wantErr: differs(other.PublicKey().Short())},
		{name: "a damaged key, kept", tree: treeWith(name + "=nonsense"), vault: inVault(key), replace: never, action: drift.Differs, wantErr: differs("none, it is damaged")},
		{name: "a damaged key, replaced", tree: treeWith(name + "=nonsense"), vault: inVault(key), replace: always, action: drift.Updated, write: name + "=" + k, keep: true},
		{name: "an empty key, replaced", tree: treeWith(name + "="), vault: inVault(key), replace: always, action: drift.Updated, write: name + "=" + k, keep: true},
		{
			name: "every line of the name is replaced", tree: treeWith(name+"="+x, "# note", name+"="+o), vault: inVault(key), replace: always,
			action: drift.Updated, write: name + "=" + k + "\n" + name + "=" + k, keep: true,
		},
		{name: "no key in the vault", tree: treeWith(name + "=" + x), vault: keyring.Answer{Err: errors.New("asked in vain")}, action: drift.Failed, wantErr: "asked in vain"},
		{name: "keys file in UTF-16", tree: fstest.MapFS{"svc/.env.keys": {Data: []byte("\xff\xfeA\x00")}}, vault: inVault(key), action: drift.Failed, wantErr: "line 1"},
		{name: "the same key in a keys file that is not UTF-8", tree: treeWith(name+"="+k, "A=\xe9"), vault: inVault(key), action: drift.Failed, wantErr: "line 2"},
		{name: "a folder in place of the keys file", tree: fstest.MapFS{"svc/.env.keys/x": {}}, vault: inVault(key), action: drift.Failed, wantErr: "read svc/.env.keys: not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			replace := tt.replace
			if replace == nil {
				replace = func(e *drift.DiffersError) bool { t.Errorf("Sync asked about %v", e); return false }
			}
			target := synced("secret", name)
			changes := drift.Sync(tt.tree, []mapping.Target{target}, []keyring.Answer{tt.vault}, replace)
			if len(changes) != 1 {
				t.Fatalf("Sync = %d changes; want 1", len(changes))
			}
			c := changes[0]
			if c.Action != tt.action || (c.Err == nil) != (tt.wantErr == "") || c.Err != nil && !strings.HasPrefix(c.Err.Error(), tt.wantErr) {
				t.Errorf("Sync = %s, %v; want %s, %q", c.Action, c.Err, tt.action, tt.wantErr)
			}
			if c.Mapping.SecretName != target.Mapping.SecretName || c.File != "svc/.env.keys" || !c.Private {
				t.Errorf("Sync = %+v; want the mapping and its private keys file", c)
			}
			if tt.vault.Err == nil && !slices.Equal(c.Names, []string{name}) {
				t.Errorf("Sync: names = %q; want the first that fits, %s", c.Names, name)
			}
			if c.Write != (tt.write != "") || keysOf(c.New) != tt.write || c.Keep != tt.keep {
				t.Errorf("Sync: write %t, keys %d, keep %t; want %t, %d, %t", c.Write, strings.Count(keysOf(c.New), "="), c.Keep, tt.write != "", strings.Count(tt.write, "="), tt.keep)
			}
			if old, ok := tt.tree["svc/.env.keys"]; c.Write && (string(c.Old) != string(dataOf(old)) || (c.Old == nil) == ok) {
				t.Errorf("Sync: old = %#v; want what the keys file holds, nil if there is none", c.Old)
			}
		})
	}
}

func dataOf(f *fstest.MapFile) []byte {
	if f == nil {
		return nil
	}
	return f.Data
}

func TestSyncChangesNothingButTheKey(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	tree := treeWith("#!note", "", "A='1' # x", "DOTENV_PRIVATE_KEY=\""+other.Reveal()+"\" # ours", "junk")
	c := drift.Sync(tree, []mapping.Target{synced("s", "DOTENV_PRIVATE_KEY")}, []keyring.Answer{inVault(key)}, always)[0]
	want := strings.Replace(string(tree["svc/.env.keys"].Data), other.Reveal(), key.Reveal(), 1)
	if string(c.New) != want {
		t.Errorf("Sync changed more than the key: line ends or comments differ")
	}
}

func TestSyncTellsWhatDiffers(t *testing.T) {
	t.Parallel()
	key, local1, local2 := newKey(t), newKey(t), newKey(t)
	tree := treeWith("DOTENV_PRIVATE_KEY="+local1.Reveal(), "DOTENV_PRIVATE_KEY="+local2.Reveal()+","+local1.Reveal())
	var got *drift.DiffersError
	drift.Sync(tree, []mapping.Target{synced("s", "DOTENV_PRIVATE_KEY")}, []keyring.Answer{inVault(key)}, func(e *drift.DiffersError) bool {
		got = e
		return false
	})
	if got == nil || got.KeysFile != "svc/.env.keys" || got.Name != "DOTENV_PRIVATE_KEY" ||
		got.Local.Reveal() != (ecies.Keys{local1, local2}).Reveal() || got.Vault.Reveal() != key.Reveal() {
		t.Errorf("Sync asked about %v; want both local keys, each once, and the vault's", got)
	}
}

// Above a key, its file's name is shown; an env file that is not there yet is
// called after the environment.
func TestSyncLabelsNewKeys(t *testing.T) {
	t.Parallel()
	noFile := synced("s", "DOTENV_PRIVATE_KEY_EU")
	noFile.File, noFile.Err = "", &config.NoEnvFileError{}
	noFile.Mapping.Environment = "eu"
	for label, target := range map[string]mapping.Target{".env.production": synced("s", "DOTENV_PRIVATE_KEY"), ".env.eu": noFile} {
		key := newKey(t)
		c := drift.Sync(treeWith("A=1"), []mapping.Target{target}, []keyring.Answer{inVault(key)}, never)[0]
		if want := "A=1\n\n# " + label + "\n" + target.Names[0] + "=" + key.Reveal() + "\n"; string(c.New) != want {
			t.Errorf("Sync of a target for %s does not add a comment with this name and the key", label)
		}
	}
}

func TestSyncOfTargetsInTrouble(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	trouble := func(file string, err error) mapping.Target {
		target := synced("s", "DOTENV_PRIVATE_KEY")
		target.File, target.Err = file, err
		return target
	}
	missing := &fs.PathError{Op: "read", Path: "svc", Err: fs.ErrNotExist}
	shared := &mapping.SharedFileError{File: "svc/.env.production"}
	tests := []struct {
		name   string
		target mapping.Target
		vault  error
		action drift.Action
		want   error
	}{
		{"no folder", trouble("", missing), nil, drift.Failed, missing},
		{"no folder, and no key", trouble("", missing), errors.New("no key"), drift.Failed, missing},
		{"shared env file", trouble("svc/.env.production", shared), nil, drift.Failed, shared},
		{"no env file: the key may come first", trouble("", &config.NoEnvFileError{}), nil, drift.Created, nil},
		{"env_file not there: the key may come first", trouble("svc/deep/.env", missing), nil, drift.Created, nil},
		{"unreadable env file", trouble("svc/.env.production", atomicfile.ErrNotRegular), nil, drift.Created, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vaultKey := inVault(key)
			if tt.vault != nil {
				vaultKey = keyring.Answer{Err: tt.vault}
			}
			good := synced("good", "DOTENV_PRIVATE_KEY")
			good.KeysFile = "good/.env.keys"
			changes := drift.Sync(treeWith(), []mapping.Target{tt.target, good}, []keyring.Answer{vaultKey, inVault(key)}, never)
			c := changes[0]
			if c.Action != tt.action || !errors.Is(c.Err, tt.want) || c.Write != (tt.want == nil) {
				t.Errorf("Sync = %s, %v, write %t; want %s, %v", c.Action, c.Err, c.Write, tt.action, tt.want)
			}
			if g := changes[1]; g.Action != drift.Created || !g.Write {
				t.Errorf("Sync of the other target = %s, %v; want it created", g.Action, g.Err)
			}
		})
	}
}

func TestSyncOfEphemeralTargets(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	target := synced("s", "DOTENV_PRIVATE_KEY")
	target.Mapping.Ephemeral = true
	for _, tt := range []struct {
		name  string
		tree  fstest.MapFS
		vault keyring.Answer
		want  drift.Action
		note  string
	}{
		{"no keys file", treeWith(), inVault(key), drift.Ephemeral, ""},
		{"a keys file", treeWith("DOTENV_PRIVATE_KEY=" + other.Reveal()), inVault(key), drift.Ephemeral, "exists and is not used: the mapping is ephemeral"},
		{"no key", treeWith(), keyring.Answer{Err: errors.New("no key")}, drift.Failed, ""},
	} {
		c := drift.Sync(tt.tree, []mapping.Target{target}, []keyring.Answer{tt.vault}, always)[0]
		if c.Action != tt.want || c.Note != tt.note || c.Write || c.New != nil {
			t.Errorf("%s: Sync = %s, note %q, write %t; want %s, note %q, no write", tt.name, c.Action, c.Note, c.Write, tt.want, tt.note)
		}
	}
}

func TestSyncOfTargetsThatShareAKeysFile(t *testing.T) {
	t.Parallel()
	k1, k2, local := newKey(t), newKey(t), newKey(t)
	const a, b, c = "DOTENV_PRIVATE_KEY_A", "DOTENV_PRIVATE_KEY_B", "DOTENV_PRIVATE_KEY_C"
	twoKeys := "two mappings have different keys for " + a + " in svc/.env.keys; rename one env file so that their keys' names differ"
	tests := []struct {
		name    string
		tree    fstest.MapFS
		names   []string
		keys    []keyring.Answer
		replace func(*drift.DiffersError) bool
		actions string
		errors  map[int]string
		writer  int // -1: nobody
		write   string
		keep    bool
	}{
		{
			name: "the last one carries all", tree: treeWith(), names: []string{a, b, c}, keys: []keyring.Answer{inVault(k1), inVault(k2), inVault(k1)},
			actions: "created created created", writer: 2, write: a + "=" + k1.Reveal() + "\n" + b + "=" + k2.Reveal() + "\n" + c + "=" + k1.Reveal(),
		},
		{
			name: "the last one that writes", tree: treeWith(c + "=" + k1.Reveal()), names: []string{a, b, c}, keys: []keyring.Answer{inVault(k1), inVault(k2), inVault(k1)},
			actions: "created created unchanged", writer: 1, write: c + "=" + k1.Reveal() + "\n" + a + "=" + k1.Reveal() + "\n" + b + "=" + k2.Reveal(),
		},
		{
			name: "one is replaced, so that the writer keeps the old file", tree: treeWith(a + "=" + local.Reveal()), names: []string{a, b}, keys: []keyring.Answer{inVault(k1), inVault(k2)},
			replace: always, actions: "updated created", writer: 1, write: a + "=" + k1.Reveal() + "\n" + b + "=" + k2.Reveal(), keep: true,
		},
		{
			name: "one differs and stays", tree: treeWith(a + "=" + local.Reveal()), names: []string{a, b}, keys: []keyring.Answer{inVault(k1), inVault(k2)},
			replace: never, actions: "differs created", writer: 1, write: a + "=" + local.Reveal() + "\n" + b + "=" + k2.Reveal(),
			errors: map[int]string{0: "svc/.env.keys holds another " + a},
		},
		{
			name: "one has no key", tree: treeWith(), names: []string{a, b}, keys: []keyring.Answer{inVault(k1), {Err: errors.New("no key")}},
			actions: "created failed", writer: 0, write: a + "=" + k1.Reveal(), errors: map[int]string{1: "no key"},
		},
		{
			name: "all are as they should be", tree: treeWith(a+"="+k1.Reveal(), b+"="+k2.Reveal()), names: []string{a, b}, keys: []keyring.Answer{inVault(k1), inVault(k2)},
			actions: "unchanged unchanged", writer: -1,
		},
		{
			name: "one name, one key", tree: treeWith(), names: []string{a, a}, keys: []keyring.Answer{inVault(k1), inVault(k1)},
			actions: "created unchanged", writer: 0, write: a + "=" + k1.Reveal(),
		},
		{
			name: "one name, two keys", tree: treeWith(), names: []string{a, a}, keys: []keyring.Answer{inVault(k1), inVault(k2)},
			replace: always, actions: "created failed", writer: 0, write: a + "=" + k1.Reveal(), errors: map[int]string{1: twoKeys},
		},
		{
			name: "one name, two keys, one of them there already", tree: treeWith(a + "=" + k1.Reveal()), names: []string{a, a}, keys: []keyring.Answer{inVault(k1), inVault(k2)},
			replace: always, actions: "unchanged failed", writer: -1, errors: map[int]string{1: twoKeys},
		},
		{
			name: "a damaged file fails for all", tree: fstest.MapFS{"svc/.env.keys": {Data: []byte("A=\xe9\n")}}, names: []string{a, b}, keys: []keyring.Answer{inVault(k1), inVault(k2)},
			actions: "failed failed", writer: -1, errors: map[int]string{0: "line 1", 1: "line 1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var targets []mapping.Target
			for _, name := range tt.names {
				targets = append(targets, synced("s", name))
			}
			changes := drift.Sync(tt.tree, targets, tt.keys, tt.replace)
			var actions []string
			for i, c := range changes {
				actions = append(actions, string(c.Action))
				if want, failed := tt.errors[i]; (c.Err != nil) != failed || failed && !strings.HasPrefix(c.Err.Error(), want) {
					t.Errorf("Sync: error %d = %v; want %q", i, c.Err, want)
				}
				if c.Write != (i == tt.writer) || c.Keep != (tt.keep && i == tt.writer) {
					t.Errorf("Sync: change %d: write %t, keep %t; want the writer to be %d, keep %t", i, c.Write, c.Keep, tt.writer, tt.keep)
				}
				if c.Write && keysOf(c.New) != tt.write {
					t.Errorf("Sync: change %d writes other keys than wanted", i)
				}
			}
			if got := strings.Join(actions, " "); got != tt.actions {
				t.Errorf("Sync = %q; want %q", got, tt.actions)
			}
		})
	}
}

// A name that a keys file cannot hold fails alone.
func TestSyncOfANameThatDoesNotReadBack(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	changes := drift.Sync(treeWith(), []mapping.Target{synced("s", "NO NAME"), synced("s", "DOTENV_PRIVATE_KEY")}, []keyring.Answer{inVault(key), inVault(key)}, never)
	bad, good := changes[0], changes[1]
	if e := (*dotenv.NameError)(nil); bad.Action != drift.Failed || !errors.As(bad.Err, &e) || bad.Write {
		t.Errorf("Sync of a name with a blank = %s, %v; want a NameError", bad.Action, bad.Err)
	}
	if good.Action != drift.Created || keysOf(good.New) != "DOTENV_PRIVATE_KEY="+key.Reveal() {
		t.Errorf("Sync of the other name = %s, %v; want it created", good.Action, good.Err)
	}
}

func TestStoreKey(t *testing.T) {
	t.Parallel()
	key, older, oldest, neighbour := newKey(t), newKey(t), newKey(t), newKey(t)
	const name = "DOTENV_PRIVATE_KEY"
	k, o, oo, n := key.Reveal(), older.Reveal(), oldest.Reveal(), neighbour.Reveal()
	tests := []struct {
		name    string
		tree    fstest.MapFS
		keyName string // "": DOTENV_PRIVATE_KEY
		action  drift.Action
		write   string // "": Failed
		keep    bool
		wantErr string
	}{
		{name: "no keys file", tree: treeWith(), action: drift.Created, write: name + "=" + k},
		{name: "a neighbour's key", tree: treeWith("DOTENV_PRIVATE_KEY_CI=" + n), action: drift.Created, write: "DOTENV_PRIVATE_KEY_CI=" + n + "\n" + name + "=" + k},
		{name: "an older key stays behind the new one", tree: treeWith(name + "=" + o), action: drift.Updated, write: name + "=" + k + "," + o, keep: true},
		{name: "a list of older keys stays in its order", tree: treeWith(name + "=" + o + "," + oo), action: drift.Updated, write: name + "=" + k + "," + o + "," + oo, keep: true},
		{name: "older keys on two lines", tree: treeWith(name+"="+o, name+"="+oo), action: drift.Updated, write: name + "=" + k + "," + o + "," + oo + "\n" + name + "=" + k + "," + o + "," + oo, keep: true},
		{name: "a damaged key is in the backup only", tree: treeWith(name + "=nonsense"), action: drift.Updated, write: name + "=" + k, keep: true},
		{name: "a folder in place of the file", tree: fstest.MapFS{"svc/.env.keys/x": {}}, action: drift.Failed, wantErr: "read svc/.env.keys: not a regular file"},
		{name: "not UTF-8", tree: treeWith("A=\xe9"), action: drift.Failed, wantErr: "line 1"},
		{name: "a name that does not read back", tree: treeWith(), keyName: "NO NAME", action: drift.Failed, wantErr: "NO NAME"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keyName := name
			if tt.keyName != "" {
				keyName = tt.keyName
			}
			c := drift.StoreKey(tt.tree, "svc/.env.keys", keyName, key, ".env.production")
			if c.Action != tt.action || (c.Err == nil) != (tt.wantErr == "") || c.Err != nil && !strings.Contains(c.Err.Error(), tt.wantErr) {
				t.Errorf("StoreKey = %s, %v; want %s, %q", c.Action, c.Err, tt.action, tt.wantErr)
			}
			if c.File != "svc/.env.keys" || !slices.Equal(c.Names, []string{keyName}) || !c.Private {
				t.Errorf("StoreKey = %+v; want the private keys file and the key's name", c)
			}
			if c.Write != (tt.wantErr == "") || c.Keep != tt.keep {
				t.Errorf("StoreKey: write %t, keep %t; want %t, %t", c.Write, c.Keep, tt.wantErr == "", tt.keep)
			}
			if c.Write && keysOf(c.New) != tt.write {
				t.Errorf("StoreKey writes other keys than wanted: %d of them", strings.Count(keysOf(c.New), "="))
			}
			if old, ok := tt.tree["svc/.env.keys"]; c.Write && (string(c.Old) != string(dataOf(old)) || (c.Old == nil) == ok) {
				t.Errorf("StoreKey: old = %#v; want what the keys file holds, nil if there is none", c.Old)
			}
		})
	}
}

func TestStoreKeyLabelsTheKey(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	c := drift.StoreKey(treeWith("A=1"), "svc/.env.keys", "DOTENV_PRIVATE_KEY_CI", key, ".env.ci")
	if want := "A=1\n\n# .env.ci\nDOTENV_PRIVATE_KEY_CI=" + key.Reveal() + "\n"; string(c.New) != want {
		t.Error("StoreKey does not add a comment with the env file's name and the key")
	}
}

func TestInSync(t *testing.T) {
	t.Parallel()
	old, new, other := newKey(t), newKey(t), newKey(t)
	forKey := func(k *ecies.PrivateKey) *dotenv.Document {
		doc, _, err := dotenv.Parse([]byte("A=1\n")).Encrypt(k.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	for _, tt := range []struct {
		name         string
		local, vault ecies.Keys
		doc          *dotenv.Document
		want         bool
	}{
		{"the same", ecies.Keys{old}, ecies.Keys{old}, forKey(old), true},
		{"the same of a file that drifted", ecies.Keys{old}, ecies.Keys{old}, forKey(other), true},
		{"none", nil, ecies.Keys{old}, forKey(old), false},
		{"begun, the file is older", ecies.Keys{old}, ecies.Keys{old, new}, forKey(old), true},
		{"begun, the file is newer", ecies.Keys{old}, ecies.Keys{old, new}, forKey(new), false},
		{"finished, the file is newer", ecies.Keys{old, new}, ecies.Keys{new, old}, forKey(new), true},
		{"finished, the file is on an old branch", ecies.Keys{old}, ecies.Keys{new, old}, forKey(old), true},
		{"retired", ecies.Keys{old, new}, ecies.Keys{new}, forKey(new), true},
		{"retired, the file is on an old branch", ecies.Keys{old, new}, ecies.Keys{new}, forKey(old), false},
		{"another", ecies.Keys{other}, ecies.Keys{old}, forKey(old), false},
		{"another, for which the file drifted", ecies.Keys{other, old}, ecies.Keys{old}, forKey(other), false},
		{"no file, the same first", ecies.Keys{old}, ecies.Keys{old, new}, nil, true},
		{"no file, another first", ecies.Keys{new}, ecies.Keys{old, new}, nil, false},
	} {
		if got := drift.InSync(tt.local, tt.vault, tt.doc); got != tt.want {
			t.Errorf("%s: InSync = %t; want %t", tt.name, got, tt.want)
		}
	}
}
