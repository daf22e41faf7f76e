package gitops

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// A Tip is a commit that something keeps: a ref, a stash or a worktree.
type Tip struct {
	Name   string // as git abbreviates it: main, origin/main, stash@{0}; "HEAD of DIR" for a worktree
	Commit OID
}

// Tips returns the commits that branches, tags and other refs, stashes, their
// indexes and the worktrees' HEADs name.
func (r *Repo) Tips(ctx context.Context) ([]Tip, error) {
	named, err := r.listTips(ctx, "for-each-ref", "--format=%(refname) %(objectname)")
	if err != nil {
		return nil, err
	}
	named = slices.DeleteFunc(named, func(t Tip) bool { return t.Name == "refs/stash" }) // all of them follow
	for i := range named {
		named[i].Name = shortRef(named[i].Name)
	}
	if _, err := r.Resolve(ctx, "refs/stash"); err == nil {
		// A stash is a merge of HEAD and the index.
		for _, format := range []string{"%gd %H", "%gd %P"} {
			stashes, err := r.listTips(ctx, "log", "--walk-reflogs", "--format="+format, "refs/stash", "--")
			if err != nil {
				return nil, err
			}
			named = append(named, stashes...)
		}
	}
	out, err := r.run(ctx, nil, "worktree", "list", "--porcelain")
	if err != nil {
		return nil, err
	}
	dir := ""
	for line := range strings.Lines(string(out)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "worktree":
			dir = rest
		case "HEAD":
			if oid := OID(rest); !oid.IsNull() {
				named = append(named, Tip{"HEAD of " + dir, oid})
			}
		}
	}
	return r.peelTips(ctx, named)
}

// shortRef abbreviates the name of a branch or a tag.
func shortRef(name string) string {
	for _, kind := range []string{"refs/heads/", "refs/remotes/", "refs/tags/"} {
		if short, ok := strings.CutPrefix(name, kind); ok {
			return short
		}
	}
	return name
}

// listTips parses lines of a name and a commit, or all of its parents but the first.
func (r *Repo) listTips(ctx context.Context, args ...string) (tips []Tip, err error) {
	out, err := r.run(ctx, nil, args...)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) > 2 {
			fields = slices.Delete(fields, 1, 2)
		}
		for _, oid := range fields[min(1, len(fields)):] {
			tips = append(tips, Tip{fields[0], OID(oid)})
		}
	}
	return tips, err
}

// peelTips replaces tags by what they name, and leaves out what is no commit.
func (r *Repo) peelTips(ctx context.Context, tips []Tip) (commits []Tip, err error) {
	oids := make([]OID, len(tips))
	for i, t := range tips {
		oids[i] = t.Commit
	}
	objects, err := r.Peel(ctx, oids)
	for i, o := range objects {
		if o.Type == "commit" {
			commits = append(commits, Tip{tips[i].Name, o.OID})
		}
	}
	return commits, err
}

// DefaultBranch returns the branch that others start from: that of the remote
// origin if this clone knows it, else the local main or master, or what
// init.defaultBranch names; "" if there is none.
func (r *Repo) DefaultBranch(ctx context.Context) (string, error) {
	if out, err := r.run(ctx, nil, "symbolic-ref", "-q", "--short", "refs/remotes/origin/HEAD"); err == nil {
		return strings.TrimSpace(string(out)), nil
	} else if !exited(err, 1) {
		return "", err
	}
	configured := ""
	if out, err := r.run(ctx, nil, "config", "init.defaultBranch"); err == nil {
		configured = strings.TrimSpace(string(out))
	}
	for _, prefix := range []string{"refs/remotes/origin/", "refs/heads/"} {
		for _, name := range []string{configured, "main", "master"} {
			if name == "" {
				continue
			}
			_, err := r.Resolve(ctx, prefix+name)
			if err == nil {
				return shortRef(prefix + name), nil
			}
			if !errors.As(err, new(*RevisionError)) {
				return "", err
			}
		}
	}
	return "", nil
}

// FirstWith returns the commits in the history of any ref, or of HEAD, that brought
// text into a file with one of the base names or with "env" in its name, each before
// all that came after it; none if there is none. There are several if a commit was
// picked, squashed or rebased and both are there.
func (r *Repo) FirstWith(ctx context.Context, text string, names []string) ([]OID, error) {
	globs := []string{":(top,glob,icase)**/*env*"}
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
	for _, name := range names {
		globs = append(globs, ":(top,glob)**/"+escape.Replace(name))
	}
	search := func(merges string) ([]OID, error) {
		args := []string{"log", "--all", "--full-history", "--topo-order", "--reverse", "--format=%H", "--no-patch", "--no-ext-diff", "--no-textconv", merges, "-S", text, "--"}
		out, err := r.with("GIT_LITERAL_PATHSPECS=0").run(ctx, nil, append(args, globs...)...)
		found := strings.Fields(string(out))
		oids := make([]OID, len(found))
		for i, oid := range found {
			oids[i] = OID(oid)
		}
		return oids, err
	}
	oids, err := search("--no-diff-merges")
	if err == nil && len(oids) == 0 {
		oids, err = search("-m") // it came with a merge itself
	}
	var first []OID
	for _, oid := range oids {
		later := slices.ContainsFunc(first, func(old OID) bool {
			var is bool
			if err == nil {
				is, err = r.IsAncestor(ctx, old, oid)
			}
			return is
		})
		if !later {
			first = append(first, oid)
		}
	}
	return first, err
}

// IsAncestor reports whether a commit is in the history of another, or is that one.
func (r *Repo) IsAncestor(ctx context.Context, old, young OID) (bool, error) {
	_, err := r.run(ctx, nil, "merge-base", "--is-ancestor", string(old), string(young))
	if exited(err, 1) {
		return false, nil
	}
	return err == nil, err
}
