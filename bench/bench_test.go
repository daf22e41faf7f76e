package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The measuring child is this program itself; in tests, the test binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		exit(child(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		values []float64
		q      float64
		want   float64
	}{
		{"none", nil, 0.5, 0},
		{"one", []float64{7}, 0.9, 7},
		{"odd", []float64{3, 1, 2}, 0.5, 2},
		{"between two", []float64{4, 1, 2, 3}, 0.5, 2.5},
		{"least", []float64{3, 1, 2}, 0, 1},
		{"most", []float64{3, 1, 2}, 1, 3},
		{"tenth", []float64{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100}, 0.1, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.values)
			if got := quantile(tt.values, tt.q); math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("quantile(%v, %g) = %g; want %g", tt.values, tt.q, got, tt.want)
			}
			if !slices.Equal(tt.values, before) {
				t.Errorf("quantile changed its argument to %v", tt.values)
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	got := summarize([]sample{{Wall: 3 * time.Second, CPU: time.Second, Peak: 5}, {Wall: time.Second, CPU: 3 * time.Second, Peak: 9}, {Wall: 2 * time.Second, CPU: 2 * time.Second, Peak: 7}})
	want := summary{Runs: 3, Median: 2, Min: 1, P10: 1.2, P90: 2.8, CPU: 2, Peak: 9}
	if got != want {
		t.Errorf("summarize = %+v; want %+v", got, want)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	run := func(limit time.Duration, argv ...string) (sample, error) {
		return command{dir: t.TempDir(), env: []string{"PATH=" + os.Getenv("PATH")}, argv: argv}.run(t.Context(), limit)
	}
	if s, err := run(time.Minute, "sh", "-c", ":"); err != nil || s.Wall <= 0 || s.Peak <= 0 {
		t.Errorf("run = %+v, %v; want a time and a size", s, err)
	}
	if _, err := run(time.Minute, "sh", "-c", "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "status 3") || !strings.Contains(err.Error(), "why") {
		t.Errorf("run of what fails: %v; want its status and its words", err)
	}
	if _, err := run(time.Minute, "no-such-program-here"); err == nil {
		t.Error("run of what is not there: no error")
	}
	if _, err := run(time.Millisecond, "sleep", "60"); !errors.Is(err, errCapped) {
		t.Errorf("run of what takes too long: %v; want %v", err, errCapped)
	}
}

// sampleReport grows by ten for envdrift and by a hundred for a peer.
func sampleReport() *report {
	r := &report{Machine: "a machine"}
	for _, size := range []int{20, 200, 2000} {
		f := float64(size) / 20
		r.Results = append(r.Results,
			result{Task: "exec", Size: size, Unit: "values", Tool: "envdrift", summary: summary{Runs: 3, Median: 0.01 * f, Min: 0.01 * f, Peak: 20e6}},
			result{Task: "exec", Size: size, Unit: "values", Tool: "dotenvx", summary: summary{Runs: 3, Median: 0.5 * f, Min: 0.5 * f}},
			result{Task: "exec", Size: size, Unit: "values", Tool: "bare execve", summary: summary{Runs: 3, Median: 0.001, Min: 0.001}})
	}
	return r
}

func TestExpect(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	for _, tt := range []struct {
		tool string
		want time.Duration
	}{{"dotenvx", 500 * time.Second}, {"bare execve", time.Millisecond}, {"sops", 0}} {
		if got := r.expect(task{name: "exec", size: 20_000}, tt.tool); (got - tt.want).Abs() > time.Microsecond {
			t.Errorf("expect(%s) = %v; want %v", tt.tool, got, tt.want)
		}
	}
}

func TestGaveUp(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.Results = append(r.Results, result{Task: "exec", Size: 2000, Tool: "sops", Note: "> 1m0s"})
	for tool, want := range map[string]bool{"sops": true, "dotenvx": false} {
		if got := r.gaveUp(task{name: "exec", size: 20_000}, tool); got != want {
			t.Errorf("gaveUp(%s) = %t; want %t", tool, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.Results = append(r.Results, result{Task: "exec", Size: 2000, Unit: "values", Tool: "sops", Note: "> 25s"})
	table := r.table(true)
	for _, want := range []string{
		"| exec, 20 values | envdrift | 10.0 ms |", "|  | dotenvx | 500 ms |", "| 50.0 |", "20.0 MB", "|  | sops | > 25s |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	got := sampleReport().targets(true)
	for _, want := range []string{
		"| exec of 20 values, over bare execve | ≤ 10 ms | 9.00 ms | met |",
		"| dotenvx run over exec, 20 values | ≥ 120 × | 50.0 × | missed |",
		"| peak memory of exec, 20 values | ≤ 10 MB | 20.0 MB | missed |",
		"| dotenvx run over exec, 1,000 values | ≥ 100 × |  | not measured |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the targets lack %q:\n%s", want, got)
		}
	}
	late := &report{Results: []result{
		{Task: "exec", Size: 20, Tool: "envdrift", summary: summary{Runs: 1, Median: 0.02, Peak: 41e6}},
		{Task: "exec", Size: 20, Tool: "dotenvx", summary: summary{Runs: 1, Median: 0.2}},
		{Task: "exec", Size: 20, Tool: "bare execve", summary: summary{Runs: 1, Median: 0.001}},
	}}
	if got := late.targets(true); strings.Count(got, "missed") != 3 || strings.Contains(got, "met |") {
		t.Errorf("want three missed:\n%s", got)
	}
}

// Every target names what a task measures.
func TestTargetsAreMeasured(t *testing.T) {
	t.Parallel()
	for _, target := range targets {
		for _, p := range []place{target.of, target.over} {
			if !slices.ContainsFunc(allTasks(false), func(t task) bool { return t.name == p.task && t.size == p.size }) {
				t.Errorf("%s: no task %q of %d", target.what, p.task, p.size)
			}
		}
	}
	for _, p := range panels {
		if !slices.ContainsFunc(allTasks(false), func(t task) bool { return t.name == p.task }) {
			t.Errorf("%s: no task %q", p.title, p.task)
		}
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	page := "# Page\n<!-- bench: a -->\nold\n<!-- bench: end -->\nbetween\n<!-- bench: b -->\n<!-- bench: end -->\n"
	want := "# Page\n<!-- bench: a -->\nA\n<!-- bench: end -->\nbetween\n<!-- bench: b -->\nB\n<!-- bench: end -->\n"
	got, err := replace(page, map[string]string{"a": "A\n", "b": "B\n"})
	if err != nil || got != want {
		t.Errorf("replace = %q, %v; want %q", got, err, want)
	}
	if _, err := replace(page, map[string]string{"c": "C"}); err == nil {
		t.Error("replace of a part without a place: no error")
	}
}

func TestScale(t *testing.T) {
	t.Parallel()
	s := newScale([]point{{20, 0}, {10_000, 0}}, func(q point) float64 { return q.x }, 0, 300)
	if s.low != 1 || s.high != 4 {
		t.Errorf("scale of 20 to 10,000: 10^%d to 10^%d; want 10^1 to 10^4", s.low, s.high)
	}
	for v, want := range map[float64]float64{10: 0, 100: 100, 10_000: 300} {
		if got := s.at(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("at(%g) = %g; want %g", v, got, want)
		}
	}
	if one := newScale([]point{{100, 0}}, func(q point) float64 { return q.x }, 0, 300); one.high <= one.low {
		t.Errorf("scale of one value: 10^%d to 10^%d", one.low, one.high)
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	got := []string{thousands(1), thousands(3), thousands(5), thousands(6), milliseconds(-1), milliseconds(2), milliseconds(4),
		number(0.0031), number(0.5), number(12.34), number(567.8), seconds(0.0123), seconds(2.5)}
	want := []string{"10", "1k", "100k", "1M", "0.1 ms", "100 ms", "10 s", "0.0031", "0.50", "12.3", "568", "12.3 ms", "2.50 s"}
	if !slices.Equal(got, want) {
		t.Errorf("units = %q; want %q", got, want)
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	got := spread([]float64{50, 10, 52, math.Inf(1), 11}, 10)
	if want := []float64{50, 10, 60, math.Inf(1), 20}; !slices.Equal(got, want) {
		t.Errorf("spread = %v; want %v", got, want)
	}
}

func TestPlot(t *testing.T) {
	t.Parallel()
	drawn := sampleReport().plot()
	count := map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(string(drawn))); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, drawn)
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
		}
	}
	if count["polyline"] != 3 || count["circle"] != 9 {
		t.Errorf("%d lines and %d points; want 3 and 9", count["polyline"], count["circle"])
	}
	for _, bad := range []string{"NaN", "Inf"} {
		if strings.Contains(string(drawn), bad) {
			t.Errorf("the plot holds %s", bad)
		}
	}
	(&report{}).plot() // nothing measured, nothing to divide by
}
