package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envdrift/envdrift/internal/report"
)

var errBroken = errors.New("broken")

// sample is a report with all that a row may hold.
func sample() report.Report {
	return report.Report{
		Command: "verify", Status: 1, Summary: "1 of 2 verified",
		Rows: []report.Row{
			{Status: report.Verified, File: "svc/.env", Secret: "key", Environment: "production", Note: "2 values"},
			{Status: report.Drift, File: ".env", Names: []string{"A", "B"}, Error: "the key, 100%: broken", Hints: []string{"1. do this"}, Err: errBroken},
			{Status: report.OK, What: "hook pre-commit"},
		},
	}
}

// printed is what a printer writes to its two streams.
func printed(t *testing.T, p report.Printer, r report.Report) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	p.Stdout, p.Stderr = &out, &err
	if p.RelPath == nil {
		p.RelPath = func(file string) string { return file }
	}
	if e := p.Print(r); e != nil {
		t.Fatalf("Print = %v", e)
	}
	return out.String(), err.String()
}

func TestText(t *testing.T) {
	t.Parallel()
	failed := sample()
	failed.Failure = &report.Fault{Error: "one\ntwo\x1b[31m", Hints: []string{"help"}}
	tests := []struct {
		name    string
		printer report.Printer
		report  report.Report
		want    string
	}{
		{"aligned", report.Printer{}, sample(), "" +
			"verified  svc/.env         (key, production)  2 values\n" +
			"drift     .env             A, B\n" +
			"          the key, 100%: broken\n" +
			"          → 1. do this\n" +
			"ok        hook pre-commit\n" +
			"1 of 2 verified\n"},
		{"quiet", report.Printer{Quiet: true}, sample(), "" +
			"drift     .env             A, B\n" +
			"          the key, 100%: broken\n" +
			"          → 1. do this\n"},
		{"paths as the user types them", report.Printer{RelPath: func(file string) string { return "../" + file }}, report.Report{Rows: sample().Rows[:1]},
			"verified  ../svc/.env  (key, production)  2 values\n"},
		{"a failure of the command", report.Printer{}, report.Report{Failure: failed.Failure},
			"envdrift: error: one\nenvdrift: error: two�[31m\nenvdrift: hint: help\n"},
		{"aligned by characters, not bytes", report.Printer{}, report.Report{Rows: []report.Row{{Status: report.OK, File: "é.env", Note: "a"}, {Status: report.OK, File: "ab.env", Note: "b"}}},
			"ok  é.env   a\nok  ab.env  b\n"},
		{"no trailing blanks", report.Printer{}, report.Report{Rows: []report.Row{{Status: report.OK, File: "a"}, {Status: report.Verified, File: "long"}}},
			"ok        a\nverified  long\n"},
		{"control characters", report.Printer{}, report.Report{
			Summary: "\x1bs",
			Rows: []report.Row{
				{Status: report.Drift, File: "\x1bf", Note: "\x1bn", Error: "\x1be", Hints: []string{"\x1bh"}, Err: errBroken},
				{Status: report.OK, What: "\x1bw"},
			},
			Failure: &report.Fault{Error: "\x1be", Hints: []string{"\x1bh"}},
		}, "drift  �f  �n\n       �e\n       → �h\nok     �w\n�s\nenvdrift: error: �e\nenvdrift: hint: �h\n"},
		{"empty", report.Printer{}, report.Report{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr := printed(t, tt.printer, tt.report)
			if stdout != "" || stderr != tt.want {
				t.Errorf("Print wrote %q and\n%s\nwant\n%s", stdout, stderr, tt.want)
			}
		})
	}
}

