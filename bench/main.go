// Bench measures envdrift and compares it with the tools that users would
// otherwise use, and with the machine's limits. Start it with bench/run, which
// builds and installs what it needs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		exit(child(os.Args[2:]))
	}
	var o options
	var file, from string
	only := flag.String("only", "", "measure the tasks whose name or group matches this `regexp` only; -list tells them")
	list := flag.Bool("list", false, "print the tasks and stop")
	publish := flag.Bool("publish", false, "write bench/results.json, docs/performance.md and docs/performance.svg")
	flag.BoolVar(&o.quick, "quick", false, "one round of the smallest sizes, to see that everything works")
	flag.IntVar(&o.rounds, "rounds", 15, "runs of each tool, at most")
	flag.DurationVar(&o.budget, "budget", 3*time.Second, "no further run of a tool that has taken so long in a task")
	flag.DurationVar(&o.limit, "cap", time.Minute, "stop a run after so long, and start none that would take longer")
	flag.StringVar(&file, "json", ".tools/bench/results.json", "write the results to this `file`")
	flag.StringVar(&from, "from", "", "measure nothing: take the results from this `file`")
	flag.Parse()
	o.only = regexp.MustCompile(*only)
	if o.quick {
		o.rounds = 1
	}
	if *list {
		for _, t := range o.tasks() {
			fmt.Println(t.group+":", t)
		}
		return
	}
	// So that an interrupted run leaves no server and no repository behind.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, o, file, from, *publish))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, o options, file, from string, publish bool) error {
	var r *report
	var err error
	if from != "" {
		r, err = readReport(from)
	} else {
		r, err = measureAll(ctx, o)
	}
	if r == nil {
		return err
	}
	fmt.Print(r.table(false), "\n", r.targets(false))
	if from == "" {
		err = errors.Join(err, r.write(file))
	}
	if publish {
		err = errors.Join(err, r.publish())
	}
	return err
}

type options struct {
	only          *regexp.Regexp
	quick         bool
	rounds        int
	budget, limit time.Duration
}

// tasks returns the tasks that were asked for.
func (o options) tasks() (list []task) {
	for _, t := range allTasks(o.quick) {
		if o.only.MatchString(t.String()) || o.only.MatchString(t.group) {
			list = append(list, t)
		}
	}
	return list
}

// measureAll returns what could be measured even if something could not.
func measureAll(ctx context.Context, o options) (*report, error) {
	b, err := newFixture()
	if b != nil {
		defer b.close()
	}
	if err != nil {
		return nil, err
	}
	r := &report{Machine: machine()}
	begin := time.Now()
	var failed []error
	for _, t := range o.tasks() {
		if ctx.Err() != nil {
			failed = append(failed, errors.New("interrupted"))
			break
		}
		fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(begin).Seconds(), t)
		if err := r.measure(ctx, b, t, o); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", t, err))
		}
	}
	r.Sizes = b.sizes()
	r.Took = time.Since(begin).Round(time.Second).String()
	return r, errors.Join(failed...)
}

// measure prepares t and runs its contestants in turns, so that other load on
// the machine affects all of them.
func (r *report) measure(ctx context.Context, b *fixture, t task, o options) error {
	dir, err := os.MkdirTemp(b.dir, "task-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	contestants, stop, err := t.prepare(b, dir, t.size)
	if stop != nil {
		defer stop()
	}
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(contestants, isOurs); i >= 0 && b.base != "" {
		contestants = slices.Insert(contestants, i+1, contestants[i].before(b))
	}
	var failed []error
	samples, notes := make([][]sample, len(contestants)), make([]string, len(contestants))
	spent := make([]time.Duration, len(contestants))
	for i, c := range contestants {
		switch expected := r.expect(t, c.tool); {
		case r.gaveUp(t, c.tool):
			notes[i] = "not run"
		case expected > o.limit:
			notes[i] = fmt.Sprintf("not run: about %.0f s", expected.Seconds())
		}
	}
	for range o.rounds {
		for _, i := range rand.Perm(len(contestants)) {
			c := contestants[i]
			if notes[i] != "" || spent[i] > o.budget || ctx.Err() != nil {
				continue
			}
			s, err := c.once(ctx, o.limit)
			switch {
			case errors.Is(err, errCapped):
				notes[i] = "> " + o.limit.String()
			case err != nil:
				notes[i] = "failed"
				failed = append(failed, err)
			default:
				samples[i] = append(samples[i], s)
				spent[i] += s.Wall
			}
		}
	}
	for i, c := range contestants {
		r.Results = append(r.Results, result{Group: t.group, Task: t.name, Size: t.size, Unit: t.unit, Tool: c.tool, Note: notes[i], summary: summarize(samples[i])})
	}
	return errors.Join(failed...)
}

// A contestant does the task in its own way.
type contestant struct {
	tool  string
	reset func() error // restores what the run changes; not measured
	check func() error // checks that the run did it; not measured
	command
	inside func() (time.Duration, error) // instead of a command: a limit, measured in this process
}

func isOurs(c contestant) bool { return c.tool == "envdrift" }

// before returns the contestant that does the same with the build of the base
// revision, by its hook where c is a hook.
func (c contestant) before(b *fixture) contestant {
	c.tool = "before"
	c.argv = slices.Clone(c.argv)
	for i, arg := range c.argv {
		if arg == b.envdrift {
			c.argv[i] = b.base
		}
		c.argv[i] = strings.Replace(c.argv[i], hooksFolder, baseHooks, 1)
	}
	return c
}

func (c contestant) once(ctx context.Context, limit time.Duration) (sample, error) {
	if c.reset != nil {
		if err := c.reset(); err != nil {
			return sample{}, err
		}
	}
	if c.inside != nil {
		d, err := c.inside()
		return sample{Wall: d}, err
	}
	s, err := c.run(ctx, limit)
	if err == nil && c.check != nil {
		err = c.check()
	}
	return s, err
}

// sizes returns the installed bytes: those of envdrift without the vaults'
// programs, those of dotenvx and the earlier tool without Node and Python.
func (b *fixture) sizes() map[string]int64 {
	all := map[string]int64{}
	for tool, path := range map[string]string{"envdrift": b.envdrift, "before": b.base, "sops": b.sops,
		"dotenvx": parent(b.dotenvx, 2), "earlier tool": parent(b.earlier, 2)} {
		if path == "" {
			continue
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		_ = filepath.Walk(path, func(_ string, f os.FileInfo, err error) error {
			if err == nil && f.Mode().IsRegular() {
				all[tool] += f.Size()
			}
			return nil
		})
	}
	return all
}

func parent(path string, n int) string {
	for ; path != "" && n > 0; n-- {
		path = filepath.Dir(path)
	}
	return path
}

// machine describes what the figures were measured on.
func machine() string {
	first := func(argv ...string) string {
		out, _ := exec.Command(argv[0], argv[1:]...).Output()
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return line
	}
	cpu := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`model name\s*: (.*)`).FindSubmatch(data); m != nil {
			cpu = string(m[1])
		}
	}
	return fmt.Sprintf("%s, %d cores, %s, %s, %s, commit %s, %s", cpu, runtime.NumCPU(), first("uname", "-sr"), first("git", "version"),
		runtime.Version(), first("git", "describe", "--always", "--dirty"), time.Now().UTC().Format(time.DateOnly))
}

func (r *report) write(file string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return write(file, append(data, '\n'))
}
