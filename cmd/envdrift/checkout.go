package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"

	"path"
	"path/filepath"

	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/state"
)

// An arrival is what git just brought into the working tree, and what this
// clone needs for it: the keys, and what the last pull made of the files.
type arrival struct {
	*session
	repo *gitops.Repo
	last state.State // what was done last in this clone
	calm bool        // no operation of git waits that changes of ours would disturb
	done []string
	left []string
}

// afterCheckout is post-checkout, post-merge and post-rewrite. It never fails:
// git has switched already, and a status other than 0 would stop a bisect. What
// it has to say is one line.
func (c *cli) afterCheckout(ctx context.Context, hook string, args []string) {
	c.quiet, c.json, c.verbose = false, false, false
	a, err := c.arrive(ctx, hook, args)
	c.rows, c.sum = nil, ""
	if err != nil {
		c.say("envdrift: %s: %s", hook, strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	if a == nil {
		return
	}
	var parts []string
	if len(a.done) > 0 {
		parts = append(parts, few(a.done))
	}
	if len(a.left) > 0 {
		parts = append(parts, "not done: "+few(a.left))
	}
	if len(parts) > 0 {
		c.say("envdrift: %s", strings.Join(parts, "; "))
	}
}

// few joins the first of parts, to fit a line.
func few(parts []string) string {
	const most = 3
	if more := len(parts) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(parts[:most], ", "), more)
	}
	return strings.Join(parts, ", ")
}

// arrive does the work; it returns nil if nothing of ours arrived.
func (c *cli) arrive(ctx context.Context, hook string, args []string) (*arrival, error) {
	// The framework checks files out when it puts unstaged edits away.
	if c.env["_PRE_COMMIT_SKIP_POST_CHECKOUT"] != "" {
		return nil, nil
	}
	from, to, ok := c.hookRange(hook, args)
	if !ok {
		return nil, nil
	}
	s, err := c.open()
	if err != nil {
		return nil, err
	}
	if s.cfg.File == "" || s.cfg.Hooks.PostCheckout == config.Off {
		return nil, nil
	}
	a := &arrival{session: s}
	if a.repo, err = s.git(ctx); err != nil || a.repo == nil {
		return nil, err
	}
	changed, err := a.changed(ctx, from, to)
	if err != nil || !a.concerns(changed) || a.waits("BISECT_LOG") {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Hooks.Timeout)
	defer cancel()
	a.calm = a.isCalm(hook)
	return a, a.settle(ctx, changed)
}

// hookRange gives the commits between which the hook is to look: what git
// passed, or, under the pre-commit framework, what that put into the
// environment. It is not ok where there is nothing to do: single files were
// checked out, a commit was amended, nothing changed.
func (c *cli) hookRange(hook string, args []string) (from, to string, ok bool) {
	arg := func(i int, variable string) string {
		if i < len(args) {
			return args[i]
		}
		return c.env[variable]
	}
	switch hook {
	case "post-checkout":
		from, to = arg(0, "PRE_COMMIT_FROM_REF"), arg(1, "PRE_COMMIT_TO_REF")
		return from, to, arg(2, "PRE_COMMIT_CHECKOUT_TYPE") == "1" && from != to
	case "post-merge":
		if arg(0, "PRE_COMMIT_IS_SQUASH_MERGE") == "1" {
			return "HEAD", "", true // what came is staged
		}
		return "ORIG_HEAD", "HEAD", true
	case "post-rewrite":
		return "ORIG_HEAD", "HEAD", arg(0, "PRE_COMMIT_REWRITE_COMMAND") == "rebase"
	}
	return "", "", false
}

// changed lists the paths that differ between two commits; with to empty,
// those that are staged.
func (a *arrival) changed(ctx context.Context, from, to string) (map[string]bool, error) {
	var changes []gitops.Change
	var err error
	if to == "" {
		changes, err = a.repo.Staged(ctx)
	} else {
		changes, err = a.between(ctx, from, to)
	}
	paths := map[string]bool{}
	for _, ch := range changes {
		paths[ch.Path] = true
	}
	return paths, err
}

