//go:build integration

package main

import (
	"net"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/servertest"
)

// A client is a program that commits, and how it treats our hooks.
type client struct {
	name string

	// commit adds the files and commits. It returns what the user sees.
	commit func(c *clone, files ...string) (string, error)
	push   func(c *clone, url string) (string, error) // nil if it has none of its own

	prePush bool                  // its push runs that
	checked bool                  // pre-commit runs, on what will be committed
	passes  map[string]bool       // cases that get in nevertheless; true if they are right by then
	http    bool                  // it pushes over HTTP alone
	tracked bool                  // it commits only files that git tracks
	newGit  bool                  // the git of its PATH is the new one
	install []string              // arguments of hook install
	config  string                // settings of the project
	prepare func(b *bench) *bench // where it works
}

// A clone is where a client works.
type clone struct {
	*bench
	git   string // the program
	tools clientTools
}

// clientTools are what scripts/install-clients and install-git installed.
type clientTools struct{ python, node, java, classes, goGit, newGit string }

func findClients(t *testing.T) (c clientTools) {
	t.Helper()
	for name, value := range map[string]*string{
		"CLIENTS_PYTHON": &c.python, "CLIENTS_NODE": &c.node, "CLIENTS_JAVA": &c.java, "CLIENTS_GOGIT": &c.goGit, "GIT_NEW": &c.newGit,
	} {
		if *value = os.Getenv(name); *value == "" {
			t.Fatalf("%s is not set: see scripts/install-clients and scripts/install-git", name)
		}
	}
	c.classes = t.TempDir()
	out, err := exec.Command("javac", "-d", c.classes, "-cp", filepath.Join(c.java, "*"), "testdata/clients/Clients.java").CombinedOutput()
	if err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return c
}

// driver returns the absolute name of a file in testdata/clients.
func driver(name string) string {
	file, err := filepath.Abs(filepath.Join("testdata", "clients", name))
	if err != nil {
		panic(err)
	}
	return file
}

func gitCommit(args ...string) func(c *clone, files ...string) (string, error) {
	return func(c *clone, files ...string) (string, error) {
		if len(files) > 0 {
			c.run(c.git, append([]string{"add", "-f", "--"}, files...)...)
		}
		return c.try(c.git, append([]string{"commit", "-m", "git"}, args...)...)
	}
}

// untouched adds nothing: the client stages what git tracks.
func untouched(do func(c *clone, files ...string) (string, error)) func(*clone, ...string) (string, error) {
	return func(c *clone, _ ...string) (string, error) { return do(c) }
}

// historyFixup adds what is staged to the last commit, without a hook.
func historyFixup(c *clone, files ...string) (string, error) {
	if len(files) > 0 {
		c.run(c.git, append([]string{"add", "-f", "--"}, files...)...)
	}
	return c.try(c.git, "history", "fixup", "HEAD")
}

func python(client, do string) func(c *clone, args ...string) (string, error) {
	return func(c *clone, args ...string) (string, error) {
		return c.try(c.tools.python, append([]string{driver("clients.py"), client, do, c.dir}, args...)...)
	}
}

func node(client, do string) func(c *clone, args ...string) (string, error) {
	return func(c *clone, args ...string) (string, error) {
		return c.with("NODE_PATH="+c.tools.node).try("node", append([]string{driver("clients.cjs"), client, do, c.dir}, args...)...)
	}
}

func jgit(do string) func(c *clone, args ...string) (string, error) {
	return func(c *clone, args ...string) (string, error) {
		path := c.tools.classes + string(os.PathListSeparator) + filepath.Join(c.tools.java, "*")
		return c.try("java", append([]string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path, "Clients", do, c.dir}, args...)...)
	}
}

// one makes a push of a driver with further arguments.
func one(do func(c *clone, args ...string) (string, error)) func(*clone, string) (string, error) {
	return func(c *clone, url string) (string, error) { return do(c, url) }
}

