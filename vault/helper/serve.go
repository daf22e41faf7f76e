package helper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// An OpenFunc opens the vault with the settings of the first request, for the provider
// that cfg names.
type OpenFunc func(ctx context.Context, settings map[string]string, cfg vault.Config) (vault.Store, error)

// Serve answers the requests that come in until there are no more, several at a time.
// The error is that of reading or writing.
func Serve(ctx context.Context, in io.Reader, out io.Writer, open OpenFunc) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{out: json.NewEncoder(out)}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	var g sync.WaitGroup
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return errors.New("a line is no request")
		}
		if r.Do == "open" {
			s.write(s.open(ctx, r, open))
			continue
		}
		g.Go(func() { s.write(s.answer(ctx, r)) })
	}
	cancel() // nobody waits for what is still asked
	g.Wait()
	return errors.Join(lines.Err(), s.err)
}

// A server is the helper's end.
type server struct {
	store vault.Store

	mu  sync.Mutex
	out *json.Encoder
	err error
}

func (s *server) write(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, s.out.Encode(a))
}

func (s *server) open(ctx context.Context, r request, open OpenFunc) answer {
	if r.Protocol != Protocol {
		return failed(r, &failure{Kind: "config", Detail: fmt.Sprintf("the helper speaks version %d of the protocol", Protocol)})
	}
	cfg := vault.Config{
		Provider: r.Provider, Timeout: time.Duration(r.Timeout * float64(time.Second)),
		Notice: func(text string) { s.write(answer{Notice: text}) },
	}
	store, err := open(ctx, r.Settings, cfg)
	if err != nil {
		return failed(r, failureOf(err, "open"))
	}
	s.store = store
	a := answer{ID: r.ID, Protocol: Protocol, Vault: store.String(), Versions: true, Parallel: maxParallel}
	if b, ok := store.(vault.BatchStore); ok {
		a.Batch = b.MaxBatch()
	}
	return a
}

func failed(r request, f *failure) answer {
	return answer{ID: r.ID, Protocol: Protocol, held: held{Error: f}}
}

func (s *server) answer(ctx context.Context, r request) answer {
	switch {
	case s.store == nil:
		return failed(r, &failure{Kind: "config", Detail: "no vault is open"})
	case r.Do == "get" && r.Names == nil:
		found, err := s.store.Get(ctx, r.Name)
		return answer{ID: r.ID, held: heldOf(found, err)}
	case r.Do == "get":
		return answer{ID: r.ID, Secrets: s.get(ctx, r.Names)}
	case r.Do == "put":
		version, err := s.store.Put(ctx, r.Name, secret.New(r.Value), r.Base)
		if err != nil {
			return failed(r, failureOf(err, "put"))
		}
		return answer{ID: r.ID, held: held{Version: version}}
	}
	return failed(r, &failure{Kind: "unsupported", Detail: fmt.Sprintf("the helper knows no request %q", r.Do)})
}

func (s *server) get(ctx context.Context, names []string) map[string]held {
	secrets := make(map[string]held, len(names))
	if b, ok := s.store.(vault.BatchStore); ok {
		for name, r := range b.GetBatch(ctx, names) {
			secrets[name] = heldOf(r.Secret, r.Err)
		}
		return secrets
	}
	for _, name := range names {
		secrets[name] = heldOf(s.store.Get(ctx, name))
	}
	return secrets
}

func heldOf(found vault.Secret, err error) held {
	if err != nil {
		return held{Error: failureOf(err, "get")}
	}
	return held{Value: found.Value.Reveal(), Version: found.Version}
}
