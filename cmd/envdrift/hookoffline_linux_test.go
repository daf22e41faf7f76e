//go:build amd64 || arm64

package main

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestHookOpensNoSocket commits and switches without changing an env file, with
// a vault configured that would notice, and in processes that the kernel kills
// if they open an Internet socket.
func TestHookOpensNoSocket(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.NotFound(w, nil)
	}))
	t.Cleanup(canary.Close)
	f := newFixture(t)
	b := f.commit(t).with("VAULT_TOKEN=marked", "ENVDRIFT_TRUST=1")
	b.write("envdrift.toml", []byte(`[vault]
provider = "hashicorp"
[vault.hashicorp]
url = "`+canary.URL+`"
[[vault.sync.mappings]]
secret_name = "the-key"
folder_path = "."
environment = "production"
`))
	b.run("git", "commit", "-q", "-a", "-m", "vault")
	b.run("envdrift", "hook", "install")

	b.write("other.txt", []byte("edited\n"))
	for _, args := range [][]string{
		{"commit", "-q", "-a", "-m", "nothing of ours"},
		{"switch", "-q", "--detach", "HEAD~1"},
		{"switch", "-q", "main"},
	} {
		if out, err := b.tryOffline("git", args...); out != "" || err != nil {
			t.Errorf("git %q = %q, %v; want nothing said", args, out, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the vault was asked %d times", n)
	}

	// The same with something to ask: it is noticed.
	b.write(envFile, f.edited)
	if out, err := b.tryOffline("git", "commit", "-q", "-a", "-m", "ours"); err == nil {
		t.Errorf("a commit of an env file passed without its vault: %s", out)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the vault was asked %d times without a socket", n)
	}
	if out, err := b.try("git", "commit", "-q", "-a", "-m", "ours"); err == nil || asked.Load() == 0 {
		t.Errorf("the vault was not asked: %v: %s", err, out)
	}
}

// tryOffline is like try, but in a thread whose descendants are killed if they
// open an Internet socket. The thread ends with its goroutine.
func (b *bench) tryOffline(name string, args ...string) (out string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = forbidSockets(); err == nil {
			out, err = b.try(name, args...)
		}
	}()
	<-done
	return out, err
}

// forbidSockets makes the kernel kill the calling thread, or a descendant, at a
// socket(2) of AF_INET or AF_INET6.
func forbidSockets() error {
	const number, family = 0, 16 // offsets in struct seccomp_data
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	skip := func(value uint32, equal, other uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: equal, Jf: other, K: value}
	}
	end := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	filter := []unix.SockFilter{
		load(number),
		skip(unix.SYS_SOCKET, 0, 3),
		load(family),
		skip(unix.AF_INET, 2, 0),
		skip(unix.AF_INET6, 1, 0),
		end(unix.SECCOMP_RET_ALLOW),
		end(unix.SECCOMP_RET_KILL_PROCESS),
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}
