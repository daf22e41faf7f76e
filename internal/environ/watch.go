package environ

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/envdrift/envdrift/internal/workspace"
)

// A Watch looks for another environment than that of a running program.
type Watch struct {
	Options
	Running  Environ
	Interval time.Duration // how often the vault is asked

	// Renew gives the program another environment. No names differ if a file
	// changed and no value did. If it fails, the program keeps what it has.
	Renew func(next Environ, names []string) error
	// Failed is called with why there is no other environment, once for each reason: a
	// value does not decrypt, or the vault is unreachable.
	Failed func(error)
}

// Run looks once a second at the files, and at each interval also into the vault,
// until ctx ends.
func (w *Watch) Run(ctx context.Context, work *workspace.Workspace) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var seen, read [sha256.Size]byte
	var asked time.Time
	var told string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := Fingerprint(ctx, work, w.Options); now != seen {
			seen = now // and wait for one second without a change
			continue
		}
		if seen == read && time.Since(asked) < w.Interval {
			continue
		}
		read, asked = seen, time.Now()
		next, err := Build(ctx, work, w.Options)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = w.renew(next)
		}
		text := fmt.Sprint(err)
		if err != nil && text != told {
			w.Failed(err)
		}
		told = text
	}
}

func (w *Watch) renew(next Environ) error {
	names := w.Running.Changed(next)
	err := w.Renew(next, names)
	if err == nil && len(names) > 0 {
		w.Running = next
	}
	return err
}
