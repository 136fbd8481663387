package rates

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/migrations/embedded"
)

// databases of the run.
const (
	bankDB   = "bank"
	bkDB     = "bk"
	proxyDB  = "facade_bank_only"
	booksDB  = "facade_bk_only"
	tpcDB    = "tpcb"
	tpcScale = 20 // pgbench's, so that its branches are no bottleneck for the clients
)

// connections: two pools of Bank, BK's, two façades', pgbench.
const connections = 400

// cluster is the Postgres of the run.
type cluster struct {
	dir     string
	server  *embedded.Postgres
	admin   *pgx.Conn
	version string
	pid     int    // of the server
	pgbench string // the program; "": there is none
}

func openCluster(ctx context.Context, cfg Config) (c *cluster, err error) {
	c = &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.dir, err = os.MkdirTemp(cfg.Dir, "hotswap-bench-*"); err != nil {
		return c, fmt.Errorf("make a folder for Postgres: %w", err)
	}
	if c.server, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: filepath.Join(c.dir, "postgres"), Durable: true, MaxConnections: connections}); err != nil {
		return c, fmt.Errorf("start Postgres: %w", err)
	}
	if c.admin, err = pgx.Connect(ctx, c.server.DSN()); err != nil {
		return c, fmt.Errorf("connect to Postgres: %w", err)
	}
	for _, name := range []string{bankDB, bkDB, proxyDB, booksDB, tpcDB} {
		if name == bkDB {
			continue // the server's own
		}
		if _, err := c.admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
			return c, fmt.Errorf("make the database %s: %w", name, err)
		}
	}
	var bin string
	if err := c.admin.QueryRow(ctx, "SELECT current_setting('server_version'), (SELECT setting FROM pg_config WHERE name = 'BINDIR')").Scan(&c.version, &bin); err != nil {
		return c, fmt.Errorf("ask Postgres for itself: %w", err)
	}
	if backend, ok := readStat(int(c.admin.PgConn().PID())); ok {
		c.pid = backend.parent
	}
	if path := filepath.Join(bin, "pgbench"); isProgram(path) {
		c.pgbench = path
	} else if path, err := exec.LookPath("pgbench"); err == nil {
		c.pgbench = path
	}
	return c, nil
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func (c *cluster) dsn(database string) string { return c.server.DSNFor(database) }

func (c *cluster) close() error {
	var errs []error
	if c.admin != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		errs = append(errs, c.admin.Close(ctx))
	}
	if c.server != nil {
		errs = append(errs, c.server.Kill()) // a clean stop would write a checkpoint for nobody
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

// checkpoint puts all sides in the same place: nothing of the side before is left to write.
func (c *cluster) checkpoint(ctx context.Context) error {
	if _, err := c.admin.Exec(ctx, "CHECKPOINT"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// count gives the rows of a table.
func (c *cluster) count(ctx context.Context, database, sql string) (n int, err error) {
	conn, err := pgx.Connect(ctx, c.dsn(database))
	if err == nil {
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing hangs on it
		err = conn.QueryRow(ctx, sql).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("count what %s has: %w", database, err)
	}
	return n, nil
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

// fill makes pgbench's tables.
func (c *cluster) fill(ctx context.Context) error {
	_, err := c.bench(ctx, "-i", "-q", "-s", strconv.Itoa(tpcScale))
	return err
}

// tpcb gives the rate of TPC-B-like transactions.
func (c *cluster) tpcb(ctx context.Context, clients int, phase time.Duration) (float64, error) {
	out, err := c.bench(ctx, "-c", strconv.Itoa(clients), "-j", "2", "-n", "-T", strconv.Itoa(max(1, int(phase.Seconds()))))
	if err != nil {
		return 0, err
	}
	found := tps.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("pgbench gives no rate: %s", out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

func (c *cluster) bench(ctx context.Context, args ...string) ([]byte, error) {
	dsn, err := url.Parse(c.dsn(tpcDB))
	if err != nil {
		return nil, fmt.Errorf("pgbench: %w", err)
	}
	command := exec.CommandContext(ctx, c.pgbench, append(args, "-h", dsn.Hostname(), "-p", dsn.Port(), "-U", dsn.User.Username(), tpcDB)...)
	password, _ := dsn.User.Password()
	command.Env = append(os.Environ(), "PGPASSWORD="+password)
	out, err := command.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("pgbench %v: %w: %s", args, err, out)
	}
	return out, nil
}
