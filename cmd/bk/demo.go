package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/bench/tradingday"
	"github.com/bkledger/bk/migrations/embedded"
)

// demo is what `bk demo` is told, and what it runs.
type demo struct {
	devServer
	trades int
	seed   int
	exit   bool
	out    io.Writer
	folder *embedded.Folder // a temporary one; nil with --data
}

func newDemoCommand(a *app) *cobra.Command {
	d := &demo{out: a.out}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Book a made-up trading day on a fresh ledger, show the books, and serve them",
		Long: `Book a made-up trading day on a fresh ledger, with a Postgres and a Kafka of its own, through the same API as everybody;
show rate, positions, trial balance and the proof of the books; take the days that follow: a correction, a cancel, settlement, profit, the stock
record, cuts, and the past as it was known; then serve until Ctrl-C.

Without --data the ledger is in a temporary folder that is removed at the end.`,
		Example: `  bk demo
  bk demo --trades 1000000 --data ./data    # later again: bk dev --data ./data
  bk demo --exit                            # end instead of serving; the exit code says whether the books hold`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.ended(d.run(cmd.Context())) },
	}
	d.text(cmd, &d.stack.dir, "data", "", "empty folder for the ledger, kept at the end (a temporary one)")
	d.bind(cmd)
	d.flag(cmd, &d.exit, "exit", "end when all is shown, instead of serving")
	d.number(cmd, &d.trades, "trades", "how many trades are booked (100000)")
	d.number(cmd, &d.seed, "seed", "which day is made up (1)")
	return cmd
}

func (d *demo) run(ctx context.Context) (err error) {
	day, keep, err := d.prepare(environment)
	if err != nil {
		return err
	}
	if !keep {
		defer func() { err = errors.Join(err, d.folder.Remove()) }()
	}
	logPath := filepath.Join(d.stack.dir, "bk.log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	defer logFile.Close()
	d.stack.log = slog.New(slog.NewTextHandler(logFile, nil))
	secondSignalKills(ctx)

	fmt.Fprintf(d.out, "BK demo: a made-up trading day of %s trades, on Postgres and Kafka in %s\n\n", grouped(day.Trades()), d.stack.dir)
	began := time.Now()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	up, stopped := make(chan endpoints, 1), make(chan error, 1)
	go func() { stopped <- d.stack.run(serving, func(e endpoints) { up <- e }) }()
	var at endpoints
	select {
	case at = <-up:
	case err := <-stopped:
		return err
	}
	d.step(time.Since(began), "Postgres, Kafka and the ledger are up")

	shown := make(chan error, 1)
	go func() { shown <- d.show(serving, at, day) }()
	select {
	case err = <-shown:
	case err = <-stopped:
		return fmt.Errorf("the server ended (%s has more): %w", logPath, errOrEnd(err))
	}
	if err == nil && !d.exit {
		d.serveOn(at, keep)
		select {
		case <-ctx.Done():
		case err = <-stopped:
			return err
		}
		fmt.Fprintln(d.out)
	}
	if ctx.Err() != nil {
		err = nil // the user's wish
	}
	stop()
	return errors.Join(err, <-stopped)
}

// errOrEnd gives an error where a server ended without one.
func errOrEnd(err error) error {
	if err == nil {
		return errors.New("it was stopped")
	}
	return err
}

// prepare checks what the demo was told, and makes its folder.
func (d *demo) prepare(lookup func(string) (string, bool)) (day *tradingday.Day, keep bool, err error) {
	errs := d.faults(lookup)
	if d.seed < 0 {
		errs = append(errs, fmt.Errorf("%s: %d is below zero", d.origin("seed"), d.seed))
	}
	day, err = tradingday.New(tradingday.Config{Seed: uint64(max(d.seed, 0)), Trades: d.trades, Date: demoDate, Source: "demo"})
	if err != nil {
		errs = append(errs, err)
	}
	keep = d.stack.dir != ""
	if keep {
		content, err := os.ReadDir(d.stack.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", d.origin("data"), err))
		}
		if len(content) > 0 {
			errs = append(errs, fmt.Errorf("%s: %s is not empty, and the demo wants a fresh ledger; bk dev --data serves one that is there", d.origin("data"), d.stack.dir))
		}
	}
	if err := configError(errs); err != nil {
		return nil, false, err
	}
	if keep {
		err = os.MkdirAll(d.stack.dir, 0o755)
	} else if d.folder, err = embedded.NewFolder("bk-demo-"); err == nil {
		d.stack.dir = d.folder.Dir
	}
	if err != nil {
		return nil, false, fmt.Errorf("data folder: %w", err)
	}
	return day, keep, nil
}

// show books the day and shows what came of it.
func (d *demo) show(ctx context.Context, at endpoints, day *tradingday.Day) error {
	c, err := client.New(at.Connect)
	if err != nil {
		return err
	}
	defer c.Close()
	began := time.Now()
	if err := define(ctx, c, day); err != nil {
		return err
	}
	d.step(time.Since(began), "%s customers and %d instruments are defined", grouped(len(day.Accounts())), len(day.Instruments()))
	load := &demoLoad{client: c, day: day, meter: newMeter(d.out, false)}
	if err := load.run(ctx); err != nil {
		return err
	}
	if err := d.report(ctx, at, c, load); err != nil {
		return err
	}
	return (&demoDays{demo: d, client: c, security: day.Instruments()[1]}).show(ctx)
}

// step says that something is done.
func (d *demo) step(took time.Duration, format string, args ...any) {
	fmt.Fprintf(d.out, "  %-78s %8s\n", fmt.Sprintf(format, args...), shortDuration(took))
}
