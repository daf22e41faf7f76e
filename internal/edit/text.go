package edit

import (
	"context"
	"path"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// Text lets the user edit a decrypted text of a target's file until check accepts it.
// It is where [Edit] keeps it, and nothing of it is left. The error is the editor's, a
// [*BusyError], or that of check.
func Text(ctx context.Context, w *workspace.Workspace, t mapping.Target, text []byte, e Editor, check func(*dotenv.Document) error) (*dotenv.Document, error) {
	folder, err := newFolder(w.Absolute(w.RelPath(t.File)), e.OnDisk)
	if err != nil {
		return nil, err
	}
	defer folder.remove()
	return folder.edit(ctx, path.Base(t.File), text, e, t.Keeping, func(doc *dotenv.Document) error {
		if err := wellFormed(doc); err != nil {
			return err
		}
		return check(doc)
	})
}
