package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/vault"
)

func (c *cli) addStatus(app *kingpin.Application) (string, command) {
	offline := false
	cmd := app.Command("status", "Show the state of each mapping (file, key, vault) and of the hooks.").HelpLong(`
Statuses: 0 no problem · 1 a problem · 2 wrong usage or configuration ·
3 a vault could not be used
Example:  envdrift status --offline`)
	cmd.Flag("offline", "Ask no vault.").BoolVar(&offline)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.status(ctx, offline) }
}

// A mappingStatus is the status of one mapping.
type mappingStatus struct {
	File        string `json:"file"`
	Secret      string `json:"secret"`
	Environment string `json:"environment"`
	State       string `json:"state"`   // absent, plaintext, encrypted, partly encrypted, empty
	Changed     string `json:"changed"` // since HEAD: "", changed, untracked
	Key         string `json:"key"`     // local, differs from the vault's, not local, ephemeral
	Vault       string `json:"vault"`   // decrypts the file, DRIFT, not asked, or why not
	err         error
}

func (c *cli) status(ctx context.Context, offline bool) error {
	if err := c.open(); err != nil {
		return err
	}
	targets, err := c.work.Mapped()
	if err != nil {
		return err
	}
	keys := make([]keyring.Answer, len(targets))
	if !offline {
		keys = c.work.Fetch(ctx, targets)
	}
	changed, err := c.changedSinceHead(ctx, targets)
	if err != nil {
		return err
	}
	list := make([]mappingStatus, len(targets))
	for i, t := range targets {
		list[i] = c.mappingStatus(t, keys[i], offline)
		list[i].Changed = changed[t.File]
	}
	c.report.OnStdout = true
	if c.json {
		c.report.Data = list
	}
	for _, m := range list {
		c.add(report.Row{
			Status: report.Status(m.State), File: m.File, Secret: m.Secret, Environment: m.Environment, Err: m.err,
			Note: strings.Join(nonEmpty(m.Changed, "key "+m.Key, "vault: "+m.Vault), "; "),
		})
	}
	return c.hooksInShort(ctx)
}

func (c *cli) mappingStatus(t mapping.Target, key keyring.Answer, offline bool) mappingStatus {
	m := mappingStatus{
		File: t.File, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(),
		State: "absent", Key: c.localKey(t, key.Keys), Vault: "not asked", err: t.Err,
	}
	if m.File == "" {
		m.File = t.Folder()
	}
	if t.Doc != nil {
		m.State = map[dotenv.State]string{
			dotenv.Empty: "empty", dotenv.Plain: "plaintext", dotenv.Encrypted: "encrypted", dotenv.Mixed: "partly encrypted",
		}[t.Doc.State()]
		if t.Doc.State() == dotenv.Empty {
			m.err = drift.ErrNoValues
		} else {
			m.err = t.Doc.CheckForm()
		}
	}
	if offline {
		return m
	}
	m.Vault = "has the key"
	switch {
	case errors.Is(key.Err, vault.ErrNotFound):
		m.Vault, m.err = "has no key", key.Err
	case key.Err != nil:
		m.Vault, m.err = "could not be used", key.Err
	case t.Doc != nil && m.err == nil:
		// Its State says that it is in plain text.
		if err := drift.Check(t.Doc, nil, key.Keys).KeyErr(); err != nil {
			m.Vault, m.err = "DRIFT", err
		}
	}
	return m
}

// localKey describes the key in the keys file. vault may be empty: not asked.
func (c *cli) localKey(t mapping.Target, vault ecies.Keys) string {
	data, err := atomicfile.ReadFile(c.work.Files(), t.KeysFile)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case t.Mapping.Ephemeral && missing:
		return "ephemeral"
	case t.Mapping.Ephemeral:
		return "ephemeral, though " + c.relPath(t.KeysFile) + " is there"
	case missing:
		return "not local"
	}
	if err != nil {
		return "unreadable"
	}
	ring := &keyring.Ring{}
	ring.File(t.KeysFile, dotenv.ParseKeysFile(data))
	held := ring.Named(t.Names[0])
	switch {
	case len(held) == 0:
		return "not local"
	case len(vault) > 0 && held.Reveal() != vault.Reveal():
		return "differs from the vault's"
	case t.Doc != nil && len(drift.UnknownKeys(t.Doc, held)) > 0:
		return "local, but not the file's"
	}
	return "local"
}

// changedSinceHead returns which files differ from HEAD's version.
func (c *cli) changedSinceHead(ctx context.Context, targets []mapping.Target) (map[string]string, error) {
	changed := map[string]string{}
	repo, err := c.work.Git(ctx)
	if repo == nil || err != nil {
		return changed, err
	}
	var files []string
	for _, t := range targets {
		if t.File != "" {
			files = append(files, t.File)
		}
	}
	tracked, err := repo.Tracked(ctx, files)
	if err != nil {
		return nil, err
	}
	if err := c.work.ReadHead(ctx, files); err != nil {
		return nil, err
	}
	for _, file := range files {
		previous, err := c.work.Previous(ctx, file)
		if err != nil {
			return nil, err
		}
		now, _ := atomicfile.ReadFile(c.work.Files(), file)
		switch {
		case !tracked[file]:
			changed[file] = "untracked"
		case previous == nil || string(previous.Bytes()) != string(now):
			changed[file] = "changed since HEAD"
		}
	}
	return changed, nil
}

// hooksInShort says in one line whether git runs envdrift's hooks.
func (c *cli) hooksInShort(ctx context.Context) error {
	repo, err := c.work.Git(ctx)
	if repo == nil || err != nil {
		return err
	}
	location, err := hooks.Locate(ctx, repo, "")
	if err != nil {
		return err
	}
	found, err := hooks.Inspect(location)
	if err != nil {
		return err
	}
	var missing []string
	for _, h := range found {
		if !h.Runs() {
			missing = append(missing, h.Name)
		}
	}
	c.report.Summary = "hooks: all run"
	if len(missing) > 0 {
		c.report.Summary = fmt.Sprintf("hooks: %s not installed (%s)", strings.Join(missing, ", "), c.commandLine("hook install"))
	}
	return nil
}

func nonEmpty(words ...string) []string {
	var list []string
	for _, w := range words {
		if w != "" {
			list = append(list, w)
		}
	}
	return list
}
