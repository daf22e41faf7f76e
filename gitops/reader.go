package gitops

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
)

// A Reader reads objects with one git process, which runs until Close.
type Reader struct {
	limit  int64
	mu     sync.Mutex
	in     io.WriteCloser
	out    *bufio.Reader
	cmd    *exec.Cmd
	stderr excerpt
	cause  func() error // why the process was stopped
	err    error        // why nothing more can be read
}

// Reader starts a process that reads objects of at most limit bytes, or takes the one
// that was started ahead.
func (r *Repo) Reader(ctx context.Context, limit int64) (*Reader, error) {
	start := func() (*Reader, error) { return r.startReader(ctx) }
	if r.ahead != nil {
		start, r.ahead = r.ahead, nil
	}
	d, err := start()
	if err == nil {
		d.limit = limit
	}
	return d, err
}

// startAhead starts the process of a Reader where git is asked for the repository, at
// the same time.
func (r *Repo) startAhead(ctx context.Context) {
	early := *r
	r.ahead = sync.OnceValues(func() (*Reader, error) { return early.startReader(ctx) })
	go func(start func() (*Reader, error)) { _, _ = start() }(r.ahead)
}

// stopAhead ends that process: nobody can take it.
func (r *Repo) stopAhead() {
	if d, err := r.ahead(); err == nil {
		_ = d.Close()
	}
}

func (r *Repo) startReader(ctx context.Context) (*Reader, error) {
	if r.git == "" {
		return nil, ErrNoGit
	}
	d := &Reader{cmd: r.command(ctx, "cat-file", "--batch"), cause: func() error { return context.Cause(ctx) }}
	d.cmd.Stderr = &d.stderr
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.out = bufio.NewReader(out)
	if err := d.cmd.Start(); err != nil {
		return nil, &GitError{Command: "cat-file", Status: -1, Stderr: err.Error()}
	}
	return d, nil
}

// Close ends the process. It does not wait for its end: nothing depends on it.
func (d *Reader) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return nil
	}
	d.err = errClosed
	go func() { _ = d.cmd.Wait() }()
	return d.in.Close()
}

var errClosed = errors.New("git cat-file: ended")

// Objects is like [Repo.Objects], except that :PATH is not for it: the process would
// read the index once.
func (d *Reader) Objects(_ context.Context, names []string, _ int64) ([][]byte, error) {
	return namedObjects(names, func(asked []OID) ([][]byte, error) { return d.read(asked, "blob") })
}

// read is [Repo.batch].
func (d *Reader) read(names []OID, types ...string) ([][]byte, error) {
	contents := make([][]byte, len(names))
	err := d.ask(names, func() error { return readBlobs(d.out, names, contents, d.limit, types...) })
	return contents, err
}

// object returns the content of one object.
func (d *Reader) object(oid OID, kind string) ([]byte, error) {
	contents, err := d.read([]OID{oid}, kind)
	return contents[0], err
}

// headTree returns the tree of HEAD, and its content. The error is [ErrMissing] before
// the first commit.
func (d *Reader) headTree() (oid OID, content []byte, err error) {
	err = d.ask([]OID{"HEAD^{tree}"}, func() error {
		oid, content, err = readTyped(d.out, d.limit, "tree")
		return err
	})
	return oid, content, err
}

// ask writes names to the process while answers reads what it prints. After an error
// that does not end one answer nothing more can be read.
func (d *Reader) ask(names []OID, answers func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := io.WriteString(d.in, joinLines(names))
		wrote <- err
	}()
	err := answers()
	if err == nil || errors.Is(err, ErrMissing) || errors.Is(err, ErrTooLarge) {
		broken := <-wrote
		if broken == nil {
			return err
		}
		err = broken
	}
	d.err = d.fail(err)
	return d.err
}

// fail ends the process, and returns why it failed if answers could not be read.
func (d *Reader) fail(err error) error {
	_ = d.in.Close()
	_ = d.cmd.Wait()
	if cause := d.cause(); cause != nil {
		return fmt.Errorf("git cat-file: %w", cause)
	}
	if d.stderr.Len() > 0 {
		return &GitError{Command: "cat-file", Status: d.cmd.ProcessState.ExitCode(), Stderr: d.stderr.String()}
	}
	return err
}

// namedObjects returns what read returns for names, without those that have a line
// end: they name nothing. What is not there is nil.
func namedObjects(names []string, read func([]OID) ([][]byte, error)) ([][]byte, error) {
	blobs := make([][]byte, len(names))
	var asked []OID
	var places []int
	for i, name := range names {
		if !slices.Contains([]byte(name), '\n') {
			asked, places = append(asked, OID(name)), append(places, i)
		}
	}
	if len(asked) == 0 {
		return blobs, nil
	}
	found, err := read(asked)
	if err != nil && !errors.As(err, new(*ObjectError)) {
		return nil, err
	}
	for n, i := range places {
		blobs[i] = found[n]
	}
	return blobs, nil
}
