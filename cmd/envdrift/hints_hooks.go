package main

import (
	"fmt"
	"strings"

	"github.com/envdrift/envdrift/hooks"
)

// hookNote says how git runs a hook and, if wanted, all that git runs with it.
func (c *cli) hookNote(h hooks.Hook, all bool) string {
	var notes []string
	if h.Manager != hooks.NoManager {
		notes = append(notes, "with "+h.Manager.String())
	}
	switch {
	case h.Own != "":
		notes = append(notes, "by "+c.underCwd(h.Own))
	case h.Scope == "global":
		notes = append(notes, "by your global git configuration")
	case h.Scope != "":
		notes = append(notes, "by git's configuration")
	}
	if all && len(h.Order) > 0 {
		var order []string
		for _, one := range h.Order {
			order = append(order, c.underCwd(one))
		}
		notes = append(notes, "git runs "+strings.Join(order, ", then "))
	}
	if h.Twice {
		notes = append(notes, "TWICE: "+c.commandLine("hook uninstall")+" removes what hook install wrote")
	}
	if h.Tracked && h.Runs() {
		notes = append(notes, "in "+c.underCwd(h.File)+", which lets commits pass where envdrift is not installed: git tracks it")
	}
	if h.Ignored {
		notes = append(notes, "git's configuration has it, which git ignores before 2.54")
	}
	return strings.Join(notes, "; ")
}

// A hookError reports a hook that git will not run.
type hookError struct{ hook hooks.Hook }

func (e *hookError) Error() string {
	switch {
	case e.hook.Problem != "":
		return fmt.Sprintf("git does not run it: %s", e.hook.Problem)
	case e.hook.State == hooks.Foreign:
		return "this hook runs without envdrift"
	}
	return "not installed"
}

// hookRemedy returns what to type so that git runs a hook.
func (c *cli) hookRemedy(h hooks.Hook) string {
	switch {
	case h.Problem == hooks.TurnedOff:
		return "git config --show-origin --get-regexp '^hook\\..*\\.enabled$'   shows where that is set; unset it there"
	case h.File == "", h.Scope == "global" && h.State == hooks.Outdated:
		return c.commandLine("hook install --global")
	case h.Eased:
	case h.Problem == hooks.NoStub:
		return "set up the hook manager in this working tree, for example with npm install or lefthook install"
	case h.Problem == hooks.NoLefthook:
		return "install lefthook, for example with npm install"
	case h.Problem == hooks.NoExecMount:
		return "mount it without noexec, or update git to 2.54 or later, which needs no hook file; then envdrift hook install"
	case h.Problem == hooks.CarriageReturn && (h.Own != "" || h.Tracked):
		return "give " + quote(c.underCwd(h.File)) + " line ends of LF; *.sh text eol=lf in .gitattributes keeps them"
	case h.Problem == hooks.NotExecutable && (h.Own != "" || h.Tracked):
		return "chmod +x " + quote(c.underCwd(h.File))
	case h.Problem == hooks.HooksOff:
		return hooksOffRemedy
	}
	return c.commandLine("hook install")
}

const hooksOffRemedy = "git config --show-origin core.hooksPath   shows where that is set; unset it there, then envdrift hook install"

// hookAdvice is on hooks that install left unchanged, and how they can call envdrift.
var hookAdvice = []adviser{
	about(func(c *cli, e *hooks.ForeignError) []string {
		switch e.Manager {
		case hooks.LegacyEnvdrift:
			return []string{"remove the lines of the earlier envdrift from it, or move it away, then " + c.commandLine("hook install")}
		case hooks.Lefthook:
			return []string{fmt.Sprintf("add a job for %s there that runs: envdrift hook run %[1]s {0}", e.Name)}
		}
		return []string{fmt.Sprintf("add to that hook: envdrift hook run %s, with the arguments that it is given", e.Name)}
	}),
	about(func(c *cli, _ *hooks.SharedError) []string {
		return []string{
			"to check the commits of all of them, add this to each hook there, with the hook's own name: envdrift hook run pre-commit, with the arguments that it is given",
			`or use separate hooks for this clone: git config core.hooksPath "$(git rev-parse --path-format=absolute --git-common-dir)/hooks" && ` + c.commandLine("hook install"),
		}
	}),
	about(func(c *cli, e *hooks.SimpleGitHooksError) []string {
		var lines []string
		for _, name := range e.Names {
			lines = append(lines, fmt.Sprintf(`"%s": "envdrift hook run %[1]s \"$@\""`, name))
		}
		return []string{
			`add to "simple-git-hooks" in ` + quote(c.underCwd(e.File)) + ", with && before what is there: " + strings.Join(lines, ", "),
			"then: npx simple-git-hooks",
		}
	}),
	always[*hooks.OldGitError](hint("%s, in each clone; or update git", "hook install")),
	is(hooks.ErrHooksOff, hint(hooksOffRemedy)),
}
