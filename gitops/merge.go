package gitops

import (
	"context"
	"strings"
)

// MergeBase returns a best common ancestor of two commits, or a [*RevisionError] if
// they have none.
func (r *Repo) MergeBase(ctx context.Context, a, b string) (OID, error) {
	out, err := r.run(ctx, nil, "merge-base", "--end-of-options", a, b)
	if exited(err, 1) || exited(err, 128) {
		return "", &RevisionError{a + "..." + b}
	}
	if err != nil {
		return "", err
	}
	return OID(strings.TrimSpace(string(out))), nil
}

// AddResolved stages a file as it is in the working tree, which ends its conflict.
func (r *Repo) AddResolved(ctx context.Context, path string) error {
	_, err := r.run(ctx, nil, "update-index", "--add", "--", path)
	return err
}

// SetLocal sets a key of the clone's own configuration.
func (r *Repo) SetLocal(ctx context.Context, key, value string) error {
	_, err := r.run(ctx, nil, "config", "--local", "--replace-all", key, value)
	return err
}

// UnsetLocal removes a key from the clone's own configuration, if it is there.
func (r *Repo) UnsetLocal(ctx context.Context, key string) error {
	_, err := r.run(ctx, nil, "config", "--local", "--unset-all", key)
	if exited(err, 5) {
		return nil
	}
	return err
}
