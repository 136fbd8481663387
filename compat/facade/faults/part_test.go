package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/child"
)

// patience of tests on a slow machine.
const patience = time.Minute

// part is a system that is started, ended and started again on the same addresses: in this process, or as a child that can be killed.
type part struct {
	t        *testing.T
	settings settings
	apart    bool // as a child

	log     string // a child's
	running *child.Child
	stop    func()
}

func address(t *testing.T) string {
	t.Helper()
	port, err := child.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func (p *part) start() {
	p.t.Helper()
	if !p.apart {
		type nothing struct{}
		_, p.stop = stage.Await(p.t, p.settings.Role, func(ctx context.Context, ready func(nothing)) error {
			return p.settings.run(ctx, stage.Log(p.t), func() { ready(nothing{}) })
		})
		return
	}
	text, err := json.Marshal(p.settings)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.log == "" {
		p.log = filepath.Join(p.t.TempDir(), p.settings.Role)
		p.t.Cleanup(func() {
			if p.running.Running() {
				if err := p.running.Stop(patience); err != nil {
					p.t.Error(err)
				}
			}
			if p.t.Failed() {
				p.t.Logf("the log of %s %s:\n%s", p.settings.Role, p.settings.Listen, child.Tail(p.log, 6000))
			}
		})
	}
	ready := p.log + ".ready"
	if err := os.Remove(ready); err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text), readyEnv+"="+ready)
	if p.running, err = child.Start(cmd, p.log); err != nil {
		p.t.Fatal(err)
	}
	p.stop = func() {
		if err := p.running.Stop(patience); err != nil {
			p.t.Error(err)
		}
	}
	eventually(p.t, p.settings.Role+" serves", func() bool {
		if !p.running.Running() {
			p.t.Fatalf("%s ended: %v", p.settings.Role, p.running.Err())
		}
		_, err := os.Stat(ready)
		return err == nil
	})
}

// kill is kill -9.
func (p *part) kill() { p.running.Kill() }

func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s too long", what)
		}
	}
}
