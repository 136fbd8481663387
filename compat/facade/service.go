package facade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/compat/bankstream/owner"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/feed"
	"github.com/bkledger/bk/compat/facade/follow"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/queue"
	"github.com/bkledger/bk/compat/facade/sample"
	"github.com/bkledger/bk/compat/facade/schema"
)

// Addresses are where a façade listens, as host:port with the real ports.
type Addresses struct{ API, Operations, Admin string }

// Service is one replica of the façade.
type Service struct {
	cfg       Config
	pool      *pgxpool.Pool
	bank      *bank.Client
	client    *client.Client // BK's; nil without one, as what follows
	ids       *books.IDs
	ledger    *books.Ledger
	queue     *queue.Queue
	feed      *feed.Feed
	follow    *follow.Follower // nil without Kafka
	keeper    *mode.Keeper
	intake    *intake
	uploads   *uploads
	worker    *upload.Worker
	bankFirst *bankFirst
	sampler   *sample.Sampler // nil without BK
	relay     *owner.Owner    // nil where the topics don't change hands
	metrics   *metrics
	entered   atomic.Int64 // the epoch whose ids are in use
	health    *health
	feeding   sync.Mutex // what the feed may do
	latest    mode.Epoch // under feeding
	finals    int        // declarations that bk-only is final, under way; under feeding
	api       *side
	ops       *side
}

// Run serves until ctx ends, then stops in order and returns nil. ready, if not nil, is called once, when the façade serves.
func Run(ctx context.Context, cfg Config, ready func(Addresses)) (err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	var listeners [3]net.Listener
	for i, address := range []string{cfg.Listen, cfg.OperationsListen, cfg.AdminListen} {
		// Listening comes first: a taken port is the most likely mistake.
		if listeners[i], err = net.Listen("tcp", address); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		defer listeners[i].Close()
	}
	at := Addresses{listeners[0].Addr().String(), listeners[1].Addr().String(), listeners[2].Addr().String()}
	s := &Service{cfg: cfg}
	defer s.close()
	if err := s.assemble(ctx, "http://"+at.Admin); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil
		}
		return err
	}
	return s.serve(ctx, listeners, func() {
		if ready != nil {
			ready(at)
		}
	})
}

// assemble makes all parts; nothing runs yet but the gate is closed and knows the mode.
func (s *Service) assemble(ctx context.Context, admin string) (err error) {
	if err := schema.Up(ctx, s.cfg.Postgres, s.cfg.Log); err != nil {
		return err
	}
	pc, err := pgxpool.ParseConfig(s.cfg.Postgres)
	if err != nil {
		return fmt.Errorf("the façade's database: %w", err)
	}
	pc.MaxConns = int32(s.cfg.Connections)
	pc.ConnConfig.RuntimeParams["application_name"] = "hotswap-facade"
	if s.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return fmt.Errorf("the façade's database: %w", err)
	}
	transport := newTransport()
	key := ""
	if len(s.cfg.Keys) > 0 {
		key = s.cfg.Keys[0]
	}
	s.bank, err = bank.NewClient(bank.ClientConfig{
		API: s.cfg.Bank, Operations: s.cfg.BankOperations, Key: key, HTTP: &http.Client{Transport: transport}, Roll: s.cfg.RollTimeout,
	})
	if err != nil {
		return fmt.Errorf("Bank: %w", err)
	}
	if err := s.assembleBK(ctx); err != nil {
		return err
	}
	if s.keeper, err = mode.New(mode.Config{
		Postgres: s.cfg.Postgres, Name: s.cfg.Replica, Admin: admin, Initial: s.cfg.Mode, Steps: s, Epochs: s.enter, Fence: queue.LockEpoch, Lease: s.cfg.Lease, Hold: s.cfg.Hold, Log: s.cfg.Log,
	}); err != nil {
		return err
	}
	if err := s.assembleHTTP(transport, key); err != nil {
		return err
	}
	if err := s.keeper.Open(ctx); err != nil {
		return err
	}
	s.assembleHealth(ctx)
	return nil
}

