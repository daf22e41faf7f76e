package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
)

// plot draws how time grows with size, both by powers of ten: one panel per
// task, one line per tool, its name at its end.
func (r *report) plot() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="11">
<style>
text { fill: #24292f } .title { font-weight: 600; font-size: 13px } .axis { fill: #57606a }
.grid { stroke: #d0d7de; stroke-width: 1 } polyline { fill: none; stroke-width: 2 }
.c0 { stroke: #0969da; fill: #0969da } .c1 { stroke: #bc4c00; fill: #bc4c00 } .c2 { stroke: #1a7f37; fill: #1a7f37 } .c3 { stroke: #8c959f; fill: #8c959f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .axis { fill: #9198a1 } .grid { stroke: #3d444d }
.c0 { stroke: #58a6ff; fill: #58a6ff } .c1 { stroke: #f0883e; fill: #f0883e } .c2 { stroke: #3fb950; fill: #3fb950 }
}
polyline.c0, polyline.c1, polyline.c2, polyline.c3 { fill: none } text.c0, text.c1, text.c2, text.c3 { stroke: none }
</style>
`, len(panels)*panelWidth, panelHeight)
	for i, p := range panels {
		p.draw(&out, r, float64(i*panelWidth))
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}

const (
	panelWidth, panelHeight = 330, 260
	left, right             = 46, 96 // right: for the names
	top, bottom             = 28, 40
)

// A panel shows a task by its tools. The color of each shows what it is:
// envdrift, a peer, another peer, a limit.
type panel struct {
	title, task, axis string
	tools             [4]string
}

var panels = []panel{
	{"exec -- true", "exec", "encrypted values", [4]string{"envdrift", "dotenvx", "sops", "bare execve"}},
	{"sync, vault at 100 ms", "sync at 100 ms", "mappings", [4]string{"envdrift", "earlier tool", "", "least round trips"}},
	{"pre-commit, nothing of ours staged", "pre-commit, 0 staged", "files in the repository", [4]string{"envdrift", "earlier tool", "", "git diff --cached"}},
}

type point struct{ x, y float64 }

func (p panel) draw(out *bytes.Buffer, r *report, offset float64) {
	lines := make([][]point, len(p.tools))
	var all []point
	for i, tool := range p.tools {
		for _, x := range r.Results {
			if x.Task == p.task && x.Tool == tool && x.Runs > 0 {
				lines[i] = append(lines[i], point{float64(x.Size), x.Median * 1000})
			}
		}
		all = append(all, lines[i]...)
	}
	fmt.Fprintf(out, "<text class=\"title\" x=\"%.0f\" y=\"16\">%s</text>\n", offset+left, html.EscapeString(p.title))
	if len(all) == 0 {
		return
	}
	sx := newScale(all, func(q point) float64 { return q.x }, offset+left, offset+panelWidth-right)
	sy := newScale(all, func(q point) float64 { return q.y }, panelHeight-bottom, top)
	for e := sy.low; e <= sy.high; e++ {
		y := sy.at(math.Pow10(e))
		fmt.Fprintf(out, "<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", sx.from, sx.to, y, y)
		fmt.Fprintf(out, "<text class=\"axis\" x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", sx.from-5, y+4, milliseconds(e))
	}
	for e := sx.low; e <= sx.high; e++ {
		fmt.Fprintf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", sx.at(math.Pow10(e)), panelHeight-bottom+15, thousands(e))
	}
	fmt.Fprintf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", (sx.from+sx.to)/2, panelHeight-bottom+31, html.EscapeString(p.axis))
	names := make([]float64, len(lines)) // heights
	for i, line := range lines {
		names[i] = math.Inf(1)
		if len(line) == 0 {
			continue
		}
		fmt.Fprintf(out, "<polyline class=\"c%d\" points=\"", i)
		for _, q := range line {
			fmt.Fprintf(out, "%.1f,%.1f ", sx.at(q.x), sy.at(q.y))
		}
		out.WriteString("\"/>\n")
		for _, q := range line {
			fmt.Fprintf(out, "<circle class=\"c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", i, sx.at(q.x), sy.at(q.y))
		}
		names[i] = sy.at(line[len(line)-1].y)
	}
	for i, y := range spread(names, 13) {
		if len(lines[i]) > 0 {
			end := lines[i][len(lines[i])-1]
			fmt.Fprintf(out, "<text class=\"c%d\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", i, sx.at(end.x)+7, y+4, html.EscapeString(p.tools[i]))
		}
	}
}

// A scale maps whole powers of ten, low to high, to a line.
type scale struct {
	low, high int
	from, to  float64
}

func newScale(all []point, of func(point) float64, from, to float64) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, q := range all {
		low, high = min(low, of(q)), max(high, of(q))
	}
	s := scale{int(math.Floor(math.Log10(low))), int(math.Ceil(math.Log10(high))), from, to}
	s.high = max(s.high, s.low+1)
	return s
}

func (s scale) at(v float64) float64 {
	return s.from + (math.Log10(v)-float64(s.low))/float64(s.high-s.low)*(s.to-s.from)
}

// spread moves heights apart so that none is nearer than gap to the next.
func spread(heights []float64, gap float64) []float64 {
	order := make([]int, len(heights))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if heights[a] < heights[b] {
			return -1
		}
		return 1
	})
	moved := slices.Clone(heights)
	for k := 1; k < len(order); k++ {
		moved[order[k]] = max(moved[order[k]], moved[order[k-1]]+gap)
	}
	return moved
}

func milliseconds(e int) string {
	if e >= 3 {
		return fmt.Sprintf("%g s", math.Pow10(e-3))
	}
	return fmt.Sprintf("%g ms", math.Pow10(e))
}

func thousands(e int) string {
	unit := ""
	for _, u := range []string{"k", "M"} {
		if e >= 3 {
			e, unit = e-3, u
		}
	}
	return fmt.Sprintf("%g%s", math.Pow10(e), unit)
}
