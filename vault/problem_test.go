package vault_test

import (
	"errors"
	"testing"

	"github.com/envdrift/envdrift/vault"
)

func TestProblem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		problem vault.Problem
		kind    error
		want    string
	}{
		{vault.NewProblem(vault.ErrDenied, "no grant", "ask"), vault.ErrDenied, "V: k: access denied: no grant"},
		{vault.NewProblem(vault.ErrNotFound, "", ""), vault.ErrNotFound, "V: k: secret not found"},
		{vault.Stale("newest", "3", ""), vault.ErrConflict, "V: k: secret was changed by another user or process: the newest version is 3, not none"},
		{vault.Stale("current", "", "2"), vault.ErrConflict, "V: k: secret was changed by another user or process: the current version is none, not 2"},
	}
	for _, tt := range tests {
		err := tt.problem.Of("get", "V", "k")
		if err.Error() != tt.want || !errors.Is(err, tt.kind) || err.Op != "get" || err.Remedy != tt.problem.Remedy {
			t.Errorf("%+v is the error %#v, %q; want %q", tt.problem, err, err, tt.want)
		}
	}
}