func goGit(do string) func(c *clone, args ...string) (string, error) {
	return func(c *clone, args ...string) (string, error) {
		return c.try(c.tools.goGit, append([]string{do, c.dir}, args...)...)
	}
}

func linkedWorktree(b *bench) *bench {
	b.run("git", "switch", "-q", "-c", "aside")
	b.run("git", "worktree", "add", "-q", "../linked", "main")
	return b.in("../linked")
}

var clients = []client{
	{name: "git", commit: gitCommit(), checked: true},
	{name: "git commit -a", commit: untouched(gitCommit("-a")), checked: true, tracked: true},
	{name: "git in a linked worktree", commit: gitCommit(), checked: true, prepare: linkedWorktree},
	{name: "git commit --no-verify", commit: gitCommit("--no-verify")},
	{name: "new git, hooks in the configuration", commit: gitCommit(), checked: true, newGit: true},
	{name: "new git, hook files", commit: gitCommit(), checked: true, newGit: true, install: []string{"--files"}},
	// These run no hook of git's configuration.
	{name: "Dulwich beside a new git", commit: python("dulwich", "commit"), newGit: true},
	{name: "Dulwich beside a new git, hook files", commit: python("dulwich", "commit"), checked: true, newGit: true, install: []string{"--files"}},
	{name: "GitPython with a new git", commit: python("gitpython", "commit"), newGit: true},
	{name: "GitPython with a new git, hook files", commit: python("gitpython", "commit"), checked: true, newGit: true, install: []string{"--files"}},
	{name: "new git history fixup", commit: historyFixup, newGit: true},
	{name: "simple-git", commit: node("simple", "commit"), checked: true},
	{name: "JGit", commit: jgit("add"), push: one(jgit("push")), prePush: true, checked: true},
	// JGit runs the hook before it stages.
	{name: "JGit commit -a", commit: untouched(jgit("all")), push: one(jgit("push")), prePush: true, tracked: true},
	{name: "JGit setOnly", commit: jgit("only"), push: one(jgit("push")), prePush: true, tracked: true},
	{name: "Dulwich", commit: python("dulwich", "commit"), push: one(python("dulwich", "push")), checked: true},
	{name: "Dulwich in a linked worktree", commit: python("dulwich", "commit"), prepare: linkedWorktree},
	{name: "GitPython", commit: python("gitpython", "commit"), checked: true},
	// The second commit has what the index object had before the repair.
	{name: "GitPython, held index", commit: python("gitpython", "held"), checked: true, passes: map[string]bool{
		"drift, key at hand": false, "drift, no key": false, "drift, edited again": true,
	}},
	{name: "GitPython, held index, block", commit: python("gitpython", "held"), checked: true, config: "[hooks]\non_drift = \"block\"\n"},
	{name: "pygit2", commit: python("pygit2", "commit"), push: one(python("pygit2", "push"))},
	{name: "isomorphic-git", commit: node("isomorphic", "commit"), push: one(node("isomorphic", "push")), http: true},
	{name: "go-git", commit: goGit("commit"), push: one(goGit("push"))},
}

// A clientCase is what may be wrong with what a client commits.
type clientCase struct {
	name  string
	key   func(p *judged) *ecies.PrivateKey // in .env.keys
	file  string                            // that is committed; the env file if it is ""
	data  func(p *judged, base []byte) []byte
	again func(p *judged, base []byte) []byte // the env file's content in the working tree, not staged
	good  bool
}

