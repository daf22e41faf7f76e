package secret

import (
	"os"
	"runtime"
	"slices"
	"strings"
)

// A Class determines which programs may see a variable of the environment.
type Class int

const (
	// Public variables have no secret that envdrift knows of.
	Public Class = iota
	// Private ones are only for envdrift: no program that it starts sees
	// them.
	Private
	// VaultAccess ones sign in to a vault. The helper of that vault sees them, the
	// program of exec only on request; git and what a helper of ours starts never do.
	VaultAccess
	// CloudAccess ones sign in to a cloud, which the program of exec and
	// the helpers of a vault may need. Git does not.
	CloudAccess
)

// classes is the one list of the variables that contain secrets. A name that
// ends in * matches all names with that prefix.
var classes = [...]struct {
	name  string
	class Class
}{
	{"DOTENV_PRIVATE_KEY*", Private},
	{"ENVDRIFT_AGE_KEY", Private},
	{"VAULT_TOKEN", VaultAccess},
	{"VAULT_SECRET_ID", VaultAccess},
	{"VAULT_JWT", VaultAccess},
	{"VAULT_HEADERS", VaultAccess},
	{"OP_SERVICE_ACCOUNT_TOKEN", VaultAccess},
	{"OP_CONNECT_TOKEN", VaultAccess},
	{"OP_SESSION_*", VaultAccess},
	{"BW_SESSION", VaultAccess},
	{"BW_PASSWORD", VaultAccess},
	{"BW_CLIENTSECRET", VaultAccess},
	{"DOPPLER_TOKEN", VaultAccess},
	{"INFISICAL_TOKEN", VaultAccess},
	{"INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET", VaultAccess},
	{"AWS_SECRET_ACCESS_KEY", CloudAccess},
	{"AWS_SESSION_TOKEN", CloudAccess},
	{"AZURE_CLIENT_SECRET", CloudAccess},
	{"AZURE_PASSWORD", CloudAccess},
	{"AZURE_CLIENT_CERTIFICATE_PASSWORD", CloudAccess},
}

// ClassOf returns the class of the variable name. On Windows the case of such a
// name does not matter, so ClassOf ignores it there.
func ClassOf(name string) Class { return classOf(name, runtime.GOOS == "windows") }

func classOf(name string, foldCase bool) Class {
	name = fold(name, foldCase)
	if slices.Contains(declared, name) {
		return VaultAccess
	}
	for _, v := range classes {
		prefix, open := strings.CutSuffix(v.name, "*")
		if name == v.name || open && strings.HasPrefix(name, prefix) {
			return v.class
		}
	}
	return Public
}

func fold(name string, foldCase bool) string {
	if foldCase {
		return strings.ToUpper(name)
	}
	return name
}

// declared are the variables of helpers that the user registered, and begun those of
// which the list of classes has the beginning, as they are in the environment.
var declared, begun []string

// Declare says that variables sign in to a vault, unless they have another class. It
// must return before anything else of this package is called, and before the
// environment is changed.
func Declare(names ...string) {
	for _, name := range names {
		if ClassOf(name) == Public {
			declared = append(declared, fold(name, runtime.GOOS == "windows"))
		}
	}
	exact := VaultVariables()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); ClassOf(name) == VaultAccess && !slices.Contains(exact, name) && !slices.Contains(declared, name) {
			begun = append(begun, name)
		}
	}
}

// VaultVariables returns the names of the variables that sign in to a vault, but for
// the declared ones.
func VaultVariables() []string {
	names := slices.Clone(begun)
	for _, v := range classes {
		if v.class == VaultAccess && !strings.HasSuffix(v.name, "*") {
			names = append(names, v.name)
		}
	}
	return names
}