// What a command was run for is on standard output, but for a format of its own.
// What went wrong with the command as a whole never is.
func TestOnStdout(t *testing.T) {
	t.Parallel()
	_, text := printed(t, report.Printer{}, sample())
	const failure = "envdrift: error: broken\n"
	junit, err := report.FormatNamed("junit")
	if err != nil {
		t.Fatal(err)
	}
	r := sample()
	r.OnStdout, r.Failure = true, &report.Fault{Error: "broken"}
	if stdout, stderr := printed(t, report.Printer{}, r); stdout != text || stderr != failure {
		t.Errorf("Print wrote %q and %q; want %q and %q", stdout, stderr, text, failure)
	}
	if stdout, stderr := printed(t, report.Printer{Format: junit}, r); !strings.HasPrefix(stdout, xml.Header) || stderr != text+failure {
		t.Errorf("Print as JUnit wrote %q and %q; want %q on standard error", stdout, stderr, text+failure)
	}
	p := report.Printer{Stdout: fullDisk{}, Stderr: io.Discard, RelPath: func(file string) string { return file }}
	if err := p.Print(r); !errors.Is(err, errFull) {
		t.Errorf("Print to a full disk = %v; want %v", err, errFull)
	}
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestColour(t *testing.T) {
	t.Parallel()
	onStdout := sample()
	onStdout.OnStdout = true
	for _, tt := range []struct {
		printer  report.Printer
		report   report.Report
		coloured bool
	}{
		{report.Printer{Colour: true}, sample(), true},
		{report.Printer{ColourStdout: true}, onStdout, true},
		{report.Printer{Colour: true}, onStdout, false},
		{report.Printer{ColourStdout: true}, sample(), false},
	} {
		stdout, stderr := printed(t, tt.printer, tt.report)
		for _, shade := range []string{"\x1b[32mverified\x1b[0m", "\x1b[31mdrift   \x1b[0m"} {
			if strings.Contains(stdout+stderr, shade) != tt.coloured {
				t.Errorf("Print wrote %q%q; want %q in it: %t", stdout, stderr, shade, tt.coloured)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Data = map[string]int{"n": 1}
	r.Failure = &report.Fault{Error: "bad <x>", Hints: []string{"help"}}
	stdout, stderr := printed(t, report.Printer{Format: report.JSON, Verbose: true}, r)
	var d struct {
		Command, Summary, Error string
		OK                      bool
		Status                  int
		Hints                   []string
		Rows                    []map[string]any
		Data                    map[string]int
	}
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatal(err)
	}
	if stderr != "" || d.Command != "verify" || d.OK || d.Status != 1 || d.Error != "bad <x>" || d.Hints[0] != "help" || len(d.Rows) != 3 ||
		d.Rows[1]["status"] != "drift" || d.Rows[1]["error"] == "" || d.Data["n"] != 1 {
		t.Errorf("JSON = %s and %q", stdout, stderr)
	}
	if !strings.Contains(stdout, `"error": "bad <x>"`) {
		t.Errorf("JSON = %s; want < and > as they are", stdout)
	}
	if stdout, _ = printed(t, report.Printer{Format: report.JSON}, sample()); !strings.Contains(stdout, `"ok": false`) {
		t.Errorf("JSON of status 1 = %s; want it not to be ok", stdout)
	}
	stdout, _ = printed(t, report.Printer{Format: report.JSON}, report.Report{Command: "x"})
	if !strings.Contains(stdout, `"rows": []`) || !strings.Contains(stdout, `"ok": true`) {
		t.Errorf("JSON without rows = %s", stdout)
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	format, err := report.FormatNamed("junit")
	if err != nil {
		t.Fatal(err)
	}
	r := sample()
	r.Rows[1].Error, r.Rows[1].Hints = "<broken>\x1b\u202e", []string{"one\u202e", "two"}
	later := r.Rows[1]
	later.Commit, later.Note, later.Hints = "0123456789ab", "7 values", nil
	r.Rows = append(r.Rows, later)
	stdout, stderr := printed(t, report.Printer{Format: format}, r)
	const want = xml.Header + `<testsuite name="envdrift verify" tests="3" failures="1">
  <testcase classname="envdrift.verify" name="svc/.env"></testcase>
  <testcase classname="envdrift.verify" name=".env">
    <failure message="&lt;broken&gt;��">one�&#xA;two</failure>
    <failure message="at 0123456789ab: &lt;broken&gt;��"></failure>
  </testcase>
  <testcase classname="envdrift.verify" name="hook pre-commit"></testcase>
</testsuite>
`
	if stdout != want {
		t.Errorf("JUnit =\n%s\nwant\n%s", stdout, want)
	}
	if !strings.Contains(stderr, "1 of 2 verified") {
		t.Errorf("beside JUnit the user sees %q; want the rows", stderr)
	}
	// A command that failed is no suite without failures.
	stdout, _ = printed(t, report.Printer{Format: format}, report.Report{Command: "verify", Failure: &report.Fault{Error: "one\ntwo", Hints: []string{"help"}}})
	if want := `tests="1" failures="1">
  <testcase classname="envdrift.verify" name="envdrift verify">
    <failure message="one; two">help</failure>`; !strings.Contains(stdout, want) {
		t.Errorf("JUnit of a failed command =\n%s\nwant\n%s", stdout, want)
	}
}

func TestSARIF(t *testing.T) {
	t.Parallel()
	format, err := report.FormatNamed("sarif")
	if err != nil {
		t.Fatal(err)
	}
	r := sample()
	r.Rows[1].Status = report.PrivateKey
	stdout, _ := printed(t, report.Printer{Format: format, Version: "v1"}, r)
	const want = `{
  "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
  "runs": [
    {
      "invocations": [
        {
          "executionSuccessful": true
        }
      ],
      "results": [
        {
          "level": "error",
          "locations": [
            {
              "physicalLocation": {
                "artifactLocation": {
                  "uri": ".env"
                },
                "region": {
                  "startLine": 1
                }
              }
            }
          ],
          "message": {
            "text": "the key, 100%: broken. 1. do this"
          },
          "ruleId": "private-key"
        }
      ],
      "tool": {
        "driver": {
          "name": "envdrift",
          "version": "v1"
        }
      }
    }
  ],
  "version": "2.1.0"
}
`
	if stdout != want {
		t.Errorf("SARIF =\n%s\nwant\n%s", stdout, want)
	}
	// A missing list would be no SARIF.
	if stdout, _ = printed(t, report.Printer{Format: format}, report.Report{}); !strings.Contains(stdout, `"results": []`) {
		t.Errorf("SARIF without failures =\n%s\nwant an empty list of results", stdout)
	}
	stdout, _ = printed(t, report.Printer{Format: format}, report.Report{Failure: &report.Fault{Error: "bad", Hints: []string{"help"}}})
	if !strings.Contains(stdout, `"executionSuccessful": false`) || !strings.Contains(stdout, `"text": "bad. help"`) {
		t.Errorf("SARIF of a failed command =\n%s\nwant its error", stdout)
	}
}

// Names and messages are text in a summary, whatever they contain.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	format, err := report.FormatNamed("markdown")
	if err != nil {
		t.Fatal(err)
	}
	r := report.Report{Command: "verify", Summary: "0 of 1", Rows: []report.Row{{
		Status: report.Drift, File: "a`<b>`\n# x/.env", Names: []string{"A_B", "$x$", "~~y~~"},
		Error: "<img src=x> [a](b) &lt; |\n- [x] verified", Hints: []string{"envdrift lock   *all*"}, Err: errBroken,
	}}}
	const want = "## envdrift verify\n\n" +
		"- [ ] drift `a'<b>'�# x/.env` A\\_B, \\$x\\$, \\~\\~y\\~\\~\n" +
		"  - \\<img src=x> \\[a\\](b) &amp;lt; \\|�- \\[x\\] verified\n" +
		"  - `envdrift lock` \\*all\\*\n" +
		"\n0 of 1\n"
	if stdout, _ := printed(t, report.Printer{Format: format}, r); stdout != want {
		t.Errorf("Markdown =\n%s\nwant\n%s", stdout, want)
	}
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Rows[1].File, r.Rows[1].Error, r.Rows[1].Commit = "a,b:c%2C", "50%\nbroken: yes", "0123456789ab"
	r.Rows[2].Err, r.Rows[2].Error = errBroken, "off"
	if stdout, _ := printed(t, report.Printer{Annotations: true}, r); stdout != "" {
		t.Errorf("annotations beside what a command prints on standard output: %q", stdout)
	}
	r.OnStdout = true
	stdout, _ := printed(t, report.Printer{Annotations: true}, r)
	stdout, _, _ = strings.Cut(stdout, "verified")
	if want := "::error file=a%2Cb%3Ac%252C,title=envdrift%3A drift::at 0123456789ab: 50%25%0Abroken: yes%0A1. do this\n" +
		"::error title=envdrift%3A ok::off\n"; stdout != want {
		t.Errorf("annotations = %q; want %q", stdout, want)
	}
	for name, annotated := range map[string]bool{"markdown": true, "sarif": false, "junit": false} {
		format, err := report.FormatNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, stderr := printed(t, report.Printer{Annotations: true, Format: format}, r); strings.Contains(stderr, "::error") != annotated {
			t.Errorf("annotations beside %s: %q; want them: %t", name, stderr, annotated)
		}
	}
	if stdout, _ = printed(t, report.Printer{Annotations: true, Format: report.JSON}, r); strings.Contains(stdout, "::error") {
		t.Errorf("annotations mix with JSON: %s", stdout)
	}
}

func TestFormatNamed(t *testing.T) {
	t.Parallel()
	for _, name := range report.Formats() {
		if f, err := report.FormatNamed(name); err != nil || f.Name != name {
			t.Errorf("FormatNamed(%s) = %s, %v", name, f.Name, err)
		}
	}
	if _, err := report.FormatNamed("yaml"); err == nil || !strings.Contains(err.Error(), "text, json, junit, sarif") {
		t.Errorf("FormatNamed(yaml) = %v; want an error with all names", err)
	}
}

func TestSayAndDetail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		printer report.Printer
		want    string
	}{
		{report.Printer{}, "a 1�\n"},
		{report.Printer{Verbose: true}, "a 1�\nb\n"},
		{report.Printer{Verbose: true, Quiet: true}, ""},
		{report.Printer{Verbose: true, Format: report.JSON}, ""},
		{report.Printer{Quiet: true}, ""},
	}
	for _, tt := range tests {
		var err bytes.Buffer
		tt.printer.Stderr = &err
		tt.printer.Say("a %s", "1\x1b")
		tt.printer.Detail("b")
		if err.String() != tt.want {
			t.Errorf("Say and Detail of %+v wrote %q; want %q", tt.printer, err.String(), tt.want)
		}
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()
	r := sample()
	if !r.Failed() {
		t.Error("Failed of a report with a failure = false")
	}
	if r.Rows = r.Rows[:1]; r.Failed() {
		t.Error("Failed of a report without a failure = true")
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		bad  bool
		of   string
	}{
		{"controls", true, "\x00\n\r\x1b\x1f\x7f\u0080\u009f"},
		{"marks that turn text round", true, "\u202a\u202b\u202e\u2066\u2067\u2069"},
		{"text", false, "\t ~\u00a0é→\u2029\u202f\u2065\u206a漢"},
	}
	for _, tt := range tests {
		for _, r := range tt.of {
			want := string(r)
			if tt.bad {
				want = "�"
			}
			if got := report.Clean("a" + string(r) + "b"); got != "a"+want+"b" {
				t.Errorf("%s: Clean(%+q) = %+q; want %+q", tt.name, "a"+string(r)+"b", got, "a"+want+"b")
			}
		}
	}
}

func TestPlural(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 files", 1: "1 file", 2: "2 files"} {
		if got := report.Plural(n, "file"); got != want {
			t.Errorf("Plural(%d) = %q; want %q", n, got, want)
		}
	}
}

// A firstWrite tells of the first write to it.
type firstWrite struct{ seen chan string }

func (w firstWrite) Write(p []byte) (int, error) {
	select {
	case w.seen <- string(p):
	default:
	}
	return len(p), nil
}

func TestProgress(t *testing.T) {
	t.Parallel()
	w := firstWrite{make(chan string, 1)}
	p := &report.Printer{Stderr: w, Colour: true}
	done := report.DrawProgress(p, "asking the vault", 0, time.Millisecond)
	if drawn := <-w.seen; !strings.Contains(drawn, "asking the vault") {
		t.Errorf("progress begins with %q; want what is going on", drawn)
	}
	done()
}

// The clock of the test is not the real one: nothing waits.
func TestProgressDelay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		printer report.Printer
		takes   time.Duration
		shown   bool
	}{
		{"long", report.Printer{Colour: true}, 1500 * time.Millisecond, true},
		{"over before it would be shown", report.Printer{Colour: true}, 900 * time.Millisecond, false},
		{"no terminal", report.Printer{}, 1500 * time.Millisecond, false},
		{"quiet", report.Printer{Colour: true, Quiet: true}, 1500 * time.Millisecond, false},
		{"JSON", report.Printer{Colour: true, Format: report.JSON}, 1500 * time.Millisecond, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var stderr bytes.Buffer
				tt.printer.Stderr = &stderr
				done := tt.printer.Progress("asking the vault")
				time.Sleep(tt.takes)
				done()
				drawn := stderr.String()
				if strings.Contains(drawn, "asking the vault") != tt.shown {
					t.Errorf("Progress drew %q; want it to be shown: %t", drawn, tt.shown)
				}
				// What comes next is written over it.
				if last := drawn[strings.LastIndex(drawn, "\r")+1:]; last != "" {
					t.Errorf("Progress leaves %q on the line; want it empty", last)
				}
			})
		})
	}
}
