package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envdrift/envdrift/gitops"
	"github.com/rogpeppe/go-internal/testscript"
)

// With -leaks, as in CI, every script is a leak test: each envdrift that it
// starts, itself or through git, runs as a witness, which searches for the script's secrets in what is
// printed, what is written and what the programs that it starts are given. A
// command that fails is run twice more, with -v and with --json, in a copy of
// the folder as it was before.

// What a witness reads from its environment, and what it leaves for the script
// that started it.
const (
	witnessVar = "ENVDRIFT_TEST_WITNESS" // the folder for its notes, and the folder of the script
	leaksFile  = "leaks"                 // one leak per line
	ranFile    = "ran"                   // "command\tstatus\tnumber of secrets"
	spiedFile  = "spied"                 // what git was given
)

// mayPrint reports whether args print the secret that was asked for on standard
// output. That of exec's program is separate: a witness does not see it.
func mayPrint(args []string) bool {
	switch commandOf(args) {
	case "env", "get":
		return true
	case "decrypt", "vault-pull":
		return slices.Contains(args, "--stdout")
	case "diff":
		return slices.Contains(args, "--show")
	}
	return false
}

// A witness is one run of envdrift under observation.
type witness struct {
	notes   string // a folder of its own
	work    string // the script's folder
	args    []string
	before  tree
	secrets secrets
	env     []string // at the start of the run
	own     string   // the public environment of the parent process

	mu sync.Mutex
}

const statusInterrupt = 130

// witnessed runs main, observed if a script asks for it.
func witnessed() {
	notes, work, ok := strings.Cut(os.Getenv(witnessVar), string(os.PathListSeparator))
	if !ok {
		os.Exit(play(hostSystem(), os.Args[1:]))
	}
	if err := os.Unsetenv(witnessVar); err != nil {
		panic(err)
	}
	notes, err := os.MkdirTemp(notes, "run")
	if err != nil {
		panic(err)
	}
	w := &witness{notes: notes, work: work, args: os.Args[1:], before: treeIn(work), env: os.Environ()}
	w.secrets = secretsIn(w.before, w.env, savedSecrets(filepath.Dir(notes)))
	w.own = givenAway(w.env)
	os.Exit(w.main())
}

func (w *witness) main() int {
	sys := hostSystem()
	stdout := &sieve{w: w, stream: "standard output", quiet: mayPrint(w.args)}
	stderr := &sieve{w: w, stream: "standard error"}
	sys.stdout, sys.stderr = io.MultiWriter(sys.stdout, stdout), io.MultiWriter(sys.stderr, stderr)
	if commandOf(w.args) == "exec" {
		// The program replaces this process, and may be given anything.
		w.ran(0)
		status := start(sys, w.args)
		if status == 125 || status == statusUsage {
			w.ran(status)
			w.tellAgain()
		}
		return status
	}
	w.spyOnGit(sys)
	stop := w.sample()
	status := play(sys, w.args)
	stop()
	w.readSpied()
	after := treeIn(w.work)
	w.secrets = secretsIn(after, nil, w.secrets)
	w.secrets.save(filepath.Dir(w.notes))
	stdout.look()
	stderr.look()
	w.lookAtFiles(after)
	w.ran(status)
	if status != statusOK && status != statusInterrupt {
		w.tellAgain()
	}
	return status
}

// play runs start, or the command that leaks on purpose.
func play(sys *system, args []string) int {
	i := slices.Index(args, "spill")
	if i < 0 || i+1 == len(args) {
		return start(sys, args)
	}
	if err := spill(sys, args[i+1], slices.Contains(args, "-v")); err != nil {
		fmt.Fprintln(sys.stderr, err)
		return statusFail
	}
	return statusOK
}

