package workspace_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

// utf16 is a file that cannot be read as an env file.
const utf16 = "\xff\xfeA\x00=\x001\x00"

func TestPlanDecryptionAndLock(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	encrypted := locked(t, key, "A=1\n")
	for _, tt := range []struct {
		name, file             string // "" for no file
		decryption, lock       drift.Action
		decryptNote, lockNote  string
		decryptErrs, lockFails bool
	}{
		{"none", "", drift.Skipped, drift.Skipped, "../api: there is no .env.production", "../api: there is no .env.production", false, false},
		{"encrypted", encrypted, drift.Decrypted, drift.Unchanged, "", "already encrypted", false, false},
		{"mixed", encrypted + "B=2\n", drift.Decrypted, drift.Encrypted, "values that were already plaintext stay as they are", "", false, false},
		{"plaintext", "A=1\n", drift.Skipped, drift.Encrypted, "already plaintext", "", false, false},
		{"no values", "# none\n", drift.Skipped, drift.Unchanged, "already plaintext", "holds no values", false, false},
		{"UTF-16", utf16, drift.Failed, drift.Failed, "", "", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newClone(t)
			p.commit("envdrift.toml", mapped)
			p.mkdir("api")
			p.mkdir("below")
			if tt.file != "" {
				p.write("api/.env", tt.file)
			}
			p.vaults.at("").secrets["api"] = key.Reveal()
			w := p.open(func(o *workspace.Options) { o.Cwd = p.path("below") })
			all := targets(t, w)
			ch := w.PlanDecryption(all[0], keyring.Answer{Keys: ecies.Keys{key}})
			if ch.Action != tt.decryption || ch.Note != tt.decryptNote || (ch.Err != nil) != tt.decryptErrs || ch.Mapping.SecretName != "api" {
				t.Errorf("PlanDecryption = %s of %q, %q, %v; want %s, %q", ch.Action, ch.Mapping.SecretName, ch.Note, ch.Err, tt.decryption, tt.decryptNote)
			}
			plan, err := w.PlanLock(t.Context(), all)
			if err != nil || len(plan) != 1 {
				t.Fatalf("PlanLock = %d changes, %v; want one", len(plan), err)
			}
			ch = plan[0]
			if ch.Action != tt.lock || ch.Note != tt.lockNote || (ch.Err != nil) != tt.lockFails || ch.Mapping.SecretName != "api" {
				t.Errorf("PlanLock = %s of %q, %q, %v; want %s, %q", ch.Action, ch.Mapping.SecretName, ch.Note, ch.Err, tt.lock, tt.lockNote)
			}
		})
	}
}

func TestPlanDecryptionWithoutKey(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.commit("envdrift.toml", mapped)
	p.write("api/.env", locked(t, newKey(t), "A=1\n"))
	w := p.open()
	ch := w.PlanDecryption(targets(t, w)[0], keyring.Answer{Err: vault.ErrDenied})
	if ch.Action != drift.Failed || !errors.Is(ch.Err, vault.ErrDenied) || ch.Write {
		t.Errorf("PlanDecryption = %s, %v, write %t; want the vault's error", ch.Action, ch.Err, ch.Write)
	}
}

// A plan has the order of its targets, also where some have nothing to encrypt.
func TestPlanLockOrder(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	p := newClone(t)
	config := mapped
	for _, name := range []string{"b", "c"} {
		config += "[[vault.sync.mappings]]\nsecret_name = \"api\"\nfolder_path = \"" + name + "\"\n"
	}
	p.commit("envdrift.toml", config)
	p.write("api/.env", locked(t, key, "A=1\n")+"B=2\n")
	p.write("b/.env", locked(t, key, "A=1\n"))
	p.write("c/.env", locked(t, key, "A=1\n")+"B=2\n")
	p.vaults.at("").secrets["api"] = key.Reveal()
	w := p.open()
	plan, err := w.PlanLock(t.Context(), targets(t, w))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ch := range plan {
		got = append(got, ch.File+" "+string(ch.Action))
	}
	if want := []string{"api/.env encrypted", "b/.env unchanged", "c/.env encrypted"}; !slices.Equal(got, want) {
		t.Errorf("PlanLock = %q; want %q", got, want)
	}
}

func TestPlanCopies(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.commit("envdrift.toml", mapped+"activate_to = \"local.env\"\n")
	w := p.open()
	m := w.Config.Mappings[0]
	pulled := []drift.Change{
		{Mapping: m, File: "api/.env", New: []byte("A=1\n")},
		{Mapping: m, File: "api/.env", New: []byte("A=1\n"), Err: errors.New("not written")},
		{Mapping: m, File: "api/.env"},
		{File: "other/.env", New: []byte("A=1\n")}, // its mapping wants none
	}
	copies, err := w.PlanCopies(t.Context(), pulled, false)
	if err != nil || len(copies) != 1 {
		t.Fatalf("PlanCopies = %d, %v; want one", len(copies), err)
	}
	if c := copies[0]; c.File != "api/local.env" || c.Action != drift.Activated || !c.Private || !c.Write {
		t.Errorf("PlanCopies = %s of %s, private %t, write %t", c.Action, c.File, c.Private, c.Write)
	}
	p.write("api/local.env", "A=mine\n")
	copies, err = w.PlanCopies(t.Context(), pulled, false)
	if err != nil || copies[0].Action != drift.Failed || copies[0].Write || !errors.As(copies[0].Err, new(*workspace.ActivateError)) {
		t.Errorf("PlanCopies over an edit = %s, write %t, %v, %v; want an ActivateError", copies[0].Action, copies[0].Write, copies[0].Err, err)
	}
}

func TestRepairable(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	p := newClone(t)
	config := mapped
	for _, name := range []string{"plain", "missing", "utf16"} {
		config += "[[vault.sync.mappings]]\nsecret_name = \"" + name + "\"\nfolder_path = \"" + name + "\"\n"
	}
	p.commit("envdrift.toml", config)
	p.write("api/.env", locked(t, key, "A=1\n"))
	p.write("plain/.env", "A=1\n")
	p.mkdir("missing")
	p.write("utf16/.env", utf16)
	p.write("unmapped/.env", locked(t, key, "A=1\n"))
	w := p.open()
	found, failed, err := w.Repairable(nil)
	if err != nil || len(found) != 1 || found[0].File != "api/.env" || len(failed) != 1 || failed[0].Mapping.SecretName != "utf16" {
		t.Errorf("Repairable() = %d targets, %d failed, %v; want api/.env, and utf16/.env failed", len(found), len(failed), err)
	}
	if found, failed, err := w.Repairable([]string{"api/.env"}); err != nil || len(found) != 1 || len(failed) != 0 {
		t.Errorf("Repairable(api/.env) = %d targets, %d failed, %v; want that alone", len(found), len(failed), err)
	}
	if _, _, err := w.Repairable([]string{"utf16/.env"}); err == nil {
		t.Error("Repairable(utf16/.env) = nil; want an error")
	}
	if _, _, err := w.Repairable([]string{"unmapped/.env"}); !errors.As(err, new(*keyring.UnmappedError)) {
		t.Errorf("Repairable of a file without a mapping = %v; want an UnmappedError", err)
	}
}
