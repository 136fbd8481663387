package owner_test

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// blow is something that happens to the stream's processes, or to the broker.
type blow struct {
	name  string
	kills bool
	real  bool // only on Apache Kafka: the embedded broker may lose the tail of its files
	of    func(c *crash) act
}

// act is a blow to those that are there: hit takes no time, mend does what is to be done behind it, and after, when all is told without it, undoes what is left. Each may be nil.
type act struct{ hit, mend, after func() }

func (a act) do(f func()) {
	if f != nil {
		f()
	}
}

// any gives an instance that does not stand still.
func (c *crash) any() string {
	names := c.awake()
	return names[c.rng.IntN(len(names))]
}

// two sees to it that two instances at least do not stand still. One does, at most.
func (c *crash) two() {
	for len(c.awake()) < 2 {
		c.start(c.free())
	}
}

var blows = []blow{
	{"one killed, and started again", true, false, func(c *crash) act {
		name := c.any()
		return act{hit: func() { c.kill(name) }, mend: func() { c.start(name) }}
	}},
	{"all killed, and started again", true, false, func(c *crash) act {
		names := c.names()
		return act{hit: func() { c.kill(names...) }, mend: func() { c.start(names...) }}
	}},
	{"one killed, another takes over", true, false, func(c *crash) act {
		name, other := c.any(), c.free()
		if other == "" { // two others do
			return act{hit: func() { c.kill(name) }}
		}
		return act{hit: func() { c.kill(name) }, mend: func() { c.start(other) }}
	}},
	{"one killed as another comes", true, false, func(c *crash) act {
		name, other := c.any(), c.free()
		if other == "" { // one of the others goes too
			names := c.names()
			return act{hit: func() { c.kill(names[0], names[1]) }, mend: func() { c.start(names[0]) }}
		}
		return act{hit: func() { c.start(other); c.kill(name) }, mend: func() { c.start(name) }}
	}},
	{"one more", false, false, func(c *crash) act {
		other := c.free()
		if other == "" {
			name := c.any()
			return act{mend: func() { c.stop(name); c.start(name) }}
		}
		return act{hit: func() { c.start(other) }}
	}},
	{"one goes in order", false, false, func(c *crash) act {
		c.two()
		name := c.any()
		return act{mend: func() { c.stop(name) }}
	}},
	{"one stands still until others have told all, then goes on", false, false, func(c *crash) act {
		c.two()
		still := c.running[c.any()]
		return act{hit: func() { still.signal(c.t, syscall.SIGSTOP); still.still = true }, after: func() { still.signal(c.t, syscall.SIGCONT); still.still = false }}
	}},
	{"the broker killed", false, true, func(c *crash) act {
		return act{hit: c.kafka.Kill, mend: c.kafka.Restart}
	}},
	{"the broker and all instances killed", true, true, func(c *crash) act {
		names := c.names()
		return act{hit: func() { c.kafka.Kill(); c.kill(names...) }, mend: func() { c.start(names...); c.kafka.Restart() }}
	}},
	{"the broker restarted", false, true, func(c *crash) act {
		return act{mend: func() { c.kafka.Stop(); c.kafka.Restart() }}
	}},
}

// moment is when a blow falls, in a step over the line at which Bank's topics change hands.
type moment string

const (
	before    moment = "all through the step" // it is mended behind the step
	held      moment = "Bank's relay is held"
	committed moment = "the step is made"
	taken     moment = "the stream may publish"              // of a step there alone, as the next
	written   moment = "the stream's first event is written" // and perhaps not committed
	released  moment = "Bank's relay goes on"                // and who let it go on does not know yet
	storm     moment = "again and again"                     // kills alone, until Bank's relay goes on
)

var (
	momentsThere = []moment{held, storm, committed, released, taken, written, before}
	momentsBack  = []moment{held, storm, committed, released, before}
)

// Between two kills of a storm there is a pause; a process needs some time to come to where it could do harm.
const (
	stormMin   = 100 * time.Millisecond
	stormMax   = 1200 * time.Millisecond
	stormKills = 30 // at most
)

// deck deals everything once before it deals anything again.
type deck[T any] struct{ all, left []T }

// deal gives the next that will do.
func (d *deck[T]) deal(rng *rand.Rand, fits func(T) bool) T {
	for {
		if at := slices.IndexFunc(d.left, fits); at >= 0 {
			one := d.left[at]
			d.left = slices.Delete(d.left, at, at+1)
			return one
		}
		for _, i := range rng.Perm(len(d.all)) {
			d.left = append(d.left, d.all[i])
		}
	}
}
