package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
)

// Git 2.54 and later run hooks from their configuration as well, before the hook
// file, whatever core.hooksPath says. There Install needs no file: nothing that git
// tracks changes, and no other hook has to be chained. Older ones ignore it.
//
// Git collects the events of a name from all of the configuration, and takes the
// last command. So the command of a clone stands in for the user's global one of the
// same name, and runs once.

// A Command is a hook that git's configuration names for an event.
type Command struct {
	Name  string // git refuses one that is an event's
	Scope string // where its text is set: "local", "global", …
	Text  string // run by sh, with the arguments of the hook
	Off   string // the key that turns it off; "" if it runs
}

// commandName is the name of envdrift's own command.
func commandName(event string) string { return "envdrift-" + event }

// ours reports whether c is what Install writes, or wrote.
func (c Command) ours(event string) bool {
	return c.Name == commandName(event) && strings.Contains(c.Text, " hook run "+event)
}

// everywhere reports whether c is of the user's global configuration, and leaves a
// clone with a hook of its own to that.
func (c Command) everywhere() bool { return strings.Contains(c.Text, " --everywhere ") }

// commands returns what settings name for each event, in the order in which git
// runs it.
func commands(settings []gitops.Setting) map[string][]Command {
	named, off := map[string]Command{}, map[string]bool{}
	events := map[string][]string{}
	for _, setting := range settings {
		rest, isHook := strings.CutPrefix(setting.Key, "hook.")
		dot := strings.LastIndex(rest, ".")
		if !isHook || dot < 0 {
			continue
		}
		name := rest[:dot]
		switch rest[dot+1:] {
		case "command":
			named[name] = Command{Name: name, Scope: setting.Scope, Text: setting.Value}
		case "event":
			for event, names := range events { // an empty one takes back those before
				if setting.Value == "" || setting.Value == event {
					events[event] = slices.DeleteFunc(names, func(other string) bool { return other == name })
				}
			}
			if setting.Value != "" {
				events[setting.Value] = append(events[setting.Value], name)
			}
		case "enabled":
			off[name] = slices.Contains([]string{"false", "no", "off", "0", ""}, strings.ToLower(setting.Value))
		}
	}
	list := map[string][]Command{}
	for event, names := range events {
		for _, name := range names {
			c := named[name]
			for _, subject := range []string{name, event} {
				if off[subject] {
					c.Off = "hook." + subject + ".enabled"
				}
			}
			list[event] = append(list[event], c)
		}
	}
	return list
}

// running returns the commands of the event that run envdrift: what Install wrote,
// and one of the user's.
func (l Location) running(event string) (ours, theirs *Command) {
	for _, c := range l.Commands[event] {
		if c.ours(event) {
			ours = &c
		} else if c.Off == "" && runsEnvdrift(event, []byte(c.Text)) {
			theirs = &c
		}
	}
	return ours, theirs
}

// inspectConfig adds to h, which says what the hook file does, what git's
// configuration does.
func (l Location) inspectConfig(h *Hook) {
	ours, theirs := l.running(h.Name)
	if !l.ByConfig {
		h.Ignored = ours != nil || theirs != nil
		return
	}
	if theirs != nil {
		h.Twice = h.Runs()
		h.State, h.Problem, h.Own, h.Scope, h.Tracked = Chained, "", GitConfiguration, theirs.Scope, false
	}
	switch {
	case ours == nil || ours.everywhere() && h.Runs(): // it leaves the event to the clone's own hook
	case ours.Off != "":
		if !h.Runs() {
			h.State, h.Problem = Shadowed, TurnedOff
		}
	default:
		h.Twice = h.Runs()
		h.State, h.Problem, h.Scope, h.Manager, h.Own, h.Tracked = Current, "", ours.Scope, NoManager, "", false
		if ours.Text != l.command(h.Name, ours.everywhere()) {
			h.State = Outdated
		}
	}
}

