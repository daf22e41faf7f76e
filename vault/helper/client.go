package helper

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A Program is a helper that can be started.
type Program struct {
	Provider string   // what it is started for: "aws", "exec:pass"
	Path     string   // absolute
	Dir      string   // where it starts; "" for the current directory
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
// if the program cannot be started, speaks another protocol or is none of ours.
func Open(ctx context.Context, p Program, cfg vault.Config) (vault.Store, error) {
	s := &store{
		program: fmt.Sprintf("the helper for %s, %s,", p.Provider, p.Path), waiting: map[int]*call{}, ended: make(chan struct{}),
		slots: make(chan struct{}, 1), timeout: cmp.Or(cfg.Timeout, defaultTimeout) + grace, notice: cfg.Notice,
	}
	s.name = fmt.Sprintf("provider %q", p.Provider)
	if name, registered := strings.CutPrefix(p.Provider, execPrefix); registered {
		s.remedy = "envdrift vault test " + name + "   tests the program; if it is only slow, raise timeout in [vault]"
	}
	if err := s.start(ctx, p); err != nil {
		return nil, s.fail("open", "", vault.NewProblem(vault.ErrConfig, fmt.Sprintf("%s does not start: %s", s.program, notStarted(p.Path, err)), ""))
	}
	a, err := s.ask(ctx, request{
		Do: "open", Protocol: Protocol, Provider: p.Provider, Settings: p.Settings, Timeout: cmp.Or(cfg.Timeout, defaultTimeout).Seconds(),
	})
	if err == nil {
		err = s.opened(a)
	}
	if err != nil {
		s.kill()
		if a.Error != nil {
			s.name = cmp.Or(a.Error.Vault, s.name)
		}
		return nil, s.fail("open", "", err)
	}
	if s.name = a.Vault; isExec(p.Provider) {
		s.name = p.Provider + ", " + a.Vault
	}
	s.versions = a.Versions
	s.slots = make(chan struct{}, min(max(a.Parallel, 1), maxParallel))
	if a.Batch > 1 {
		return &batchStore{s, a.Batch}, nil
	}
	return s, nil
}

// notStarted returns why a program did not start.
func notStarted(program string, err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err // without the path
	}
	if _, there := os.Stat(program); there == nil && errors.Is(err, fs.ErrNotExist) {
		return "what its first line names is not there"
	}
	return err.Error()
}

// opened returns what is wrong with the answer to open.
func (s *store) opened(a answer) error {
	detail := ""
	switch {
	case a.Protocol != Protocol:
		detail = fmt.Sprintf("speaks version %d of the protocol, and this envdrift speaks %d", a.Protocol, Protocol)
	case a.Vault == "" || len(a.Vault) > 500 || strings.ContainsFunc(a.Vault, unicode.IsControl):
		detail = "does not say in a line which vault it opened: it is no helper of envdrift's"
	default:
		return nil
	}
	return vault.NewProblem(vault.ErrConfig, s.program+" "+detail, "")
}

// A store is the client of one helper. It is a [vault.Store].
type store struct {
	name     string
	program  string // in errors
	remedy   string // for a program of the user's that fails
	timeout  time.Duration
	notice   func(string)
	kill     func()
	told     <-chan struct{} // closed when it was told to end
	versions bool            // the helper knows them
	slots    chan struct{}   // full if as many requests are unanswered as the helper takes

	putting sync.Mutex // without versions

	sending sync.Mutex
	in      io.WriteCloser

	mu      sync.Mutex // for what follows
	last    int
	waiting map[int]*call
	broken  error         // a [vault.Problem]: why no more answers come
	ended   chan struct{} // closed then
}

// A call is a request without an answer.
type call struct {
	got  chan answer
	late *time.Timer // ends the helper, also if nobody waits any more
}

func (s *store) start(ctx context.Context, p Program) error {
	ctx, s.kill = context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, p.Path)
	cmd.Dir, cmd.Env, cmd.Stderr = p.Dir, p.Env, os.Stderr
	cmd.Cancel = func() error { return stop(cmd.Process) } // so that it can end what it started
	cmd.WaitDelay = time.Second                            // then it is killed
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
	s.in, s.told = in, ctx.Done()
	running.Store(s, nil)
	// What the helper has started may keep its output open.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, func() { _ = out.Close() }) })
	go func() {
		why := s.read(out)
		if errors.Is(why, errEnded) {
			why = ending(cmd, s.kill)
		}
		s.breaks(vault.ErrUnavailable, "failed: "+why.Error())
		s.kill() // one that goes on after rubbish
		_ = cmd.Wait()
		running.Delete(s)
		close(s.ended)
	}()
	return nil
}

