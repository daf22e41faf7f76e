//go:build unix

package atomicfile_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

func owner(t *testing.T, name string) string {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}
