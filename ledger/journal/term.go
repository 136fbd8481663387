package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// term is the time in which this process is the writer: from a takeover until it is fenced, fails, or is told to stop.
type term struct {
	j         *Journal
	epoch     int64
	statement string // appends a batch, see appendStatement
	lock      *pgx.Conn
	filter    *keyFilter
	saved     uint64 // how far filters were saved when the term began
	ctx       context.Context
	queue     chan *Pending
	toCommit  chan *batch
	draining  chan struct{}

	unfinished atomic.Pointer[Hold] // of a roll that the last term began and did not end

	stopLoading func() // ends the beats of the time in which the term is loaded

	spare sync.Pool

	admission sync.RWMutex // held for reading while a group is put into the queue
	closed    bool

	mu   sync.Mutex
	open []*batch // handed to a committer and not answered, in order
}

// lead runs the term's pipeline until it ends. On a clean end (stop is done) everything accepted is booked and answered first.
// Afterwards t.open holds what is unresolved.
func (t *term) lead(stop context.Context, seq *sequencer) error {
	parent, end := context.WithCancelCause(context.Background())
	defer end(nil)
	group, ctx := errgroup.WithContext(parent)
	t.ctx = ctx
	lease := t.keepLease(parent, end)
	err := t.start(group, ctx, seq)
	if err != nil {
		end(err)
	}

	background, stopBackground := context.WithCancel(ctx)
	defer stopBackground()
	var others sync.WaitGroup
	if err == nil && seq.day.Rolling() {
		waiting, enough := context.WithCancel(ctx)
		unwatch := context.AfterFunc(stop, enough)
		hold, holdErr := t.j.Hold(waiting)
		unwatch()
		enough()
		if holdErr != nil {
			err = holdErr
		} else {
			defer hold.Release()
			t.unfinished.Store(hold)
			t.j.log.Info("a roll is unfinished: bookings wait until it is finished", "business_date", seq.day.Date.String(), "to", seq.day.To.String())
		}
	}
	if err == nil {
		t.j.current.Store(t)
		t.j.metrics.leading.Set(1)
		others.Go(func() { t.keepFilters(background) })
		if t.j.cfg.Term != nil {
			others.Go(func() { t.j.cfg.Term(background, t.j) })
		}
	}
	go func() {
		select {
		case <-stop.Done():
			t.closeAdmission()
			close(t.draining)
			time.AfterFunc(t.j.cfg.AppendTimeout, func() { end(errDrainTimeout) })
		case <-ctx.Done():
		}
	}()
	err = errors.Join(err, group.Wait())
	t.j.current.CompareAndSwap(t, nil)
	t.j.metrics.leading.Set(0)
	t.abandon() // callers first, then what else runs in a term
	lease()
	stopBackground()
	others.Wait()
	return err
}

var errDrainTimeout = errors.New("journal: what was accepted could not be booked in time")

// start opens the committers' connections and starts the pipeline.
func (t *term) start(group *errgroup.Group, ctx context.Context, seq *sequencer) error {
	conns := make([]*pgx.Conn, 0, t.j.cfg.Connections)
	for range t.j.cfg.Connections {
		conn, err := t.j.connect(ctx, "bk-writer")
		if err != nil {
			for _, conn := range conns {
				closeNow(conn)
			}
			return err
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		group.Go(func() error {
			defer closeNow(conn)
			return t.commitLoop(ctx, conn.PgConn())
		})
	}
	seq.previous = make(chan struct{})
	close(seq.previous)
	seq.batch = seq.newBatch()
	group.Go(func() error { return seq.run(ctx) })
	return nil
}

// enqueue puts a prepared group into the queue of the current term.
func (j *Journal) enqueue(p *Pending) error {
	t := j.current.Load()
	if t == nil {
		return ErrNotLeader
	}
	t.admission.RLock()
	defer t.admission.RUnlock()
	if t.closed {
		return ErrNotLeader
	}
	select {
	case t.queue <- p:
		return nil
	default:
		return ErrOverloaded
	}
}

func (t *term) closeAdmission() {
	t.admission.Lock()
	defer t.admission.Unlock()
	t.closed = true
}

// abandon answers what never came as far as a batch: it is not booked.
func (t *term) abandon() {
	t.closeAdmission()
	t.j.directory.Release(nil)
	for {
		select {
		case p := <-t.queue:
			p.abandon(ErrNotLeader)
		default:
			return
		}
	}
}

// fail answers the callers of a batch that no committer has seen.
func (t *term) fail(b *batch) {
	for _, p := range b.groups {
		p.abandon(ErrNotLeader)
	}
}

// keepLease renews the lease until the function that it returns is called, also while the term drains. If the lease is another's, or
// can't be renewed, it ends the term.
func (t *term) keepLease(ctx context.Context, end context.CancelCauseFunc) (stop func()) {
	t.stopLoading()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(t.j.cfg.Lease / 5)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				// One that is under way ends by itself: cancelled, it would take the connection with it, on which the term says how far it came.
				if err := t.beat(context.WithoutCancel(ctx)); err != nil && ctx.Err() == nil {
					end(err)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// beat says that the writer lives, and how far the journal is acknowledged.
func (t *term) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.j.cfg.Lease)
	defer cancel()
	seq, hash, _ := t.j.tail.position()
	tag, err := t.lock.Exec(ctx, `UPDATE bk.lease SET beat = now(), seq = $3, hash = $4 WHERE shard = $1 AND epoch = $2`,
		int16(t.j.cfg.Shard), t.epoch, int64(seq), hash[:])
	if err != nil {
		return fmt.Errorf("journal: renew the lease: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errFenced
	}
	return nil
}

// keepFilters saves the key filters now and then, and makes the next partition long before it is needed.
func (t *term) keepFilters(ctx context.Context) {
	saved := t.saved
	for {
		if err := t.j.Wait(ctx, saved+filterSnapshot); err != nil {
			return
		}
		upTo := t.filter.known()
		_, err := t.j.pool.Exec(ctx, `SELECT bk.add_segment($1)`, int64(upTo/segmentEntries)+1)
		for segment := saved / segmentEntries; segment <= upTo/segmentEntries && err == nil; segment++ {
			err = t.filter.save(ctx, t.j.store, segment)
		}
		if err != nil && ctx.Err() == nil {
			t.j.log.Error("could not save the key filter or make the next partition; trying again", "error", err)
			select {
			case <-time.After(t.j.cfg.Lease):
			case <-ctx.Done():
			}
			continue
		}
		saved = upTo
	}
}

func closeNow(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // nothing to do about a connection that does not close
}
