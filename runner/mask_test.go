package runner_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envdrift/envdrift/runner"
)

// naive is the definition of masking: every byte of every occurrence is
// removed, and each unbroken run of them is one Masked.
func naive(secrets []string, text string) string {
	secret := make([]bool, len(text))
	for _, s := range secrets {
		for i := range text {
			if len(s) >= runner.MinSecret && strings.HasPrefix(text[i:], s) {
				for j := range s {
					secret[i+j] = true
				}
			}
		}
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !secret[i]:
			out.WriteByte(text[i])
		case i == 0 || !secret[i-1]:
			out.WriteString(runner.Masked)
		}
	}
	return out.String()
}

// mask writes text in pieces of n bytes.
func mask(t testing.TB, secrets []string, text string, n int) string {
	t.Helper()
	var out bytes.Buffer
	w := runner.NewMask(secrets).Writer(&out, 0)
	for piece := []byte(text); len(piece) > 0; piece = piece[min(n, len(piece)):] {
		if got, err := w.Write(piece[:min(n, len(piece))]); got != min(n, len(piece)) || err != nil {
			t.Fatalf("Write = %d, %v", got, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestMask(t *testing.T) {
	t.Parallel()
	const m = runner.Masked
	tests := []struct {
		name    string
		secrets []string
		text    string
		want    string
	}{
		{"none", nil, "text", "text"},
		{"one", []string{"secret"}, "a secret, and secret", "a " + m + ", and " + m},
		{"only", []string{"secret"}, "secret", m},
		{"begun", []string{"secret"}, "secre", "secre"},
		{"begun twice", []string{"abcabd"}, "abcabcabd", "abc" + m},
		{"side by side", []string{"abcd", "efgh"}, "abcdefgh abcdabcd", m + " " + m},
		{"one in the other", []string{"secret", "secret-longer"}, "secret secret-longer secret-lo", m + " " + m + " " + m + "-lo"},
		{"one within the other, begun", []string{"cdef", "abcdefgh"}, "abcdefg", "ab" + m + "g"},
		{"overlapping", []string{"abcdef", "defghi"}, "abcdefghi", m},
		{"overlapping itself", []string{"aaaa"}, "aaaaaaa aaa", m + " aaa"},
		{"too short", []string{"abc", ""}, "abc", "abc"},
		{"lines", []string{"first\nsecond\nx\n"}, "first\nsecond\nx\n; second; x", m + "; " + m + "; x"},
		{"lines on a terminal", []string{"first\nsecond\nx"}, "first\r\nsecond\r\nx first", m + " " + m},
		{"lines of Windows", []string{"first\r\nsecond\r\nx"}, "first\nsecond\nx", m},
		{"blanks around it", []string{" secret words\t"}, "secret words; secret words\t", m + ";" + m},
		{"binary", []string{"\x00\xff\x00\xfe"}, "\x00\x00\xff\x00\xfe\xff", "\x00" + m + "\xff"},
		{"encoded", []string{"secret"}, "c2VjcmV0", "c2VjcmV0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= len(tt.text); n++ {
				if got := mask(t, tt.secrets, tt.text, n); got != tt.want {
					t.Errorf("in pieces of %d: %q; want %q", n, got, tt.want)
				}
			}
		})
	}
}

// A program that prints its environment as JSON shows nothing, whatever language it is in.
func TestMaskInJSON(t *testing.T) {
	t.Parallel()
	secrets := []string{`{"key":"a\u003cb\nc"}`, "pä$$wörd", "one\ntwo \"q\"", "https://u:p@h/x?a&b", "🗝️key"}
	for _, text := range []string{
		`"{\"key\":\"a\\u003cb\\nc\"}"`, `"p\u00e4$$w\u00f6rd"`, `"one\ntwo \"q\""`,
		`"https:\/\/u:p@h\/x?a&b"`, `"https://u:p@h/x?a\u0026b"`, `"\ud83d\udddd\ufe0fkey"`,
	} {
		if got, want := mask(t, secrets, text, 7), `"`+runner.Masked+`"`; got != want {
			t.Errorf("%s is written as %s; want %s", text, got, want)
		}
	}
	if got := mask(t, []string{"é"}, `\u00e9`, 3); got != `\u00e9` {
		t.Errorf("a short text is written as %s; want it as it is", got)
	}
}

func TestMaskLeavesBinaryUnchanged(t *testing.T) {
	t.Parallel()
	text := randomText(1<<20, 256)
	if got := mask(t, manySecrets(), text, 4096); got != text {
		t.Error("binary output without secrets has changed")
	}
}

func FuzzMask(f *testing.F) {
	f.Add("secret|ecre|cret-or", "a secret-or secrecret", uint8(3))
	f.Add("aaaa|aaaaaab", "aaaaaaaaab", uint8(1))
	f.Add("abab|baba|abcabcd", "abababcabcabcabcdabab", uint8(2))
	f.Fuzz(func(t *testing.T, list, text string, n uint8) {
		if strings.ContainsAny(list, "\r\n") {
			return // naive does not handle lines
		}
		secrets := strings.Split(list, "|")
		want := naive(secrets, text)
		if got := mask(t, secrets, text, int(n)+1); got != want {
			t.Errorf("mask of %q in %q, pieces of %d = %q; want %q", secrets, text, int(n)+1, got, want)
		}
	})
}

// A small alphabet makes the overlaps that a fuzzer takes long to find.
func TestMaskAgainstNaive(t *testing.T) {
	t.Parallel()
	for range 2000 {
		var secrets []string
		for range 1 + rand.IntN(4) {
			secrets = append(secrets, randomText(4+rand.IntN(5), 2))
		}
		text := randomText(60, 2)
		n := 1 + rand.IntN(20)
		if got, want := mask(t, secrets, text, n), naive(secrets, text); got != want {
			t.Fatalf("mask of %q in %q, pieces of %d = %q; want %q", secrets, text, n, got, want)
		}
	}
}

func TestMaskHoldsBackNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := runner.NewMask([]string{"secret", "password"}).Writer(&out, 0)
	for _, step := range []struct{ write, want string }{
		{"prompt> ", "prompt> "},
		{"\x1b[2J", "\x1b[2J"},
		{"a sec", "a "},
		{"ond\n", "second\n"},
		{"secret", runner.Masked},
		{"secretp", ""},
		{"assive", "passive"},
	} {
		out.Reset()
		if _, err := io.WriteString(w, step.write); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != step.want {
			t.Errorf("after %q: %q; want %q", step.write, got, step.want)
		}
	}
}

func TestMaskOnAnIdleTerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const idle = 50 * time.Millisecond
		var out output
		w := runner.NewMask([]string{"secret"}).Writer(&out, idle)
		for _, step := range []struct{ write, atOnce, idle string }{
			{"name: s", "name: ", "s"},     // the whole of a prompt is seen
			{"ecret", runner.Masked, ""},   // what is left of the secret is not
			{" sec", " ", "sec"},           // fewer than MinSecret bytes
			{"r", "", ""},                  // more than that wait
			{"et", runner.Masked, ""},      // for what follows
			{" secr", " ", ""},             // also when they come at once
			{"x", "secrx", ""},             // but are not lost
			{"s", "", "s"}, {"t", "t", ""}, // nor sent twice
			{"se", "", "se"},
		} {
			if _, err := io.WriteString(w, step.write); err != nil {
				t.Fatal(err)
			}
			atOnce := out.take()
			time.Sleep(2 * idle)
			later := out.take()
			if atOnce != step.atOnce || later != step.idle {
				t.Errorf("after %q: %q at once, %q later; want %q and %q", step.write, atOnce, later, step.atOnce, step.idle)
			}
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if rest := out.take(); rest != "" {
			t.Errorf("Close wrote %q; want nothing", rest)
		}
	})
}

