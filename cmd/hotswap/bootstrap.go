package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/cmd/readyfile"
	"github.com/bkledger/bk/compat/bootstrap"
)

// bootstrapRun is what `hotswap bootstrap` and its parts are told.
type bootstrapRun struct {
	cfg      bootstrap.Config
	aurora   []string
	compare  bool
	quiet    bool
	jsonPath string
	log      logFlags
	bkURL    string // of the BK that serves, once it is known
}

func newBootstrapCommand(a *app) *cobra.Command {
	r := &bootstrapRun{}
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Bring all of Bank's data into an empty BK, by its database or its API",
		Long: `Bring all of Bank's data into an empty BK, and what the façade needs of it into an empty database of the façade. Phases: plan, extract, transform, stage, load, catch-up, verify. Each
does what is left to do: stopped or killed, the same command goes on. Bank's writes are held once, for some milliseconds, while its snapshot is taken.

What is not in BK as it was in Bank is in quarantine, with row, rule and reason (hotswap bootstrap quarantine). Exit code 1: old and new differ by more than that.`,
		Example: `  hotswap bootstrap --bank-db postgres://reader@legacy/bank --bk-db postgres://bk@db/bk --facade-db postgres://facade@db/facade --work /var/lib/bootstrap --dry-run
  hotswap bootstrap --bank-db postgres://reader@legacy/bank --bk-db postgres://bk@db/bk --facade-db postgres://facade@db/facade --work s3://bucket/day1 \
    --bank http://legacy-bank:8080 --kafka k1:9092,k2:9092 --json report.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context(), a) },
	}
	p := cmd.PersistentFlags()
	p.StringVar(&r.cfg.Work, "work", "", "folder or s3://bucket/prefix of the work; needed")
	p.StringVar(&r.cfg.BankDB, "bank-db", "", "DSN of Bank's database, only read; needed but with --quiesced")
	p.StringVar(&r.cfg.BKDB, "bk-db", "", "DSN of BK's database, with a server's role; needed")
	p.StringVar(&r.cfg.FacadeDB, "facade-db", "", "DSN of the façade's database; needed")
	p.StringVar(&r.cfg.Bank, "bank", "", "URL of Bank's API: for catch-up, with --quiesced, and to look at its latency")
	p.StringVar(&r.cfg.Operations, "bank-operations", "", "URL of Bank's operations (--bank's host, next port)")
	p.StringVar(&r.cfg.Key, "api-key", "", "key to show to Bank")
	p.StringVar(&r.cfg.BK, "bk", "", "URL of a BK that runs on --bk-db (one in this process)")
	p.StringSliceVar(&r.cfg.Kafka, "kafka", nil, "Kafka that has Bank's topics; without it there is no catch-up")
	p.StringVar(&r.cfg.Events, "events", "bk.events.v1", "BK's topic, which must have no events in that Kafka when the load begins")
	p.BoolVar(&r.cfg.Quiesced, "quiesced", false, "nobody writes to Bank: read it through its API")
	p.StringVar(&r.cfg.Mode, "mode", bootstrap.Full, "full: all of the history; opening: what is over becomes opening balances, and is archived beside BK")
	p.Int64Var(&r.cfg.ChunkRows, "chunk-rows", 50_000, "rows of Bank's that make a chunk")
	p.IntVar(&r.cfg.JournalRows, "journal-rows", 100_000, "rows of BK's journal that make a chunk")
	p.IntVar(&r.cfg.Parallel, "parallel", 2, "readers, transformers and loaders at once")
	p.DurationVar(&r.cfg.Barrier, "barrier", 2*time.Second, "how long Bank's writes may be held for the snapshot, at most")
	p.DurationVar(&r.cfg.Latency, "max-latency", 250*time.Millisecond, "latency of Bank above which reading slows down")
	p.DurationVar(&r.cfg.Lag, "max-lag", 10*time.Second, "lag of Bank's replicas above which reading slows down")
	p.StringSliceVar(&r.aurora, "aurora", nil, "which of bank, bk, facade are Aurora and move data by aws_s3; --work must be s3://")
	p.BoolVar(&r.quiet, "quiet", false, "no progress")
	p.StringVar(&r.jsonPath, "json", "", "write the report, or the status, to this file")
	p.StringVar(&r.log.level, "log-level", "warn", "what is logged: debug, info, warn or error")
	p.StringVar(&r.log.format, "log-format", "text", "how: text or json, a line each on standard error")
	f := cmd.Flags()
	f.BoolVar(&r.cfg.DryRun, "dry-run", false, "all but load and what follows: both databases stay as they are")
	f.BoolVar(&r.cfg.Replan, "replan", false, "make anew what another version's rules made")
	f.Int64Var(&r.cfg.CaughtUp, "caught-up", 0, "catch-up ends with so many events left; for a Bank that is never quiet")
	f.DurationVar(&r.cfg.CatchUpFor, "catch-up-for", time.Hour, "catch-up gives up after that")
	f.BoolVar(&r.compare, "compare", true, "compare all of Bank's tables with BK at the end")
	cmd.AddCommand(r.newStatusCommand(a), r.newAbortCommand(a), r.newQuarantineCommand(a))
	return cmd
}

// bootstrapFlags are the flags that set the fields of the configuration.
var bootstrapFlags = map[string]string{
	"Work": "--work", "BankDB": "--bank-db", "BKDB": "--bk-db", "FacadeDB": "--facade-db", "Bank": "--bank", "Operations": "--bank-operations", "BK": "--bk", "Mode": "--mode",
	"ChunkRows": "--chunk-rows", "JournalRows": "--journal-rows", "Parallel": "--parallel", "Barrier": "--barrier", "Latency": "--max-latency", "Lag": "--max-lag",
	"CaughtUp": "--caught-up", "CatchUpFor": "--catch-up-for",
}

// open completes and checks what was told, and opens the work store.
func (r *bootstrapRun) open(ctx context.Context, a *app) (*bootstrap.Bootstrap, error) {
	var errs []error
	for _, name := range r.aurora {
		switch name {
		case "bank":
			r.cfg.Aurora.Bank = true
		case "bk":
			r.cfg.Aurora.BK = true
		case "facade":
			r.cfg.Aurora.Facade = true
		default:
			errs = append(errs, fmt.Errorf("--aurora: %q is none of bank, bk, facade", name))
		}
	}
	if len(r.aurora) > 0 && !strings.HasPrefix(r.cfg.Work, "s3://") {
		errs = append(errs, errors.New("--work: s3://bucket/prefix is needed with --aurora"))
	}
	if u, err := url.Parse(r.cfg.Bank); r.cfg.Bank != "" && r.cfg.Operations == "" && err == nil && u.Port() != "" {
		u.Host = portsAfter(u.Host, 1)
		r.cfg.Operations = u.String()
	}
	errs = append(errs, flagged(r.cfg.WithDefaults().Validate(), bootstrapFlags))
	if err := errors.Join(errs...); err != nil {
		return nil, &usageError{err}
	}
	log, err := r.log.logger(a.err)
	if err != nil {
		return nil, err
	}
	r.cfg.Log = log
	r.cfg.StartBK = r.startBK
	if r.compare {
		r.cfg.Compare = r.compareTables
	}
	if !r.quiet {
		r.cfg.Progress = newBootstrapMeter(a.err).show
	}
	r.bkURL = r.cfg.BK
	return bootstrap.Open(ctx, r.cfg)
}

func (r *bootstrapRun) run(ctx context.Context, a *app) (err error) {
	b, err := r.open(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	secondSignalKills(ctx)
	report, err := b.Run(ctx)
	if report != nil {
		if fault := errors.Join(report.Write(a.out), r.writeJSON(report)); fault != nil {
			return errors.Join(err, fault)
		}
	}
	if err == nil && report == nil {
		return r.tellStatus(ctx, a, b)
	}
	return ended(ctx, err)
}

func (r *bootstrapRun) writeJSON(value any) error {
	if r.jsonPath == "" {
		return nil
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err == nil {
		err = os.WriteFile(r.jsonPath, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("--json: %w", err)
	}
	return nil
}

// startBK runs a BK for catch-up and verify, for nobody else.
func (r *bootstrapRun) startBK(ctx context.Context) (string, func() error, error) {
	const anyPort = "127.0.0.1:0"
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	ready, ended := make(chan node.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- node.Run(running, node.Config{Postgres: r.cfg.BKDB, Listen: anyPort, MetricsListen: anyPort, Log: r.cfg.Log}, func(at node.Addresses) { ready <- at })
	}()
	stop := func() error {
		end()
		return <-ended
	}
	select {
	case at := <-ready:
		r.bkURL = readyfile.URL("http", at.API)
		return r.bkURL, stop, nil
	case err := <-ended:
		end()
		return "", nil, err
	case <-ctx.Done():
		return "", nil, errors.Join(context.Cause(ctx), stop())
	}
}