func (a *arrival) between(ctx context.Context, from, to string) ([]gitops.Change, error) {
	var oids [2]gitops.OID
	for i, rev := range []string{from, to} {
		oids[i] = gitops.OID(rev)
		if !strings.HasSuffix(rev, "HEAD") {
			continue
		}
		var err error
		if oids[i], err = a.repo.Resolve(ctx, rev); errors.As(err, new(*gitops.RevisionError)) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
	return a.repo.Changed(ctx, oids[0], oids[1])
}

// concerns is a first look that opens no file: whether a path can be a
// configuration or an env file at all.
func (a *arrival) concerns(changed map[string]bool) bool {
	for file := range changed {
		base := path.Base(file)
		named := func(m config.Mapping) bool { return path.Base(m.EnvFile) == base }
		if isConfig(file) || config.IsEnvFileName(base) || slices.ContainsFunc(a.cfg.Mappings, named) {
			return true
		}
	}
	return false
}

func isConfig(file string) bool { return slices.Contains(config.FileNames[:], path.Base(file)) }

// isCalm reports whether files may be changed that git tracks. A rebase or a
// merge that goes on, and edits that git puts back after the hook, would
// stumble over them.
func (a *arrival) isCalm(hook string) bool {
	waiting := []string{"MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "MERGE_AUTOSTASH", "rebase-merge/autostash", "rebase-apply/autostash"}
	if hook != "post-rewrite" { // at which git has not yet cleared away
		waiting = append(waiting, "rebase-merge", "rebase-apply")
	}
	return !slices.ContainsFunc(waiting, a.waits)
}

func (a *arrival) waits(file string) bool {
	_, err := os.Lstat(filepath.Join(a.repo.GitDir, filepath.FromSlash(file)))
	return err == nil
}

// settle brings the keys and files for what changed.
func (a *arrival) settle(ctx context.Context, changed map[string]bool) (err error) {
	if a.last, err = a.state(ctx); err != nil {
		return err
	}
	targets := a.arrived(changed)
	keys, err := a.bringKeys(ctx, targets)
	if err != nil || a.cfg.Hooks.PostCheckout != config.Pull {
		return err
	}
	if err := a.decryptPulled(ctx, targets, keys); err != nil {
		return err
	}
	return a.refreshCopies(ctx, targets, keys)
}

// arrived gives the targets whose env file changed, or all if the configuration
// did. A profile that this branch does not have counts as none.
func (a *arrival) arrived(changed map[string]bool) []mapping.Target {
	all := slices.ContainsFunc(slices.Collect(maps.Keys(changed)), isConfig)
	mappings, err := a.cfg.Select(a.last.Profile)
	if err != nil {
		mappings, _ = a.cfg.Select("")
	}
	var targets []mapping.Target
	for _, t := range mapping.Resolve(a.root.FS(), a.base, a.cfg, mappings) {
		if t.Doc != nil && (all || changed[t.File]) {
			targets = append(targets, t)
		}
	}
	return targets
}

// bringKeys brings into .env.keys the keys that are missing there, and returns
// for each target what decrypts it. Where a key at hand fits, no vault is asked.
func (a *arrival) bringKeys(ctx context.Context, targets []mapping.Target) ([]ecies.Keys, error) {
	found := make([]ecies.Keys, len(targets))
	var ask []mapping.Target
	var asked []int
	for i, t := range targets {
		if !t.Mapping.Ephemeral {
			found[i] = a.ring(t.File).Declared(t.Doc)
		}
		if len(found[i]) == 0 && a.needsKey(t) {
			ask, asked = append(ask, t), append(asked, i)
		}
	}
	keys := keyring.Fetch(ctx, a.vaultOf, ask, a.workers())
	for n, i := range asked {
		found[i] = keys[n].Keys
	}
	changes := drift.Sync(a.root.FS(), ask, keys, a.mayReplaceStale(ask))
	if err := a.write(ctx, changes); err != nil {
		return nil, err
	}
	for _, ch := range changes {
		// Of mappings that share a file only the last one writes it.
		ch.Write = ch.Action == drift.Created || ch.Action == drift.Updated
		a.tell(ch, "has "+strings.Join(ch.Names, ", "))
	}
	return found, nil
}

// needsKey reports whether this clone has a use for the key of a target.
func (a *arrival) needsKey(t mapping.Target) bool {
	if !isEncrypted(t.Doc) {
		return false
	}
	return !t.Mapping.Ephemeral || a.cfg.Hooks.PostCheckout == config.Pull &&
		(a.last.Files[t.File] == state.Pulled || a.last.Activated[a.copyOf(t)] != "")
}

// mayReplaceStale lets a key be replaced that does not fit the file that was
// checked out, by the vault's that does. While a rebase goes on the old key
// stays: the commits that are still to come may need it.
func (a *arrival) mayReplaceStale(targets []mapping.Target) func(*drift.DiffersError) bool {
	return func(e *drift.DiffersError) bool {
		return a.calm && slices.ContainsFunc(targets, func(t mapping.Target) bool {
			return t.KeysFile == e.KeysFile && t.Names[0] == e.Name &&
				len(drift.UnknownKeys(t.Doc, e.Local)) > 0 && len(drift.UnknownKeys(t.Doc, e.Vault)) == 0
		})
	}
}

// decryptPulled decrypts the files that this clone keeps decrypted, unless
// somebody is editing them.
func (a *arrival) decryptPulled(ctx context.Context, targets []mapping.Target, keys []ecies.Keys) error {
	var changes []drift.Change
	var files []string
	for i, t := range targets {
		if a.last.Files[t.File] == state.Pulled && isEncrypted(t.Doc) && len(keys[i]) > 0 {
			changes = append(changes, drift.Decrypt(t.File, t.Doc, keys[i], dotenv.Selection{}))
			files = append(files, t.File)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if !a.calm {
		a.left = append(a.left, "decrypting, while git is at work: "+a.self("pull"))
		return nil
	}
	edited, err := a.repo.Unstaged(ctx, files)
	if err != nil {
		return err
	}
	changes = slices.DeleteFunc(changes, func(ch drift.Change) bool {
		if edited[ch.File] {
			a.left = append(a.left, a.shown(ch.File)+" (edited)")
		}
		return edited[ch.File]
	})
	if err := a.write(ctx, changes); err != nil {
		return err
	}
	for _, ch := range changes {
		a.tell(ch, "decrypted")
	}
	return nil
}

// refreshCopies writes again the copies that the last pull made for programs,
// unless they were edited or taken away since.
func (a *arrival) refreshCopies(ctx context.Context, targets []mapping.Target, keys []ecies.Keys) error {
	var changes []drift.Change
	for i, t := range targets {
		file := a.copyOf(t)
		if _, err := a.root.Lstat(file); err != nil || a.last.Activated[file] == "" || len(keys[i]) == 0 {
			continue
		}
		plan := drift.Decrypt(t.File, t.Doc, keys[i], dotenv.Selection{})
		ch := drift.Change{Mapping: t.Mapping, File: file, New: plan.New, Private: true, Err: plan.Err}
		if ch.Err == nil {
			ch.Err = a.planCopy(ctx, &ch, a.last, false)
		}
		changes = append(changes, ch)
	}
	if len(changes) == 0 {
		return nil
	}
	if err := a.write(ctx, changes); err != nil {
		return err
	}
	for _, ch := range changes {
		a.tell(ch, "refreshed")
	}
	return a.remember(ctx, changes)
}

// copyOf is the path of a target's decrypted copy for programs.
func (a *arrival) copyOf(t mapping.Target) string {
	if t.Mapping.ActivateTo == "" {
		return ""
	}
	return path.Join(a.base, t.Mapping.Folder, t.Mapping.ActivateTo)
}

// write applies a plan. A private file that git would add is not written: to
// change .gitignore is for commands that a person types.
func (a *arrival) write(ctx context.Context, changes []drift.Change) error {
	var private []string
	for _, ch := range changes {
		if ch.Write && ch.Private {
			private = append(private, ch.File)
		}
	}
	ignored, err := a.repo.Ignored(ctx, private)
	if err != nil {
		return err
	}
	for i := range changes {
		if ch := &changes[i]; ch.Write && ch.Private && !ignored[ch.File] {
			ch.Write, ch.Err = false, errNotIgnored
		}
	}
	return a.apply(ctx, changes)
}

var errNotIgnored = errors.New("git does not ignore it")

// tell notes how a change went, for the line that is printed.
func (a *arrival) tell(ch drift.Change, done string) {
	switch {
	case errors.As(ch.Err, new(*drift.DiffersError)) && !a.calm:
		// Told by the hook at the end, if it is still so.
	case ch.Err != nil:
		text := ch.Err.Error()
		if !strings.HasPrefix(text, ch.File) { // as of a file system's error
			text = a.shown(ch.File) + ": " + text
		}
		if hints := a.advice(ch.Err); len(hints) > 0 {
			text += " (" + hints[0] + ")"
		}
		a.left = append(a.left, text)
	case ch.Write:
		a.done = append(a.done, a.shown(ch.File)+" "+done)
	}
}
