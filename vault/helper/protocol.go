// Package helper uses a vault through a program of its own, as git uses its
// credential helpers: [Open] starts one and is its client, [Serve] is the other end.
//
// Client and helper write one JSON object a line, the client to the helper's standard
// input and the helper to its standard output. Each request has an id, which its answer
// repeats; a helper may answer in any order. The first request is "open", with the
// number of the protocol and the settings of the vault:
//
//	{"id":1,"do":"open","protocol":1,"settings":{"url":"https://vault.example.com"},"timeout":10}
//	{"id":1,"protocol":1,"vault":"hashicorp, https://vault.example.com"}
//	{"id":2,"do":"get","names":["api-key","web-key"]}
//	{"id":2,"secrets":{"api-key":{"value":"…","version":"3"},"web-key":{"error":{"kind":"not_found"}}}}
//	{"id":3,"do":"put","name":"api-key","value":"…","base":"3"}
//	{"id":3,"version":"4"}
//	{"id":4,"error":{"kind":"denied","detail":"…","remedy":"…"}}
//
// A line {"notice":"…"} is shown to the user. A helper ends when its standard input
// does. What it writes to standard error is the user's to read.
package helper

import (
	"context"
	"errors"
	"fmt"

	"github.com/envdrift/envdrift/vault"
)

// Protocol is the number of the protocol that this package speaks.
const Protocol = 1

// maxLine bounds a line of the protocol, in bytes. A vault keeps at most 64 KiB under a
// name, and at most 20 are asked for at once.
const maxLine = 4 << 20

// A request is a line from the client.
type request struct {
	ID       int               `json:"id"`
	Do       string            `json:"do"` // "open", "get" or "put"
	Protocol int               `json:"protocol,omitempty"`
	Settings map[string]string `json:"settings,omitempty"` // of open, by key
	Dir      string            `json:"dir,omitempty"`      // of open: where relative paths start
	Timeout  float64           `json:"timeout,omitempty"`  // of open: for one request, in seconds
	Names    []string          `json:"names,omitempty"`    // of get
	Name     string            `json:"name,omitempty"`     // of put
	Value    string            `json:"value,omitempty"`    // of put
	Base     string            `json:"base,omitempty"`     // of put: the version that the client saw, "" for none
}

// An answer is a line from the helper.
type answer struct {
	ID       int             `json:"id,omitempty"`
	Protocol int             `json:"protocol,omitempty"`
	Vault    string          `json:"vault,omitempty"`   // to open: [vault.Store]'s String
	Batch    int             `json:"batch,omitempty"`   // to open: how many names one get may have; 0 for one
	Secrets  map[string]held `json:"secrets,omitempty"` // to get: each name that was asked for
	Version  string          `json:"version,omitempty"` // to put
	Error    *failure        `json:"error,omitempty"`
	Notice   string          `json:"notice,omitempty"`
}

// held is what a vault holds under a name, or why there is nothing.
type held struct {
	Value   string   `json:"value,omitempty"`
	Version string   `json:"version,omitempty"`
	Error   *failure `json:"error,omitempty"`
}

// A failure is a [vault.Error] without what the client knows itself.
type failure struct {
	Kind   string `json:"kind"`
	Vault  string `json:"vault,omitempty"` // of open: which vault it is about
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// kinds are the names of failures. The first that fits is taken.
var kinds = []struct {
	name string
	err  error
}{
	{"not_found", vault.ErrNotFound},
	{"denied", vault.ErrDenied},
	{"unauthenticated", vault.ErrUnauthenticated},
	{"timeout", vault.ErrTimeout},
	{"throttled", vault.ErrThrottled},
	{"unavailable", vault.ErrUnavailable},
	{"malformed", vault.ErrMalformed},
	{"conflict", vault.ErrConflict},
	{"name", vault.ErrName},
	{"config", vault.ErrConfig},
}

// failureOf returns the form of an error in the protocol.
func failureOf(err error, op string) *failure {
	f := &failure{Kind: "unavailable"}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			f.Kind = k.name
			break
		}
	}
	if e := (*vault.Error)(nil); errors.As(err, &e) {
		if f.Detail, f.Remedy = e.Detail, e.Remedy; op == "open" {
			f.Vault = e.Vault
		}
	} else if !errors.Is(err, context.Canceled) {
		f.Detail = err.Error()
	}
	return f
}

// problem returns what the failure says, in the form of [vault.Problem].
func (f *failure) problem() vault.Problem {
	for _, k := range kinds {
		if k.name == f.Kind {
			return vault.NewProblem(k.err, f.Detail, f.Remedy)
		}
	}
	return vault.NewProblem(vault.ErrUnavailable, fmt.Sprintf("the helper reports the unknown kind %q: %s", f.Kind, f.Detail), f.Remedy)
}
