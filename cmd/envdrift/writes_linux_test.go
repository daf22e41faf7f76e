package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A writes is what is written below some folders, which a goroutine reads at once and
// searches for secrets. It opens a file when it is created, to read it when it is gone.
type writes struct {
	t       *testing.T
	queue   int
	secrets []string

	folders map[int32]string    // by inotify's numbers
	open    map[string]*os.File // created and not removed yet

	mu     sync.Mutex
	found  []string // what held a secret, and which
	missed int      // files that were gone before they were opened
	done   chan string
}

const watched = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE

// watchWrites watches folders, and those that are created in them.
func watchWrites(t *testing.T, secrets []string, folders ...string) *writes {
	t.Helper()
	queue, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	w := &writes{
		t: t, queue: queue, secrets: forms(secrets),
		folders: map[int32]string{}, open: map[string]*os.File{}, done: make(chan string, 1),
	}
	for _, folder := range folders {
		w.add(folder)
	}
	go w.follow()
	return w
}

// forms returns secrets as they are and in base64, whatever comes before them in it.
func forms(secrets []string) (forms []string) {
	for _, s := range secrets {
		forms = append(forms, s)
		for before := range 3 {
			text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + s))
			forms = append(forms, text[before+1:len(text)-2])
		}
	}
	return forms
}

// add watches a folder and those below, and reads what is in them already.
func (w *writes) add(folder string) {
	_ = filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil: // it is gone
		case d.IsDir():
			wd, err := unix.InotifyAddWatch(w.queue, name, watched|unix.IN_ONLYDIR)
			if err == nil {
				w.folders[int32(wd)] = name
			} else if !errors.Is(err, fs.ErrNotExist) {
				w.t.Errorf("watch %s: %v", name, err)
			}
		default:
			w.created(name)
		}
		return nil
	})
}

const doneFile = "the watcher is done"

// follow reads events until the process ends.
func (w *writes) follow() {
	buffer := make([]byte, 1<<16)
	for {
		n, err := unix.Read(w.queue, buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		for list := buffer[:n]; len(list) > 0; {
			e := (*unix.InotifyEvent)(unsafe.Pointer(&list[0]))
			name := strings.TrimRight(string(list[unix.SizeofInotifyEvent:][:e.Len]), "\x00")
			list = list[unix.SizeofInotifyEvent+e.Len:]
			if e.Mask&unix.IN_Q_OVERFLOW != 0 {
				w.find("events were lost")
			}
			w.handle(e.Mask, filepath.Join(w.folders[e.Wd], name))
		}
	}
}

func (w *writes) handle(mask uint32, name string) {
	switch {
	case strings.HasPrefix(filepath.Base(name), doneFile):
		if mask&unix.IN_CREATE != 0 {
			w.done <- name
		}
	case mask&unix.IN_ISDIR != 0:
		if mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0 {
			w.add(name)
		}
	case mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0:
		w.created(name)
	default:
		w.search(name)
		if mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) != 0 {
			w.removed(name)
		}
	}
}

// created opens a file; reading what is no file does not wait.
func (w *writes) created(name string) {
	w.removed(name)
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		if !errors.Is(err, unix.ELOOP) {
			w.missed++
		}
		return
	}
	w.open[name] = f
	w.search(name)
}

func (w *writes) removed(name string) {
	if f := w.open[name]; f != nil {
		_ = f.Close()
		delete(w.open, name)
	}
}

// search searches a file that is open. Git's objects are compressed.
func (w *writes) search(name string) {
	f := w.open[name]
	if f == nil {
		return
	}
	data, _ := io.ReadAll(io.NewSectionReader(f, 0, 1<<30)) // what is no file is nothing
	for _, text := range []string{string(data), string(inflate(data))} {
		for _, s := range w.secrets {
			if strings.Contains(text, s) {
				w.find(fmt.Sprintf("%s held %q", name, s))
			}
		}
	}
}

func (w *writes) find(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.found, what) {
		w.found = append(w.found, what)
	}
}

// seen returns what was found since the last call, after all that was written before
// was searched. folder is one that is watched.
func (w *writes) seen(folder string) []string {
	w.t.Helper()
	f, err := os.CreateTemp(folder, doneFile)
	if err != nil {
		w.t.Fatal(err)
	}
	defer os.Remove(f.Name())
	_ = f.Close()
	for deadline := time.After(time.Minute); ; {
		select {
		case name := <-w.done:
			if name != f.Name() {
				continue
			}
		case <-deadline:
			w.t.Fatal("the watcher sees nothing")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		found := w.found
		w.found = nil
		return found
	}
}

// searchAll returns which files below folders hold one of secrets.
func searchAll(t *testing.T, secrets []string, folders ...string) []string {
	t.Helper()
	w := &writes{t: t, secrets: forms(secrets), open: map[string]*os.File{}}
	for _, folder := range folders {
		if err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				w.created(name)
				w.removed(name)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	return w.found
}
