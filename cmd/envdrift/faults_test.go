package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// faultsPage is the page that documents [TestFaults].
const faultsPage = "../../docs/vaults/faults.md"

// faultStatus is the status of each fault for which every vault on a network
// must have a row, in the order of the page.
var faultStatus = []struct {
	name   string
	status int
}{
	{"no such host", statusVault},
	{"connection refused", statusVault},
	{"connection reset", statusVault},
	{"unknown certificate authority", statusVault},
	{"another server answers", statusVault},
	{"redirect to another host", statusVault},
	{"no answer", statusVault},
	{"server error", statusVault},
	{"throttled", statusVault},
	{"throttled, then not", statusOK},
	{"no credentials", statusVault},
	{"credentials have expired", statusVault},
	{"access denied", statusVault},
	{"no such secret", statusVault},
	{"deleted", statusVault},
	{"disabled", statusVault},
	{"binary", statusFail},
	{"empty", statusFail},
	{"too long", statusFail},
	{"no key", statusFail},
	{"illegal name", statusUsage},
	{"no address", statusUsage},
}

// A faultyVault is one vault, and all the ways in which it can fail.
type faultyVault struct {
	title  string
	names  string            // the beginning of each message: provider and vault
	config string            // with one %s for the address
	env    map[string]string // of a user who may read
	hidden []string          // must not be shown anywhere
	lacks  []string          // faults that it cannot have
	faults []vaultFault
}

// A vaultFault is one row of the page.
type vaultFault struct {
	name     string
	at       string            // address
	env      map[string]string // over the vault's
	config   string            // instead of the vault's
	unopened bool              // it comes before a secret is requested
	secret   string            // instead of app-key
	files    map[string]string // beside the configuration
	status   int               // of faults that only this vault has
}

// An outcome is the result of verify for a fault.
type outcome struct {
	status          int
	message, remedy string
}

