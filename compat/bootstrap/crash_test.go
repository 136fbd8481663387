package bootstrap_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bootstrap"
	"github.com/bkledger/bk/migrations"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

var (
	rounds    = flag.Int("rounds", 5, "kills that TestCrash makes")
	crashSeed = flag.Uint64("seed", 1, "seed of TestCrash")
)

// childEnv has the configuration of a bootstrapper that runs in a process of its own, to be killed.
const childEnv = "BK_TEST_BOOTSTRAP_CHILD"

// child runs a bootstrapper, and says in which phase it is.
func child(text string) int {
	var cfg bootstrap.Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	phase := ""
	cfg.Progress = func(p bootstrap.Progress) {
		if p.Phase != phase {
			phase = p.Phase
			fmt.Println(phase)
		}
	}
	cfg.StartBK = func(ctx context.Context) (string, func() error, error) {
		running, end := context.WithCancel(ctx)
		ready, ended := make(chan string, 1), make(chan error, 1)
		go func() {
			ended <- node.Run(running, node.Config{Postgres: cfg.BKDB, Listen: local, MetricsListen: local, PoolConnections: 16}, func(at node.Addresses) { ready <- "http://" + at.API })
		}()
		stop := func() error { end(); return <-ended }
		select {
		case url := <-ready:
			return url, stop, nil
		case err := <-ended:
			end()
			return "", nil, err
		}
	}
	b, err := bootstrap.Open(context.Background(), cfg)
	if err == nil {
		_, err = b.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestCrash kills the bootstrapper at random moments of each phase in turn, in both modes. What comes of it in the end is what an undisturbed one makes, nothing twice.
func TestCrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.play(7, 600)
	modes := []string{bootstrap.Full, bootstrap.Opening}
	want := map[string]string{}
	took := map[string]time.Duration{"catch-up": 300 * time.Millisecond, "verify": 300 * time.Millisecond, "load": 500 * time.Millisecond}
	for _, mode := range modes {
		whole := w.config()
		whole.Mode, whole.DryRun = mode, true
		whole.Progress = func(p bootstrap.Progress) {
			if p.Ended {
				took[p.Phase] = time.Since(p.Started)
			}
		}
		if _, err := w.run(whole); err != nil {
			t.Fatal(err)
		}
		want[mode] = staged(t, whole.Work)
	}
	draw := rand.New(rand.NewPCG(*crashSeed, 6))
	phases := []string{"extract", "transform", "stage", "load", "catch-up", "verify"}
	killed := map[string]int{}
	most := min(*rounds/2+1, len(phases)) // in one life, so that each mode has one
	for n, round := 0, 0; round < *rounds; n++ {
		mode, from := modes[n%2], 0
		if n%4 == 1 || n%4 == 2 {
			from = len(phases) / 2 // the later phases first, where rounds are few
		}
		life := *w
		life.bk, life.facade = pgtest.New(t), pgtest.New(t)
		if err := migrations.Up(t.Context(), life.bk, nil); err != nil {
			t.Fatal(err)
		}
		cfg := life.config()
		cfg.Mode = mode
		for _, phase := range phases[from:min(from+most, len(phases))] {
			if round == *rounds {
				break
			}
			round++
			at := time.Duration(draw.Int64N(int64(took[phase]) + 1))
			if life.kill(cfg, phase, at) {
				killed[phase]++
			}
		}
		report, err := life.run(cfg)
		if err != nil || !report.Clean() {
			t.Fatal(report, err)
		}
		if have := staged(t, cfg.Work); have != want[mode] {
			t.Errorf("%s: another journal:\n%s\n%s", mode, have, want[mode])
		}
		if n, of := one(t, life.bk, `SELECT count(*) FROM bk.journal`), report.JournalRows; n < of {
			t.Errorf("%d entries of %d", n, of)
		}
	}
	t.Log("killed in", killed)
	if len(killed) == 0 {
		t.Error("nobody was killed")
	}
}

// staged gives what the journal to be loaded is.
func staged(t *testing.T, work string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(work, "MANIFEST.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Staged struct {
			Journal struct{ Summary any }
			Report  any
		}
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// kill runs a bootstrapper in a process of its own, and kills it some time after it has come to a phase. It tells whether it came to that.
func (w *world) kill(cfg bootstrap.Config, phase string, after time.Duration) bool {
	w.t.Helper()
	cfg.StartBK, cfg.Progress, cfg.Compare, cfg.Log = nil, nil, nil, nil
	text, err := json.Marshal(struct {
		bootstrap.Config
		StartBK, Progress, Compare, Log any `json:",omitempty"`
	}{Config: cfg})
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = w.t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == phase {
			kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended; its exit code tells
			defer kill.Stop()
		}
	}
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == -1) {
		w.t.Fatalf("the bootstrapper, to be killed in %s, ended: %v", phase, err)
	}
	return err != nil
}
