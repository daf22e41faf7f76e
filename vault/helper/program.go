package helper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// prefix is how the names of helpers begin.
const prefix = "envdrift-vault-"

// Provider returns p, which has no SDK in this program, with a way to open it: the
// helper envdrift-vault-NAME beside this program.
func Provider(p vault.Provider) vault.Provider {
	p.Open = func(ctx context.Context, cfg vault.Config) (vault.Store, error) {
		path, err := find(p.Name)
		if err != nil {
			return nil, err
		}
		settings := map[string]string{}
		for _, s := range p.Settings {
			if value := s.Of(cfg); value != "" {
				settings[s.Key] = value
			}
		}
		return Open(ctx, Program{Path: path, Env: environ(p, cfg.Getenv), Settings: settings}, cfg)
	}
	return p
}

// find returns the path of the helper for a provider. Nothing but the folder of this
// program is searched: whoever can write there can replace this program as well.
func find(provider string) (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", notFound(provider, err.Error())
	}
	name := prefix + provider
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	path := filepath.Join(filepath.Dir(self), name)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", notFound(provider, fmt.Sprintf("there is no %s beside %s", name, self))
	case !info.Mode().IsRegular(), runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return "", notFound(provider, path+" is no program")
	case runtime.GOOS != "windows" && info.Mode()&0o022 != 0:
		return "", notFound(provider, fmt.Sprintf("others can write to %s, so it is not started", path))
	}
	return path, nil
}

func notFound(provider, why string) error {
	remedy := "go install github.com/envdrift/envdrift/cmd/..."
	return vault.NewProblem(vault.ErrConfig, why, remedy).Of("open", fmt.Sprintf("provider %q", provider), "")
}

// environ returns the environment of a provider's helper: that of this process, which
// has no keys and no vault's token, without the access to other clouds, and with the
// provider's own.
func environ(p vault.Provider, getenv func(string) string) (env []string) {
	own := func(name string) bool {
		for _, begin := range p.Env {
			if strings.HasPrefix(name, begin) {
				return true
			}
		}
		return false
	}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); secret.ClassOf(name) == secret.Public || own(name) {
			env = append(env, kv)
		}
	}
	for _, name := range secret.VaultVariables() {
		if own(name) && getenv != nil && getenv(name) != "" {
			env = append(env, name+"="+getenv(name))
		}
	}
	return env
}

// Main is the whole of the helper for a provider, with the SDK that open uses. It
// returns the exit status.
func Main(p vault.Provider, open vault.OpenFunc) int {
	// What the SDK starts, such as az, gets no vault's token.
	env := map[string]string{}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if env[name] = value; secret.ClassOf(name) == secret.VaultAccess {
			_ = os.Unsetenv(name) // fails only for a name that was not set
		}
	}
	err := Serve(context.Background(), os.Stdin, os.Stdout, func(ctx context.Context, settings map[string]string, cfg vault.Config) (vault.Store, error) {
		cfg.Provider, cfg.Getenv = p.Name, func(name string) string { return env[name] }
		for _, s := range p.Settings {
			if value, set := settings[s.Key]; set {
				s.Set(&cfg, value)
			}
		}
		return open(ctx, cfg)
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s%s: %v; envdrift starts this program\n", prefix, p.Name, err)
		return 1
	}
	return 0
}