var clientCases = []clientCase{
	{name: "good", good: true, data: func(p *judged, base []byte) []byte { return p.encrypt(p.right, base, "A", "B", "C") }},
	{name: "drift, key at hand", key: strangeOf, data: drifted},
	{name: "drift, no key", data: drifted},
	{name: "plaintext", data: func(*judged, []byte) []byte { return plain("A", "B", "C") }},
	{name: "key file", file: ".env.keys", data: func(p *judged, _ []byte) []byte {
		return []byte("DOTENV_PRIVATE_KEY_PRODUCTION=" + p.right.Reveal() + "\n")
	}},
	{name: "key under another name", file: "notes.txt", data: func(p *judged, _ []byte) []byte {
		return []byte("export DOTENV_PRIVATE_KEY_PRODUCTION='" + p.right.Reveal() + "'\n")
	}},
	{name: "drift, edited again", key: strangeOf, data: drifted, again: func(p *judged, _ []byte) []byte {
		return p.encrypt(p.stranger, nil, "A", "B", "C", "D")
	}},
}

func strangeOf(p *judged) *ecies.PrivateKey { return p.stranger }
func drifted(p *judged, _ []byte) []byte    { return p.encrypt(p.stranger, nil, "A", "B", "C") }

// TestClients commits with every client what may be wrong, and pushes what it
// committed. Nothing wrong reaches a repository that runs our hooks, or leaves by
// a push that runs them; what is good does; no edit is lost.
//
//	eval "$(scripts/install-clients; scripts/install-git)" && go test -tags integration -run Clients ./cmd/envdrift
func TestClients(t *testing.T) {
	t.Parallel()
	tools := findClients(t)
	daemon := startDaemon(t)
	for _, client := range clients {
		p := newJudged(t, client.config+judgedConfig)
		for _, c := range clientCases {
			if client.tracked && (c.file != "" || c.again != nil) {
				continue
			}
			t.Run(client.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				clientCell{t, client, c, p, daemon}.run(tools)
			})
		}
	}
}

type clientCell struct {
	*testing.T
	client
	clientCase
	p      *judged
	daemon *daemon
}

func (c clientCell) run(tools clientTools) {
	p := c.p.in(c.T)
	b := p.repository()
	server := c.daemon.serve(p, b, true)
	unguarded := c.daemon.serve(p, b, false)
	main := b
	if c.prepare != nil {
		b = c.prepare(b)
	}
	work := &clone{b, "git", tools}
	if c.newGit {
		work.git = tools.newGit
		b = b.with("PATH=" + filepath.Dir(tools.newGit) + string(os.PathListSeparator) + os.Getenv("PATH"))
		work.bench = b
	}
	b.run("envdrift", append([]string{"hook", "install"}, c.install...)...)
	base := []byte(b.read(envFile))
	file := c.clientCase.file
	if file == "" {
		file = envFile
	}
	if c.key != nil {
		b.write(".env.keys", []byte("DOTENV_PRIVATE_KEY_PRODUCTION="+c.key(p).Reveal()+"\n"))
	}
	b.write(file, c.data(p, base))
	files := []string{file}
	before := b.run("git", "rev-parse", "HEAD")
	if c.again != nil {
		b.run("git", "add", envFile)
		b.write(envFile, c.again(p, base))
		files = nil
	}
	out, err := c.commit(work, files...)
	c.Logf("commit: %v\n%s", err, out)
	o := newOracle(p)
	right, passes := c.passes[c.clientCase.name]
	stopped := c.checked && !c.good && !passes
	wanted := c.good || stopped || right // what is in HEAD
	if made := b.run("git", "rev-parse", "HEAD") != before; made == stopped {
		c.Errorf("the commit was made: %t", made)
	}
	if wrong := o.wrong(b, "HEAD"); (wrong == "") != wanted {
		c.Errorf("the commit is wrong: %q", wrong)
	}
	if stopped && !strings.Contains(out, "commit stopped") {
		c.Errorf("the message is not seen")
	}
	c.keeps(p, main, b)
	if stopped && c.key != nil && c.config == "" {
		if out, err := c.commit(work, files...); err != nil {
			c.Errorf("the file was repaired, but the next commit: %v\n%s", err, out)
		}
	}
	c.pushes(o, work, server, unguarded, !wanted)
}

