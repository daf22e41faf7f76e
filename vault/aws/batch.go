package aws

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// MaxBatch returns how many secrets AWS returns at once.
func (s *Store) MaxBatch() int { return 20 }

// GetBatch gets names in one request. Pinned versions, which a batch cannot
// contain, and names that the batch did not answer are requested one by one, a
// few at a time. So is everything if batches are not allowed.
func (s *Store) GetBatch(ctx context.Context, names []string) map[string]vault.Result {
	results := make(map[string]vault.Result, len(names))
	var together, single []string
	for _, name := range names {
		switch id, err := s.parse(name); {
		case err != nil:
			results[name] = vault.Result{Err: s.fail("get", name, err)}
		case id.pinned() || s.oneByOne.Load():
			single = append(single, name)
		default:
			together = append(together, name)
		}
	}
	if len(together) == 1 {
		single, together = append(single, together...), nil
	}
	if len(together) > 0 {
		s.getTogether(ctx, together, results)
	}
	for _, name := range together {
		if _, ok := results[name]; !ok {
			single = append(single, name)
		}
	}
	s.getOneByOne(ctx, single, results)
	return results
}

// getTogether puts into results what one request returns. If the request as a
// whole was refused, which need not hold for a single name, it puts nothing.
func (s *Store) getTogether(ctx context.Context, names []string, results map[string]vault.Result) {
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	out, err := s.client.BatchGetSecretValue(limited, &secretsmanager.BatchGetSecretValueInput{SecretIdList: names})
	if err != nil {
		s.refused(names, err, results)
		return
	}
	for _, entry := range out.SecretValues {
		if labels := entry.VersionStages; len(labels) > 0 && !slices.Contains(labels, currentLabel) {
			continue // an older version; a single request names the label
		}
		for _, name := range names {
			if name == deref(entry.Name) || name == deref(entry.ARN) {
				results[name] = s.found(name, entry)
			}
		}
	}
	for _, entry := range out.Errors {
		err := &smithy.GenericAPIError{Code: deref(entry.ErrorCode), Message: deref(entry.Message)}
		for _, name := range names {
			if name == deref(entry.SecretId) {
				results[name] = vault.Result{Err: s.fail("get", name, err)}
			}
		}
	}
}

func (s *Store) found(name string, entry types.SecretValueEntry) vault.Result {
	text, err := textOf(entry.SecretString, entry.SecretBinary)
	if err != nil {
		return vault.Result{Err: s.fail("get", name, err)}
	}
	return vault.Result{Secret: vault.Secret{Name: name, Value: secret.New(text), Version: deref(entry.VersionId)}}
}

// refused handles a batch that failed. If the service is unreachable or the
// user is not signed in, that is the result for every name. If batches are not
// permitted or not supported, they are not tried again. Any other refusal is
// about a name that only single requests can find.
func (s *Store) refused(names []string, err error, results map[string]vault.Result) {
	reason := s.fail("get", "", err)
	switch code := codeOf(err); {
	case errors.Is(reason, vault.ErrDenied), code == "UnknownOperationException":
		s.oneByOne.Store(true)
	case code == "", errors.Is(reason, vault.ErrUnavailable), errors.Is(reason, vault.ErrUnauthenticated):
		for _, name := range names {
			results[name] = vault.Result{Err: s.fail("get", name, err)}
		}
	}
}

// getOneByOne puts into results what one request for each of names returns.
func (s *Store) getOneByOne(ctx context.Context, names []string, results map[string]vault.Result) {
	answers := make([]vault.Result, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			s.slots <- struct{}{}
			defer func() { <-s.slots }()
			answers[i].Secret, answers[i].Err = s.Get(ctx, name)
		})
	}
	wg.Wait()
	for i, name := range names {
		results[name] = answers[i]
	}
}
