package hooks

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzIsOurs(f *testing.F) {
	for _, self := range []string{"/usr/bin/envdrift", "/it's/envdrift", "'", "", "a\nb"} {
		f.Add(self)
	}
	f.Fuzz(func(t *testing.T, self string) {
		for _, name := range Names() {
			text := script(name, self)
			if !bytes.ContainsAny([]byte(self), "\r\n") && !isOurs(name, []byte(text)) {
				t.Errorf("isOurs does not know the %s hook of %q", name, self)
			}
			if isOurs(name, []byte(text+"\n")) || isOurs(name, []byte(text[1:])) {
				t.Errorf("isOurs takes a changed %s hook of %q", name, self)
			}
		}
	})
}

// TestEarlierText: what earlier versions wrote is ours, and is replaced.
func TestEarlierText(t *testing.T) {
	for _, event := range events {
		if event.ask == "" {
			continue
		}
		now := script(event.Name, "/usr/bin/envdrift")
		earlier := strings.Replace(now, fill(asking(event.ask), event.Name, ""), fill(askedMore+event.ask+askEnd, event.Name, ""), 1)
		if earlier == now || !isOurs(event.Name, []byte(earlier)) {
			t.Errorf("isOurs does not know the earlier %s hook", event.Name)
		}
	}
}

func FuzzBlock(f *testing.F) {
	f.Add([]byte("#!/bin/sh\necho x\n"))
	f.Add([]byte("# comment\r\npre-push:\r\n"))
	f.Add([]byte("#!"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, block := range []string{openBlock("pre-commit"), lefthookBlock("pre-commit")} {
			if _, _, _, ok := cutBlock(data, "pre-commit"); ok {
				return
			}
			before, got, after, ok := cutBlock(insertBlock(data, block), "pre-commit")
			if !ok || string(got) != block || !bytes.Equal(append(bytes.Clone(before), after...), data) {
				t.Errorf("block put into %q comes out as %q, %q, %q", data, before, got, after)
			}
		}
	})
}
