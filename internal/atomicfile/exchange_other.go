//go:build !linux && !darwin

package atomicfile

import (
	"errors"
	"os"
)

// exchange is not possible.
func exchange(*os.Root, string, string) error { return errors.ErrUnsupported }

// beingWritten cannot tell.
func beingWritten(*os.File) bool { return false }
