package otlp

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // clients may pack what they send
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// grpcServer answers at a door.
func (c *Collector) grpcServer(d *door) *grpc.Server {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(c.cfg.MaxBody), grpc.MaxHeaderListSize(maxHeader), grpc.ConnectionTimeout(slowestClient),
		grpc.MaxConcurrentStreams(maxStreams), grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: longestIdle}),
		grpc.StatsHandler(calls{c, d}))
	pmetricotlp.RegisterGRPCServer(server, &exporting{collector: c, door: d})
	return server
}

// maxStreams is how many requests are under way on one connection.
const maxStreams = 16

// exportMethod is how metrics are called. Source: opentelemetry/proto/collector/metrics/v1/metrics_service.proto
const exportMethod = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

// exporting is OTLP's MetricsService at a door.
type exporting struct {
	pmetricotlp.UnimplementedGRPCServer
	collector *Collector
	door      *door
}

// Export implements pmetricotlp.GRPCServer.
func (e *exporting) Export(ctx context.Context, request pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	length := ctx.Value(lengthKey{}).(*int) // TagRPC put it there
	return e.collector.take(e.door, caller(ctx), *length, request), nil
}

// caller is the address that a call came from.
func caller(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return sourceOf(p.Addr)
	}
	return ""
}

// verdictOf tells what was wrong with a request from the error by which its call ended before it was read.
func verdictOf(err error) verdict {
	switch status.Code(err) {
	case codes.ResourceExhausted:
		return tooLong
	case codes.Canceled, codes.DeadlineExceeded, codes.Unavailable:
		return brokenOff
	}
	return badEncoding
}

// calls counts those that ended before a request could be read, and keeps how long those were that could.
type calls struct {
	collector *Collector
	door      *door
}

type lengthKey struct{}

// TagRPC implements stats.Handler.
func (u calls) TagRPC(ctx context.Context, call *stats.RPCTagInfo) context.Context {
	if call.FullMethodName != exportMethod {
		return ctx
	}
	return context.WithValue(ctx, lengthKey{}, new(int))
}

// HandleRPC implements stats.Handler.
func (u calls) HandleRPC(ctx context.Context, s stats.RPCStats) {
	length, ours := ctx.Value(lengthKey{}).(*int)
	if !ours {
		return // traces, logs
	}
	switch s := s.(type) {
	case *stats.InPayload:
		*length = s.Length
	case *stats.End:
		if s.Error != nil && *length == 0 {
			u.collector.unread(u.door, caller(ctx), verdictOf(s.Error))
		}
	}
}

// TagConn implements stats.Handler.
func (u calls) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (u calls) HandleConn(context.Context, stats.ConnStats) {}
