package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/faults"
)

func newParityFaultsCommand(a *app) *cobra.Command {
	var w warehouseFlags
	var cfg faults.Config
	var manifestPath string
	cmd := &cobra.Command{
		Use:   "faults",
		Short: "Alter some of the landed events, to see whether hotswap parity finds each and names it rightly",
		Long: `Alter some of the landed events of one side, each in one way, and write down what was done. It changes the warehouse: take a copy of the file. Both sides should be equal
before. hotswap parity --lag 0s --json on it, and hotswap parity faults check, tell whether each was found, rightly named, and nothing else.

Kinds: ` + strings.Join(faults.Kinds(), ", ") + ".",
		Example: `  cp warehouse.duckdb faulty.duckdb
  hotswap parity faults --warehouse faulty.duckdb --count 200 --seed 7 --manifest faults.json
  hotswap parity --warehouse faulty.duckdb --lag 0s --json parity.json
  hotswap parity faults check --manifest faults.json --report parity.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			errs := w.check()
			if err := cfg.WithDefaults().Validate(); err != nil {
				for _, fault := range leaves(flagged(err, map[string]string{"Side": "--side", "Count": "--count", "Kinds": "--kinds", "Apart": "--apart"})) {
					if !strings.HasPrefix(fault.Error(), "DB: ") {
						errs = append(errs, fault)
					}
				}
			}
			if manifestPath == "" {
				errs = append(errs, errors.New("--manifest: needed"))
			}
			if err := errors.Join(errs...); err != nil {
				return &usageError{err}
			}
			return injectFaults(cmd.Context(), a, &w, cfg, manifestPath)
		},
	}
	w.bind(cmd, false)
	f := cmd.Flags()
	f.StringVar(&cfg.Side, "side", "bk", "whose events are altered: bk or bank")
	f.IntVar(&cfg.Count, "count", 200, "how many faults")
	f.StringSliceVar(&cfg.Kinds, "kinds", nil, "which kinds, in turn (all)")
	f.Uint64Var(&cfg.Seed, "seed", 1, "which events are drawn")
	f.IntVar(&cfg.Apart, "apart", 10, "how many events of an account lie between two faults at least")
	f.StringVar(&manifestPath, "manifest", "", "file for what was done; needed")
	cmd.AddCommand(newParityFaultsCheckCommand(a))
	return cmd
}

func injectFaults(ctx context.Context, a *app, w *warehouseFlags, cfg faults.Config, manifestPath string) (err error) {
	if _, err := os.Stat(w.file); err != nil {
		return fmt.Errorf("--warehouse: %w", err)
	}
	file, err := os.Create(manifestPath) // before anything is altered
	if err != nil {
		return fmt.Errorf("make the manifest: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	store, end, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	cfg.DB, cfg.Dialect = store.DB(), store.Dialect()
	m, err := faults.Inject(ctx, cfg)
	if err != nil {
		return err
	}
	if err := m.Write(file); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "%d events of the side %s were altered\n", len(m.Faults), m.Side)
	return err
}

// errNotFound ends with exit code 1 where all has been said.
var errNotFound = errors.New("not every fault was found and rightly named, or something else was")

func newParityFaultsCheckCommand(a *app) *cobra.Command {
	var manifestPath, reportPath string
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Hold a report of hotswap parity against what was altered",
		Example: "  hotswap parity faults check --manifest faults.json --report parity.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var m faults.Manifest
			if err := fromFile("--manifest", manifestPath, func(f io.Reader) (err error) { m, err = faults.ReadManifest(f); return err }); err != nil {
				return err
			}
			var r parity.Report
			if err := fromFile("--report", reportPath, func(f io.Reader) error { return json.NewDecoder(f).Decode(&r) }); err != nil {
				return err
			}
			result, err := faults.Check(m, &r)
			if err != nil {
				return err
			}
			if err := result.WriteText(a.out); err != nil {
				return err
			}
			if !result.Holds() {
				return errNotFound
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&manifestPath, "manifest", "", "what hotswap parity faults has written; needed")
	cmd.Flags().StringVar(&reportPath, "report", "", "what hotswap parity --json has written; needed")
	return cmd
}

func fromFile(flag, path string, read func(io.Reader) error) error {
	if path == "" {
		return &usageError{fmt.Errorf("%s: needed", flag)}
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %s: %w", flag, path, err)
	}
	return nil
}
