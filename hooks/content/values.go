package content

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/workspace"
)

// NeedsKey reports whether a conflict is only about a key that is missing, or that
// nobody agreed to.
func NeedsKey(err error) bool {
	return errors.As(err, new(*dotenv.MissingKeyError)) || errors.As(err, new(*workspace.AgreementError))
}

// ShowsValues reports whether the user wants values in diffs: envdrift.diff=values
// in git's configuration, which no file of the repository sets. Git is asked only
// if a file of its configuration may have it: textconv is run for each blob.
func ShowsValues(ctx context.Context, dir string, env map[string]string) bool {
	if !mayHaveSetting(dir, env) {
		return false
	}
	repo, err := gitops.Open(ctx, dir, environ(env))
	if err != nil {
		return false
	}
	list, err := repo.Settings(ctx, `^envdrift\.diff$`)
	return err == nil && len(list) > 0 && list[len(list)-1].Value == "values"
}

func environ(env map[string]string) (list []string) {
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// mayHaveSetting looks for the section in the usual files. One that includes others
// may have it.
func mayHaveSetting(dir string, env map[string]string) bool {
	if env["GIT_CONFIG_COUNT"] != "" || env["GIT_CONFIG_PARAMETERS"] != "" || env["GIT_CONFIG_GLOBAL"] != "" || env["GIT_CONFIG_SYSTEM"] != "" {
		return true
	}
	gitDir := filepath.Join(dir, ".git")
	if env["GIT_DIR"] != "" {
		gitDir = env["GIT_DIR"]
	}
	info, err := os.Stat(gitDir)
	if err != nil || !info.IsDir() {
		return true // a linked worktree, or no place that is known
	}
	xdg := env["XDG_CONFIG_HOME"]
	if xdg == "" {
		xdg = filepath.Join(env["HOME"], ".config")
	}
	for _, file := range []string{
		filepath.Join(gitDir, "config"), filepath.Join(gitDir, "config.worktree"),
		filepath.Join(env["HOME"], ".gitconfig"), filepath.Join(xdg, "git", "config"), "/etc/gitconfig",
	} {
		data, _ := os.ReadFile(file)
		data = bytes.ToLower(data)
		if bytes.Contains(data, []byte("[envdrift")) || bytes.Contains(data, []byte("[include")) {
			return true
		}
	}
	return false
}
