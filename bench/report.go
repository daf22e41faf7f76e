package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is everything that was measured, as it is stored in JSON.
type report struct {
	Machine string
	Took    string
	Sizes   map[string]int64 // bytes installed
	Results []result
}

// A result is the measurement of one tool for one task.
type result struct {
	Group, Task string
	Size        int
	Unit        string
	Tool        string
	Note        string // why there are no or fewer runs
	summary
}

func readReport(file string) (*report, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(report)
	return r, json.Unmarshal(data, r)
}

// find returns the result with at least one run, or nil.
func (r *report) find(task string, size int, tool string) *result {
	for i := range r.Results {
		x := &r.Results[i]
		if x.Task == task && x.Size == size && x.Tool == tool && x.Runs > 0 {
			return x
		}
	}
	return nil
}

// expect returns, from the sizes measured before, the least time that the tool
// will take for t if its time per item grows as it did; 0 if that cannot be
// computed.
func (r *report) expect(t task, tool string) time.Duration {
	var known []result
	for _, x := range r.Results {
		if x.Task == t.name && x.Tool == tool && x.Runs > 0 {
			known = append(known, x)
		}
	}
	if len(known) < 2 {
		return 0
	}
	a, z := known[len(known)-2], known[len(known)-1]
	each := (z.Min - a.Min) / float64(z.Size-a.Size)
	return time.Duration((z.Min + each*float64(t.size-z.Size)) * float64(time.Second))
}

// gaveUp reports whether the tool had no result for t in a smaller size.
func (r *report) gaveUp(t task, tool string) bool {
	return slices.ContainsFunc(r.Results, func(x result) bool { return x.Task == t.name && x.Tool == tool && x.Runs == 0 })
}

// table returns the report for a terminal, or in Markdown.
func (r *report) table(markdown bool) string {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(&out, "%s; %s\n\n", r.Machine, r.Took)
	row(w, markdown, "task", "tool", "median", "minimum", "p10–p90", "× envdrift", "peak", "runs")
	if markdown {
		fmt.Fprintln(w, "|---|---|--:|--:|--:|--:|--:|--:|")
	}
	last := ""
	for _, x := range r.Results {
		name := task{name: x.Task, size: x.Size, unit: x.Unit}.String()
		title := name
		if name == last {
			title = ""
		}
		last = name
		if x.Runs == 0 {
			row(w, markdown, title, x.Tool, x.Note, "", "", "", "", "0")
			continue
		}
		ratio, peak := "", ""
		if ours := r.find(x.Task, x.Size, "envdrift"); ours != nil && x.Tool != "envdrift" {
			ratio = number(x.Median / ours.Median)
		}
		if x.Peak > 0 {
			peak = number(float64(x.Peak)/1e6) + " MB"
		}
		row(w, markdown, title, x.Tool, seconds(x.Median), seconds(x.Min), seconds(x.P10)+"–"+seconds(x.P90), ratio, peak,
			strings.TrimSpace(fmt.Sprint(x.Runs, " ", x.Note)))
	}
	w.Flush()
	for i, tool := range slices.Sorted(maps.Keys(r.Sizes)) {
		fmt.Fprint(&out, map[bool]string{true: "\nInstalled: ", false: ", "}[i == 0], tool, " ", number(float64(r.Sizes[tool])/1e6), " MB")
	}
	return out.String() + "\n"
}

