package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/migrations/child"
)

const (
	statusTimeout = 5 * time.Second
	stopTimeout   = 60 * time.Second
	standbyAfter  = 300 * time.Millisecond
)

// server is a place for a `bk serve`: always the same addresses, one process after the other.
type server struct {
	name, bk, dir string
	brokers       string
	api, metrics  string // host:port
	dsn           string
	client        *client.Client

	mu    sync.Mutex
	child *child.Child // nil while there should be none
}

func newServer(name, bk, dir, dsn, brokers string) (*server, error) {
	s := &server{name: name, bk: bk, dir: dir, dsn: dsn, brokers: brokers}
	for _, at := range []*string{&s.api, &s.metrics} {
		port, err := child.FreePort()
		if err != nil {
			return nil, err
		}
		*at = fmt.Sprintf("127.0.0.1:%d", port)
	}
	var err error
	s.client, err = client.New(s.url())
	return s, err
}

func (s *server) url() string       { return "http://" + s.api }
func (s *server) log() string       { return filepath.Join(s.dir, s.name+".log") }
func (s *server) readyFile() string { return filepath.Join(s.dir, s.name+".ready.json") }

// start starts the program and doesn't wait.
func (s *server) start() error {
	// One that a killed process left would be taken for this one's.
	if err := os.Remove(s.readyFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cmd := exec.Command(s.bk, "serve", "--kafka-brokers", s.brokers, "--listen", s.api, "--metrics-listen", s.metrics,
		"--ready-file", s.readyFile(), "--standby-after", standbyAfter.String(), "--migrate")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BK_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "BK_POSTGRES="+s.dsn) // not on the command line, where all users of the machine see it
	c, err := child.Start(cmd, s.log())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.child = c
	return nil
}

// process is what runs here, nil if nothing should.
func (s *server) process() *child.Child {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child
}

// take gives the process and says that none should run any more.
func (s *server) take() *child.Child {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.child
	s.child = nil
	return c
}

func (s *server) kill() {
	if c := s.take(); c != nil {
		c.Kill()
	}
}

// stop ends the process in order; it must end with exit code 0.
func (s *server) stop() error {
	if c := s.take(); c != nil {
		if err := c.Stop(stopTimeout); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// fault is an error if a process that should run has ended.
func (s *server) fault() error {
	if c := s.process(); c != nil && !c.Running() {
		if err := c.Err(); err != nil {
			return fmt.Errorf("%s ended by itself: %w", s.name, err)
		}
		return fmt.Errorf("%s ended by itself, with exit code 0", s.name)
	}
	return nil
}

// ready reports whether the process has said that it serves.
func (s *server) ready() bool {
	_, err := os.Stat(s.readyFile())
	return err == nil && s.process() != nil
}

func (s *server) status(ctx context.Context) (*bkv1.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	res, err := s.client.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		return nil, err
	}
	return res.Msg, nil
}
