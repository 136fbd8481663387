//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Superuser is the role that owns the embedded cluster and all its databases.
const Superuser = "postgres"

const (
	startTimeout    = 5 * time.Minute  // for a ctx without a deadline: crash recovery reads up to max_wal_size of WAL
	stopTimeout     = 60 * time.Second // a fast shutdown writes a checkpoint
	killTimeout     = 10 * time.Second // an immediate one only ends processes
	pollInterval    = 20 * time.Millisecond
	maxLaunches     = 50 // per start; each waits launchPause first, except the first
	launchPause     = 100 * time.Millisecond
	defaultDatabase = "bk"
)

var (
	// ErrInUse: a living process has a server on this folder.
	ErrInUse = errors.New("the folder is in use by another process")
	// ErrNoPostgres: this machine has no PostgreSQL server programs, or none of
	// the version that the folder was made with.
	ErrNoPostgres = errors.New("no PostgreSQL server programs")
)

// PostgresConfig says where and how an embedded server runs.
type PostgresConfig struct {
	Dir            string       // folder for data, log and password; made if missing; required
	Port           int          // on 127.0.0.1; 0 takes a free one, which the server then keeps
	Database       string       // made if missing; default "bk"
	MaxConnections int          // default 100
	Durable        bool         // false turns fsync off: for data that may be lost, never for a ledger
	Log            *slog.Logger // default: silent
}

// WithDefaults returns c with its empty fields filled in.
func (c PostgresConfig) WithDefaults() PostgresConfig {
	if c.Database == "" {
		c.Database = defaultDatabase
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 100
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports every violation in c at once.
func (c PostgresConfig) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("Dir: is empty, a folder is required"))
	}
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("Port: %d is not between 0 and 65535", c.Port))
	}
	if len(c.Database) > 63 {
		errs = append(errs, fmt.Errorf("Database: %d bytes, Postgres takes 63", len(c.Database)))
	}
	if c.MaxConnections < 10 || c.MaxConnections > 10_000 {
		errs = append(errs, fmt.Errorf("MaxConnections: %d is not between 10 and 10000", c.MaxConnections))
	}
	return errors.Join(errs...)
}

// Postgres is an embedded server. Its methods may be called from any goroutine.
type Postgres struct {
	cfg       PostgresConfig
	throwaway bool // Stop removes the folder

	mu       sync.Mutex // held for the whole of Start, Stop and Kill
	home     home
	password string
	port     int
	server   *process // nil before the first start
	lock     *os.File // held from Start to Stop or Kill
}

// StartPostgres starts a server on cfg.Dir and returns once it accepts
// connections and cfg.Database exists. It makes the cluster if the folder has
// none, ends a server that a killed process left there, and waits for crash
// recovery, until ctx ends (five minutes if ctx has no deadline).
//
// ctx bounds the start only: the server runs until Stop, Kill, or the end of
// this process, however that ends.
//
// Errors: ErrInUse, ErrNoPostgres, or one that carries the end of the server's log.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded postgres: configuration: %w", err)
	}
	p := &Postgres{cfg: cfg, port: cfg.Port}
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Start starts the server again after Stop, Kill or a crash: same folder, port
// and password, so that clients' DSNs stay good. It fails on a running server.
func (p *Postgres) Start(ctx context.Context) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server.running() {
		return fmt.Errorf("embedded postgres: start on %s: it is already running", p.home.dir)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
	}
	began := time.Now()
	defer func() {
		if err == nil {
			p.cfg.Log.Info("embedded postgres started", "dir", p.home.dir, "port", p.port,
				"database", p.cfg.Database, "durable", p.cfg.Durable, "took", time.Since(began))
			return
		}
		if p.server.running() {
			p.server.end(syscall.SIGQUIT, killTimeout)
		}
		p.unlock()
		err = fmt.Errorf("embedded postgres: start on %s: %w", p.cfg.Dir, err)
	}()

	if p.home, err = openHome(p.cfg.Dir, p.cfg.Log); err != nil {
		return err
	}
	if p.lock == nil { // it is still held after a crash of the server
		if p.lock, err = p.home.acquire(); err != nil {
			return err
		}
	}
	if err = p.home.endLeftover(ctx, p.cfg.Durable, p.cfg.Log); err != nil {
		return err
	}
	bin, err := findBinaries(ctx, p.home.majorVersion())
	if err != nil {
		return err
	}
	if p.password, err = p.home.initialise(ctx, bin, p.cfg.Durable, p.cfg.Log); err != nil {
		return err
	}
	if err = p.home.writeSettings(ctx, bin, p.cfg); err != nil {
		return err
	}
	if err = p.launch(ctx, bin); err != nil {
		return err
	}
	return p.ensureDatabase(ctx)
}

// Stop ends the server cleanly (Postgres's fast shutdown: clients are cut off,
// open transactions rolled back, a checkpoint written) and waits for it.
// Stopping a stopped server does nothing.
func (p *Postgres) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	sig, timeout := syscall.SIGINT, stopTimeout
	if p.throwaway {
		sig, timeout = syscall.SIGQUIT, killTimeout // its checkpoint would be for nobody
	}
	err := p.end(sig, timeout)
	if p.throwaway {
		err = errors.Join(err, os.RemoveAll(p.home.dir))
	}
	return err
}

// Kill ends the server at once, without a checkpoint, as a crash would
// (Postgres's immediate shutdown), and waits until it is gone. What was
// committed is there after the next Start, if the server is Durable or not:
// only the machine's crash can tear a server that isn't.
func (p *Postgres) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end(syscall.SIGQUIT, killTimeout)
}

func (p *Postgres) end(sig syscall.Signal, timeout time.Duration) error {
	defer p.unlock()
	if !p.server.running() {
		return nil
	}
	if !p.server.end(sig, timeout) {
		return fmt.Errorf("embedded postgres: stop %s: still running after %s, was killed", p.home.dir, timeout)
	}
	p.cfg.Log.Info("embedded postgres stopped", "dir", p.home.dir, "signal", sig.String())
	return nil
}

func (p *Postgres) unlock() {
	if p.lock != nil {
		if err := release(p.lock); err != nil {
			p.cfg.Log.Warn("embedded postgres: give up the lock", "dir", p.home.dir, "error", err)
		}
		p.lock = nil
	}
}

// Done returns a channel that is closed when the server of the latest Start has
// ended, whoever ended it. A server that dies by itself is not started again:
// that is the caller's decision.
func (p *Postgres) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server.done
}

// DSN is the URL of the configured database as Superuser, with the password.
func (p *Postgres) DSN() string { return p.DSNFor(p.cfg.Database) }

// DSNFor is the URL of another database of this server. The database need not exist.
func (p *Postgres) DSNFor(database string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dsn(database)
}

func (p *Postgres) dsn(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(Superuser, p.password),
		Host:     "127.0.0.1:" + strconv.Itoa(p.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable", // loopback only
	}
	return u.String()
}

// LogFile is the path of the server's log.
func (p *Postgres) LogFile() string { return filepath.Join(p.cfg.Dir, logName) }
