package main

import (
	"io"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/vault/all"
)

// A setting may share a flag with another provider's, but must have one that
// the command knows.
func TestFlagsOfSettings(t *testing.T) {
	t.Parallel()
	app, _ := (&cli{system: &system{stdout: io.Discard, stderr: io.Discard}}).application("")
	for _, p := range all.Providers() {
		for _, s := range p.Settings {
			if s.Flag != "" && app.GetFlag(strings.TrimPrefix(s.Flag, "--")) == nil {
				t.Errorf("%s.%s is set by %s, which the command does not have", p.Name, s.Key, s.Flag)
			}
		}
	}
}
