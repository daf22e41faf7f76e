package atomicfile

import (
	"io/fs"
	"os"
)

// chmod does nothing: Windows keeps access in ACLs, which the directory's
// entries inherit.
func chmod(*os.File, fs.FileMode) error { return nil }

// own and Adopt do nothing: Windows makes the user who runs a program the owner,
// also when it runs as administrator.
func own(*os.File, fs.FileInfo) error { return nil }

// Adopt does nothing.
func Adopt(string) error { return nil }

// syncDir does nothing: Windows cannot flush a directory.
func syncDir(*os.Root, string) error { return nil }
