package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/loader"
	"github.com/bkledger/bk/api/tradefile"
)

// fileBooking is bk book or bk cancel.
type fileBooking struct {
	app       *app
	kind      tradefile.Kind
	verb      string
	server    remote
	output    output
	cfg       loader.Config
	errorFile string
	quiet     bool

	meter   *meter
	rejects *rejects
	files   []inputFile
	total   int64        // bytes of all files, 0 if not known
	read    atomic.Int64 // of them
	warned  time.Time    // of waiting
}

// inputFile is a file to read; "-" is the standard input.
type inputFile struct {
	name string
	size int64
}

func newBookCommand(a *app) *cobra.Command {
	b := &fileBooking{app: a, kind: tradefile.Trades, verb: "booked"}
	cmd := &cobra.Command{
		Use:   "book FILE...",
		Short: "Book trade files",
		Long: `Books trade files (CSV, plain or gzip, "-" for the standard input), row by row in their order. A bad row is reported with file,
line and reason, the others are booked. Booking a file again books nothing twice.

Ends with 0 when every row is booked, now or before; with 1 when a row was rejected; with 2 when a file is none; with 3 when the
server can't be reached.`,
		Example: "  bk book --create-missing trades_20131007.csv.gz trades_20131009.csv.gz",
		Args:    cobra.MinimumNArgs(1),
		RunE:    b.run,
	}
	b.bind(cmd)
	cmd.Flags().BoolVar(&b.cfg.CreateMissing, "create-missing", false, "open accounts (cust:ID) and define instruments that rows name and the ledger doesn't have")
	cmd.Flags().Int64Var(&b.cfg.Entities, "entities", 0, "an account that is opened belongs to entity 1 + (id - 100001) mod N; 0: to none")
	return cmd
}

func newCancelCommand(a *app) *cobra.Command {
	b := &fileBooking{app: a, kind: tradefile.Cancels, verb: "canceled"}
	cmd := &cobra.Command{
		Use:   "cancel FILE...",
		Short: "Cancel the trades that cancel files name",
		Long: `Cancels trades by cancel files (CSV, plain or gzip, "-" for the standard input; columns account, trade_id, by_client_id or
account_id, client_trade_id, so that a trade file is one as well: all of its trades are cancelled). Reports and ends like bk book; doing it again cancels nothing twice.`,
		Example: "  bk cancel cancels_20131007.csv.gz",
		Args:    cobra.MinimumNArgs(1),
		RunE:    b.run,
	}
	b.bind(cmd)
	return cmd
}

func (b *fileBooking) bind(cmd *cobra.Command) {
	b.server.bind(cmd)
	b.output.bind(cmd, asTable, asJSON)
	cmd.Flags().StringVar(&b.errorFile, "errors", "", "write all rejected rows to this CSV file")
	cmd.Flags().DurationVar(&b.cfg.Timeout, "timeout", 2*time.Minute, "give up when nothing has gone forward for so long")
	cmd.Flags().IntVar(&b.cfg.BatchRows, "batch", 1000, "rows sent together, 1 to 1000")
	cmd.Flags().BoolVar(&b.quiet, "quiet", false, "no progress")
}

func (b *fileBooking) run(cmd *cobra.Command, names []string) (err error) {
	ctx := cmd.Context()
	if err := b.check(names); err != nil {
		return err
	}
	b.meter = newMeter(b.app.err, b.quiet)
	if b.rejects, err = openRejects(b.meter, b.errorFile); err != nil {
		return err
	}
	c, err := b.server.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	b.cfg.Client, b.cfg.OnReject, b.cfg.OnProgress, b.cfg.OnRetry = c, b.rejects.add, b.progress(time.Now()), b.waiting
	l, err := loader.New(b.cfg)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	// A server that is not there is said at once; one that goes away later is waited for.
	if _, err := c.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{})); err != nil && !client.RetryableReason(client.Reason(err)) {
		return err
	}
	return b.load(ctx, l)
}

