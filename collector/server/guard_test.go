package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"throughline/collector/series"
)

func TestForeignRequests(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })
	loopback, all := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9102}, &net.TCPAddr{IP: net.IPv4zero, Port: 9102}
	page := "Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|"
	for _, c := range []struct {
		host, headers string
		want          string // of the answer
	}{
		{"127.0.0.1:9102", "", "ok"},
		{"127.0.0.1", "", "ok"},
		{"127.8.9.1:9102", "", "ok"},
		{"[::1]:9102", "", "ok"},
		{"[::1]", "", "ok"},
		{"localhost:9102", "", "ok"},
		{"LocalHost.:9102", "", "ok"},
		{"metrics.localhost:80", "", "ok"},
		{"workstation:9102", "", "ok"}, // as --listen has it
		{"host.docker.internal:9102", "", "ok"},
		{"", "", "ok"},
		{"rebound.example:9102", "", `host "rebound.example:9102": want localhost`},
		{"127.0.0.1.example:9102", "", "want localhost"},
		{"localhost.example", "", "want localhost"},
		{"10.0.0.1:9102", "", "want localhost"},
		{"0.0.0.0:9102", "", "want localhost"},
		{"rebound.example:9102", "Origin: http://rebound.example:9102", "want localhost"},
		{"localhost:9102", "Origin: http://localhost:9102", "ok"},
		{"localhost:9102", "Origin: https://evil.example", `origin "https://evil.example": pages of another origin may not ask`},
		{"localhost:9102", "Origin: http://localhost:3000", "pages of another origin may not ask"},
		{"localhost:9102", "Origin: null", "pages of another origin may not ask"},
		{"localhost:9102", "Sec-Fetch-Site: same-origin", "ok"},
		{"localhost:9102", "Sec-Fetch-Site: none|" + page, "ok"},
		{"localhost:9102", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image", "a page of another origin (cross-site) may not ask"},
		{"localhost:9102", "Sec-Fetch-Site: same-site|Sec-Fetch-Mode: cors", "a page of another origin (same-site) may not ask"},
		{"localhost:9102", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe", "may not ask"},
		{"localhost:9102", "Sec-Fetch-Site: cross-site|" + page, "ok"}, // a link
	} {
		for at, want := range map[*net.TCPAddr]string{loopback: c.want, all: "ok"} {
			r := httptest.NewRequest(http.MethodGet, "/api/v1/query?query=1", nil)
			r.Host = c.host
			for header := range strings.SplitSeq(c.headers, "|") {
				if name, value, ok := strings.Cut(header, ": "); ok {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			guarded(api, "workstation:9102", at).ServeHTTP(w, r)
			status := http.StatusOK
			if want != "ok" {
				status = http.StatusForbidden
			}
			if w.Code != status || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%v, host %q, %s: %d %s, want %s", at, c.host, c.headers, w.Code, w.Body, want)
			}
		}
	}
}

// TestEveryAnswerIsGuarded: pages, errors, the API and what is refused.
func TestEveryAnswerIsGuarded(t *testing.T) {
	s := newServer(t, Config{HTTP: "127.0.0.1:0"})
	start(t, s)
	for path, want := range map[string]int{"/": 200, "/metrics": 200, "/api/v1/query?query=1": 200, "/api/v1/query": 400, "/api/v1/events": 200, "/nothing": 404, "/-/ready": 200} {
		r, err := http.Get("http://" + s.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want || r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %s %v", path, r.Status, r.Header)
		}
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+s.Addr()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "rebound.example"
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusForbidden || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %v", r.Status, r.Header)
	}
}

func TestLongBody(t *testing.T) {
	addr := serve(t, fine, func(*http.Server, *door) {})
	r, err := http.Post("http://"+addr, "application/x-www-form-urlencoded", strings.NewReader(strings.Repeat("x", series.MaxForm+1)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), "the body has more than") {
		t.Errorf("%s %s %v", r.Status, body, err)
	}
}
