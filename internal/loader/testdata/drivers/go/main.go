// Command loaders runs the loaders for Go: see README.md beside it.
package main

import (
	"bufio"
	"fmt"
	"os"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/docker/cli/pkg/kvfile"
	"github.com/joho/godotenv"
)

var loaders = map[string]func(path string) (map[string]string, error){
	"godotenv": func(path string) (map[string]string, error) { return godotenv.Read(path) },
	"compose":  func(path string) (map[string]string, error) { return compose.Read(path) },
	"docker": func(path string) (map[string]string, error) {
		vars := map[string]string{}
		lines, err := kvfile.Parse(path, func(string) (string, bool) { return "", false })
		for _, line := range lines {
			name, value, _ := cut(line)
			vars[name] = value
		}
		return vars, err
	},
}

func cut(line string) (name, value string, ok bool) {
	for i := range len(line) {
		if line[i] == '=' {
			return line[:i], line[i+1:], true
		}
	}
	return line, "", false
}

func main() {
	read := loaders[os.Args[1]]
	out := bufio.NewWriter(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		vars, err := read(in.Text())
		if err != nil {
			vars = nil
			fmt.Fprint(out, "!\x00")
		}
		for name, value := range vars {
			fmt.Fprintf(out, "%s=%s\x00", name, value)
		}
		fmt.Fprint(out, "\x00")
	}
	if err := out.Flush(); err != nil {
		panic(err)
	}
}
