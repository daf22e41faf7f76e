package report

import (
	"fmt"
	"sync"
	"time"
)

// progressDelay is how long an operation runs before progress is shown.
const progressDelay = time.Second

// clearLine goes to the beginning of a terminal's line and empties it.
const clearLine = "\r\x1b[K"

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

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
		begin := time.Now()
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				fmt.Fprint(p.Stderr, clearLine+"\r")
				return
			case <-tick.C:
				seconds := time.Since(begin).Truncate(time.Second)
				fmt.Fprintf(p.Stderr, clearLine+"%c %s (%v)", spinner[n%len(spinner)], what, seconds)
			}
		}
	})
	return func() { close(stop); wg.Wait() }
}
