package report

import (
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progressDelay is how long an operation runs before progress is shown.
const progressDelay = time.Second

// Progress shows on a terminal what is going on, from when progressDelay is over
// until the returned function is called.
func (p *Printer) Progress(what string) (done func()) {
	if !p.Colour || p.Quiet || p.Format.Alone {
		return func() {}
	}
	return p.progress(what, progressDelay, 100*time.Millisecond)
}

// progress draws a step of the progress at each interval, from after delay on.
func (p *Printer) progress(what string, delay, interval time.Duration) (done func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-stop:
			return
		case <-time.After(delay):
		}
		bar := progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(p.Stderr), progressbar.OptionSetDescription(what),
			progressbar.OptionSpinnerType(14), progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(true),
			progressbar.OptionSetSpinnerChangeInterval(0)) // else it draws beside us, also after the end
		tick := time.NewTicker(interval)
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
