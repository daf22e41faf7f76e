package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/envdrift/envdrift/hooks"
)

func ExampleInstall() {
	top, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(top)
	location := hooks.Location{Top: top, CommonDir: top + "/.git", Dir: top + "/.git/hooks", Self: "/usr/local/bin/envdrift"}

	before, err1 := hooks.Inspect(location)
	after, err2 := hooks.Install(context.Background(), location)
	fmt.Println(before[0].Name, before[0].State, after[0].State, errors.Join(err1, err2))
	// Output: pre-commit absent current <nil>
}
