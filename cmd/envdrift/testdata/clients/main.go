// Command gogit is what go-git does in a repository: gogit commit REPO FILE… or
// gogit push REPO URL. It is a module of its own, because go-git as a whole needs
// modules that envdrift does not.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/object"
)

func main() {
	repo, err := git.PlainOpen(os.Args[2])
	if err == nil && os.Args[1] == "push" {
		err = push(repo, os.Args[3])
	} else if err == nil {
		err = commit(repo, os.Args[3:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func commit(repo *git.Repository, files []string) error {
	tree, err := repo.Worktree()
	if err != nil {
		return err
	}
	for _, name := range files {
		if _, err := tree.Add(name); err != nil {
			return err
		}
	}
	who := &object.Signature{Name: "a", Email: "a@example.com", When: time.Now()}
	_, err = tree.Commit("go-git", &git.CommitOptions{Author: who})
	return err
}

func push(repo *git.Repository, url string) error {
	remote, err := repo.CreateRemoteAnonymous(&config.RemoteConfig{Name: "anonymous", URLs: []string{url}})
	if err != nil {
		return err
	}
	main := config.RefSpec("refs/heads/main:refs/heads/main")
	return remote.Push(&git.PushOptions{RemoteName: "anonymous", RefSpecs: []config.RefSpec{main}, Progress: os.Stderr})
}
