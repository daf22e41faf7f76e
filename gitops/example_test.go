package gitops_test

import (
	"context"
	"fmt"
	"os"

	"github.com/envdrift/envdrift/gitops"
)

// What a pre-commit hook does: read the staged versions, not the files.
func ExampleRepo_Staged() {
	ctx := context.Background()
	repo, err := gitops.Open(ctx, ".", os.Environ())
	if err != nil {
		fmt.Println(err)
		return
	}
	changes, err := repo.Staged(ctx)
	for _, c := range changes {
		if c.Status != gitops.Deleted && c.Mode.IsFile() {
			fmt.Println(c.Path, c.OID)
		}
	}
	fmt.Println(err)
}
