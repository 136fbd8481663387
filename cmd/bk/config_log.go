package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

// logSettings are how a server logs.
type logSettings struct {
	level  slog.Level
	format string
}

func (l *logSettings) bind(cmd *cobra.Command, ss *settings) {
	ss.add(cmd, "log.level", "string", "info", "what is logged: debug, info, warn or error", func(text string) error {
		if err := l.level.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%q is none of debug, info, warn, error", text)
		}
		return nil
	})
	ss.add(cmd, "log.format", "string", "text", "how: text or json, a line each on standard error", func(text string) error {
		if text != "text" && text != "json" {
			return fmt.Errorf("%q is neither text nor json", text)
		}
		l.format = text
		return nil
	})
}

func (l *logSettings) logger(to io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.level}
	if l.format == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}
