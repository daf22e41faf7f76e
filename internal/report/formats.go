package report

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

// A Format is what standard output gets.
type Format struct {
	Name  string
	Alone bool // nothing is printed for the user beside it

	shown bool // a CI system shows its failures at the files
	write func(io.Writer, *Printer, Report) error
}

// Text is the format for a user.
var Text = Format{Name: "text"}

// JSON is one document on standard output.
var JSON = Format{Name: "json", Alone: true, write: writeJSON}

// formats are all of them.
var formats = [...]Format{Text, JSON, {Name: "junit", shown: true, write: writeJUnit}, {Name: "sarif", shown: true, write: writeSARIF}, {Name: "markdown", write: writeMarkdown}}

// Formats lists the names of the formats.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.Name
	}
	return names
}

// FormatNamed returns the format of that name, or an error that lists all.
func FormatNamed(name string) (Format, error) {
	i := slices.IndexFunc(formats[:], func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, fmt.Errorf("%q is no output format: choose one of %s", name, strings.Join(Formats(), ", "))
	}
	return formats[i], nil
}

// A document is what JSON prints.
type document struct {
	Command string   `json:"command"`
	OK      bool     `json:"ok"`
	Status  int      `json:"status"`
	Summary string   `json:"summary,omitempty"`
	Error   string   `json:"error,omitempty"`
	Hints   []string `json:"hints,omitempty"`
	Rows    []Row    `json:"rows"`
	Data    any      `json:"data,omitempty"`
}

func writeJSON(w io.Writer, _ *Printer, r Report) error {
	d := document{Command: r.Command, OK: r.Status == 0, Status: r.Status, Summary: r.Summary, Rows: r.Rows, Data: r.Data}
	if d.Rows == nil {
		d.Rows = []Row{}
	}
	if r.Failure != nil {
		d.Error, d.Hints = r.Failure.Error, r.Failure.Hints
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(d)
}

// writeJUnit writes the XML that CI systems read as test results. They compare
// runs by the names of the tests, so each file is a test, of whatever commits its
// versions are. A failure of the command is the failure of a test as well.
func writeJUnit(w io.Writer, _ *Printer, r Report) error {
	type failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type skipped struct {
		Message string `xml:"message,attr"`
	}
	type testcase struct {
		Class    string    `xml:"classname,attr"`
		Name     string    `xml:"name,attr"`
		Failures []failure `xml:"failure"`
		Skipped  *skipped  `xml:"skipped"`
	}
	type testsuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr,omitempty"`
		Cases    []*testcase `xml:"testcase"`
	}
	suite := testsuite{Name: "envdrift " + r.Command}
	named := map[string]*testcase{}
	test := func(name string) *testcase {
		if named[name] == nil {
			named[name] = &testcase{Class: "envdrift." + r.Command, Name: Clean(name)}
			suite.Cases = append(suite.Cases, named[name])
			suite.Tests++
		}
		return named[name]
	}
	fail := func(tc *testcase, message string, hints []string) {
		if len(tc.Failures) == 0 {
			suite.Failures++
		}
		tc.Failures = append(tc.Failures, failure{clean(strings.Split(message, "\n"), "; "), clean(hints, "\n")})
	}
	for _, row := range r.Rows {
		tc := test(cmp.Or(row.What, row.File))
		switch {
		case row.Err != nil:
			fail(tc, row.problem(), row.Hints)
		case row.Status == NotVerified || row.Status == NotCompared || row.Status == NotChecked:
			tc.Skipped = &skipped{Clean(row.Note)}
		}
	}
	if r.Failure != nil {
		fail(test(suite.Name), r.Failure.Error, r.Failure.Hints)
	}
	for _, tc := range suite.Cases {
		if len(tc.Failures) > 0 {
			tc.Skipped = nil
		} else if tc.Skipped != nil {
			suite.Skipped++
		}
	}
	out, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, out)
	return err
}

