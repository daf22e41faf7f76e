// Package cmdline brings a command line into the part of its syntax that kingpin
// reads as users mean it.
package cmdline

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kingpin/v2"
)

// Normalize rewrites a command line. From the first word of exec's program on,
// everything is the program's, as if it came after "--". A switch takes =true and
// =false, which kingpin would take for the next argument. A flag whose placeholder
// is in brackets may stand alone, which is an empty value.
func Normalize(app *kingpin.ApplicationModel, args []string) ([]string, error) {
	group := app.CmdGroupModel
	flags := app.Flags
	command := ""
	var out []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return append(out, args[i:]...), nil
		case arg != "-" && strings.HasPrefix(arg, "-"):
			word, takesNext, err := normalizeFlag(flags, arg)
			if err != nil {
				return nil, err
			}
			out = append(out, word)
			if takesNext && i+1 < len(args) {
				i++
				out = append(out, args[i])
			}
		case command == "exec":
			return append(append(out, "--"), args[i:]...), nil
		default:
			out = append(out, arg)
			if cmd := commandNamed(group, arg); cmd != nil {
				command, group, flags = cmd.FullCommand, cmd.CmdGroupModel, slices.Concat(flags, cmd.Flags)
			}
		}
	}
	return out, nil
}

func commandNamed(group *kingpin.CmdGroupModel, name string) *kingpin.CmdModel {
	if group == nil {
		return nil
	}
	for _, cmd := range group.Commands {
		if cmd.Name == name {
			return cmd
		}
	}
	return nil
}

// normalizeFlag returns a flag as kingpin reads it, and whether the next argument
// is its value. A flag that is not known stays as it is.
func normalizeFlag(flags []*kingpin.FlagModel, arg string) (word string, takesNext bool, err error) {
	long, isLong := strings.CutPrefix(arg, "--")
	if !isLong {
		return arg, shortTakesNext(flags, arg[1:]), nil
	}
	name, value, given := strings.Cut(long, "=")
	i := slices.IndexFunc(flags, func(f *kingpin.FlagModel) bool { return f.Name == name })
	switch {
	case i < 0:
		return arg, false, nil
	case !given && strings.HasPrefix(flags[i].PlaceHolder, "["):
		return arg + "=", false, nil
	case !flags[i].IsBoolFlag():
		return arg, !given, nil
	case !given, value == "true":
		return "--" + name, false, nil
	case value == "false":
		return "--no-" + name, false, nil
	}
	return "", false, fmt.Errorf("--%s takes =true or =false, or stands alone", name)
}

// shortTakesNext reports whether the last of some short flags takes the next
// argument for its value.
func shortTakesNext(flags []*kingpin.FlagModel, shorts string) bool {
	for at, r := range shorts {
		i := slices.IndexFunc(flags, func(f *kingpin.FlagModel) bool { return f.Short == r })
		if i < 0 {
			return false
		}
		if !flags[i].IsBoolFlag() {
			return at+utf8.RuneLen(r) == len(shorts) // else the rest is the value
		}
	}
	return false
}

// Redact removes what the user typed from an error of kingpin if it may be a
// secret: one argument too many is often the key itself, and only kingpin's text
// distinguishes that error from others. Of a wrong number or time it says what is right.
func Redact(err error, args []string) error {
	const longestWord = 24 // envdrift's are shorter; keys and tokens are longer
	for _, arg := range args {
		if err.Error() == "unexpected "+arg {
			return errors.New("too many arguments; a key or a value is never passed as one")
		}
		if len(arg) > longestWord && strings.Contains(err.Error(), arg) {
			return errors.New("an argument is not understood; it is not repeated here, because it may be secret")
		}
	}
	if e := (*strconv.NumError)(nil); errors.As(err, &e) {
		return fmt.Errorf("%q is no number", e.Num)
	}
	if text, isTime := strings.CutPrefix(err.Error(), "time: "); isTime {
		return fmt.Errorf("%s: write a time such as 90s or 24h", text)
	}
	return err
}
