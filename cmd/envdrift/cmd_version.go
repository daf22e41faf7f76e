package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/upgrade"
)

func (c *cli) addVersion(app *kingpin.Application) (string, command) {
	check := false
	cmd := app.Command("version", "Print the version, and what it was built from.").HelpLong(`
With --check, git asks for the tags of ` + upgrade.Repository + `,
and the command that upgrades is printed. Nothing else ever asks for a newer version.

Statuses: 0 printed, or the newest · 1 there is a newer one, or it cannot be known
Example:  envdrift version --check`)
	cmd.Flag("check", "Ask whether there is a newer release.").BoolVar(&check)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.version(ctx, check) }
}

func (c *cli) version(ctx context.Context, check bool) error {
	facts := map[string]string{"version": version(), "commit": commit(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
	c.report.Data = facts
	if !c.json {
		if _, err := fmt.Fprintln(c.stdout, versionLine()); err != nil {
			return err
		}
	}
	if !check {
		return nil
	}
	newest, err := upgrade.Newest(ctx, os.Environ())
	if err != nil {
		return err
	}
	facts["newest"] = newest
	if !upgrade.IsNewer(newest, version()) {
		c.say("this is the newest release")
		return nil
	}
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return err
	}
	way := upgrade.How("", self, newest, releaseVersion != "")
	facts["upgrade"] = way.Command
	return &olderError{newest, self, way}
}

// An olderError reports that there is a newer release.
type olderError struct {
	newest, self string
	way          upgrade.Way
}

func (e *olderError) Error() string {
	return fmt.Sprintf("version %s is newer than %s, which was installed by %s", e.newest, e.self, e.way.Name)
}

// What the linker sets in a release: see scripts/release.
var (
	releaseVersion string // "0.1.0"
	releaseCommit  string
)

func versionLine() string {
	from := runtime.Version()
	if c := commit(); c != "" {
		from = "commit " + c[:min(12, len(c))] + ", " + from
	}
	return fmt.Sprintf("envdrift %s (%s, %s/%s)", version(), from, runtime.GOOS, runtime.GOARCH)
}

// version returns the version of a release, else the module's, which "go install" and a
// build in a clone have; "devel" for neither.
func version() string {
	if releaseVersion != "" {
		return releaseVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return "devel"
}

// commit returns what the program was built from, "" if that is not known.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if releaseCommit != "" || !ok {
		return releaseCommit
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
