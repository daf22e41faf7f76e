package finder_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/finder"
)

func TestFind(t *testing.T) {
	t.Parallel()
	f := finder.New([]string{"sk_live_12345678", "sk_live_12345678-longer", "short", "", "sk_live_"})
	tests := []struct{ data, want string }{
		{"", ""},
		{"sk_live", ""},
		{"short", ""}, // too short to be found
		{"sk_live_", "4@0"},
		{"token: sk_live_12345678\n", "0@7 4@7"},
		{"sk_live_12345678-longer", "0@0 1@0 4@0"},
		{"\x00sk_live_sk_live_\xff", "4@1 4@9"},
	}
	for _, tt := range tests {
		var found []string
		f.Find([]byte(tt.data), func(text, at int) { found = append(found, fmt.Sprintf("%d@%d", text, at)) })
		if got := strings.Join(found, " "); got != tt.want {
			t.Errorf("Find(%q) = %q; want %q", tt.data, got, tt.want)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %s", f, f, f, f); strings.Contains(got, "sk_live") {
		t.Errorf("printed, a finder shows its texts: %s", got)
	}
}

// Random texts of a small alphabet, so that many begin alike, are found where
// bytes.Index finds them.
func TestFindAsBytesIndex(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab"[r.IntN(2)]
		}
		return b
	}
	for range 200 {
		var texts []string
		for range 20 {
			texts = append(texts, string(random(8+r.IntN(6))))
		}
		data := random(300)
		counts := make([]int, len(texts))
		finder.New(texts).Find(data, func(text, at int) {
			if !bytes.HasPrefix(data[at:], []byte(texts[text])) {
				t.Fatalf("%q is not at %d of %q", texts[text], at, data)
			}
			counts[text]++
		})
		for i, text := range texts {
			want := 0
			for at := range data {
				if bytes.HasPrefix(data[at:], []byte(text)) {
					want++
				}
			}
			if counts[i] != want {
				t.Errorf("found %q %d times in %q; want %d", text, counts[i], data, want)
			}
		}
	}
}

func BenchmarkFind(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []byte {
		data := make([]byte, n)
		for i := range data {
			data[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/ \n"[r.IntN(66)]
		}
		return data
	}
	var texts []string
	for range 10_000 {
		texts = append(texts, string(random(40)))
	}
	f, data := finder.New(texts), random(1<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		f.Find(data, func(int, int) {})
	}
}
