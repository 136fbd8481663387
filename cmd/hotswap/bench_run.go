package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/pflag"
)

// benchRun is what the benchmarks have in common: progress, and where the figures go.
type benchRun struct {
	jsonPath     string
	check, quiet bool
}

// figures are what a benchmark gives.
type figures interface {
	WriteText(io.Writer) error
	WriteJSON(io.Writer) error
}

// flags adds the flags that all have.
func (b *benchRun) flags(f *pflag.FlagSet) {
	f.BoolVarP(&b.quiet, "quiet", "q", false, "no progress")
	f.StringVar(&b.jsonPath, "json", "", "write all figures to this file")
}

// checkFlag adds the flag of those that promise something: their figures say whether it Holds.
func (b *benchRun) checkFlag(f *pflag.FlagSet) {
	f.BoolVar(&b.check, "check", false, "exit with 1 unless all that is promised holds")
}

// run measures, and writes what comes of it.
func (b *benchRun) run(a *app, measure func(progress func(doing string)) (figures, error)) (err error) {
	var file *os.File
	if b.jsonPath != "" { // before the run: it is too long to be lost to a wrong path
		if file, err = os.Create(b.jsonPath); err != nil {
			return fmt.Errorf("make the report's file: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	began := time.Now()
	report, err := measure(func(doing string) {
		if !b.quiet {
			fmt.Fprintf(a.err, "%5.0f s  %s\n", time.Since(began).Seconds(), doing)
		}
	})
	if err != nil {
		return err
	}
	if file != nil {
		if err := report.WriteJSON(file); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if err := report.WriteText(a.out); err != nil {
		return err
	}
	if promising, ok := report.(interface{ Holds() bool }); ok && b.check && !promising.Holds() {
		return errReported
	}
	return nil
}
