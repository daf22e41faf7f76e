// Package aws keeps secrets in AWS Secrets Manager. If the configuration does
// not set credentials, region and endpoint, they come from where the AWS tools
// take them: the environment, profiles with or without SSO, web identity, and
// the role of a container or an EC2 instance.
//
// # Names
//
// A name is the secret's name or its ARN. It means the version with the label
// AWSCURRENT; myapp/key?stage=AWSPREVIOUS pins another label and
// myapp/key?version=ID a version. A name may contain an @ but no ?.
//
// # Environment
//
// [vault.Config] has the environment for what this package decides: region,
// endpoint, profile and access keys. The SDK reads everything else from the
// process's environment: the paths of the profiles (AWS_CONFIG_FILE,
// AWS_SHARED_CREDENTIALS_FILE, HOME), web identity and container credentials,
// AWS_CA_BUNDLE, AWS_EC2_METADATA_DISABLED and the like, and the proxy.
package aws

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// maxText is how many bytes Secrets Manager accepts as one secret.
const maxText = 65536

// A Store is the Secrets Manager of one region, for one identity. It signs in
// with the first request.
type Store struct {
	client   *secretsmanager.Client
	login    *login
	region   string
	endpoint string        // "" for that of AWS
	timeout  time.Duration // of one request, including sign-in if it is needed

	oneByOne atomic.Bool   // batches are not allowed here
	slots    chan struct{} // one for each request that is made instead of a batch
}

var _ vault.BatchStore = (*Store)(nil)

// Open returns the store that cfg describes. It reads the profiles and sends
// nothing: wrong credentials show with the first Get. Errors wrap
// [vault.ErrConfig], or [vault.ErrUnauthenticated] if the profile needs what
// only the user can enter.
func Open(ctx context.Context, cfg vault.Config) (*Store, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	s := &Store{timeout: cfg.Timeout, slots: make(chan struct{}, 8)}
	if s.timeout <= 0 {
		s.timeout = 10 * time.Second
	}
	if err := s.configure(ctx, cfg); err != nil {
		return nil, s.fail("open", "", err)
	}
	return s, nil
}

// String names the region, as in "AWS Secrets Manager in eu-central-1".
func (s *Store) String() string {
	switch {
	case s.region == "":
		return "AWS Secrets Manager"
	case s.endpoint != "":
		return fmt.Sprintf("AWS Secrets Manager in %s at %s", s.region, s.endpoint)
	}
	return "AWS Secrets Manager in " + s.region
}

// Get returns the text under name and the id of its version. A secret that was
// stored as binary is a text if it is valid UTF-8.
func (s *Store) Get(ctx context.Context, name string) (vault.Secret, error) {
	id, err := s.parse(name)
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	got, err := s.get(ctx, id)
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	text, err := textOf(got.SecretString, got.SecretBinary)
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	return vault.Secret{Name: name, Value: secret.New(text), Version: deref(got.VersionId)}, nil
}

func (s *Store) get(ctx context.Context, id id) (*secretsmanager.GetSecretValueOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	in := &secretsmanager.GetSecretValueInput{SecretId: &id.secret}
	switch {
	case id.version != "":
		in.VersionId = &id.version
	case id.stage != "":
		in.VersionStage = &id.stage
	default: // AWS takes no label for this one, but moto takes it for the first version
		in.VersionStage = aws.String(currentLabel)
	}
	return s.client.GetSecretValue(ctx, in)
}

// textOf returns whichever of text and binary is set.
func textOf(text *string, binary []byte) (string, error) {
	switch {
	case text != nil && *text != "":
		return *text, nil
	case len(binary) == 0:
		return "", vault.NewProblem(vault.ErrMalformed, "it holds no text", "")
	case !utf8.Valid(binary):
		return "", vault.NewProblem(vault.ErrMalformed, "it is binary", "store it again with --secret-string")
	}
	return string(binary), nil
}

// Put stores value under name: as a new secret, or as a new version of the
// existing one, whose current version must be base. PutSecretValue cannot
// compare, so Put stores the version without the label AWSCURRENT, and then
// moves the label from base to it, which AWS refuses if it is elsewhere. That
// needs the permission UpdateSecretVersionStage; to compare after writing would
// not, but shows readers for a moment, and after a crash for good, a key that
// has replaced another user's.
func (s *Store) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	id, err := s.parse(name)
	text := value.Reveal()
	switch {
	case err != nil:
	case id.pinned():
		err = vault.NewProblem(vault.ErrName, "a pinned version cannot be written", "")
	case text == "":
		err = vault.NewProblem(vault.ErrMalformed, "the text to store is empty", "")
	case len(text) > maxText:
		err = vault.NewProblem(vault.ErrMalformed, fmt.Sprintf("the text to store has %d bytes, and AWS takes %d", len(text), maxText), "")
	case !utf8.ValidString(text):
		err = vault.NewProblem(vault.ErrMalformed, "the text to store is not UTF-8", "")
	}
	var version string
	if err == nil {
		version, err = s.put(ctx, id, text, base)
	}
	if err != nil {
		return "", s.fail("put", name, err, text)
	}
	return version, nil
}

func (s *Store) put(ctx context.Context, id id, text, base string) (string, error) {
	if base == "" && !id.isARN() {
		version, err := s.create(ctx, id, text)
		if codeOf(err) != "ResourceExistsException" {
			return version, err
		}
	}
	seen, err := s.current(ctx, id)
	if err != nil {
		return "", err
	}
	if seen != base {
		return "", vault.Stale("current", seen, base)
	}
	version, err := s.add(ctx, id, text)
	if err != nil {
		return "", err
	}
	refusal := s.makeCurrent(ctx, id, version, base)
	if refusal == nil {
		return version, nil
	}
	// It may be current all the same: the first value of a secret always is, and
	// so is one for which the response was lost.
	seen, err = s.current(ctx, id)
	switch {
	case err == nil && seen == version:
		return version, nil
	case err == nil && seen != base:
		return "", vault.Stale("current", seen, base)
	}
	return "", refusal
}

// The labels of versions. The second is on the version that envdrift stored
// last, so that AWS removes older ones which never became current.
const (
	currentLabel = "AWSCURRENT"
	storedLabel  = "envdrift"
)

// add stores a version that is not current.
func (s *Store) add(ctx context.Context, id id, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	out, err := s.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id.secret, SecretString: &text, VersionStages: []string{storedLabel}})
	if err != nil {
		return "", err
	}
	return deref(out.VersionId), nil
}

// makeCurrent moves the label AWSCURRENT from base, where it must be, to version.
func (s *Store) makeCurrent(ctx context.Context, id id, version, base string) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &id.secret, VersionStage: aws.String(currentLabel), MoveToVersionId: &version}
	if base != "" {
		in.RemoveFromVersionId = &base
	}
	_, err := s.client.UpdateSecretVersionStage(ctx, in)
	return err
}

func (s *Store) create(ctx context.Context, id id, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	out, err := s.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &id.secret, SecretString: &text})
	if err != nil {
		return "", err
	}
	return deref(out.VersionId), nil
}

// current returns the id of the current version. It is "" if there is none, as
// in a secret that was made, by Terraform for instance, to be filled later.
func (s *Store) current(ctx context.Context, id id) (string, error) {
	got, err := s.get(ctx, id)
	switch {
	case codeOf(err) == "ResourceNotFoundException":
		return "", nil
	case err != nil:
		return "", err
	}
	return deref(got.VersionId), nil
}

// codeOf returns AWS's code of err; "" if err is not from AWS.
func codeOf(err error) string {
	if e := smithy.APIError(nil); errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
