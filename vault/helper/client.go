package helper

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A Program is a helper that can be started.
type Program struct {
	Path     string   // absolute
	Env      []string // its whole environment
	Settings map[string]string
}

// defaultTimeout is that of a [vault.Config] without one. grace is what a helper has
// beyond it to answer that the vault did not.
const (
	defaultTimeout = 10 * time.Second
	grace          = 3 * time.Second
)

// Open starts a helper and opens a vault with it. The program ends when ctx does, or
// when this process ends, however that is. Errors are [*vault.Error]: of kind ErrConfig
// if the program cannot be started or speaks another protocol.
func Open(ctx context.Context, p Program, cfg vault.Config) (vault.Store, error) {
	s := &store{
		name: "helper " + p.Path, waiting: map[int]chan answer{}, ended: make(chan struct{}),
		timeout: cmp.Or(cfg.Timeout, defaultTimeout) + grace, notice: cfg.Notice,
	}
	if err := s.start(ctx, p); err != nil {
		return nil, s.fail("open", "", vault.NewProblem(vault.ErrConfig, err.Error(), ""))
	}
	a, err := s.ask(ctx, request{
		Do: "open", Protocol: Protocol, Settings: p.Settings, Dir: cfg.Dir, Timeout: cmp.Or(cfg.Timeout, defaultTimeout).Seconds(),
	})
	if err == nil && a.Protocol != Protocol && a.Error == nil {
		err = vault.NewProblem(vault.ErrConfig, fmt.Sprintf("it speaks version %d of the protocol, and this envdrift speaks %d", a.Protocol, Protocol), "")
	}
	if err != nil {
		s.kill()
		if a.Error != nil {
			s.name = cmp.Or(a.Error.Vault, s.name)
		}
		return nil, s.fail("open", "", err)
	}
	s.name = cmp.Or(a.Vault, s.name)
	if a.Batch > 1 {
		return &batchStore{s, a.Batch}, nil
	}
	return s, nil
}

// A store is the client of one helper. It is a [vault.Store].
type store struct {
	name    string
	timeout time.Duration
	notice  func(string)
	kill    func()

	mu      sync.Mutex // for what follows
	in      io.Writer
	last    int
	waiting map[int]chan answer
	broken  error         // why no more answers come
	ended   chan struct{} // closed then
}

func (s *store) start(ctx context.Context, p Program) error {
	ctx, s.kill = context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, p.Path)
	cmd.Env, cmd.Stderr = p.Env, os.Stderr
	cmd.WaitDelay = time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.in = in
	go func() {
		err := s.read(out)
		s.kill() // one that goes on after rubbish
		_ = cmd.Wait()
		s.end(err)
	}()
	return nil
}

// read passes answers on until there are no more, and returns why.
func (s *store) read(out io.Reader) error {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return errors.New("it printed a line that is no answer")
		}
		if a.Notice != "" && s.notice != nil {
			s.notice(secret.Redact(a.Notice))
		}
		if a.ID == 0 && a.Notice != "" {
			continue
		}
		if !s.pass(a) {
			return errors.New("it answered what was not asked")
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("it printed a line of more than %d MiB", maxLine>>20)
	case err != nil && !errors.Is(err, os.ErrClosed):
		return err
	}
	return errors.New("it ended without an answer")
}

// pass gives an answer to who waits for it.
func (s *store) pass(a answer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	to, asked := s.waiting[a.ID]
	if asked {
		delete(s.waiting, a.ID)
		to <- a
	}
	return asked
}

func (s *store) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = why
	close(s.ended)
}

// ask sends a request and returns its answer. The error is a [vault.Problem], or that
// of ctx.
func (s *store) ask(ctx context.Context, r request) (answer, error) {
	if ctx.Err() != nil {
		return answer{}, context.Cause(ctx)
	}
	if err := checkText(r); err != nil {
		return answer{}, err
	}
	got := make(chan answer, 1)
	stuck := time.AfterFunc(s.timeout, s.kill) // one that does not read what is long
	err := s.send(&r, got)
	stuck.Stop()
	if err != nil {
		return answer{}, s.gone(err)
	}
	late := time.NewTimer(s.timeout)
	defer late.Stop()
	var a answer
	select {
	case a = <-got:
	case <-s.ended:
		select {
		case a = <-got: // just before
		default:
			return answer{}, s.gone(s.broken)
		}
	case <-late.C:
		s.kill()
		return answer{}, vault.NewProblem(vault.ErrTimeout, fmt.Sprintf("the helper has not answered for %v", s.timeout), "")
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	if a.Error != nil {
		return a, a.Error.problem()
	}
	return a, nil
}

// checkText returns why a request cannot be a line of JSON, which is UTF-8.
func checkText(r request) error {
	for _, name := range append(r.Names, r.Name) {
		if !utf8.ValidString(name) {
			return vault.NewProblem(vault.ErrName, "it is not UTF-8", "")
		}
	}
	if !utf8.ValidString(r.Value) || len(r.Value) > maxLine/8 {
		return vault.NewProblem(vault.ErrMalformed, "the text to store is not UTF-8, or too long", "")
	}
	return nil
}

func (s *store) gone(why error) error {
	return vault.NewProblem(vault.ErrUnavailable, "the helper failed: "+why.Error(), "")
}

// send writes a request, under an id of its own.
func (s *store) send(r *request, to chan answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	s.last++
	r.ID = s.last
	line, err := json.Marshal(r)
	if err == nil {
		s.waiting[r.ID] = to
		_, err = s.in.Write(append(line, '\n'))
	}
	if err != nil {
		delete(s.waiting, r.ID)
	}
	return err
}

// fail makes the error of an operation.
func (s *store) fail(op, name string, err error) error {
	if problem, ok := err.(vault.Problem); ok {
		return problem.Of(op, s.name, name)
	}
	return &vault.Error{Op: op, Vault: s.name, Name: name, Err: err}
}

func (s *store) String() string { return s.name }

// Format prints the name, whatever the verb: what is sent includes secrets.
func (s *store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.name) }

// Get is the method of [vault.Store].
func (s *store) Get(ctx context.Context, name string) (vault.Secret, error) {
	r := s.get(ctx, []string{name})[name]
	return r.Secret, r.Err
}

func (s *store) get(ctx context.Context, names []string) map[string]vault.Result {
	results := make(map[string]vault.Result, len(names))
	a, err := s.ask(ctx, request{Do: "get", Names: names})
	for _, name := range names {
		h, told := a.Secrets[name]
		failed := err
		switch {
		case failed != nil:
		case !told:
			failed = vault.NewProblem(vault.ErrUnavailable, "the helper failed: its answer lacks the name", "")
		case h.Error != nil:
			failed = h.Error.problem()
		}
		if failed != nil {
			results[name] = vault.Result{Err: s.fail("get", name, failed)}
			continue
		}
		results[name] = vault.Result{Secret: vault.Secret{Name: name, Value: secret.New(h.Value), Version: h.Version}}
	}
	return results
}

// Put is the method of [vault.Store].
func (s *store) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	a, err := s.ask(ctx, request{Do: "put", Name: name, Value: value.Reveal(), Base: base})
	if err != nil {
		return "", s.fail("put", name, err)
	}
	return a.Version, nil
}

// A batchStore is a store whose helper takes several names at once.
type batchStore struct {
	*store
	batch int
}

// MaxBatch is the method of [vault.BatchStore].
func (s *batchStore) MaxBatch() int { return s.batch }

// GetBatch is the method of [vault.BatchStore].
func (s *batchStore) GetBatch(ctx context.Context, names []string) map[string]vault.Result {
	return s.get(ctx, names)
}
