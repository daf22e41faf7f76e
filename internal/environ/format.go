package environ

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/runner"
)

// A FormatError reports a variable that a format cannot represent.
type FormatError struct{ Name, Problem string }

func (e *FormatError) Error() string { return fmt.Sprintf("%s: %s", e.Name, e.Problem) }

// Format returns variables as text for another program: "shell", "dotenv", "docker" or
// "json". The error joins one for each that the format cannot hold.
func Format(format string, vars []dotenv.Variable) ([]byte, error) {
	if format == "json" {
		return formatJSON(vars)
	}
	line := map[string]lineFunc{"shell": shellLine, "dotenv": dotenvLine, "docker": dockerLine}
	return formatLines(vars, line[format])
}

// A lineFunc returns the line of one variable.
type lineFunc func(name, value string) (string, error)

func formatLines(vars []dotenv.Variable, line lineFunc) ([]byte, error) {
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
		return "", &FormatError{name, "no shell can have a variable of that name"}
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
		return "", &FormatError{name, "its value has several lines, which an env file for docker cannot hold"}
	case !utf8.ValidString(value):
		return "", &FormatError{name, "its value is not UTF-8"}
	case len(line) >= longest:
		return "", &FormatError{name, "its value is too long for docker's env files"}
	}
	return line + "\n", nil
}

func formatJSON(vars []dotenv.Variable) ([]byte, error) {
	object, err := Object(vars)
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

// Object returns the values by name, for JSON.
func Object(vars []dotenv.Variable) (map[string]string, error) {
	object := map[string]string{}
	for _, v := range vars {
		object[v.Name] = v.Value.Reveal()
		if !utf8.ValidString(object[v.Name]) {
			return nil, &FormatError{v.Name, "its value is not UTF-8"}
		}
	}
	return object, nil
}

// ForGitHub returns what passes the values to the later steps of a GitHub job: masks
// is for standard output, and comes first; lines are for the file $GITHUB_ENV. No value
// has the delimiter.
func (e Environ) ForGitHub(delimiter string) (masks, lines []byte, err error) {
	lines, err = formatLines(e.Given, func(name, value string) (string, error) {
		if !utf8.ValidString(value) {
			return "", &FormatError{name, "its value is not UTF-8"}
		}
		return name + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n", nil
	})
	if err != nil {
		return nil, nil, err
	}
	return gitHubMasks(e.Secrets()), lines, nil
}

// gitHubMasks says what to mask, line by line as a job's log is. Short texts are in
// every line, and masking them would reveal what they are.
func gitHubMasks(secrets []string) []byte {
	var out bytes.Buffer
	for _, text := range secrets {
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSuffix(line, "\r"); len(line) >= runner.MinSecret {
				out.WriteString("::add-mask::" + strings.NewReplacer("%", "%25", "\r", "%0D").Replace(line) + "\n")
			}
		}
	}
	return out.Bytes()
}