// An output is a buffer that may be written and taken at the same time.
type output struct {
	mu  sync.Mutex
	buf []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, p...)
	return len(p), nil
}

func (o *output) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() { o.buf = nil }()
	return string(o.buf)
}

func TestMaskReportsTheWritersError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	w := runner.NewMask([]string{"secret"}).Writer(errorWriter{broken}, 0)
	if n, err := io.WriteString(w, "secr"); n != 4 || err != nil {
		t.Errorf("Write of what is held back = %d, %v; want 4", n, err)
	}
	for range 2 {
		if n, err := io.WriteString(w, "et"); n != 0 || err != broken {
			t.Errorf("Write = %d, %v; want 0, %v", n, err, broken)
		}
	}
	if err := w.Close(); err != broken {
		t.Errorf("Close: %v; want %v", err, broken)
	}
}

type errorWriter struct{ err error }

func (w errorWriter) Write([]byte) (int, error) { return 0, w.err }

func TestFormattersDoNotPrintSecrets(t *testing.T) {
	t.Parallel()
	const secret = "marked-secret"
	e := runner.FromList([]string{"A=" + secret})
	c := runner.Command{Args: []string{"x"}, Env: e}
	m := runner.NewMask([]string{secret})
	w := m.Writer(io.Discard, 0)
	if _, err := io.WriteString(w, secret[:8]); err != nil {
		t.Fatal(err)
	}
	bytes := strings.Trim(fmt.Sprint([]byte(secret[:8])), "[]")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		out := fmt.Sprintf(strings.Repeat(verb, 8), e, &e, c, &c, []any{e, c}, m, w, struct{ M *runner.Mask }{m})
		for _, form := range []string{secret[:8], fmt.Sprintf("%x", secret[:8]), bytes} {
			if strings.Contains(out, form) {
				t.Errorf("%s prints the secret: %s", verb, out)
			}
		}
	}
}

