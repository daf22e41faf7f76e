package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/hooks/postcheckout"
	"github.com/envdrift/envdrift/hooks/precommit"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/verify"
)

// A hook reports one screen of errors at most.
const most = 5

// reportStaged reports what is wrong, and in one line how much was proven, and what else
// stops git: "" is nothing.
func (c *cli) reportStaged(ctx context.Context, check *precommit.Check, event hooks.Event, stops string) {
	all := c.verbose || c.json
	verified, concerned, wrong, repaired, dropped := 0, 0, 0, 0, false
	for _, f := range check.Files {
		switch {
		case f.Err != nil:
			wrong++
		case f.Verified:
			verified++
		case f.Unproven == nil:
			continue
		}
		concerned++
		if r := f.Repair; r != nil && (r.Index || r.Tree) {
			repaired++
			dropped = dropped || !r.Index
		}
		if wrong > most && !all {
			continue
		}
		if !f.Verified || len(f.Warnings) > 0 || c.verbose {
			c.add(c.stagedRow(ctx, check, f))
		}
	}
	for _, d := range check.Dropped {
		c.add(report.Row{Status: report.NotVerified, File: d.File, Note: droppedNote(d)})
	}
	if concerned == 0 && stops == "" {
		return
	}
	sum, steps := "envdrift: ", stepsAfter(event, check)
	if wrong > 0 || stops != "" {
		sum += event.Doing + " stopped"
		if steps.undo != "" {
			sum += fmt.Sprintf(" (%s completes it, %s undoes it)", steps.complete, steps.undo)
		}
		sum += ": "
	}
	proven := ""
	if concerned > 0 {
		proven = fmt.Sprintf("%d of %s verified", verified, report.Plural(concerned, "staged env file"))
	}
	sum += strings.Join(nonEmpty(stops, proven), "; ")
	if more := wrong - most; more > 0 && !all {
		sum += fmt.Sprintf("; %d more with errors, envdrift hook run %s -v shows them", more, event.Name)
	}
	switch {
	case repaired == 0:
	case check.NothingStaged(ctx):
		sum += "; nothing is left to commit" + steps.skip
	case dropped: // the index of "git commit -a" and the like
		sum += fmt.Sprintf("; %d repaired: review, and run the same git commit again", repaired)
	default:
		sum += fmt.Sprintf("; %d repaired: review, and %s", repaired, steps.complete)
	}
	c.report.Summary = sum
}

func droppedNote(d verify.Dropped) string {
	if d.Mapped {
		return "the commit removes it, but its mapping stays: remove that too, or map the new name"
	}
	return "the commit drops its mapping: from now on no vault's key is known for it"
}

// A nextStep is what to type after a hook stopped git.
type nextStep struct{ complete, undo, skip string }

func stepsAfter(event hooks.Event, check *precommit.Check) nextStep {
	switch {
	case event.Doing == "merge":
		return nextStep{complete: "git commit", undo: "git merge --abort"}
	case event.Doing == "patch" && check.Rebasing(): // "git am --continue" would break the rebase
		return nextStep{"git rebase --continue", "git rebase --abort", ": git rebase --skip"}
	case event.Doing == "patch":
		return nextStep{"git am --continue", "git am --abort", ": git am --skip"}
	}
	return nextStep{complete: "commit again"}
}