// keeps checks that no edit is lost in a clone, whose working tree may be a linked one.
func (c clientCell) keeps(p *judged, main, b *bench) {
	c.Helper()
	kept := p.kept(main, b)
	for _, name := range p.values(c.data(p, nil)) {
		if !kept[name] {
			c.Errorf("the edit %s is lost", name)
		}
	}
	if c.again != nil {
		if got := p.values([]byte(b.read(envFile))); !slices.Equal(got, []string{"A", "B", "C", "D"}) {
			c.Errorf("the working tree's file has %q; it was edited again", got)
		}
	}
}

// pushes pushes what was committed: by git to a server with our hook, over a path
// and over git's protocol, by the client itself, and by git with our pre-push to
// a server without a hook.
func (c clientCell) pushes(o *oracle, work *clone, server, unguarded *remote, bad bool) {
	free := *work
	free.bench = work.with("GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0="+os.DevNull)
	byGit := func(c *clone, url string) (string, error) {
		return c.try(c.git, "push", "--no-verify", url, "+HEAD:refs/heads/main")
	}
	head := strings.TrimSpace(work.run("git", "rev-parse", "HEAD"))
	type way struct {
		name string
		by   func(*clone, string) (string, error)
		from *clone
		to   *remote
		url  string
	}
	ways := []way{
		{"to a path", byGit, &free, server, server.dir},
		{"over git://", byGit, &free, server, server.url},
		{"with pre-push", func(c *clone, url string) (string, error) { return c.try(c.git, "push", url, "+HEAD:refs/heads/main") }, work, unguarded, unguarded.dir},
	}
	if c.http {
		ways = append(ways, way{"over http://", byGit, &free, server, server.web})
	}
	if c.push != nil {
		url := func(r *remote) string {
			if c.http {
				return r.web
			}
			return r.url
		}
		ways = append(ways, way{"by itself, with pre-push", c.push, work, unguarded, url(unguarded)},
			way{"by itself", func(work *clone, url string) (string, error) {
				work.run("git", "config", "core.hooksPath", os.DevNull)
				return c.push(work, url)
			}, work, server, url(server)})
	}
	for _, w := range ways {
		out, err := w.by(w.from, w.url)
		c.Logf("push %s: %v\n%s", w.name, err, out)
		// Not by the status: Dulwich's is 0 if the server refuses.
		moved := strings.TrimSpace(w.to.run("git", "rev-parse", "refs/heads/main")) != w.to.base
		bad := bad && (c.prePush || w.name != "by itself, with pre-push")
		if want := !bad && head != w.to.base; moved != want {
			c.Errorf("push %s: arrived: %t; want %t", w.name, moved, want)
		}
		if bad && !strings.Contains(out, "push stopped") {
			c.Errorf("push %s: the message is not seen", w.name)
		}
		if wrong := o.wrong(w.to.bench, "--all"); wrong != "" && (bad || w.to == server) {
			c.Errorf("push %s: the server has a commit that %s", w.name, wrong)
		}
		w.to.run("git", "update-ref", "refs/heads/main", w.to.base)
	}
}

// A daemon serves the repositories in a folder over git's protocol and HTTP.
type daemon struct {
	dir, url, web string
}

// startDaemon starts git's servers on loopback; they end with the test.
func startDaemon(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{dir: t.TempDir()}
	web := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(output(t, "git", "--exec-path"), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + d.dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + d.dir, "GIT_CONFIG_NOSYSTEM=1",
			"REMOTE_USER=a", // who may push
		},
		InheritEnv: []string{"PATH"},
	})
	t.Cleanup(web.Close)
	d.web = web.URL
	for range 5 {
		if d.url = listen(t, d.dir); d.url != "" {
			return d
		}
	}
	t.Fatal("git daemon found no free port in 5 attempts")
	return nil
}

