package owner_test

import (
	"context"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/kafkatest"
)

var (
	rounds = flag.Int("rounds", 3, "steps of TestCrash")
	seed   = flag.Uint64("seed", 0, "of TestCrash's blows; 0 takes one from the clock")
)

// A client rests longer behind its writes if a step can't be made since Bank, which follows, does not come near.
const (
	restFirst = 40 * time.Millisecond
	restMost  = 320 * time.Millisecond
)

// crash is the loop: Bank, BK and a façade, under load, the stream in processes of its own, the topics' changes of hands, and what happens meanwhile.
type crash struct {
	*instances
	kafka  *kafkatest.Broker
	facade stage.Facade
	rng    *rand.Rand
	day    time.Time // the business date

	tries int // at steps
	worst time.Duration
}

// TestCrash: Bank's topics go to the stream and back, again and again, under load, while its processes are killed and moved and the broker is restarted, before, in and behind the
// steps. In the end a reader of what is committed sees on the shadow topics what an undisturbed run gives, byte for byte; and so on Bank's, of the epochs in which they were the stream's.
func TestCrash(t *testing.T) {
	program := os.Getenv(hotswapEnv)
	if program == "" {
		t.Skipf("%s does not name the program hotswap: make stream-crash-test does", hotswapEnv)
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	broker := kafkatest.Own(t)
	w := newWorldOn(t, broker.Addr())
	w.rest.Store(int64(restFirst))
	c := &crash{
		instances: newInstances(w, program), kafka: broker, rng: rand.New(rand.NewPCG(*seed, 0)), facade: w.replica("one", mode.BankPrimary), day: time.Date(2013, 10, 7, 0, 0, 0, 0, time.UTC),
	}
	w.open()
	c.roll()
	c.start("one", "two")
	stop := w.load()
	w.more(20)
	c.told(group)

	there, back, happens := deck[moment]{all: momentsThere}, deck[moment]{all: momentsBack}, deck[blow]{}
	for _, b := range blows {
		if broker.Real() || !b.real {
			happens.all = append(happens.all, b)
		}
	}
	counts := map[string]int{}
	for n := range *rounds {
		to, when := mode.BKPrimary, &there
		if n%2 == 1 {
			to, when = mode.BankPrimary, &back
		}
		c.roll()
		at := when.deal(c.rng, func(moment) bool { return true })
		in := blow{name: "one killed, and started again, until then", kills: true}
		if at != storm {
			in = happens.deal(c.rng, func(blow) bool { return true })
		}
		left, line := c.step(to, at, in)
		t.Logf("%3d  %s", n+1, line)

		then := happens.deal(c.rng, func(b blow) bool { return b.name != in.name && (in.kills || b.kills) }) // a round has a kill
		began := time.Now()
		a := then.of(c)
		a.do(a.hit)
		a.do(a.mend)
		hit := time.Since(began)
		c.more(10)
		c.told(group)
		c.released(prefixIn(to))
		told := time.Since(began) - hit
		left.do(left.after)
		a.do(a.after)
		c.alive()
		t.Logf("     behind it: %s (%.1f s); %.1f s until all was told, %d instances", then.name, hit.Seconds(), told.Seconds(), len(c.running))
		c.worst = max(c.worst, told)
		counts["in a step, "+string(at)]++
		counts[in.name]++
		counts[then.name]++
	}
	stop()
	c.told(group)
	banks, streams := c.complete(*rounds)
	if streams == 0 || banks == 0 {
		t.Errorf("%d events by Bank, %d by the stream", banks, streams)
	}
	for _, name := range c.names() {
		c.stop(name)
	}
	c.compare()
	t.Logf("seed %d, Apache Kafka: %t; %d steps in %s, %d kills of instances, up to %.1f s until all was told", *seed, broker.Real(), *rounds, attempts(c.tries), c.kills, c.worst.Seconds())
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%4d × %s", counts[name], name)
	}
}

// prefixIn is what the names of Bank's relay's topics begin with in a mode.
func prefixIn(m mode.Mode) string {
	if m.Primary() == mode.BK {
		return "legacy."
	}
	return ""
}

// roll takes the business date one day on.
func (c *crash) roll() {
	c.t.Helper()
	c.day = c.day.AddDate(0, 0, 1)
	date := bank.Date(c.day.Year()*10000 + int(c.day.Month())*100 + c.day.Day())
	err := c.do(c.t.Context(), func(ctx context.Context, to *bank.Client) error {
		if now, err := to.BusinessDate(ctx); err == nil && now == date { // an answer was lost
			return nil
		}
		return to.Roll(ctx, date)
	})
	if err != nil {
		c.t.Fatalf("roll to %d: %v", date, err)
	}
	c.world.date.Store(int64(date)) // what is settled can't be canceled
}
