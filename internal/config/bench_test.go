package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
)

// BenchmarkLoad reads a configuration of 200 mappings, as every hook does.
func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	text.WriteString("[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = \"https://vault.example.com\"\n")
	for i := range 200 {
		fmt.Fprintf(&text, "[[vault.sync.mappings]]\nsecret_name = \"s%d-key\"\nfolder_path = \"services/s%d\"\n", i, i)
	}
	for b.Loop() {
		if _, err := config.Parse("envdrift.toml", []byte(text.String()), known(config.Overrides{})); err != nil {
			b.Fatal(err)
		}
	}
}
