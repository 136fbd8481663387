package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	rounds, clients int
	faults          string
	kafkaHome, bk   string
	seed            uint64
	keep            bool
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 50, "how many faults")
	flag.StringVar(&o.faults, "faults", "serve,postgres,kafka", "what is hit")
	flag.StringVar(&o.kafkaHome, "kafka-home", "", "folder of Apache Kafka's jars, as .ci/kafka/fetch prints it; without it the embedded broker runs")
	flag.IntVar(&o.clients, "clients", 8, "how many clients book at the same time")
	flag.Uint64Var(&o.seed, "seed", 0, "of the faults and of what is booked; 0 takes one from the clock")
	flag.StringVar(&o.bk, "bk", "bin/bk", "the program under test")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder with data and logs")
	flag.Parse()
	ctx, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer done()
	if err := o.run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

// run does everything, prints it, and stops what it started.
func (o options) run(ctx context.Context, out io.Writer) (err error) {
	kinds, err := parseKinds(o.faults)
	if err != nil {
		return err
	}
	if o.rounds < 1 || o.clients < 1 || o.clients > 500 {
		return fmt.Errorf("rounds and clients: at least 1, and at most 500 clients; got %d and %d", o.rounds, o.clients)
	}
	bk, err := filepath.Abs(o.bk)
	if err != nil {
		return err
	}
	if _, err := os.Stat(bk); err != nil {
		return fmt.Errorf("bk: %w (make build)", err)
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	rng := rand.New(rand.NewPCG(o.seed, 0))
	deck := newDeck(o.rounds, kinds, rng)

	began := time.Now()
	w, err := newWorld(ctx, bk, o.kafkaHome)
	if w != nil {
		defer func() {
			if ctx.Err() != nil {
				err = errors.Join(errors.New("interrupted"), w.end(o.keep))
				return
			}
			keep := o.keep || err != nil
			if err != nil {
				w.showLogs(out)
			}
			err = errors.Join(err, w.end(keep))
			if keep {
				fmt.Fprintf(out, "\ndata and logs are kept in %s\n", w.dir)
			}
		}()
	}
	if err != nil {
		return err
	}
	broker := "the embedded broker"
	if o.kafkaHome != "" {
		broker = "Apache Kafka"
	}
	fmt.Fprintf(out, "%d rounds, %d clients, durable Postgres, %s, seed %d; all up after %.1f s\n\n", o.rounds, o.clients, broker, o.seed, time.Since(began).Seconds())

	l := &loop{world: w, tally: &tally{}, rng: rng, out: out}
	defer func() {
		for _, t := range l.traders {
			t.close()
		}
		if l.roller != nil {
			l.roller.close()
		}
	}()
	addresses, date := []string{w.servers[0].url(), w.servers[1].url()}, &businessDate{}
	if l.roller, err = newRoller(o.seed, addresses, l.tally, date); err != nil {
		return err
	}
	for n := range o.clients {
		t, err := newTrader(n, o.seed, addresses, l.tally, &l.rush, date.today)
		if err != nil {
			return err
		}
		l.traders = append(l.traders, t)
	}
	if err := l.run(ctx, deck); err != nil {
		return err
	}
	loaded := time.Since(began)
	v, err := l.check(ctx)
	l.summary(deck, loaded)
	fmt.Fprintln(out, "\nchecked:")
	v.show(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nnothing lost, nothing doubled; %.0f s in all\n", time.Since(began).Seconds())
	return nil
}

// summary prints what happened.
func (l *loop) summary(deck []fault, took time.Duration) {
	fmt.Fprintf(l.out, "\n%d rounds in %.0f s\n", len(deck), took.Seconds())
	for _, f := range []fault{restart, restartTwice, takeover, dropPostgres, mutePostgres, dropKafka} {
		count := 0
		for _, d := range deck {
			if d == f {
				count++
			}
		}
		if slices.Contains(deck, f) {
			fmt.Fprintf(l.out, "  %6d × %s\n", count, f.what)
		}
	}
	t := l.tally
	fmt.Fprintf(l.out, "  %9d commands acknowledged; up to entry %d with what the rolls made\n", t.acknowledged.Load(), t.head.Load())
	fmt.Fprintf(l.out, "  %9d street settlements refused, of trades that were not yet or no more to be settled\n", t.refused.Load())
	r := l.roller
	fmt.Fprintf(l.out, "  %9d rolls, up to %s; %d callers went away in the middle, %d asked once more for a day that was reached, %d calls in all\n",
		r.rolls, r.date.today(), r.cutOff, r.again, r.calls)
	if d := &l.days; d.count > 0 {
		fmt.Fprintf(l.out, "  %9d days, on which %d trades opened and %d settled\n", d.count, d.opens, d.settlements)
	}
	fmt.Fprintf(l.out, "  %9d faults hit a roll; %d rolls were begun in one term and ended in another, the largest with %d trades to open and settle\n",
		l.hits, l.days.resumed, l.days.resumedMost)
	fmt.Fprintf(l.out, "  %9d retries; %d commands had been booked although their answer was lost, and were recognised\n", t.retries.Load(), t.resolved.Load())
	fmt.Fprintf(l.out, "  %9d repeats of acknowledged commands, each answered with its first entry\n", t.repeats.Load())
	fmt.Fprintf(l.out, "  %9.2f s was the longest time without any acknowledgement\n", time.Duration(t.outage.Load()).Seconds())
	fmt.Fprintf(l.out, "  %9.2f s until all had caught up, at the longest (round %d)\n", l.worst.rest.Seconds(), l.worst.round)
}
