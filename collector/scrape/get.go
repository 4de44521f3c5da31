package scrape

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// accept asks for protobuf first, which alone has native histograms, then for OpenMetrics, whose created timestamps are told from
// other series. It is what Prometheus asks for with scrape_native_histograms.
// Source: https://prometheus.io/docs/instrumenting/content_negotiation/
const accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," +
	"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5," +
	"application/openmetrics-text;version=0.0.1;q=0.4," +
	"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3," +
	"text/plain;version=0.0.4;q=0.2,*/*;q=0.1"

// Failure is why nothing of a scrape was kept: the label reason of its figure.
type Failure string

// The reasons.
const (
	Unreachable Failure = "unreachable"  // nobody took the connection, or it broke
	TimedOut    Failure = "timeout"      // it took longer than it may
	BadStatus   Failure = "status"       // it was answered with another status than 200
	TooLong     Failure = "body-size"    // of more bytes than may be
	TooMany     Failure = "sample-limit" // of more samples than may be
	BadType     Failure = "content-type" // the type of the answer is none that is known, or it has none
	Malformed   Failure = "malformed"    // it is not what its type says, or breaks off
)

var failures = []Failure{Unreachable, TimedOut, BadStatus, TooLong, TooMany, BadType, Malformed}

// failed is the error of a scrape.
type failed struct {
	why Failure
	error
}

func (f failed) Unwrap() error { return f.error }

func failf(why Failure, format string, args ...any) error {
	return failed{why, fmt.Errorf(format, args...)}
}

// get fetches an exposition into a buffer, whose bytes it gives until the next, and says of which type it is.
func (c *Collector) get(ctx context.Context, t Target, into *bytes.Buffer) (body []byte, contentType string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL, nil)
	if err != nil {
		return nil, "", failed{Unreachable, err}
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", "throughline")
	request.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", strconv.FormatFloat(t.Timeout.Seconds(), 'f', -1, 64))
	response, err := c.client.Do(request)
	if err != nil {
		return nil, "", lost(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, "", failf(BadStatus, "it answered with %s", response.Status)
	}
	into.Reset()
	_, err = into.ReadFrom(io.LimitReader(response.Body, c.cfg.MaxBody+1))
	switch {
	case err != nil:
		return nil, "", lost(err)
	case int64(into.Len()) > c.cfg.MaxBody:
		return nil, "", failf(TooLong, "its exposition has more than %d bytes", c.cfg.MaxBody)
	}
	return into.Bytes(), response.Header.Get("Content-Type"), nil
}

// lost is the failure of an answer that did not come.
func lost(err error) error {
	if timeout := net.Error(nil); errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return failed{TimedOut, err}
	}
	return failed{Unreachable, err}
}
