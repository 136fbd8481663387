package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/migrations"
	"github.com/bkledger/bk/migrations/embedded"
)

// cluster is the Postgres that all sides use, with a migrated template that each side's database is a clone of.
type cluster struct {
	server   *embedded.Postgres // nil if it is the caller's
	dir      string             // of our server
	admin    *pgx.Conn
	dsn      string
	prefix   string
	number   int
	version  string
	settings map[string]string // those that make it durable, and those that matter for writing
	onDisk   bool              // our server's folder is not in memory
	tree     *processTree      // nil where the server is not on this machine
}

// shownSettings go into the report: without the first three a figure is worth nothing.
var shownSettings = []string{"fsync", "synchronous_commit", "full_page_writes", "wal_compression", "wal_sync_method", "shared_buffers", "max_wal_size"}

// otherTemp is on a disk where the temporary folder is in memory: there a sync costs nothing, and the figures would be of something else.
const otherTemp = "/var/tmp"

// connections leaves room for the 64 inserting sessions beside everything else.
const connections = 200

func openCluster(ctx context.Context, cfg Config) (c *cluster, err error) {
	c = &cluster{dsn: cfg.Postgres, prefix: fmt.Sprintf("bk_bench_%d_", os.Getpid()), settings: map[string]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.dsn == "" {
		parent := cfg.Dir
		if parent == "" {
			parent = os.TempDir()
			if inMemory(parent) && !inMemory(otherTemp) {
				parent = otherTemp
			}
		}
		if c.dir, err = os.MkdirTemp(parent, "bk-bench-*"); err != nil {
			return c, fmt.Errorf("make a folder for Postgres: %w", err)
		}
		c.onDisk = !inMemory(c.dir)
		c.server, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: c.dir, Durable: true, MaxConnections: connections, Log: cfg.Log})
		if err != nil {
			return c, fmt.Errorf("start Postgres: %w", err)
		}
		c.dsn = c.server.DSN()
	}
	if c.admin, err = pgx.Connect(ctx, c.dsn); err != nil {
		return c, fmt.Errorf("connect to Postgres: %w", err)
	}
	if err := c.describe(ctx); err != nil {
		return c, err
	}
	template, err := c.create(ctx, "template", "template0")
	if err != nil {
		return c, err
	}
	if err := migrations.Up(ctx, template, cfg.Log); err != nil {
		return c, err
	}
	return c, nil
}

// describe reads what the report says of the server, and refuses one that doesn't sync: its figures would be of something else.
func (c *cluster) describe(ctx context.Context) error {
	if err := c.admin.QueryRow(ctx, "SHOW server_version").Scan(&c.version); err != nil {
		return fmt.Errorf("read the version of Postgres: %w", err)
	}
	for _, name := range shownSettings {
		var value string
		if err := c.admin.QueryRow(ctx, "SELECT coalesce(current_setting($1, true), '')", name).Scan(&value); err != nil {
			return fmt.Errorf("read the setting %s of Postgres: %w", name, err)
		}
		c.settings[name] = value
	}
	for _, name := range []string{"fsync", "synchronous_commit"} {
		if c.settings[name] == "off" {
			return fmt.Errorf("postgres: %s is off; only a durable server is measured", name)
		}
	}
	c.tree = postgresTree(c.admin.PgConn().PID(), c.dsn)
	return nil
}

// create makes a database and gives its DSN.
func (c *cluster) create(ctx context.Context, name, template string) (string, error) {
	name = c.prefix + name
	sql := fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", pgx.Identifier{name}.Sanitize(), pgx.Identifier{template}.Sanitize())
	if _, err := c.admin.Exec(ctx, sql); err != nil {
		return "", fmt.Errorf("make the database %s: %w", name, err)
	}
	u, err := url.Parse(c.dsn)
	if err != nil || u.Scheme == "" {
		return c.dsn + " dbname=" + name, nil // a DSN of words: the last one counts
	}
	u.Path = "/" + name
	return u.String(), nil
}

// fresh makes a migrated, empty database and a function that drops it. The checkpoint puts all sides in the same place: nothing of
// the side before is left to write, and every page is written in full once.
func (c *cluster) fresh(ctx context.Context) (dsn string, drop func() error, err error) {
	c.number++
	name := fmt.Sprint(c.number)
	dsn, err = c.create(ctx, name, c.prefix+"template")
	if err != nil {
		return "", nil, err
	}
	if _, err := c.admin.Exec(ctx, "CHECKPOINT"); err != nil && !strings.Contains(err.Error(), "42501") {
		return "", nil, fmt.Errorf("checkpoint: %w", err) // without the right to, the figures are noisier, not wrong
	}
	return dsn, func() error { return c.drop(name) }, nil
}

func (c *cluster) drop(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := c.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{c.prefix + name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop the database %s%s: %w", c.prefix, name, err)
	}
	return nil
}

func (c *cluster) close() error {
	var errs []error
	if c.admin != nil {
		if c.server == nil {
			errs = append(errs, c.drop("template"))
		}
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
