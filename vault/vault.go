// Package vault is the interface to where a team keeps its private keys: a
// [Store] returns the text kept under a name. It knows nothing of env files and
// elliptic curves, and imports no vendor's SDK. Those are in vault/<provider>,
// and vault/all opens a Store for a [Config].
//
// What users store as "the key" has many shapes; [KeyText] finds the key in all
// of them. [Fetch] asks several stores at once.
package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
)

// The kinds of failure that a [Store] reports. Test for them with errors.Is.
var (
	ErrNotFound        = errors.New("secret not found")
	ErrDenied          = errors.New("access denied")
	ErrUnauthenticated = errors.New("not signed in")
	ErrUnavailable     = errors.New("vault unavailable") // network, throttling, sealed: worth a retry
	ErrMalformed       = errors.New("malformed secret")
	ErrConflict        = errors.New("secret was changed by another user or process")
	ErrName            = errors.New("invalid secret name") // the vault's rule is in the error's Detail
	ErrConfig          = errors.New("vault configuration")
	ErrUnsupported     = errors.New("not supported") // as a Put into a vault that is read-only here
)

// ErrTimeout is the ErrUnavailable of a request that timed out. It is a
// context.DeadlineExceeded too, and [Fetch] does not retry it.
var ErrTimeout error = timeoutError{}

// ErrThrottled is the ErrUnavailable of a vault that had too many requests for as
// long as the request could wait. [Fetch] does not retry it either.
var ErrThrottled = fmt.Errorf("%w", ErrUnavailable)

type timeoutError struct{}

func (timeoutError) Error() string   { return ErrUnavailable.Error() }
func (timeoutError) Unwrap() []error { return []error{ErrUnavailable, context.DeadlineExceeded} }

// A Store is one vault, signed in to or able to sign in with the first request.
// It is safe for concurrent use. Every error it returns is an [*Error].
type Store interface {
	// Get returns the newest text under name, or the version that the name
	// pins in the provider's own notation.
	Get(ctx context.Context, name string) (Secret, error)

	// Put stores value under name and returns the new version. base is what
	// the caller last saw there: the Version that Get returned, or "" for
	// nothing. If it is no longer there, Put returns ErrConflict and leaves
	// what is. Of several Puts on one base, one succeeds. Where a vault cannot
	// promise that, its package says so.
	Put(ctx context.Context, name string, value secret.Value, base string) (version string, err error)

	// String names the vault in messages as users know it: the provider and
	// the address. It never includes a credential.
	String() string
}

// A BatchStore can get many secrets in fewer requests than one per name.
type BatchStore interface {
	Store

	// GetBatch makes one request for names, at most MaxBatch of them and
	// each once. The result has an entry for every name; an error concerns
	// only that name.
	GetBatch(ctx context.Context, names []string) map[string]Result
	MaxBatch() int
}

// A FileStore keeps its secrets in files of the repository, so that each commit
// has a vault of its own: [Config.Files].
type FileStore interface {
	Store

	// Path returns the file of a secret, relative to Config.Dir.
	Path(name string) string

	// RecipientsFile returns the file that says whom secrets are encrypted for,
	// relative to Config.Dir.
	RecipientsFile() string
}

// A Secret is what a vault has under a name.
type Secret struct {
	Name    string
	Value   secret.Value
	Version string // the provider's own notation, or a [Mark]
}

// A Result is a secret or the reason why there is none.
type Result struct {
	Secret Secret
	Err    error
}

// An Error reports a failed operation on a vault. It never contains a value.
type Error struct {
	Op     string // "get", "put", "sign in", "open"
	Vault  string // Store.String
	Name   string // of the secret; "" if none is concerned
	Err    error  // wraps one of the kinds above
	Detail string // the provider's message, without values; may be ""
	Remedy string // the one command or setting that helps; may be ""
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Vault)
	if e.Name != "" {
		fmt.Fprintf(&b, ": %s", e.Name)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Waits says that a request to the vault of that name waits because there were
// too many.
func (c Config) Waits(vault string) {
	if c.Notice != nil {
		c.Notice(vault + " has too many requests; waiting")
	}
}

// A Config describes a vault. Only the fields of its Provider count;
// docs/configuration.md documents them.
type Config struct {
	Provider string        // Provider.Name
	Name     string        // its name in the configuration; "" for the default
	Timeout  time.Duration // of one request; 0 for 10 s
	Dir      string        // absolute; relative paths of the configuration start here
	Getenv   func(string) string
	Files    fs.FS        // what a [FileStore] reads instead of the working tree: Dir in the index or a commit
	Notice   func(string) // says that a request waits; may be nil

	URL        string // azure: vault_url; hashicorp: url
	Credential string // azure: auto, cli, environment, workload, managed, devcli

	Region   string // aws
	Profile  string // aws
	Endpoint string // aws: endpoint_url; gcp: endpoint

	ProjectID string // gcp

	Mount     string // hashicorp: default "secret"
	KVVersion int    // hashicorp: 0 detects
	Namespace string // hashicorp
	Auth      string // hashicorp: token, approle, kubernetes, jwt
	AuthMount string // hashicorp: where the auth method is mounted; default its name
	Role      string // hashicorp: kubernetes and jwt role; approle: role id
	Field     string // hashicorp: which field of the secret

	VaultDir   string // age: default ".envdrift/vault"
	Recipients string // age: file; default ".envdrift/recipients"
	Identity   string // age: identity file; default the user's

	Extra map[string]string // by key: settings of a provider that have no field here
}
