package gate

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ReplicationLag holds where the standbys of a database are near.
type ReplicationLag struct {
	Database string        `yaml:"database" json:"database"`   // its primary, of the targets
	Max      time.Duration `yaml:"max" json:"max"`             // that a standby may be behind; 10 s if left out
	MaxBytes Bytes         `yaml:"max-bytes" json:"max-bytes"` // of the log that it has still to replay; 16 MiB if left out. Aurora does not tell
	Replicas int           `yaml:"replicas" json:"replicas"`   // there have to be so many at least
}

func (r *ReplicationLag) needs() []need { return []need{needDatabase(r.Database)} }

func (r *ReplicationLag) validate() (errs []error) {
	if r.Database == "" {
		errs = append(errs, errors.New("database: needed"))
	}
	if r.Max < 0 || r.Replicas < 0 {
		errs = append(errs, errors.New("max, replicas: must not be negative"))
	}
	return errs
}

func (r *ReplicationLag) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	longest, bytes := r.Max, int64(r.MaxBytes)
	if longest == 0 {
		longest = 10 * time.Second
	}
	if bytes == 0 {
		bytes = 16 << 20
	}
	conn, err := t.Connect(ctx, r.Database, true)
	if err != nil {
		return nil, "", err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was read
	var aurora bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'aurora_replica_status')`).Scan(&aurora); err != nil {
		return nil, "", fmt.Errorf("database %s: %w", r.Database, err)
	}
	// What a standby has not told yet is not known, and counts as far behind; a caught-up one that is idle has no times, but all of the log.
	query := `SELECT coalesce(application_name, ''), coalesce(state, ''),
		coalesce(extract(epoch FROM replay_lag), 0)::float8, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 9e15)::bigint FROM pg_stat_replication ORDER BY 1`
	if aurora {
		query = `SELECT server_id::text, 'streaming', (coalesce(replica_lag_in_msec, 9e9) / 1000)::float8, 0::bigint
			FROM aurora_replica_status() WHERE session_id <> 'MASTER_SESSION_ID' ORDER BY 1`
	}
	type standby struct {
		Name, State string
		Seconds     float64
		Bytes       int64
	}
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return nil, "", fmt.Errorf("database %s: %w", r.Database, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[standby])
	if err != nil {
		return nil, "", fmt.Errorf("database %s: %w", r.Database, err)
	}
	f, wrong := Figures{"standbys": len(all), "aurora": aurora}, []string(nil)
	var told []string
	for _, s := range all {
		told = append(told, fmt.Sprintf("%s: %s, %.3f s, %d bytes", s.Name, s.State, s.Seconds, s.Bytes))
		if s.State != "streaming" || s.Seconds > longest.Seconds() || s.Bytes > bytes {
			wrong = append(wrong, fmt.Sprintf("standby %s (%s) is %.3f s and %d bytes behind, above %s and %d", s.Name, s.State, s.Seconds, s.Bytes, longest, bytes))
		}
	}
	if f["each"] = told; len(all) < r.Replicas {
		wrong = append(wrong, fmt.Sprintf("there are %d standbys, and should be %d", len(all), r.Replicas))
	}
	return f, reasons(wrong), nil
}

// Connections holds where a database's server has room for more connections.
type Connections struct {
	Database string `yaml:"database" json:"database"`
	Max      Share  `yaml:"max" json:"max"` // of what all together may have; 80% if left out
}

func (c *Connections) needs() []need { return []need{needDatabase(c.Database)} }

func (c *Connections) validate() []error {
	if c.Database == "" {
		return []error{errors.New("database: needed")}
	}
	return nil
}

func (c *Connections) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	conn, err := t.Connect(ctx, c.Database, true)
	if err != nil {
		return nil, "", err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was read
	var used, limit int64
	if err := conn.QueryRow(ctx, `SELECT count(*) FILTER (WHERE backend_type = 'client backend'),
		current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint FROM pg_stat_activity`).Scan(&used, &limit); err != nil {
		return nil, "", fmt.Errorf("database %s: %w", c.Database, err)
	}
	most := c.Max
	if most == 0 {
		most = 0.8
	}
	f := Figures{"used": used, "limit": limit, "share": float64(used) / float64(limit)}
	if float64(used) > float64(most)*float64(limit) {
		return f, fmt.Sprintf("%d of %d connections are taken, above %.0f%%", used, limit, 100*most), nil
	}
	return f, "", nil
}

// Disk holds where there is room. One of Path and Database.
type Disk struct {
	Path     string `yaml:"path" json:"path,omitempty"`         // on this machine
	Free     Bytes  `yaml:"free" json:"free,omitempty"`         // there has to be so much at the path
	Database string `yaml:"database" json:"database,omitempty"` // or a database of the targets
	Max      Bytes  `yaml:"max" json:"max,omitempty"`           // which may have so much
}

func (d *Disk) needs() []need {
	if d.Database != "" {
		return []need{needDatabase(d.Database)}
	}
	return nil
}

func (d *Disk) validate() []error {
	if !(d.Path != "" && d.Free > 0 && d.Database == "" && d.Max == 0 || d.Path == "" && d.Free == 0 && d.Database != "" && d.Max > 0) {
		return []error{errors.New("path: with free, both, or database with max")}
	}
	return nil
}

func (d *Disk) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	if d.Path != "" {
		var at syscall.Statfs_t
		if err := syscall.Statfs(d.Path, &at); err != nil {
			return nil, "", fmt.Errorf("%s: %w", d.Path, err)
		}
		free := int64(at.Bavail) * int64(at.Bsize) //nolint:unconvert // their types differ by system
		f := Figures{"free_bytes": free}
		if free < int64(d.Free) {
			return f, fmt.Sprintf("%s has %d bytes free, below %d", d.Path, free, d.Free), nil
		}
		return f, "", nil
	}
	conn, err := t.Connect(ctx, d.Database, true)
	if err != nil {
		return nil, "", err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was read
	var size int64
	if err := conn.QueryRow(ctx, `SELECT pg_database_size(current_database())`).Scan(&size); err != nil {
		return nil, "", fmt.Errorf("database %s: %w", d.Database, err)
	}
	f := Figures{"database_bytes": size}
	if size > int64(d.Max) {
		return f, fmt.Sprintf("database %s has %d bytes, above %d", d.Database, size, d.Max), nil
	}
	return f, "", nil
}
