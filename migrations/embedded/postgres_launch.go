//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bkledger/bk/migrations/child"
)

// launch runs the server until it is ready. It tries again where waiting or
// another port helps, and nowhere else.
func (p *Postgres) launch(ctx context.Context, bin binaries) error {
	for attempt := 1; ; attempt++ {
		if p.port == 0 {
			port, err := child.FreePort()
			if err != nil {
				return err
			}
			p.port = port
		}
		err := p.launchOnce(ctx, bin)
		if err == nil {
			return nil
		}
		switch {
		case attempt == maxLaunches || ctx.Err() != nil:
			return err
		case strings.Contains(err.Error(), "Address already in use"):
			if p.cfg.Port != 0 {
				return fmt.Errorf("port %d of 127.0.0.1 is taken by another program: %w", p.port, err)
			}
			if p.server == nil {
				p.port = 0 // nobody knows it yet
			}
		case strings.Contains(err.Error(), "pre-existing shared memory block"):
			// Its postmaster was killed; the backends notice and leave by themselves.
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(launchPause):
		}
	}
}

func (p *Postgres) launchOnce(ctx context.Context, bin binaries) error {
	log, logStart, err := p.home.openLog()
	if err != nil {
		return err
	}
	defer log.Close() // the server has its own descriptor: no pipe of ours that breaks when we are killed

	cmd := p.home.command(context.Background(), bin.postgres, "-D", p.home.data,
		// On the command line, so that nothing in the folder can open the server to the network.
		"-c", "listen_addresses=127.0.0.1",
		"-c", "port="+strconv.Itoa(p.port),
		"-c", "unix_socket_directories=", // none: a socket's path may have 107 bytes, a data folder's more
	)
	// Orphaned by kill -9: a ledger's server shuts down cleanly, another just ends.
	orphanSignal := syscall.SIGQUIT
	if p.cfg.Durable {
		orphanSignal = syscall.SIGINT
	}
	cmd.Stdout, cmd.Stderr = log, log
	server, err := startProcess(cmd, orphanSignal)
	if err != nil {
		return fmt.Errorf("run %s: %w", bin.postgres, err)
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !p.home.ready(server.pid()) {
		select {
		case <-tick.C:
		case <-server.done:
			return fmt.Errorf("the server ended (%v); its log:\n%s", server.err, p.home.logTail(logStart))
		case <-ctx.Done():
			server.end(syscall.SIGQUIT, killTimeout)
			return fmt.Errorf("the server wasn't ready in time: %w; its log:\n%s", ctx.Err(), p.home.logTail(logStart))
		}
	}
	p.server = server
	return nil
}

func (p *Postgres) ensureDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.dsn("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the server just started: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, p.cfg.Database).Scan(&exists)
	if err != nil {
		return fmt.Errorf("look for database %q: %w", p.cfg.Database, err)
	}
	if exists {
		return nil
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{p.cfg.Database}.Sanitize())
	if pgErr := (*pgconn.PgError)(nil); err != nil && !(errors.As(err, &pgErr) && pgErr.Code == "42P04") {
		return fmt.Errorf("create database %q: %w", p.cfg.Database, err)
	}
	return nil
}
