// Package statsd is the reference app's instrumentation: a StatsD client for
// which no measurement is late by more than Window where it is not told
// otherwise, and gin middleware that measures a route in one line.
//
// It is not a collector (it only sends) and decides nothing: what to measure
// is written at the routes of package app, its only caller.
package statsd

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	datadog "github.com/DataDog/datadog-go/v5/statsd"
)

// Window is the longest time that a measurement stays in this process before
// it is on the wire, and so the most that a SIGKILL can lose.
//
// In datadog-go 5.9 a count or gauge waits twice, each time for a ticker:
// first in the aggregator (aggregator.go), then in the buffer (statsdex.go,
// watch). A timing waits only in the buffer. The two waits add up to 80 ms;
// the other 20 ms are for the scheduler.
const Window = 100 * time.Millisecond

const (
	aggregation = 40 * time.Millisecond // divides the 1 s and 10 s intervals of collectors evenly, so no interval gets one flush more
	bufferFlush = 40 * time.Millisecond
)

// Client is what the app needs of a StatsD client. A measurement that cannot
// be sent is dropped and never fails the caller. All methods but Close may be
// called by several goroutines at once.
type Client interface {
	// Count adds n to the counter name.
	Count(name string, n int64)
	// Gauge sets the gauge name.
	Gauge(name string, value float64)
	// Timing adds one measurement to the timer name; it is sent in
	// milliseconds.
	Timing(name string, d time.Duration)
	// Close sends what is buffered and ends the client. Measurements that
	// come later are lost.
	Close() error
}

// Options say where and how to send.
type Options struct {
	Addr string   // host:port, or unix:///path
	Tags []string // added to every line, as "key:value"
	// Container is named as the origin on every line (|c:); empty: none is.
	// The client keeps it for the whole process, the first that is given.
	Container string
	OnError   func(error) // told of datagrams that could not be sent; may be nil

	// Aggregation and Flush are the two waits that Window speaks of; 0 = 40 ms
	// each. With others Window does not hold.
	Aggregation, Flush time.Duration

	// Rate is the sample rate of counters: of so many calls one is sent, with the
	// rate on its line. 0 = 1. With one below, counts are sent one by one: datadog-go
	// does not sample what it aggregates.
	Rate float64
}

// Dial makes a Client that sends to o.Addr. A host name is resolved here and
// never again.
func Dial(o Options) (Client, error) {
	c, err := datadog.New(o.Addr, o.datadog()...)
	if err != nil {
		return nil, fmt.Errorf("statsd %s: %w", o.Addr, err)
	}
	return client{c, o.rate()}, nil
}

// New makes a Client that writes its datagrams to w, one per Write, and closes
// w in the end. o.Addr is not used.
func New(w io.WriteCloser, o Options) (Client, error) {
	c, err := datadog.NewWithWriter(w, o.datadog()...)
	if err != nil {
		return nil, fmt.Errorf("statsd: %w", err)
	}
	return client{c, o.rate()}, nil
}

// Connect opens the socket that Dial would send from, for datagrams that a
// Client would not make. Each Write is one.
func Connect(addr string) (io.WriteCloser, error) {
	network, address := "udp", addr
	if strings.HasPrefix(addr, datadog.UnixAddressStreamPrefix) {
		return nil, fmt.Errorf("statsd %s: a stream carries no datagrams; use unix:// or host:port", addr)
	}
	for _, prefix := range []string{datadog.UnixAddressPrefix, datadog.UnixAddressDatagramPrefix} {
		if path, ok := strings.CutPrefix(addr, prefix); ok {
			network, address = "unixgram", path
		}
	}
	socket, err := net.Dial(network, address)
	if err != nil {
		return nil, fmt.Errorf("statsd %s: %w", addr, err)
	}
	return socket, nil
}

func (o Options) datadog() []datadog.Option {
	onError := o.OnError
	if onError == nil {
		onError = func(error) {}
	}
	options := []datadog.Option{
		datadog.WithTags(o.Tags),
		datadog.WithAggregationInterval(cmp.Or(o.Aggregation, aggregation)),
		datadog.WithBufferFlushInterval(cmp.Or(o.Flush, bufferFlush)),
		// One buffer instead of 32: the lines of one flush share a datagram.
		datadog.WithWorkersCount(1),
		// Every 10 s some twenty lines about the client itself, and none at
		// all from an instance that lives shorter than that.
		datadog.WithoutTelemetry(),
		// A collector mostly knows a sender by its socket: no container id on
		// every line but one that was given.
		datadog.WithoutOriginDetection(),
		datadog.WithContainerID(o.Container),
		datadog.WithErrorHandler(onError),
	}
	if o.rate() < 1 {
		options = append(options, datadog.WithoutClientSideAggregation())
	}
	return options
}

func (o Options) rate() float64 { return cmp.Or(o.Rate, 1) }

// client makes a Client of Datadog's. Its errors are about a closed or missing
// client, which cannot happen before Close; lost datagrams go to OnError.
type client struct {
	*datadog.Client
	rate float64 // of counts
}

func (c client) Count(name string, n int64)          { _ = c.Client.Count(name, n, nil, c.rate) }
func (c client) Gauge(name string, value float64)    { _ = c.Client.Gauge(name, value, nil, 1) }
func (c client) Timing(name string, d time.Duration) { _ = c.Client.Timing(name, d, nil, 1) }
