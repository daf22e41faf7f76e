package runner

import (
	"errors"
	"path/filepath"
	"strings"
)

// ErrBatchArgument reports an argument that cannot be passed to a Windows batch
// file unchanged.
var ErrBatchArgument = errors.New(`a batch file takes no arguments with ", %, or line breaks`)

// isBatch reports whether Windows runs file through cmd.exe.
func isBatch(file string) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".bat", ".cmd":
		return true
	}
	return false
}

// batchLine returns the command line with which cmd.exe runs file. cmd.exe
// parses arguments by its own rules, so one quoted for a program could run
// commands (CVE-2024-24576). Within quotes everything is literal except the
// quote itself and, even there, %NAME%: arguments that contain them are
// refused.
func batchLine(file string, args []string) (string, error) {
	var b strings.Builder
	b.WriteString(`cmd.exe /e:ON /v:OFF /d /s /c "`)
	for i, arg := range append([]string{file}, args...) {
		if strings.ContainsAny(arg, "\"%\r\n\x00") {
			return "", ErrBatchArgument
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(`"` + arg)
		// The program behind the batch file takes \" for a quote in the text.
		b.WriteString(arg[len(strings.TrimRight(arg, `\`)):])
		b.WriteByte('"')
	}
	b.WriteByte('"')
	return b.String(), nil
}
