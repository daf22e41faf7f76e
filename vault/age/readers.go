package age

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A Change is what became of the readers of a vault.
type Change struct {
	Added, Removed, Relabeled []Reader

	Secrets []string // re-encrypted
	Read    []string // that those who were removed could read

	leaves bool // the user is removed, and cannot read what was written
}

// Notes says who was added, removed and relabeled.
func (c Change) Notes() (notes []string) {
	for _, group := range []struct {
		verb    string
		readers []Reader
	}{{"added ", c.Added}, {"removed ", c.Removed}, {"label of ", c.Relabeled}} {
		for _, r := range group.readers {
			notes = append(notes, strings.TrimSpace(group.verb+r.Key+" "+r.Label))
		}
	}
	return notes
}

// RecipientsFile returns the path of the recipients, relative to the
// configuration.
func (s *Store) RecipientsFile() string { return s.recipients }

// Name returns the name of the vault in the configuration; "" for the default one.
func (s *Store) Name() string { return s.name }

// Readers returns who can read the vault.
func (s *Store) Readers() ([]Reader, error) {
	root, err := os.OpenRoot(s.base)
	if err != nil {
		return nil, s.unreadable("list", "", err)
	}
	defer func() { _ = root.Close() }()
	_, readers, err := s.readRecipients(root)
	for i := range readers {
		readers[i].You = s.isUser(readers[i].Key)
	}
	return readers, err
}

// AddReader gives a reader access to every secret. line is a line of a
// recipients file, or the path of a file with one. Of a reader who has access
// only the label is changed, if there is one.
//
// Like the methods below it needs the clone's lock. It changes nothing unless it
// can change everything.
func (s *Store) AddReader(ctx context.Context, line, label string) (Change, error) {
	return s.change(ctx, func(root *os.Root) (Change, []byte, error) {
		line, err := fromFile(strings.TrimSpace(line))
		if err != nil {
			return Change{}, nil, s.fail("add", "", vault.ErrConfig, err.Error(), "")
		}
		r, err := parseReader(line)
		if err != nil {
			return Change{}, nil, s.fail("add", "", vault.ErrConfig, "the recipient "+err.Error(), s.command("recipient show")+"   prints one")
		}
		data, readers, err := s.loadRecipients(root)
		if err != nil {
			return Change{}, nil, err
		}
		if data == nil {
			data = []byte(recipientsHead)
		}
		old, there := find(readers, r.Key)
		if label = printable(label); there && label != "" && label != old.Label {
			return Change{Relabeled: []Reader{{Key: r.Key, Label: label}}}, withLabel(data, old, label), nil
		}
		if there {
			return Change{}, nil, nil
		}
		if label != "" {
			r.Label = label
		}
		return Change{Added: []Reader{r}}, withReader(data, line, label), nil
	})
}

// fromFile returns the line in the file that word names, or word itself if it is
// no file's name.
func fromFile(word string) (string, error) {
	if strings.HasPrefix(word, "age1") || strings.HasPrefix(word, "ssh-") || len(word) > 1000 || isPrivate(word) {
		return word, nil
	}
	info, err := os.Stat(word)
	if err != nil && strings.HasSuffix(word, ".pub") {
		return "", err
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return word, nil
	}
	data, err := os.ReadFile(word)
	return strings.TrimSpace(string(data)), err
}

// A Removal says how to remove a reader.
type Removal struct {
	Who   string // a recipient, a label, or the unique beginning of a recipient
	Leave bool   // the user themselves may go

	// Committed returns what HEAD has of a file whose path is relative to the
	// configuration, or nothing: a run that was killed may have re-encrypted the
	// working tree's already.
	Committed func(file string) ([]byte, error)
}

