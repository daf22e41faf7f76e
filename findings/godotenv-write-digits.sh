#!/usr/bin/env bash
#
# godotenv's own writer changes values that look like numbers.
#
# Version:   github.com/joho/godotenv v1.5.1
# Guess:     Write and Marshal store strings. What they write, Read returns.
# Behaviour: a value that is a whole number is printed as one: leading zeros and
#            a plus sign are lost. Numbers that 64 bits cannot hold are kept, so
#            one name may be right today and wrong after a rotation.
# Seen:      0042 -> 42
#            +4917012345 -> 4917012345
#            0x1f -> 0x1f
#            09999999999999999999 -> 09999999999999999999
# Matters:   PINs, account numbers and telephone numbers are such values. A tool
#            that decrypts an env file and stores it through this library changes
#            them without an error.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
export GOMODCACHE=$tmp/mod GOFLAGS=-modcacherw GOTOOLCHAIN=local GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/joho/godotenv@v1.5.1 2>/dev/null
cat >main.go <<'END'
package main

import (
	"fmt"
	"log"

	"github.com/joho/godotenv"
)

func main() {
	for _, v := range []string{"0042", "+4917012345", "0x1f", "09999999999999999999"} {
		if err := godotenv.Write(map[string]string{"A": v}, "written.env"); err != nil {
			log.Fatal(err)
		}
		read, err := godotenv.Read("written.env")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(v, "->", read["A"])
	}
}
END

want='0042 -> 42
+4917012345 -> 4917012345
0x1f -> 0x1f
09999999999999999999 -> 09999999999999999999'
got=$(go run .)
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
