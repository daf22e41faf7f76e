package runner

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf16"
)

const (
	// Masked replaces a secret.
	Masked = "[masked]"
	// MinSecret is the length in bytes from which a text is masked. Shorter
	// texts are in every output, and masking them would reveal what they
	// are.
	MinSecret = 4
)

// A Mask knows secrets and replaces them in streams. Every byte that belongs to
// an occurrence of a secret is removed, also where occurrences overlap; each
// unbroken run of such bytes becomes one [Masked]. A secret of several lines is
// found as a whole, with either line ending, and line by line; blanks around it do not
// count.
//
// Secrets are found as they are and with the escapes of JSON: not otherwise encoded,
// compressed, or broken by an escape sequence.
//
// It is an Aho-Corasick automaton. Memory grows with the length of the secrets,
// time only with that of the output. Formatting does not print it.
type Mask struct {
	nodes []node
	first [256]int32           // the children of the root
	pairs [1 << 16 >> 6]uint64 // a set: the first two bytes of every secret
	used  atomic.Bool
}

// A node represents a prefix of a secret. Node 0 is the root, the empty prefix.
type node struct {
	char           byte
	child, sibling int32
	fail           int32 // the longest proper suffix that is a prefix too
	depth          int32
	match          int32 // the length of the longest secret that ends here, or 0
}

// NewMask returns a Mask of the secrets that have at least MinSecret bytes.
func NewMask(secrets []string) *Mask {
	m := &Mask{nodes: make([]node, 1)}
	for _, s := range secrets {
		lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
		forms := append(lines, s, strings.TrimSpace(s)) // a shell passes on the latter, if it is not quoted
		if len(lines) > 1 {
			forms = append(forms, strings.Join(lines, "\n"), strings.Join(lines, "\r\n"))
		}
		for _, form := range forms {
			m.add(form)
			for _, escaped := range inJSON(form) {
				m.add(escaped)
			}
		}
	}
	m.link()
	return m
}

// inJSON returns a text as programs write it within a string of JSON: with as few escapes
// as can be, as Go and browsers do for HTML, in ASCII as Python does, and with slashes
// escaped as PHP does. There are none for a text that is too short to be masked.
func inJSON(text string) []string {
	if len(text) < MinSecret {
		return nil
	}
	few := quote(text, false)
	var ascii strings.Builder
	for _, r := range few {
		if r < 0x80 {
			ascii.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&ascii, `\u%04x`, unit)
		}
	}
	slashes := strings.ReplaceAll(ascii.String(), "/", `\/`)
	return []string{few, quote(text, true), ascii.String(), slashes}
}

// quote returns a text as a string of JSON, without the quotation marks.
func quote(text string, html bool) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(html)
	_ = e.Encode(text) // a string is always encoded
	return strings.TrimSuffix(out.String()[1:], "\"\n")
}

func (m *Mask) add(secret string) {
	if len(secret) < MinSecret {
		return
	}
	at := int32(0)
	for _, char := range []byte(secret) {
		next := m.child(at, char)
		if next == 0 {
			next = int32(len(m.nodes))
			m.nodes = append(m.nodes, node{char: char, sibling: m.nodes[at].child, depth: m.nodes[at].depth + 1})
			m.nodes[at].child = next
			if at == 0 {
				m.first[char] = next
			}
		}
		at = next
	}
	m.nodes[at].match = int32(len(secret))
	pair := uint16(secret[0])<<8 | uint16(secret[1])
	m.pairs[pair>>6] |= 1 << (pair & 63)
}

// child returns the node that char leads to from at, or 0.
func (m *Mask) child(at int32, char byte) int32 {
	if at == 0 {
		return m.first[char]
	}
	next := m.nodes[at].child
	for next != 0 && m.nodes[next].char != char {
		next = m.nodes[next].sibling
	}
	return next
}

// link sets the fail and match of all nodes, the shorter prefixes first.
func (m *Mask) link() {
	queue := []int32{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for next := m.nodes[at].child; next != 0; next = m.nodes[next].sibling {
			n := &m.nodes[next]
			if at != 0 {
				n.fail = m.step(m.nodes[at].fail, n.char)
			}
			if n.match == 0 {
				n.match = m.nodes[n.fail].match
			}
			queue = append(queue, next)
		}
	}
}

// step returns the node for the longest prefix that at and char end in.
func (m *Mask) step(at int32, char byte) int32 {
	for {
		if next := m.child(at, char); next != 0 || at == 0 {
			return next
		}
		at = m.nodes[at].fail
	}
}

// skip returns the number of bytes of p that cannot begin a secret.
func (m *Mask) skip(p []byte) int {
	for i := range len(p) - 1 {
		pair := uint16(p[i])<<8 | uint16(p[i+1])
		if m.pairs[pair>>6]&(1<<(pair&63)) != 0 {
			return i
		}
	}
	return max(0, len(p)-1)
}

