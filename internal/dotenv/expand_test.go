package dotenv

import (
	"errors"
	"strings"
	"testing"
)

// known is variables; a leading "'" marks the literal ones.
type known map[string]string

func (k known) lookup(name string) (string, bool) {
	v, set := k[name]
	return strings.TrimPrefix(v, "'"), set
}

func (k known) isLiteral(name string) bool { return strings.HasPrefix(k[name], "'") }

func TestExpand(t *testing.T) {
	t.Parallel()
	vars := known{
		"A": "1", "AB": "2", "_x9": "u", "EMPTY": "", "a.b": "dot", "a": "plain",
		"MONEY": "'pa$$word", "BEFORE": "x$`y", "AFTER": "x$'y", "ODD": "$1 $<n> $",
		"REF": "$A", "CHAIN": "<$REF>", "LITERAL": "'$A",
	}
	tests := []struct{ name, value, want string }{
		{"nothing", "a b", "a b"},
		{"braces", "<${A}>", "<1>"},
		{"bare name is greedy", "$AB$A", "21"},
		{"bare name ends", "$_x9-$A.b", "u-1.b"},
		{"digit is no name", "$1 $$ ${} ${A $é", "$1 $$ ${} ${A $é"},
		{"dollar before a reference", "a$$A", "a$1"},
		{"odd names", "${a.b}${ A }${A:?e}${#A}", "dot"},
		{"unset", "<$NOPE>", "<>"},
		{"escaped", `\$A \${A}`, `\$A \${A}`},
		{"escaped, then not: the first text is the one replaced", `\$A$A`, `\11`},
		{"default", "${NOPE:-d}${EMPTY:-d}${A:-d}", "dd1"},
		{"default if unset", "${NOPE-d}${EMPTY-d}${A-d}", "d1"},
		{"alternative", "${NOPE:+w}${EMPTY:+w}${A:+w}", "w"},
		{"alternative if set", "${NOPE+w}${EMPTY+w}${A+w}", "ww"},
		{"operators in the word", "${NOPE:-a:-b+c}${NOPE-a-b}", "a:-b+ca-b"},
		{"no name", "${:-w}${+w}", "w"},
		{"nested", "${NOPE:-${NOPE:-${A}}}", "1"},
		{"name from a reference", "${A${AB}}", ""},
		{"line end in the word", "${NOPE:-a\nb}", "a\nb"},
		{"braces in the word", `${NOPE:-{"a":1}}`, `${NOPE:-{"a":1}}`},
		{"replacement is expanded", "x$CHAIN", "x<1>"},
		{"whole value is final", "$REF", "$A"},
		{"literal ends it", "$LITERAL $AB", "$A $AB"},
		{"$$ of a replacement", "<${MONEY}>", "<pa$word>"},
		{"$` of a replacement", "<${BEFORE}>", "<x<y>"},
		{"$' of a replacement", "<${AFTER}>", "<x>y>"},
		{"other $ of a replacement", "<${ODD}>", "<$1 $<n> $>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := expand(tt.value, vars)
			if got != tt.want || err != nil {
				t.Errorf("expand(%q) = %q, %v; want %q", tt.value, got, err, tt.want)
			}
		})
	}
}

func TestExpandEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		value string
		vars  known
		want  error
	}{
		{"itself", "x$A", known{"A": "$A"}, ErrCycle},
		{"two", "x$A", known{"A": "$B", "B": "$A"}, ErrCycle},
		{"growing", "x$A", known{"A": "$A$A"}, ErrCycle},
		{"the reference put back", "<${A}>", known{"A": "x$&y"}, ErrCycle},
		{"doubling", "x$A", known{"A": strings.Repeat("y", 4096) + "$A$A"}, ErrTooLong},
		{"what precedes, many times", strings.Repeat("x", 1<<16) + "$A", known{"A": strings.Repeat("$`", 1<<16)}, ErrTooLong},
		{"many references, all of them written", strings.Repeat("$A", 5000), known{"A": "1"}, nil},
		{"braces that never close", strings.Repeat("${", 50000), known{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := expand(tt.value, tt.vars); !errors.Is(err, tt.want) || err != nil && got != "" {
				t.Errorf("expand = %.20q, %v; want error %v", got, err, tt.want)
			}
		})
	}
}

// FuzzExpand checks that an expansion ends and keeps its bounds, whatever the
// value and the variables contain.
func FuzzExpand(f *testing.F) {
	f.Add("<${A:-${B}}>", "$B", "'$A")
	f.Add(`\$A$A`, "x$&y", "$$")
	f.Add("x$A", "$`$A$'", "${A+$B}")
	f.Fuzz(func(t *testing.T, value, a, b string) {
		vars := known{"A": a, "B": b}
		got, err := expand(value, vars)
		switch {
		case err != nil && got != "":
			t.Errorf("expand(%q) = %q beside error %v", value, got, err)
		case len(got) > len(value)+maxGrowth:
			t.Errorf("expand(%q) has %d bytes", value, len(got))
		case !strings.Contains(value, "$") && got != value:
			t.Errorf("expand(%q) = %q without a reference", value, got)
		}
	})
}