// reportPush reports what is wrong with the commits of a push.
func (c *cli) reportPush(ctx context.Context, files []*verify.File, event hooks.Event) {
	var wrong []*verify.File
	verified := 0
	for _, f := range files {
		switch {
		case f.Err != nil:
			wrong = append(wrong, f)
		case f.Verified:
			verified++
		}
		if f.Err == nil && (f.Unproven != nil || c.verbose) {
			c.add(c.resultRow(ctx, f, false))
		}
	}
	shown := wrong
	if !c.verbose && !c.json {
		shown = wrong[:min(most, len(wrong))]
	}
	for i, f := range shown {
		row := c.resultRow(ctx, f, false)
		if event.Receives {
			row.Err = &receivedError{row.Err, c.work.Top}
		}
		if i == len(shown)-1 { // once for all
			if wrong[0].At != "" {
				row.Hints = append(row.Hints, c.amendLines(ctx, wrong[0].At)...)
			}
			if !event.Receives {
				row.Hints = append(row.Hints, "to push once with no hook checking it: git push --no-verify")
			}
		}
		c.add(row)
	}
	if len(wrong) == 0 && !c.verbose && !c.json {
		return
	}
	sum := fmt.Sprintf("%d of %s of env files verified", verified, report.Plural(len(files), "version"))
	if len(wrong) > 0 {
		sum = "push stopped: " + sum
	}
	if more := len(wrong) - len(shown); more > 0 {
		sum += fmt.Sprintf("; %d more with errors", more)
	}
	c.report.Summary = "envdrift: " + sum
}

// A receivedError is an error without the path of the server's repository: everyone
// who pushes reads it.
type receivedError struct {
	error
	top string
}

func (e *receivedError) Error() string {
	return strings.ReplaceAll(e.error.Error(), e.top+string(filepath.Separator), "")
}

func (e *receivedError) Unwrap() error { return e.error }

// amendLines returns how what was repaired becomes part of the commit that brought it.
// A rebase must begin before anything is changed.
func (c *cli) amendLines(ctx context.Context, commit string) []string {
	since := commit + "^"
	if repo, err := c.work.Git(ctx); err == nil && repo != nil {
		if _, err := repo.Resolve(ctx, since); err != nil {
			since = "--root"
		}
	}
	return []string{
		"then: git commit -a --amend",
		"if " + commit + " is not the last commit, before all that: git rebase -i " + since + "   with edit for it, and git rebase --continue at the end",
	}
}

// stagedRow reports one staged file.
func (c *cli) stagedRow(ctx context.Context, check *precommit.Check, f *precommit.StagedFile) report.Row {
	notes := f.Warnings
	if f.Unproven != nil {
		notes = append(notes, f.Unproven.Error())
	}
	r := report.Row{Status: report.Verified, File: f.Change.Path, Note: strings.Join(notes, "; "), Err: f.Err}
	if f.Mapped {
		r.Secret, r.Environment = f.Target.Mapping.SecretName, f.Target.Mapping.Env()
	}
	switch {
	case f.Err == nil && !f.Verified:
		r.Status = report.NotVerified
	case drift.IsDrift(f.Err):
		r.Status, r.Note, r.Hints = report.Drift, "", c.driftSteps(ctx, f)
		if len(f.Owners) > 0 {
			r.Note = "encrypted with " + strings.Join(f.Owners, ", ")
		}
	case f.Err != nil:
		r.Status = statusFor(f.Err)
		r.Hints = c.repairSteps(f.Target, f.Change.Path, f.Err, true)
	}
	return r
}

// driftSteps returns what was done about a staged file that drifted and what is
// left to do.
func (c *cli) driftSteps(ctx context.Context, f *precommit.StagedFile) []string {
	file, r := f.Change.Path, f.Repair
	name := c.words([]string{file})
	switch {
	case r == nil: // on_drift = "block"
		return c.stepsByHand(ctx, f)
	case errors.Is(r.Err, precommit.ErrEdited):
		return []string{r.Err.Error(), "1. " + c.commandLine("repair "+name) + "   repairs the working tree", "2. run the same git commit again"}
	case errors.Is(r.Err, precommit.ErrUndone):
		return []string{
			"not repaired: " + r.Err.Error(),
			"1. " + c.commandLine("repair "+name) + "   repairs what is staged, and the working tree",
			"2. commit again; and let the hook run envdrift beside lint-staged, not as its task",
		}
	case errors.Is(r.Err, precommit.ErrStaged), errors.Is(r.Err, precommit.ErrStopped):
		return []string{"not repaired: " + r.Err.Error(), "commit again"}
	case errors.Is(r.Err, precommit.ErrMerge):
		return []string{
			"not repaired: " + r.Err.Error(),
			"put the other side's key into the environment (DOTENV_PRIVATE_KEY…), " + c.commandLine("repair "+name) + ", git add " + name + " && git commit",
			"or git merge --abort",
		}
	case r.Err != nil:
		return append([]string{"not repaired: " + r.Err.Error()}, c.stepsByHand(ctx, f)...)
	}
	look := "git diff --cached " + name
	if !r.Index {
		look = "git diff " + name
	}
	steps := []string{
		"encrypted for the vault's key now, " + r.Where() + "; the old version: " + c.underCwd(r.Backup),
		"review: " + look,
	}
	restored := r.Action == drift.Restored
	if restored {
		steps = []string{"no local key decrypts this version: HEAD's is restored " + r.Where() + "; yours is kept as " + c.underCwd(r.Backup)}
	}
	if !r.Tree {
		steps = append(steps, "the working tree's file is as it was; if it drifted too: "+c.commandLine("repair "+name))
	}
	if restored {
		steps = append(steps, "1. "+c.keyLine(f.Target, file), "2. make the edit again, "+c.commandLine("encrypt "+name)+" && git add "+name)
	}
	return steps
}