// spill proves that each kind of leak is detected.
func spill(sys *system, kind string, verbose bool) error {
	const secret = "m4rked-deliberately"
	dir, _, _ := strings.Cut(sys.env["PATH"], string(os.PathListSeparator)) // of the git that spies
	git := exec.Command(filepath.Join(dir, "git"), "version")
	switch kind {
	case "stdout":
		fmt.Fprint(sys.stdout, secret)
	case "stderr":
		fmt.Fprint(sys.stderr, secret)
	case "verbose":
		if verbose {
			fmt.Fprint(sys.stderr, secret)
		}
		return errors.New("told again, with -v")
	case "value":
		fmt.Fprint(sys.stderr, "s3cret-value")
	case "key":
		keys, err := os.ReadFile(".env.keys")
		fmt.Fprint(sys.stderr, string(keys))
		return err
	case "file":
		return os.WriteFile("leaked.txt", []byte(secret), 0o600)
	case "argument":
		git.Args = append(git.Args, secret)
		return git.Run()
	case "environment":
		git.Env = append(os.Environ(), "VAULT_TOKEN="+secret)
		return git.Run()
	case "cmdline": // until it is seen
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return exec.CommandContext(ctx, "sh", "-c", `until test -s "$0"; do :; done`, filepath.Join(dir, leaksFile), secret).Run()
	}
	return nil
}

// tellAgain runs what failed again, with -v and with --json.
func (w *witness) tellAgain() {
	var both sync.WaitGroup
	for _, flag := range []string{"-v", "--json"} {
		if slices.Contains(w.args, flag) {
			continue
		}
		both.Go(func() {
			copied := filepath.Join(w.notes, "copy"+flag)
			w.before.moved(w.work, copied).write(copied)
			out, err := w.elsewhere(copied, append([]string{flag}, w.args...)).CombinedOutput()
			if errors.Is(err, exec.ErrNotFound) {
				w.leaked("cannot run again: " + err.Error())
			}
			if !mayPrint(w.args) {
				w.search(string(out), "what "+flag+" prints")
			}
		})
	}
	both.Wait()
}

// elsewhere returns this program in a copy of the script's folder.
func (w *witness) elsewhere(dir string, args []string) *exec.Cmd {
	moved := func(list []string) []string {
		list = slices.Clone(list)
		for i, s := range list {
			list[i] = strings.ReplaceAll(s, w.work, dir)
		}
		return list
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cwd, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self, moved(args)...)
	cmd.Args[0] = "envdrift"
	cmd.Env, cmd.Dir = moved(w.env), moved([]string{cwd})[0]
	return cmd
}

// spyOnGit puts a git into PATH that records what it is given. The real one is
// found as envdrift finds it: scripts have false ones in their repositories.
func (w *witness) spyOnGit(sys *system) {
	cwd, err := os.Getwd()
	if err != nil {
		return
	}
	git := ""
	for _, dir := range filepath.SplitList(gitops.SafePath(sys.env["PATH"], cwd)) {
		if git, err = exec.LookPath(filepath.Join(dir, "git")); err == nil {
			break
		}
	}
	if _, err := os.Stat("/bin/sh"); err != nil || git == "" {
		return
	}
	script := fmt.Sprintf("#!/bin/sh\n{ printf 'argument %%s\\n' \"$@\"; export -p; } >>%q\nexec %q \"$@\"\n", filepath.Join(w.notes, spiedFile), git)
	if err := os.WriteFile(filepath.Join(w.notes, "git"), []byte(script), 0o700); err != nil {
		return // as in note
	}
	sys.env["PATH"] = w.notes + string(os.PathListSeparator) + sys.env["PATH"]
}

func (w *witness) readSpied() {
	spied, _ := os.ReadFile(filepath.Join(w.notes, spiedFile)) // none if there was no git
	for _, secret := range w.secrets.list() {
		if strings.Contains(string(spied), secret) && !strings.Contains(w.own, secret) {
			w.leaked("git was given " + w.secrets[secret])
		}
	}
}

// sample checks the command lines of the programs that envdrift starts, until
// stop. Without /proc it sees nothing.
func (w *witness) sample() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
			lists, _ := filepath.Glob("/proc/self/task/*/children")
			for _, list := range lists {
				children, _ := os.ReadFile(list)
				for _, pid := range strings.Fields(string(children)) {
					cmdline, _ := os.ReadFile("/proc/" + pid + "/cmdline") // it may have ended
					w.search(string(cmdline), "the command line of a program")
				}
			}
		}
	}()
	return func() { close(done); <-ended }
}

// A sieve searches what passes through for secrets.
type sieve struct {
	w      *witness
	stream string
	quiet  bool
	seen   []byte
}

func (s *sieve) Write(p []byte) (int, error) {
	s.seen = append(s.seen, p...)
	s.look() // at once, because exec does not return
	return len(p), nil
}

func (s *sieve) look() {
	if !s.quiet {
		s.w.search(string(s.seen), s.stream)
	}
}

