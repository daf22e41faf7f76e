// Package gcp keeps secrets in Google Cloud Secret Manager. Credentials are the
// Application Default Credentials, which gcloud, CI systems and Google's own
// machines provide. The project is the configured one, else that of the
// environment, else that of the credentials.
//
// # Names
//
// A name is the id of a secret, myapp-key, or its full resource name,
// projects/my-project/secrets/myapp-key. The project in it must be the store's
// own, because another one would need to be trusted too; its number means the
// same project. A name ends with /versions/3, or with ?version=3 for short, to
// pin a version or an alias of one.
package gcp

import (
	"context"
	"fmt"
	"hash/crc32"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// maxSize is the largest payload that Secret Manager accepts, in bytes.
const maxSize = 64 << 10

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 1 << 20

// A Store is the secrets of one project. It signs in with the first request.
type Store struct {
	link *link
	put  sync.Map // from a secret's id to the number of the version that Put added
}

var _ vault.Store = (*Store)(nil)

// Open returns the store that cfg describes. It sends nothing and reads no
// credentials. Missing ones show with the first Get. So does a missing project,
// which may come from the credentials. Errors wrap [vault.ErrConfig].
func Open(_ context.Context, cfg vault.Config) (*Store, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	l, err := newLink(cfg)
	s := &Store{link: l}
	if err != nil {
		return nil, s.fail("open", "", err)
	}
	return s, nil
}

// String names the project, as in "GCP Secret Manager, project my-project".
func (s *Store) String() string {
	text := "GCP Secret Manager"
	if project := s.link.knownProject(); project != "" {
		text += ", project " + project
	}
	if s.link.endpoint != "" {
		text += ", at " + s.link.endpoint
	}
	return text
}

// Get returns the text under name and the number of its version. After a Put, that
// is not an older one than it has added: the answer about the newest version may
// be minutes old.
func (s *Store) Get(ctx context.Context, name string) (vault.Secret, error) {
	r, err := parse(name)
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	found, err := s.read(ctx, r)
	if added, ok := s.put.Load(r.secret); ok && r.version == "" && (err == nil || status.Code(err) == codes.NotFound) && number(found.Version) < added.(int) {
		r.version = strconv.Itoa(added.(int))
		if newer, newerErr := s.read(ctx, r); newerErr == nil {
			found, err = newer, nil
		}
	}
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	found.Name = name
	return found, nil
}

// Put adds a version to the secret under name. If there is no such secret, it
// creates one with automatic replication. It reports ErrConflict if the newest
// version is not base. Secret Manager cannot compare while it writes; see
// [vault.Append].
func (s *Store) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	r, err := parse(name)
	switch {
	case err != nil:
	case r.version != "":
		err = vault.NewProblem(vault.ErrName, "a pinned version cannot be written", "")
	case value.IsEmpty():
		err = vault.NewProblem(vault.ErrMalformed, "the text to store is empty", "")
	case len(value.Reveal()) > maxSize:
		err = vault.NewProblem(vault.ErrMalformed, fmt.Sprintf("the text to store is longer than %d bytes", maxSize), "")
	}
	if err != nil {
		return "", s.fail("put", name, err)
	}
	version, err := vault.Append(ctx, &versionLog{s: s, r: r, name: name, base: base, sent: []secret.Value{value}}, value, base)
	if err == nil {
		s.put.Store(r.secret, number(version))
	}
	return version, err
}

// seen returns the version that the caller of Put saw in a Get of r: none if
// Get returns no text.
func (s *Store) seen(ctx context.Context, r ref) (vault.Secret, error) {
	found, err := s.read(ctx, r)
	switch {
	case err == nil:
		return found, nil
	case status.Code(err) == codes.NotFound, status.Code(err) == codes.FailedPrecondition:
		if !r.byNumber(s.link.knownProject()) {
			return vault.Secret{}, nil
		}
		return vault.Secret{}, vault.NewProblem(vault.ErrName, fmt.Sprintf("nothing there tells whether %s is the number of project %s", r.project, s.link.knownProject()),
			"use the secret's id alone: "+r.secret)
	case holdsNoText(err):
		return vault.Secret{}, nil
	}
	return vault.Secret{}, err
}

// read returns the version that r identifies, without a name.
func (s *Store) read(ctx context.Context, r ref) (vault.Secret, error) {
	var answer *secretmanagerpb.AccessSecretVersionResponse
	project, err := s.link.do(ctx, r, func(ctx context.Context, c *secretmanager.Client, project string, o gax.CallOption) (err error) {
		answer, err = c.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: r.versionName(project)}, o)
		return err
	})
	if err != nil {
		return vault.Secret{}, err
	}
	inProject, version := splitName(answer.GetName())
	if r.byNumber(project) && inProject != r.project {
		return vault.Secret{}, notOurs(r.project, project)
	}
	text, err := payloadText(answer.GetPayload())
	return vault.Secret{Value: text, Version: version}, err
}

func payloadText(p *secretmanagerpb.SecretPayload) (secret.Value, error) {
	data := p.GetData()
	switch {
	case p != nil && p.DataCrc32C != nil && p.GetDataCrc32C() != checksum(data):
		return secret.Value{}, vault.NewProblem(vault.ErrUnavailable, "the text arrived damaged: its checksum differs", "")
	case len(data) == 0:
		return secret.Value{}, vault.NewProblem(vault.ErrMalformed, "the version is empty", "")
	case !utf8.Valid(data):
		return secret.Value{}, vault.NewProblem(vault.ErrMalformed, "the version holds binary data, not text", "")
	}
	return secret.New(string(data)), nil
}

func checksum(data []byte) int64 {
	return int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

// add stores value as the newest version of r.
func (s *Store) add(ctx context.Context, r ref, value secret.Value) (version string, err error) {
	data := []byte(value.Reveal())
	sum := checksum(data)
	_, err = s.link.do(ctx, r, func(ctx context.Context, c *secretmanager.Client, project string, o gax.CallOption) error {
		answer, err := c.AddSecretVersion(ctx, &secretmanagerpb.AddSecretVersionRequest{
			Parent:  r.secretName(project),
			Payload: &secretmanagerpb.SecretPayload{Data: data, DataCrc32C: &sum},
		}, o)
		_, version = splitName(answer.GetName())
		return err
	})
	return version, err
}

// create creates the secret of r, without a version.
func (s *Store) create(ctx context.Context, r ref) error {
	_, err := s.link.do(ctx, r, func(ctx context.Context, c *secretmanager.Client, project string, o gax.CallOption) error {
		_, err := c.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{
			Parent:   "projects/" + project,
			SecretId: r.secret,
			Secret: &secretmanagerpb.Secret{Replication: &secretmanagerpb.Replication{
				Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}},
			}},
		}, o)
		return err
	})
	return err
}

// A patience waits for a server that has too many requests, as long as that ends
// before the request's time does. The caller retries everything else.
type patience struct {
	deadline time.Time
	waiting  func()
}

// Retry implements [gax.Retryer].
func (p *patience) Retry(err error) (time.Duration, bool) {
	asked := retryAfter(err)
	if asked < 0 && status.Code(err) != codes.ResourceExhausted {
		return 0, false
	}
	pause := vaulthttp.Pause(asked)
	if !vaulthttp.Fits(pause, p.deadline) {
		return 0, false
	}
	p.waiting()
	return pause, true
}
