package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"connectrpc.com/otelconnect"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/dayroll"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/projections"
)

// Config says what a [Server] serves.
type Config struct {
	// Journal is the shard that is served; needed. Its Run is the caller's.
	Journal *journal.Journal
	// Runner has the projections that are read, those of [Projections]; needed. Its Run is the caller's.
	Runner *projections.Runner
	// Published gives the sequence number of the last entry that is in Kafka; nil on servers without Kafka.
	Published func() uint64
	// Verify checks the books and sends what it finds; nil: unimplemented. Its context ends when the caller goes away.
	Verify func(ctx context.Context, send func(*bkv1.VerifyResponse) error) error
	// Roll takes the business date to a day and tells how it goes, as [dayroll.Roller.Roll] does; nil: unimplemented.
	Roll func(ctx context.Context, to ledger.Date, street bool, tell func(dayroll.Progress)) error
	// Version is shown by Status.
	Version string
	// Limits bound what a caller may ask for.
	Limits Limits
	// Log gets the causes of internal errors. Default: none.
	Log *slog.Logger
	// Metrics gets the calls' latencies by procedure and code. Default: none.
	Metrics prometheus.Registerer
	// Traces and Meters are OpenTelemetry's; nil: none.
	Traces trace.TracerProvider
	Meters metric.MeterProvider
}

// Limits bound the server (promise P9). The zero value of a field is its default.
type Limits struct {
	// MessageBytes bounds a request message. Default [ledger.MaxMessageBytes].
	MessageBytes int
	// CallTimeout is the deadline of unary calls whose client sets none. Default 30 s.
	CallTimeout time.Duration
	// BehindTimeout is how long a read waits for its at_least. Default 5 s.
	BehindTimeout time.Duration
	// StreamWindow is how many commands of one booking stream may be unanswered. Default 1024.
	StreamWindow int
	// Streams is how many calls of one HTTP/2 connection may be open at the same time. Default 1000.
	Streams int
	// WriteTimeout is how long a connection may take no byte before it is closed. Default 30 s.
	WriteTimeout time.Duration
	// Heartbeat is how often a watch of the journal hears from the server while nothing happens. Default 5 s.
	Heartbeat time.Duration
}

// Bounds that are not to be tuned.
const (
	defaultPage     = 100     // rows of a page whose size is not given
	maxPage         = 1000    // rows of a page; also in the proto files
	pageBytes       = 4 << 20 // entries of a page or of a message of WatchJournal, encoded, up to the entry that goes beyond
	scanEntries     = 20_000  // entries that one page of ListEntries looks at
	scanPages       = 20      // pages of balances that one page of ListBalances looks at
	watchEntries    = 512     // entries of a message of WatchJournal
	readAtOnce      = 1000    // entries of one read of the journal
	maxHeaderBytes  = 64 << 10
	healthPoll      = 500 * time.Millisecond
	headerTimeout   = 10 * time.Second
	idleTimeout     = 5 * time.Minute
	pingAfter       = 30 * time.Second
	messageSlack    = 1 << 20 // above MessageBytes, messages are still read, to be refused with a detail
	rebuildProgress = 200 * time.Millisecond
)

// WithDefaults fills in what is left out.
func (l Limits) WithDefaults() Limits {
	fill(&l.MessageBytes, ledger.MaxMessageBytes)
	fill(&l.CallTimeout, 30*time.Second)
	fill(&l.BehindTimeout, 5*time.Second)
	fill(&l.StreamWindow, 1024)
	fill(&l.Streams, 1000)
	fill(&l.WriteTimeout, 30*time.Second)
	fill(&l.Heartbeat, 5*time.Second)
	return l
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	c.Limits = c.Limits.WithDefaults()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("api: "+format, args...))
		}
	}
	check(c.Journal != nil, "a journal is needed")
	check(c.Runner != nil, "the projections are needed")
	l := c.Limits
	check(l.MessageBytes >= 1<<10 && l.MessageBytes <= ledger.MaxMessageBytes, "message bytes: %d is not between 1024 and %d", l.MessageBytes, ledger.MaxMessageBytes)
	check(l.StreamWindow >= 1 && l.StreamWindow <= 64<<10, "stream window: %d is not between 1 and %d", l.StreamWindow, 64<<10)
	check(l.Streams >= 1 && l.Streams <= 100_000, "streams: %d is not between 1 and 100000", l.Streams)
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"call timeout", l.CallTimeout}, {"behind timeout", l.BehindTimeout}, {"write timeout", l.WriteTimeout}, {"heartbeat", l.Heartbeat}} {
		check(d.d > 0, "%s: %s is not above zero", d.name, d.d)
	}
	return errors.Join(faults...)
}

