package runner

import (
	"errors"
	"testing"
)

func TestBatchLine(t *testing.T) {
	t.Parallel()
	const head = `cmd.exe /e:ON /v:OFF /d /s /c "`
	tests := []struct {
		args []string
		want string
	}{
		{nil, head + `"C:\Program Files\npm.cmd""`},
		{[]string{"run", "a b", ""}, head + `"C:\Program Files\npm.cmd" "run" "a b" """`},
		{[]string{"&calc", "|", "^x", "!x!", "(x)", "<>"}, head + `"C:\Program Files\npm.cmd" "&calc" "|" "^x" "!x!" "(x)" "<>""`},
		{[]string{`C:\dir\`, `a\\`, `\`}, head + `"C:\Program Files\npm.cmd" "C:\dir\\" "a\\\\" "\\""`},
	}
	for _, tt := range tests {
		if got, err := batchLine(`C:\Program Files\npm.cmd`, tt.args); got != tt.want || err != nil {
			t.Errorf("batchLine(%q) = %s, %v; want %s", tt.args, got, err, tt.want)
		}
	}
	for _, arg := range []string{`"`, `a"&calc`, "%PATH%", "100%", "a\nb", "a\rb", "a\x00b"} {
		if _, err := batchLine("x.bat", []string{arg}); !errors.Is(err, ErrBatchArgument) {
			t.Errorf("batchLine(%q): %v; want ErrBatchArgument", arg, err)
		}
	}
}

func TestIsBatch(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]bool{`C:\x.BAT`: true, "npm.cmd": true, "npm": false, "cmd.exe": false} {
		if got := isBatch(file); got != want {
			t.Errorf("isBatch(%q) = %t; want %t", file, got, want)
		}
	}
}
