package leak

import (
	"bytes"
	"context"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
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

	targets []mapping.Target // those that have a file
	answers []keyring.Answer // the keys of targets
	present map[string][]secret.Value
	unread  map[string]bool            // names whose present values cannot be read
	local   map[string]dotenv.FoundKey // the keys at hand, by their hex digits
	values  *finder
	portion int64 // how much of a content is in memory

	mapped   map[string]bool // paths of env files and their copies, of all configurations
	evidence map[gitops.OID]*evidence
	known    map[[2]string]*Known // by file and name
	opened   map[string]State     // of ciphertexts, that a key which was found decrypts
	versions []envVersion         // once they were needed
}

// Evidence is what was noticed in one content.
type evidence struct {
	keys       []dotenv.FoundKey
	recipients []string         // of age identities
	values     []string         // names of present values
	doc        *dotenv.Document // if it is one of an env file
}

// readPresent reads the present values of the mapped files, and their keys. What
// cannot be read is a gap: it is then not known what a value is now.
func (s *search) readPresent(ctx context.Context) error {
	s.present, s.unread, s.local = map[string][]secret.Value{}, map[string]bool{}, map[string]dotenv.FoundKey{}
	for _, held := range s.work.AllLocalKeys(".env").Held {
		s.addKey(held.Name, keyring.Answer{Keys: ecies.Keys{held.Key}})
	}
	var requests []keyring.Request
	for _, t := range mapping.Resolve(s.work.Tree, s.work.Base, s.work.Config, s.work.Config.Mappings) {
		if t.Doc != nil && t.File != "" {
			s.targets, requests = append(s.targets, t), append(requests, keyring.Request{Target: t})
		}
	}
	s.answers = s.keysFor(ctx, requests)
	var secrets []named
	for i, t := range s.targets {
		s.addKey(t.Names[0], s.answers[i])
		if s.answers[i].Err != nil {
			s.result.Gaps = append(s.result.Gaps, Gap{t.File, s.answers[i].Err})
		}
		revealed, err := t.Doc.Reveal(s.answers[i].Keys)
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

// keysFor returns the keys of the mapped files: the vault's too, unless the mapping
// has a profile that nobody asked for.
func (s *search) keysFor(ctx context.Context, requests []keyring.Request) []keyring.Answer {
	answers := make([]keyring.Answer, len(requests))
	for _, policy := range []keyring.Policy{keyring.Auto, keyring.LocalOnly} {
		var asked []keyring.Request
		var places []int
		for i, q := range requests {
			if s.work.Selected(q.Mapping) == (policy == keyring.Auto) {
				asked, places = append(asked, q), append(places, i)
			}
		}
		for n, a := range s.work.Keys(ctx, asked, policy) {
			if policy == keyring.LocalOnly {
				a.Err = nil
			}
			answers[places[n]] = a
		}
	}
	return answers
}

func (s *search) addKey(name string, a keyring.Answer) {
	for _, key := range a.Keys {
		hex := strings.ToLower(ecies.Keys{key}.Reveal())
		if _, known := s.local[hex]; !known {
			s.local[hex] = dotenv.FoundKey{Name: name, Keys: ecies.Keys{key}}
		}
	}
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
	learn(s.work)
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
