package environ

import (
	"runtime"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/secret"
)

// Which names a program may inherit, and which ones an env file may set.

// isPrivate reports whether a variable holds a key that is for envdrift alone.
func isPrivate(name string) bool { return secret.ClassOf(name) == secret.Private }

// isBaseline reports whether --pristine keeps a name: what says where a program
// runs, and in which language and time, but gives it access to nothing.
func isBaseline(name string) bool {
	if runtime.GOOS == "windows" {
		return slices.Contains([]string{
			"ALLUSERSPROFILE", "APPDATA", "COMPUTERNAME", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA",
			"NUMBER_OF_PROCESSORS", "OS", "PATH", "PATHEXT", "PROCESSOR_ARCHITECTURE", "PROGRAMDATA", "PROGRAMFILES",
			"PROGRAMFILES(X86)", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERDOMAIN", "USERNAME", "USERPROFILE", "WINDIR",
		}, strings.ToUpper(name))
	}
	return strings.HasPrefix(name, "LC_") ||
		slices.Contains([]string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TZ", "TMPDIR"}, name)
}

// A Danger says what a variable does to the programs that see it: an env file,
// which anyone with the public key can write, may not set it. The zero Danger is
// none.
type Danger string

const (
	// RunsCode makes a program run code, or find its code elsewhere.
	RunsCode Danger = "can make programs run code of the file's author"
	// ChangesTrust makes a program trust another certificate, server, account
	// or configuration.
	ChangesTrust Danger = "can make programs trust another server, account or configuration"
)

// dangers is the list. A name that ends in * stands for all that begin so.
var dangers = map[Danger][]string{
	RunsCode: {
		// where programs, and their settings, are looked for
		"PATH", "PATHEXT", "COMSPEC", "HOME", "SHELL", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "CDPATH", "JAVA_HOME", "GOROOT", "GOTOOLCHAIN",
		// what the loader and the C library load
		"LD_*", "DYLD_*", "GLIBC_TUNABLES", "GCONV_PATH", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES",
		// what programs run for the user
		"BROWSER", "EDITOR", "VISUAL", "PAGER", "MANPAGER", "GH_PAGER", "SYSTEMD_PAGER", "PSQL_PAGER", "PSQL_EDITOR", "PSQLRC", "LESSOPEN", "LESSCLOSE",
		"SSH_ASKPASS", "SUDO_ASKPASS", "SVN_SSH", "SVN_EDITOR", "RSYNC_RSH", "CVS_RSH", "HGEDITOR", "HGRCPATH", "VIMINIT", "EXINIT", "TAR_OPTIONS", "WGETRC",
		// what git, shells, make and compilers run
		"GIT_*", "BASH_FUNC_*", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "IFS", "GLOBIGNORE", "ZDOTDIR", "FPATH",
		"MAKEFLAGS", "GNUMAKEFLAGS", "MAKEFILES", "CC", "CXX", "RUSTC*", "RUSTDOC", "RUSTFLAGS", "CARGO_BUILD_*", "GOFLAGS", "GOENV",
		// what languages and their tools load
		"NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "BUN_OPTIONS", "NPM_CONFIG_*", "YARN_RC_FILENAME", "YARN_YARN_PATH",
		"PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONBREAKPOINT", "PYTHONINSPECT", "PYTHONWARNINGS", "PYTEST_ADDOPTS", "PYTEST_PLUGINS",
		"PERL5OPT", "PERL5LIB", "PERL5DB", "PERL5SHELL", "PERLLIB", "RUBYOPT", "RUBYLIB", "RUBYSHELL", "BUNDLE_GEMFILE", "PHPRC", "PHP_INI_SCAN_DIR",
		"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS", "CATALINA_OPTS", "MAVEN_OPTS", "GRADLE_OPTS", "CLASSPATH",
		"DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS", "CORECLR_*", "COR_PROFILER*", "LUA_INIT*", "LUA_PATH*", "LUA_CPATH*",
		"ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS", "R_PROFILE*", "TF_CLI_*", "ANSIBLE_*",
	},
	ChangesTrust: {
		"ENVDRIFT_*", "CI", "VAULT_ADDR", "AZURE_AUTHORITY_HOST", "XDG_STATE_HOME", "TERMINFO", "HOSTALIASES", "LOCALDOMAIN", "KRB5_CONFIG",
		"NODE_TLS_REJECT_UNAUTHORIZED", "NODE_EXTRA_CA_CERTS", "PYTHONHTTPSVERIFY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE",
		"AWS_CONFIG_FILE", "KUBECONFIG", "DOCKER_CONFIG",
	},
}

// dangerOf returns what a variable of that name does, or "".
func dangerOf(name string) Danger {
	if upper := strings.ToUpper(name); runtime.GOOS == "windows" || strings.HasPrefix(upper, "NPM_CONFIG_") {
		name = upper // npm reads its variables in any case
	}
	for danger, names := range dangers {
		for _, known := range names {
			prefix, open := strings.CutSuffix(known, "*")
			if name == known || open && strings.HasPrefix(name, prefix) {
				return danger
			}
		}
	}
	return ""
}
