package conformance_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/conformance"
)

// A flawed vault does one thing wrong.
type flawed struct {
	flaw string

	mu       sync.Mutex
	texts    map[string]string
	versions map[string]int
}

func (*flawed) String() string { return "flawed" }

func (*flawed) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("flawed")) }

func (f *flawed) fail(op, name string, kind error) error {
	return &vault.Error{Op: op, Vault: "flawed", Name: name, Err: kind, Detail: "no control characters"}
}

// admit returns why a request is not served.
func (f *flawed) admit(ctx context.Context, op, name string) error {
	switch {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0xfffd }):
		return f.fail(op, name, vault.ErrName)
	case ctx.Err() != nil && f.flaw != "ignores the context":
		return f.fail(op, name, ctx.Err())
	}
	return nil
}

func (f *flawed) Get(ctx context.Context, name string) (vault.Secret, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.admit(ctx, "get", name); err != nil {
		return vault.Secret{}, err
	}
	text, there := f.texts[name]
	if !there {
		kind := vault.ErrNotFound
		if f.flaw == "calls what is missing denied" {
			kind = vault.ErrDenied
		}
		return vault.Secret{}, f.fail("get", name, kind)
	}
	return vault.Secret{Name: name, Value: secret.New(text), Version: fmt.Sprint(f.versions[name])}, nil
}

func (f *flawed) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.admit(ctx, "put", name); err != nil {
		return "", err
	}
	seen := ""
	if f.versions[name] > 0 {
		seen = fmt.Sprint(f.versions[name])
	}
	switch {
	case f.flaw == "only reads":
		return "", f.fail("put", name, vault.ErrUnsupported)
	case value.IsEmpty():
		return "", f.fail("put", name, vault.ErrMalformed)
	case base != seen && f.flaw != "takes any version":
		return "", f.fail("put", name, vault.ErrConflict)
	}
	f.texts[name] = value.Reveal()
	if f.flaw == "trims" {
		f.texts[name] = strings.TrimSpace(value.Reveal())
	}
	f.versions[name]++
	return fmt.Sprint(f.versions[name]), nil
}

func (f *flawed) Delete(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.texts, name)
	return nil
}

// TestTrial: each flaw fails the tests that are about it, and no others.
func TestTrial(t *testing.T) {
	t.Parallel()
	for flaw, want := range map[string]string{
		"":                             "",
		"only reads":                   "",
		"trims":                        "PutGet",
		"takes any version":            "Conflict Atomic",
		"ignores the context":          "Cancelled",
		"calls what is missing denied": "NotFound EmptyRefused Cancelled Atomic",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			store := &flawed{flaw: flaw, texts: map[string]string{"of others": "x"}, versions: map[string]int{"of others": 1}}
			trial := conformance.NewTrial(store, "of others")
			var failed, without []string
			for r := range trial.Results(t.Context()) {
				if len(r.Failures) > 0 {
					failed = append(failed, r.Test)
				}
				if r.Without != "" {
					without = append(without, r.Test)
				}
			}
			if strings.Join(failed, " ") != want {
				t.Errorf("failed: %q; want %s", failed, want)
			}
			if readOnly := slices.Contains(without, "PutGet"); readOnly != (flaw == "only reads") {
				t.Errorf("left out: %q", without)
			}
			left := trial.CleanUp(t.Context())
			if len(store.texts) != 1 || len(left) > 0 && flaw != "calls what is missing denied" {
				t.Errorf("after the clean-up it has %d secrets; said to be left: %q", len(store.texts), left)
			}
		})
	}
}
