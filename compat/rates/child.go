package rates

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute
	endTimeout   = 30 * time.Second
	lastWords    = 4 << 10 // bytes of what a server says that are kept
)

// child is a server in a process of its own.
type child struct {
	name    string
	process *os.Process
	said    tail
	ended   chan struct{}
	fault   error // once ended
}

// startChild starts a server and reads its addresses from the ready file that it writes.
func startChild(ctx context.Context, dir, name, program string, args []string, ready any) (*child, error) {
	file := filepath.Join(dir, name+".json")
	c := &child{name: name, ended: make(chan struct{})}
	command := exec.Command(program, append(args, "--ready-file", file)...)
	command.Stdout, command.Stderr, command.SysProcAttr = &c.said, &c.said, endsWithUs()
	command.Env = withoutBK(os.Environ())
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // see endsWithUs; the thread goes when the server has
		err := command.Start()
		c.process = command.Process
		started <- err
		if err == nil {
			c.fault = command.Wait()
		}
		close(c.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	deadline := time.After(startTimeout)
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			if err := json.Unmarshal(text, ready); err != nil {
				return c, fmt.Errorf("%s: read its addresses: %w", name, err)
			}
			return c, nil
		}
		select {
		case <-ctx.Done():
			return c, context.Cause(ctx)
		case <-c.ended:
			return c, c.gone()
		case <-deadline:
			return c, fmt.Errorf("%s is not ready after %s:\n%s", name, startTimeout, c.said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// withoutBK leaves settings of this environment's own BK out.
func withoutBK(environ []string) []string {
	var rest []string
	for _, v := range environ {
		if !strings.HasPrefix(v, "BK_") {
			rest = append(rest, v)
		}
	}
	return rest
}

func (c *child) gone() error {
	return fmt.Errorf("%s ended (%v):\n%s", c.name, c.fault, c.said.String())
}

// alive is an error once the server has ended.
func (c *child) alive() error {
	select {
	case <-c.ended:
		return c.gone()
	default:
		return nil
	}
}

// end stops the server, and kills it where that takes too long.
func (c *child) end() error {
	if c == nil {
		return nil
	}
	if err := c.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", c.name, err)
	}
	select {
	case <-c.ended:
	case <-time.After(endTimeout):
		_ = c.process.Kill() // it may be gone by now
		<-c.ended
	}
	if c.fault != nil {
		return c.gone()
	}
	return nil
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	if over := t.text.Len() - lastWords; over > 0 {
		t.text.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
