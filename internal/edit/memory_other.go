//go:build !linux

package edit

// memory returns a folder whose files are in memory alone; there is none here.
func memory() (dir string, ok bool) { return "", false }
