package rum

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The reasons for which a request is no beacon.
const (
	badHost    = "host"    // it asks by a name that is not this machine's
	badOrigin  = "origin"  // of a page that may not send any, or of none
	badMethod  = "method"  // it is no POST
	badType    = "type"    // neither text/plain nor application/json
	badSize    = "size"    // more than MaxBody
	badCut     = "cut"     // it broke off, or took too long
	badBody    = "body"    // it is not what a beacon looks like
	badID      = "id"      // the page's is none
	badRoute   = "route"   // there is no such page
	badLatency = "latency" // nobody waits that long, or less than no time
	badRoutes  = "routes"  // one page too many
	badRate    = "rate"    // there are too many beacons
)

// longestWait is the longest time that a beacon may tell: no user waits longer.
const longestWait = 10 * time.Minute

var (
	pageID    = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
	routeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
)

// preflightAge is for how many seconds a browser may keep the answer to a preflight.
const preflightAge = "600"

// refusal is why a request is no beacon, and how it is answered.
type refusal struct {
	reason string
	status int
	why    string
}

func refuse(status int, reason, format string, args ...any) *refusal {
	return &refusal{reason, status, fmt.Sprintf(format, args...)}
}

// ServeHTTP takes a beacon, or grants a preflight.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Origin")
	if r.URL.Path != Path {
		http.Error(w, "beacons are taken at "+Path+", and nothing else is here", http.StatusNotFound)
		return
	}
	bad := c.foreign(r)
	if bad == nil { // who may not send is told nothing: a browser then keeps the answer from the page
		h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		h.Set("Access-Control-Allow-Credentials", "true") // sendBeacon always sends them
	}
	if r.Method == http.MethodOptions {
		c.preflight(w, bad)
		return
	}
	var b Beacon
	if bad == nil {
		b, bad = c.read(w, r)
	}
	if bad = c.take(b, bad); bad != nil {
		if bad.reason == badMethod {
			h.Set("Allow", "POST, OPTIONS")
		}
		http.Error(w, bad.why, bad.status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// preflight answers what a browser asks before it sends what no form could.
func (c *Collector) preflight(w http.ResponseWriter, bad *refusal) {
	c.mu.Lock()
	if bad != nil {
		c.figures.Refused++
	} else {
		c.figures.Preflight++
	}
	c.mu.Unlock()
	if bad != nil {
		http.Error(w, bad.why, bad.status)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	h.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
}

// foreign tells why a request is of no page that may send beacons. On loopback it must
// ask by a name of this machine, too: a name that somebody made to point here is none.
func (c *Collector) foreign(r *http.Request) *refusal {
	if tcp, ok := c.listener.Addr().(*net.TCPAddr); ok && tcp.IP.IsLoopback() && !local(r.Host, c.cfg.Addr) {
		return refuse(http.StatusForbidden, badHost, "host %.100q: want localhost or a loopback address; listen on another address to be asked by other names", r.Host)
	}
	origin := r.Header.Get("Origin")
	if !slices.Contains(c.cfg.Origins, origin) {
		return refuse(http.StatusForbidden, badOrigin, "origin %.100q: its pages may not send beacons here", origin)
	}
	return nil
}

// local tells whether a Host names this machine for itself. The names by which containers
// call their host belong to it.
func local(host, configured string) bool {
	name := hostOf(host)
	if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return addr.Unmap().IsLoopback()
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	return slices.Contains([]string{"localhost", "host.docker.internal", "host.containers.internal", strings.ToLower(hostOf(configured))}, name) ||
		strings.HasSuffix(name, ".localhost")
}

// hostOf is an address without its port.
func hostOf(address string) string {
	if name, _, err := net.SplitHostPort(address); err == nil {
		return name
	}
	return address
}

// message is a beacon's body.
type message struct {
	ID      string   `json:"id"`
	Route   string   `json:"route"`
	Latency *float64 `json:"latency_ms"`
}

// read reads a beacon, which is not looked up yet.
func (c *Collector) read(w http.ResponseWriter, r *http.Request) (Beacon, *refusal) {
	if r.Method != http.MethodPost {
		return Beacon{}, refuse(http.StatusMethodNotAllowed, badMethod, "%.20s: a beacon is a POST", r.Method)
	}
	b := Beacon{}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "text/plain":
		b.Form = Text
	case "application/json":
		b.Form = JSON
	default:
		return b, refuse(http.StatusUnsupportedMediaType, badType, "content type %.100q: want text/plain or application/json", r.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return b, refuse(http.StatusRequestEntityTooLarge, badSize, "the body has more than %d bytes", MaxBody)
	case err != nil:
		return b, refuse(http.StatusBadRequest, badCut, "the body did not come to its end")
	}
	return b, b.parse(text)
}

// parse reads a body.
func (b *Beacon) parse(text []byte) *refusal {
	var m message
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return refuse(http.StatusBadRequest, badBody, `the body is no beacon: %.200v; want {"id": "…", "route": "…", "latency_ms": 12.5}`, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return refuse(http.StatusBadRequest, badBody, "the body is no beacon: there is more behind it")
	}
	switch {
	case !pageID.MatchString(m.ID):
		return refuse(http.StatusBadRequest, badID, "id %.100q: want the X-Request-Id of the page, of 1 to 128 letters, digits and . _ : -", m.ID)
	case !routeName.MatchString(m.Route):
		return refuse(http.StatusBadRequest, badRoute, "route %.100q: want a letter or digit, then letters, digits, '.', '_' and '-', 64 at most", m.Route)
	case m.Latency == nil || *m.Latency < 0 || *m.Latency > float64(longestWait/time.Millisecond):
		return refuse(http.StatusBadRequest, badLatency, "latency_ms: want a time in milliseconds from 0 to %d", longestWait/time.Millisecond)
	}
	b.ID, b.Route = m.ID, m.Route
	// To the microsecond: so a browser can make up a bounded number of buckets only.
	b.Latency = time.Duration(math.Round(*m.Latency*1000)) * time.Microsecond
	return nil
}

// take counts a beacon, or why it is none. What it counted is given at the end of the
// interval, whatever comes.
func (c *Collector) take(b Beacon, bad *refusal) *refusal {
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != running {
		return refuse(http.StatusServiceUnavailable, "", "the collector has ended")
	}
	c.figures.Requests++
	var of *route
	if bad == nil && !c.limit.AllowN(now, 1) {
		bad = refuse(http.StatusTooManyRequests, badRate, "more than %v beacons a second", c.cfg.Rate)
	}
	if bad == nil {
		of, bad = c.route(b.Route)
	}
	if bad != nil {
		c.figures.Bad[bad.reason]++
		return bad
	}
	b.At = now
	c.figures.Beacons++
	of.views++
	of.observed++
	of.times.Add(c.bounds, float64(b.Latency.Microseconds())/1000, 1)
	if c.cfg.Took != nil {
		c.cfg.Took(b)
	}
	return nil
}

// route finds what was told of a page. c.mu is held.
func (c *Collector) route(name string) (*route, *refusal) {
	if known := c.routes[name]; known != nil {
		return known, nil
	}
	switch {
	case len(c.cfg.Routes) > 0 && !slices.Contains(c.cfg.Routes, name):
		return nil, refuse(http.StatusBadRequest, badRoute, "route %q: there is no such page", name)
	case len(c.cfg.Routes) == 0 && len(c.routes) >= c.cfg.MaxRoutes:
		return nil, refuse(http.StatusBadRequest, badRoutes, "route %q: there are %d already, and no more are told apart", name, len(c.routes))
	}
	r := c.newRoute(name)
	c.routes[name] = r
	return r, nil
}
