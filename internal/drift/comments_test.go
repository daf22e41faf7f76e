package drift_test

import (
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
)

// TestCheckComments checks edits of a file that had A, B_PLAIN and an old comment.
func TestCheckComments(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	head := locked(t, key, "# A=in the past\nA=\"a $ b\"\nB_PLAIN=1\nC=3\n", nil)
	tests := []struct {
		name, text string
		wrong      bool
	}{
		{"commented out", "#A=\"a $ b\"\nC=3\n", true},
		{"commented out and changed", "  ## export A = other # why\nC=3\n", true},
		{"kept beside its successor", "#A='a $ b'\nA=new\nC=3\n", true},
		{"an example beside it", "# A=example\nA=new\nC=3\n", false},
		{"there before", "# A=in the past\nC=3\n", false},
		{"removed", "C=3\n", false},
		{"prose", "# A: is no longer used\nC=3\n", false},
		{"empty", "# A=\nC=3\n", false},
		{"its ciphertext", "# A=" + value(t, head.Bytes(), "A") + "\nC=3\n", false},
		{"never encrypted", "# B_PLAIN=1\n# D=4\nC=3\n", false},
	}
	for _, tt := range tests {
		doc := locked(t, key, tt.text, head)
		if err := drift.Check(doc, head, ecies.Keys{key}).Err(); (err != nil) != tt.wrong {
			t.Errorf("%s: Check = %v; want an error: %t", tt.name, err, tt.wrong)
		}
		if err := drift.Check(doc, nil, ecies.Keys{key}).Err(); err != nil {
			t.Errorf("%s, no version before: Check = %v; want nil", tt.name, err)
		}
	}
	doc := locked(t, key, "#A=\"a $ b\"\nA=new\n", head)
	ch := drift.Encrypt(".env", doc, key.PublicKey(), dotenv.EncryptOptions{Previous: head, PreviousKeys: ecies.Keys{key}})
	if want := "nothing to encrypt; line 8: A: it was encrypted, and this comment shows a value of it: delete the line"; ch.Note != want {
		t.Errorf("Encrypt: note %q; want %q", ch.Note, want)
	}
}
