package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// printFormat writes the report for another program; false if none was asked
// for.
func (c *cli) printFormat() (bool, error) {
	switch c.format {
	case "junit":
		return true, c.printJUnit(c.stdout)
	case "sarif":
		return true, c.printSARIF(c.stdout)
	}
	return false, nil
}

// printJUnit writes the XML that CI systems read as test results.
func (c *cli) printJUnit(w io.Writer) error {
	type failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Failure *failure `xml:"failure,omitempty"`
	}
	type testsuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	suite := testsuite{Name: "envdrift " + c.name, Tests: len(c.rows)}
	for _, r := range c.rows {
		tc := testcase{Class: "envdrift." + c.name, Name: strings.TrimSpace(r.File + " " + r.Note)}
		if r.err != nil {
			suite.Failures++
			tc.Failure = &failure{clean(r.Error), clean(strings.Join(r.Hints, "\n"))}
		}
		suite.Cases = append(suite.Cases, tc)
	}
	out, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, out)
	return err
}

// printSARIF writes version 2.1.0, as code scanning reads it:
// https://docs.oasis-open.org/sarif/sarif/v2.1.0.
func (c *cli) printSARIF(w io.Writer) error {
	type object = map[string]any
	results := []object{}
	for _, r := range c.rows {
		if r.err == nil {
			continue
		}
		results = append(results, object{
			"ruleId":  strings.ReplaceAll(r.Status, " ", "-"),
			"level":   "error",
			"message": object{"text": strings.TrimSpace(r.Error + ". " + strings.Join(r.Hints, " "))},
			"locations": []object{{"physicalLocation": object{
				"artifactLocation": object{"uri": r.File},
				"region":           object{"startLine": 1},
			}}},
		})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []object{{
			"tool":    object{"driver": object{"name": "envdrift", "version": version()}},
			"results": results,
		}},
	})
}

// annotate prints a failure as GitHub Actions shows it at the file.
func (c *cli) annotate(r row) {
	if c.env["GITHUB_ACTIONS"] != "true" || r.err == nil || c.json || c.format == "junit" || c.format == "sarif" {
		return
	}
	escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	fmt.Fprintf(c.stdout, "::error file=%s,title=%s::%s\n", escape.Replace(r.File), escape.Replace("envdrift: "+r.Status), text.Replace(r.Error))
}
