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

// isDangerous reports whether a name makes programs load code: an env file, which
// anybody with the public key can write, may not set it.
func isDangerous(name string) bool {
	if runtime.GOOS == "windows" {
		name = strings.ToUpper(name)
	}
	for _, prefix := range []string{"LD_", "DYLD_", "GIT_", "BASH_FUNC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.HasPrefix(strings.ToLower(name), "npm_config_") || slices.Contains([]string{
		// where programs, and their settings, are looked for
		"PATH", "PATHEXT", "COMSPEC", "HOME", "SHELL", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "GCONV_PATH", "OPENSSL_CONF", "OPENSSL_MODULES",
		// what programs run for a person
		"BROWSER", "EDITOR", "VISUAL", "PAGER", "LESSOPEN", "LESSCLOSE", "SSH_ASKPASS", "SUDO_ASKPASS",
		// what shells and make run
		"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "IFS", "ZDOTDIR", "FPATH", "MAKEFLAGS",
		// what languages load
		"NODE_OPTIONS", "NODE_PATH", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONBREAKPOINT",
		"PERL5OPT", "PERL5LIB", "PERL5DB", "PERLLIB", "RUBYOPT", "RUBYLIB", "PHPRC", "PHP_INI_SCAN_DIR", "GOFLAGS", "RUSTC_WRAPPER",
		"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH",
	}, name)
}