// RemoveReader takes a reader's access to what is written from now on. A label is
// that of a person: all recipients who have it are removed.
func (s *Store) RemoveReader(ctx context.Context, o Removal) (Change, error) {
	return s.change(ctx, func(root *os.Root) (Change, []byte, error) {
		data, readers, err := s.readRecipients(root)
		if err != nil {
			return Change{}, nil, err
		}
		c := Change{}
		if c.Removed, err = s.pick(readers, o.Who); err != nil {
			return Change{}, nil, err
		}
		rest := slices.DeleteFunc(slices.Clone(readers), func(r Reader) bool { _, gone := find(c.Removed, r.Key); return gone })
		if len(rest) == 0 {
			return Change{}, nil, s.fail("remove", "", vault.ErrConfig, "there is no other recipient: nobody could read the vault", "")
		}
		isUser := func(r Reader) bool { return s.isUser(r.Key) }
		c.leaves = slices.ContainsFunc(c.Removed, isUser) && !slices.ContainsFunc(rest, isUser)
		if c.leaves && !o.Leave {
			return Change{}, nil, s.fail("remove", "", vault.ErrConfig, "this is you: you could not read the vault any more",
				"let another recipient remove you, or: "+s.command("recipient remove "+shellWord(o.Who)+" --force"))
		}
		if c.Read, err = s.readBy(root, o.Committed, func(h *header) bool { return slices.ContainsFunc(c.Removed, h.mayRead) }); err != nil {
			return Change{}, nil, err
		}
		for _, r := range c.Removed {
			remaining, _ := parseReaders(data) // the lines of before, less some
			data = withoutReader(data, remaining, r.Key)
		}
		return c, data, nil
	})
}

// readBy returns the secrets with a file, in the working tree or in HEAD, whose header
// shows that those who are to go could read it.
func (s *Store) readBy(root *os.Root, committed func(string) ([]byte, error), could func(*header) bool) (secrets []string, err error) {
	names, err := s.names()
	if err != nil {
		return nil, s.unreadable("remove", "", err)
	}
	for _, name := range names {
		now, _ := read(root.FS(), s.Path(name)) // what cannot be read stops the re-encryption
		versions := [][]byte{now}
		if committed != nil {
			before, err := committed(s.Path(name))
			if err != nil {
				return nil, fmt.Errorf("who could read %s: %w", name, err)
			}
			versions = append(versions, before)
		}
		if slices.ContainsFunc(versions, func(data []byte) bool {
			h, err := headerOf(data)
			return err == nil && could(h)
		}) {
			secrets = append(secrets, name)
		}
	}
	return secrets, nil
}

// pick returns the readers that who means: one, or those of a label.
func (s *Store) pick(readers []Reader, who string) ([]Reader, error) {
	if line, err := parseReader(strings.TrimSpace(who)); err == nil {
		who = line.Key
	}
	var exact, like []Reader
	for _, r := range readers {
		key, _ := strings.CutPrefix(r.Key, "age1")
		prefix, _ := strings.CutPrefix(who, "age1")
		switch _, known := find(append(exact, like...), r.Key); {
		case known:
		case r.Key == who || r.Label != "" && strings.EqualFold(r.Label, who):
			exact = append(exact, r)
		case len(prefix) > 3 && strings.HasPrefix(key, prefix):
			like = append(like, r)
		}
	}
	switch {
	case len(exact) > 0:
		return exact, nil
	case len(like) == 1:
		return like, nil
	}
	problem := "no recipient has this key or label"
	if len(like) > 1 {
		problem = "several recipients begin like this"
	}
	if isPrivate(who) {
		problem = "the recipient " + errIdentity.Error()
	}
	return nil, s.fail("remove", "", vault.ErrConfig, problem, s.command("recipient list")+"   shows them")
}

// isUser reports whether the user has the identity of a recipient.
func (s *Store) isUser(key string) bool {
	identities, _ := s.identities()
	return slices.ContainsFunc(identities, func(id identity) bool { return id.recipient == key })
}

// SyncReaders re-encrypts every secret for the recipients that the file names,
// as after a merge. Conflicts of the merge are resolved: in the recipients file
// both sides' additions and removals count; of a secret either side, if both are
// the same text. committed is that of a [Removal].
func (s *Store) SyncReaders(ctx context.Context, conflict ConflictFunc, committed func(file string) ([]byte, error)) (Change, error) {
	s.conflict = conflict
	defer func() { s.conflict = nil }()
	return s.change(ctx, func(root *os.Root) (Change, []byte, error) {
		c, text, err := s.plan(root, conflict)
		if err != nil {
			return c, nil, err
		}
		readers, _ := parseReaders(text) // if that fails, so does the re-encryption
		c.Read, err = s.readBy(root, committed, func(h *header) bool {
			a := h.compare("", readers, nil)
			return a.More+len(a.Former) > 0
		})
		return c, text, err
	})
}

