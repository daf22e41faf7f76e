package report_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/report"
)

// No format shows what has the form of a secret, wherever the text came from.
func TestRedact(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("0123456789abcdef", 4)
	err := errors.New("vault says hvs.CAESIhunter2")
	for _, format := range report.Formats() {
		for _, annotations := range []bool{false, true} {
			var stdout, stderr bytes.Buffer
			f, _ := report.FormatNamed(format)
			p := report.Printer{Stdout: &stdout, Stderr: &stderr, Format: f, Annotations: annotations, RelPath: func(s string) string { return s }}
			r := report.Report{
				Command: "verify", Status: 1, Failure: &report.Fault{Error: "no " + key, Hints: []string{"try " + key}},
				Rows: []report.Row{{Status: report.NotChecked, File: ".env", Note: "of " + key, Error: err.Error(), Err: err, Hints: []string{"or " + key}}},
			}
			if err := p.Print(r); err != nil {
				t.Fatal(err)
			}
			p.Say("it is %s", key)
			text := stdout.String() + stderr.String()
			if strings.Contains(text, key) || strings.Contains(text, "hunter2") || !strings.Contains(text, "[redacted]") {
				t.Errorf("%q, annotations %t: %s", format, annotations, text)
			}
			if !strings.Contains(r.Rows[0].Error, "hunter2") {
				t.Error("Print changed the caller's report")
			}
		}
	}
}
