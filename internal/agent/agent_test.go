package agent_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/agent"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env            string
		name, variable string
	}{
		{"", "", ""},
		{"CLAUDECODE=1", "Claude Code", "CLAUDECODE"},
		{"CLAUDECODE=", "", ""},
		{"AI_AGENT=x AGENT=amp CLAUDECODE=1", "Claude Code", "CLAUDECODE"}, // the agent's own first
		{"CODEX_SANDBOX=seatbelt", "Codex", "CODEX_SANDBOX"},
		{"CURSOR_EXTENSION_HOST_ROLE=agent-exec", "Cursor", "CURSOR_EXTENSION_HOST_ROLE"},
		{"CURSOR_EXTENSION_HOST_ROLE=user", "", ""},
		{"AI_AGENT=crush@1.2", "crush", "AI_AGENT"},
		{"AI_AGENT=\x1b[2Jx\n", "[2Jx", "AI_AGENT"},
		{"AI_AGENT=@1", "an agent", "AI_AGENT"},
		{"AI_AGENT=" + strings.Repeat("a", 99), strings.Repeat("a", 40), "AI_AGENT"},
		{"AGENT=amp", "amp", "AGENT"},
		{"AGENT=ssh-agent", "", ""},
		{"CODEX_HOME=/x CODEX_API_KEY=y CURSOR_TRACE_ID=z COPILOT_MODEL=m", "", ""},
	} {
		env := map[string]string{}
		for _, kv := range strings.Split(tt.env, " ") {
			name, value, _ := strings.Cut(kv, "=")
			env[name] = value
		}
		got := agent.Detect(func(name string) string { return env[name] })
		if got != (agent.Agent{Name: tt.name, Variable: tt.variable}) {
			t.Errorf("%q: Detect = %+v; want %q by %q", tt.env, got, tt.name, tt.variable)
		}
	}
}

// Each variable alone is enough; it is the variable that the error names.
func TestVariables(t *testing.T) {
	t.Parallel()
	for _, variable := range agent.Variables() {
		value := map[string]string{"CURSOR_EXTENSION_HOST_ROLE": "agent-exec", "AGENT": "codex"}[variable]
		if value == "" {
			value = "1"
		}
		got := agent.Detect(func(name string) string { return map[string]string{variable: value}[name] })
		if got.Variable != variable || !strings.Contains((&agent.Error{Agent: got}).Error(), variable) {
			t.Errorf("%s=%s: %+v", variable, value, got)
		}
	}
}

// Whatever the variable holds, the name can be printed.
func FuzzDetect(f *testing.F) {
	f.Add("x@1")
	f.Add(" @1")
	f.Add("\xff\x00é")
	f.Fuzz(func(t *testing.T, text string) {
		got := agent.Detect(func(name string) string { return map[string]string{"AI_AGENT": text}[name] })
		if (strings.TrimSpace(got.Name) == "") != (text == "") || !utf8.ValidString(got.Name) || strings.ContainsAny(got.Name, "\x1b\n\r\x00\x7f") || len(got.Name) > 40 {
			t.Errorf("%q: %q", text, got.Name)
		}
	})
}
