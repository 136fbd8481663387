package embedded

import (
	"errors"
	"os"
	"syscall"
)

// release gives up a folder whose lock file is f. Closing alone would not do it at once: a child of ours that is between fork and exec has the file, too.
func release(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
