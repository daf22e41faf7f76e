package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A fixture is what the tasks need: the tools, "" if one is missing; a home of
// its own; a folder; a vault.
type fixture struct {
	envdrift, base, empty, dotenvx, sops, ageKeygen, earlier, bao string

	dir   string   // deleted in the end
	env   []string // of every command: without any user's configuration
	vault *vault   // nil without OpenBao
	repo  *repo    // the one made last
}

func newFixture() (*fixture, error) {
	b := &fixture{
		envdrift: os.Getenv("ENVDRIFT"), base: os.Getenv("BASE"), empty: os.Getenv("EMPTY"), dotenvx: os.Getenv("DOTENVX_2_38_2"), earlier: os.Getenv("EARLIER"),
		sops: os.Getenv("SOPS"), ageKeygen: os.Getenv("AGE_KEYGEN"), bao: os.Getenv("BAO"),
	}
	if b.envdrift == "" {
		return nil, fmt.Errorf("ENVDRIFT is not set; start bench/run instead")
	}
	dir, err := os.MkdirTemp("", "envdrift-bench-")
	if err != nil {
		return nil, err
	}
	b.dir = dir
	home := filepath.Join(dir, "home")
	path := os.Getenv("PATH")
	if b.dotenvx != "" { // for the earlier tool, which starts it
		path = filepath.Dir(b.dotenvx) + string(os.PathListSeparator) + path
	}
	b.env = []string{
		"PATH=" + path, "HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_STATE_HOME=" + home, "LANG=C.UTF-8",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com",
		"GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com",
		"VAULT_TOKEN=" + token, "ENVDRIFT_TRUST=1",
		// No tool is to wait for a network.
		"SOPS_DISABLE_VERSION_CHECK=1", "DOTENVX_NO_ARMOR=true", "DOTENVX_NO_NATIVE=true",
		"DOTENVX_NO_1PASSWORD=true", "DOTENVX_NO_BITWARDEN=true",
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		return b, err
	}
	if b.bao != "" {
		b.vault, err = startVault(b.bao, home)
	}
	return b, err
}

func (b *fixture) close() {
	if b.vault != nil {
		b.vault.stop()
	}
	os.RemoveAll(b.dir)
}

// in returns a command that runs in dir with the variables of b and env.
func (b *fixture) in(dir string, env []string, argv ...string) command {
	return command{dir: dir, env: append(b.env[:len(b.env):len(b.env)], env...), argv: argv}
}

// output runs c, outside of any measurement.
func (c command) output(stdin []byte) (string, error) {
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	var out, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, c.env, bytes.NewReader(stdin), &out, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", c, err, stderr.Bytes())
	}
	return strings.TrimSpace(out.String()), nil
}

const token = "root"

// A vault is an OpenBao server in development mode, on loopback.
type vault struct {
	url  *url.URL
	stop func()
}

func startVault(program, home string) (*vault, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close() // for the server to take
	cmd := exec.Command(program, "server", "-dev", "-dev-root-token-id="+token, "-dev-no-store-token", "-dev-listen-address="+address)
	cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	v := &vault{url: &url.URL{Scheme: "http", Host: address}, stop: func() { cmd.Process.Kill(); cmd.Wait() }}
	for range 300 {
		if err = v.put("ready", "yes"); err == nil {
			return v, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	v.stop()
	return nil, fmt.Errorf("openbao does not answer: %w", err)
}

func (v *vault) put(secret, value string) error {
	body, err := json.Marshal(map[string]any{"data": map[string]string{"value": value}})
	if err != nil {
		return err
	}
	return ask(http.MethodPost, v.url.String(), secret, body)
}

// ask sends one request to the vault at address, on a connection that is kept.
func ask(method, address, secret string, body []byte) error {
	r, err := http.NewRequest(method, address+"/v1/secret/data/"+secret, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("X-Vault-Token", token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := bytes.NewBuffer(nil).ReadFrom(answer.Body); err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, secret, answer.Status)
	}
	return nil
}

// slow starts a proxy for the vault that delays every request by so long, and
// returns its address.
func (v *vault) slow(latency time.Duration) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	proxy := httputil.NewSingleHostReverseProxy(v.url)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		proxy.ServeHTTP(w, r)
	})}
	go server.Serve(l)
	return "http://" + l.Addr().String(), func() { server.Shutdown(context.Background()) }, nil
}

// plain returns an env file of n typical values.
func plain(n int) []byte {
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "NAME_%05d=postgres://user:password-%d@db.example.com:5432/app\n", i, i)
	}
	return text.Bytes()
}

const (
	envFile = ".env.production"
	keyName = "DOTENV_PRIVATE_KEY_PRODUCTION"
)

// encrypted makes an encrypted env file of n values in each of the folders of
// dir, and returns their private keys.
func (b *fixture) encrypted(dir string, n int, folders ...string) (keys []string, err error) {
	argv := []string{b.envdrift, "encrypt"}
	for _, folder := range folders {
		if err := write(filepath.Join(dir, folder, envFile), plain(n)); err != nil {
			return nil, err
		}
		argv = append(argv, filepath.Join(folder, envFile))
	}
	if _, err := b.in(dir, nil, argv...).output(nil); err != nil {
		return nil, err
	}
	for _, folder := range folders {
		data, err := os.ReadFile(filepath.Join(dir, folder, ".env.keys"))
		if err != nil {
			return nil, err
		}
		_, key, _ := strings.Cut(string(data), keyName+"=")
		key, _, _ = strings.Cut(key, "\n")
		keys = append(keys, strings.Trim(key, `"`))
	}
	return keys, nil
}

func write(name string, data []byte) error {
	return cmp.Or(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o600))
}
