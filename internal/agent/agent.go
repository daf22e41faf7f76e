// Package agent recognizes coding agents, which run commands and read what these
// print, by the variables that they set. It prevents accidents alone: whoever runs
// commands can unset a variable.
package agent

import (
	"fmt"
	"slices"
	"strings"
)

// markers are the variables that agents set for the commands that they run, not
// those that a person sets for an agent. "own": the agent's documentation or source
// says so; "seen": others observed it. Sources: github.com/cli/cli,
// internal/agents/detect.go, which cites the agents; @vercel/detect-agent 1.2.7.
// docs/agents.md has the same list for users.
var markers = [...]struct {
	name, variable string
	value          string // the only one that counts; "" for any
}{
	{"Claude Code", "CLAUDECODE", ""},                      // own
	{"Claude Code", "CLAUDE_CODE", ""},                     // own
	{"Claude Code", "CLAUDE_CODE_IS_COWORK", ""},           // own
	{"Codex", "CODEX_SANDBOX", ""},                         // own; CODEX_HOME and CODEX_API_KEY are settings
	{"Codex", "CODEX_THREAD_ID", ""},                       // own
	{"Codex", "CODEX_CI", ""},                              // own
	{"Gemini CLI", "GEMINI_CLI", ""},                       // own: docs/tools/shell.md
	{"OpenCode", "OPENCODE", ""},                           // own
	{"OpenCode", "OPENCODE_CLIENT", ""},                    // own
	{"Cursor", "CURSOR_AGENT", ""},                         // seen; CURSOR_TRACE_ID is in a person's terminal too
	{"Cursor", "CURSOR_EXTENSION_HOST_ROLE", "agent-exec"}, // seen
	{"Copilot CLI", "COPILOT_CLI", ""},                     // seen
	{"Antigravity", "ANTIGRAVITY_AGENT", ""},               // seen
	{"Augment", "AUGMENT_AGENT", ""},                       // seen
}

// The variables by which agents agree to name themselves: the proposals of
// @vercel/detect-agent, and of agents.md. AGENT is a common word: only these names
// count there.
const (
	named  = "AI_AGENT"
	common = "AGENT"
)

var commonNames = []string{"amp", "antigravity", "augment", "claude", "codex", "copilot", "cursor", "gemini", "opencode"}

// An Agent is a coding agent and the variable that gave it away. The zero Agent is
// none.
type Agent struct{ Name, Variable string }

// Detect returns the agent that set the environment, if there is one. An empty
// variable is no marker.
func Detect(getenv func(string) string) Agent {
	for _, m := range markers {
		if v := getenv(m.variable); v != "" && (m.value == "" || m.value == v) {
			return Agent{m.name, m.variable}
		}
	}
	if v := getenv(named); v != "" {
		name, _, _ := strings.Cut(v, "@") // and the version
		return Agent{plain(name), named}
	}
	if v := getenv(common); slices.Contains(commonNames, v) {
		return Agent{v, common}
	}
	return Agent{}
}

// plain returns a name that can be printed anywhere.
func plain(name string) string {
	const longest = 40
	name = strings.Map(func(r rune) rune {
		if r >= ' ' && r < 0x7f {
			return r
		}
		return -1
	}, name)
	if name = strings.TrimSpace(name); name == "" {
		return "an agent"
	}
	return name[:min(longest, len(name))]
}

// Variables returns all variables that Detect looks at.
func Variables() []string {
	list := []string{named, common}
	for _, m := range markers {
		list = append(list, m.variable)
	}
	return list
}

// An Error reports that values are not shown to an agent.
type Error struct{ Agent }

func (e *Error) Error() string {
	return fmt.Sprintf("this would show values to a coding agent: %s, as %s is set", e.Name, e.Variable)
}
