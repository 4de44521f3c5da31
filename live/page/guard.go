package page

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// guarded lets through what may ask: who asks by the right name, and, for all but opening
// the page, from a page of our own or from no page at all.
//
// A page of another site can have a browser ask for whatever it likes; it cannot change what
// the browser says of it in Origin and Sec-Fetch-Site. And a name that an attacker has made to
// point to this machine is no address and not localhost, which Host tells.
func guarded(next http.Handler) http.Handler {
	posts := http.NewCrossOriginProtection()
	return posts.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // an address may have a token in it; with no-referrer, forms would have no origin
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		switch {
		case !rightHost(r.Host):
			http.Error(w, fmt.Sprintf("%q is no name of this page: ask by its address", r.Host), http.StatusMisdirectedRequest)
		case r.URL.Path != "/" && foreign(r):
			http.Error(w, "another site's page may not ask for this", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	}))
}

// rightHost tells whether a Host header has an address or localhost.
func rightHost(header string) bool {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = strings.Trim(header, "[]")
	}
	return net.ParseIP(host) != nil || strings.EqualFold(host, "localhost")
}

// foreign tells whether a page of another origin asks.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	return origin != "" && origin != "http://"+r.Host
}
