package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/secret"
)

func TestNoFormatterPrintsTheText(t *testing.T) {
	const text = "marked-secret-text"
	v := secret.New(text)
	type nested struct {
		V       secret.Value
		p       *secret.Value
		private secret.Value
	}
	n := nested{v, &v, v}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%5.2f"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+"\n", v, &v, n, []any{n, map[string]secret.Value{"k": v}})
	}
	log.New(&out, "", 0).Println(v, n)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v, "n", n)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v, "n", n)
	b, err := json.Marshal(map[string]any{"v": v, "n": n})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)

	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("nothing was printed as [redacted]")
	}
	for _, form := range []string{text, fmt.Sprintf("%x", text), fmt.Sprint([]byte(text))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("output holds the secret as %q", form)
		}
	}
}

func TestValue(t *testing.T) {
	var zero secret.Value
	if !zero.IsEmpty() || zero.Reveal() != "" {
		t.Error("the zero Value is not empty")
	}
	if v := secret.New("a"); v.IsEmpty() || v.Reveal() != "a" || !v.Equal(secret.New("a")) || v.Equal(zero) {
		t.Error("New(a) does not hold a")
	}
}
