package vault_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A journal is a vault that only adds. Requests take a random time on the way
// there and back.
type journal struct {
	mu     sync.Mutex
	rand   *rand.Rand
	texts  []string              // version 1 first
	broken func(op string) error // instead of a request
	wait   time.Duration
}

// A journalLog is one Put's view of it.
type journalLog struct {
	*journal
	last int
	dies bool // once it has added
}

func (j *journal) travel() {
	j.mu.Lock()
	took := time.Duration(j.rand.IntN(40)) * time.Millisecond
	j.mu.Unlock()
	time.Sleep(took)
}

// request makes a request between two travels.
func (j *journal) request(op string, do func()) error {
	j.travel()
	defer j.travel()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		if err := j.broken(op); err != nil {
			return err
		}
	}
	do()
	return nil
}

func (j *journal) secrets(from, to int) (all []vault.Secret) {
	for i := from; i < to; i++ {
		all = append(all, vault.Secret{Version: strconv.Itoa(i + 1), Value: secret.New(j.texts[i])})
	}
	return all
}

func (l *journalLog) Newest(context.Context) (newest vault.Secret, err error) {
	err = l.request("newest", func() {
		if l.last = len(l.texts); l.last > 0 {
			newest = l.secrets(l.last-1, l.last)[0]
		}
	})
	return newest, err
}

func (l *journalLog) Add(_ context.Context, value secret.Value) (version string, err error) {
	err = l.request("add", func() {
		l.texts = append(l.texts, value.Reveal())
		version = strconv.Itoa(len(l.texts))
	})
	if l.dies {
		runtime.Goexit()
	}
	return version, err
}

func (l *journalLog) Added(_ context.Context, version string) (added []vault.Secret, err error) {
	err = l.request("added", func() {
		n, _ := strconv.Atoi(version)
		if version == "" {
			n = len(l.texts)
		}
		added, l.last = l.secrets(l.last, n), n
	})
	return added, err
}

func (l *journalLog) Unsettled() time.Duration { return l.wait }

func (l *journalLog) PutBack(version string) string { return "put back " + version }

func (l *journalLog) Fail(err error) *vault.Error {
	var p vault.Problem
	if !errors.As(err, &p) {
		p = vault.NewProblem(vault.ErrUnavailable, err.Error(), "")
	}
	return p.Of("put", "journal", "k")
}

// rounds returns how often a race is run: ENVDRIFT_ROUNDS, or n.
func rounds(n int) int {
	if more, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS")); err == nil {
		return more
	}
	return n
}

// Of several Puts on one base one succeeds, and its text is the newest.
func TestAppendAtOnce(t *testing.T) {
	t.Parallel()
	for round := range rounds(100) {
		synctest.Test(t, func(t *testing.T) {
			j := &journal{rand: rand.New(rand.NewPCG(uint64(round), 1))}
			base := ""
			if round%2 == 0 {
				j.texts, base = []string{"base"}, "1"
			}
			writers := 2 + j.rand.IntN(6)
			errs := make([]error, writers)
			for i := range writers {
				go func() {
					_, errs[i] = vault.Append(t.Context(), &journalLog{journal: j}, secret.New(fmt.Sprint("text ", i)), base)
				}()
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			winner := slices.Index(errs, nil)
			for i, err := range errs {
				if (i == winner) != (err == nil) || err != nil && !errors.Is(err, vault.ErrConflict) {
					t.Errorf("round %d: errors %v; want one nil, the others ErrConflict", round, errs)
					break
				}
			}
			if newest := j.texts[len(j.texts)-1]; newest != fmt.Sprint("text ", winner) {
				t.Errorf("round %d: newest is %q of %q; want that of %d", round, newest, j.texts, winner)
			}
		})
	}
}

// A user who puts again and again, each time on what Get returned, keeps what
// others have put: no text that was accepted is missing from the last one.
func TestAppendInTurn(t *testing.T) {
	t.Parallel()
	lost, accepted := 0, 0
	for round := range rounds(20) {
		synctest.Test(t, func(t *testing.T) {
			j := &journal{rand: rand.New(rand.NewPCG(uint64(round), 2)), texts: []string{"."}, wait: 300 * time.Millisecond}
			var done []string
			for i := range 4 {
				go func() {
					for n := range 5 {
						mine := fmt.Sprintf("%d-%d.", i, n)
						for {
							seen, _ := (&journalLog{journal: j}).Newest(t.Context())
							_, err := vault.Append(t.Context(), &journalLog{journal: j}, secret.New(seen.Value.Reveal()+mine), seen.Version)
							if err == nil {
								j.mu.Lock()
								done = append(done, mine)
								j.mu.Unlock()
								break
							}
						}
					}
				}()
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if len(done) != 4*5 {
				t.Errorf("round %d: %d texts were accepted; want all", round, len(done))
			}
			for _, text := range done {
				accepted++
				if !strings.Contains(j.texts[len(j.texts)-1], text) {
					lost++
				}
			}
		})
	}
	if lost > 0 {
		t.Errorf("of %d accepted texts %d were lost", accepted, lost)
	}
}

// One of two writers is killed after its write: if the other one has succeeded, its
// text is the newest.
func TestAppendKilled(t *testing.T) {
	t.Parallel()
	for round := range rounds(100) {
		synctest.Test(t, func(t *testing.T) {
			j := &journal{rand: rand.New(rand.NewPCG(uint64(round), 3)), texts: []string{"base"}}
			var err error
			go func() { _, err = vault.Append(t.Context(), &journalLog{journal: j}, secret.New("mine"), "1") }()
			go func() {
				_, _ = vault.Append(t.Context(), &journalLog{journal: j, dies: true}, secret.New("theirs"), "1")
			}()
			time.Sleep(time.Hour)
			synctest.Wait()
			newest := j.texts[len(j.texts)-1]
			if err == nil && newest != "mine" || err != nil && (!errors.Is(err, vault.ErrConflict) || newest != "theirs") {
				t.Errorf("round %d: Append = %v, and the newest of %q is %q", round, err, j.texts, newest)
			}
		})
	}
}

// What fails after a write says what is stored.
func TestAppendFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		op           string // that fails, for good
		after        int    // so many that succeed
		want, remedy string
	}{
		{"newest", 0, "out of order", ""},
		{"added", 0, "version 3 is stored, but whether it has replaced another user's is not known: out of order", ""},
		{"newest", 2, "the newest version is 2, not 1", "run the command again: it begins with what the vault has now"},
		{"newest", 1, "version 3 has replaced version 2, which another user or process stored at the same time, and version 2 could not be put back: out of order", "put back 2"},
		{"add", 1, "version 3 has replaced version 2, which another user or process stored at the same time, and version 2 could not be put back: out of order", "put back 2"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			j := &journal{rand: rand.New(rand.NewPCG(1, 1)), texts: []string{"base"}}
			seen := map[string]int{}
			j.broken = func(op string) error {
				if op == "add" && seen[op] == 0 {
					j.texts = append(j.texts, "theirs")
				}
				if seen[op]++; op == tt.op && seen[op] > tt.after {
					return errors.New("out of order")
				}
				return nil
			}
			_, err := vault.Append(t.Context(), &journalLog{journal: j}, secret.New("mine"), "1")
			e, ok := errors.AsType[*vault.Error](err)
			if !ok || !errors.Is(err, vault.ErrUnavailable) && !errors.Is(err, vault.ErrConflict) || e.Detail != tt.want || e.Remedy != tt.remedy {
				t.Errorf("%s fails: Append = %v, remedy %q; want %q, %q", tt.op, err, e.Remedy, tt.want, tt.remedy)
			}
		})
	}
}
