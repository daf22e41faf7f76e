package hashicorp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/envdrift/envdrift/vault"
)

// A record is what a KV engine has at a path.
type record struct {
	fields      map[string]any
	version     int  // 0: nothing there, or a version 1 engine
	unversioned bool // of a version 1 engine
	gone        bool // this version was deleted or destroyed
	destroyed   bool
}

func (r record) versionText() string {
	if r.version == 0 {
		return ""
	}
	return strconv.Itoa(r.version)
}

// seen returns the version that the caller of Put saw in a Get of this record:
// none if there is a record but no text.
func (r record) seen(field string) string {
	text, err := r.text(field)
	switch {
	case r.gone || err != nil:
		return ""
	case r.unversioned:
		return vault.Mark(text)
	}
	return r.versionText()
}

// text returns the one text of r that is the secret; see the package comment.
func (r record) text(field string) (string, error) {
	if len(r.fields) == 0 {
		return "", vault.NewProblem(vault.ErrMalformed, "the record has no fields", "")
	}
	if field == "" {
		field = r.keyField()
	}
	if field == "" {
		return encode(r.fields)
	}
	value, ok := r.fields[field]
	if !ok {
		return "", vault.NewProblem(vault.ErrNotFound, fmt.Sprintf("no field %q; the fields are %s", field, r.names()), "set field to one of them")
	}
	text, ok := value.(string)
	if !ok {
		return encode(value)
	}
	if text == "" {
		return "", vault.NewProblem(vault.ErrMalformed, fmt.Sprintf("the field %q is empty", field), "")
	}
	if label, _, ok := strings.Cut(text, "="); isKeyName(field) && !(ok && isKeyName(label)) {
		return field + "=" + text, nil
	}
	return text, nil
}

// with returns r's fields with the secret's text replaced by text.
func (r record) with(field, text string) (map[string]any, error) {
	label, rest, labelled := strings.Cut(text, "=")
	labelled = labelled && isKeyName(label) && !strings.Contains(rest, "\n")
	keys := r.keyNames()
	switch {
	case field != "":
	case len(keys) == 0:
		field = "value"
	case labelled:
		field = label
		if i := slices.IndexFunc(keys, func(k string) bool { return strings.EqualFold(k, label) }); i >= 0 {
			field = keys[i]
		}
	default:
		return nil, vault.NewProblem(vault.ErrMalformed, "the record keeps its keys in "+strings.Join(keys, ", ")+
			", and the new text does not say which it is for", "set field, or store NAME=KEY")
	}
	if labelled && strings.EqualFold(label, field) {
		text = rest
	}
	fields := maps.Clone(r.fields)
	if fields == nil {
		fields = map[string]any{}
	}
	fields[field] = text
	return fields, nil
}

// keyField returns the field to use if none is configured; "" means all of
// them.
func (r record) keyField() string {
	switch keys := r.keyNames(); len(keys) {
	case 0:
		if _, ok := r.fields["value"]; ok {
			return "value"
		}
	case 1:
		return keys[0]
	}
	return ""
}

// keyNames returns the fields that have names of private keys, sorted.
func (r record) keyNames() []string {
	var names []string
	for name, value := range r.fields {
		if _, ok := value.(string); ok && isKeyName(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r record) names() string {
	return strings.Join(slices.Sorted(maps.Keys(r.fields)), ", ")
}

func isKeyName(name string) bool {
	name = strings.ToUpper(strings.TrimSpace(name))
	return name == "DOTENV_PRIVATE_KEY" || strings.HasPrefix(name, "DOTENV_PRIVATE_KEY_")
}

// encode returns v, which was decoded from JSON, as JSON again.
func encode(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", vault.NewProblem(vault.ErrMalformed, "the record is no JSON", "")
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// number returns a number as the API's decoder leaves it; 0 if v is not one.
func number(v any) int {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	i, err := strconv.Atoi(n.String())
	if err != nil {
		return 0
	}
	return i
}
