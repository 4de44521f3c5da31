package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// longestBody is how long the parameters in the body of a request may be, in bytes:
// no longer than the store reads them.
const longestBody = 1 << 20

// policy is the Content-Security-Policy of every answer but the page, which has its
// own: a browser loads, runs and sends nothing for it.
const policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guarded stands before the HTTP API. It reads the request's body to its end
// within the server's ReadTimeout and with a bound, so that who sends slowly
// holds up nothing, and then takes that deadline away: the question itself may
// take longer. configured is the address that the listener was asked for, at is
// where it listens.
func guarded(api http.Handler, configured string, at net.Addr) http.Handler {
	check := onLoopback(at)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", policy)
		if check {
			if err := foreign(r, configured); err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
				return
			}
		}
		if status, err := readBody(w, r); err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, err.Error(), status)
			return
		}
		api.ServeHTTP(w, r)
	})
}

func onLoopback(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// readBody puts the body of a request into memory.
func readBody(w http.ResponseWriter, r *http.Request) (status int, err error) {
	var tooLarge *http.MaxBytesError
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestBody))
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, fmt.Errorf("the body has more than %d bytes: ask for its parts one by one", longestBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout, fmt.Errorf("the request did not come within %v: send it at once", slowestRequest)
	case err != nil:
		return http.StatusBadRequest, fmt.Errorf("read the body: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // else the request ends with it, though it was read
	return 0, nil
}

// foreign tells why a request does not come from where a browser may be sent
// from. A collector on loopback is reached by every page that the user of the
// machine opens: a name of the attacker that resolves to 127.0.0.1 (DNS
// rebinding) has a Host that is not ours, and a page of another site has an
// Origin or a Sec-Fetch-Site that says so. What is no browser sends neither.
func foreign(r *http.Request, configured string) error {
	if !ours(r.Host, configured) {
		return fmt.Errorf("host %.100q: want localhost, a loopback address or the address of --listen; "+
			"listen on another address (--listen 0.0.0.0:9102) to be asked by other names", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return fmt.Errorf("origin %.100q: pages of another origin may not ask; ask from a program, or through Grafana's server", origin)
		}
	}
	site := r.Header.Get("Sec-Fetch-Site")
	followed := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" && r.Method == http.MethodGet
	if (site == "cross-site" || site == "same-site") && !followed {
		return fmt.Errorf("a page of another origin (%s) may not ask; ask from a program, or through Grafana's server", site)
	}
	return nil
}

// ours tells whether a Host names this machine for itself. The names by which
// containers call their host belong to it: no page of somebody else has them.
func ours(host, configured string) bool {
	if host == "" { // HTTP/1.0, which is no browser
		return true
	}
	name := hostOf(host)
	if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return addr.Unmap().IsLoopback()
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	switch name {
	case "localhost", "host.docker.internal", "host.containers.internal", strings.ToLower(hostOf(configured)):
		return true
	}
	return strings.HasSuffix(name, ".localhost")
}

// hostOf is an address without its port.
func hostOf(address string) string {
	if name, _, err := net.SplitHostPort(address); err == nil {
		return name
	}
	return address
}
