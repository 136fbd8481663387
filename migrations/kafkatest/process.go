package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	stopTimeout  = 60 * time.Second
	logTailBytes = 8 << 10
)

// process is a broker's process, which can be started again.
type process struct {
	addr    string
	log     string // file for its output
	command func() *exec.Cmd

	mu   sync.Mutex
	proc *os.Process
	gone chan struct{} // closed when proc is reaped
}

// start runs the command and returns when the broker answers. After an error the process may still run: kill it.
func (p *process) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("the broker at %s is running", p.addr)
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close() // the child has its own
	cmd := p.command()
	cmd.Stdout, cmd.Stderr = out, out
	dieWithParent(cmd)
	started, gone := make(chan error, 1), make(chan struct{})
	go func() {
		// Linux sends the death signal when the thread that forked ends, not the process: keep this one until the
		// child is gone. Not unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // how it ended is no news: we kill it
		}
		close(gone)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting the broker's process: %w", err)
	}
	p.proc, p.gone = cmd.Process, gone
	return awaitReady(ctx, p.addr, gone)
}

func (p *process) running() bool {
	if p.gone == nil {
		return false
	}
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		p.proc.Kill()
		<-p.gone
	}
}

func (p *process) stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return nil
	}
	if err := p.proc.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping the broker at %s: %w", p.addr, err)
	}
	select {
	case <-p.gone:
		return nil
	case <-time.After(stopTimeout):
		p.proc.Kill()
		<-p.gone
		return fmt.Errorf("the broker at %s didn't stop within %s and was killed", p.addr, stopTimeout)
	}
}

func (p *process) logTail() string {
	f, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	buf := make([]byte, min(info.Size(), logTailBytes))
	if _, err := f.ReadAt(buf, info.Size()-int64(len(buf))); err != nil {
		return err.Error()
	}
	return string(buf)
}

// removeAfterUs removes a folder when this process has ended, however it ended: the shared broker has no test whose
// end it could wait for. The shell reads a pipe that nobody writes to and that the kernel closes with us.
func removeAfterUs(dir string) error {
	cmd := exec.Command("sh", "-c", `cat; sleep 1; rm -rf -- "$0"`, dir) // the second is for the broker, which dies at the same time
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}                // an interrupt from the terminal isn't for it
	if _, err := cmd.StdinPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting what removes %s: %w", dir, err)
	}
	return nil
}
