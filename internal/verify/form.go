package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

// A proof says what proves a file, other than the vault that its mapping names.
type proof struct {
	local localKey
	all   bool // no file passes unproven, and the profile counts
	form  bool // where there are no credentials, the form does: see [FormError]
}

// A localKey says which local key makes it unnecessary to ask the vault.
type localKey int

const (
	noKey     localKey = iota
	agreedKey          // one that this clone has had from the vault
	anyKey             // whichever decrypts
)

// proves reports whether a local key proves a file.
func (l localKey) proves(ctx context.Context, f *File) bool {
	switch l {
	case anyKey:
		return f.proveLocally(ctx) || f.Mapping.Ephemeral
	case agreedKey:
		return !f.Mapping.Ephemeral && f.Workspace.HasAgreed(ctx, f.Target) && f.proveLocally(ctx)
	}
	return false
}

// A FormError reports a file that a server could not prove, because it has no
// credentials for the vault. Every value is a ciphertext, and the public key is one
// that ENVDRIFT_EXPECT_PUBLIC_KEYS names or, if that is not set, the one that the
// file had before.
type FormError struct{ Err error }

func (e *FormError) Error() string {
	return "only its form and its public key were checked: " + noCredentials(e.Err)
}

func (e *FormError) Unwrap() error { return e.Err }

// A NewKeyError reports a file with another public key than before, where no vault
// could be asked about it.
type NewKeyError struct {
	Is, Was string // abbreviated
	Err     error  // why not
}

func (e *NewKeyError) Error() string {
	return fmt.Sprintf("its public key is now %s, not %s as before: %s", e.Is, e.Was, noCredentials(e.Err))
}

func (e *NewKeyError) Unwrap() error { return e.Err }

// noCredentials says why no vault was asked, without the paths of the server's
// files: everyone who pushes reads it.
func noCredentials(err error) string {
	if e := (*vault.Error)(nil); errors.As(err, &e) {
		return fmt.Sprintf("there are no credentials here for %s: %v", e.Vault, e.Err)
	}
	return err.Error()
}

// checkForm decides on a file for whose vault there are no credentials.
func (f *File) checkForm(ctx context.Context) {
	err := f.Err
	inRepository := f.Workspace.VaultFile(ctx, f.Target) != ""
	if !errors.As(err, new(*workspace.TrustError)) && !errors.Is(err, vault.ErrUnauthenticated) && !(inRepository && errors.Is(err, vault.ErrDenied)) {
		return
	}
	if errors.Is(err, vault.ErrUnauthenticated) && f.credentialsSet(inRepository) {
		f.Err = &CredentialsError{err}
		return
	}
	if f.Err = f.formErr(ctx, err); f.Err == nil {
		f.Unproven = &FormError{err}
	}
}

// credentialsSet reports whether who runs the server wants the vault to be asked.
func (f *File) credentialsSet(inRepository bool) bool {
	var names []string
	switch {
	case inRepository:
		names = []string{"ENVDRIFT_AGE_IDENTITY", "ENVDRIFT_AGE_KEY"}
	case f.Workspace.Config.Vault.Provider == "hashicorp":
		names = []string{"VAULT_ADDR"}
	}
	return slices.ContainsFunc(names, func(name string) bool { return f.Workspace.Getenv(name) != "" })
}

// A CredentialsError reports credentials that were set and do not work: the form is
// no proof where the vault was wanted.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string {
	return "the credentials that are set here do not work: " + noCredentials(e.Err)
}

func (e *CredentialsError) Unwrap() error { return e.Err }

func (f *File) formErr(ctx context.Context, cause error) error {
	headers, err := f.Doc.PublicKeys()
	if err != nil {
		return err
	}
	if len(headers) == 0 {
		return cause
	}
	if err := f.Workspace.AgreedHeader(ctx, f.Target, nil); err != nil {
		return err
	}
	if f.Head == nil || f.Workspace.ExpectsKeys() {
		return nil
	}
	before, _ := f.Head.PublicKeys()
	for _, h := range headers {
		if len(before) > 0 && !slices.ContainsFunc(before, func(b dotenv.Header) bool { return b.Key == h.Key }) {
			return &NewKeyError{Is: h.Key.Short(), Was: before[0].Key.Short(), Err: cause}
		}
	}
	return nil
}
