package drift_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
)

func TestRepair(t *testing.T) {
	t.Parallel()
	right, older, stranger := newKey(t), newKey(t), newKey(t)
	head := locked(t, right, "A=1\nB=2\n", nil)
	edit := "A=1\nB=edited\nC=new\n"
	mixed := locked(t, right, "A=1\n", nil)
	mixed = dotenv.Parse(append(mixed.Bytes(), "B="+value(t, locked(t, stranger, "B=x\n", nil).Bytes(), "B")+"\n"...))

	tests := []struct {
		name  string
		doc   *dotenv.Document
		head  *dotenv.Document
		right ecies.Keys
		held  ecies.Keys
		want  string // values; "" for an error
		names string
	}{
		{"edit with a local key", locked(t, stranger, edit, nil), head, ecies.Keys{right}, ecies.Keys{older, stranger}, edit, "B C"},
		{"new file", locked(t, stranger, edit, nil), nil, ecies.Keys{right}, ecies.Keys{stranger}, edit, "A B C"},
		{"head at the older key of the vault", locked(t, stranger, edit, nil), locked(t, older, "A=1\n", nil), ecies.Keys{right, older}, ecies.Keys{stranger}, edit, "B C"},
		{"some values are right already", mixed, head, ecies.Keys{right}, ecies.Keys{stranger}, "A=1\nB=x\n", "B"},
		{"no local key", locked(t, stranger, edit, nil), head, ecies.Keys{right}, nil, "A=1\nB=2\n", ""},
		{"no local key, new file", locked(t, stranger, edit, nil), nil, ecies.Keys{right}, nil, "", ""},
		{"no local key, head drifted too", locked(t, stranger, edit, nil), locked(t, older, "A=1\n", nil), ecies.Keys{right}, nil, "", ""},
		{"no local key, head in plain text", locked(t, stranger, edit, nil), dotenv.Parse([]byte("A=1\n")), ecies.Keys{right}, nil, "", ""},
		{"odd quotes, CRLF", locked(t, stranger, "A='x y'\r\nB=\"l1\nl2\"\r\n# c\r\n", nil), nil, ecies.Keys{right}, ecies.Keys{stranger}, "A=x y\nB=l1\nl2\n", "A B"},
		{"plain text on purpose", locked(t, stranger, "A=1\nB_PLAIN=p\n", nil), nil, ecies.Keys{right}, ecies.Keys{stranger}, "A=1\nB_PLAIN=p\n", "A B_PLAIN"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := drift.Drifted{File: ".env", Doc: tt.doc, Head: tt.head, Right: tt.right, Held: tt.held}
			got, err := d.Repair()
			if noFitting := (*drift.NoFittingKeyError)(nil); tt.want == "" {
				if !errors.As(err, &noFitting) {
					t.Errorf("Repair() = %v, %v; want a NoFittingKeyError", got.Action, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("Repair() = %v", err)
			}
			if v := values(t, got.Data, tt.right...); v != tt.want {
				t.Errorf("values = %q; want %q", v, tt.want)
			}
			if err := drift.Check(dotenv.Parse(got.Data), nil, tt.right).Err(); err != nil {
				t.Errorf("Check of the repaired file = %v", err)
			}
			if names := strings.Join(got.Names, " "); names != tt.names {
				t.Errorf("names = %q; want %q", names, tt.names)
			}
		})
	}
}

func TestRepairKeepsCiphertextOfUnchangedValues(t *testing.T) {
	t.Parallel()
	right, stranger := newKey(t), newKey(t)
	head := locked(t, right, "A=1\nB=2\n", nil)
	doc := locked(t, stranger, "A=1\nB=edited\n", nil)
	got, err := drift.Drifted{File: ".env", Doc: doc, Head: head, Right: ecies.Keys{right}, Held: ecies.Keys{stranger}}.Repair()
	if err != nil {
		t.Fatal(err)
	}
	if value(t, got.Data, "A") != value(t, head.Bytes(), "A") {
		t.Error("A did not change, but its ciphertext did")
	}
	if value(t, got.Data, "B") == value(t, head.Bytes(), "B") {
		t.Error("B was edited, but its ciphertext is HEAD's")
	}
}

// A value that is encrypted although its name says that it is not to be would
// become plaintext.
func TestRepairNeverDecryptsPlainNames(t *testing.T) {
	t.Parallel()
	right, stranger := newKey(t), newKey(t)
	cipher := value(t, locked(t, stranger, "X=s3cr3t\n", nil).Bytes(), "X")
	doc := dotenv.Parse(append(locked(t, stranger, "A=1\n", nil).Bytes(), "X_PLAIN="+cipher+"\n"...))
	got, err := drift.Drifted{File: ".env", Doc: doc, Right: ecies.Keys{right}, Held: ecies.Keys{stranger}}.Repair()
	if err == nil || strings.Contains(string(got.Data), "s3cr3t") {
		t.Errorf("Repair() = %q, %v; want an error and no plaintext", got.Data, err)
	}
}

func TestCheckReportsMixedKeys(t *testing.T) {
	t.Parallel()
	newest, older := newKey(t), newKey(t)
	old := value(t, locked(t, older, "B=2\n", nil).Bytes(), "B")
	doc := dotenv.Parse(append(locked(t, newest, "A=1\n", nil).Bytes(), "B="+old+"\n"...))
	keys := ecies.Keys{newest, older}
	err := drift.Check(doc, nil, keys).Err()
	if mixed := (*drift.MixedError)(nil); !errors.As(err, &mixed) || strings.Join(mixed.Names, " ") != "B" {
		t.Fatalf("Check = %v; want a MixedError for B", err)
	}
	got, err := drift.Drifted{File: ".env", Doc: doc, Right: keys}.Repair()
	if err != nil || values(t, got.Data, newest) != "A=1\nB=2\n" {
		t.Errorf("Repair() = %v, %v; want both values for the newest key", got.Action, err)
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	right, neighbour, nobody := newKey(t), newKey(t), newKey(t)
	known := []drift.Known{{Key: right.PublicKey(), Owner: "ours"}, {Key: neighbour.PublicKey(), Owner: "the neighbour's"}}
	byHeader := locked(t, neighbour, "A=1\n", nil)
	byValue, err := byHeader.ReplaceHeader(right.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		doc  *dotenv.Document
		held ecies.Keys
		want string
	}{
		{"by header", byHeader, nil, "the neighbour's"},
		{"by value", byValue, ecies.Keys{neighbour}, "the neighbour's"},
		{"unknown", locked(t, nobody, "A=1\n", nil), ecies.Keys{neighbour}, ""},
	}
	for _, tt := range tests {
		if got := strings.Join(drift.Owners(tt.doc, ecies.Keys{right}, tt.held, known), ", "); got != tt.want {
			t.Errorf("%s: Owners = %q; want %q", tt.name, got, tt.want)
		}
	}
}
