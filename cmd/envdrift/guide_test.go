package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

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

// Each envdrift command in docs/team.md is in the script that runs them, but for
// the steps joined by && or |, which it runs from the page.
func TestTeamCommandsAreTyped(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/team.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/script/guide_team.txtar")
	if err != nil {
		t.Fatal(err)
	}
	typed := strings.NewReplacer(
		"https://my-keyvault.vault.azure.net/", "$AZURE_URL", "npm start", "sh -c 'echo $API_KEY'", " > env.xml", "",
	)
	lines := regexp.MustCompile(`(?m)^ +(?:- |- run: )?(envdrift [^#\n]*[^# \n])`).FindAllSubmatch(doc, -1)
	if len(lines) < 15 {
		t.Fatalf("docs/team.md has %d commands; want at least 15", len(lines))
	}
	for _, line := range lines {
		if strings.HasSuffix(string(line[1]), "&&") || strings.HasSuffix(string(line[1]), "|") {
			continue
		}
		if command := typed.Replace(string(line[1])); !strings.Contains(string(script), command) {
			t.Errorf("docs/team.md says %q, which guide_team.txtar does not type", command)
		}
	}
}
