package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/migrations"
)

func newMigrateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring a database's schema up to date, or show how it is",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMigrateUpCommand(a), newMigrateStatusCommand(a))
	return cmd
}

// migrateSettings are the two settings of both commands.
type migrateSettings struct {
	settings
	postgres string
	log      logSettings
}

func (m *migrateSettings) bind(cmd *cobra.Command) {
	m.text(cmd, &m.postgres, "postgres", "", "DSN of the ledger's database, as its owner")
	m.log.bind(cmd, &m.settings)
}

func (m *migrateSettings) check() error {
	errs := m.load(environment)
	if m.postgres == "" {
		errs = append(errs, fmt.Errorf("%s: needed: the DSN of the ledger's database", m.origin("postgres")))
	} else if _, err := pgx.ParseConfig(m.postgres); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", m.origin("postgres"), err))
	}
	return configError(errs)
}

func newMigrateUpCommand(a *app) *cobra.Command {
	m := &migrateSettings{}
	cmd := &cobra.Command{
		Use:     "up",
		Short:   "Apply what the database has not yet",
		Example: `  bk migrate up --postgres postgres://owner@db/bk`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.ended(m.up(cmd.Context(), a)) },
	}
	m.bind(cmd)
	return cmd
}

func newMigrateStatusCommand(a *app) *cobra.Command {
	m := &migrateSettings{}
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show which migrations the database has",
		Example: `  bk migrate status --postgres postgres://bk@db/bk`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.ended(m.status(cmd.Context(), a)) },
	}
	m.bind(cmd)
	return cmd
}

func (m *migrateSettings) up(ctx context.Context, a *app) error {
	if err := m.check(); err != nil {
		return err
	}
	if err := migrations.Up(ctx, m.postgres, m.log.logger(a.err)); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "the schema is up to date")
	return nil
}

func (m *migrateSettings) status(ctx context.Context, a *app) error {
	if err := m.check(); err != nil {
		return err
	}
	states, err := migrations.Status(ctx, m.postgres)
	if err != nil {
		return err
	}
	t := demoTable("version", "file", "applied at")
	for _, s := range states {
		file, at := s.File, "pending"
		if file == "" {
			file = "(not known to this program)"
		}
		if !s.Pending() {
			at = s.AppliedAt.Format(time.DateTime) + " UTC"
		}
		t.AppendRow(table.Row{s.Version, file, at})
	}
	fmt.Fprintln(a.out, t.Render())
	return nil
}
