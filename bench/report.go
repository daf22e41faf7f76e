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

// A target is what the figure of one result must reach, compared with another's.
type target struct {
	what    string
	of      place
	over    place
	by      func(of, over *result) float64
	unit    string
	most    float64 // the figure must be at most that, or,
	atLeast float64 // if not 0, at least that
}

// A place is where a result is: the tool's, for the task of that size.
type place struct {
	task string
	size int
	tool string
}

func ratio(of, over *result) float64   { return of.Median / over.Median }
func excess(of, over *result) float64  { return (of.Median - over.Median) * 1000 }
func megabytes(of, _ *result) float64  { return float64(of.Peak) / 1e6 }
func (r *report) at(p place) *result   { return r.find(p.task, p.size, p.tool) }
func (p place) by(tool string) place   { p.tool = tool; return p }
func ours(task string, size int) place { return place{task, size, "envdrift"} }

var (
	version     = ours("version", 0)
	exec20      = ours("exec", 20)
	exec1000    = ours("exec", 1000)
	exec10000   = ours("exec", 10_000)
	decrypt10k  = ours("decrypt", 10_000)
	noneStaged  = ours("pre-commit, 0 staged", 50_000)
	oneStaged   = ours("pre-commit, 1 staged", 50_000)
	fiftyStaged = ours("pre-commit, 50 staged", 50_000)
)

// The targets "over the build before" need bench/run -base; the ratios are to
// commit 04a2d38.
var targets = []target{
	{"version over the build before", version, version.by("before"), ratio, " ×", 0.35, 0},
	{"version over an empty Go program", version, version.by("empty Go program"), ratio, " ×", 2.5, 0},
	{"exec of 20 values, over bare execve", exec20, exec20.by("bare execve"), excess, " ms", 10, 0},
	{"sops exec-env over exec, 20 values", exec20.by("sops"), exec20, ratio, " ×", 0, 3.5},
	{"dotenvx run over exec, 20 values", exec20.by("dotenvx"), exec20, ratio, " ×", 0, 120},
	{"peak memory of exec, 20 values", exec20, exec20, megabytes, " MB", 10, 0},
	{"exec of 1,000 values over the build before", exec1000, exec1000.by("before"), ratio, " ×", 0.42, 0},
	{"sops exec-env over exec, 1,000 values", exec1000.by("sops"), exec1000, ratio, " ×", 0, 0.9},
	{"dotenvx run over exec, 1,000 values", exec1000.by("dotenvx"), exec1000, ratio, " ×", 0, 100},
	{"exec of 10,000 values over the build before", exec10000, exec10000.by("before"), ratio, " ×", 0.42, 0},
	{"exec with the key in the vault over the build before", ours("exec, key in the vault", 1), ours("exec, key in the vault", 1).by("before"), ratio, " ×", 1, 0},
	{"decrypt of 10,000 values over the build before", decrypt10k, decrypt10k.by("before"), ratio, " ×", 0.42, 0},
	{"decrypt of 10,000 values over decred's curve alone", decrypt10k, decrypt10k.by("curve alone"), ratio, " ×", 0.5, 0},
	{"encrypt of 10,000 values over decred's curve alone", ours("encrypt", 10_000), ours("encrypt", 10_000).by("curve alone"), ratio, " ×", 0.4, 0},
	{"pre-commit, none of ours staged, 50,000 files, over git diff", noneStaged, noneStaged.by("git diff --cached"), ratio, " ×", 1.6, 0},
	{"pre-commit, one staged over none staged, 50,000 files", oneStaged, noneStaged, ratio, " ×", 1.5, 0},
	{"pre-commit, 50 staged, 50,000 files, over the build before", fiftyStaged, fiftyStaged.by("before"), ratio, " ×", 0.5, 0},
	{"sync of 200 mappings over the least work", ours("sync at 0 ms", 200), ours("sync at 0 ms", 200).by("least work"), ratio, " ×", 1.6, 0},
	{"verify of 200 mappings over the least work", ours("verify at 0 ms", 200), ours("verify at 0 ms", 200).by("least work"), ratio, " ×", 2, 0},
	{"sync of 200 mappings at 100 ms, over the least round trips", ours("sync at 100 ms", 200), ours("sync at 100 ms", 200).by("least round trips"), ratio, " ×", 1.3, 0},
	{"the earlier tool's verify over ours, one mapping", ours("verify at 0 ms", 1).by("earlier tool"), ours("verify at 0 ms", 1), ratio, " ×", 0, 50},
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
		of, over := r.at(t.of), r.at(t.over)
		if of == nil || over == nil {
			row(w, markdown, t.what, t.wanted(), "", "not measured")
			continue
		}
		t.row(w, markdown, t.by(of, over))
	}
	if size := r.Sizes["envdrift"]; size > 0 {
		target{what: "the program, without the vaults' programs", most: 14, unit: " MB"}.row(w, markdown, float64(size)/1e6)
	}
	w.Flush()
	return out.String()
}

func (t target) row(w *tabwriter.Writer, markdown bool, got float64) {
	row(w, markdown, t.what, t.wanted(), number(got)+t.unit, map[bool]string{true: "met", false: "missed"}[t.met(got)])
}

func (t target) met(got float64) bool {
	if t.atLeast != 0 {
		return got >= t.atLeast
	}
	return got <= t.most
}

func (t target) wanted() string {
	if t.atLeast != 0 {
		return fmt.Sprintf("≥ %g%s", t.atLeast, t.unit)
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
