package embedded

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFolder: what a killed process left is removed by the next one, what a living one has is not.
func TestFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	living, err := NewFolder("bk-test-")
	if err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(os.TempDir(), "bk-test-killed")
	if err := os.Mkdir(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, folderLock), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	next, err := NewFolder("bk-test-")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(killed); !os.IsNotExist(err) {
		t.Errorf("what a killed process left is there: %v", err)
	}
	for _, f := range []*Folder{living, next} {
		if _, err := os.Stat(f.Dir); err != nil {
			t.Error(err)
		}
		if err := f.Remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(f.Dir); !os.IsNotExist(err) {
			t.Errorf("a removed folder is there: %v", err)
		}
	}
}