// plan returns the recipients file, without conflicts.
func (s *Store) plan(root *os.Root, conflict ConflictFunc) (Change, []byte, error) {
	data, _, err := s.readRecipients(root)
	if !hasMarkers(data) {
		return Change{}, data, err
	}
	c, err := conflict(s.recipients)
	if c == nil && err == nil {
		err = errNoBase
	}
	var merged []byte
	if err == nil {
		merged, err = c.merge()
	}
	if err != nil {
		return Change{}, nil, s.fail("sync", "", vault.ErrConfig, s.recipients+" "+err.Error(), s.command("recipient sync")+"   after editing it")
	}
	return difference(c.Ours, merged), merged, nil
}

// difference returns who was added to a recipients file and who was removed. Both
// texts were parsed before.
func difference(before, after []byte) (c Change) {
	was, _ := parseReaders(before)
	now, _ := parseReaders(after)
	for _, r := range now {
		if _, old := find(was, r.Key); !old {
			c.Added = append(c.Added, r)
		}
	}
	for _, r := range was {
		if _, kept := find(now, r.Key); !kept {
			c.Removed = append(c.Removed, r)
		}
	}
	return c
}

// change plans a new recipients file, re-encrypts every secret for it and writes
// it. With no text there is nothing to do; if only labels change, no secret is
// touched. Nothing is written before all is ready: the recipients go together,
// the user can decrypt every secret, and can decrypt it again afterwards, unless
// they leave.
//
// The recipients file is written last. So, if the run is killed at any moment,
// everyone whom the file names and is to stay can read every secret, and the
// same command still finds its work undone.
func (s *Store) change(ctx context.Context, plan func(*os.Root) (Change, []byte, error)) (Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	root, err := os.OpenRoot(s.base)
	if err != nil {
		return Change{}, s.unreadable("put", "", err)
	}
	defer func() { _ = root.Close() }()
	before, _ := read(root.FS(), s.recipients) // plan reports why it cannot be read
	c, text, err := plan(root)
	if err != nil || text == nil {
		return c, err
	}
	if len(c.Relabeled) == 0 {
		if c.Secrets, err = s.rewrap(ctx, root, text, c.leaves); err != nil {
			return Change{Secrets: c.Secrets}, err
		}
	}
	switch now, _ := read(root.FS(), s.recipients); {
	case !bytes.Equal(now, before):
		return c, s.fail("put", "", vault.ErrConflict, s.recipients+" was edited meanwhile, and stays as it is", s.command("recipient sync"))
	case bytes.Equal(now, text):
		return c, nil
	}
	if err := root.MkdirAll(path.Dir(s.recipients), 0o755); err != nil {
		return c, s.unwritable("", err)
	}
	if err := atomicfile.Write(root, s.recipients, text, 0o644, false); err != nil {
		return c, s.unwritable("", err)
	}
	return c, nil
}

// rewrap re-encrypts every secret for the readers of a recipients file, and
// returns their names. A user who leaves need not read what a run that was killed
// has re-encrypted.
func (s *Store) rewrap(ctx context.Context, root *os.Root, recipients []byte, leaves bool) (names []string, err error) {
	readers, err := parseReaders(recipients)
	if err != nil {
		return nil, s.fail("put", "", vault.ErrConfig, s.recipients+": "+err.Error(), "")
	}
	if _, err := s.encryptTo(readers, "", secret.New("x")); err != nil {
		return nil, err // they do not go together
	}
	all, err := s.names()
	if err != nil {
		return nil, s.unreadable("put", "", err)
	}
	type file struct {
		name, base string
		data       []byte
	}
	var files []file
	var errs []error
	for _, name := range all {
		old, value, err := s.current(ctx, root, name)
		if leaves && errors.Is(err, vault.ErrDenied) && isFor(old, readers) {
			continue
		}
		f := file{name: name, base: version(old)}
		if err == nil {
			f.data, err = s.encryptTo(readers, name, value)
		}
		if err == nil && !leaves {
			_, err = s.decrypt("put", name, f.data)
		}
		files, errs = append(files, f), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return names, err
		}
		if _, err := s.replace(root, f.name, path.Join(s.dir, f.name+".age"), f.data, f.base); err != nil {
			return names, err
		}
		names = append(names, f.name)
	}
	return names, nil
}

