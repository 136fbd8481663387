package cutover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	keptHead = 32 << 10 // bytes of a command's output that are kept of its beginning
	keptTail = 64 << 10 // and of its end
	lingers  = 5 * time.Second
)

// line tells a command for people.
func (c *Command) line() string {
	if c.Shell != "" {
		return "/bin/sh -c " + c.Shell
	}
	words := make([]string, len(c.Argv))
	for i, w := range c.Argv {
		if words[i] = w; w == "" || strings.ContainsAny(w, " \t\n'\"$") {
			words[i] = fmt.Sprintf("%q", w)
		}
	}
	return strings.Join(words, " ")
}

// command runs a program, in a process group of its own: a signal to the runner from its terminal is not the program's.
func (r *runner) command(ctx context.Context, s *Step) (*Output, error) {
	c := s.Command
	argv := c.Argv
	if c.Shell != "" {
		argv = []string{"/bin/sh", "-c", c.Shell}
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = c.Dir, os.Environ()
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		cmd.Env = append(cmd.Env, name+"="+c.Env[name])
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = lingers
	sink := &sink{sum: sha256.New()}
	cmd.Stdout, cmd.Stderr = sink, sink
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	if err := r.write(recStarted, s.Name, startedRecord{cmd.Process.Pid}); err != nil {
		return nil, errors.Join(err, cmd.Cancel(), cmd.Wait())
	}
	err := cmd.Wait()
	exit := cmd.ProcessState.ExitCode()
	out := sink.output()
	out.Exit = &exit
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return out, fmt.Errorf("%w: %s was killed", context.Cause(ctx), argv[0])
	case err != nil && !errors.As(err, &ended):
		return out, fmt.Errorf("run %s: %w", argv[0], err)
	case exit != c.Exit:
		return out, fmt.Errorf("%s ended with %s, not with exit code %d; at last it wrote %q", argv[0], cmd.ProcessState, c.Exit, sink.last())
	case c.Contains != "" && !sink.has(c.Contains):
		return out, fmt.Errorf("%q is not in what %s wrote: %s", c.Contains, argv[0], sink.last())
	}
	return out, nil
}

// sink takes a command's output: the beginning and the end are kept, the hash is of all.
type sink struct {
	mu         sync.Mutex
	sum        hash.Hash
	bytes      int64
	head, tail []byte
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Write(p)
	s.bytes += int64(len(p))
	rest := p
	if room := keptHead - len(s.head); room > 0 {
		n := min(room, len(rest))
		s.head, rest = append(s.head, rest[:n]...), rest[n:]
	}
	if s.tail = append(s.tail, rest...); len(s.tail) > 2*keptTail {
		s.tail = append([]byte{}, s.tail[len(s.tail)-keptTail:]...)
	}
	return len(p), nil
}

func (s *sink) text() string {
	tail := s.tail[max(0, len(s.tail)-keptTail):]
	text := string(s.head)
	if left := s.bytes - int64(len(s.head)) - int64(len(tail)); left > 0 {
		text += fmt.Sprintf("\n... %d bytes left out ...\n", left)
	}
	return strings.ToValidUTF8(text+string(tail), "?")
}

func (s *sink) output() *Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Output{Text: s.text(), Bytes: s.bytes, SHA256: hex.EncodeToString(s.sum.Sum(nil))}
}

// has looks in what is kept.
func (s *sink) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text(), text)
}

// last is the end of the output, for an error.
func (s *sink) last() string {
	const shown = 500
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.TrimSpace(s.text())
	return strings.ToValidUTF8(text[max(0, len(text)-shown):], "")
}
