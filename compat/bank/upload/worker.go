package upload

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// Books is where the rows go. [bank.Client] and every front.Ledger are such.
type Books interface {
	BookTrades(context.Context, []bank.Trade) ([]bank.Booked, error)
	CancelTrade(context.Context, bank.TradeRef) error
	Trade(context.Context, bank.TradeRef) (bank.StoredTrade, error)
}

// WorkerConfig is what a [Worker] may be told.
type WorkerConfig struct {
	Poll     time.Duration // how often it looks for files of other replicas, and whether it may work; 250 ms if 0
	Save     time.Duration // how often progress is saved at least; 1 s if 0
	SaveRows int64         // rows after which progress is saved at the latest; 100 if 0
	RetryMin time.Duration // the first pause after a failure that is not the row's; doubled each time; 100 ms if 0
	RetryMax time.Duration // the longest; 15 s if 0
	Settle   time.Duration // how long a call may be at work whose answer did not come, or said nothing; 30 s if 0
}

// WithDefaults fills in what is 0.
func (c WorkerConfig) WithDefaults() WorkerConfig {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&c.Poll, 250 * time.Millisecond}, {&c.Save, time.Second}, {&c.RetryMin, 100 * time.Millisecond}, {&c.RetryMax, 15 * time.Second}, {&c.Settle, 30 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if c.SaveRows == 0 {
		c.SaveRows = 100
	}
	return c
}

// Validate reports everything that is wrong.
func (c WorkerConfig) Validate() error {
	var wrong []error
	if c.Poll < 0 || c.Save < 0 || c.RetryMin < 0 || c.RetryMax < 0 || c.Settle < 0 {
		wrong = append(wrong, errors.New("Poll, Save, RetryMin, RetryMax, Settle: must not be negative"))
	}
	if c.SaveRows < 0 {
		wrong = append(wrong, errors.New("SaveRows: must not be negative"))
	}
	return errors.Join(wrong...)
}

// Worker works uploads off, in order of arrival. Of all workers on the same tables one works.
type Worker struct {
	store  *Store
	books  Books
	config WorkerConfig
	log    *slog.Logger
}

// NewWorker makes a worker; the error is that of [WorkerConfig.Validate].
func NewWorker(store *Store, books Books, config WorkerConfig) (*Worker, error) {
	config = config.WithDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Worker{store: store, books: books, config: config, log: store.config.Log}, nil
}

// Run works until ctx ends. What goes wrong is logged and tried again.
func (w *Worker) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.lead(ctx); err != nil && ctx.Err() == nil {
			w.log.ErrorContext(ctx, "uploads cannot be worked off now", "error", err)
		}
		w.pause(ctx, w.config.Poll)
	}
}

// pause waits for a file to come in here, at most for so long.
func (w *Worker) pause(ctx context.Context, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-w.store.wake:
	case <-time.After(most):
	}
}

// lead works for as long as this is the worker that may: the lock goes with the connection, over which all progress is saved too.
func (w *Worker) lead(ctx context.Context) error {
	pooled, err := w.store.config.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	var leads bool
	if err := pooled.QueryRow(ctx, w.store.sql.begin).Scan(&leads); err != nil || !leads {
		pooled.Release()
		return err
	}
	conn := pooled.Hijack()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // the lock goes with it, whatever it says
	}()
	for ctx.Err() == nil {
		job, begun := job{worker: w, conn: conn}, false
		err := conn.QueryRow(ctx, w.store.sql.next).Scan(&job.seq, &job.kind, &job.name, &begun, &job.processed, &job.skipped, &job.attempted)
		if errors.Is(err, pgx.ErrNoRows) {
			w.pause(ctx, w.config.Poll)
			continue
		}
		if err != nil {
			return fmt.Errorf("look for the next upload: %w", err)
		}
		if begun { // by somebody else, whose last call may be at work still
			job.held, job.settledAt = job.row(), time.Now().Add(w.config.Settle)
		}
		if err := job.run(ctx); err != nil {
			return fmt.Errorf("upload %q: %w", job.name, err)
		}
	}
	return nil
}

