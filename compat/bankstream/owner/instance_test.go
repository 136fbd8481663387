package owner_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/bankstream/owner"
	"github.com/bkledger/bk/ledger/publisher"
	"github.com/bkledger/bk/migrations/child"
)

// hotswapEnv names the program whose instances of the stream are killed.
const hotswapEnv = "BK_TEST_HOTSWAP"

const (
	toldWithin = 2 * time.Minute // all that is in BK's journal, on a slow machine
	endWithin  = 30 * time.Second
)

// instances are processes `hotswap stream`.
type instances struct {
	*world
	program string
	dir     string
	running map[string]*instance
	known   map[string]bool // names that there were
	kills   int
	admin   *kadm.Client
}

type instance struct {
	*child.Child
	name  string
	cmd   *exec.Cmd
	still bool // by SIGSTOP
}

func newInstances(w *world, program string) *instances {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return &instances{world: w, program: program, dir: w.t.TempDir(), running: map[string]*instance{}, known: map[string]bool{}, admin: kadm.NewClient(client)}
}

// launch starts a process.
func (n *instances) launch(name string, flags ...string) *instance {
	n.t.Helper()
	cmd := exec.Command(n.program, append([]string{
		"stream", "--instance", name, "--kafka", n.broker, "--bk", n.base.BK, "--db", n.base.Postgres, "--session-timeout", "6s", "--transaction-timeout", "10s", "--admin-listen", local,
	}, flags...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "HOTSWAP_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	log := filepath.Join(n.dir, name)
	process, err := child.Start(cmd, log)
	if err != nil {
		n.t.Fatal(err)
	}
	first := !n.known[name]
	n.known[name] = true
	n.t.Cleanup(func() {
		process.Kill()
		if n.t.Failed() && first {
			n.t.Logf("%s said:\n%s", name, child.Tail(log, 8<<10))
		}
	})
	return &instance{Child: process, name: name, cmd: cmd}
}

// start runs an instance of the stream that owns Bank's topics.
func (n *instances) start(names ...string) {
	n.t.Helper()
	for _, name := range names {
		n.running[name] = n.launch(name, "--own", "--bank-operations", n.gate.URL)
	}
}

// kill ends some, as kill -9 does, and waits for their end.
func (n *instances) kill(names ...string) {
	for _, name := range names {
		n.running[name].Kill()
		delete(n.running, name)
		n.kills++
	}
}

// stop ends one in order.
func (n *instances) stop(name string) {
	n.t.Helper()
	if err := n.running[name].Stop(endWithin); err != nil {
		n.t.Errorf("%s: %v", name, err)
	}
	delete(n.running, name)
}

func (n *instances) names() []string { return slices.Sorted(maps.Keys(n.running)) }

// awake gives those that do not stand still.
func (n *instances) awake() []string {
	return slices.DeleteFunc(n.names(), func(name string) bool { return n.running[name].still })
}

// free gives a name that no instance has; "" where there are three.
func (n *instances) free() string {
	for _, name := range []string{"one", "two", "three"} {
		if n.running[name] == nil {
			return name
		}
	}
	return ""
}

// alive sees to it that none ended by itself.
func (n *instances) alive() {
	n.t.Helper()
	for _, i := range n.running {
		if !i.Running() {
			n.t.Fatalf("%s ended by itself: %v", i.name, i.Err())
		}
	}
}

// signal sends one; that the process has been killed meanwhile is no fault.
func (i *instance) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := i.cmd.Process.Signal(s); err != nil && i.Running() {
		t.Errorf("%s: %v", i.name, err)
	}
}

// told waits until a group has told all that is in BK's journal now.
func (n *instances) told(group string) {
	n.t.Helper()
	var head int64
	var ends map[int32]int64
	missing := ""
	look := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		bk := owner.BK(n.bk)
		if head == 0 {
			var err error
			if head, err = bk.Head(ctx); err != nil {
				return err
			}
		}
		if ends == nil {
			published, err := bk.Published(ctx)
			if err != nil || published < head {
				return errors.Join(err, fmt.Errorf("BK has published up to %d of %d", published, head))
			}
			listed, err := n.admin.ListEndOffsets(ctx, publisher.DefaultEvents)
			if err = errors.Join(err, listed.Error()); err != nil {
				return err
			}
			ends = map[int32]int64{}
			listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
		}
		at, err := n.admin.FetchOffsets(ctx, group)
		if err = errors.Join(err, at.Error()); err != nil {
			return err
		}
		for id, end := range ends {
			if o, ok := at.Lookup(publisher.DefaultEvents, id); end > 0 && (!ok || o.At < end) {
				return fmt.Errorf("partition %d is at %d of %d", id, o.At, end)
			}
		}
		return nil
	}
	for end := time.Now().Add(toldWithin); ; time.Sleep(20 * time.Millisecond) { // the pace of asking
		n.alive()
		err := look(n.t.Context())
		if err == nil {
			return
		}
		if missing = err.Error(); time.Now().After(end) {
			n.t.Fatalf("all is not told by %s within %s: %s", group, toldWithin, missing)
		}
	}
}

// group is that of the instances.
const group = bankstream.DefaultGroup
