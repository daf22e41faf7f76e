package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestSequences lets two people work: they edit, rightly or not, commit, rewrite
// history and push, in clones that run our hooks, one of them often without. After
// each step no edit of theirs is lost, a server that runs our pre-receive or update
// has nothing that the oracle finds wrong, nor has one without, to which only the
// careful one pushes; and what is right is never refused. ENVDRIFT_TRIALS is how
// many sequences; the number of one is its seed, and ENVDRIFT_TRIAL runs that
// alone.
func TestSequences(t *testing.T) {
	t.Parallel()
	trials, first := 16, 0
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_TRIALS")); err == nil {
		trials = n
	}
	one, err := strconv.Atoi(os.Getenv("ENVDRIFT_TRIAL"))
	if err == nil {
		trials, first = 1, one
	}
	p := newJudged(t, judgedConfig)
	template := sequenceTemplate(p)
	var counts tally
	t.Run("seed", func(t *testing.T) {
		for seed := first; seed < first+trials; seed++ {
			t.Run(strconv.Itoa(seed), func(t *testing.T) {
				t.Parallel()
				newSequence(t, p.in(t), template, seed, &counts).run()
			})
		}
	})
	t.Logf("%d sequences: %v", trials, counts.of)
	for _, what := range []string{"right pushes", "wrong pushes", "commits", "commits stopped"} {
		if trials > 5 && counts.of[what] == 0 {
			t.Errorf("no %s: the sequences prove nothing", what)
		}
	}
}

type tally struct {
	sync.Mutex
	of map[string]int
}

func (c *tally) add(what string) {
	c.Lock()
	defer c.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[what]++
}

// sequenceTemplate returns a folder with the clones of two people, ann and ben,
// who use the server guarded.git, and unguarded.git beside it. The history has
// plaintext, from before the hooks.
func sequenceTemplate(p *judged) *bench {
	b := p.repository()
	b.write(envFile, plain("A", "B", "OLD"))
	b.run("git", "commit", "-q", "-a", "-m", "wrong")
	b.write(envFile, p.encrypt(p.right, nil, "A", "B", "OLD"))
	b.run("git", "commit", "-q", "-a", "-m", "right again")
	top := b.in("..")
	for _, name := range []string{"guarded.git", "unguarded.git"} {
		top.run("git", "clone", "-q", "--bare", "repo", name)
		// The wrong commit stays there, whatever is pushed by force.
		server := top.in(name)
		server.run("git", "update-ref", "refs/keep/first", "HEAD")
		server.run("git", "config", "transfer.hideRefs", "refs/keep")
	}
	serverHook(p, filepath.Join(top.dir, "guarded.git"), "pre-receive")
	for _, name := range []string{"ann", "ben", "shallow"} {
		depth := "--depth=1000"
		if name == "shallow" {
			depth = "--depth=1"
		}
		top.run("git", "clone", "-q", depth, "file://"+filepath.Join(top.dir, "guarded.git"), name)
		c := top.in(name)
		c.run("git", "config", "user.name", name)
		c.run("git", "config", "user.email", name+"@example.com")
		c.run("git", "config", "remote.origin.url", "../guarded.git")
		c.run("git", "remote", "rename", "origin", "guarded")
		c.run("git", "remote", "add", "unguarded", "../unguarded.git")
		c.run("git", "fetch", "-q", "--all")
		c.write(".git/info/exclude", []byte(".env.keys\n"))
		c.run("envdrift", "hook", "install")
	}
	top.in("ann").write(".env.keys", []byte("DOTENV_PRIVATE_KEY_PRODUCTION="+p.stranger.Reveal()+"\n"))
	return top
}

type sequence struct {
	*judged
	r                  *rand.Rand
	oracle             *oracle
	guarded, unguarded *bench
	people             []*person
	counts             *tally
	pushed             bool     // somebody did since the servers were looked at
	told               []string // what happened
	count              int      // of names given
}

// A person works in a clone, and in working trees linked to it.
type person struct {
	name     string
	places   []*bench
	careless bool // who often runs no hook
	edits    []string
}

