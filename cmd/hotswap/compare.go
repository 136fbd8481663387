package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/shadow"
)

// comparison is what `hotswap compare` is told.
type comparison struct {
	bank, operations, bk, db, key string
	accounts                      []int64
	quick, quiet                  bool
	limit, parallel               int
	wait                          time.Duration
	jsonPath                      string
	log                           logFlags
}

// comparedReport is the content of --json.
type comparedReport struct {
	Mode   string `json:"mode"`
	Bank   string `json:"bank"`
	BK     string `json:"bk"`
	Places struct {
		Before places `json:"before"`
		After  places `json:"after"`
	} `json:"places"`
	shadow.Compared
	Error string `json:"error,omitempty"` // it could not go on
}

// places are how far both had come: Bank's last event and the last entry of BK's journal.
type places struct {
	Bank bank.ID `json:"bank_event"` // 0: not known
	BK   bank.ID `json:"bk_entry"`
}

const noOperations = "none"

func newCompareCommand(a *app) *cobra.Command {
	c := &comparison{}
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Compare all that Bank has with all that BK has, to the last digit",
		Long: `Compare all that Bank has with all that BK has: entities, accounts, journals row by row, positions of both views, balances, each trade by its id with its times, lists of
trades with running positions; and what journals add up to with what is said. It asks Bank by its API, and BK by its own, beside the façade: the façade's database says
which of their ids belong together, and is only read. So it can be run in every mode.

Both may be written to meanwhile. What differs is looked at again for --wait, so that a system that lags can come up; the places between which was compared are printed.
Exit code 1: something differs.`,
		Example: `  hotswap compare --bk http://127.0.0.1:7070 --db "$(cat facade-data/dsn)"
  hotswap compare --bank http://legacy-bank:8080 --bk http://bk:7070 --db postgres://facade@db/facade --accounts 5,7 --limit 100 --json differences.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), a) },
	}
	f := cmd.Flags()
	f.StringVar(&c.bank, "bank", "http://127.0.0.1:8080", "URL of Bank's API")
	f.StringVar(&c.operations, "bank-operations", "", "URL of Bank's operations, which say how far it has come, or "+noOperations+" (--bank's host, next port)")
	f.StringVar(&c.bk, "bk", "http://127.0.0.1:7070", "URL of BK")
	f.StringVar(&c.db, "db", "", "DSN of the façade's database; needed")
	f.StringVar(&c.key, "api-key", "", "key to show to Bank")
	f.Int64SliceVar(&c.accounts, "accounts", nil, "only these accounts (all)")
	f.BoolVar(&c.quick, "quick", false, "leave out trades one by one, and lists of other days than today")
	f.IntVar(&c.limit, "limit", 20, "how many differences are kept and shown")
	f.IntVar(&c.parallel, "parallel", 8, "calls at once to each system")
	f.DurationVar(&c.wait, "wait", 10*time.Second, "how long what differs is looked at again; 0s: not at all")
	f.StringVar(&c.jsonPath, "json", "", "write counts and differences to this file")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "no progress")
	c.log.bind(cmd)
	return cmd
}

// check completes what was told, or says everything that is wrong with it.
func (c *comparison) check() error {
	var errs []error
	for flag, text := range map[string]string{"--bank": c.bank, "--bk": c.bk, "--bank-operations": c.operations} {
		if flag == "--bank-operations" && (text == "" || text == noOperations) {
			continue
		}
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, fmt.Errorf("%s: %q is no URL such as http://127.0.0.1:8080", flag, text))
		}
	}
	switch c.operations {
	case "":
		if u, err := url.Parse(c.bank); err == nil && u.Port() != "" {
			u.Host = portsAfter(u.Host, 1)
			c.operations = u.String()
		} else if len(errs) == 0 {
			errs = append(errs, errors.New("--bank-operations: needed where --bank has no port, or "+noOperations))
		}
	case noOperations:
		c.operations = ""
	}
	if c.db == "" {
		errs = append(errs, errors.New("--db: needed: the façade's database has the ids of both"))
	}
	if c.limit < 1 {
		errs = append(errs, fmt.Errorf("--limit: %d is below 1", c.limit))
	}
	if c.parallel < 1 || c.parallel > 64 {
		errs = append(errs, fmt.Errorf("--parallel: %d is not between 1 and 64", c.parallel))
	}
	for _, id := range c.accounts {
		if id < 1 {
			errs = append(errs, fmt.Errorf("--accounts: %d is no account", id))
		}
	}
	if err := within("--wait", c.wait, 0, time.Hour); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return &usageError{err}
	}
	return nil
}

func (c *comparison) run(ctx context.Context, a *app) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	log, err := c.log.logger(a.err)
	if err != nil {
		return err
	}
	var file *os.File
	if c.jsonPath != "" { // before the run: it is too long to be lost to a wrong path
		if file, err = os.Create(c.jsonPath); err != nil {
			return fmt.Errorf("make the report's file: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	view, err := facade.OpenView(ctx, c.bk, c.db, log)
	if err != nil {
		return err
	}
	defer view.Close()
	source, err := bank.NewClient(bank.ClientConfig{API: c.bank, Operations: c.operations, Key: c.key})
	if err != nil {
		return fmt.Errorf("Bank: %w", err)
	}
	defer source.Close()
	r := comparedReport{Mode: string(view.Epoch().Mode), Bank: c.bank, BK: c.bk}
	if r.Places.Before, err = c.places(ctx, source, view); err != nil {
		return err
	}
	r.Compared, err = shadow.Compare(ctx, c.comparison(a, view))
	if err == nil {
		r.Places.After, err = c.places(ctx, source, view)
	}
	if err == nil {
		var switched bool
		if switched, err = view.Switched(ctx); switched {
			err = errors.New("the façade has switched meanwhile: compare again")
		}
	}
	if err != nil {
		r.Error = err.Error()
	}
	if file != nil {
		if fault := json.NewEncoder(file).Encode(r); fault != nil {
			err = errors.Join(err, fmt.Errorf("write the report: %w", fault))
		}
	}
	if fault := r.write(a.out); err == nil {
		err = fault
	}
	if err == nil && r.Differing > 0 {
		return errDiffers
	}
	return err
}

// errDiffers ends with exit code 1 where the table has said it all.
var errDiffers = errors.New("Bank and BK differ")

func (c *comparison) comparison(a *app, view *facade.View) shadow.Comparison {
	told := shadow.Comparison{
		Left: shadow.System{Name: "Bank", API: c.bank, Operations: c.operations, Key: c.key}, Right: shadow.System{Name: "BK", Serves: view},
		All: !c.quick, Parallel: c.parallel, Keep: c.limit, Wait: c.wait,
	}
	for _, id := range c.accounts {
		told.Accounts = append(told.Accounts, bank.ID(id))
	}
	if !c.quiet {
		var shown atomic.Int64 // when, in ms since the begin
		began := time.Now()
		told.Progress = func(done, of int) {
			const every = 5000
			now, last := time.Since(began).Milliseconds(), shown.Load()
			if (now-last >= every || done == of) && shown.CompareAndSwap(last, now) {
				fmt.Fprintf(a.err, "%5.0f s  %d of %d accounts\n", float64(now)/1000, done, of)
			}
		}
	}
	return told
}

func (c *comparison) places(ctx context.Context, source *bank.Client, view *facade.View) (p places, err error) {
	if c.operations != "" {
		at, err := source.ReplayPlace(ctx)
		if err != nil {
			return p, fmt.Errorf("how far Bank has come (--bank-operations %s: not asked): %w", noOperations, err)
		}
		p.Bank = at.LastEventID
	}
	at, err := view.Place(ctx)
	if err != nil {
		return p, fmt.Errorf("how far BK has come: %w", err)
	}
	p.BK = at.LastEventID
	return p, nil
}

// write tells it to people.
func (r comparedReport) write(to io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "mode           %s\n", r.Mode)
	for _, p := range []struct {
		name          string
		before, after bank.ID
	}{{"Bank's events", r.Places.Before.Bank, r.Places.After.Bank}, {"BK's entries", r.Places.Before.BK, r.Places.After.BK}} {
		switch {
		case p.before == 0 && p.after == 0:
		case p.after == p.before || p.after == 0:
			fmt.Fprintf(&b, "%-13s  %d\n", p.name, p.before)
		default:
			fmt.Fprintf(&b, "%-13s  %d to %d, written to meanwhile\n", p.name, p.before, p.after)
		}
	}
	fmt.Fprintf(&b, "took           %s\n\n%12s\n", r.Took.Round(time.Millisecond), "COMPARED")
	for _, kind := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(&b, "%12d  %s\n", r.Counts[kind], kind)
	}
	if r.Unlooked > 0 {
		fmt.Fprintf(&b, "\n%d ids of trades in long gaps of the sequence were not looked for\n", r.Unlooked)
	}
	fmt.Fprintf(&b, "\n%d differ", r.Differing)
	if n := len(r.Differences); n < r.Differing {
		fmt.Fprintf(&b, "; the first %d", n)
	}
	b.WriteString("\n")
	for _, d := range r.Differences {
		b.WriteString("\n")
		if d.Account != 0 {
			fmt.Fprintf(&b, "account %d: ", d.Account)
		}
		bankName, bkName := "Bank", "BK"
		if d.Kind == shadow.KindRunning || d.Kind == shadow.KindTotal {
			bankName, bkName = "says", "adds up to"
		}
		fmt.Fprintf(&b, "%s %s\n  %-10s  %s\n  %-10s  %s\n", d.Kind, d.What, bankName, oneLine(d.Left), bkName, oneLine(d.Right))
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// oneLine shortens a value to what can be read.
func oneLine(text string) string {
	const shown = 600
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", " ")
	if text == "" {
		return "(none)"
	}
	if len(text) > shown {
		return text[:shown] + "..."
	}
	return text
}
