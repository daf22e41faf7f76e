package hooks

import "os"

// executable reports only whether the file is there: git for Windows runs every
// hook through its shebang.
func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular()
}

func hasMode(string) bool { return false }