const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"

// randomText returns n bytes of the first letters of the alphabet, or of all
// bytes.
func randomText(n, letters int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte(rand.IntN(letters))
		if letters <= len(alphabet) {
			text[i] = alphabet[text[i]]
		}
	}
	return string(text)
}

func manySecrets() []string {
	secrets := make([]string, 100)
	for i := range secrets {
		secrets[i] = randomText(40, len(alphabet))
	}
	return secrets
}

func BenchmarkMask(b *testing.B) {
	log := strings.Repeat(`2026-01-02T03:04:05Z INFO GET /api/v1/things?page=3 200 1.2ms "Mozilla/5.0 (X11; Linux x86_64)"`+"\n", 1000)
	secrets := manySecrets()
	var leaking strings.Builder
	for line := range strings.Lines(log) {
		leaking.WriteString(line + secrets[leaking.Len()%len(secrets)] + "\n")
	}
	urls := make([]string, 100)
	for i := range urls {
		urls[i] = "http://" + randomText(30, 26)
	}
	benchmarks := []struct {
		name    string
		secrets []string
		text    string
	}{
		{"log", secrets, log},
		{"base64", secrets, randomText(100_000, len(alphabet))},
		{"binary", secrets, randomText(100_000, 256)},
		{"a secret a line", secrets, leaking.String()},
		{"secrets begin like the output", urls, strings.Repeat("http://x", 10_000)},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			text := []byte(bb.text)
			w := runner.NewMask(bb.secrets).Writer(io.Discard, 0)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				// As io.Copy does.
				for p := text; len(p) > 0; p = p[min(32<<10, len(p)):] {
					_, _ = w.Write(p[:min(32<<10, len(p))])
				}
			}
		})
	}
}

func BenchmarkNewMask(b *testing.B) {
	secrets := manySecrets()
	for b.Loop() {
		runner.NewMask(secrets)
	}
}
