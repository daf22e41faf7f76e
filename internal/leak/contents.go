package leak

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/age"
)

// A search is one run of [Search].
type search struct {
	work    *workspace.Workspace
	repo    *gitops.Repo
	history *gitops.History
	result  *Result

	head    map[string]gitops.OID  // what HEAD has, by path
	works   []*workspace.Workspace // of each configuration in the working tree
	targets []*mappedFile
	present map[string][]secret.Value
	unread  map[string]bool            // names whose present values cannot be read
	local   map[string]dotenv.FoundKey // the keys at hand, by their hex digits
	values  *valueFinder
	portion int64 // how much of a content is in memory

	mapped   map[string]bool // paths of env files and their copies, of all configurations
	evidence map[gitops.OID]*evidence
	known    map[[2]string]*Known       // by file and name
	opened   map[string]ecies.Decrypted // ciphertexts, with keys that were found
	versions []envVersion               // once they were needed
}

// Evidence is what was noticed in one content.
type evidence struct {
	keys       []dotenv.FoundKey
	recipients []string         // of age identities
	values     []string         // names of present values
	doc        *dotenv.Document // if it is one of an env file
}

// A mapped file is one of the working tree, with its keys.
type mappedFile struct {
	mapping.Target
	work *workspace.Workspace // whose configuration maps it
	keys ecies.Keys
}

// readPresent reads the present values of the mapped files, and their keys. What
// cannot be read is a gap: it is then not known what a value is now.
func (s *search) readPresent(ctx context.Context) error {
	s.present, s.unread, s.local = map[string][]secret.Value{}, map[string]bool{}, map[string]dotenv.FoundKey{}
	for _, held := range s.work.AllLocalKeys(ctx, ".env").Held {
		s.addKey(held.Name, ecies.Keys{held.Key})
	}
	for _, w := range s.works {
		for _, t := range w.All() {
			if t.Doc != nil && t.File != "" && s.target(t.File) == nil {
				s.targets = append(s.targets, &mappedFile{Target: t, work: w})
			}
		}
		s.readKeys(ctx, w)
	}
	var secrets []named
	for _, t := range s.targets {
		s.addKey(t.Names[0], t.keys)
		revealed, err := t.Doc.Reveal(t.keys)
		for _, r := range revealed {
			s.present[r.Name] = append(s.present[r.Name], r.Plaintext)
			if !t.Doc.StaysPlain(r.Name) && !strings.HasPrefix(r.Name, dotenv.PublicPrefix) {
				secrets = append(secrets, named{r.Name, r.Plaintext})
			}
		}
		if err != nil {
			for _, e := range t.Doc.Entries() {
				s.unread[e.Name] = true
			}
		}
	}
	s.values = newFinder(secrets)
	return nil
}

// target returns the mapped file of that path, or nil.
func (s *search) target(file string) *mappedFile {
	i := slices.IndexFunc(s.targets, func(t *mappedFile) bool { return t.File == file })
	if i < 0 {
		return nil
	}
	return s.targets[i]
}

// readKeys gets the keys of a configuration's files: the vault's too, unless the
// mapping has a profile that nobody asked for.
func (s *search) readKeys(ctx context.Context, w *workspace.Workspace) {
	for _, policy := range []keyring.Policy{keyring.Auto, keyring.LocalOnly} {
		var requests []keyring.Request
		var files []*mappedFile
		for _, t := range s.targets {
			if t.work == w && w.Selected(t.Mapping) == (policy == keyring.Auto) {
				requests, files = append(requests, keyring.Request{Target: t.Target}), append(files, t)
			}
		}
		for i, a := range w.Keys(ctx, requests, policy) {
			files[i].keys = a.Keys
			if a.Err != nil && policy == keyring.Auto {
				s.result.Gaps = append(s.result.Gaps, Gap{files[i].File, a.Err})
			}
		}
	}
}

func (s *search) addKey(name string, keys ecies.Keys) {
	for _, key := range keys {
		hex := strings.ToLower(ecies.Keys{key}.Reveal())
		if _, known := s.local[hex]; !known {
			s.local[hex] = dotenv.FoundKey{Name: name, Keys: ecies.Keys{key}}
		}
	}
}

// openConfigs opens the configurations that HEAD has, as they are in the working
// tree: a repository may have several.
func (s *search) openConfigs(ctx context.Context) (err error) {
	s.works = []*workspace.Workspace{s.work}
	if s.head, err = s.readHead(ctx); err != nil {
		return err
	}
	for _, file := range slices.Sorted(maps.Keys(s.head)) {
		if !slices.Contains(config.FileNames[:], path.Base(file)) || s.work.Config.File == s.work.Absolute(filepath.Join(s.work.Top, filepath.FromSlash(file))) {
			continue
		}
		text, err := atomicfile.ReadFile(s.work.Files(), file)
		if err != nil {
			continue // it was removed
		}
		switch w, err := s.work.Ruled(s.work.Files(), file, text); {
		case err == nil:
			s.works = append(s.works, w)
		case !errors.Is(err, config.ErrNoConfig):
			s.result.Gaps = append(s.result.Gaps, Gap{file, err})
		}
	}
	return nil
}

