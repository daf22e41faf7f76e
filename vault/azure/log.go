//go:build !no_azure

package azure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A versionLog is the versions of one secret. Their ids are random and their
// times whole seconds: within a second, the order is that of the ids, whichever
// was stored first, and it is known when the second is over. Of what another tool
// stores in the same second as a Put, either may stay: that tool compares nothing.
type versionLog struct {
	s      *Store
	name   string              // as in the request
	secret string              // in the vault
	newest azsecrets.Secret    // when Newest was last called
	known  map[string]struct{} // versions that were listed; nil if that is not permitted
	sent   []string
}

var _ vault.Log = (*versionLog)(nil)

const (
	second = 1100 * time.Millisecond // until a second is over on the server too

	// A writer who withdraws a version has waited a second and makes five
	// requests.
	unsettled = 4 * time.Second
)

// Newest implements [vault.Log]. A version that is stored after the list and
// before the newest is read is reported by Added once more.
func (l *versionLog) Newest(ctx context.Context) (vault.Secret, error) {
	all, err := l.list(ctx)
	switch {
	case isDenied(err):
		l.known = nil
	case err != nil:
		return vault.Secret{}, err
	default:
		l.known = map[string]struct{}{}
		for _, p := range all {
			l.known[p.ID.Version()] = struct{}{}
		}
	}
	found, err := l.get(ctx, "")
	if isNotFound(err) {
		return vault.Secret{}, nil
	}
	if err != nil {
		return vault.Secret{}, err
	}
	l.newest = found
	return secretOf(found), nil
}

// Unsettled implements [vault.Log]. If this machine's clock is wrong, it is too
// short or too long, but never longer than for a version of this moment.
func (l *versionLog) Unsettled() time.Duration {
	if l.known == nil || l.newest.Attributes == nil || l.newest.Attributes.Created == nil {
		return 0
	}
	return min(unsettled, time.Until(l.newest.Attributes.Created.Add(unsettled)))
}

// Add implements [vault.Log], with the content type and the tags of the newest
// version.
func (l *versionLog) Add(ctx context.Context, value secret.Value) (version string, err error) {
	text := value.Reveal()
	l.sent = append(l.sent, text)
	err = l.s.do(ctx, func(ctx context.Context) error {
		stored, err := l.s.client.SetSecret(ctx, l.secret, azsecrets.SetSecretParameters{
			Value: &text, ContentType: l.newest.ContentType, Tags: l.newest.Tags,
		}, nil)
		if err == nil && stored.ID == nil {
			err = vault.NewProblem(vault.ErrUnavailable, "its answer tells no version", "")
		}
		if err == nil {
			version = stored.ID.Version()
		}
		return err
	})
	return version, err
}

// Added implements [vault.Log]. Disabled versions, which nobody can get, do not
// count.
func (l *versionLog) Added(ctx context.Context, version string) ([]vault.Secret, error) {
	if l.known == nil {
		return []vault.Secret{{Version: version}}, nil
	}
	select {
	case <-time.After(second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	all, err := l.list(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, byTime)
	var added []vault.Secret
	for _, p := range all {
		id := p.ID.Version()
		_, known := l.known[id]
		if l.known[id] = struct{}{}; known || p.Attributes.Enabled != nil && !*p.Attributes.Enabled {
			continue
		}
		found, err := l.get(ctx, id)
		if err != nil {
			return nil, err
		}
		added = append(added, secretOf(found))
		if id == version {
			return added, nil
		}
	}
	if version != "" {
		return nil, vault.NewProblem(vault.ErrUnavailable, "it does not list version "+version, "")
	}
	return added, nil
}

// PutBack implements [vault.Log]. A file keeps the text out of the list of
// processes.
func (l *versionLog) PutBack(version string) string {
	at := fmt.Sprintf("--vault-name %s --name %s --file key.tmp", l.s.shortName(), l.secret)
	return fmt.Sprintf("az keyvault secret download %s --version %s && az keyvault secret set %[1]s --output none && rm key.tmp", at, version)
}

// Fail implements [vault.Log].
func (l *versionLog) Fail(err error) *vault.Error { return l.s.fail("put", l.name, err, l.sent...) }

func (l *versionLog) get(ctx context.Context, version string) (found azsecrets.Secret, err error) {
	err = l.s.do(ctx, func(ctx context.Context) error {
		got, err := l.s.client.GetSecret(ctx, l.secret, version, nil)
		found = got.Secret
		return err
	})
	return found, err
}

// list returns the properties of all versions, in no order. Of a secret that does
// not exist there are none.
func (l *versionLog) list(ctx context.Context) (all []*azsecrets.SecretProperties, err error) {
	pages := l.s.client.NewListSecretPropertiesVersionsPager(l.secret, nil)
	for pages.More() {
		var page azsecrets.ListSecretPropertiesVersionsResponse
		err := l.s.do(ctx, func(ctx context.Context) (err error) {
			page, err = pages.NextPage(ctx)
			return err
		})
		if isNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, p := range page.Value {
			if p.ID == nil || p.Attributes == nil || p.Attributes.Created == nil {
				return nil, vault.NewProblem(vault.ErrUnavailable, "its list tells no versions", "")
			}
			all = append(all, p)
		}
	}
	return all, nil
}

func byTime(a, b *azsecrets.SecretProperties) int {
	return cmp.Or(a.Attributes.Created.Compare(*b.Attributes.Created), cmp.Compare(a.ID.Version(), b.ID.Version()))
}

func secretOf(s azsecrets.Secret) (found vault.Secret) {
	if s.ID != nil {
		found.Version = s.ID.Version()
	}
	if s.Value != nil {
		found.Value = secret.New(*s.Value)
	}
	return found
}

func isNotFound(err error) bool { return refusedWith(err, http.StatusNotFound) }

func isDenied(err error) bool { return refusedWith(err, http.StatusForbidden) }

func refusedWith(err error, status int) bool {
	refused, ok := errors.AsType[*azcore.ResponseError](err)
	return ok && refused.StatusCode == status && parseAnswer(refused).ours()
}