// job is an upload that is being worked off.
type job struct {
	worker                        *Worker
	conn                          *pgx.Conn
	seq                           int64
	kind, name                    string
	processed, skipped, attempted int64

	held      int64     // the row that is, or may be, noted as holding all up; 0: none
	settledAt time.Time // by then no call is at work whose answer did not come

	faults  []bank.UploadError // since progress was saved
	gaveUp  *givenUp           // the row that was given up since then
	rows    int64              // since then
	savedAt time.Time
}

func (j *job) run(ctx context.Context) (err error) {
	begun := j.processed + j.skipped
	defer func() {
		if err != nil && ctx.Err() != nil { // being stopped: what was done need not be done again
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = j.save(ctx, bank.UploadRunning) // else it is
		}
	}()
	if err := j.save(ctx, bank.UploadRunning); err != nil {
		return err
	}
	j.worker.log.InfoContext(ctx, "an upload is worked off", "name", j.name, "kind", j.kind, "from_row", begun+1)
	content := &parts{ctx: ctx, job: j}
	file, err := openRows(content)
	if err != nil {
		return j.end(ctx, content, err)
	}
	one, err := j.reader(file.header)
	if err != nil {
		return j.end(ctx, content, err)
	}
	for row := int64(1); ; row++ {
		record, err := file.next()
		if spoilt := new(csv.ParseError); err != nil && !errors.As(err, &spoilt) {
			return j.end(ctx, content, err)
		}
		if row <= begun {
			continue
		}
		if err == nil {
			err = one(ctx, row, record)
		} else {
			err = bank.Errorf(bank.MalformedTrade, "%v", err)
		}
		if err := j.count(ctx, row, err); err != nil {
			return err
		}
	}
}

// reader gives what works a row off. Its error is the row's, or, without a *[bank.Error], one that ends the work for now.
func (j *job) reader(header []string) (func(ctx context.Context, row int64, record []string) error, error) {
	if j.kind == bank.UploadCancel {
		columns, err := bank.NewCancelRows(header)
		return func(ctx context.Context, row int64, record []string) error {
			ref, err := columns.Ref(record)
			if err != nil {
				return err
			}
			return j.cancel(ctx, row, ref)
		}, err
	}
	columns := bank.NewTradeRows(header)
	return func(ctx context.Context, _ int64, record []string) error {
		trade, err := columns.Trade(record)
		if err != nil {
			return err
		}
		_, err = j.insist(ctx, func() error {
			_, err := j.worker.books.BookTrades(ctx, []bank.Trade{trade})
			return err
		}, func() (bool, error) {
			stored, err := j.worker.books.Trade(ctx, bank.TradeRef{AccountID: trade.AccountID, ClientTradeID: trade.ClientTradeID})
			if bank.TypeOf(err).Refuses() { // there is none
				return false, nil
			}
			return err == nil && stored.Same(&trade), err
		})
		return err
	}, nil
}

// cancel cancels the trade of a row. Whether a trade that is cancelled already was cancelled by this row, before a crash or a lost answer, is told by
// what was saved before: row number attempted, of a trade that was not cancelled then.
func (j *job) cancel(ctx context.Context, row int64, ref bank.TradeRef) error {
	again := j.attempted == row
	if !again {
		var trade bank.StoredTrade
		_, err := j.insist(ctx, func() (err error) {
			trade, err = j.worker.books.Trade(ctx, ref)
			return err
		}, func() (bool, error) { return false, nil }) // nothing is tried yet
		if err != nil {
			return err
		}
		if trade.State == bank.StateCanceled {
			return bank.Errorf(bank.TradeAlreadyCanceled, "trade %s is cancelled already", trade.TradeID)
		}
		j.attempted = row
		if err := j.save(ctx, bank.UploadRunning); err != nil {
			return err
		}
	}
	retried, err := j.insist(ctx, func() error { return j.worker.books.CancelTrade(ctx, ref) }, func() (bool, error) {
		trade, err := j.worker.books.Trade(ctx, ref)
		if bank.TypeOf(err).Refuses() {
			return false, nil
		}
		return err == nil && trade.State == bank.StateCanceled, err
	})
	if (again || retried) && bank.TypeOf(err) == bank.TradeAlreadyCanceled {
		return nil
	}
	return err
}