// running has the stores whose helper has not ended.
var running sync.Map

// Reap ends the helpers that owe an answer or were told to end, before this process
// ends: the end of its input does not end one that hangs.
func Reap() {
	var late []*store
	running.Range(func(key, _ any) bool {
		if s := key.(*store); s.owes() {
			s.kill()
			late = append(late, s)
		}
		return true
	})
	for _, s := range late {
		<-s.ended
	}
}

// owes reports whether a helper has a request that it has not answered, or should have
// ended.
func (s *store) owes() bool {
	select {
	case <-s.told:
		return true
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0
}

var errEnded = errors.New("it ended without an answer")

// ending returns errEnded with the exit status of a program that has closed its output.
func ending(cmd *exec.Cmd, kill func()) error {
	late := time.AfterFunc(time.Second, kill) // it has closed its output, and goes on
	defer late.Stop()
	if exit := (*exec.ExitError)(nil); errors.As(cmd.Wait(), &exit) && exit.ExitCode() > 0 {
		return fmt.Errorf("%w: %v", errEnded, exit)
	}
	return errEnded
}

// breaks records why no more answers come. The first reason stays.
func (s *store) breaks(kind error, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = vault.NewProblem(kind, s.program+" "+why, s.remedy)
	}
}

func (s *store) gone() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// maxNotices is how many notices of a helper the user is shown.
const maxNotices = 100

// read passes answers on until there are no more, and returns why.
func (s *store) read(out io.Reader) error {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	notices := 0
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return errors.New("it printed a line that is no answer")
		}
		if a.Notice != "" {
			notices++
		}
		if a.Notice != "" && s.notice != nil && notices <= maxNotices {
			s.notice(secret.Redact(cut(a.Notice)))
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
	return errEnded
}

// pass gives an answer to who waits for it, and lets the next one ask.
func (s *store) pass(a answer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, asked := s.waiting[a.ID]
	if asked {
		delete(s.waiting, a.ID)
		c.late.Stop()
		<-s.slots
		c.got <- a
	}
	return asked
}

