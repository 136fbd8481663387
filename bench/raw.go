package bench

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// rawCopy appends rows that are encoded already, by COPY, a transaction a batch: the ceiling.
func (b *bench) rawCopy(n, size, sessions int) func(context.Context, string) (tally, error) {
	return func(ctx context.Context, dsn string) (tally, error) {
		conns, done, err := b.sessions(ctx, dsn, sessions)
		if err != nil {
			return tally{}, err
		}
		defer done()
		streams := b.rows.streams(b.rows.before, b.rows.before+n, size)
		calls := make([]call, len(streams))
		clock := b.startClock(0)
		err = closedLoop(sessions, len(streams), func(session, i int) error {
			began := time.Now()
			tag, err := conns[session].CopyFrom(ctx, bytes.NewReader(streams[i]), copyIn)
			calls[i] = call{time.Since(began), int(tag.RowsAffected())}
			return err
		})
		return clock.stop(b.rows.before, calls), err
	}
}

// insert appends each row in a transaction of its own, as systems do that book one by one. The statement is prepared and its
// arguments are encoded, so that the client costs next to nothing.
func (b *bench) insert(n, sessions int) func(context.Context, string) (tally, error) {
	return func(ctx context.Context, dsn string) (tally, error) {
		conns, done, err := b.sessions(ctx, dsn, sessions)
		if err != nil {
			return tally{}, err
		}
		defer done()
		for _, conn := range conns {
			if _, err := conn.Prepare(ctx, "insert", insertRow, nil); err != nil {
				return tally{}, fmt.Errorf("prepare the insert: %w", err)
			}
		}
		arguments := make([][][]byte, n)
		for i := range arguments {
			arguments[i] = b.rows.values(b.rows.before + i)
		}
		binary := []int16{1}
		calls := make([]call, n)
		clock := b.startClock(0)
		err = closedLoop(sessions, n, func(session, i int) error {
			began := time.Now()
			tag, err := conns[session].ExecPrepared(ctx, "insert", arguments[i], binary, nil).Close()
			calls[i] = call{time.Since(began), int(tag.RowsAffected())}
			return err
		})
		return clock.stop(b.rows.before, calls), err
	}
}

// sessions opens connections and stores what is not measured.
func (b *bench) sessions(ctx context.Context, dsn string, n int) (conns []*pgconn.PgConn, done func(), err error) {
	done = func() {
		for _, conn := range conns {
			hangUp(conn)
		}
	}
	for range n {
		conn, err := pgconn.Connect(ctx, dsn)
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("connect to Postgres: %w", err)
		}
		conns = append(conns, conn)
		if _, err := conn.Exec(ctx, "SET synchronous_commit = on").ReadAll(); err != nil { // as the engine's sessions
			done()
			return nil, nil, fmt.Errorf("set up a session: %w", err)
		}
	}
	for _, stream := range b.rows.streams(0, b.rows.before, 8000) {
		if _, err := conns[0].CopyFrom(ctx, bytes.NewReader(stream), copyIn); err != nil {
			done()
			return nil, nil, fmt.Errorf("store the rows before: %w", err)
		}
	}
	return conns, done, nil
}
