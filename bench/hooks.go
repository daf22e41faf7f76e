package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

func preCommit(staged int) prepare {
	return func(b *fixture, _ string, n int) ([]contestant, func(), error) {
		r, err := b.repository(n)
		if err != nil {
			return nil, nil, err
		}
		if err := r.stage(staged); err != nil {
			return nil, nil, err
		}
		return have(
			contestant{tool: "envdrift", command: b.in(r.dir, []string{"GIT_INDEX_FILE=.git/index"}, filepath.Join(r.dir, hooksFolder, "pre-commit"))}, // as git runs it
			contestant{tool: "earlier tool", command: b.in(r.dir, nil, b.earlier, "guard", "--staged", "--native-only", "--ci")},
			contestant{tool: "git diff --cached", command: b.in(r.dir, nil, "git", "diff", "--cached", "--name-only")},
		), nil, nil
	}
}

func postCheckout(b *fixture, _ string, n int) ([]contestant, func(), error) {
	r, err := b.repository(n)
	if err != nil {
		return nil, nil, err
	}
	return have(
		contestant{tool: "envdrift", command: b.in(r.dir, nil, filepath.Join(r.dir, hooksFolder, "post-checkout"), r.old, r.new, "1")},
		contestant{tool: "git diff-tree", command: b.in(r.dir, nil, "git", "diff-tree", "-r", "--name-only", r.old, r.new)},
	), nil, nil
}

// A repo is a repository of a team of 50 with an age vault, and with two commits
// between which one other file differs.
type repo struct {
	fixture  *fixture
	size     int
	dir      string
	team     *team
	old, new string
}

// repository returns the repository of so many files. It makes one unless the
// last one that it made has that size.
func (b *fixture) repository(n int) (*repo, error) {
	if b.repo != nil && b.repo.size == n {
		return b.repo, nil
	}
	if b.repo != nil {
		os.RemoveAll(b.repo.dir)
		b.repo = nil
	}
	r := &repo{fixture: b, size: n, dir: filepath.Join(b.dir, fmt.Sprintf("repo-%d", n))}
	var err error
	if r.team, err = b.team(r.dir, 50, ageVault); err != nil {
		return nil, err
	}
	const store = `"$0" recipient add "$("$0" recipient show)" && "$0" vault-push --all -q && git add -A && git commit -qm vault`
	if _, err = b.in(r.dir, nil, "sh", "-c", store, b.envdrift).output(nil); err != nil {
		return nil, err
	}
	blob, err := r.sh("echo content | git hash-object -w --stdin", nil)
	if err != nil {
		return nil, err
	}
	var index bytes.Buffer
	for i := range n {
		fmt.Fprintf(&index, "100644 %s\tsrc/%03d/%02d/file-%d.txt\n", blob, i/1000, i/40%25, i)
	}
	if _, err = r.sh("git update-index --add --index-info && git checkout-index -a -q -u && git commit -qm files", index.Bytes()); err != nil {
		return nil, err
	}
	if _, err = r.sh("echo other >src/000/00/file-0.txt && git commit -qam other", nil); err != nil {
		return nil, err
	}
	if r.old, err = r.sh("git rev-parse HEAD^", nil); err != nil {
		return nil, err
	}
	if r.new, err = r.sh("git rev-parse HEAD", nil); err != nil {
		return nil, err
	}
	if b.base != "" {
		if _, err := b.in(r.dir, nil, b.base, "hook", "install").output(nil); err != nil {
			return nil, err
		}
		if err := os.Rename(filepath.Join(r.dir, hooksFolder), filepath.Join(r.dir, baseHooks)); err != nil {
			return nil, err
		}
	}
	_, err = b.in(r.dir, nil, b.envdrift, "hook", "install").output(nil)
	b.repo = r
	return r, err
}

// The hooks of the build that is measured, and of the one before.
const hooksFolder, baseHooks = ".git/hooks/", ".git/hooks-before/"

func (r *repo) sh(script string, stdin []byte) (string, error) {
	return r.fixture.in(r.dir, nil, "sh", "-c", script).output(stdin)
}

// stage puts n env files with one more value each into the index, and another
// file.
func (r *repo) stage(n int) error {
	if _, err := r.sh("git reset -q && echo more >>src/000/00/file-1.txt && git add src/000/00/file-1.txt", nil); err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	argv := []string{r.fixture.envdrift, "encrypt", "-q"}
	for i, folder := range r.team.folders[:n] {
		name := filepath.Join(folder, envFile)
		argv = append(argv, name)
		if err := write(filepath.Join(r.dir, name), append(r.team.files[i], "ONE_MORE=value\n"...)); err != nil {
			return err
		}
	}
	if _, err := r.fixture.in(r.dir, nil, argv...).output(nil); err != nil {
		return err
	}
	_, err := r.sh("git add -u", nil)
	return err
}
