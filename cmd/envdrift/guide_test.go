package main

import (
	"cmp"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/envdrift/envdrift/internal/servertest"
)

// A script's servers, by their names in the script.
type (
	testKey  struct{}
	azureKey struct{}
	gcpKey   struct{}
)

// cmdAzure controls a Key Vault of the script's own:
//
//	azure start            start it; set AZURE_URL and the credentials of a user who may write
//	azure set NAME FILE    store the content of the file, as "az keyvault secret set" does
//	azure stop             stop it: nothing listens any more
func cmdAzure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: azure start|set|stop [arg…]")
	}
	if args[0] == "start" {
		a := servertest.AzureKeyVault(ts.Value(testKey{}).(testing.TB))
		*ts.Value(azureKey{}).(**servertest.Azure) = a
		ts.Setenv("AZURE_URL", a.URL)
		for name, value := range a.Env("writer") {
			ts.Setenv(name, value)
		}
		return
	}
	a := *ts.Value(azureKey{}).(**servertest.Azure)
	switch args[0] {
	case "set":
		a.Set(args[1], ts.ReadFile(args[2]))
	case "stop":
		a.Close()
	default:
		ts.Fatalf("azure: unknown %q", args[0])
	}
}

// cmdGCP controls a Secret Manager of the script's own:
//
//	gcp start            start it; set GCP_ENDPOINT and GCP_PROJECT
//	gcp add NAME FILE    add a version with the content of the file
func cmdGCP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: gcp start|add [arg…]")
	}
	switch args[0] {
	case "start":
		g := servertest.SecretManager(ts.Value(testKey{}).(testing.TB))
		*ts.Value(gcpKey{}).(**servertest.GCP) = g
		ts.Setenv("GCP_ENDPOINT", g.Endpoint)
		ts.Setenv("GCP_PROJECT", servertest.GCPProject)
	case "add":
		(*ts.Value(gcpKey{}).(**servertest.GCP)).Seed(args[1], []byte(ts.ReadFile(args[2])))
	default:
		ts.Fatalf("gcp: unknown %q", args[0])
	}
}

// Each envdrift command of a page is in the script that types them, but for the steps
// joined by && or |, which it takes from the page itself.
func TestCommandsOfPagesAreTyped(t *testing.T) {
	t.Parallel()
	azure := []string{"https://my-keyvault.vault.azure.net/", "$AZURE_URL"}
	for page, c := range map[string]struct {
		script string
		least  int // commands
		typed  []string
	}{
		"team.md":          {"guide_team", 15, append([]string{" > env.xml", ""}, azure...)},
		"start-plain.md":   {"guide_plain", 12, []string{"age1…", "$BEN"}},
		"start-dotenvx.md": {"guide_dotenvx", 5, nil},
		"start-earlier.md": {"guide_earlier", 8, azure},
		"ci.md":            {"guide_ci", 4, nil},
		"../README.md":     {"guide_readme", 8, []string{"age1…", "$BEN"}},
	} {
		doc, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		script, err := os.ReadFile("testdata/script/" + c.script + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		typed := strings.NewReplacer(append([]string{"npm start", "sh -c 'echo $API_KEY'"}, c.typed...)...)
		text := regexp.MustCompile(`\\\n +`).ReplaceAll(doc, nil)
		lines := regexp.MustCompile(`(?m)^ +(?:- |- run: )?(envdrift [^#\n]*[^# \n])`).FindAllSubmatch(text, -1)
		if len(lines) < c.least {
			t.Errorf("docs/%s has %d commands; want at least %d", page, len(lines), c.least)
		}
		for _, line := range lines {
			if strings.HasSuffix(string(line[1]), "&&") || strings.HasSuffix(string(line[1]), "|") {
				continue
			}
			if command := typed.Replace(string(line[1])); !strings.Contains(string(script), command+"\n") {
				t.Errorf("docs/%s says %q, which %s does not type", page, command, c.script)
			}
		}
	}
}

// The figures of docs/compared.md are those of docs/performance.md, or were in an
// earlier run of it: a figure may have changed by a third.
func TestComparedFigures(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		data, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	measured := map[string]string{} // "task\ttool" → median
	task := ""
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]*) \| ([^|]+) \| ([^|]+) \|`).FindAllStringSubmatch(read("performance.md"), -1) {
		if name := strings.TrimSpace(row[1]); name != "" {
			task = name
		}
		if key := task + "\t" + row[2]; measured[key] == "" {
			measured[key] = row[3]
		}
	}
	_, table, _ := strings.Cut(read("compared.md"), "## Time")
	rows := regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`).FindAllStringSubmatch(table, -1)
	if len(rows) < 5 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		for i, tool := range []string{"envdrift", "dotenvx", "sops"} {
			said, want := row[i+2], measured[row[1]+"\t"+tool]
			a, errA := time.ParseDuration(strings.ReplaceAll(said, " ", ""))
			b, errB := time.ParseDuration(strings.ReplaceAll(want, " ", ""))
			if said != want && (errA != nil || errB != nil || a < b*3/4 || a > b*4/3) {
				t.Errorf("%s, %s: docs/compared.md says %q, docs/performance.md %q", row[1], tool, said, want)
			}
		}
	}
}

// flagRow is a row of docs/start-dotenvx.md: commands of dotenvx, and what envdrift has.
type flagRow struct{ dotenvx, envdrift string }

func flagRows(t *testing.T) (rows []flagRow) {
	t.Helper()
	doc, err := os.ReadFile("../../docs/start-dotenvx.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 2 {
			t.Fatalf("%q has %d cells", line, len(cells))
		}
		rows = append(rows, flagRow{cells[0], cells[1]})
	}
	if len(rows) < 25 {
		t.Fatalf("%d rows", len(rows))
	}
	return rows
}

// commandsIn returns the flags in a cell's code, by the command before them: "" if none is.
func commandsIn(cell string, isCommand func(string) bool) map[string][]string {
	found := map[string][]string{}
	command := ""
	for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
		words := strings.Fields(strings.TrimPrefix(code[1], "NAME=value envdrift "))
		if isCommand(words[0]) {
			command = words[0]
		}
		for _, word := range words {
			if word == "--" {
				break
			}
			if word != command && strings.HasPrefix(word, "-") && !strings.Contains(word, "…") {
				found[command] = append(found[command], word)
			}
		}
		if _, ok := found[command]; !ok {
			found[command] = nil
		}
	}
	return found
}

// The flags that are ours in the table of dotenvx's are flags of these commands.
func TestFlagsForDotenvx(t *testing.T) {
	t.Parallel()
	app, _ := (&cli{system: &system{stdout: io.Discard, stderr: io.Discard}}).application("")
	flags := map[string][]string{}
	for _, cmd := range app.Model().Commands {
		flags[cmd.Name] = []string{}
		for _, flag := range cmd.Flags {
			flags[cmd.Name] = append(flags[cmd.Name], "--"+flag.Name, "-"+string(flag.Short))
		}
	}
	isCommand := func(name string) bool { return flags[name] != nil }
	for _, row := range flagRows(t) {
		for command, named := range commandsIn(row.envdrift, isCommand) {
			for _, flag := range named {
				if !slices.Contains(flags[cmp.Or(command, "exec")], flag) {
					t.Errorf("%s: envdrift %s has no %s", row.dotenvx, command, flag)
				}
			}
		}
	}
}
