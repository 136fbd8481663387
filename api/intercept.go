package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
)

// interceptor does for every call what is the same for all: the deadline, marks of undecodable messages, the declared rules, errors,
// latency.
type interceptor struct {
	server  *Server
	latency *prometheus.HistogramVec
}

func newLatency(metrics prometheus.Registerer) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "bk_api_call_seconds",
		Help:    "Time from a call's decoded request to its answer; of streams, to their end.",
		Buckets: prometheus.ExponentialBuckets(0.0002, 2, 18),
	}, []string{"procedure", "code"})
	metrics.MustRegister(h)
	return h
}

// WrapUnary implements [connect.Interceptor].
func (i *interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if req.Spec().IsClient {
			return next(ctx, req)
		}
		began := time.Now()
		ctx, cancel := withDefaultTimeout(ctx, i.server.cfg.Limits.CallTimeout)
		defer cancel()
		err := i.accept(req.Any())
		var res connect.AnyResponse
		if err == nil {
			res, err = next(ctx, req)
		}
		return res, i.finish(ctx, req.Spec(), began, err)
	}
}

// WrapStreamingClient implements [connect.Interceptor]; this one is the server's.
func (i *interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements [connect.Interceptor].
func (i *interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		began := time.Now()
		err := next(ctx, &checkedConn{StreamingHandlerConn: conn, i: i})
		return i.finish(ctx, conn.Spec(), began, err)
	}
}

// accept checks a message's form, unless its handler does.
func (i *interceptor) accept(message any) error {
	if err := marked(message, i.server.cfg.Limits.MessageBytes); err != nil {
		return err
	}
	if explained(message) {
		return nil
	}
	return i.server.checker.check(message)
}

// finish turns a handler's error into the caller's, and counts the call.
func (i *interceptor) finish(ctx context.Context, spec connect.Spec, began time.Time, err error) error {
	code := "ok"
	if err != nil {
		mapped := i.server.codes.of(ctx, spec.Procedure, err)
		err, code = mapped, mapped.Code().String()
	}
	i.latency.WithLabelValues(spec.Procedure, code).Observe(time.Since(began).Seconds())
	return err
}

// checkedConn checks the messages that a stream receives. Those of bidirectional streams have their elements checked by the handler.
type checkedConn struct {
	connect.StreamingHandlerConn
	i *interceptor
}

func (c *checkedConn) Receive(message any) error {
	if err := c.StreamingHandlerConn.Receive(message); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return err
	}
	if c.Spec().StreamType == connect.StreamTypeBidi {
		return marked(message, c.i.server.cfg.Limits.MessageBytes)
	}
	return c.i.accept(message)
}

// recovered is for panics: the caller sees an internal error, the log where it was.
func (s *Server) recovered(ctx context.Context, spec connect.Spec, _ http.Header, cause any) error {
	return s.codes.of(ctx, spec.Procedure, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
}
