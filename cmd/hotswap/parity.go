package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/landing"
	"github.com/bkledger/bk/compat/parity/report"
)

// parityFlags is what `hotswap parity` is told.
type parityFlags struct {
	warehouseFlags
	books    booksFlags
	rules    string
	jsonPath string
	htmlPath string
	cfg      parity.Config
	every    time.Duration
	metrics  string
	kafka    []string
	quiet    bool
	log      logFlags
}

func newParityCommand(a *app) *cobra.Command {
	p := &parityFlags{}
	cmd := &cobra.Command{
		Use:   "parity",
		Short: "Prove by SQL that Bank's event stream and the one made of BK's events say the same",
		Long: `Compare what was landed of Bank's events with what was landed of the façade's stream of BK's, by SQL: missing, extra, doubled, out of order, field by field, running totals,
positions and balances at the end of each day, sums by day. What differs is traced to the first event that is wrong, named, weighted by money, and matched with rules.

What only one side has is pending for --lag after it was landed, and until the other side's landing has caught up since. With --bank-db the books themselves are compared, too. With
--continuous it goes on, and serves figures and the last report on --metrics; a DuckDB file is open to one process only, so let it land by itself then: --kafka.

Exit code 1: something is unexplained; 2: it could not be found out.`,
		Example: `  hotswap parity --warehouse warehouse.duckdb
  hotswap parity --rules rules.yaml --json parity.json --html parity.html
  hotswap parity --kafka k1:9092 --continuous 10s --metrics 127.0.0.1:8095`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := p.run(cmd.Context(), a)
			if err == nil || errors.Is(err, errUnexplained) {
				return err
			}
			return &codedError{err, exitUsage}
		},
	}
	p.bind(cmd, true)
	p.books.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&p.rules, "rules", "", "file of rules that explain differences (YAML or JSON)")
	f.StringVar(&p.jsonPath, "json", "", "write everything to this file")
	f.StringVar(&p.htmlPath, "html", "", "write a page with plots to this file")
	f.DurationVar(&p.cfg.Lag, "lag", 60*time.Second, "how long an event that only one side has is waited for; 0s: not at all")
	f.BoolVar(&p.cfg.AnyMoments, "ignore-times", false, "leave booked_at and canceled_at out: they are equal only where one system replays the other's work")
	f.BoolVar(&p.cfg.Opening, "opening", false, "the landing begins in the middle: take first totals for granted where both sides agree")
	f.IntVar(&p.cfg.Keep, "keep", 10_000, "how many findings are listed, those of the most money; all are counted")
	f.StringSliceVar(&p.kafka, "kafka", nil, "land both sides' topics from here first, each time; Kafka's bootstrap addresses, separated by commas")
	f.DurationVar(&p.every, "continuous", 0, "compare again and again, with this pause")
	f.StringVar(&p.metrics, "metrics", "", "with --continuous: address of /metrics and of the last report")
	f.BoolVarP(&p.quiet, "quiet", "q", false, "print the last line only")
	p.log.bind(cmd)
	cmd.AddCommand(newParityFaultsCommand(a))
	return cmd
}

// errUnexplained ends with exit code 1 where the table has said it all.
var errUnexplained = errors.New("there are unexplained differences")

func (p *parityFlags) check() error {
	errs := append(p.warehouseFlags.check(), p.books.check()...)
	errs = append(errs, within("--lag", p.cfg.Lag, 0, 24*time.Hour))
	if p.every != 0 {
		errs = append(errs, within("--continuous", p.every, time.Second, 24*time.Hour))
	}
	if p.metrics != "" && p.every == 0 {
		errs = append(errs, errors.New("--metrics: needs --continuous"))
	}
	if p.cfg.Keep < 1 {
		errs = append(errs, fmt.Errorf("--keep: %d is below 1", p.cfg.Keep))
	}
	if err := errors.Join(errs...); err != nil {
		return &usageError{err}
	}
	return nil
}

func (p *parityFlags) run(ctx context.Context, a *app) error {
	if err := p.check(); err != nil {
		return err
	}
	log, err := p.log.logger(a.err)
	if err != nil {
		return err
	}
	p.cfg.Log = log
	if p.rules != "" {
		if p.cfg.Rules, err = parity.ReadRules(p.rules); err != nil {
			return err
		}
	}
	if p.every > 0 {
		return p.watch(ctx, a)
	}
	r, err := p.once(ctx, a.err)
	if err != nil {
		return err
	}
	if err := p.write(a.out, r); err != nil {
		return err
	}
	if r.Unexplained > 0 {
		return errUnexplained
	}
	return nil
}

// once lands, if it is to, and compares.
func (p *parityFlags) once(ctx context.Context, told io.Writer) (r *parity.Report, err error) {
	if p.driver == "" && len(p.kafka) == 0 {
		if _, err := os.Stat(p.file); err != nil {
			return nil, fmt.Errorf("--warehouse: %w", err)
		}
	}
	store, end, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if len(p.kafka) > 0 {
		loader, err := landing.New(landing.Config{Store: store, Brokers: p.kafka, Log: p.cfg.Log})
		if err != nil {
			return nil, err
		}
		if _, err := loader.Run(ctx); err != nil {
			return nil, err
		}
	}
	cfg := p.cfg
	cfg.DB, cfg.Dialect = store.DB(), store.Dialect()
	if p.books.asked() {
		if p.quiet {
			told = io.Discard
		}
		if cfg.Findings, cfg.Compared, err = p.books.compare(ctx, cfg.DB, cfg.Dialect, told, cfg.Log); err != nil {
			return nil, fmt.Errorf("the books: %w", err)
		}
	}
	report, err := parity.Run(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &report, nil
}

// write writes the report wherever it is to go.
func (p *parityFlags) write(out io.Writer, r *parity.Report) error {
	for path, write := range map[string]func(io.Writer, *parity.Report) error{p.jsonPath: report.JSON, p.htmlPath: report.HTML} {
		if path == "" {
			continue
		}
		// Beside it, then in its place: who reads the file while this goes on sees a whole one.
		file, err := os.Create(path + ".new")
		if err != nil {
			return fmt.Errorf("make the report's file: %w", err)
		}
		if err := errors.Join(write(file, r), file.Close()); err != nil {
			return fmt.Errorf("write the report %s: %w", path, err)
		}
		if err := os.Rename(file.Name(), path); err != nil {
			return fmt.Errorf("write the report %s: %w", path, err)
		}
	}
	if p.quiet {
		_, err := fmt.Fprintf(out, "%d compared, %d unexplained, %d explained, %d pending\n", r.Compared, r.Unexplained, r.Explained, r.Pending)
		return err
	}
	return report.Text(out, r)
}
