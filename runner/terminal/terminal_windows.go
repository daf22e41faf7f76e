package terminal

import (
	"io"
	"os"

	"github.com/envdrift/envdrift/runner"
)

// A pseudoTerminal is never used on Windows: a program whose output is masked
// writes to pipes there.
type pseudoTerminal struct{}

func openTerminal(_, _ *os.File) (*pseudoTerminal, error) { return nil, nil }

func (*pseudoTerminal) attach(*runner.Command, io.Writer) error { return nil }
func (*pseudoTerminal) isRaw() bool                             { return false }
func (*pseudoTerminal) wait()                                   {}
func (*pseudoTerminal) close()                                  {}