// Used reports whether a writer has replaced a secret.
func (m *Mask) Used() bool { return m.used.Load() }

// Format prints the number of nodes, whatever the verb is.
func (m *Mask) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "mask of %d nodes", len(m.nodes)) }

// Writer returns a writer that passes on to w what is written to it, without
// the secrets. It holds back only bytes that may be the beginning of a secret:
// usually none, else until the next bytes or Close decide.
//
// If idle is not zero and nothing was written for that long, held bytes are
// passed on if they are fewer than MinSecret, so that the user sees the whole
// of a prompt. That is for terminals; a file can wait. The rest of a secret is
// masked even after its first bytes have been passed on.
//
// Close passes on what is left and leaves w open. The methods may be called
// concurrently. Calls of w do not overlap.
func (m *Mask) Writer(w io.Writer, idle time.Duration) io.WriteCloser {
	return &maskWriter{mask: m, w: w, idle: idle}
}

// A span is a range of offsets in the buffer of a maskWriter.
type span struct{ from, to int }

type maskWriter struct {
	mask *Mask
	w    io.Writer
	idle time.Duration

	mu     sync.Mutex
	at     int32  // the automaton's node
	buf    []byte // what has not been passed on
	secret []span // the known secrets in buf, apart and in order
	masked bool   // the last byte passed on was part of a secret
	out    []byte
	timer  *time.Timer
	err    error // of w, permanently
}

func (w *maskWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	held := len(w.buf)
	w.buf = append(w.buf, p...)
	w.scan(held)
	// Some of what may begin a secret may have been passed on already.
	w.pass(max(0, len(w.buf)-w.depth()))
	if w.err != nil {
		return 0, w.err
	}
	if w.idle > 0 && w.isShort() {
		w.timer = time.AfterFunc(w.idle, w.passIdle)
	}
	return len(p), nil
}

func (w *maskWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.pass(len(w.buf))
	return w.err
}

func (w *maskWriter) passIdle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A Write may have come in before this had the lock.
	if w.isShort() {
		w.pass(len(w.buf))
	}
}

// depth returns how many of the last bytes may begin a secret.
func (w *maskWriter) depth() int { return int(w.mask.nodes[w.at].depth) }

// isShort reports whether the held bytes may be passed on when the stream
// idles.
func (w *maskWriter) isShort() bool { return len(w.buf) > 0 && w.depth() < MinSecret }

// scan scans the buffer from offset i and notes the secrets.
func (w *maskWriter) scan(i int) {
	m := w.mask
	for ; i < len(w.buf); i++ {
		if w.at == 0 {
			i += m.skip(w.buf[i:])
		}
		w.at = m.step(w.at, w.buf[i])
		if n := int(m.nodes[w.at].match); n > 0 {
			w.note(span{max(0, i+1-n), i + 1})
		}
	}
}

// note adds s, which ends after all others, and merges those that it touches.
func (w *maskWriter) note(s span) {
	last := len(w.secret) - 1
	for ; last >= 0 && w.secret[last].to >= s.from; last-- {
		s.from = min(s.from, w.secret[last].from)
	}
	w.secret = append(w.secret[:last+1], s)
}

// pass passes on the first n bytes of the buffer. If they end within a secret,
// the rest of it is masked whatever comes.
func (w *maskWriter) pass(n int) {
	w.out = w.out[:0]
	done, spans := 0, 0
	for ; spans < len(w.secret) && w.secret[spans].from <= n; spans++ {
		s := w.secret[spans]
		w.plain(w.buf[done:s.from])
		if !w.masked {
			w.out = append(w.out, Masked...)
			w.mask.used.Store(true)
			w.masked = true
		}
		done = s.to
	}
	w.secret = slices.Delete(w.secret, 0, spans)
	if done < n {
		w.plain(w.buf[done:n])
		done = n
	}
	if w.err == nil && len(w.out) > 0 {
		_, w.err = w.w.Write(w.out)
	}
	w.drop(done)
}

func (w *maskWriter) plain(p []byte) {
	if len(p) > 0 {
		w.out = append(w.out, p...)
		w.masked = false
	}
}

// drop removes the first n bytes of the buffer.
func (w *maskWriter) drop(n int) {
	w.buf = w.buf[:copy(w.buf, w.buf[n:])]
	for i := range w.secret {
		w.secret[i].from -= n
		w.secret[i].to -= n
	}
}

// Format prints nothing of the stream.
func (w *maskWriter) Format(s fmt.State, _ rune) { fmt.Fprint(s, "writer of a ", w.mask) }
