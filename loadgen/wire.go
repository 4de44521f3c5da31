package loadgen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is what is known of one request while it is on its way, and after.
type exchange struct {
	target target
	due    time.Time
	sent   time.Time

	status   int
	instance string
	err      error

	mu       sync.Mutex
	attempts int  // times its first byte went to a socket
	conns    int  // connections it was given
	reused   bool // whether the last of these had been used before
	over     bool // given up or answered: nothing more may be written
}

// carry is called when the transport has chosen a connection.
func (x *exchange) carry(info httptrace.GotConnInfo) {
	x.mu.Lock()
	x.conns++
	x.reused = info.Reused
	x.mu.Unlock()
	if c, ok := info.Conn.(*conn); ok {
		c.carried.Store(x)
	}
}

// writing is asked before the request's first byte is given to a socket, not
// after: the answer may be here before the write returns.
func (x *exchange) writing() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return false
	}
	x.attempts++
	return true
}

// notWritten takes back writing: the socket took no byte.
func (x *exchange) notWritten() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.over {
		x.attempts--
	}
}

// again tells whether the request met a connection that had been closed
// while idle, and not one byte of it was written. Sending it once more is
// then no repetition. It clears what it looked at, for the next round.
func (x *exchange) again() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	stale := x.reused && x.attempts == 0
	x.reused = false
	return stale
}

// end closes the books: from here on attempts is final, and a write that the
// transport still had in mind is refused. That makes "0 attempts" a proof.
func (x *exchange) end(resp *http.Response, servedBy string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	x.err = err
	if resp != nil {
		x.status = resp.StatusCode
		x.instance = resp.Header.Get(servedBy)
	}
}

// conn counts the writes that begin a request. HTTP/1.1 without pipelining
// carries one request at a time, so the first write after the transport has
// chosen the connection for a request is that request's.
//
// httptrace.WroteRequest would not do: net/http calls it when a request is in
// the connection's buffer, before the flush that may fail.
type conn struct {
	net.Conn
	carried atomic.Pointer[exchange] // chosen for this one, of which nothing is written yet
}

var errGivenUp = errors.New("request was given up before it was written")

func (c *conn) Write(b []byte) (int, error) {
	x := c.carried.Swap(nil)
	if x == nil {
		return c.Conn.Write(b)
	}
	if !x.writing() {
		return 0, errGivenUp
	}
	n, err := c.Conn.Write(b)
	if n == 0 {
		x.notWritten()
	}
	return n, err
}

// newTransport is HTTP/1.1 over counted connections, without proxies and
// compression: what the rows say must be all that happens.
func newTransport(c Config) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if c.Dial != "" {
				addr = c.Dial
			}
			inner, err := c.Connect(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: inner}, nil
		},
		DisableCompression:  true,
		MaxIdleConns:        0, // no limit over all hosts; there is one host
		MaxIdleConnsPerHost: c.MaxInFlight,
		IdleConnTimeout:     90 * time.Second,
	}
}

// emptyBody makes a request without a body one that http.Transport will not
// send twice. The transport repeats a GET on its own when a connection that
// was used before breaks before the answer, unless the request has a body it
// cannot get again ("either has no body or has its Request.GetBody defined").
// With the transfer encoding "identity" it is written without Content-Length
// and Transfer-Encoding: on the wire it is a plain GET. (Without "identity",
// net/http tries in another goroutine whether the body is empty, and sends it
// chunked if that is not known after 200 ms.)
type emptyBody struct{}

func (emptyBody) Read([]byte) (int, error)         { return 0, io.EOF }
func (emptyBody) WriteTo(io.Writer) (int64, error) { return 0, nil }
func (emptyBody) Close() error                     { return nil }

// seqHeader is where vegeta puts a request's sequence number. It is the only
// way to learn it: the number is dealt under a lock, and the targeter is
// called after that, without it.
const seqHeader = "X-Vegeta-Seq"

// wire is the http.RoundTripper under vegeta's client: it makes the request
// that the plan has for a sequence number and keeps the books of it.
//
// It also keeps the time limit. http.Client.Timeout would cost two goroutines
// and a timer more for each request, because the client does not know that
// this http.RoundTripper ends when the context does.
type wire struct {
	plan      *plan
	requestID string // "<run>-" or "<run>-w2-"
	servedBy  string // the header that names who answered
	timeout   time.Duration
	transport http.RoundTripper
	book      *book
	beacons   *beaconers
}

// RoundTrip implements http.RoundTripper. Of vegeta's request only the
// sequence number counts.
func (w *wire) RoundTrip(template *http.Request) (*http.Response, error) {
	n, err := strconv.ParseUint(template.Header.Get(seqHeader), 10, 64)
	if err != nil {
		return nil, err
	}
	seq := w.book.part.Seq(n)
	x := &exchange{target: w.plan.target(seq)}
	w.book.open(n, x)
	w.beacons.asked(seq, x)
	ctx, cancel := context.WithTimeout(template.Context(), w.timeout)
	req := w.request(ctx, seq, x)
	resp, err := w.transport.RoundTrip(req)
	for err != nil && x.again() && ctx.Err() == nil {
		resp, err = w.transport.RoundTrip(req)
	}
	x.end(resp, w.servedBy, err)
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = timedBody{resp.Body, cancel}
	return resp, nil
}

func (w *wire) request(ctx context.Context, seq uint64, x *exchange) *http.Request {
	u := x.target.url()
	req := &http.Request{
		Method: x.target.route.Method,
		URL:    u,
		Host:   u.Host,
		Header: http.Header{
			"User-Agent":   {"throughline"},
			"X-Request-Id": {w.requestID + strconv.FormatUint(seq, 10)},
		},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		req.Body, req.TransferEncoding = emptyBody{}, []string{"identity"}
	}
	return req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: x.carry}))
}

// timedBody is an answer's body. Its request's time limit ends with it.
type timedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b timedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