// ask sends a request and returns its answer. The error is a [vault.Problem], or that
// of ctx.
func (s *store) ask(ctx context.Context, r request) (answer, error) {
	if err := r.check(); err != nil {
		return answer{}, err
	}
	if ctx.Err() != nil {
		return answer{}, context.Cause(ctx)
	}
	select {
	case s.slots <- struct{}{}: // until it is answered, whoever still waits for that
	case <-s.ended:
		return answer{}, s.gone()
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	c := s.send(r)
	var a answer
	select {
	case a = <-c.got:
	case <-s.ended:
		select {
		case a = <-c.got: // just before
		default:
			return answer{}, s.gone()
		}
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	if a.Error != nil {
		return a, a.Error.problem(s.program)
	}
	return a, nil
}

// send writes a request, under an id of its own. If that fails, the helper has ended
// or is ended.
func (s *store) send(r request) *call {
	s.sending.Lock()
	defer s.sending.Unlock()
	c := &call{got: make(chan answer, 1)}
	c.late = time.AfterFunc(s.timeout, func() {
		s.breaks(vault.ErrTimeout, fmt.Sprintf("has not answered for %v", s.timeout))
		s.kill()
	})
	s.mu.Lock()
	s.last++
	r.ID = s.last
	s.waiting[r.ID] = c
	s.mu.Unlock()
	line, err := json.Marshal(r)
	if err == nil {
		_, err = s.in.Write(append(line, '\n'))
	}
	if err != nil {
		s.kill() // its last answers are still read
	}
	return c
}

// check returns why no helper is asked: what no vault accepts, or what cannot be a
// line of JSON, which is UTF-8.
func (r request) check() error {
	for _, name := range append(r.Names, r.Name) {
		switch {
		case name == "" && (r.Do == "get" && r.Names == nil || r.Do == "put"):
			return vault.NewProblem(vault.ErrName, "it is empty", "")
		case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
			return vault.NewProblem(vault.ErrName, "it has a control character, or is not UTF-8", "")
		}
	}
	switch {
	case r.Do == "put" && r.Value == "":
		return vault.NewProblem(vault.ErrMalformed, "there is nothing to store", "")
	case !utf8.ValidString(r.Value) || len(r.Value) > maxLine/8:
		return vault.NewProblem(vault.ErrMalformed, "the text to store is not UTF-8, or too long", "")
	}
	return nil
}

// fail makes the error of an operation.
func (s *store) fail(op, name string, err error) error {
	if problem, ok := err.(vault.Problem); ok {
		return problem.Of(op, s.name, name)
	}
	return &vault.Error{Op: op, Vault: s.name, Name: name, Err: err}
}

// Close ends the helper and returns when there is no process of it left. One that
// does not end by itself is killed.
func (s *store) Close() error {
	stuck := time.AfterFunc(endWait, s.kill)
	defer stuck.Stop()
	err := s.in.Close()
	<-s.ended
	return err
}

// endWait is how long Close waits for a helper. Ours take a millisecond.
const endWait = 200 * time.Millisecond

func (s *store) String() string { return s.name }

// Format prints the name, whatever the verb: what is sent includes secrets.
func (s *store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.name) }

// Get is the method of [vault.Store].
func (s *store) Get(ctx context.Context, name string) (vault.Secret, error) {
	a, err := s.ask(ctx, request{Do: "get", Name: name})
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	return s.secret(name, a.held)
}

// secret returns what a helper says of a name.
func (s *store) secret(name string, h held) (vault.Secret, error) {
	var err error
	switch {
	case h.Error != nil:
		err = h.Error.problem(s.program)
	case h.Value == "":
		err = vault.NewProblem(vault.ErrMalformed, "it is empty", "")
	case !s.versions:
		h.Version = vault.Mark(h.Value)
	case h.Version == "":
		err = vault.NewProblem(vault.ErrUnavailable, s.program+" does not say which version it is", "")
	}
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	return vault.Secret{Name: name, Value: secret.New(h.Value), Version: h.Version}, nil
}

// Put is the method of [vault.Store]. A vault without versions is read before, so that
// of two programs that put at the same moment, both may succeed.
func (s *store) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	r := request{Do: "put", Name: name, Value: value.Reveal(), Base: base}
	var err error
	if !s.versions && r.check() == nil {
		s.putting.Lock()
		defer s.putting.Unlock()
		r.Base, err = "", s.unchanged(ctx, name, base)
	}
	var a answer
	if err == nil {
		a, err = s.ask(ctx, r)
	}
	switch {
	case err != nil:
		return "", s.fail("put", name, err)
	case !s.versions:
		return vault.Mark(value.Reveal()), nil
	case a.Version == "":
		return "", s.fail("put", name, vault.NewProblem(vault.ErrUnavailable, s.program+" does not say which version it stored", ""))
	}
	return a.Version, nil
}

// unchanged returns an error unless base is the mark of what is there.
func (s *store) unchanged(ctx context.Context, name, base string) error {
	a, err := s.ask(ctx, request{Do: "get", Name: name})
	seen := ""
	switch problem, ok := err.(vault.Problem); {
	case err == nil && a.Value != "":
		seen = vault.Mark(a.Value)
	case err != nil && !(ok && problem.Kind == vault.ErrNotFound):
		return err
	}
	if seen != base {
		return vault.Stale("current", seen, base)
	}
	return nil
}

// Delete deletes a secret, where the helper can.
func (s *store) Delete(ctx context.Context, name string) error {
	if _, err := s.ask(ctx, request{Do: "delete", Name: name}); err != nil {
		return s.fail("delete", name, err)
	}
	return nil
}

// A batchStore is a store whose helper takes several names at once.
type batchStore struct {
	*store
	batch int
}

// MaxBatch is the method of [vault.BatchStore].
func (s *batchStore) MaxBatch() int { return s.batch }

// GetBatch is the method of [vault.BatchStore]. A name that no vault accepts is not
// asked for.
func (s *batchStore) GetBatch(ctx context.Context, names []string) map[string]vault.Result {
	results := make(map[string]vault.Result, len(names))
	var good []string
	for _, name := range names {
		if err := (request{Do: "get", Name: name}).check(); err != nil {
			results[name] = vault.Result{Err: s.fail("get", name, err)}
		} else {
			good = append(good, name)
		}
	}
	if len(good) == 0 {
		return results
	}
	a, err := s.ask(ctx, request{Do: "get", Names: good})
	for _, name := range good {
		h, told := a.Secrets[name]
		failed := err
		if failed == nil && !told {
			failed = vault.NewProblem(vault.ErrUnavailable, s.program+" failed: its answer lacks the name", "")
		}
		if failed != nil {
			results[name] = vault.Result{Err: s.fail("get", name, failed)}
			continue
		}
		found, err := s.secret(name, h)
		results[name] = vault.Result{Secret: found, Err: err}
	}
	return results
}
