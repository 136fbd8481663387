package front

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
)

// Uploads takes files in and says what became of them. Package upload has one on Postgres.
type Uploads interface {
	// Receive keeps a file for its kind ([bank.UploadInsert], [bank.UploadCancel]); it is worked off later. file_exists, empty_file, unsupported_file. An error of
	// content is wrapped.
	Receive(ctx context.Context, kind, name string, content io.Reader) (bank.NewUpload, error)
	// Upload: upload_not_found.
	Upload(ctx context.Context, id string) (bank.Upload, error)
}

// Relay steers what publishes a ledger's events. Only the reference Bank has one to steer; it is no part of the contract.
type Relay interface {
	Relay(context.Context) (bank.Relay, error)
	// SetRelay: conflict where the epoch is over, or where it can't be done as the relay stands; the same again is a success.
	SetRelay(context.Context, bank.RelaySetting) (bank.Relay, error)
}

// Config is what a [Handler] needs.
type Config struct {
	Ledger  Ledger
	Uploads Uploads      // nil: there are no such routes
	Relay   Relay        // nil: likewise
	Keys    []string     // those that clients may show; none: nobody is asked
	Log     *slog.Logger // what was answered `internal`, with its cause

	MaxBody     int64         // bytes of a request; 8 MiB if 0
	MaxUpload   int64         // bytes of an upload's request; 256 MiB if 0
	Timeout     time.Duration // of the ledger's work on a read; 30 s if 0
	LongTimeout time.Duration // of taking in a file, of a roll, and of what may have to wait for one: all other writes; 10 min if 0
	Pace        upload.Pace   // at which a client must send a file at least
}

// WithDefaults fills in what is 0.
func (c Config) WithDefaults() Config {
	if c.MaxBody == 0 {
		c.MaxBody = 8 << 20
	}
	if c.MaxUpload == 0 {
		c.MaxUpload = 256 << 20
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.LongTimeout == 0 {
		c.LongTimeout = 10 * time.Minute
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	if c.Ledger == nil {
		wrong = append(wrong, errors.New("Ledger: missing"))
	}
	if c.Log == nil {
		wrong = append(wrong, errors.New("Log: missing"))
	}
	for _, key := range c.Keys {
		if key == "" || strings.ContainsAny(key, " \t\r\n") {
			wrong = append(wrong, errors.New("Keys: a key must not be empty and must not hold space"))
			break
		}
	}
	if c.MaxBody < 0 || c.MaxUpload < 0 {
		wrong = append(wrong, errors.New("MaxBody, MaxUpload: must not be negative"))
	}
	if c.Timeout < 0 || c.LongTimeout < 0 {
		wrong = append(wrong, errors.New("Timeout, LongTimeout: must not be negative"))
	}
	return errors.Join(wrong...)
}

// Handler serves a ledger.
type Handler struct {
	config     Config
	keys       [][sha256.Size]byte
	api        []route
	operations []route
}

// New makes a handler; the error is that of [Config.Validate].
func New(config Config) (*Handler, error) {
	config = config.WithDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	h := &Handler{config: config}
	for _, key := range config.Keys {
		h.keys = append(h.keys, sha256.Sum256([]byte(key)))
	}
	h.api, h.operations = h.apiRoutes(), h.operationsRoutes()
	return h, nil
}

// API serves what clients call.
func (h *Handler) API() http.Handler { return h.serve(h.api) }

// Operations serves what the firm's own operations call, on a listener of their own.
func (h *Handler) Operations() http.Handler { return h.serve(h.operations) }

// Server gives a server for a handler that speaks HTTP/1.1 and HTTP/2 without TLS, with a bound on everything that a client can hold up. The
// caller sets what else it wants (Addr, ErrorLog) and runs it.
func Server(handler http.Handler) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       15 * time.Minute, // a slow upload
		WriteTimeout:      20 * time.Minute, // counts from the request's header on
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return server
}