// order returns what git runs at the event, in its order: "hook.<name>" for what is
// in its configuration, and the hook file.
func (l Location) order(event string) (list []string) {
	for _, c := range l.Commands[event] {
		if l.ByConfig && c.Off == "" {
			list = append(list, "hook."+c.Name)
		}
	}
	if slot := l.slot(event); !l.Global && !l.off() && executable(slot) {
		if data, _ := os.ReadFile(slot); !firstLineEndsInCR(data) {
			list = append(list, slot)
		}
	}
	return list
}

// An OldGitError reports a git that takes no hooks from its configuration.
type OldGitError struct{ Major, Minor int }

func (e *OldGitError) Error() string {
	return fmt.Sprintf("git %d.%d takes no hooks from its configuration: 2.54 and later do", e.Major, e.Minor)
}

// Everywhere returns a Location that is the user's global configuration: its hooks
// run in every clone. repo may be that of [gitops.OpenConfig].
func Everywhere(ctx context.Context, repo *gitops.Repo, self string) (Location, error) {
	l := Location{Global: true, Self: self, repo: repo}
	err := errors.Join(l.readConfig(ctx), l.readVersion(ctx))
	return l, err
}

// scope returns which configuration Install writes.
func (l Location) scope() string {
	if l.Global {
		return "global"
	}
	return "local"
}

// filesKey is set in a clone where [Install] keeps to hook files.
const filesKey = "envdrift.hookfiles"

// readConfig reads what git's configuration says of hooks.
func (l *Location) readConfig(ctx context.Context) (err error) {
	if l.settings, err = l.repo.Settings(ctx, `^(core\.hookspath|hook\..*|envdrift\.hookfiles)$`); err != nil {
		return err
	}
	if l.Global {
		l.settings = slices.DeleteFunc(l.settings, func(s gitops.Setting) bool { return s.Scope != "global" })
	}
	l.HooksPath, l.Scope, l.Files = "", "", false
	for _, setting := range l.settings {
		switch setting.Key {
		case "core.hookspath":
			l.HooksPath, l.Scope = setting.Value, setting.Scope
		case filesKey:
			l.Files = setting.Value == "true"
		}
	}
	l.Commands = commands(l.settings)
	return nil
}

// readVersion reads whether git runs what its configuration says of hooks.
func (l *Location) readVersion(ctx context.Context) (err error) {
	l.major, l.minor, err = l.repo.GitVersion(ctx)
	l.ByConfig = l.major > 2 || l.major == 2 && l.minor >= 54
	return err
}

// set gives a key its value, unless it has that.
func (l Location) set(ctx context.Context, key, value string) error {
	var values []string
	for _, s := range l.settings {
		if s.Key == key && s.Scope == l.scope() {
			values = append(values, s.Value)
		}
	}
	if slices.Equal(values, []string{value}) {
		return nil
	}
	return l.repo.SetConfig(ctx, l.scope(), key, value)
}

// configure lets git's configuration run envdrift at the event, unless something of
// the user's does, and then removes what an earlier install wrote elsewhere: a killed
// one leaves both.
func (l Location) configure(ctx context.Context, event string) error {
	ours, theirs := l.running(event)
	if !l.Global {
		h, err := l.inspectFile(event)
		if err != nil {
			return err
		}
		if theirs != nil || h.Runs() && (h.Own != "" || slices.Contains(l.Committed, h.File)) {
			return l.unconfigure(ctx, event)
		}
	}
	name := "hook." + commandName(event)
	// The command first: git fails at an event without one.
	if err := l.set(ctx, name+".command", l.command(event, l.Global)); err != nil {
		return err
	}
	if err := l.set(ctx, name+".event", event); err != nil {
		return err
	}
	if ours != nil && ours.Off == name+".enabled" {
		if err := l.set(ctx, name+".enabled", "true"); err != nil {
			return err
		}
	}
	if l.Global {
		return nil
	}
	return l.removeFiles(event, l.Committed)
}

// unconfigure removes envdrift's command of the event.
func (l Location) unconfigure(ctx context.Context, event string) error {
	return l.unset(ctx, "hook."+commandName(event))
}

