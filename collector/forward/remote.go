package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/exp/api/remote"

	"throughline/collector"
)

// RemoteWriteConfig is what a RemoteWrite is made of.
type RemoteWriteConfig struct {
	// URL takes the samples, as in Prometheus' own remote_write. Without a
	// path it gets /api/v1/write. A user and password in it are sent as HTTP
	// Basic Authentication.
	URL    string
	Header http.Header   // sent along: Authorization, X-Scope-OrgID, …
	Batch  int           // samples in a request, at most; 0 = 2,000, as Prometheus has it
	Age    time.Duration // how long samples wait for a request to be full; 0 = 500 ms
	Limits Limits
}

// RemoteWrite gives samples to a Prometheus, or what takes them as one does, by
// version 1.0 of remote write. Every sample is given, carried forward or not:
// Prometheus needs them for continuity. The end of a series is a staleness
// marker a millisecond later than its sample, so that neither covers the other.
// Once in a minute the meaning of each metric is sent too.
//
// What the peer answers with 429, with 5xx or not at all is sent again. Of a
// request answered with 400 the halves are tried alone: Prometheus keeps nothing
// of a request with one bad sample. Refused is then what it did not take: it may
// have it already, if an answer was lost.
//
// Source: https://prometheus.io/docs/specs/prw/remote_write_spec/
type RemoteWrite struct {
	outbox
	writer remoteWriter

	mu        sync.Mutex
	described map[string]bool // names whose meaning was sent
	since     time.Time       // when that began, in the samples' time
}

// remoteBytes bounds a request, before compression.
const remoteBytes = 4 << 20

// NewRemoteWrite checks the URL.
func NewRemoteWrite(cfg RemoteWriteConfig) (*RemoteWrite, error) {
	limits, err := cfg.Limits.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("remote write: %w", err)
	}
	if cfg.Batch < 0 || cfg.Age < 0 {
		return nil, errors.New("remote write: batch or age is negative; give a positive one, or 0 for the default")
	}
	or(&cfg.Batch, 2000)
	or(&cfg.Age, 500*time.Millisecond)
	to, err := parseURL(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("remote write: %w", err)
	}
	transport := newPolite(cfg.Header)
	// A redirection would be followed without the samples, and a good answer
	// to that be taken for one to them.
	client := &http.Client{Transport: transport, Timeout: limits.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	// Retries are ours, for a batch is split between them and the end of Run
	// brings them forward. Fewer than none lets the client make one attempt.
	api, err := remote.NewAPI(to.String(), remote.WithAPIPath(""), remote.WithAPIHTTPClient(client),
		remote.WithAPIBackoff(remote.BackoffConfig{MaxRetries: -1}))
	if err != nil {
		return nil, fmt.Errorf("remote write to %s: %w", to.Redacted(), err)
	}
	return &RemoteWrite{
		outbox: outbox{queue: newQueue(limits), to: to.Redacted(), kind: "remote_write", limits: limits, age: cfg.Age,
			batch: batch{maxItems: cfg.Batch, maxBytes: remoteBytes}},
		writer:    remoteWriter{api: api, transport: transport},
		described: map[string]bool{},
	}, nil
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The error of url.Parse has the text in it, password and all.
		return nil, errors.New("the address is no URL; give http://host:port/api/v1/write")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("%q is no address to write to; give http://host:port/api/v1/write", u.Redacted())
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/api/v1/write"
	}
	return u, nil
}

// Append implements collector.Sink. It never waits for the peer, and never
// returns an error: Figures tells of losses.
func (r *RemoteWrite) Append(samples ...collector.Sample) error {
	var e encoder
	for i := range samples {
		s := &samples[i]
		e.item = e.item[:0]
		if s.Meta != nil && r.undescribed(s) {
			e.describe(s)
		}
		if err := e.sample(s); err != nil {
			r.refuse(fmt.Errorf("%s at %s: %w", s.Name, s.At.UTC().Format(time.RFC3339Nano), err))
			continue
		}
		r.put(e.item)
	}
	return nil
}

// undescribed is whether the meaning of the sample's metric is due. It is sent
// again and again, for it may be lost, or the peer may forget it.
func (r *RemoteWrite) undescribed(s *collector.Sample) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := s.At.Sub(r.since); age > time.Minute {
		clear(r.described)
		r.since = s.At
	}
	if r.described[s.Name] {
		return false
	}
	r.described[s.Name] = true
	return true
}

// Run implements Forwarder.
func (r *RemoteWrite) Run(ctx context.Context) error { return r.run(ctx, &r.writer) }

// remoteWriter is the client of a RemoteWrite.
type remoteWriter struct {
	api       *remote.API
	transport *polite
}

// splits bounds the requests that look for the bad samples of a batch.
const splits = 64

func (w *remoteWriter) write(ctx context.Context, b *batch) result {
	var r result
	size, left := b.left(), splits
	for done := 0; done < b.left(); done = r.sent + r.refused {
		size = min(size, b.left()-done)
		request := b.span(done, size)
		_, err := w.api.Write(ctx, remote.WriteV1MessageType, encoded(request))
		var again interface{ RetryAfter() time.Duration }
		switch {
		case err == nil:
			r.sent += size
			r.bytes += len(request)
		case errors.As(err, &again):
			r.err, r.after = err, again.RetryAfter()
			return r
		case w.transport.status == http.StatusBadRequest && size > 1 && left > 0:
			size = (size + 1) / 2
			left--
		default:
			r.refused += size
			r.refusal = err
			size = b.left()
		}
	}
	return r
}

func (w *remoteWriter) close() error {
	w.transport.CloseIdleConnections()
	return nil
}

// encoded is a prompb.WriteRequest as it goes over the wire. Its fields are all
// repeated ones, so requests that are put together are a request.
type encoded []byte

// Size and MarshalToSizedBuffer are what remote.API asks of a message.
func (e encoded) Size() int { return len(e) }

// MarshalToSizedBuffer fills a buffer of that size.
func (e encoded) MarshalToSizedBuffer(to []byte) (int, error) { return copy(to, e), nil }

// polite is http.DefaultTransport for a peer that may be anything: answers are
// read whole, but not more of them than an error needs.
type polite struct {
	*http.Transport
	header http.Header
	status int // of the last answer; for one request at a time
}

// mostAnswer bounds what is read of an answer, in bytes.
const mostAnswer = 1 << 10

func newPolite(header http.Header) *polite {
	p := &polite{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute}, header: header.Clone()}
	return p
}

// RoundTrip implements http.RoundTripper.
func (p *polite) RoundTrip(request *http.Request) (*http.Response, error) {
	p.status = 0
	request = request.Clone(request.Context())
	request.Header.Set("User-Agent", "throughline")
	for name, values := range p.header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	answer, err := p.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	// An answer that breaks off is no answer: remote.API takes it for a
	// refusal.
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(bytes.TrimSpace(text)))
	p.status = answer.StatusCode
	return answer, nil
}