// listen returns the URL, "" if another process took the port.
func listen(t *testing.T, dir string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	// The program itself: git would start it as a child, which outlives git.
	core := output(t, "git", "--exec-path")
	cmd := exec.Command(filepath.Join(core, "git-daemon"), "--listen=127.0.0.1", "--port="+port, "--reuseaddr",
		"--export-all", "--enable=receive-pack", "--base-path="+dir, dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	for deadline := time.After(time.Minute); ; {
		select {
		case <-exited:
			return ""
		case <-deadline:
			t.Fatal("git daemon does not answer")
		case <-time.After(20 * time.Millisecond):
			if conn, err := net.Dial("tcp", address); err == nil {
				_ = conn.Close()
				return "git://" + address
			}
		}
	}
}

// A remote is a bare repository that the daemon serves.
type remote struct {
	*bench
	url, web, base string
}

// serve makes a bare repository of b, with our hook if guarded. The hook runs as
// the server, with its identity.
func (d *daemon) serve(p *judged, b *bench, guarded bool) *remote {
	p.t.Helper()
	dir, err := os.MkdirTemp(d.dir, "*.git")
	if err != nil {
		p.t.Fatal(err)
	}
	b.run("git", "clone", "-q", "--bare", b.dir, dir)
	if guarded {
		serverHook(p, dir, "pre-receive")
	}
	r := &remote{bench: &bench{t: p.t, dir: dir, env: b.env}, url: d.url + "/" + filepath.Base(dir), web: d.web + "/" + filepath.Base(dir)}
	r.base = strings.TrimSpace(r.run("git", "rev-parse", "HEAD"))
	return r
}

// TestServers pushes with every kind of server: one that asks a real vault with a
// token of its own, one whose token is refused, and one that has no credentials
// but knows the public key.
func TestServers(t *testing.T) {
	t.Parallel()
	bao := servertest.OpenBao(t)
	config := "[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = \"" + bao.URL + "\"\n" + judgedMapping
	inBao, inRepository := newJudged(t, config), newJudged(t, judgedConfig)
	bao.Do(t, "POST", "secret/data/k", map[string]any{"data": map[string]string{"value": inBao.right.Reveal()}})
	token := bao.Policy(t, "server", `path "secret/data/k" { capabilities = ["read"] }`)
	for _, server := range []struct {
		name string
		p    *judged
		env  []string
		says string // of what is right, if it is refused
	}{
		{"a vault", inBao, []string{"VAULT_ADDR=" + bao.URL, "VAULT_TOKEN=" + token}, ""},
		{"a vault that denies", inBao, []string{"VAULT_ADDR=" + bao.URL, "VAULT_TOKEN=" + bao.NewToken(t, map[string]any{"policies": []string{"default"}})}, "denied"},
		{"no credentials, but the public key", inRepository, []string{"ENVDRIFT_EXPECT_PUBLIC_KEYS=" + inRepository.right.PublicKey().String()}, ""},
		{"no credentials, and the key of before", inRepository, []string{"CI="}, ""},
	} {
		for _, c := range clientCases {
			t.Run(server.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				p := server.p.in(t)
				b := p.repository()
				dir := filepath.Join(b.dir, "..", "server.git")
				b.run("git", "clone", "-q", "--bare", ".", dir)
				serverHook(p, dir, "pre-receive", server.env...)
				file := c.file
				if file == "" {
					file = envFile
				}
				b.write(file, c.data(p, []byte(b.read(envFile))))
				b.run("git", "add", "-f", file)
				b.run("git", "commit", "-q", "-m", "m")
				out, err := b.try("git", "push", dir, "main")
				t.Logf("%v\n%s", err, out)
				if want := c.good && server.says == ""; (err == nil) != want {
					t.Errorf("push: %v", err)
				}
				if c.good && !strings.Contains(out, server.says) {
					t.Errorf("the output lacks %q", server.says)
				}
				if wrong := newOracle(p).wrong(b.in("../server.git"), "--all"); wrong != "" {
					t.Errorf("the server has a commit that %s", wrong)
				}
			})
		}
	}
}
