package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
)

// healthService is the name of the standard health service of gRPC.
const healthService = "grpc.health.v1.Health"

// health serves grpc.health.v1. The server as a whole ("") and what reads are serving until the server drains; BookingService and
// DirectoryService, which write, while this process leads.
type health struct{ *Server }

func (s health) register(mux *http.ServeMux, options ...connect.HandlerOption) {
	mux.Handle("/"+healthService+"/Check", connect.NewUnaryHandler("/"+healthService+"/Check", s.check, options...))
	mux.Handle("/"+healthService+"/List", connect.NewUnaryHandler("/"+healthService+"/List", s.list, options...))
	mux.Handle("/"+healthService+"/Watch", connect.NewServerStreamHandler("/"+healthService+"/Watch", s.watch, options...))
}

// status gives how a service is; SERVICE_UNKNOWN for one that is none of ours.
func (s health) status(service string) healthv1.HealthCheckResponse_ServingStatus {
	switch {
	case service != "" && service != healthService && !slices.Contains(serviceNames(), service):
		return healthv1.HealthCheckResponse_SERVICE_UNKNOWN
	case s.isDrained():
		return healthv1.HealthCheckResponse_NOT_SERVING
	case service == bkv1connect.BookingServiceName || service == bkv1connect.DirectoryServiceName:
		if !s.leading() {
			return healthv1.HealthCheckResponse_NOT_SERVING
		}
	}
	return healthv1.HealthCheckResponse_SERVING
}

func (s health) check(_ context.Context, req *connect.Request[healthv1.HealthCheckRequest]) (*connect.Response[healthv1.HealthCheckResponse], error) {
	status := s.status(req.Msg.Service)
	if status == healthv1.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, &codedError{connect.CodeNotFound, reasonUnknownService, "there is no such service"}
	}
	return connect.NewResponse(&healthv1.HealthCheckResponse{Status: status}), nil
}

// list gives how all services are.
func (s health) list(context.Context, *connect.Request[healthv1.HealthListRequest]) (*connect.Response[healthv1.HealthListResponse], error) {
	all := map[string]*healthv1.HealthCheckResponse{}
	for _, service := range append(serviceNames(), "", healthService) {
		all[service] = &healthv1.HealthCheckResponse{Status: s.status(service)}
	}
	return connect.NewResponse(&healthv1.HealthListResponse{Statuses: all}), nil
}

// watch sends the status now and whenever it changes.
func (s health) watch(ctx context.Context, req *connect.Request[healthv1.HealthCheckRequest], stream *connect.ServerStream[healthv1.HealthCheckResponse]) error {
	tick := time.NewTicker(healthPoll)
	defer tick.Stop()
	for sent := healthv1.HealthCheckResponse_UNKNOWN; ; {
		drained := s.isDrained()
		if status := s.status(req.Msg.Service); status != sent {
			if err := stream.Send(&healthv1.HealthCheckResponse{Status: status}); err != nil {
				return err
			}
			sent = status
		}
		if drained {
			return errDraining
		}
		select {
		case <-tick.C:
		case <-s.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