// writeSARIF writes version 2.1.0, as code scanning reads it:
// https://docs.oasis-open.org/sarif/sarif/v2.1.0.
func writeSARIF(w io.Writer, p *Printer, r Report) error {
	type object = map[string]any
	results := []object{}
	for _, row := range r.Rows {
		level, text := "error", ""
		switch {
		case row.Err != nil:
			text = row.problem()
		case row.Status == Warning, row.Status == NotChecked:
			level, text = "warning", row.Note
		default:
			continue
		}
		results = append(results, object{
			"ruleId":  strings.ReplaceAll(string(row.Status), " ", "-"),
			"level":   level,
			"message": object{"text": strings.TrimSpace(text + ". " + strings.Join(row.Hints, " "))},
			"locations": []object{{"physicalLocation": object{
				"artifactLocation": object{"uri": (&url.URL{Path: row.File}).String()},
				"region":           object{"startLine": max(1, row.Line)},
			}}},
		})
	}
	// A failure of the command has no file, so it is no result.
	invocation := object{"executionSuccessful": r.Failure == nil}
	if r.Failure != nil {
		text := strings.TrimSpace(r.Failure.Error + ". " + strings.Join(r.Failure.Hints, " "))
		invocation["toolExecutionNotifications"] = []object{{"level": "error", "message": object{"text": text}}}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []object{{
			"tool":        object{"driver": object{"name": "envdrift", "version": p.Version}},
			"invocations": []object{invocation},
			"results":     results,
		}},
	})
}

// writeMarkdown writes a list to work through, in which what needs nothing is ticked.
func writeMarkdown(w io.Writer, p *Printer, r Report) error {
	text := func(s string) string { return markdown.Replace(Clean(s)) }
	code := func(s string) string { return "`" + strings.ReplaceAll(Clean(s), "`", "'") + "`" }
	command := func(s string) string { // which three blanks separate from what it does
		if line, rest, ok := strings.Cut(s, "   "); ok {
			return code(line) + " " + text(rest)
		}
		return text(s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## envdrift %s\n\n", r.Command)
	for _, row := range r.Rows {
		tick := "x"
		if row.Err != nil || row.Status == ToDo || row.Status == NotChecked {
			tick = " "
		}
		fmt.Fprintf(&b, "- [%s] %s %s %s\n", tick, row.Status, code(p.subject(row)), command(row.detail()))
		if row.Err != nil {
			fmt.Fprintf(&b, "  - %s\n", text(row.Error))
		}
		for _, hint := range row.Hints {
			fmt.Fprintf(&b, "  - %s\n", command(hint))
		}
	}
	if r.Summary != "" {
		fmt.Fprintf(&b, "\n%s\n", text(r.Summary))
	}
	if r.Failure != nil {
		fmt.Fprintf(&b, "\n**%s**\n", text(r.Failure.Error))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown escapes what Markdown would take for markup, GitHub's formulas included.
var markdown = strings.NewReplacer("\\", "\\\\", "$", "\\$", "~", "\\~", "&", "&amp;", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "<", "\\<", "|", "\\|", "#", "\\#", "\n", " ")

// annotate prints each failure as GitHub Actions shows it at the file.
func annotate(to io.Writer, rows []Row) {
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	for _, row := range rows {
		if row.Err == nil {
			continue
		}
		title := "title=" + property.Replace("envdrift: "+string(row.Status))
		if row.File != "" {
			if row.Line > 0 {
				title = fmt.Sprintf("line=%d,%s", row.Line, title)
			}
			title = "file=" + property.Replace(row.File) + "," + title
		}
		fmt.Fprintf(to, "::error %s::%s\n", title, text.Replace(strings.Join(append([]string{row.problem()}, row.Hints...), "\n")))
	}
}

// clean joins lines, each of them clean.
func clean(lines []string, separator string) string {
	cleaned := make([]string, len(lines))
	for i, line := range lines {
		cleaned[i] = Clean(line)
	}
	return strings.Join(cleaned, separator)
}
