package gitops

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// discover finds the repository of dir without git: where it is, not what is in it.
func discover(dir string) (*Repo, error) {
	for {
		dotGit := filepath.Join(dir, ".git")
		if info, err := os.Stat(dotGit); err == nil {
			gitDir := dotGit
			if !info.IsDir() {
				if gitDir, err = readPath(dotGit, "gitdir: "); err != nil {
					return nil, &RefusedError{Dir: dir, Reason: "its .git file is malformed"}
				}
			}
			common, err := readPath(filepath.Join(gitDir, "commondir"), "")
			if err != nil {
				common = gitDir
			}
			return &Repo{Top: dir, GitDir: gitDir, CommonDir: common, Index: filepath.Join(gitDir, "index"), hash: "sha1"}, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, ErrNotRepository
		}
		dir = parent
	}
}

// readPath returns the path that file contains after prefix, resolved relative
// to file.
func readPath(file, prefix string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	path, ok := strings.CutPrefix(strings.TrimRight(string(data), "\r\n"), prefix)
	if !ok || path == "" {
		return "", errors.New("malformed " + file)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(file), path)
	}
	return filepath.Clean(path), nil
}
