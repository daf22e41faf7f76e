package main

import (
	"bytes"
	"strings"
	"testing"
)

// Each command or flag of the earlier envdrift that is gone is an error whose
// hint says what to type instead. One that exists again does not belong there
// any more.
func TestLegacyWords(t *testing.T) {
	t.Parallel()
	for _, row := range legacy {
		flags := strings.Fields(row.flags)
		if len(flags) == 0 {
			flags = []string{"--"}
		}
		for _, flag := range flags {
			var stdout, stderr bytes.Buffer
			sys := &system{stdout: &stdout, stderr: &stderr, env: map[string]string{}}
			args := []string{"-q", row.command, flag, "sops"}
			status := run(t.Context(), sys, args)
			statusWanted := statusUsage
			if row.command == "exec" {
				statusWanted = statusExec // 2 may be that of its program
			}
			if want := "envdrift: hint: " + row.instead + "\n"; status != statusWanted || !strings.HasSuffix(stderr.String(), want) {
				t.Errorf("envdrift %s: status %d, %q; want %d and %q", strings.Join(args, " "), status, stderr.String(), statusWanted, want)
			}
		}
	}
}
