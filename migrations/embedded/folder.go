package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// folderLock is held, by the kernel's account, while the process of a temporary folder lives.
const folderLock = "demo.lock"

// Folder is a temporary folder that does not outlive its process for long: the next one of its prefix removes what a killed process has left.
type Folder struct {
	Dir  string
	lock *flock.Flock
}

// NewFolder makes a folder for this process, and removes those of the prefix that killed ones have left.
func NewFolder(prefix string) (*Folder, error) {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*", folderLock))
	if err != nil {
		return nil, fmt.Errorf("temporary folder: %w", err)
	}
	for _, path := range left {
		// What can't be opened or locked is another user's, or of a process that lives.
		lock := flock.New(path)
		if ours, err := lock.TryLock(); err == nil && ours {
			_ = os.RemoveAll(filepath.Dir(path)) // the next one tries again
			_ = lock.Unlock()
		}
	}
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, fmt.Errorf("temporary folder: %w", err)
	}
	f := &Folder{dir, flock.New(filepath.Join(dir, folderLock))}
	if ours, err := f.lock.TryLock(); err != nil || !ours {
		return nil, errors.Join(fmt.Errorf("temporary folder %s: locked %t, %w", dir, ours, err), os.RemoveAll(dir))
	}
	return f, nil
}

// Remove removes the folder and all that is in it.
func (f *Folder) Remove() error {
	if err := errors.Join(os.RemoveAll(f.Dir), f.lock.Unlock()); err != nil {
		return fmt.Errorf("remove the temporary folder: %w", err)
	}
	return nil
}
