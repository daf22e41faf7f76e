// Package edit shows and changes single values of an env file. No decrypted copy of
// the file is written: a new value is encrypted for the public key that the file
// declares, and every other byte stays.
package edit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
)

// Target returns the env file that a command works on: the named one, which need
// not exist yet if a mapping names it; else the one that exec would read, in the
// named environment if there is one. If there are several, the error is a
// [*SeveralError].
func Target(w *workspace.Workspace, file, environment string) (mapping.Target, error) {
	o := environ.Options{Env: environment}
	if file != "" {
		o.Files = []string{file}
		if inside, err := w.Inside(file); err != nil {
			return mapping.Target{}, err
		} else if t, mapped := w.Target(inside); mapped && errors.Is(t.Err, fs.ErrNotExist) {
			t.Doc, t.Err = dotenv.Parse(nil), nil
			return t, nil
		}
	}
	targets, err := o.Targets(w)
	if err != nil {
		return mapping.Target{}, err
	}
	if len(targets) > 1 {
		e := &SeveralError{}
		for _, t := range targets {
			e.Files = append(e.Files, w.RelPath(t.File))
		}
		return mapping.Target{}, e
	}
	return targets[0], nil
}

// A SeveralError reports that it is not clear which env file is meant.
type SeveralError struct{ Files []string }

func (e *SeveralError) Error() string {
	return "there are several env files here: " + strings.Join(e.Files, ", ")
}

// A HeaderError reports a name that is not a variable's: envdrift keeps the public
// key under it.
type HeaderError struct{ Name string }

func (e *HeaderError) Error() string {
	return e.Name + " is the name of a key, not of a variable"
}

func checkName(name string) error {
	if strings.HasPrefix(name, dotenv.PublicPrefix) || strings.HasPrefix(name, dotenv.PrivatePrefix) {
		return &HeaderError{name}
	}
	return nil
}

// decryptedNote is that of a change to a file whose values are plaintext.
const decryptedNote = "the file is decrypted, and so is the new value"

// Set plans to give name a value. It is encrypted for the public key that the file
// declares or, if it declares none, for that of [keyring.Ring.ForEncryption]. In a
// file whose values are all plaintext it is plaintext too. A value that a local key
// shows to be the same keeps its ciphertext.
func Set(ctx context.Context, w *workspace.Workspace, t mapping.Target, name string, value secret.Value) (drift.Change, error) {
	ch := drift.Change{Mapping: t.Mapping, File: t.File, Names: []string{name}, Old: t.Doc.Bytes(), Write: true}
	if len(ch.Old) == 0 {
		ch.Old = nil
	}
	if err := errors.Join(checkName(name), t.Doc.Check()); err != nil {
		return ch, err
	}
	before, known := t.Doc.Get(name)
	if ch.Action = drift.Set; !known {
		ch.AddNote("new")
	}
	var doc *dotenv.Document
	var err error
	switch {
	case t.Doc.StaysPlain(name):
		ch.AddNote("in plaintext, as the configuration says")
		doc, err = t.Doc.Set(name, value.Reveal())
	case t.Doc.State() == dotenv.Plain:
		ch.AddNote(decryptedNote)
		doc, err = t.Doc.Set(name, value.Reveal())
	default:
		var pair keyring.Pair
		if pair, err = pairOf(ctx, w, t); err != nil {
			return ch, err
		}
		if known && before.Encrypted() {
			if r := pair.Keys.DecryptAll([]string{before.Value})[0]; r.Err == nil && r.Plaintext.Equal(value) {
				ch.Action, ch.Write = drift.Unchanged, false
				return ch, nil
			}
		}
		doc, err = t.Doc.SetSecret(name, value, pair.Public, dotenv.EncryptOptions{Header: pair.Header, File: t.File})
	}
	if err != nil {
		return ch, err
	}
	ch.New = doc.EndLine().Bytes()
	return ch, nil
}

// pairOf returns the key pair that a target's values are encrypted for.
func pairOf(ctx context.Context, w *workspace.Workspace, t mapping.Target) (keyring.Pair, error) {
	q := keyring.Request{Target: t}
	var err error
	if !q.Mapped() {
		if err := w.RuledElsewhere(t.File); err != nil {
			return keyring.Pair{}, err
		}
	}
	if headers, _ := t.Doc.PublicKeys(); len(headers) == 0 { // else HEAD's version does not matter
		if q.Head, err = w.Previous(ctx, t.File); err != nil {
			return keyring.Pair{}, err
		}
	}
	key := w.EncryptionKeys(ctx, []keyring.Request{q}, false)[0]
	return key.Pair, key.Err
}

// A NoNameError reports a name that a file does not assign.
type NoNameError struct{ File, Name string }

func (e *NoNameError) Error() string { return fmt.Sprintf("%s does not set %s", e.File, e.Name) }

// Unset plans to remove name from the file. It needs no key.
func Unset(w *workspace.Workspace, t mapping.Target, name string) (drift.Change, error) {
	ch := drift.Change{Mapping: t.Mapping, File: t.File, Action: drift.Unset, Names: []string{name}, Old: t.Doc.Bytes(), Write: true}
	if err := checkName(name); err != nil {
		return ch, err
	}
	doc, lines, err := t.Doc.Unset(name)
	if err == nil && lines == 0 {
		err = &NoNameError{w.RelPath(t.File), name}
	}
	if err != nil {
		return ch, err
	}
	ch.New = doc.Bytes()
	return ch, nil
}

// Get returns the value of name as exec would pass it to a program, expansions done.
func Get(ctx context.Context, w *workspace.Workspace, t mapping.Target, name string, p keyring.Policy) (secret.Value, error) {
	if _, ok := t.Doc.Get(name); !ok || checkName(name) != nil {
		return secret.Value{}, &NoNameError{w.RelPath(t.File), name}
	}
	env, err := environ.Build(ctx, w, environ.Options{Files: []string{w.Absolute(w.RelPath(t.File))}, Keys: p, Override: true, Allow: []string{name}})
	if err != nil {
		return secret.Value{}, err
	}
	for _, v := range env.Given {
		if v.Name == name {
			return v.Value, nil
		}
	}
	return secret.Value{}, &NoNameError{w.RelPath(t.File), name}
}

// A Variable is a name in an env file and how its value is kept.
type Variable struct {
	Name  string `json:"name"`
	State string `json:"state"` // "encrypted", "plaintext" or "empty"
	Line  int    `json:"line"`
}

// List returns the variables of a file in its order, each once, without any key.
// The line is that of the last assignment, the one that counts.
func List(doc *dotenv.Document) []Variable {
	var list []Variable
	at := map[string]int{}
	for _, e := range doc.Entries() {
		if checkName(e.Name) != nil {
			continue
		}
		v := Variable{Name: e.Name, State: "plaintext", Line: e.Line}
		switch {
		case e.Encrypted():
			v.State = "encrypted"
		case e.Value == "":
			v.State = "empty"
		}
		if i, again := at[e.Name]; again {
			list[i] = v
			continue
		}
		at[e.Name] = len(list)
		list = append(list, v)
	}
	return list
}
