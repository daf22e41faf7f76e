package environ_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envdrift/envdrift/internal/environ"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, map[string]string{".env": "A=1\nB=1\n"})
		work := p.open(".")
		running, err := environ.Build(t.Context(), work, environ.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var events []string
		var refuse error
		w := environ.Watch{
			Running: running, Interval: time.Minute,
			Renew: func(next environ.Environ, names []string) error {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, given(next))
				events = append(events, names...)
				return refuse
			},
			Failed: func(err error) {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, "failed")
			},
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() { w.Run(ctx, work); close(done) }()
		expect := func(after time.Duration, want ...string) {
			t.Helper()
			time.Sleep(after)
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(events, want) {
				t.Errorf("events %q; want %q", events, want)
			}
			events = nil
		}
		const settled = 3*time.Second + time.Millisecond
		expect(settled, "A=1 B=1") // what it starts with
		expect(50 * time.Second)
		expect(10*time.Second, "A=1 B=1") // the vault may have another key
		p.write(".env", "A=2\nB=1\n")
		expect(settled, "A=2 B=1", "A")
		p.write(".env", "# a comment\nA=2\nB=1\n")
		expect(settled, "A=2 B=1")
		p.write(".env", "A=2\nA=${B:?}\nLD_PRELOAD=x\n")
		expect(settled, "failed")
		expect(10 * time.Minute) // it is said once
		refuseWith := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			refuse = err
		}
		refuseWith(errors.New("the program does not start"))
		p.write(".env", "A=3\nB=1\n")
		expect(settled, "A=3 B=1", "A", "failed")
		refuseWith(nil)
		expect(time.Minute, "A=3 B=1", "A") // what it refused, it still lacks
		stop()
		<-done
	})
}
