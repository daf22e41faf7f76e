package cmdline_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/cmdline"
)

// model is a program with switches, flags with values, and nested commands.
func model() *kingpin.ApplicationModel {
	app := kingpin.New("test", "")
	app.Flag("quiet", "").Short('q').Bool()
	app.Flag("config", "").Short('c').String()
	exec := app.Command("exec", "")
	exec.Flag("override", "").Bool()
	exec.Flag("file", "").Short('f').Strings()
	exec.Arg("CMD", "").Strings()
	hook := app.Command("hook", "")
	run := hook.Command("run", "")
	run.Flag("asked", "").Bool()
	run.Arg("NAME", "").Strings()
	return app.Model()
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, want string }{
		{"", ""},
		{"exec echo -q hi", "exec -- echo -q hi"},
		{"exec -f .env echo -f x", "exec -f .env -- echo -f x"},
		{"exec -f.env echo", "exec -f.env -- echo"},
		{"exec --file .env --override echo --override", "exec --file .env --override -- echo --override"},
		{"exec --file=.env echo", "exec --file=.env -- echo"},
		{"-q exec echo", "-q exec -- echo"},
		{"-c exec exec echo", "-c exec exec -- echo"},
		{"-qc exec exec echo", "-qc exec exec -- echo"},
		{"exec -- echo -- x", "exec -- echo -- x"},
		{"exec echo -- x", "exec -- echo -- x"},
		{"exec - x", "exec -- - x"},
		{"exec --unknown echo", "exec --unknown -- echo"},
		{"exec --override=true echo", "exec --override -- echo"},
		{"exec --override=false echo", "exec --no-override -- echo"},
		{"--quiet=true hook run --asked=false pre-commit", "--quiet hook run --no-asked pre-commit"},
		{"hook run exec x", "hook run exec x"},
		{"exec --file", "exec --file"},
	}
	for _, tt := range tests {
		got, err := cmdline.Normalize(model(), strings.Fields(tt.line))
		if want := strings.Fields(tt.want); err != nil || !slices.Equal(got, want) {
			t.Errorf("Normalize(%s) = %q, %v; want %q", tt.line, got, err, want)
		}
	}
	for _, line := range []string{"exec --override=yes echo", "--quiet= exec echo", "hook run --asked=1 x"} {
		if got, err := cmdline.Normalize(model(), strings.Fields(line)); err == nil || strings.Contains(err.Error(), "yes") {
			t.Errorf("Normalize(%s) = %q, %v; want an error that does not repeat the value", line, got, err)
		}
	}
}