func newSequence(t *testing.T, p *judged, template *bench, seed int, counts *tally) *sequence {
	top := &bench{t: t, dir: filepath.Join(t.TempDir(), "top"), env: template.env}
	if err := os.CopyFS(top.dir, os.DirFS(template.dir)); err != nil {
		t.Fatal(err)
	}
	s := &sequence{judged: p, r: rand.New(rand.NewPCG(uint64(seed), 7)), oracle: newOracle(p), counts: counts}
	s.guarded, s.unguarded = top.in("guarded.git"), top.in("unguarded.git")
	ben := "ben"
	if s.chance(20) {
		ben = "shallow"
	}
	s.people = []*person{{name: "ann", places: []*bench{top.in("ann")}}, {name: ben, careless: true, places: []*bench{top.in(ben)}}}
	if s.chance(25) {
		s.tell("the server has the hook update")
		serverHook(p, s.guarded.dir, "update")
		if err := os.Remove(filepath.Join(s.guarded.dir, "hooks", "pre-receive")); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range strings.Fields(s.guarded.run("git", "rev-list", "--objects", "--no-object-names", "--all")) {
		s.oracle.old[object] = true
	}
	return s
}

func (s *sequence) run() {
	for step := range 12 + s.r.IntN(12) {
		c := s.people[s.r.IntN(2)]
		date := fmt.Sprintf("_DATE=%d +0000", 1800000000+step) // or the order of commits would depend on the clock
		at := &place{s, c, c.places[s.r.IntN(len(c.places))].with("GIT_AUTHOR"+date, "GIT_COMMITTER"+date)}
		deed := deeds[s.r.IntN(len(deeds))]
		s.tell("%s: %s", c.name, deed.name)
		deed.do(at)
		s.check(at)
		if s.t.Failed() {
			s.t.Fatalf("what happened:\n%s", strings.Join(s.told, "\n"))
		}
	}
}

// check checks what must be after each step.
func (s *sequence) check(at *place) {
	kept := s.kept(at.places...)
	for _, name := range at.edits {
		if !kept[name] {
			s.t.Errorf("%s's edit %s is lost", at.name, name)
		}
	}
	if !s.pushed {
		return
	}
	s.pushed = false
	for _, server := range []*bench{s.guarded, s.unguarded} {
		if wrong := s.oracle.wrong(&bench{s.t, server.dir, server.env}, "--all"); wrong != "" {
			s.t.Errorf("%s: %s", filepath.Base(server.dir), wrong)
		}
	}
}

func (s *sequence) tell(format string, args ...any) {
	s.told = append(s.told, fmt.Sprintf(format, args...))
}

func (s *sequence) fresh() string {
	s.count++
	return "N" + strconv.Itoa(s.count)
}

// chance is true in p of 100 cases.
func (s *sequence) chance(p int) bool { return s.r.IntN(100) < p }

// A place is where a person does something.
type place struct {
	*sequence
	*person
	*bench
}

func (d *place) try(args ...string) (string, error) {
	out, err := d.bench.try("git", args...)
	d.tell("  git %s: %v\n    %s", strings.Join(args, " "), err, strings.ReplaceAll(strings.TrimSpace(out), "\n", "\n    "))
	return out, err
}

func (d *place) done(args ...string) bool {
	_, err := d.try(args...)
	return err == nil
}

func (d *place) lines(args ...string) []string {
	out, _ := d.bench.try("git", args...)
	return strings.Fields(out)
}

// pick returns one of the words that git prints, "" if there are none.
func (d *place) pick(args ...string) string {
	words := d.lines(args...)
	if len(words) == 0 {
		return ""
	}
	return words[d.r.IntN(len(words))]
}

// content returns an env file with the names, right or not.
func (d *place) content(how string, old []byte, names []string) []byte {
	switch how {
	case "drift":
		return d.encrypt(d.stranger, old, names...)
	case "plain":
		return plain(names...)
	}
	return d.encrypt(d.right, old, names...)
}

// edit adds a value to the env file.
func (d *place) edit(how string) {
	old, _ := os.ReadFile(filepath.Join(d.dir, envFile))
	names := distinct(d.values(old))
	name := d.fresh()
	names = slices.Insert(names, d.r.IntN(len(names)+1), name)
	d.write(envFile, d.content(how, old, names))
	d.edits = append(d.edits, name)
	d.tell("  %s %s", how, name)
}

func distinct(names []string) (once []string) {
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}

// hooks returns the arguments for a git that runs no hook, if so it happens.
func (d *place) hooks() []string {
	if d.careless && d.chance(60) {
		return []string{"--no-verify"}
	}
	return nil
}

func (d *place) commit(args ...string) {
	d.counts.add("commits")
	out, err := d.try(append(append([]string{"commit", "-m", "m"}, args...), d.hooks()...)...)
	if err == nil || !strings.Contains(out, "commit stopped") {
		return
	}
	d.counts.add("commits stopped")
	if d.chance(70) {
		d.try("commit", "-m", "again")
	}
}

// plumb commits what is staged as a client does that runs no hook.
func (d *place) plumb() {
	tree := d.lines("write-tree")
	if len(tree) != 1 || !d.careless {
		return
	}
	if made := d.lines("commit-tree", tree[0], "-p", "HEAD", "-m", "plumbing"); len(made) == 1 {
		d.try("update-ref", "-m", "plumbing", "HEAD", made[0])
	}
}

// finish ends what stopped at a conflict or at a hook.
func (d *place) finish(what string, done bool) {
	for range 3 {
		if done {
			return
		}
		d.settle()
		if what == "merge" {
			done = d.done("commit", "--no-edit")
		} else {
			done = d.done(what, "--continue")
		}
	}
	if !done {
		d.try(what, "--abort")
	}
}

// settle resolves conflicts: the env file gets the values of both sides.
func (d *place) settle() {
	for _, file := range d.lines("diff", "--name-only", "--diff-filter=U") {
		if file != envFile {
			if !d.done("checkout", "--ours", "--", file) {
				d.try("rm", "-q", "-f", "--", file)
			}
			d.try("add", "-f", "--", file)
			continue
		}
		var names []string
		for _, stage := range []string{":2:", ":3:"} {
			side, _ := d.bench.try("git", "show", stage+file)
			names = append(names, d.values([]byte(side))...)
		}
		how := "right"
		if d.chance(20) {
			how = []string{"drift", "plain"}[d.r.IntN(2)]
		}
		d.tell("  settles %s", how)
		d.write(file, d.content(how, nil, distinct(names)))
		d.try("add", "--", file)
	}
}

// someCommit returns a commit that has one parent.
func (d *place) someCommit() string {
	return d.pick("rev-list", "--all", "--min-parents=1", "--max-parents=1")
}

// unknown returns the revisions of what is new to a server, as far as the clone
// knows: of one without a name it does not know what it has.
func (d *place) unknown(sources []string, server string, byName bool) []string {
	if !byName || len(sources) == 0 {
		return sources
	}
	return slices.Concat(sources, []string{"--not", "--remotes=" + server})
}

// push pushes the sources, which are revisions, by refspecs or options.
func (d *place) push(sources []string, args ...string) {
	server, byName := "guarded", true
	if !d.careless && d.chance(60) {
		server = "unguarded"
	}
	if d.chance(30) {
		server, byName = "../"+server+".git", false
	}
	flags := d.hooks()
	if d.chance(20) {
		flags = append(flags, "--atomic")
	}
	wrong := d.oracle.wrong(d.bench, sources...)
	right := wrong == "" && newOracle(d.judged).wrong(d.bench, d.unknown(sources, server, byName)...) == ""
	d.pushed = true
	out, err := d.try(slices.Concat([]string{"push"}, flags, []string{server}, args)...)
	refused := strings.Contains(out, "hook declined") || strings.Contains(out, "envdrift:") && err != nil
	switch {
	case right:
		d.counts.add("right pushes")
		if refused {
			d.t.Errorf("a right push is refused")
		}
	case wrong != "":
		d.counts.add("wrong pushes")
		if err == nil && !strings.Contains(out, "up-to-date") {
			d.t.Errorf("a push passes, but %s", wrong)
		}
	}
}

func (d *place) branch() string {
	out, _ := d.bench.try("git", "branch", "--show-current")
	return strings.TrimSpace(out)
}

// deeds are what people do; some are there more than once, because they do them
// more often.
var deeds = []struct {
	name string
	do   func(d *place)
}{
	{"good edit", func(d *place) { d.edit("right") }},
	{"good edit", func(d *place) { d.edit("right") }},
	{"good edit, committed", func(d *place) { d.edit("right"); d.commit("-a") }},
	{"good edit, committed", func(d *place) { d.edit("right"); d.commit("-a") }},
	{"drift", func(d *place) { d.edit("drift") }},
	{"drift, committed", func(d *place) { d.edit("drift"); d.commit("-a") }},
	{"drift, edited again, committed", func(d *place) {
		d.edit("drift")
		d.try("add", "-u")
		d.edit([]string{"right", "drift", "plain"}[d.r.IntN(3)])
		d.commit()
	}},
	{"plaintext", func(d *place) { d.edit("plain") }},
	{"plaintext, committed", func(d *place) { d.edit("plain"); d.commit("-a") }},
	{"a key", func(d *place) {
		name := []string{".env.keys", d.fresh() + ".txt"}[d.r.IntN(2)]
		d.write(name, []byte("DOTENV_PRIVATE_KEY_PRODUCTION="+d.right.Reveal()+"\n"))
		d.try("add", "-f", name)
		d.commit()
	}},
	{"another file", func(d *place) { d.write("readme.md", []byte(d.fresh()+"\n")); d.commit("-a") }},
	{"commit all", func(d *place) { d.try("add", "-A"); d.commit() }},
	{"commit all", func(d *place) { d.try("add", "-A"); d.commit() }},
	{"commit a file", func(d *place) { d.commit("--", envFile) }},
	{"commit without hooks", func(d *place) { d.try("add", "-A"); d.plumb() }},
	{"amend", func(d *place) { d.try("add", "-A"); d.commit("--amend") }},
	{"soft reset", func(d *place) { d.try("reset", "-q", "--soft", "HEAD~1") }},
	{"mixed reset", func(d *place) { d.try("reset", "-q", "HEAD~1") }},
	{"fetch", func(d *place) { d.try("fetch", "-q", "--all") }},
	{"get the other's branches", func(d *place) {
		other := d.people[0].name
		if d.name == other {
			other = d.people[1].name
		}
		d.try("fetch", "-q", "../"+other, "+refs/heads/*:refs/remotes/"+other+"/*")
	}},
	{"pull", func(d *place) { d.finish("merge", d.done("pull", "-q", "--no-rebase", "--no-edit", "guarded", "main")) }},
	{"pull --rebase", func(d *place) { d.finish("rebase", d.done("pull", "-q", "--rebase", "guarded", "main")) }},
	{"merge", func(d *place) {
		d.finish("merge", d.done("merge", "-q", "--no-edit", d.pick("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes")))
	}},
	{"squash", func(d *place) {
		if !d.done("merge", "-q", "--squash", d.pick("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes")) {
			d.settle()
		}
		d.commit()
	}},
	{"rebase", func(d *place) {
		d.finish("rebase", d.done("rebase", "-q", []string{"--merge", "--apply", "--autostash"}[d.r.IntN(3)], d.pick("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes")))
	}},
	{"cherry-pick", func(d *place) { d.finish("cherry-pick", d.done("cherry-pick", d.someCommit())) }},
	{"revert", func(d *place) { d.finish("revert", d.done("revert", "--no-edit", d.someCommit())) }},
	{"am", func(d *place) {
		patch := filepath.Join(d.dir, "..", d.fresh()+".patch")
		if d.done("format-patch", "-q", "-1", "--output="+patch, d.someCommit()) {
			d.finish("am", d.done("am", "-q", "-3", patch))
		}
	}},
	{"stash", func(d *place) { d.try("stash", "push", "-q") }},
	{"stash pop", func(d *place) {
		if !d.done("stash", "pop", "-q") {
			d.settle()
		}
	}},
	{"stash to a branch", func(d *place) { d.try("stash", "branch", d.fresh()) }},
	{"fixup", func(d *place) {
		d.edit("right")
		d.commit("-a", "--fixup=HEAD")
		d.finish("rebase", d.done("rebase", "-q", "-i", "--autosquash", "HEAD~2"))
	}},
	{"collect garbage", func(d *place) { d.try("gc", "-q", "--prune=now"); d.guarded.run("git", "gc", "-q", "--prune=now") }},
	{"detach", func(d *place) { d.try("switch", "-q", "--detach") }},
	{"new branch", func(d *place) { d.try("switch", "-q", "-c", d.fresh()) }},
	{"begin again", func(d *place) { d.try("switch", "-q", "-c", d.fresh(), "guarded/main") }},
	{"switch", func(d *place) {
		d.try("switch", "-q", d.pick("for-each-ref", "--format=%(refname:short)", "refs/heads"))
	}},
	{"worktree", func(d *place) {
		name := d.fresh()
		if len(d.places) < 3 && d.done("worktree", "add", "-q", "-b", name, "../"+d.name+"-"+name) {
			d.places = append(d.places, d.in("../"+d.name+"-"+name))
		}
	}},
	{"tag", func(d *place) { d.try("tag", d.fresh()) }},
	{"annotated tag", func(d *place) { d.try("tag", "-m", "t", d.fresh(), d.someCommit()) }},
	{"tag of a file", func(d *place) {
		if object := d.lines("hash-object", "-w", []string{".env.keys", "readme.md"}[d.r.IntN(2)]); len(object) == 1 {
			d.try("tag", d.fresh(), object[0])
		}
	}},
	{"push notes", func(d *place) {
		d.try("notes", "add", "-f", "-F", []string{".env.keys", "readme.md"}[d.r.IntN(2)])
		if d.pick("notes", "list") != "" {
			d.push([]string{"refs/notes/commits"}, "+refs/notes/commits")
		}
	}},
	{"push a mirror", func(d *place) { d.push([]string{"--exclude=refs/stash", "--glob=refs/*"}, "--mirror") }},
	{"push", func(d *place) { d.push([]string{"HEAD"}, "HEAD:refs/heads/main") }},
	{"push", func(d *place) { d.push([]string{"HEAD"}, "HEAD:refs/heads/main") }},
	{"push a branch", func(d *place) {
		if name := d.branch(); name != "" {
			d.push([]string{"HEAD"}, name)
		}
	}},
	{"push a new branch", func(d *place) { d.push([]string{"HEAD"}, "HEAD:refs/heads/"+d.fresh()) }},
	{"force push", func(d *place) { d.push([]string{"HEAD"}, "+HEAD:refs/heads/main") }},
	{"push all", func(d *place) { d.push([]string{"--branches"}, "--all") }},
	{"push tags", func(d *place) {
		if d.pick("tag") != "" {
			d.push([]string{"--tags"}, "--tags")
		}
	}},
	{"push several", func(d *place) {
		a, b := d.someCommit(), d.someCommit()
		if a != "" {
			d.push([]string{a, b, "HEAD"}, a+":refs/heads/"+d.fresh(), b+":refs/heads/"+d.fresh(), "+HEAD:refs/heads/main")
		}
	}},
	{"push a stash", func(d *place) {
		if d.pick("stash", "list") != "" {
			d.push([]string{"refs/stash"}, "refs/stash:refs/heads/"+d.fresh())
		}
	}},
	{"push a deletion", func(d *place) {
		if name := d.pick("for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/guarded"); name != "" && name != "HEAD" {
			d.push(nil, "--delete", name)
		}
	}},
}
