package main

import (
	"context"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
)

func (c *cli) addVerify(app *kingpin.Application) (string, command) {
	var files []string
	cmd := app.Command("verify", "Prove that the vault's keys decrypt every value of every mapped env file.").HelpLong(`
The check for CI: it reads and writes nothing. What could not be checked counts
as a failure.

Statuses: 0 all verified · 1 drift, plaintext, or a file that is missing ·
2 wrong usage or configuration · 3 a vault could not be used
Example:  envdrift verify --ci`)
	cmd.Arg("FILE", "Only these env files; default: those of all mappings.").StringsVar(&files)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.verify(ctx, files) }
}

func (c *cli) verify(ctx context.Context, files []string) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	if len(files) > 0 {
		return s.verifyFiles(ctx, files, "")
	}
	targets, err := s.mapped()
	if err != nil {
		return err
	}
	return s.prove(ctx, targets)
}

// prove proves the targets with the vault's keys and reports each.
func (s *session) prove(ctx context.Context, targets []drift.Target) error {
	keys := drift.FetchKeys(ctx, s.vaultOf, targets, s.workers())
	verified := 0
	for i, t := range targets {
		r := row{Status: "verified", File: t.File, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), Vault: keys[i].Vault}
		switch {
		case t.Err != nil:
			r.Status, r.err = "not checked", t.Err
		case keys[i].Err != nil:
			r.Status, r.err = "not checked", keys[i].Err
		default:
			proof := drift.Prove(t.Doc, keys[i].Keys)
			if r.err = proof.Err(); r.err != nil {
				r.Status = problem(r.err)
				r.Hints = s.repairSteps(t, t.File, r.err, false)
			} else {
				verified++
				r.Note = fmt.Sprintf("%d values", proof.Values)
			}
		}
		if r.File == "" {
			r.File = t.Mapping.Folder
		}
		s.add(r)
	}
	s.sum = fmt.Sprintf("%d of %d verified", verified, len(targets))
	return nil
}
