package config

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/envdrift/envdrift/vault"
)

// Template returns a new envdrift.toml for a provider, with what o says about
// its vault and a mapping for each of mappings. [Parse] accepts it as it is,
// except for a vault's address that was not set.
func Template(provider string, o Overrides, mappings []Mapping) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Which secret of the vault holds the private key of which env file.\n# Every key: docs/configuration.md of envdrift.\n\n[vault]\nprovider = %s\n", quoted(provider))
	fmt.Fprintf(&b, "\n[vault.%s]\n", vault.SectionOf(provider))
	for _, s := range o.settings(provider) {
		if value := o.Stated(s.Flag); value != "" {
			fmt.Fprintf(&b, "%s = %s\n", s.Key, quoted(value))
		} else if s.Example != "" {
			fmt.Fprintf(&b, "# %s = %s\n", s.Key, quoted(s.Example))
		}
	}
	b.WriteString(syncTemplate)
	if len(mappings) == 0 {
		b.WriteString("\n# [[vault.sync.mappings]]\n# secret_name = \"myapp-production-key\"\n# folder_path = \".\"\n# environment = \"production\"\n")
	}
	for _, m := range mappings {
		writeMapping(&b, "", m)
	}
	b.WriteString(hooksTemplate)
	return b.Bytes()
}

// writeMapping writes a mapping below the tables of prefix.
func writeMapping(b *bytes.Buffer, prefix string, m Mapping) {
	fmt.Fprintf(b, "\n[[%svault.sync.mappings]]\nsecret_name = %s\nfolder_path = %s\n", prefix, quoted(m.SecretName), quoted(m.Folder))
	if m.Environment != "" {
		fmt.Fprintf(b, "environment = %s\n", quoted(m.Environment))
	}
	if m.EnvFile != "" && m.EnvFile != ".env."+m.Environment {
		fmt.Fprintf(b, "env_file    = %s\n", quoted(m.EnvFile))
	}
}

// AddMapping returns a configuration file with one more mapping. The error is
// that of [Parse] if none can be appended to the file.
func AddMapping(file string, data []byte, o Overrides, m Mapping) ([]byte, error) {
	prefix := ""
	if filepath.Base(file) == "pyproject.toml" {
		prefix = "tool.envdrift."
	}
	var b bytes.Buffer
	b.Write(data)
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		b.WriteByte('\n')
	}
	writeMapping(&b, prefix, m)
	_, err := Parse(file, b.Bytes(), o)
	return b.Bytes(), err
}

// tomlKey returns a key, in quotes if it needs them.
func tomlKey(s string) string {
	if isBare(s) {
		return s
	}
	return quoted(s)
}

const syncTemplate = `
[vault.sync]
# env_keys_filename = ".env.keys"
# max_workers = 8         # so many vault requests and files at a time
# ephemeral_keys = false  # true: private keys are never written to a file
# plain = ["LOG_LEVEL"]   # names whose values stay plaintext
`

const hooksTemplate = `
# [hooks]
# on_drift = "repair"       # or "block": only stop the commit
# on_unmapped = "warn"      # or "block": an encrypted file that no mapping names
# on_plaintext = "block"    # or "warn", "off": an env file in plaintext that no mapping names
# on_unreachable = "block"  # or "warn": what the vault could not be asked about
# on_value = "off"          # or "warn", "block": a value of an env file in another file that is staged
# post_checkout = "pull"    # or "sync": private keys only; or "off"
# timeout = "5s"            # all vault work of one hook
`

// quoted returns a TOML basic string.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
