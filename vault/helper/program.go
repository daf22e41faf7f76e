package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// prefix is how the names of our own helpers begin.
const prefix = "envdrift-vault-"

// Provider returns p, which has no SDK in this program, with a way to open it: the
// helper envdrift-vault-NAME beside this program, else the one that the user
// registered as NAME.
func Provider(p vault.Provider) vault.Provider {
	program := func() (path string, err error) {
		path, err = find(p.Name)
		if missing := (*missingError)(nil); errors.As(err, &missing) {
			return "", configError(p.Name, err.Error(), fmt.Sprintf("go install github.com/envdrift/envdrift/cmd/...   or, if it is elsewhere: envdrift vault add %s PATH", p.Name))
		}
		if err != nil {
			return "", configError(p.Name, err.Error(), remedyOf(err))
		}
		return path, nil
	}
	p.Check = func(vault.Config) error {
		_, err := program()
		return err
	}
	p.Open = func(ctx context.Context, cfg vault.Config) (vault.Store, error) {
		path, err := program()
		if err != nil {
			return nil, err
		}
		settings := map[string]string{}
		for _, s := range p.Settings {
			if value := s.Of(cfg); value != "" {
				settings[s.Key] = value
			}
		}
		return Open(ctx, Program{Provider: p.Name, Path: path, Env: environ(p.Env, nil, cfg.Getenv), Settings: settings}, cfg)
	}
	return p
}

// A missingError reports that a helper of ours is nowhere.
type missingError struct{ name, self string }

func (e *missingError) Error() string { return fmt.Sprintf("there is no %s beside %s", e.name, e.self) }

// find returns the path of our own helper for a provider. The folder of this program
// is searched, because whoever can write there can replace this program as well.
func find(provider string) (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", err
	}
	name := prefix + provider
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	path := filepath.Join(filepath.Dir(self), name)
	own, err := os.Stat(self)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, checkFile(path, own)
	}
	program, ok, err := Registered(provider)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", &missingError{name, self}
	}
	return program.Path, Check(program.Path)
}

func configError(provider, why, remedy string) error {
	return vault.NewProblem(vault.ErrConfig, why, remedy).Of("open", fmt.Sprintf("provider %q", provider), "")
}

// environ returns the environment of a helper: that of this process, which has no keys
// and no vault's token, without the access to other vaults and clouds. The variables
// that are the helper's own have the names, or begin as in begins.
func environ(begins, names []string, getenv func(string) string) (env []string) {
	own := func(name string) bool {
		return slices.Contains(names, name) || slices.ContainsFunc(begins, func(begin string) bool { return strings.HasPrefix(name, begin) })
	}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if class := secret.ClassOf(name); class == secret.Public || class != secret.Private && own(name) {
			env = append(env, kv)
		}
	}
	for _, name := range append(secret.VaultVariables(), names...) {
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
		if cfg.Provider != p.Name {
			remedy := ""
			if isExec(cfg.Provider) {
				remedy = fmt.Sprintf("provider = %q, without exec", p.Name)
			}
			return nil, configError(cfg.Provider, fmt.Sprintf("the program that was started is the helper for %s", p.Name), remedy)
		}
		cfg.Getenv = func(name string) string { return env[name] }
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
