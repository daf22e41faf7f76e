package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPromises checks that each sentence of what the README and SECURITY.md promise
// names its tests, and that these exist. A comment below a paragraph has a part for
// every sentence of it, in their order: the names of tests and scripts, or "-".
func TestPromises(t *testing.T) {
	t.Parallel()
	tests := testNames(t)
	for _, section := range []struct {
		file, title string
		all         bool // every paragraph needs a comment
	}{
		{"README.md", "What it promises", true},
		{"SECURITY.md", "Who might attack, and what stops them", true},
		{"SECURITY.md", "What does not stop them", false},
		{"SECURITY.md", "How it is tested", true},
	} {
		data, err := os.ReadFile("../../" + section.file)
		if err != nil {
			t.Fatal(err)
		}
		_, text, found := strings.Cut(string(data), "\n## "+section.title+"\n")
		text, _, _ = strings.Cut(text, "\n## ")
		if !found {
			t.Fatalf("%s has no section %q", section.file, section.title)
		}
		for _, p := range regexp.MustCompile(`\n\n|\n- `).Split(text, -1) {
			p, comment, found := strings.Cut(p, "<!-- ")
			p = strings.TrimSpace(p)
			if p == "" || !found && !section.all {
				continue
			}
			parts := strings.Split(strings.TrimSuffix(strings.TrimSpace(comment), " -->"), "; ")
			if n := sentences(p); n != len(parts) {
				t.Errorf("%s: %d sentences, tests of %d: %q\n%s", section.file, n, len(parts), parts, p)
			}
			for _, name := range strings.Fields(strings.Join(parts, " ")) {
				if !tests[name] && name != "-" {
					t.Errorf("%s: there is no test %q\n%s", section.file, name, p)
				}
			}
		}
	}
}

// sentences counts those of a paragraph, without the words in bold that begin it.
func sentences(p string) int {
	p = regexp.MustCompile("`[^`]*`|\\A(- )?\\*\\*[^*]*\\*\\*").ReplaceAllString(p, "x")
	return len(regexp.MustCompile(`\.\)?(\s|\z)`).FindAllString(p, -1))
}

// testNames returns the names of all tests, fuzz tests and scripts.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if script, ok := strings.CutSuffix(d.Name(), ".txtar"); ok {
			names[script] = true
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		data, err := os.ReadFile(file)
		for _, m := range function.FindAllSubmatch(data, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