// assembleBK makes what is needed beside BK. It need not be there yet.
func (s *Service) assembleBK(ctx context.Context) (err error) {
	if s.cfg.BK == "" {
		return nil
	}
	if s.client, err = client.New(s.cfg.BK, connect.WithAcceptCompression("gzip", nil, nil)); err != nil {
		return fmt.Errorf("BK: %w", err)
	}
	if err := isBK(ctx, s.cfg.BK); err != nil {
		return err
	}
	s.ids = books.NewIDs()
	if s.ledger, err = books.New(books.Config{Client: s.client, Pool: s.pool, IDs: s.ids, Pass: passed, CallTimeout: s.cfg.CallTimeout, Log: s.cfg.Log}); err != nil {
		return fmt.Errorf("BK: %w", err)
	}
	if s.queue, err = queue.Open(ctx, queue.Config{
		Postgres: s.cfg.Postgres, Replica: s.cfg.Replica, Bank: s.bank, BK: atOnce{s.ledger}, Limit: s.cfg.QueueLimit, Full: s.queueFull, Log: s.cfg.Log,
		CallTimeout: s.cfg.CallTimeout, RollTimeout: s.cfg.RollTimeout, SettleAfter: s.cfg.SettleAfter,
	}); err != nil {
		return err
	}
	if s.cfg.Stream { // what a step that failed leaves held must not wait for the stream
		if s.relay, err = owner.New(owner.Config{Pool: s.pool, Bank: s.bank, BK: owner.BK(s.client), Poll: relayPoll, Log: s.cfg.Log}); err != nil {
			return err
		}
	}
	if s.feed, err = feed.New(feed.Config{
		Pool: s.pool, Client: s.client, Books: s.ledger, Bank: s.bank, Epoch: s.sameEpoch, LockRead: queue.LockFeed, LockDeliver: queue.LockDelivery, Log: s.cfg.Log,
	}); err != nil || len(s.cfg.Brokers) == 0 {
		return err
	}
	s.follow, err = follow.New(follow.Config{Pool: s.pool, Brokers: s.cfg.Brokers, Bank: s.bank, Lock: queue.LockFollow, Queued: s.queue.Wake, Log: s.cfg.Log})
	return err
}

func (s *Service) assembleHTTP(transport http.RoundTripper, key string) error {
	s.intake = &intake{dir: os.TempDir(), pace: bodyPace, long: make(chan struct{}, longBodies), log: s.cfg.Log}
	s.uploads = &uploads{pool: s.pool, bank: s.bank, dir: os.TempDir(), spools: make(chan struct{}, spools), log: s.cfg.Log}
	store, err := upload.New(upload.Config{Pool: s.pool, Schema: "facade", Known: s.uploads.passed, Log: s.cfg.Log})
	if err != nil {
		return fmt.Errorf("uploads: %w", err)
	}
	s.uploads.store = store
	apiURL, err := baseURL(s.cfg.Bank)
	if err != nil {
		return err
	}
	operationsURL, err := baseURL(s.cfg.BankOperations)
	if err != nil {
		return err
	}
	s.api = &side{service: s, name: "api", bank: newProxy(apiURL, transport, s.cfg.Log)}
	s.ops = &side{service: s, name: "operations", operations: true, bank: newProxy(operationsURL, transport, s.cfg.Log)}
	handles := front.Config{Ledger: s.ledger, Uploads: s.uploads, Keys: s.cfg.Keys, Log: s.cfg.Log, LongTimeout: s.cfg.RollTimeout, Pace: upload.Pace{Bytes: -1}} // files have come in by then
	if s.ledger == nil {
		handles.Ledger = noLedger{} // uploads that the façade has from another time are served still
	}
	handler, err := front.New(handles)
	if err != nil {
		return err
	}
	s.api.bk, s.ops.bk = handler.API(), handler.Operations()
	s.uploads.handler = s.api.bk
	s.metrics = newMetrics(s)
	s.bankFirst = &bankFirst{queue: s.queue, bank: s.bank, count: s.metrics.refuse, log: s.cfg.Log}
	if err := s.assembleSampler(); err != nil {
		return err
	}

	// Rows of uploads go the way that a client's calls go.
	inside, err := bank.NewClient(bank.ClientConfig{API: "http://facade.internal", Key: key, HTTP: &http.Client{Transport: inProcess{s.api}}})
	if err != nil {
		return err
	}
	s.worker, err = upload.NewWorker(store, inside, upload.WorkerConfig{})
	return err
}