// current returns a secret's file and its value. In a conflict that is the value
// of both sides.
func (s *Store) current(ctx context.Context, root *os.Root, name string) (data []byte, value secret.Value, err error) {
	file, err := s.admit(ctx, "get", name)
	if err != nil {
		return nil, value, err
	}
	if data, err = read(root.FS(), file); err != nil {
		return nil, value, s.unreadable("get", name, err)
	}
	c, err := s.conflictOf(file, data)
	if err != nil {
		return nil, value, s.unreadable("get", name, err)
	}
	if c == nil {
		value, err = s.decrypt("get", name, data)
		return data, value, err
	}
	value, err = s.agreed(name, *c)
	return data, value, err
}

// conflictOf returns both sides of a file in conflict, or nil.
func (s *Store) conflictOf(file string, data []byte) (*Conflict, error) {
	if s.conflict == nil {
		return nil, nil
	}
	c, err := s.conflict(file)
	marked := hasMarkers(data)
	switch {
	case err != nil:
		return nil, err
	case c != nil && c.Ours != nil && c.Theirs != nil && (marked || bytes.Equal(data, c.Ours)):
		return c, nil
	case marked:
		sides, _ := splitMarkers(data)
		return &sides, nil
	}
	return nil, nil // the user has resolved it, but not told git
}

// agreed returns the value of both sides of a conflict. One that the user cannot
// decrypt does not count, unless that is both.
func (s *Store) agreed(name string, c Conflict) (secret.Value, error) {
	ours, err := s.decrypt("get", name, c.Ours)
	theirs, otherErr := s.decrypt("get", name, c.Theirs)
	switch {
	case err != nil && otherErr != nil, otherErr == nil && errors.Is(err, vault.ErrMalformed), err == nil && errors.Is(otherErr, vault.ErrMalformed):
		return ours, errors.Join(err, otherErr)
	case err != nil:
		return theirs, nil
	case otherErr != nil || ours.Reveal() == theirs.Reveal():
		return ours, nil
	}
	file := shellWord(path.Join(s.dir, name+".age"))
	return ours, s.fail("sync", name, vault.ErrConflict, "both sides of the merge changed it, to different keys (ours and theirs)",
		fmt.Sprintf("git checkout --ours %[1]s (or --theirs) && git add %[1]s && %[2]s", file, s.command("recipient sync")))
}

// readRecipients returns the content of the recipients file and its readers, at
// least one.
func (s *Store) readRecipients(root *os.Root) ([]byte, []Reader, error) {
	data, readers, err := s.loadRecipients(root)
	if err != nil || len(readers) > 0 {
		return data, readers, err
	}
	problem := "there is no " + s.recipients
	if data != nil {
		problem = s.recipients + " lists no recipient"
	}
	return data, nil, s.fail("put", "", vault.ErrConfig, problem, s.command(`recipient add "$(envdrift recipient show)"`))
}

// loadRecipients is like readRecipients, but a missing file is an empty one. With
// an error there may be a content.
func (s *Store) loadRecipients(root *os.Root) ([]byte, []Reader, error) {
	data, err := read(root.FS(), s.recipients)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, s.unreadable("put", "", err)
	}
	readers, err := s.parse(data)
	return data, readers, err
}

// parse parses the content of the recipients file.
func (s *Store) parse(data []byte) ([]Reader, error) {
	if hasMarkers(data) {
		return nil, s.fail("put", "", vault.ErrConfig, s.recipients+" has a merge conflict", s.command("recipient sync"))
	}
	readers, err := parseReaders(data)
	if err != nil {
		return nil, s.fail("put", "", vault.ErrConfig, s.recipients+": "+err.Error(),
			"edit that line of "+shellWord(s.recipients)+", then: "+s.command("recipient sync"))
	}
	return readers, nil
}

// command returns an envdrift command line for this vault.
func (s *Store) command(words string) string {
	line := "envdrift " + words
	if s.name != "" {
		line += " --vault " + shellWord(s.name)
	}
	return line
}
