package main

import (
	"io"
	"os"

	"github.com/envdrift/envdrift/runner"
)

// A terminal is never had on Windows: a program whose output is masked writes
// to pipes there.
type terminal struct{}

func openTerminal(_, _ *os.File) (*terminal, error) { return nil, nil }

func (*terminal) attach(*runner.Command, io.Writer) error { return nil }
func (*terminal) isRaw() bool                             { return false }
func (*terminal) wait()                                   {}
func (*terminal) close()                                  {}
