package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/coredump"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/loader"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/runner"
)

type envFlags struct {
	environFlags
	format string
	loader string
	list   bool
	yes    bool
}

func (c *cli) addEnv(app *kingpin.Application) (string, command) {
	var f envFlags
	cmd := app.Command("env", "Print the decrypted values, for programs that exec cannot run.").HelpLong(`
Uses the same files, keys and values as exec, and prints only the names that the
files set. A value that the format cannot hold is an error; nothing is printed.

  shell   for eval in a POSIX shell     dotenv  as an env file
  json    one object                    docker  for docker run --env-file
  github  masks on standard output, values into the file $GITHUB_ENV

With --for the output is an env file for one program that reads env files, such as
docker or node: see --list-loaders, and docs/loaders.md.

Statuses: 0 done · 1 could not · 2 wrong usage or configuration · 3 the vault
could not be used
Example:  eval "$(envdrift env -f .env.production)"`)
	f.environFlags.add(cmd)
	cmd.Flag("format", "shell, dotenv, json, docker or github.").Default("shell").EnumVar(&f.format, "shell", "dotenv", "json", "docker", "github")
	addFor(cmd, "Write an env file that this loader reads.", &f.loader)
	cmd.Flag("list-loaders", "List the loaders that --for knows; nothing else.").BoolVar(&f.list)
	cmd.Flag("yes", "Print secrets even to a terminal or a coding agent.").Short('y').BoolVar(&f.yes)
	return cmd.FullCommand(), func(ctx context.Context) error {
		err := f.check()
		switch {
		case err != nil:
		case f.list:
			return c.listLoaders()
		case !isLoader(f.loader):
			err = loaderError(f.loader)
		case f.loader != "" && (c.json || f.format != "shell"):
			err = errors.New("--for decides about the format: leave out --json and --format")
		case c.json && f.format != "shell":
			err = errors.New("--json and --format exclude each other")
		}
		if err != nil {
			return c.misuse("%w", err)
		}
		if err := c.mayPrint(f.yes); err != nil {
			return err
		}
		return c.printEnv(ctx, f)
	}
}

func (c *cli) printEnv(ctx context.Context, f envFlags) error {
	coredump.Hide()
	if err := c.open(); err != nil {
		return err
	}
	env, err := environ.Build(ctx, c.work, f.Options)
	if err != nil {
		return err
	}
	var out []byte
	switch l, ok := loader.Find(f.loader); {
	case ok:
		out, err = workspace.Lines(l, env.Given)
	case c.json:
		c.report.Data, err = jsonObject(env.Given)
		return err
	case f.format == "github":
		return c.exportGitHub(env)
	case f.format == "json":
		out, err = formatJSON(env.Given)
	default:
		line := map[string]func(string, string) (string, error){"shell": shellLine, "dotenv": dotenvLine, "docker": dockerLine}
		out, err = formatLines(env.Given, line[f.format])
	}
	if err == nil {
		_, err = c.stdout.Write(out)
	}
	return err
}

func addFor(cmd *kingpin.CmdClause, help string, name *string) {
	cmd.Flag("for", help).PlaceHolder("LOADER").HintAction(loader.Names).StringVar(name)
}

func isLoader(name string) bool {
	_, ok := loader.Find(name)
	return ok || name == ""
}

func loaderError(name string) error {
	return fmt.Errorf("--for: %q is none of %s", name, strings.Join(loader.Names(), ", "))
}

// listLoaders prints what --for knows.
func (c *cli) listLoaders() error {
	var out bytes.Buffer
	for _, l := range loader.All() {
		fmt.Fprintf(&out, "%-14s %s\n", l.Name, l.What)
	}
	_, err := c.stdout.Write(out.Bytes())
	return err
}

// A formatError reports a variable that a format cannot represent.
type formatError struct{ name, problem string }

func (e *formatError) Error() string { return fmt.Sprintf("%s: %s", e.name, e.problem) }

// formatLines returns what line returns for each variable, or the problems of
// all.
func formatLines(vars []dotenv.Variable, line func(name, value string) (string, error)) ([]byte, error) {
	var out bytes.Buffer
	var errs []error
	for _, v := range vars {
		text, err := line(v.Name, v.Value.Reveal())
		if err != nil {
			errs = append(errs, err)
		}
		out.WriteString(text)
	}
	return out.Bytes(), errors.Join(errs...)
}

func shellLine(name, value string) (string, error) {
	if !runner.ValidName(name) {
		return "", &formatError{name, "no shell can have a variable of that name"}
	}
	return "export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n", nil
}

func dotenvLine(name, value string) (string, error) {
	doc, err := dotenv.Parse(nil).Set(name, value)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(doc.Bytes()), nil
}

// dockerLine returns a line of docker's --env-file, which has neither quotes
// nor escapes: https://docs.docker.com/reference/cli/docker/container/run/#env.
func dockerLine(name, value string) (string, error) {
	const longest = 64<<10 - 1 // docker reads no longer line
	line := name + "=" + value
	switch {
	case strings.ContainsAny(value, "\n\r"):
		return "", &formatError{name, "its value has several lines, which an env file for docker cannot hold"}
	case !utf8.ValidString(value):
		return "", &formatError{name, "its value is not UTF-8"}
	case len(line) >= longest:
		return "", &formatError{name, "its value is too long for docker's env files"}
	}
	return line + "\n", nil
}

func formatJSON(vars []dotenv.Variable) ([]byte, error) {
	object, err := jsonObject(vars)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(object)
	return out.Bytes(), err
}

func jsonObject(vars []dotenv.Variable) (map[string]string, error) {
	object := map[string]string{}
	for _, v := range vars {
		object[v.Name] = v.Value.Reveal()
		if !utf8.ValidString(object[v.Name]) {
			return nil, &formatError{v.Name, "its value is not UTF-8"}
		}
	}
	return object, nil
}

// exportGitHub passes the values to the later steps of a GitHub job, after
// making the job's log mask them.
func (c *cli) exportGitHub(env environ.Environ) error {
	if c.env["GITHUB_ENV"] == "" {
		return c.misuse("GITHUB_ENV is not set: this is no step of a GitHub job")
	}
	delimiter := "envdrift_" + rand.Text()
	lines, err := formatLines(env.Given, func(name, value string) (string, error) {
		if !utf8.ValidString(value) {
			return "", &formatError{name, "its value is not UTF-8"}
		}
		return name + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n", nil
	})
	if err != nil {
		return err
	}
	if err := writeMasks(c.stdout, env.Secrets()); err != nil {
		return err
	}
	return appendFile("GITHUB_ENV", c.env["GITHUB_ENV"], lines)
}

// writeMasks tells GitHub what to mask, line by line as its log is. Short texts
// are in every line, and masking them would reveal what they are.
func writeMasks(w io.Writer, secrets []string) error {
	var out bytes.Buffer
	for _, text := range secrets {
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSuffix(line, "\r"); len(line) >= runner.MinSecret {
				out.WriteString("::add-mask::" + strings.NewReplacer("%", "%25", "\r", "%0D").Replace(line) + "\n")
			}
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

func appendFile(setting, name string, data []byte) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return secret.HidePath(setting, name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(data)
	return err
}
