package broker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/bkledger/bk/migrations/child"
	"github.com/bkledger/bk/migrations/embedded"
)

// childEnv makes a program a broker: "PORT|DIR".
const childEnv = "BK_BROKER_CHILD"

// A program that finds childEnv is the broker of another one. It must be found before anything else begins, in every
// program and test that imports this package, and so in init.
func init() {
	if arg := os.Getenv(childEnv); arg != "" {
		if err := serveChild(arg); err != nil {
			fmt.Fprintln(os.Stderr, "broker:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

func serveChild(arg string) error {
	port, dir, _ := strings.Cut(arg, "|")
	n, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("%s=%q: %w", childEnv, arg, err)
	}
	ctx, done := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer done()
	// No Sync: a kill loses nothing that the kernel has.
	k, err := embedded.StartKafka(ctx, embedded.KafkaConfig{Dir: dir, Port: n, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return k.Stop()
}

// embedded prepares the in-process broker as a process of its own, with its data below dir.
func (b *Broker) embedded(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	port, err := child.FreePort()
	if err != nil {
		return err
	}
	b.addr = fmt.Sprintf("127.0.0.1:%d", port)
	b.command = func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d|%s", childEnv, port, filepath.Join(dir, "data")))
		return cmd
	}
	return nil
}