// unset removes a section, unless it only turns off what is set elsewhere.
func (l Location) unset(ctx context.Context, section string) error {
	if !slices.ContainsFunc(l.settings, func(s gitops.Setting) bool {
		return s.Scope == l.scope() && strings.HasPrefix(s.Key, section+".") && s.Key != section+".enabled"
	}) {
		return nil
	}
	return l.repo.UnsetConfig(ctx, l.scope(), section)
}

// RunsBesides reports whether git also runs envdrift at the event by something of
// the clone's, to which the command of the user's global configuration leaves it.
func RunsBesides(ctx context.Context, repo *gitops.Repo, event string) (bool, error) {
	l := Location{Dir: repo.HooksDir, Top: repo.Top, CommonDir: repo.CommonDir, repo: repo}
	err := l.readConfig(ctx)
	h, errFile := l.inspectFile(event)
	_, theirs := l.running(event)
	return theirs != nil || h.Runs(), errors.Join(err, errFile)
}

// command returns the text of envdrift's command for an event. It is a function,
// for git appends the arguments.
func (l Location) command(name string, everywhere bool) string {
	event, _ := EventNamed(name)
	run, scope := `"$envdrift" hook run @NAME@ `, "local"
	text := "f() {\n"
	if !event.Stops {
		text += "[ \"${ENVDRIFT-}\" = 0 ] && return\n"
	}
	if event.Switches {
		text += "[ \"${3-}\" = 1 ] && [ \"$1\" != \"$2\" ] || return 0\n"
	}
	if everywhere {
		run, scope = run+"--everywhere ", "global"
		text += guard(event)
	}
	text += find + "if [ ! -x \"$envdrift\" ]; then\n" + gone(event, scope) + "fi\n"
	if event.ask == "" {
		text += run + `"$@"`
	} else {
		text += strings.TrimSuffix(asking(event.ask, run+"--asked \"$@\"\n"), "\n")
	}
	if !event.Stops {
		text += " || :" // whatever happened, git has done its work
	}
	return fill(text+"\n}; f", name, l.Self)
}

// gone is for where envdrift was removed.
func gone(event Event, scope string) string {
	if !event.Stops {
		return "\techo \"envdrift: env files not brought up to date: envdrift is neither in PATH nor at $envdrift\" >&2\n\treturn\n"
	}
	return `	printf '%s\n' >&2 \
		"envdrift: ` + event.Doing + ` stopped: envdrift is neither in PATH nor at $envdrift" \
		"envdrift: install it again, or remove this hook: git config --` + scope + ` --remove-section hook.envdrift-@NAME@" \
		"envdrift: to go on once without it: git -c hook.envdrift-@NAME@.enabled=false …"
	return 1
`
}

// guard lets a repository without a configuration of envdrift pass before envdrift
// is started. Where git is about to commit, HEAD's configuration counts too: a commit
// cannot remove it to escape. A push may be of other commits: envdrift looks itself.
func guard(event Event) string {
	if event.Updates != nil {
		return ""
	}
	text := `has() {
	[ ! -e envdrift.toml ] || return 0
	files=@LIST@ || return 0
	case $files in "") return 1 ;; *envdrift.toml*) return 0 ;; esac
	@GREP@
}
has || return 0
`
	// One process for each: a shell starts another for a function or a list in $().
	git := func(args string) string { return "git --no-literal-pathspecs " + args + " 2>/dev/null" }
	const files = ` -- ':(glob)**/envdrift.toml' ':(glob)**/pyproject.toml'`
	const projects = ` -- ':(glob)**/pyproject.toml'`
	list, grep := "$("+git("ls-files"+files)+")", git("grep -q --cached -e envdrift"+projects)
	if event.Stops {
		list = "$(" + git("ls-files --with-tree=HEAD"+files) + ") ||\n\t\tfiles=" + list
		grep += " ||\n\t\t" + git("grep -q -e envdrift HEAD"+projects)
	}
	return strings.NewReplacer("@LIST@", list, "@GREP@", grep).Replace(text)
}
