#!/usr/bin/env bash
#
# In Compose a container has HOST of an env file, and a URL built from another HOST.
#
# Version:   compose-go 2.16.2, the library with which docker compose reads its files
# Guess:     URL=https://${HOST}/ in a service's env file has the HOST which that container
#            gets: from the file before it in the list, or from the line above.
# Behaviour: a reference asks the shell, and .env beside compose.yaml, before the
#            service's own files. The variable itself is taken from these files all the
#            same. So the two disagree, in one container. Nothing warns.
# Seen:      no HOST elsewhere: HOST=shop.example.com URL=https://shop.example.com/
#            HOST in the shell: HOST=shop.example.com URL=https://localhost/
#            HOST in .env: HOST=shop.example.com URL=https://localhost/
# Matters:   names such as HOST, USER or PORT are set in many shells. A connection string
#            is then made of one person's values, while "docker compose config" and the
#            container's environment have the right ones beside it.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
mkdir "$tmp/program" "$tmp/shop"
cd -- "$tmp/program"
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

// As docker compose does it: the environment, then .env, then the services.
func main() {
	options, err := cli.NewProjectOptions([]string{"compose.yaml"}, cli.WithOsEnv, cli.WithEnvFiles(), cli.WithDotEnv)
	if err == nil {
		project, errLoad := options.LoadProject(context.Background())
		if err = errLoad; err == nil {
			env := project.Services["web"].Environment
			fmt.Printf("HOST=%s URL=%s\n", *env["HOST"], *env["URL"])
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
END
export GOMODCACHE=$tmp/mod GOFLAGS=-modcacherw GOTOOLCHAIN=local GOWORK=off
go mod init example.com/program 2>/dev/null
go get github.com/compose-spec/compose-go/v2@v2.16.2 2>/dev/null
go mod tidy 2>/dev/null
go build -o ../compose .

cd ../shop
unset HOST
cat >compose.yaml <<'END'
services:
  web:
    image: web
    env_file: [common.env, web.env]
END
echo HOST=shop.example.com >common.env
echo 'URL=https://${HOST}/' >web.env
got="no HOST elsewhere: $(../compose)
HOST in the shell: $(HOST=localhost ../compose)"
echo HOST=localhost >.env
got+=$'\n'"HOST in .env: $(../compose)"

want='no HOST elsewhere: HOST=shop.example.com URL=https://shop.example.com/
HOST in the shell: HOST=shop.example.com URL=https://localhost/
HOST in .env: HOST=shop.example.com URL=https://localhost/'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
