package atomicfile

import (
	"io/fs"
	"os"
)

// chmod does nothing: Windows keeps access in ACLs, which the directory's
// entries inherit.
func chmod(*os.File, fs.FileMode) error { return nil }

// syncDir does nothing: Windows cannot flush a directory.
func syncDir(*os.Root, string) error { return nil }
