package main

import (
	"context"
	"fmt"
	"strings"
	"text/template"

	"github.com/agnivade/levenshtein"
	"github.com/alecthomas/kingpin/v2"
)

// commandGroups are the parts of the list of commands, as in the README.
var commandGroups = [...]struct{ Title, Commands string }{
	{"Start", "init add hook"},
	{"Daily", "exec env pull lock encrypt decrypt"},
	{"Check", "verify status doctor repair"},
	{"Team", "sync vault-push vault-pull recipient trust"},
	{"CI and shell", "completion man version help"},
}

// inGroup returns those of all commands that a group names, in its order.
func inGroup(group string, all []*kingpin.CmdModel) (commands []*kingpin.CmdModel) {
	for _, name := range strings.Fields(group) {
		for _, cmd := range all {
			if strings.Fields(cmd.FullCommand)[0] == name && !cmd.Hidden {
				commands = append(commands, cmd)
			}
		}
	}
	return commands
}

// usageFuncs are what usageTemplate needs in addition to kingpin's own
// functions: its list of flags shows every switch as --[no-]switch, and it has no
// groups.
var usageFuncs = template.FuncMap{"groups": func() any { return commandGroups }, "inGroup": inGroup, "flags": func(flags []*kingpin.FlagModel) [][2]string {
	var rows [][2]string
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		left := "    --" + f.Name
		if f.Short != 0 {
			left = fmt.Sprintf("-%c, --%s", f.Short, f.Name)
		}
		if !f.IsBoolFlag() {
			left += "=" + f.FormatPlaceHolder()
		}
		rows = append(rows, [2]string{left, f.Help})
	}
	return rows
}}

// usageTemplate shows a command's own flags first: the common ones would push
// them off the screen.
const usageTemplate = `{{define "args"}}{{range .Args}} {{if not .Required}}[{{end}}{{if .PlaceHolder}}{{.PlaceHolder}}{{else}}{{.Name}}{{end}}{{if .Value|IsCumulative}}…{{end}}{{if not .Required}}]{{end}}{{end}}{{end -}}
{{define "commands"}}{{range .}}{{if not .Hidden}}  {{.FullCommand}}{{template "args" .}}
{{.Help|Wrap 6}}{{end}}{{end}}{{end -}}
{{if .Context.SelectedCommand -}}
usage: {{.App.Name}} {{.Context.SelectedCommand}} [FLAG…]{{template "args" .Context.SelectedCommand}}

{{.Context.SelectedCommand.Help|Wrap 0}}{{with .Context.SelectedCommand.HelpLong}}{{.}}
{{end}}{{with .Context.SelectedCommand.Commands}}
Commands:
{{template "commands" $.Context.SelectedCommand.FlattenedCommands}}{{end}}{{with .Context.SelectedCommand.Flags|flags}}
Flags:
{{.|FormatTwoColumns}}{{end}}
Flags of every command:
{{.App.Flags|flags|FormatTwoColumns}}{{else -}}
usage: {{.App.Name}} [FLAG…] COMMAND [ARG…]

{{.App.Help|Wrap 0}}{{range groups}}
{{.Title}}:
{{template "commands" (inGroup .Commands $.App.FlattenedCommands)}}{{end}}
Flags of every command:
{{.App.Flags|flags|FormatTwoColumns}}
"envdrift COMMAND --help" describes a command.
{{end -}}
`

func (c *cli) addCompletion(app *kingpin.Application) (string, command) {
	shell := ""
	cmd := app.Command("completion", "Print a script that completes commands and flags in your shell.").HelpLong(`
Statuses: 0 printed · 2 wrong usage
Example:  eval "$(envdrift completion bash)"`)
	cmd.Arg("SHELL", "bash or zsh.").Required().EnumVar(&shell, "bash", "zsh")
	return cmd.FullCommand(), func(context.Context) error {
		if shell == "zsh" {
			return c.printTemplate(kingpin.ZshCompletionTemplate)
		}
		return c.printTemplate(kingpin.BashCompletionTemplate)
	}
}

func (c *cli) addMan(app *kingpin.Application) (string, command) {
	cmd := app.Command("man", "Print the manual page.").HelpLong(`
Statuses: 0 printed
Example:  envdrift man | man -l -`)
	return cmd.FullCommand(), func(context.Context) error { return c.printTemplate(kingpin.ManPageTemplate) }
}

func (c *cli) printTemplate(text string) error {
	context, err := c.app.ParseContext(nil)
	if err != nil {
		return err
	}
	return c.app.UsageForContextWithTemplate(context, 0, text)
}

// suggestion returns what a mistyped command or flag may have been meant as.
func (c *cli) suggestion(args []string) string {
	model := c.app.Model()
	names := map[string]bool{}
	for _, f := range model.Flags {
		names["--"+f.Name] = true
	}
	for _, cmd := range model.FlattenedCommands() {
		names[strings.Fields(cmd.FullCommand)[0]] = true
		for _, f := range cmd.Flags {
			names["--"+f.Name] = true
		}
	}
	for _, arg := range args {
		if arg == "--" {
			break
		}
		arg, _, _ = strings.Cut(arg, "=")
		if names[arg] || len(arg) < 3 || strings.ContainsAny(arg, "./") {
			continue
		}
		best, distance := "", 3
		for name := range names {
			if d := levenshtein.ComputeDistance(arg, name); d < distance || d == distance && name < best {
				best, distance = name, d
			}
		}
		if best != "" {
			return best
		}
	}
	return ""
}
