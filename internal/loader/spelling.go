package loader

import (
	"iter"
	"strings"
)

// spellings yields ways to write a value, simple ones first: in each kind of quotes,
// and with more and more escapes.
func spellings(value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if isPlain(value) && !yield(value) {
			return
		}
		for escapes := range 1 << 4 {
			for dollars := range 4 {
				for _, quote := range []string{`"`, "'", "", "`"} {
					text, ok := escape(value, quote, escapes, dollars)
					if ok && !yield(quote+text+quote) {
						return
					}
				}
			}
		}
	}
}

// escape returns value with backslashes: before backslashes, the quote, line breaks
// and backticks, by the bits of escapes, and before each $, each but the last
// character, or in python-dotenv's way. It is not ok if there is nothing to escape.
func escape(value, quote string, escapes, dollars int) (text string, ok bool) {
	var pairs []string
	for bit, kind := range [][]string{{`\`, `\\`}, {quote, `\` + quote}, {"\n", `\n`, "\r", `\r`}, {"`", "\\`"}} {
		if escapes&(1<<bit) == 0 {
			continue
		}
		if kind[0] == "" || !strings.Contains(value, kind[0]) && (len(kind) == 2 || !strings.Contains(value, kind[2])) {
			return "", false
		}
		pairs = append(pairs, kind...)
	}
	rest, end := value, ""
	switch dollars {
	case 1:
		pairs = append(pairs, "$", `\$`)
	case 2:
		pairs = append(pairs, "$", `\$`)
		if rest, ok = strings.CutSuffix(value, "$"); !ok {
			return "", false
		}
		end = "$"
	case 3:
		pairs = append(pairs, "${", "${:-$}{")
	}
	if dollars > 0 && !strings.Contains(value, "$") {
		return "", false
	}
	return strings.NewReplacer(pairs...).Replace(rest) + end, true
}

// isPlain reports whether value needs no quotes anywhere.
func isPlain(value string) bool {
	return value != "" && value[0] != '=' && strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,=-") == ""
}
