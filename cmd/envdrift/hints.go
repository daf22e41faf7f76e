package main

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/age"
)

// statusFor returns the status of a failed check, for the first column of a
// report.
func statusFor(err error) report.Status {
	switch {
	case drift.IsDrift(err), errors.As(err, new(*verify.NewKeyError)):
		return report.Drift
	case errors.As(err, new(*drift.PlaintextError)), errors.As(err, new(*dotenv.FormError)), errors.As(err, new(*drift.UnparsedError)), errors.As(err, new(*verify.UnmappedPlaintextError)):
		return report.Plaintext
	case errors.As(err, new(*dotenv.ConflictError)), errors.Is(err, verify.ErrConflict):
		return report.Conflict
	case errors.As(err, new(*verify.KeysError)), errors.As(err, new(*verify.LooseError)), errors.As(err, new(*verify.MessageError)), errors.Is(err, mapping.ErrKeysFile):
		return report.PrivateKey
	case errors.Is(err, age.ErrRecipients):
		return report.Problem
	}
	return report.NotChecked
}

// fromLastRight makes the steps of drift begin with the last committed version that is
// right, which HEAD's is not where drift was committed.
func (c *cli) fromLastRight(ctx context.Context, f *verify.File, steps []string) []string {
	repo, err := c.work.Git(ctx)
	if err != nil || repo == nil {
		return steps
	}
	switch last := f.LastRight(ctx, repo); last {
	case "HEAD": // as the steps have it
	case "":
		if shallow, err := repo.ShallowCommits(); err != nil || len(shallow) > 0 {
			steps[0] = "1. " + c.git("fetch --unshallow") + "   and the same command again: the version to go back to is not in this clone"
			break
		}
		steps[0] = "1. no committed version decrypts with the vault's key: see whether it is the right one"
	default:
		steps[0] = strings.Replace(strings.Replace(steps[0], "--source=HEAD ", "", 1), " restore ", " restore --source="+quote(last)+" ", 1)
	}
	return steps
}

// repairSteps returns the commands that repair what a check found, as they can
// be typed in the current directory. staged says that the index is concerned
// too.
func (c *cli) repairSteps(t mapping.Target, file string, err error, staged bool) []string {
	name := c.words([]string{file})
	switch statusFor(err) {
	case report.Drift:
		return c.driftRepair(t, file, staged)
	case report.Plaintext:
		return c.plaintextRepair(file, err, staged)
	case report.Conflict:
		return []string{c.commandLine("resolve "+name+" --ours") + " (or --theirs)   or edit the file, then " + c.git("add "+name)}
	case report.PrivateKey:
		return c.privateKeyRepair(file, err)
	}
	if staged && errors.Is(err, dotenv.ErrUTF16) {
		return []string{c.commandLine("encrypt --convert "+name) + " && " + c.git("add "+name)}
	}
	if e, ok := errors.AsType[*vault.Error](err); staged && ok && errors.Is(e, age.ErrRecipients) {
		file, recipients := c.work.VaultFiles(context.Background(), t)
		dir := strings.TrimSuffix(file, "/"+e.Name+".age")
		return []string{e.Remedy + " && git add " + quote(c.relPath(dir)) + " " + quote(c.relPath(recipients))}
	}
	if e, ok := errors.AsType[*verify.UnstagedVaultError](err); ok {
		if e.Ignored {
			return []string{c.git("add -f "+c.words([]string{e.File})) + "   and except it from .gitignore: " + quote("!/"+path.Dir(e.File)+"/")}
		}
		return []string{c.git("add " + c.words([]string{e.File}))}
	}
	return nil
}

func (c *cli) driftRepair(t mapping.Target, file string, staged bool) []string {
	name := c.words([]string{file})
	restore, encrypt := c.git("restore "+name), "encrypt "+name
	if staged {
		restore = c.git("restore --source=HEAD --staged --worktree " + name)
		encrypt += " && " + c.git("add "+name)
	}
	steps := []string{
		"1. " + restore + "   (copy your edit first, if there is one)",
		"2. " + c.keyLine(t, file),
		"3. " + c.commandLine(encrypt) + "   (after making the edit again)",
	}
	if t.Mapping.SecretName != "" {
		steps = append(steps, "or, if the vault's key is wrong: "+c.oldSecretLine(t))
	}
	return steps
}

func (c *cli) plaintextRepair(file string, err error, staged bool) []string {
	name := c.words([]string{file})
	if errors.As(err, new(*verify.UnmappedPlaintextError)) {
		return []string{
			c.commandLine("add "+name) + " && " + c.git("add "+name) + "   maps and encrypts it",
			"or keep it out of git: " + c.git("rm --cached "+name) + " && echo " + quote(workspace.IgnoreLine(file)) + " >> " + c.fromShell(".gitignore"),
			`or, if it holds no secret: on_plaintext = "warn" in [hooks], committed before it`,
		}
	}
	line := c.commandLine("encrypt " + name)
	if staged {
		line += " && " + c.git("add "+name)
	}
	if errors.As(err, new(*dotenv.FormError)) || errors.As(err, new(*drift.UnparsedError)) {
		line += "   after editing the file"
	}
	return []string{line}
}

func (c *cli) privateKeyRepair(file string, err error) []string {
	if errors.As(err, new(*verify.MessageError)) {
		return []string{"git commit --amend, or for a tag: git tag -a -f   and a message without it"}
	}
	if e, ok := errors.AsType[*verify.LooseError](err); ok {
		return []string{"git update-ref -d " + quote(e.Ref) + "   deletes the ref, if it is here by that name"}
	}
	return []string{c.git("rm --cached "+c.words([]string{file})) + "   and see that .gitignore names it; a key that was ever pushed must be replaced"}
}
