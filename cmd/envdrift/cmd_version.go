package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kingpin/v2"
)

func (c *cli) addVersion(app *kingpin.Application) (string, command) {
	cmd := app.Command("version", "Print the version, and what it was built from.").HelpLong(`
Statuses: 0
Example:  envdrift version --json`)
	return cmd.FullCommand(), func(context.Context) error {
		if c.json {
			c.report.Data = map[string]string{"version": version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			return nil
		}
		_, err := fmt.Fprintln(c.stdout, versionLine())
		return err
	}
}

func versionLine() string {
	return fmt.Sprintf("envdrift %s (%s, %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version returns the module's version, or the commit if it was built from a
// clone.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "commit " + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