// check finds out before anything is booked which files are none.
func (b *fileBooking) check(names []string) error {
	known := true
	for _, name := range names {
		file := inputFile{name: name}
		if name == "-" {
			known = false
		} else {
			f, err := os.Open(name)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			_, err = tradefile.NewReader(f, name, b.kind)
			if info, failed := f.Stat(); failed == nil && info.Mode().IsRegular() {
				file.size = info.Size()
			} else {
				f.Close()
				return usageError("%s is no regular file; give it as the standard input, -", name)
			}
			f.Close()
			if err != nil {
				return &exitError{exitUsage, err}
			}
		}
		b.files = append(b.files, file)
		b.total += file.size
	}
	if !known {
		b.total = 0
	}
	return nil
}

// load books all files, and says what came of it even if it ends early.
func (b *fileBooking) load(ctx context.Context, l *loader.Loader) error {
	start := time.Now()
	broken := false
	var failed error
	for _, file := range b.files {
		err := b.loadFile(ctx, l, file)
		if bad := (*tradefile.FileError)(nil); errors.As(err, &bad) {
			b.meter.printf("bk: %v; what stands before it is %s", bad, b.verb)
			broken = true
		} else if err != nil {
			failed = err
			break
		}
	}
	b.meter.clear()
	if err := b.rejects.end(); err != nil && failed == nil {
		failed = err
	}
	if err := b.summary(l.Totals(), time.Since(start)); err != nil && failed == nil {
		failed = err
	}
	var gaveUp *loader.GaveUpError
	switch {
	case errors.As(failed, &gaveUp):
		return &exitError{exitUnreachable, errors.New(gaveUp.Error())}
	case errors.Is(failed, context.Canceled):
		return errors.New("interrupted; the same command goes on: nothing is booked twice")
	case failed != nil:
		return failed
	case broken || l.Totals().Rejected > 0:
		return errReported
	}
	return nil
}

func (b *fileBooking) loadFile(ctx context.Context, l *loader.Loader, file inputFile) error {
	in, name := b.app.in, "standard input"
	if file.name != "-" {
		f, err := os.Open(file.name)
		if err != nil {
			return err
		}
		defer f.Close()
		in, name = f, file.name
	}
	r, err := tradefile.NewReader(&countedReader{in, &b.read}, name, b.kind)
	if err != nil {
		return err
	}
	return l.Load(ctx, r)
}

// progress shows the bytes read as the part done: how many rows there are nobody knows before.
func (b *fileBooking) progress(start time.Time) func(loader.Totals) {
	return func(t loader.Totals) {
		rate := float64(t.Rows) / time.Since(start).Seconds()
		about := fmt.Sprintf("%s rows, %s/s", grouped(t.Rows), grouped(int64(rate)))
		if t.Rejected > 0 {
			about += fmt.Sprintf(", %s rejected", grouped(t.Rejected))
		}
		b.meter.show(b.read.Load(), b.total, about)
	}
}

// waiting says, not too often, why nothing goes forward.
func (b *fileBooking) waiting(cause error, pause time.Duration) {
	if b.quiet || pause < time.Second || time.Since(b.warned) < noteEvery {
		return
	}
	b.warned = time.Now()
	b.meter.printf("bk: waiting: %s", client.Describe(cause))
}

func (b *fileBooking) summary(t loader.Totals, took time.Duration) error {
	seconds := took.Seconds()
	rate := float64(t.Rows) / max(seconds, 1e-9)
	w := bufio.NewWriter(b.app.out)
	if b.output.form == asJSON {
		text, err := json.Marshal(struct {
			Files    int     `json:"files"`
			Rows     int64   `json:"rows"`
			Booked   int64   `json:"booked"`
			Repeats  int64   `json:"repeats"`
			Rejected int64   `json:"rejected"`
			Seconds  float64 `json:"seconds"`
			Rate     float64 `json:"rows_per_second"`
			Token    string  `json:"token"`
		}{len(b.files), t.Rows, t.Booked, t.Repeats, t.Rejected, seconds, rate, t.Token})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\n", text)
		return w.Flush()
	}
	fmt.Fprintf(w, "%s rows: %s %s, %s repeats, %s rejected, in %.2f s (%s rows/s)\n", grouped(t.Rows), grouped(t.Booked), b.verb,
		grouped(t.Repeats), grouped(t.Rejected), seconds, grouped(int64(rate)))
	return w.Flush()
}

// countedReader counts the bytes that are read.
type countedReader struct {
	io.Reader
	n *atomic.Int64
}

// Read counts.
func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
