package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Child is one run of a program. Its methods may be called from any goroutine.
type Child struct {
	name string
	cmd  *exec.Cmd
	gone chan struct{}
	err  error // how it ended; read after gone
}

// Start runs cmd with standard output and error appended to the file log.
func Start(cmd *exec.Cmd, log string) (*Child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", cmd.Path, err)
	}
	defer out.Close() // the child has its own
	cmd.Stdout, cmd.Stderr = out, out
	dieWithParent(cmd)
	c := &Child{name: cmd.Path, cmd: cmd, gone: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// Linux sends the death signal when the thread that forked ends, not the process: keep this one until the
		// child is gone. Not unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		close(c.gone)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	return c, nil
}

// Gone is closed when the child has ended, whoever ended it.
func (c *Child) Gone() <-chan struct{} { return c.gone }

// Running reports whether the child has not ended yet.
func (c *Child) Running() bool {
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}

// Kill ends the child with SIGKILL.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // an error means that it has ended
	<-c.gone
}

// Stop asks the child to end with SIGTERM, and kills it if it has not after timeout. An error says that it did not end in time, or not
// with exit code 0 or by that signal.
func (c *Child) Stop(timeout time.Duration) error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", c.name, err)
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-c.gone:
	case <-timer.C:
		c.Kill()
		return fmt.Errorf("%s did not stop within %s and was killed", c.name, timeout)
	}
	return c.Err()
}

// jvmTerminated is what Java's virtual machine exits with after SIGTERM.
const jvmTerminated = 128 + int(syscall.SIGTERM)

// Err waits for the child's end and says how it ended: nil for exit code 0 and for SIGTERM.
func (c *Child) Err() error {
	<-c.gone
	if exit := (*exec.ExitError)(nil); errors.As(c.err, &exit) {
		status, ok := exit.Sys().(syscall.WaitStatus)
		if ok && status.Signaled() && status.Signal() == syscall.SIGTERM || exit.ExitCode() == jvmTerminated {
			return nil
		}
	}
	if c.err != nil {
		return fmt.Errorf("%s ended: %w", c.name, c.err)
	}
	return nil
}
