package hashicorp

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever a record contains, there is no panic and no error that shows a
// value, and a text that was stored is the text that is read.
func FuzzRecord(f *testing.F) {
	for _, fields := range []string{
		`{"value":"m4rked"}`, `{"DOTENV_PRIVATE_KEY":"m4rked","n":1}`, `{"DOTENV_PRIVATE_KEY_A":"1","dotenv_private_key_b":"2"}`,
		`{"value":{"a":["m4rked"]}}`, `{}`, `null`, `{"":""}`, `{"value":null}`,
	} {
		f.Add(fields, "", "m4rked")
		f.Add(fields, "value", "DOTENV_PRIVATE_KEY_A=m4rked")
	}
	f.Fuzz(func(t *testing.T, text, field, stored string) {
		var r record
		if json.Unmarshal([]byte(text), &r.fields) != nil {
			return
		}
		const mark = "m4rked"
		read, err := r.text(field)
		if err != nil && strings.Contains(err.Error(), mark) && !strings.Contains(r.names()+field, mark) {
			t.Errorf("text of %q = %q, which shows a value", text, err)
		}
		_ = r.seen(field)
		if err == nil && field == "" && read == "" {
			t.Errorf("text of %q is empty", text)
		}
		fields, err := r.with(field, stored)
		if err != nil || stored == "" {
			return
		}
		for name, value := range r.fields {
			if now, ok := fields[name]; !ok {
				t.Errorf("with dropped %q, which was %v", name, value)
			} else if s, isText := now.(string); isText && s == "" && value != "" {
				t.Errorf("with emptied %q", name)
			}
		}
	})
}
