package gitops

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func FuzzParseStages(f *testing.F) {
	oid := strings.Repeat("a", 40)
	f.Add([]byte("100644 " + oid + " 0\ta.env\x00100755 " + oid + " 0\td/b\tc\n\x00"))
	f.Add([]byte("100644 " + oid + " 1\ta\x00100644 " + oid + " 2\ta\x00100644 " + oid + " 3\ta\x00"))
	f.Add([]byte("160000 " + strings.Repeat("0", 64) + " 0\tsub\x00"))
	f.Add([]byte("100644 " + oid + " 0\t\x00"))
	f.Add([]byte("100644 " + oid + " 0\ta"))
	f.Fuzz(func(t *testing.T, out []byte) {
		files, _, err := parseStages(out)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, file := range files {
			if !file.OID.valid() || file.Path == "" {
				t.Fatalf("parseStages(%q) gave %+v", out, file)
			}
			fmt.Fprintf(&again, "%s %s 0\t%s\x00", file.Mode, file.OID, file.Path)
		}
		// Files in conflict are missing; the others read as they were.
		reread, _, err := parseStages([]byte(again.String()))
		if err != nil || !slices.Equal(reread, files) {
			t.Fatalf("parseStages(%q) = %+v, %v; want %+v", again.String(), reread, err, files)
		}
	})
}

// A Tree is a valid fs.FS, whatever order git lists in.
func TestTree(t *testing.T) {
	t.Parallel()
	content := map[OID][]byte{}
	var files []File
	for i, name := range []string{"top", "d/e/deep", "d/a.env", "d.env", "d/e/link"} {
		oid := OID(fmt.Sprintf("%040x", i))
		content[oid] = []byte(name)
		files = append(files, File{Path: name, Mode: Regular, OID: oid})
	}
	files[4].Mode = Symlink
	tree := newTree(files, 0)
	tree.blob = func(oid OID) ([]byte, error) { return content[oid], nil }
	if data, err := fs.ReadFile(tree, "d/a.env"); err != nil || string(data) != "d/a.env" {
		t.Errorf("d/a.env = %q, %v", data, err)
	}
	var names []string
	err := fs.WalkDir(tree, ".", func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if want := ". d d/a.env d/e d/e/deep d/e/link d.env top"; err != nil || strings.Join(names, " ") != want {
		t.Errorf("WalkDir = %q, %v; want %q", strings.Join(names, " "), err, want)
	}
	info, err := fs.Stat(tree, "d/e/link")
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("Stat of a link = %v, %v", info, err)
	}
	tree.files = slices.DeleteFunc(tree.files, func(f File) bool { return f.Mode == Symlink }) // the test below would read it
	if err := fstest.TestFS(tree, "top", "d/a.env", "d/e/deep", "d.env"); err != nil {
		t.Error(err)
	}
}
