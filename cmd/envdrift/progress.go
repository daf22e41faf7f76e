package main

import (
	"context"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

// patience is how long a person waits without being told what for.
const patience = time.Second

// fetch asks the vaults for the keys of targets, in the order of these, and
// shows that it does if it takes long.
func (s *session) fetch(ctx context.Context, targets []mapping.Target) []keyring.Answer {
	// Opened before anything is shown: that may ask for trust. What went wrong
	// is remembered, and told by the fetch.
	for _, t := range targets {
		_, _ = s.vaultOf(ctx, t)
	}
	defer s.showing("asking the vault")()
	return keyring.Fetch(ctx, s.vaultOf, targets, s.workers())
}

// showing shows on a terminal what is going on, from when patience is over
// until the returned function is called.
func (c *cli) showing(what string) (done func()) {
	if !c.coloured() || c.quiet || c.json {
		return func() {}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-stop:
			return
		case <-time.After(patience):
		}
		bar := progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(c.stderr), progressbar.OptionSetDescription(what),
			progressbar.OptionSpinnerType(14), progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(true),
			progressbar.OptionSetSpinnerChangeInterval(0)) // else it draws beside us, also after the end
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				_ = bar.Finish()
				return
			case <-tick.C:
				_ = bar.Add(1)
			}
		}
	})
	return func() { close(stop); wg.Wait() }
}
