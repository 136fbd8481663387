package modeltest_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/migrations/pgtest"
)

var (
	apiFlag   = flag.Int("api", 5, "random sequences through the API and Postgres")
	sequences = flag.Int("sequences", 300, "random sequences against the folds in memory")
	seedFlag  = flag.Uint64("seed", 0, "replay the sequence of this seed, and no other")
	firstSeed = flag.Uint64("first", 1, "the first seed")
	stepsFile = flag.String("steps", "", "replay the steps in this file, one in JSON on each line")
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// TestMemory runs random sequences through the rules and folds in memory, and through the model.
func TestMemory(t *testing.T) {
	t.Parallel()
	if *stepsFile != "" {
		report(t, 0, readSteps(t), inMemory, time.Minute)
		return
	}
	first, last := *firstSeed, *firstSeed+uint64(*sequences)-1
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	began := time.Now()
	var next, failures atomic.Uint64
	next.Store(first)
	var mu sync.Mutex
	total := newTally()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			count := newTally()
			for seed := next.Add(1) - 1; seed <= last && failures.Load() < 5; seed = next.Add(1) - 1 {
				steps := Sequence(seed)
				if err := guarded(steps, func(s []Step) error { return runMemory(s, count) }); err != nil {
					failures.Add(1)
					report(t, seed, steps, inMemory, time.Minute)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(count)
		})
	}
	workers.Wait()
	if failures.Load() == 0 && total.sequences != int(last-first+1) {
		t.Errorf("%d sequences were run instead of %d", total.sequences, last-first+1)
	}
	if failures.Load() == 0 && total.sequences >= 300 {
		total.checkVariety(t)
	}
	t.Logf("%s in %s", total, time.Since(began).Round(time.Millisecond))
}

// TestAPI runs random sequences through a node each, with a database of its own, and through the model.
func TestAPI(t *testing.T) {
	t.Parallel()
	first, last := *firstSeed, *firstSeed+uint64(*apiFlag)-1
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	began := time.Now()
	var mu sync.Mutex
	total := newTally()
	t.Cleanup(func() { t.Logf("%s in %s", total, time.Since(began).Round(time.Millisecond)) })
	run := func(seed uint64, steps []Step) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			count := newTally()
			err := guarded(steps, func(s []Step) error { return runAPI(t, s, count) })
			mu.Lock()
			total.add(count)
			mu.Unlock()
			if err != nil {
				t.Logf("failed: %v; looking for the shortest sequence that does", err)
				report(t, seed, steps, func(s []Step) error { return runAPI(t, s, newTally()) }, 2*time.Minute)
			}
		})
	}
	if *stepsFile != "" {
		run(0, readSteps(t))
		return
	}
	for seed := first; seed <= last; seed++ {
		run(seed, Sequence(seed))
	}
}

func inMemory(steps []Step) error { return runMemory(steps, newTally()) }

// guarded makes a panic an error.
func guarded(steps []Step, run func([]Step) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			stack := make([]byte, 4096)
			err = fmt.Errorf("panic: %v\n%s", v, stack[:runtime.Stack(stack, false)])
		}
	}()
	return run(steps)
}

// report fails the test with the shortest sequence that still fails.
func report(t *testing.T, seed uint64, steps []Step, run func([]Step) error, most time.Duration) {
	t.Helper()
	least, err := shrink(steps, func(s []Step) error { return guarded(s, run) }, most)
	if err == nil {
		if seed == 0 {
			return
		}
		t.Errorf("seed %d failed once and not again", seed)
		return
	}
	t.Errorf("seed %d (replay it with -seed %d), %d of its %d steps, one on each line for -steps FILE:\n%s\n%v", seed, seed, len(least), len(steps), stepsText(least, 80), err)
}

func readSteps(t *testing.T) (steps []Step) {
	t.Helper()
	text, err := os.ReadFile(*stepsFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var s Step
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		steps = append(steps, s)
	}
	return steps
}
