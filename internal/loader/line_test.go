package loader_test

import (
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/loader"
)

// How an assignment begins and ends decides, too. The loaders are those that were seen
// to read the value.
func TestReads(t *testing.T) {
	t.Parallel()
	all := loader.Names()
	for _, tt := range []struct{ head, raw, tail, not string }{
		{"A=", "1", "", ""},
		{"A=", "2", "", strings.Join(all, " ")},
		{"export A=", "1", "", "docker java php systemd"},
		{"A: ", "1", "", "deno docker dotenvy java node php python-dotenv sh systemd vite"},
		{"A =", "1", "", "docker php sh"},
		{"A=", "1", "  ", ""},
		{"A=", `"1"`, "", "docker"},
		{"A=", `"1"`, " # note", "docker systemd"},
		{"A=", `"1"`, " # say \"hi\"", "docker ruby systemd"},
		{"A=", `"1"`, "#note", "docker dotenvy php sh systemd"},
	} {
		var not []string
		for _, l := range loader.All() {
			if !l.Reads(loader.Line{Head: tt.head, Raw: tt.raw, Tail: tt.tail}, "A", "1") {
				not = append(not, l.Name)
			}
		}
		if strings.Join(not, " ") != tt.not {
			t.Errorf("%s%s%s is not read by %q; want %q", tt.head, tt.raw, tt.tail, strings.Join(not, " "), tt.not)
		}
	}
}
