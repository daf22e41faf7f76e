package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/agnivade/levenshtein"
	"github.com/alecthomas/kingpin/v2"
)

// commandGroups are the parts of the list of commands, as in the README.
var commandGroups = [...]struct{ Title, Commands string }{
	{"Start", "init add hook"},
	{"Daily", "set unset edit ls get exec env pull lock encrypt decrypt"},
	{"Check", "verify check diff status doctor repair resolve leak scan log"},
	{"Team", "sync vault-push vault-pull rotate keys recipient trust vault"},
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

// completions are the scripts for each shell. All ask envdrift itself, as kingpin's for
// bash and zsh do.
var completions = map[string]string{
	"bash": kingpin.BashCompletionTemplate,
	// A package installs it as a file that zsh runs at the first completion, which then
	// has to complete as well.
	"zsh": strings.TrimSuffix(kingpin.ZshCompletionTemplate, "fi\n") + "else\n    _{{.App.Name}} \"$@\"\nfi\n",
	"fish": `function __{{.App.Name}}_complete
    set -l words (commandline -opc) (commandline -ct)
    {{.App.Name}} --completion-bash $words[2..-1] 2>/dev/null
end
complete -c {{.App.Name}} -a '(__{{.App.Name}}_complete)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName {{.App.Name}} -ScriptBlock {
    param($word, $line, $cursor)
    $words = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
    if ($word -eq '') { $words += $(if ($PSVersionTable.PSVersion -lt '7.3') { '""' } else { '' }) }
    {{.App.Name}} --completion-bash @words 2>$null | Where-Object { $_ -like "$word*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
`,
}

func (c *cli) addCompletion(app *kingpin.Application) (string, command) {
	shell, shells := "", slices.Sorted(maps.Keys(completions))
	cmd := app.Command("completion", "Print a script that completes commands and flags in your shell.").HelpLong(`
Statuses: 0 printed · 2 wrong usage
Example:  eval "$(envdrift completion bash)"
          envdrift completion fish | source`)
	cmd.Arg("SHELL", "bash, zsh, fish or powershell.").Required().HintOptions(shells...).EnumVar(&shell, shells...)
	return cmd.FullCommand(), func(context.Context) error { return c.printTemplate(completions[shell]) }
}

func (c *cli) addMan(app *kingpin.Application) (string, command) {
	cmd := app.Command("man", "Print the manual page.").HelpLong(`
Statuses: 0 printed
Example:  envdrift man | man -l -`)
	page := strings.NewReplacer(
		"{{.App.Version}}", `"`+version()+`"`, // the same on every platform
		".SH \"NAME\"\n{{.App.Name}}\n", ".SH \"NAME\"\n{{.App.Name}} \\- prove that encrypted env files decrypt with the vault's key\n", // for apropos
	).Replace(kingpin.ManPageTemplate)
	return cmd.FullCommand(), func(context.Context) error { return c.printTemplate(page) }
}

func (c *cli) printTemplate(text string) error {
	context, err := c.app.ParseContext(nil)
	if err != nil {
		return err
	}
	return c.app.UsageForContextWithTemplate(context, 0, text)
}

// suggestion returns what the first word that is not understood may have been
// meant as, of what fits in its place.
func (c *cli) suggestion(args []string) string {
	model := c.app.Model()
	flags, commands := model.Flags, model.Commands
	for i, arg := range args {
		if arg == "--" {
			break
		}
		var known []string
		for _, f := range flags {
			known = append(known, "--"+f.Name)
		}
		word, _, _ := strings.Cut(arg, "=")
		if !strings.HasPrefix(arg, "-") {
			at := slices.IndexFunc(commands, func(cmd *kingpin.CmdModel) bool { return cmd.Name == arg })
			if at >= 0 {
				flags, commands = append(slices.Clone(commands[at].Flags), flags...), commands[at].Commands
				continue
			}
			if slices.Contains(known, "--"+arg) && len(args) == i+1 {
				return "--" + arg // trust list
			}
			known = nil
			for _, cmd := range commands {
				known = append(known, cmd.Name)
			}
		}
		if near := nearest(word, known); near != "" {
			return near
		}
	}
	return ""
}

// nearest returns the one of names that differs from word by the fewest slips:
// at most one for every three letters. It is "" for none, or for word itself.
func nearest(word string, names []string) string {
	letters := func(s string) []rune { return slices.Sorted(slices.Values([]rune(s))) }
	best, fewest := "", len(strings.TrimLeft(word, "-"))/3+1
	for _, name := range slices.Sorted(slices.Values(names)) {
		slips := levenshtein.ComputeDistance(word, name)
		if slips == 2 && slices.Equal(letters(word), letters(name)) {
			slips = 1 // two letters changed places
		}
		if slips == 0 {
			return ""
		}
		if slips < fewest {
			best, fewest = name, slips
		}
	}
	return best
}