// readHead returns the contents of HEAD by path; none where there is no commit.
func (s *search) readHead(ctx context.Context) (map[string]gitops.OID, error) {
	head := map[string]gitops.OID{}
	files, err := s.repo.TreeFiles(ctx, "HEAD")
	if errors.As(err, new(*gitops.RevisionError)) {
		return head, nil // a branch without a commit
	}
	for _, f := range files {
		head[f.Path] = f.OID
	}
	return head, err
}

// learnFiles learns the paths of env files from every configuration that ever was.
func (s *search) learnFiles(ctx context.Context) error {
	s.mapped = map[string]bool{}
	for _, t := range s.targets {
		s.mapped[t.File] = true
	}
	learn := func(w *workspace.Workspace) {
		for _, m := range w.Config.Mappings {
			for _, file := range []string{m.EnvFile, m.ActivateTo} {
				if file != "" {
					s.mapped[path.Join(w.Base, m.Folder, file)] = true
				}
			}
		}
	}
	for _, w := range s.works {
		learn(w)
	}
	seen := map[string]bool{}
	var files, names []string
	for _, v := range s.history.Versions {
		if id := v.Path + " " + string(v.OID); slices.Contains(config.FileNames[:], path.Base(v.Path)) && v.Mode.IsFile() && !seen[id] {
			seen[id] = true
			files, names = append(files, v.Path), append(names, string(v.OID))
		}
	}
	texts, err := s.repo.Objects(ctx, names, workspace.MaxFile)
	for i, text := range texts {
		if w, err := s.work.Ruled(nil, files[i], text); err == nil { // one that does not parse maps nothing
			learn(w)
		}
	}
	return err
}

// isEnv reports whether a path is that of an env file.
func (s *search) isEnv(file string) bool {
	return s.mapped[file] || config.MayHoldPlaintext(path.Base(file)) || config.IsEnvFileName(path.Base(file))
}

// countsPlaintext reports whether plaintext is not to be in the file.
func (s *search) countsPlaintext(file string) bool {
	return s.mapped[file] || config.MayHoldPlaintext(path.Base(file)) && s.work.Config.Hooks.OnPlaintext == config.Block
}

// readContents looks at every content of the history once, and at the messages of
// its commits and tags.
func (s *search) readContents(ctx context.Context) error {
	for _, oid := range slices.Concat(s.history.Order, s.history.Tags) {
		s.history.Versions = append(s.history.Versions, gitops.Version{Commit: oid, Path: Message, OID: oid})
	}
	var oids []gitops.OID
	place := map[gitops.OID]int{}
	isEnv := map[gitops.OID]bool{}
	for _, v := range s.history.Versions {
		if _, known := place[v.OID]; !known {
			place[v.OID] = len(oids)
			oids = append(oids, v.OID)
		}
		if v.Mode.IsFile() && s.isEnv(v.Path) {
			isEnv[v.OID] = true
		}
	}
	missing := &MissingError{}
	var buffer bytes.Buffer
	err := s.repo.Read(ctx, oids, func(i int, content io.Reader, size int64) error {
		if content == nil {
			missing.Contents++
			return nil
		}
		found := evidence{}
		// A large content is looked at by portions, which overlap.
		const overlap = 4 << 10
		for buffer.Reset(); ; buffer.Next(max(0, buffer.Len()-overlap)) {
			n, err := io.CopyN(&buffer, content, s.portion)
			if err != nil && err != io.EOF {
				return err
			}
			s.look(&found, buffer.Bytes())
			if err == io.EOF || n == 0 {
				break
			}
		}
		if isEnv[oids[i]] && size < s.portion {
			found.doc = dotenv.Parse(buffer.Bytes())
		}
		if found.doc != nil || len(found.keys)+len(found.recipients)+len(found.values) > 0 {
			s.evidence[oids[i]] = &found
		}
		return nil
	})
	s.result.Contents = len(oids) - len(s.history.Order) - len(s.history.Tags) - missing.Contents
	if missing.Contents > 0 && err == nil {
		missing.Partial, err = s.repo.IsPartial(ctx)
		s.result.Gaps = append(s.result.Gaps, Gap{Err: missing})
	}
	return err
}

// look notices keys and values in a part of a content.
func (s *search) look(found *evidence, data []byte) {
	if dotenv.HoldsPrivateKey(data) {
		found.keys = append(found.keys, dotenv.PrivateKeys(data)...)
		found.recipients = append(found.recipients, age.RecipientsOf(data)...)
	}
	if len(s.local) > 0 {
		for _, hex := range dotenv.HexKeys(data) {
			if key, ok := s.local[hex]; ok && !slices.ContainsFunc(found.keys, func(k dotenv.FoundKey) bool { return k.Keys.Find(key.Keys[0].PublicKey()) != nil }) {
				found.keys = append(found.keys, key)
			}
		}
	}
	found.values = s.values.find(found.values, data)
}
