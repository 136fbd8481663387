package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/landing"
)

// warehouseLoad is what `hotswap warehouse load` is told.
type warehouseLoad struct {
	warehouseFlags
	cfg      landing.Config
	side     string
	topics   []string
	accept   []string
	who, why string
	log      logFlags
}

const bothSides = "both"

func newWarehouseLoadCommand(a *app) *cobra.Command {
	w := &warehouseLoad{}
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Land topics in the warehouse, each record once, from where it stands",
		Long: `Land topics in the warehouse, each record once, from where it stands. Offsets are in the warehouse, in the transaction of the rows, so it may be stopped or killed at any time.

Without --follow it ends where the topics ended when it began. A record that is no event of Bank's goes to landing_rejects. Where Kafka has deleted what was not landed
yet, it says what is missing and ends; --accept-gap goes on behind that, and writes it down.`,
		Example: `  hotswap warehouse load --kafka k1:9092,k2:9092
  hotswap warehouse load --kafka k1:9092 --side bank --follow
  hotswap warehouse load --kafka k1:9092 --topic bank:bank.trades --topic bk:facade.bank.trades
  hotswap warehouse load --kafka k1:9092 --accept-gap bank.trades/3@10441 --who anna --why "before the migration"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return w.run(cmd.Context(), a) },
	}
	w.bind(cmd, true)
	f := cmd.Flags()
	f.StringSliceVar(&w.cfg.Brokers, "kafka", nil, "Kafka's bootstrap addresses, separated by commas")
	f.StringVar(&w.side, "side", bothSides, "whose topics: bank (bank.*, legacy.bank.*), bk (facade.bank.*) or both")
	f.StringArrayVar(&w.topics, "topic", nil, "SIDE:TOPIC in place of --side; its name ends with that of the contract's topic; may be repeated")
	f.BoolVarP(&w.cfg.Follow, "follow", "f", false, "go on with what comes")
	f.StringArrayVar(&w.accept, "accept-gap", nil, "TOPIC/PARTITION@OFFSET: land it from there on, although Kafka has deleted what is before; may be repeated")
	f.Int64Var((*int64)(&w.cfg.After), "after", 0, "leave out Bank's events up to this id: of a BK whose books were opened with balances, the place's; the same each time")
	f.StringVar(&w.who, "who", "", "who accepts a gap")
	f.StringVar(&w.why, "why", "", "why a gap is accepted")
	f.IntVar(&w.cfg.BatchRows, "batch-rows", 122_880, "records of each kind of topic in a transaction, at most")
	f.Int64Var(&w.cfg.BatchBytes, "batch-bytes", 160<<20, "bytes of a transaction's records, at most")
	f.DurationVar(&w.cfg.Linger, "linger", time.Second, "how long what has come may wait for more")
	f.DurationVar(&w.cfg.Relist, "relist", time.Second, "with --follow: how often it looks for new partitions, and notes that all was here")
	f.DurationVar(&w.cfg.Patience, "patience", 2*time.Minute, "how long it waits for Kafka or the warehouse before it gives up")
	w.log.bind(cmd)
	return cmd
}

// loadFlags are the flags that set the fields of the configuration.
var loadFlags = map[string]string{
	"Brokers": "--kafka", "Topics": "--topic", "Accept": "--accept-gap", "BatchRows": "--batch-rows", "BatchBytes": "--batch-bytes", "Linger": "--linger", "Relist": "--relist",
	"Patience": "--patience", "After": "--after",
}

// unopened stands for the warehouse while only flags are looked at.
type unopened struct{ landing.Store }

func (w *warehouseLoad) check() error {
	errs := w.warehouseFlags.check()
	switch w.side {
	case bothSides:
		w.cfg.Topics = landing.AllTopics()
	case dialect.SideBank:
		w.cfg.Topics = slices.Concat(landing.TopicsOf(dialect.SideBank, landing.PrefixBank), landing.TopicsOf(dialect.SideBank, landing.PrefixLegacy))
	case dialect.SideBK:
		w.cfg.Topics = landing.TopicsOf(dialect.SideBK, landing.PrefixFacade)
	default:
		errs = append(errs, fmt.Errorf("--side: %q is none of bank, bk, both", w.side))
	}
	if len(w.topics) > 0 {
		w.cfg.Topics = nil
		for _, text := range w.topics {
			t, err := topicOf(text)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			w.cfg.Topics = append(w.cfg.Topics, t)
		}
	}
	for _, text := range w.accept {
		gap, err := gapOf(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		gap.Who, gap.Why = w.who, w.why
		w.cfg.Accept = append(w.cfg.Accept, gap)
	}
	if len(w.accept) > 0 && (w.who == "" || w.why == "") {
		errs = append(errs, errors.New("--accept-gap: --who and --why are needed with it"))
	}
	cfg := w.cfg
	cfg.Store = unopened{}
	if err := errors.Join(append(errs, flagged(cfg.WithDefaults().Validate(), loadFlags))...); err != nil {
		return &usageError{err}
	}
	return nil
}

func topicOf(text string) (landing.Topic, error) {
	side, name, ok := strings.Cut(text, ":")
	if ok {
		for _, t := range landing.TopicsOf(side, "") {
			if strings.HasSuffix(name, t.Contract) {
				return landing.Topic{Side: side, Name: name, Contract: t.Contract}, nil
			}
		}
	}
	return landing.Topic{}, fmt.Errorf("--topic: %q is not SIDE:TOPIC with a topic such as facade.bank.trades", text)
}

func gapOf(text string) (landing.Accept, error) {
	place, offset, _ := strings.Cut(text, "@")
	slash := strings.LastIndexByte(place, '/')
	if slash > 0 {
		partition, err := strconv.ParseInt(place[slash+1:], 10, 32)
		next, err2 := strconv.ParseInt(offset, 10, 64)
		if err == nil && err2 == nil {
			return landing.Accept{Topic: place[:slash], Partition: int32(partition), Next: next}, nil
		}
	}
	return landing.Accept{}, fmt.Errorf("--accept-gap: %q is not TOPIC/PARTITION@OFFSET", text)
}

func (w *warehouseLoad) run(ctx context.Context, a *app) (err error) {
	if err := w.check(); err != nil {
		return err
	}
	log, err := w.log.logger(a.err)
	if err != nil {
		return err
	}
	secondSignalKills(ctx)
	store, end, err := w.open(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	defer func() { err = errors.Join(err, end()) }()
	w.cfg.Store, w.cfg.Log = store, log
	began, told := time.Now(), time.Now()
	w.cfg.Progress = func(p landing.Progress) {
		if time.Since(told) >= 10*time.Second {
			told = time.Now()
			log.Info("landing", "events", p.Events, "rejects", p.Rejects, "behind", p.Behind)
		}
	}
	loader, err := landing.New(w.cfg)
	if err != nil {
		return err
	}
	p, err := loader.Run(ctx)
	if err = ended(ctx, err); err != nil {
		return withWayOut(err, log)
	}
	took := time.Since(began)
	fmt.Fprintf(a.out, "landed %d events in %.1f s (%.0f a second, %d transactions)\n", p.Events, took.Seconds(), float64(p.Events)/took.Seconds(), p.Commits)
	if p.Skipped > 0 {
		fmt.Fprintf(a.out, "left out %d records: those that the stream wrote to Bank's topics, and those before --after\n", p.Skipped)
	}
	if p.Rejects > 0 {
		fmt.Fprintf(a.out, "%d records are no events of Bank's: they are in %s\n", p.Rejects, dialect.Rejects)
	}
	return nil
}

// withWayOut tells of a gap what may be done.
func withWayOut(err error, log *slog.Logger) error {
	if gap := (*landing.GapError)(nil); errors.As(err, &gap) {
		var flags []string
		for _, g := range gap.Gaps {
			flags = append(flags, fmt.Sprintf("--accept-gap %s/%d@%d", g.Topic, g.Partition, g.Next))
		}
		log.Error("to go on behind what is missing, which is then written down: " + strings.Join(flags, " ") + " --who NAME --why REASON")
	}
	return err
}
