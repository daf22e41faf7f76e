package main

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every command is in one group of the help, and the README has the same groups.
func TestCommandGroups(t *testing.T) {
	t.Parallel()
	app, _ := (&cli{system: &system{stdout: io.Discard, stderr: io.Discard}}).application("")
	var want []string
	for _, cmd := range app.Model().Commands {
		if cmd.Name != "help" && !cmd.Hidden {
			want = append(want, cmd.Name)
		}
	}
	var grouped []string
	for _, group := range commandGroups {
		grouped = append(grouped, strings.Fields(group.Commands)...)
	}
	inReadme := readmeCommands(t)
	if got := slices.DeleteFunc(slices.Clone(grouped), func(name string) bool { return name == "help" }); !slices.Equal(got, inReadme) {
		t.Errorf("the help has the commands\n%q in its groups; the README\n%q", got, inReadme)
	}
	slices.Sort(want)
	slices.Sort(inReadme)
	if !slices.Equal(inReadme, want) {
		t.Errorf("the groups name %q; want each of %q once", inReadme, want)
	}
}

// A command line that only one command is built for means what it means to all of
// them; help, versions and errors are of all.
func TestSoleCommand(t *testing.T) {
	t.Parallel()
	sole := 0
	for _, line := range []string{
		"version", "version --json", "version -q", "version x", "version -V", "version --version",
		"exec -- true", "exec npm run -h", "exec -c f -C d npm start", "exec -f .env -f .env.local -- x --help", "exec --vault-url u --mask=false x",
		"exec --nosuch x", "exec", "exec --interval 1s --watch -qv -- x", "exec --only A --only B -p age -- version",
		"hook run pre-commit", "hook run", "hook", "hook install --shared", "hook version", "hook --help", "hook run pre-push origin url",
		"get NAME", "get version -f x", "get --profile=p NAME", "get -h", "get --no-json NAME", "set A=1", "set -f x A",
		"git textconv x", "git", "verify --rev HEAD", "verify --ci --provider aws --region r", "sync --force", "man", "completion bash",
		"-v version", "--json version", "help", "help exec", "", "nosuch", "exec exec exec", "env --format json", "unset A -- B",
		"decrypt --stdout f", "recipient add age1 --label x", "vault-push . n --all", "diff a b --help-long", "version --helpful",
	} {
		args := strings.Fields(line)
		parse := func(word string) (*cli, error) {
			c := &cli{system: &system{stdout: io.Discard, stderr: io.Discard}, args: args}
			_, err := c.parse(word)
			return c, err
		}
		word := soleCommand(args)
		if word == "" {
			continue
		}
		c, err := parse(word)
		if err != nil {
			continue // all are built then
		}
		sole++
		whole, err := parse("")
		if err != nil || !reflect.DeepEqual(setBy(c), setBy(whole)) {
			t.Errorf("%q is %+v for one command; %+v, %v for all", line, setBy(c), setBy(whole), err)
		}
	}
	if sole < 20 {
		t.Errorf("only %d lines were for one command", sole)
	}
}

// setBy returns what a command line sets.
func setBy(c *cli) []any {
	var flags []string
	for _, f := range c.overrides.Flags {
		flags = append(flags, f.Name+"="+f.Value)
	}
	return []any{c.name, c.configFile, c.directory, c.overrides.Provider, flags, c.profile, c.ci, c.json, c.format.Name, c.quiet, c.verbose, c.noColor, c.shared}
}

// A suggestion is of the kind that fits in its place, and near.
func TestSuggestions(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"verfy":                 `did you mean "verify"?`,
		"exce -- man":           `did you mean "exec"?`,
		"encyrpt .env":          `did you mean "encrypt"?`,
		"-v trsut --list":       `did you mean "trust"?`,
		"hook instal":           `did you mean "install"?`,
		"hook verify":           "envdrift hook --help",
		"status --ofline":       `did you mean "--offline"?`,
		"status --offline=x":    "envdrift status --help",
		"verify --formt=junit":  `did you mean "--format"?`,
		"status --staged":       "envdrift status --help",
		"trust list":            `did you mean "--list"?`,
		"trust list x":          "envdrift trust --help",
		"mad":                   `did you mean "man"?`,
		"blame":                 "envdrift --help",
		"tree":                  "envdrift --help",
		"run printenv":          "envdrift exec -- PROGRAM",
		"env --nosuch -- verfy": "envdrift env --help",
	} {
		var stderr bytes.Buffer
		status := run(t.Context(), &system{stdout: io.Discard, stderr: &stderr, env: map[string]string{}}, strings.Fields(line))
		if !strings.HasSuffix(stderr.String(), "envdrift: hint: "+want+"\n") || status != statusUsage {
			t.Errorf("envdrift %s: status %d, %q; want %d and the hint %q", line, status, stderr.String(), statusUsage, want)
		}
	}
}

// readmeCommands returns the commands of the README's table, in its order.
func readmeCommands(t *testing.T) (names []string) {
	t.Helper()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile(`(?m)^\| [A-Za-z ,]*\| ((?:`+"`[a-z-]+`"+`(?:, )?)+) \|`).FindAllStringSubmatch(string(data), -1) {
		for _, name := range strings.Split(row[1], ", ") {
			names = append(names, strings.Trim(name, "`"))
		}
	}
	return names
}
