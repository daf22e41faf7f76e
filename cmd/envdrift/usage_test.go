package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every command is in one group of the help, and the README has the same groups.
func TestCommandGroups(t *testing.T) {
	t.Parallel()
	app, _ := (&cli{system: &system{stdout: io.Discard, stderr: io.Discard}}).application()
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
