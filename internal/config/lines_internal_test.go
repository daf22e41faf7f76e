package config

import (
	"slices"
	"testing"

	"github.com/BurntSushi/toml"
)

// What is cut from a statement without parsing it is what the library parses.
func TestKeyOf(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{
		"", "\n", "# a = 1\n", "  # [x]\n", "a = 1\n", "  a-b_9=1\n", "a.b = 1\n", "a . b = 1\n", "1.2 = 3\n", "a.\"b.c\" = 1\n", "'a' = 1\n",
		"[a]\n", "[a.b]\n", "[ a.b ]\n", "[a.'b.c'] # x = 1\n", "[[a]]\n", "[[a.b]] # x\n", "[[ a ]]\n", "  [a]\r\n", "a = [\n[1],\n]\n", "a = \"=\"\n", "\"=\" = 1\n", "[\"a]\"]\n",
	} {
		var ignored map[string]any
		meta, err := toml.Decode(statement, &ignored)
		if err != nil {
			t.Fatalf("%q: %v", statement, err)
		}
		var want toml.Key
		if len(meta.Keys()) > 0 {
			want = meta.Keys()[0]
		}
		if got := keyOf(statement); !slices.Equal(got, want) {
			t.Errorf("keyOf(%q) = %q; want %q", statement, got, want)
		}
	}
}
