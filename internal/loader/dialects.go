package loader

import (
	"strings"
	"unicode/utf8"
)

// The quotes of node's parser and of its port to Deno: nothing escapes anything.
var literal = quoting{lines: true, closes: true}

// The models. Each was made to fit what the real loader does.
var (
	// Node's --env-file, process.loadEnvFile and util.parseEnv.
	node = syntax{
		double:   &quoting{escapes: "n", lines: true, closes: true},
		single:   &literal,
		backtick: &literal,
		bare:     bareness{blanks: true},
	}

	deno = syntax{
		double:   &quoting{escapes: "n$", dollar: true, lines: true, closes: true},
		single:   &literal,
		backtick: &literal,
		bare:     bareness{blanks: true, forbid: "$"},
	}

	dotenvText = syntax{
		double:   &quoting{escapes: "nr", lines: true},
		single:   &quoting{lines: true},
		backtick: &quoting{lines: true},
		bare:     bareness{blanks: true},
	}

	bunText = syntax{
		double:   &quoting{escapes: "nr", other: pair, lines: true},
		single:   &quoting{other: pair, lines: true},
		backtick: &quoting{other: pair, lines: true},
		bare:     bareness{blanks: true},
	}

	pythonText = syntax{
		double: &quoting{escapes: `\'"abfnrtv`, lines: true},
		single: &quoting{escapes: `\'`, lines: true},
		bare:   bareness{hash: behindBlank, blanks: true},
	}

	compose = syntax{
		double: &quoting{escapes: `\"$abfnrtv`, other: refuse, dollar: true, lines: true},
		single: &quoting{escapes: `'`, other: pair, lines: true},
		bare:   bareness{hash: behindBlank, blanks: true, forbid: "$"},
	}

	godotenvText = syntax{
		double: &quoting{escapes: "nr", other: drop, dollar: true, lines: true},
		single: &quoting{lines: true},
		bare:   bareness{hash: behindBlank, blanks: true, forbid: "$"},
	}

	dotenvy = syntax{
		double: &quoting{escapes: `\'"$ n`, other: refuse, dollar: true, lines: true},
		single: &quoting{other: pair, lines: true},
		bare:   bareness{hash: nowhere, forbid: "'\"\\$#\r"},
		cr:     true,
	}

	systemdText = syntax{
		double: &quoting{escapes: "\"\\`$", other: pair, joins: true, lines: true},
		single: &literal,
		bare:   bareness{hash: nowhere, blanks: true, forbid: `\`},
	}

	shell = syntax{
		double: &quoting{escapes: "\"\\`$", other: pair, joins: true, dollar: true, special: "`", lines: true},
		single: &literal,
		bare:   bareness{hash: nowhere, forbid: "'\"\\`$#;&|<>()*?[]{}!~^"},
		cr:     true,
	}

	// The gem dotenv before 2.8, line by line, and since 3.0.
	ruby2 = syntax{
		double: &quoting{escapes: "nr", other: drop, dollar: true},
		single: &quoting{},
		bare:   bareness{blanks: true, forbid: "$"},
	}
	ruby3 = syntax{
		double: &quoting{other: drop, dollar: true, lines: true},
		single: &quoting{lines: true},
		bare:   bareness{blanks: true, forbid: `$\`},
	}

	phpdotenvText = syntax{
		double: &quoting{escapes: `"\$fnrtv`, other: refuse, dollar: true},
		single: &quoting{closes: true},
		bare:   bareness{forbid: "$"},
	}
	javaText = syntax{
		double: &quoting{lines: true, closes: true},
		bare:   bareness{blanks: true},
	}

	symfonyText = syntax{
		double: &quoting{escapes: `"\$nr`, dollar: true, lines: true},
		single: &literal,
		bare:   bareness{hash: behindBlank, forbid: `'"\$`},
	}
)

// dotenv, the npm package, takes a line for a value without quotes if its first quote
// is closed before the end, and then the quotes off all the same.
func dotenv(raw string) (string, bool) {
	value, ok := dotenvText.read(raw)
	last := len(raw) - 1
	if ok || last < 2 || !isQuote(raw[0]) || raw[last] != raw[0] || strings.Contains(raw, "#") {
		return value, ok
	}
	closed := 1 + strings.IndexByte(raw[1:], raw[0])
	if closed == last || strings.TrimFunc(raw[closed+1:last], isBlank) == "" || strings.Contains(raw, `\`) {
		return "", false
	}
	_, ok = dotenvText.read("x" + raw[1:last] + "x")
	return raw[1:last], ok
}

// bun also expands what is in single quotes. It does not look at the last character.
func bun(raw string) (string, bool) {
	text, ok := bunText.read(raw)
	head, last := strings.CutSuffix(text, "$")
	switch {
	case !last:
	case text == "$":
		return text, ok
	case strings.HasSuffix(head, `\`), !ok:
		return "", false
	}
	value, ok := escapedDollars(func(string) (string, bool) { return head, ok })("")
	if last {
		value += "$"
	}
	return value, ok
}

// python replaces ${…} in all quotes. One that has no name but a default is how a $
// before a brace can be written.
func python(raw string) (string, bool) {
	text, ok := pythonText.read(raw)
	rest := strings.ReplaceAll(text, "${:-$}", "x")
	return strings.ReplaceAll(text, "${:-$}", "$"), ok && !strings.Contains(rest, "${")
}

// godotenv trims all quotes at either end of the text between quotes, and takes any
// backslash before a quote for an escape.
func godotenv(raw string) (string, bool) {
	value, ok := godotenvText.read(raw)
	if n := len(raw); ok && n > 2 && isQuote(raw[0]) {
		ok = raw[n-2] != raw[0] && raw[n-2] != '\\'
	}
	return value, ok
}

// systemd drops a variable with a control character.
func systemd(raw string) (string, bool) {
	value, ok := systemdText.read(raw)
	control := func(r rune) bool { return (r < ' ' || r == 0x7f) && r != '\t' && r != '\n' }
	return value, ok && !strings.ContainsFunc(value, control)
}

// sh also reads 'it'\”s', which is three words glued together.
func sh(raw string) (string, bool) {
	if last := len(raw) - 1; last > 0 && raw[0] == '\'' && raw[last] == '\'' {
		value := strings.ReplaceAll(raw[1:last], `'\''`, "\x00")
		if strings.Contains(value, "\x00") && !strings.Contains(raw, "\x00") && !strings.Contains(value, "'") {
			return strings.ReplaceAll(value, "\x00", "'"), true
		}
	}
	return shell.read(raw)
}

// ruby2 and ruby3 look for \n and \r before any other escape.
func ruby(read dialect) dialect {
	return func(raw string) (string, bool) {
		value, ok := read(raw)
		return value, ok && !(strings.HasPrefix(raw, `"`) && (strings.Contains(raw, `\\n`) || strings.Contains(raw, `\\r`)))
	}
}

// withoutBreaks refuses \n and \r, which the gem keeps since 3.0 unless a variable
// tells it not to.
func withoutBreaks(read dialect) dialect {
	return func(raw string) (string, bool) {
		value, ok := read(raw)
		return value, ok && !(strings.HasPrefix(raw, `"`) && (strings.Contains(raw, `\n`) || strings.Contains(raw, `\r`)))
	}
}

// phpdotenv takes a line with =" and no closing quote for the first of several.
func phpdotenv(raw string) (string, bool) {
	value, ok := phpdotenvText.read(raw)
	line, quotes := strings.ReplaceAll("A="+raw, `\\`, ""), 0
	for i := 1; i < len(line); i++ {
		if line[i] == '"' && line[i-1] != '\\' {
			quotes++
		}
	}
	return value, ok && (quotes > 1 || !strings.Contains("A="+raw, `="`))
}

// symfony replaces its escapes one kind after the other, over the whole text, and looks
// two characters back from a quote.
func symfony(raw string) (string, bool) {
	value, ok := symfonyText.read(raw)
	for i := 0; ok && raw != "" && raw[0] == '"' && i < len(raw)-2; i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if rest := raw[i+1:]; raw[i] == '\\' && (rest[0] == 'n' || rest[0] == 'r' || strings.HasPrefix(rest, `\"`)) {
			return "", false
		}
	}
	return value, ok
}

// docker has neither quotes nor escapes.
func docker(raw string) (string, bool) {
	const longest = 63 << 10 // it reads no line of 64 KiB, with the name
	return raw, !strings.ContainsAny(raw, "\n\r\x00") && utf8.ValidString(raw) && len(raw) < longest
}

// java, the library dotenv-java, takes a quote at the end of a line for a closing one,
// and a # for a comment in a value of several lines.
func java(raw string) (string, bool) {
	value, ok := javaText.read(raw)
	if strings.HasSuffix(value, `"`) || strings.HasPrefix(value, "\n") || strings.Contains(value, "\n") && strings.Contains(value, "#") {
		return "", false
	}
	return value, ok
}