func row(w *tabwriter.Writer, markdown bool, cells ...string) {
	if markdown {
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	} else {
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
}

// seconds and number print with about three digits.
func seconds(s float64) string {
	if s < 1 {
		return number(s*1000) + " ms"
	}
	return number(s) + " s"
}

func number(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	case x < 0.1:
		return fmt.Sprintf("%.2g", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// A target is what a result must reach, compared with another one of its task
// or by itself.
type target struct {
	what       string
	task       string
	size       int
	tool, over string // the figure is tool's time over the other's
	by         func(tool, over *result) float64
	unit       string
	most       float64 // the figure must be at most that, or,
	least      float64 // if not 0, at least that
}

func ratio(tool, over *result) float64  { return tool.Median / over.Median }
func excess(tool, over *result) float64 { return (tool.Median - over.Median) * 1000 }
func megabytes(tool, _ *result) float64 { return float64(tool.Peak) / 1e6 }

var targets = []target{
	{"exec of 20 values, over bare execve", "exec", 20, "envdrift", "bare execve", excess, " ms", 10, 0},
	{"sops exec-env over exec, 20 values", "exec", 20, "sops", "envdrift", ratio, " ×", 0, 1},
	{"dotenvx run over exec, 20 values", "exec", 20, "dotenvx", "envdrift", ratio, " ×", 0, 40},
	{"dotenvx run over exec, 1,000 values", "exec", 1000, "dotenvx", "envdrift", ratio, " ×", 0, 100},
	{"decrypt of 10,000 values over the curve alone", "decrypt", 10_000, "envdrift", "curve alone", ratio, " ×", 0.5, 0},
	{"encrypt of 10,000 values over the curve alone", "encrypt", 10_000, "envdrift", "curve alone", ratio, " ×", 0.4, 0},
	{"pre-commit, none of ours staged, 50,000 files, over git diff", "pre-commit, 0 staged", 50_000, "envdrift", "git diff --cached", ratio, " ×", 2, 0},
	{"sync of 200 mappings at 100 ms, over the least possible", "sync at 100 ms", 200, "envdrift", "least round trips", ratio, " ×", 1.3, 0},
	{"peak memory of exec, 20 values", "exec", 20, "envdrift", "envdrift", megabytes, " MB", 40, 0},
	{"the earlier tool's verify over ours, one mapping", "verify at 0 ms", 1, "earlier tool", "envdrift", ratio, " ×", 0, 50},
}

// targets compares the results with the targets.
func (r *report) targets(markdown bool) string {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row(w, markdown, "target", "wanted", "measured", "")
	if markdown {
		fmt.Fprintln(w, "|---|--:|--:|---|")
	}
	for _, t := range targets {
		tool, over := r.find(t.task, t.size, t.tool), r.find(t.task, t.size, t.over)
		if tool == nil || over == nil {
			row(w, markdown, t.what, t.wanted(), "", "not measured")
			continue
		}
		got := t.by(tool, over)
		row(w, markdown, t.what, t.wanted(), number(got)+t.unit, map[bool]string{true: "met", false: "missed"}[t.met(got)])
	}
	w.Flush()
	return out.String()
}

func (t target) met(got float64) bool {
	if t.least != 0 {
		return got >= t.least
	}
	return got <= t.most
}

func (t target) wanted() string {
	if t.least != 0 {
		return fmt.Sprintf("≥ %g%s", t.least, t.unit)
	}
	return fmt.Sprintf("≤ %g%s", t.most, t.unit)
}

// publish writes what is committed: the results, and the page that shows them.
func (r *report) publish() error {
	const page, picture = "docs/performance.md", "![Time against size: exec, sync, pre-commit](performance.svg)\n"
	data, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text, err := replace(string(data), map[string]string{"picture": picture, "targets": r.targets(true), "results": r.table(true)})
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile("docs/performance.svg", r.plot(), 0o644); err != nil {
		return err
	}
	return r.write("bench/results.json")
}

// replace puts each part between its markers, <!-- bench: NAME --> and
// <!-- bench: end -->.
func replace(text string, parts map[string]string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		before, rest, found := strings.Cut(text, "<!-- bench: "+name+" -->\n")
		_, after, ended := strings.Cut(rest, "<!-- bench: end -->")
		if !found || !ended {
			return "", fmt.Errorf("has no place for %q", name)
		}
		text = before + "<!-- bench: " + name + " -->\n" + parts[name] + "<!-- bench: end -->" + after
	}
	return text, nil
}
