package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
)

// stagedLimit bounds what is read of a staged file, in bytes. Env files and
// keys files are far smaller.
const stagedLimit = 64 << 20

// A subject is one staged file that concerns us.
type subject struct {
	change    gitops.Change
	data, old []byte // as staged, and HEAD's version; nil if there is none
	doc, head *dotenv.Document
	theirs    *dotenv.Document // what a merge brings; nil if there is none
	session   *session         // with the configuration that rules the file
	target    mapping.Target
	mapped    bool
	keys      ecies.Keys // that must decrypt it
	err       error      // what is wrong
	note      string
	odd       []string // what is strange though it decrypts
	verified  bool
	mended    *mended // what was done about drift; nil if nothing was tried
}

// collect finds the staged files that are env files or keys files, by name, by
// content, by what they were in HEAD or by what the configuration names.
// Submodules and intents to add are not part of what git lists; what is only
// deleted endangers nothing.
func (g *guard) collect(ctx context.Context) error {
	staged, err := g.repo.Staged(ctx)
	if err != nil || len(staged) == 0 {
		return err
	}
	if err := g.collectNames(ctx, staged); err != nil {
		return err
	}
	// By portions: all that a large commit holds need not fit into memory.
	for portion := range slices.Chunk(staged, 128) {
		if err := g.collectSome(ctx, portion); err != nil {
			return err
		}
	}
	for _, sub := range g.subjects {
		if sub.old == nil {
			sub.old = g.renamedFrom(sub.data)
		}
		if !g.repo.Merging() {
			continue
		}
		theirs, err := g.repo.ReadFileAt(ctx, "MERGE_HEAD", sub.change.Path, stagedLimit)
		if err == nil {
			sub.theirs = dotenv.Parse(theirs)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// collectNames learns the base names that mappings give to env files, in the
// working tree's configuration and in one that is staged.
func (g *guard) collectNames(ctx context.Context, staged []gitops.Change) error {
	g.names = map[string]bool{}
	add := func(cfg *config.Config) {
		g.keysNames = append(g.keysNames, strings.ToLower(cfg.Sync.EnvKeysFilename))
		for _, m := range cfg.Mappings {
			if m.EnvFile != "" {
				g.names[path.Base(m.EnvFile)] = true
			}
		}
	}
	add(g.cfg)
	for _, ch := range staged {
		if !ch.Mode.IsFile() || !slices.Contains(config.FileNames[:], path.Base(ch.Path)) {
			continue
		}
		blobs, err := g.repo.Blobs(ctx, []gitops.OID{ch.OID}, stagedLimit)
		if err != nil {
			return err
		}
		// One that does not parse is told of when a file needs it.
		if cfg, err := config.Parse(ch.Path, blobs[0], g.overrides); err == nil {
			add(cfg)
		}
	}
	return nil
}

// collectSome looks at some of the staged files.
func (g *guard) collectSome(ctx context.Context, staged []gitops.Change) error {
	var oids []gitops.OID
	for _, ch := range staged {
		oids = append(oids, present(ch.Mode, ch.OID)...)
		oids = append(oids, present(ch.OldMode, ch.OldOID)...)
	}
	blobs, err := g.repo.Blobs(ctx, oids, stagedLimit)
	if err != nil && !errors.As(err, new(*gitops.ObjectError)) {
		return err // else a file that is too large or missing has no data
	}
	next := func(has []gitops.OID) (data []byte) {
		if len(has) > 0 {
			data, blobs = blobs[0], blobs[1:]
		}
		return data
	}
	for _, ch := range staged {
		sub := &subject{change: ch}
		sub.data = next(present(ch.Mode, ch.OID))
		sub.old = next(present(ch.OldMode, ch.OldOID))
		switch {
		case ch.Status == gitops.Deleted:
			if holdsOurs(sub.old) {
				g.deleted = append(g.deleted, sub.old)
			}
		case g.concerns(sub):
			g.subjects = append(g.subjects, sub)
		}
	}
	return nil
}

// present gives the object of a side of a change, if that side is a file.
func present(mode gitops.Mode, oid gitops.OID) []gitops.OID {
	if !mode.IsFile() || oid.IsNull() {
		return nil
	}
	return []gitops.OID{oid}
}

func (g *guard) concerns(sub *subject) bool {
	base := path.Base(sub.change.Path)
	return config.IsEnvFileName(base) || g.isKeysName(base) || g.names[base] || holdsOurs(sub.data) || holdsOurs(sub.old)
}

// isKeysName reports whether a file is one for private keys by its name, in
// any case: on some file systems .ENV.KEYS is the same file. A sample of one is
// judged by its content.
func (g *guard) isKeysName(base string) bool {
	lower := strings.ToLower(base)
	for _, suffix := range []string{".example", ".sample", ".template"} {
		if strings.HasSuffix(lower, suffix) {
			return false
		}
	}
	return strings.Contains(lower, ".env.keys") || slices.Contains(g.keysNames, lower)
}

// holdsOurs reports whether a text may hold a ciphertext or a private key.
func holdsOurs(data []byte) bool {
	return bytes.Contains(data, []byte(ecies.Prefix)) || dotenv.IsKeysFile(data)
}

// isPointer reports whether a blob is Git LFS's stand-in for a file.
func isPointer(data []byte) bool {
	return bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/"))
}

// hasMarkers reports whether a merge was left half done in a file: dotenv would
// read over the lines, and take whichever version comes last.
func hasMarkers(data []byte) bool {
	data = append([]byte("\n"), data...)
	return bytes.Contains(data, []byte("\n<<<<<<< ")) && bytes.Contains(data, []byte("\n>>>>>>> "))
}

// renamedFrom gives the encrypted file that this commit deletes and data comes
// from: at least half of its names are there. So a file that is decrypted and
// renamed at once is seen for what it is, and one that is renamed is proven as
// what it was.
func (g *guard) renamedFrom(data []byte) (old []byte) {
	if len(g.deleted) == 0 {
		return nil
	}
	entries := dotenv.Parse(data).Entries()
	most := (len(entries) + 1) / 2
	for _, candidate := range g.deleted {
		doc, shared := dotenv.Parse(candidate), 0
		for _, e := range entries {
			if _, ok := doc.Get(e.Name); ok {
				shared++
			}
		}
		if shared > 0 && shared >= most {
			old, most = candidate, shared+1
		}
	}
	return old
}
