//go:build unix

package embedded

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one run of a child program that must not outlive this process.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child is reaped
	err  error         // how it ended; read after done
}

// startProcess starts cmd in a session of its own, so that a Ctrl-C on the
// terminal reaches us and not it: we decide when it stops. If this process ends
// in any way, the child gets orphanSignal.
//
// On Linux the kernel sends that signal (PR_SET_PDEATHSIG), and it does so when
// the *thread* that forked ends. Go ends threads when it likes, so that one is
// locked to a goroutine which stays with the child until it is reaped. The
// kernel clears the setting when a process changes its user; os/exec sets it
// after that.
func startProcess(cmd *exec.Cmd, orphanSignal syscall.Signal) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	bindToParent(cmd, orphanSignal)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		release, err := watchParent(cmd.Process.Pid, orphanSignal)
		if err != nil {
			cmd.Process.Kill()
			cmd.Wait()
			started <- err
			return
		}
		started <- nil
		p.err = cmd.Wait()
		release()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// end sends sig and waits until the process is gone; after timeout it kills it
// and reports false.
func (p *process) end(sig syscall.Signal, timeout time.Duration) bool {
	p.cmd.Process.Signal(sig) // an error means that it has ended
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		p.cmd.Process.Kill()
		<-p.done
		return false
	}
}
