package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

// logFlags are how a server logs.
type logFlags struct{ level, format string }

func (l *logFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.level, "log-level", "info", "what is logged: debug, info, warn or error")
	cmd.Flags().StringVar(&l.format, "log-format", "text", "how: text or json, a line each on standard error")
}

// logger makes the logger, or says which flag is wrong.
func (l *logFlags) logger(to io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.level)); err != nil {
		return nil, &usageError{fmt.Errorf("--log-level: %q is none of debug, info, warn, error", l.level)}
	}
	options := &slog.HandlerOptions{Level: level}
	switch l.format {
	case "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	}
	return nil, &usageError{fmt.Errorf("--log-format: %q is neither text nor json", l.format)}
}