// noLedger stands where there is no BK: no mode that would ask it can be entered.
type noLedger struct{ front.Ledger }

// inProcess calls a handler without a network.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	next := r.Clone(r.Context())
	next.RequestURI = r.URL.RequestURI()
	if next.Body == nil {
		next.Body = http.NoBody
	}
	answer := newRecord()
	p.handler.ServeHTTP(answer, next)
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	if answer.status == 0 {
		return nil, errors.New("the call was not answered")
	}
	return &http.Response{
		Status: http.StatusText(answer.status), StatusCode: answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: answer.header,
		Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()), Request: r,
	}, nil
}

// queueFull leaves BK behind. It is called again until it has succeeded.
func (s *Service) queueFull(waiting int) {
	go func() {
		if s.keeper.Mode() != mode.BankPrimary {
			return
		}
		s.cfg.Log.Error("the queue is full, BK is left behind", "waiting", waiting)
		if err := s.keeper.Kill(context.Background(), "facade", "queue full"); err != nil {
			s.cfg.Log.Error("can't leave BK behind", "error", err)
		}
	}()
}

// serve runs everything until ctx ends or a listener fails.
func (s *Service) serve(ctx context.Context, listeners [3]net.Listener, ready func()) error {
	failed := make(chan error, len(listeners))
	var servers [3]*http.Server
	for i, handler := range []http.Handler{s.api, s.ops, s.admin()} {
		servers[i] = front.Server(handler)
		servers[i].ErrorLog = slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug)
		go func() {
			if err := servers[i].Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve on %s: %w", listeners[i].Addr(), err)
			}
		}()
	}
	// The parts outlive ctx until the open calls are answered.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	uploading, stopUploads := context.WithCancel(running)
	defer stopUploads()
	keeping, release := context.WithCancel(running)
	defer release()
	var parts, keeper sync.WaitGroup
	kept := make(chan error, 1)
	keeper.Go(func() { kept <- s.keeper.Run(keeping) })
	if s.queue != nil {
		parts.Go(func() { s.queue.Run(running) })
		parts.Go(func() { s.feed.Run(running) })
	}
	if s.follow != nil {
		parts.Go(func() { s.follow.Run(running) })
		parts.Go(func() { s.places(running) })
	}
	if s.sampler != nil {
		parts.Go(func() { s.sampler.Run(running) })
	}
	if s.relay != nil {
		parts.Go(func() { _ = s.relay.Run(running) }) // ends with its context alone
	}
	parts.Go(func() { s.uploads.watch(running) })
	parts.Go(func() { s.health.run(running) })
	var worker sync.WaitGroup
	worker.Go(func() { s.worker.Run(uploading) })
	ready()

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-failed:
	}
	s.cfg.Log.Info("stopping", "grace", s.cfg.Grace)
	stopUploads()
	ending, cancel := context.WithTimeout(context.Background(), s.cfg.Grace)
	defer cancel()
	var closing sync.WaitGroup
	for _, server := range servers {
		closing.Go(func() {
			if err := server.Shutdown(ending); err != nil {
				s.cfg.Log.Warn("calls were still open after the grace, they are cut", "error", err)
				_ = server.Close()
			}
		})
	}
	closing.Wait()
	worker.Wait()
	release()
	keeper.Wait()
	stop()
	parts.Wait()
	return errors.Join(failure, <-kept)
}

// close gives back what assemble took.
func (s *Service) close() {
	if s.keeper != nil {
		s.keeper.Close()
	}
	if s.queue != nil {
		s.queue.Close()
	}
	if s.ledger != nil {
		s.ledger.Close()
	}
	if s.client != nil {
		s.client.Close()
	}
	if s.bank != nil {
		s.bank.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
}

// healthTimeout bounds what a check of health asks.
const healthTimeout = 2 * time.Second
