package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// A child is this program again, with one part of the benchmark to itself: the API's server, or the engine under overload, whose
// memory is then its own. It is told what to do by one line of JSON on its standard input, answers with one line on its standard
// output, and ends when its input does: also when the parent is killed.

// job is what a child is to do; one of both is there.
type job struct {
	Server   *serverJob
	Overload *overloadJob
}

// Child does what the parent tells it on in, and ends when in does. It is the program's part in [Config].Child.
func Child(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("bench: read the job: %w", err)
	}
	var j job
	if err := json.Unmarshal(line, &j); err != nil {
		return fmt.Errorf("bench: read the job: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines) // whatever it ends with, it ends
		cancel()
	}()
	answer := func(v any) error { return json.NewEncoder(out).Encode(v) }
	switch {
	case j.Server != nil:
		return j.Server.run(ctx, answer)
	case j.Overload != nil:
		return j.Overload.run(ctx, answer)
	}
	return errors.New("bench: the job is empty")
}

// child is a running child as the parent sees it.
type child struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

const childEndTimeout = 30 * time.Second

// startChild starts a child on a job.
func startChild(ctx context.Context, argv []string, j job) (*child, error) {
	c := &child{command: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	c.command.WaitDelay = childEndTimeout
	c.command.Stderr = os.Stderr
	var err error
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a child process: %w", err)
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a child process: %w", err)
	}
	c.out = bufio.NewReader(out)
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start a child process: %w", err)
	}
	if err := json.NewEncoder(c.in).Encode(j); err != nil {
		return nil, errors.Join(fmt.Errorf("tell a child process its job: %w", err), c.end())
	}
	return c, nil
}

// answer waits for the child's line.
func (c *child) answer(to any) error {
	line, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, to)
	}
	if err != nil {
		return fmt.Errorf("a child process gave no answer: %w", err)
	}
	return nil
}

// end closes the child's input and waits for its end.
func (c *child) end() error {
	_ = c.in.Close() // a child that is gone has closed it
	late := time.AfterFunc(childEndTimeout, func() { _ = c.command.Process.Kill() })
	defer late.Stop()
	if err := c.command.Wait(); err != nil {
		return fmt.Errorf("a child process ended: %w", err)
	}
	return nil
}