// Server answers bk.v1. It is an [http.Handler]; [NewHTTPServer] puts it on a port.
type Server struct {
	cfg     Config
	read    readers
	mux     *http.ServeMux
	checker *checker
	codes   *errorMapper
	drained chan struct{} // closed when streams are to end
	drain   sync.Once
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	checker, err := newChecker()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, read: newReaders(cfg), mux: http.NewServeMux(), checker: checker, codes: &errorMapper{log: cfg.Log}, drained: make(chan struct{}),
	}
	ours := &interceptor{server: s, latency: newLatency(cfg.Metrics)}
	interceptors := []connect.Interceptor{ours}
	if cfg.Traces != nil || cfg.Meters != nil {
		var opts []otelconnect.Option
		if cfg.Traces != nil {
			opts = append(opts, otelconnect.WithTracerProvider(cfg.Traces))
		} else {
			opts = append(opts, otelconnect.WithoutTracing())
		}
		if cfg.Meters != nil {
			opts = append(opts, otelconnect.WithMeterProvider(cfg.Meters))
		} else {
			opts = append(opts, otelconnect.WithoutMetrics())
		}
		otel, err := otelconnect.NewInterceptor(opts...)
		if err != nil {
			return nil, fmt.Errorf("api: OpenTelemetry: %w", err)
		}
		interceptors = []connect.Interceptor{otel, ours}
	}
	options := []connect.HandlerOption{
		connect.WithInterceptors(interceptors...),
		connect.WithReadMaxBytes(cfg.Limits.MessageBytes + messageSlack),
		connect.WithRecover(s.recovered),
	}
	for _, codec := range newCodecs(cfg.Limits.MessageBytes) {
		options = append(options, connect.WithCodec(codec))
	}
	s.mux.Handle(bkv1connect.NewBookingServiceHandler(booking{s}, options...))
	s.mux.Handle(bkv1connect.NewDirectoryServiceHandler(directory{s}, options...))
	s.mux.Handle(bkv1connect.NewQueryServiceHandler(query{s}, options...))
	s.mux.Handle(bkv1connect.NewAdminServiceHandler(admin{s}, options...))
	health{s}.register(s.mux, options...)
	reflector := grpcreflect.NewStaticReflector(append(serviceNames(), healthService)...)
	s.mux.Handle(grpcreflect.NewHandlerV1(reflector))
	s.mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector))
	return s, nil
}

func serviceNames() []string {
	return []string{
		bkv1connect.BookingServiceName, bkv1connect.DirectoryServiceName, bkv1connect.QueryServiceName, bkv1connect.AdminServiceName,
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.tooLong(w, r) {
		return
	}
	if r.URL.Path == bkv1connect.BookingServiceBookStreamProcedure {
		w, r = withFlushControl(w, r)
	}
	s.mux.ServeHTTP(w, r)
}

// Drain ends all streams: booking streams once what they have read is answered, others at once, with the reason unavailable. Unary
// calls go on. Call it before [http.Server.Shutdown], which waits for streams.
func (s *Server) Drain() { s.drain.Do(func() { close(s.drained) }) }

// leading reports whether bookings can be accepted.
func (s *Server) leading() bool {
	return !s.isDrained() && s.cfg.Journal.Leading()
}

func fill[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