// count notes how a row went, and saves progress now and then.
func (j *job) count(ctx context.Context, row int64, err error) error {
	told := new(bank.Error)
	if errors.As(err, &j.gaveUp) {
		told = j.gaveUp.told
	}
	switch {
	case err == nil:
		j.processed++
	case j.gaveUp != nil, bank.TypeOf(err).Refuses() && errors.As(err, &told):
		if j.skipped < bank.MaxUploadErrors {
			j.faults = append(j.faults, bank.UploadError{Row: row, Type: string(told.Type), Message: told.Message})
		}
		j.skipped++
	default:
		return fmt.Errorf("row %d: %w", row, err)
	}
	if j.rows++; j.held != 0 || j.rows >= j.worker.config.SaveRows || time.Since(j.savedAt) >= j.worker.config.Save {
		return j.save(ctx, bank.UploadRunning)
	}
	return nil
}

// end closes an upload behind its last row, or where it cannot be read on; a failure to get at its content only ends the work for now.
func (j *job) end(ctx context.Context, content *parts, cause error) error {
	if content.err != nil {
		return content.err
	}
	status := bank.UploadDone
	if !errors.Is(cause, io.EOF) {
		status = bank.UploadFailed
		if j.skipped < bank.MaxUploadErrors {
			message := fmt.Sprintf("the file cannot be read on: %v", cause)
			j.faults = append(j.faults, bank.UploadError{Row: j.processed + j.skipped + 1, Type: string(bank.MalformedRequest), Message: message})
		}
	}
	if err := j.save(ctx, status); err != nil {
		return err
	}
	j.worker.log.InfoContext(ctx, "an upload is worked off to its end", "name", j.name, "kind", j.kind, "status", status, "processed", j.processed, "skipped", j.skipped)
	return nil
}

// save saves progress and the faults found since, in one transaction. What is behind is done again after a crash.
func (j *job) save(ctx context.Context, status string) error {
	sql := &j.worker.store.sql
	var batch pgx.Batch
	batch.Queue(sql.save, j.seq, status, j.processed, j.skipped, j.attempted)
	for _, fault := range j.faults {
		batch.Queue(sql.fault, j.seq, fault.Row, fault.Type, fault.Message)
	}
	if g := j.gaveUp; g != nil {
		batch.Queue(sql.held.record, j.seq, j.processed+j.skipped, g.who, g.why, g.force)
	}
	over := j.held != 0 && (j.held < j.row() || status != bank.UploadRunning) // the row that held all up
	if over {
		batch.Queue(sql.held.release, j.seq)
	}
	if status != bank.UploadRunning {
		batch.Queue(sql.forget, j.seq)
	}
	if err := j.conn.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	if over {
		j.held = 0
	}
	j.faults, j.gaveUp, j.rows, j.savedAt = nil, nil, 0, time.Now()
	return nil
}

// parts reads a file from the database, part by part.
type parts struct {
	ctx  context.Context
	job  *job
	part int
	left []byte
	err  error // of the database: the file itself is not to blame
}

func (p *parts) Read(to []byte) (int, error) {
	for len(p.left) == 0 {
		err := p.job.conn.QueryRow(p.ctx, p.job.worker.store.sql.content, p.job.seq, p.part).Scan(&p.left)
		if errors.Is(err, pgx.ErrNoRows) {
			return 0, io.EOF
		}
		if err != nil {
			p.err = fmt.Errorf("read part %d: %w", p.part, err)
			return 0, p.err
		}
		p.part++
	}
	n := copy(to, p.left)
	p.left = p.left[n:]
	return n, nil
}
