package helper

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// FuzzAnswers: whatever a helper prints, each request ends, and no answer is invented.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		`{"id":1,"value":"x","version":"1"}`, `{"id":1,"error":{"kind":"denied","detail":"no"}}`, `{"id":1,"error":{}}`, `{"id":1}`,
		"{\"notice\":\"wait\"}\n{\"id\":1,\"value\":\"x\"}", `{"id":2,"value":"x"}`, `{"id":1,"value":1}`, `null`, `[]`, "\x00", "", `{"id":1,"secrets":{"a":null}}`, `{"id":1,"vAlue":"0"}`,
	} {
		f.Add([]byte(text), true)
	}
	f.Fuzz(func(t *testing.T, printed []byte, versions bool) {
		s := &store{
			name: "v", program: "the helper", waiting: map[int]*call{}, ended: make(chan struct{}), slots: make(chan struct{}, 1),
			timeout: time.Minute, kill: func() {}, in: nowhere{io.Discard}, versions: versions,
		}
		asked := make(chan error, 1)
		var got vault.Secret
		go func() {
			var err error
			got, err = s.Get(context.Background(), "a")
			asked <- err
		}()
		for { // until the request is there
			s.mu.Lock()
			n := len(s.waiting)
			s.mu.Unlock()
			if n > 0 {
				break
			}
		}
		s.breaks(vault.ErrUnavailable, s.read(bytes.NewReader(printed)).Error())
		close(s.ended)
		err := <-asked
		if e := (*vault.Error)(nil); err != nil && !errors.As(err, &e) {
			t.Errorf("Get = %v; want a *vault.Error", err)
		}
		// A name may be written in any case, or with escapes.
		named := strings.Contains(strings.ToLower(string(printed)), "value") || bytes.ContainsRune(printed, '\\')
		if err == nil && (got.Value.IsEmpty() || got.Version == "" || !named) {
			t.Errorf("Get = %q; want an error", got.Version)
		}
	})
}

// FuzzRequests: whatever a client sends, the helper's end does not fail but with an
// error, and answers nothing that was not asked.
func FuzzRequests(f *testing.F) {
	for _, text := range []string{
		`{"id":1,"do":"open","protocol":1}`, `{"id":1,"do":"open","protocol":2}`, `{"id":1,"do":"get","name":"a"}`,
		"{\"id\":1,\"do\":\"open\",\"protocol\":1}\n{\"id\":2,\"do\":\"get\",\"names\":[\"a\",\"a\"]}\n{\"id\":3,\"do\":\"put\"}", `{"do":"x"}`, "", "{",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		var out bytes.Buffer
		_ = Serve(t.Context(), bytes.NewReader(sent), &out, func(context.Context, map[string]string, vault.Config) (vault.Store, error) {
			return nothing{}, nil
		})
		if lines := bytes.Count(out.Bytes(), []byte("\n")); lines > bytes.Count(sent, []byte("\n"))+1 {
			t.Errorf("%d answers to %q", lines, sent)
		}
	})
}

// nothing is a vault without secrets.
type nothing struct{}

func (nothing) String() string { return "nothing" }

func (nothing) Get(_ context.Context, name string) (vault.Secret, error) {
	return vault.Secret{}, &vault.Error{Op: "get", Vault: "nothing", Name: name, Err: vault.ErrNotFound}
}

func (nothing) Put(_ context.Context, name string, _ secret.Value, _ string) (string, error) {
	return "", &vault.Error{Op: "put", Vault: "nothing", Name: name, Err: vault.ErrDenied}
}

// nowhere is a helper's input that nobody reads.
type nowhere struct{ io.Writer }

func (nowhere) Close() error { return nil }