// TestFaults makes each vault fail in each way and runs the command. The page
// shows what it printed.
func TestFaults(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString(faultsHead)
	for _, v := range []*faultyVault{faultyAge(t, key), faultyAWS(t, key), faultyAzure(t, key), faultyGCP(t, key), faultyHashicorp(t, key)} {
		page.WriteString(v.table(t, key))
	}
	if *update {
		if err := os.WriteFile(faultsPage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(faultsPage)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(page.String()) {
		if !strings.Contains(string(want), line) {
			t.Errorf("%s lacks: %s", faultsPage, line)
		}
	}
	if page.String() != string(want) {
		t.Errorf("%s differs; go test ./cmd/envdrift -run TestFaults -update makes it", faultsPage)
	}
}

const faultsHead = `# What goes wrong, and what envdrift says

Made by the test that breaks each vault in each way (` + "`go test ./cmd/envdrift -run TestFaults`" + `) and
runs ` + "`envdrift verify`" + `. Each message begins with the vault's name and address, which
are left out here, and the secret. Statuses: 1 what the vault holds is no key, 2 the
configuration is wrong, 3 the vault could not be used.
`

// table makes the vault fail and returns the part of the page about it.
func (v *faultyVault) table(t *testing.T, key *ecies.PrivateKey) string {
	t.Helper()
	outcomes := make([]outcome, len(v.faults))
	var g errgroup.Group
	g.SetLimit(16) // they wait rather than compute
	for i, f := range v.faults {
		g.Go(func() error {
			outcomes[i] = v.meet(t, f, key)
			return nil
		})
	}
	_ = g.Wait()
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n| fault | status | message | remedy |\n|---|---|---|---|\n", v.title)
	for i, f := range v.faults {
		v.check(t, f, &outcomes[i])
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", f.name, outcomes[i].status, cell(outcomes[i].message), cell(outcomes[i].remedy))
	}
	for _, f := range faultStatus {
		has := slices.ContainsFunc(v.faults, func(vf vaultFault) bool { return vf.name == f.name })
		if has == slices.Contains(v.lacks, f.name) {
			t.Errorf("%s: %q: tested %t; want the opposite of what it lacks", v.title, f.name, has)
		}
	}
	return b.String()
}

func cell(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}

// check checks an outcome against the rules for all, and removes the vault's
// name from the message.
func (v *faultyVault) check(t *testing.T, f vaultFault, o *outcome) {
	t.Helper()
	want := f.status
	for _, common := range faultStatus {
		if common.name == f.name {
			want = common.status
		}
	}
	if o.status != want {
		t.Errorf("%s: %s: status %d, %q; want %d", v.title, f.name, o.status, o.message, want)
	}
	if want == statusOK {
		return
	}
	message, about := strings.CutPrefix(o.message, v.names)
	_, message, named := strings.Cut(message, ": "+f.asks()+": ")
	if !f.unopened && (!about || !named) {
		t.Errorf("%s: %s: %q; want it to begin with %q and to name the secret", v.title, f.name, o.message, v.names)
	}
	if named {
		o.message = message
	}
	if o.remedy == "" && want != statusUsage { // if the message itself says what to do
		t.Errorf("%s: %s: %q has no remedy", v.title, f.name, o.message)
	}
}

var (
	hosts      = regexp.MustCompile(`(127\.0\.0\.1|0\.0\.0\.0):\d+`)
	recipients = regexp.MustCompile(`age1[0-9a-z]{40,}`)
)

// meet runs the command with a fault.
func (v *faultyVault) meet(t *testing.T, f vaultFault, key *ecies.PrivateKey) outcome {
	dir := project(t, f.mapped(v, encrypted(t, key)))
	status, stdout, stderr := v.run(t, dir, f, "verify", "-v")
	for _, secret := range append([]string{key.Reveal(), "m4rked"}, v.hidden...) {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("%s: %s: the output holds %q:\n%s%s", v.title, f.name, secret, stdout, stderr)
		}
	}
	o := outcome{status: status}
	printed := hosts.ReplaceAllString(strings.ReplaceAll(stdout+stderr, dir, "~"), "HOST")
	lines := strings.Split(recipients.ReplaceAllString(printed, "age1…"), "\n")
	for i, line := range lines {
		for prefix, to := range map[string]*string{"envdrift: error: ": &o.message, "envdrift: hint: ": &o.remedy} {
			if text, ok := strings.CutPrefix(line, prefix); ok && *to == "" {
				*to = text
			}
		}
		if strings.HasPrefix(line, "not checked ") {
			o.message = strings.TrimSpace(lines[i+1])
		}
		if _, text, ok := strings.Cut(line, "  → "); ok && o.remedy == "" {
			o.remedy = text
		}
	}
	return o
}

// encrypted returns an env file for key.
func encrypted(tb testing.TB, key *ecies.PrivateKey) string {
	doc, _, err := dotenv.Parse([]byte("A=m4rked\n")).Encrypt(key.PublicKey(), dotenv.EncryptOptions{
		Header: "DOTENV_PUBLIC_KEY_PRODUCTION", File: ".env.production",
	})
	if err != nil {
		tb.Error(err)
		return ""
	}
	return string(doc.Bytes())
}

// asks returns the name of the secret.
func (f vaultFault) asks() string { return cmp.Or(f.secret, "app-key") }

// mapped adds to f a mapping of that secret to an env file.
func (f vaultFault) mapped(v *faultyVault, file string) vaultFault {
	f.config = cmp.Or(f.config, fmt.Sprintf(v.config, f.at))
	f.config += fmt.Sprintf("\n[[vault.sync.mappings]]\nsecret_name = %q\nfolder_path = \".\"\n", f.asks())
	files := map[string]string{".env.production": file}
	maps.Copy(files, f.files)
	f.files = files
	return f
}

// project creates a directory with the configuration and the fault's files.
func project(tb testing.TB, f vaultFault) (dir string) {
	dir = tb.TempDir()
	files := map[string]string{"envdrift.toml": f.config}
	maps.Copy(files, f.files)
	for name, data := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(data), 0o600)); err != nil {
			tb.Error(err)
		}
	}
	return dir
}

// run runs the command as a user who has only the vault's environment.
func (v *faultyVault) run(tb testing.TB, dir string, f vaultFault, args ...string) (status int, stdout, stderr string) {
	cmd := v.command(tb.Context(), dir, f, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		tb.Errorf("envdrift: %v", err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func (v *faultyVault) command(ctx context.Context, dir string, f vaultFault, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "envdrift", args...)
	cmd.Dir = dir
	// The command is alone in PATH: no az, no credential helper.
	cmd.Env = []string{"PATH=" + filepath.Dir(cmd.Path), "HOME=" + dir, "CI=true", "ENVDRIFT_TRUST=1", "GORACE=" + noRaceSleep, "GODEBUG=netdns=go",
		// What the SDKs would log is searched for secrets too.
		"AZURE_SDK_GO_LOGGING=all", "GOOGLE_SDK_GO_LOGGING_LEVEL=debug", "GRPC_GO_LOG_SEVERITY_LEVEL=info", "GRPC_GO_LOG_VERBOSITY_LEVEL=99",
		"AWS_LOG_LEVEL=debug", "VAULT_LOG_LEVEL=trace"}
	for _, env := range []map[string]string{v.env, f.env} {
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}
