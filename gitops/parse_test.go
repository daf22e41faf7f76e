package gitops

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var oidA, oidB = strings.Repeat("a1", 20), strings.Repeat("b2", 32)

func FuzzParseRaw(f *testing.F) {
	f.Add([]byte(":100644 100755 " + oidA + " " + oidA + " M\x00a\nb.env\x00"))
	f.Add([]byte(":000000 100644 " + oidB + " " + oidB + " A\x00x\x00:100644 000000 " + oidA + " " + oidA + " D\x00y\x00"))
	f.Add([]byte(":100644 100644 " + oidA + " " + oidA + " R100\x00a\x00b\x00"))
	f.Add([]byte(":"))
	f.Fuzz(func(t *testing.T, out []byte) {
		changes, err := parseRaw(out)
		if err != nil {
			return
		}
		var b bytes.Buffer
		for _, c := range changes {
			fmt.Fprintf(&b, ":%s %s %s %s %c\x00%s\x00", c.OldMode, c.Mode, c.OldOID, c.OID, c.Status, c.Path)
		}
		if !bytes.Equal(b.Bytes(), out) {
			t.Errorf("parseRaw(%q) holds %q", out, b.Bytes())
		}
	})
}

func FuzzParseTree(f *testing.F) {
	f.Add([]byte("100644 blob " + oidA + "\ta\tb.env\x00160000 commit " + oidB + "\tsub\x00"))
	f.Add([]byte("100644 blob " + oidA + "\t\x00"))
	f.Fuzz(func(t *testing.T, out []byte) {
		files, err := parseTree(out)
		if err == nil && len(files) != bytes.Count(out, []byte{0}) {
			t.Errorf("parseTree(%q) = %d files", out, len(files))
		}
	})
}

func FuzzReadBatch(f *testing.F) {
	f.Add([]byte(oidA + " blob 5\nab\ncd\n" + oidB + " missing\n" + oidA + " blob 0\n\n"))
	f.Add([]byte(oidA + " blob 99999999999999\nx"))
	f.Add([]byte(oidA + " blob -1\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		r := bufio.NewReader(bytes.NewReader(out))
		for {
			_, data, err := readTyped(r, 1000, "blob")
			if len(data) > 1000 || len(data) > len(out) {
				t.Fatalf("readTyped gave %d bytes of %d", len(data), len(out))
			}
			if err != nil && !errors.Is(err, ErrMissing) && !errors.Is(err, ErrTooLarge) {
				return
			}
		}
	})
}

func FuzzParseSettings(f *testing.F) {
	f.Add([]byte("local\x00core.hookspath\n.husky/_\x00global\x00a.b\x00"))
	f.Fuzz(func(t *testing.T, out []byte) {
		settings, err := parseSettings(out)
		if err == nil && 2*len(settings) != bytes.Count(out, []byte{0}) {
			t.Errorf("parseSettings(%q) = %d settings", out, len(settings))
		}
	})
}