func (w *witness) search(text, where string) {
	for _, secret := range w.secrets.list() {
		if i := strings.Index(text, secret); i >= 0 && !slices.ContainsFunc(w.args, func(a string) bool { return strings.Contains(a, secret) }) {
			w.leaked(fmt.Sprintf("%s holds %s: %.60q", where, w.secrets[secret], text[i:]))
		}
	}
}

// leaked records a leak, once.
func (w *witness) leaked(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	noted, _ := os.ReadFile(filepath.Join(w.notes, leaksFile))
	line := fmt.Sprintf("envdrift %s: %s\n", strings.Join(w.args, " "), what)
	if !strings.Contains(string(noted), line) {
		w.note(leaksFile, line)
	}
}

func (w *witness) ran(status int) {
	w.note(ranFile, fmt.Sprintf("%s\t%d\t%d\n", commandOf(w.args), status, len(w.secrets)))
}

// note appends a line. A script that allows no file to be written finds the
// leak with unleaked.
func (w *witness) note(file, line string) {
	f, err := os.OpenFile(filepath.Join(w.notes, file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString(line)
	_ = f.Close()
}

// commandOf returns the command that args name.
func commandOf(args []string) string {
	_, commands := (&cli{system: &system{stdout: io.Discard, stderr: io.Discard}}).application("")
	for i, arg := range args {
		for _, words := range [][]string{args[i:min(i+2, len(args))], {arg}} {
			if name := strings.Join(words, " "); commands[name] != nil {
				return name
			}
		}
	}
	return ""
}

// observe makes every envdrift of a script a witness, and fails the script for
// what they detected.
func observe(env *testscript.Env) error {
	notes, err := os.MkdirTemp("", "envdrift-leaks")
	if err != nil {
		return err
	}
	env.Values[notesKey{}] = notes
	env.Setenv(witnessVar, notes+string(os.PathListSeparator)+env.WorkDir)
	env.Defer(func() {
		t := env.T().(testing.TB)
		for _, leak := range lines(notes, leaksFile) {
			t.Errorf("leak: %s", leak)
		}
		if err := os.RemoveAll(notes); err != nil {
			t.Error(err)
		}
	})
	return nil
}

// coverage is which commands have failed, with secrets present, in the scripts
// that ran.
type coverage struct {
	mu      sync.Mutex
	scripts int
	runs    int
	failed  map[string]int
}

// count adds what a script's witnesses recorded, at its end.
func (c *coverage) count(env *testscript.Env) error {
	env.Defer(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.failed == nil {
			c.failed = map[string]int{}
		}
		c.scripts++
		for _, line := range lines(env.Values[notesKey{}].(string), ranFile) {
			fields := strings.Split(line, "\t")
			c.runs++
			if secrets, _ := strconv.Atoi(fields[2]); fields[1] != "0" && secrets > 0 {
				c.failed[fields[0]]++
			}
		}
	})
	return nil
}

// check reports the commands that no script has made fail.
func (c *coverage) check(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || c.scripts < len(files) {
		return // -run has chosen some
	}
	t.Logf("%d runs; failures: %v", c.runs, c.failed)
	_, commands := (&cli{system: &system{stdout: io.Discard, stderr: io.Discard}}).application("")
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		if c.failed[name] == 0 {
			t.Errorf("no script lets %q fail with a secret at hand: add one, for all that fails is searched for leaks", name)
		}
	}
}

type notesKey struct{}

// lines returns the lines of all witnesses' files of that name.
func lines(notes, file string) (all []string) {
	names, _ := filepath.Glob(filepath.Join(notes, "run*", file))
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		for line := range strings.Lines(string(data)) {
			all = append(all, strings.TrimSuffix(line, "\n"))
		}
	}
	return all
}

// cmdLeaked fails unless each text is in a leak that was detected since the
// last call, and clears the leaks:
//
//	leaked text…
func cmdLeaked(ts *testscript.TestScript, neg bool, args []string) {
	notes := ts.Value(notesKey{}).(string)
	seen := strings.Join(lines(notes, leaksFile), "\n")
	for _, text := range args {
		if strings.Contains(seen, text) == neg {
			ts.Fatalf("%q was seen: %t; want %t, in\n%s", text, !neg == false, !neg, seen)
		}
	}
	names, _ := filepath.Glob(filepath.Join(notes, "run*", leaksFile))
	for _, name := range names {
		ts.Check(os.Remove(name))
	}
}
