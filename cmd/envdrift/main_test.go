package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/envdrift/envdrift/internal/agent"
	"github.com/envdrift/envdrift/internal/keystore"
	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/aws"
	"github.com/envdrift/envdrift/vault/azure"
	"github.com/envdrift/envdrift/vault/gcp"
	"github.com/envdrift/envdrift/vault/hashicorp"
	"github.com/envdrift/envdrift/vault/helper"
	"github.com/envdrift/envdrift/vault/settings"
)

var (
	update = flag.Bool("update", false, "rewrite what the scripts compare with")
	leaks  = flag.Bool("leaks", os.Getenv("CI") == "true", "look for leaks in every script, which takes as long again")
)

func TestMain(m *testing.M) {
	commands := map[string]func(){
		"envdrift":                 witnessed,
		"envdrift-vault-aws":       func() { os.Exit(helper.Main(settings.AWS(), vault.Opener(aws.Open))) },
		"envdrift-vault-azure":     func() { os.Exit(helper.Main(settings.Azure(), vault.Opener(azure.Open))) },
		"envdrift-vault-gcp":       func() { os.Exit(helper.Main(settings.GCP(), vault.Opener(gcp.Open))) },
		"envdrift-vault-hashicorp": func() { os.Exit(helper.Main(settings.HashiCorp(), vault.Opener(hashicorp.Open))) },
	}
	if commands[strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")] == nil {
		for _, name := range agent.Variables() { // a coding agent may run the tests
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	testscript.Main(m, commands)
}

func TestScript(t *testing.T) {
	t.Parallel()
	seen, p := new(coverage), params("testdata/script")
	if *leaks {
		p.Setup = func(env *testscript.Env) error { return errors.Join(setup(env), seen.count(env)) }
		t.Cleanup(func() { seen.check(t) })
	}
	testscript.Run(t, p)
}

// params returns the parameters of every suite of scripts: a home of its own,
// real git, no terminal, and no vault of the user who runs the tests.
func params(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Condition: func(cond string) (bool, error) {
			if cond != "keyring" { // a container may have none
				return false, errors.New("unknown condition")
			}
			_, err := keystore.Open(func(string) string { return "" }).Place(context.Background())
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":   cmdStatus,
			"absent":   cmdAbsent,
			"setvar":   cmdSetvar,
			"unleaked": cmdUnleaked,
			"leaked":   cmdLeaked,
			"azure":    cmdAzure,
			"gcp":      cmdGCP,
			"canary":   cmdCanary,
			"fill":     cmdFill,
			"flip":     cmdFlip,
		},
	}
}

// noRaceSleep is for a program built with -race, which sleeps for a second
// before it ends.
const noRaceSleep = "atexit_sleep_ms=0"

func setup(env *testscript.Env) error {
	env.Values[testKey{}] = env.T()
	env.Values[azureKey{}], env.Values[gcpKey{}] = new(*servertest.Azure), new(*servertest.GCP)
	env.Values[canariesKey{}], env.Values[flipperKey{}] = map[string]*canary{}, new(flipper)
	home := filepath.Join(env.WorkDir, ".home")
	docs, err := filepath.Abs("../../docs")
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home + "/config", "XDG_STATE_HOME": home + "/state",
		"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": home + "/gitconfig", "CI": "",
		"GORACE": noRaceSleep, "DOCS": docs,
	} {
		env.Setenv(name, value)
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	// The scripts that show the leak checker at work always need it.
	if *leaks || strings.HasPrefix(filepath.Base(env.WorkDir), "script-leak_") {
		if err := observe(env); err != nil {
			return err
		}
	}
	// The home is in the folder of the script, and no part of its repositories.
	config := "[user]\n\tname = Ann\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n[core]\n\texcludesFile = " + home + "/ignored\n"
	if err := os.WriteFile(home+"/ignored", []byte("/.home/\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(home+"/gitconfig", []byte(config), 0o600)
}

// cmdStatus runs a program that must exit with the given status:
//
//	status N program [arg…]
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program [arg…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("status %d; want %d", got, want)
	}
}

// cmdAbsent fails if one of the files is there:
//
//	absent file…
func cmdAbsent(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		if _, err := os.Lstat(ts.MkAbs(name)); (err == nil) != neg {
			ts.Fatalf("%s: exists %t; want %t", name, err == nil, neg)
		}
	}
}

// cmdSetvar sets a variable to what follows the first = in the first line of a
// key file:
//
//	setvar NAME file
func cmdSetvar(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: setvar NAME file")
	}
	for _, line := range strings.Split(ts.ReadFile(args[1]), "\n") {
		if _, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			ts.Setenv(args[0], strings.Trim(value, `"`))
			return
		}
	}
	ts.Fatalf("%s holds no assignment", args[1])
}

// cmdUnleaked fails if the output of the last program contains one of the
// texts:
//
//	unleaked text…
func cmdUnleaked(ts *testscript.TestScript, _ bool, args []string) {
	printed := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	for _, text := range args {
		if text != "" && strings.Contains(printed, text) {
			ts.Fatalf("the output holds a secret:\n%s", printed)
		}
	}
}
