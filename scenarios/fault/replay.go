package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Proxy stands between the users and the load balancer. It passes requests on
// as they are, and some of them twice while Replay is injected.
type Proxy struct {
	url    string
	server *http.Server
	base   *http.Transport
	served chan error

	mu       sync.Mutex
	random   *rand.Rand
	share    float64 // 0: it sends none twice
	repeated int64   // requests that were answered twice
}

// idleConnections is for how long the proxy keeps a connection without
// requests: less than HAProxy does, since a request on a connection that is
// just being closed might be sent again by net/http, unasked.
const idleConnections = 10 * time.Second

// NewProxy serves on any free port of host and passes on to target, a URL. The
// seed decides which requests are sent twice. Close it.
func NewProxy(host, target string, seed uint64) (*Proxy, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("proxy: target: %w", err)
	}
	listen, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{url: "http://" + listen.Addr().String(), served: make(chan error, 1), random: rand.New(rand.NewPCG(seed, 0)),
		base: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1024, IdleConnTimeout: idleConnections}}
	handler := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		Transport: p,
		// The users see the 502 and book it.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	p.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { p.served <- p.server.Serve(listen) }()
	return p, nil
}

// URL is where the users are served.
func (p *Proxy) URL() string { return p.url }

// RoundTrip implements http.RoundTripper: it sends a request, and perhaps sends
// it again after the answer. The user gets the first answer.
func (p *Proxy) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.base.RoundTrip(req)
	if err != nil || !p.chosen(req) {
		return resp, err
	}
	again, err := p.base.RoundTrip(req.Clone(req.Context()))
	if err != nil {
		return resp, nil // the user has an answer all the same
	}
	defer again.Body.Close()
	if _, err := io.Copy(io.Discard, again.Body); err == nil {
		p.mu.Lock()
		p.repeated++
		p.mu.Unlock()
	}
	return resp, nil
}

// chosen draws whether a request is sent twice. One with a body is not: the
// body is gone.
func (p *Proxy) chosen(req *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.share > 0 && p.random.Float64() < p.share && (req.Body == nil || req.Body == http.NoBody)
}

// Close ends the proxy. Whoever still waits for an answer gets none.
func (p *Proxy) Close() error {
	err := p.server.Close()
	if served := <-p.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	p.base.CloseIdleConnections()
	return err
}

// Replay lets a proxy send a share of the requests twice. The users know of one
// attempt.
type Replay struct {
	Proxy *Proxy
	Share float64
}

// Possible is nil: the proxy is there.
func (Replay) Possible() error { return nil }

// Inject begins to repeat requests.
func (r Replay) Inject(context.Context) (Heal, error) {
	r.Proxy.repeat(r.Share)
	return func(context.Context) (Touched, error) { return Touched{"users": r.Proxy.repeat(0)}, nil }, nil
}

// repeat sets the share, and tells how many were repeated since it was last
// called.
func (p *Proxy) repeat(share float64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.repeated
	p.share, p.repeated = share, 0
	return n
}