// stepsByHand returns how to repair a staged file that drifted, from its last
// version that was right.
func (c *cli) stepsByHand(ctx context.Context, f *precommit.StagedFile) []string {
	file, name := f.Change.Path, c.words([]string{f.Change.Path})
	if f.Head == nil {
		return c.newFileSteps(name)
	}
	return c.fromLastRight(ctx, f.File, c.repairSteps(f.Target, file, f.Err, true))
}

// newFileSteps returns how to repair a file that drifted and has no version before.
func (c *cli) newFileSteps(name string) []string {
	return []string{
		"put the key that it was encrypted with into .env.keys, then " + c.commandLine("repair "+name),
		"or take it out of the commit: " + c.git("rm --cached "+name),
	}
}

// underCwd shortens the path of a file below the current directory.
func (c *cli) underCwd(file string) string {
	if rel, err := filepath.Rel(c.work.Cwd(), file); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return file
}

// updateLine returns what a hook prints that runs after git's work, or "" for
// nothing.
func (c *cli) updateLine(u *postcheckout.Update) string {
	var done, left, parts []string
	for _, d := range u.Done {
		what := map[postcheckout.Deed]string{
			postcheckout.BroughtKeys: "has " + strings.Join(d.Names, ", "), postcheckout.StoredKeys: "key is in the store", postcheckout.Decrypted: "decrypted", postcheckout.Refreshed: "refreshed",
		}[d.Deed]
		done = append(done, c.relPath(d.File)+" "+what)
	}
	for _, l := range u.Left {
		left = append(left, c.leftLine(l))
	}
	if len(done) > 0 {
		parts = append(parts, report.JoinFirst(done))
	}
	if len(left) > 0 {
		parts = append(parts, "not done: "+report.JoinFirst(left))
	}
	var wrong []string
	for _, f := range u.Wrong {
		wrong = append(wrong, c.relPath(f.File)+": "+f.Err.Error())
	}
	if len(wrong) > 0 {
		parts = append(parts, "HEAD is wrong: "+report.JoinFirst(wrong)+" ("+c.commandLine("verify --rev HEAD")+" tells more)")
	}
	return strings.Join(parts, "; ")
}

func (c *cli) leftLine(l postcheckout.Left) string {
	switch {
	case errors.Is(l.Err, postcheckout.ErrBusy):
		return "decrypting, while git is at work: " + c.commandLine("pull")
	case errors.Is(l.Err, postcheckout.ErrEdited), errors.Is(l.Err, postcheckout.ErrStashed):
		return c.relPath(l.File) + " (" + l.Err.Error() + ")"
	}
	text := l.Err.Error()
	if !strings.HasPrefix(text, l.File) { // as in an error of the file system
		text = c.relPath(l.File) + ": " + text
	}
	if hints := c.advice(l.Err); len(hints) > 0 {
		text += " (" + hints[0] + ")"
	}
	return text
}
