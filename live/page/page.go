// Package page serves a page that changes while people look at it: whole to who opens it,
// and then, by server-sent events, each part of it that has changed, about once a second.
//
// It does not know what the page shows: that is a [Show], which it asks for the parts only
// while somebody looks. Nothing is kept for a viewer: each gets the newest parts when it
// is ready for them, so that a slow one sees less often, a dead one is dropped, and what
// is shown waits for none. It is no journal: what was between two looks is not told.
//
// The command line opens one beside a run, and hands in what the run shows.
package page

import (
	"context"
	_ "embed" // live.js
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Part is a piece of the page that may change.
type Part struct {
	ID   string // of the element whose content it is, or TitleID
	HTML template.HTML
}

// TitleID is the ID of a part that is the title of the window, and plain text.
const TitleID = "title"

// Show is what there is to see. Its methods may be called by several goroutines at once.
type Show interface {
	// Page writes the whole page as it is now, with all its parts and Script in it, and
	// with a content security policy of its own, which lets it connect to where it came from.
	Page(w io.Writer) error
	// Parts gives the parts as they are now, in the order of the page.
	Parts() ([]Part, error)
}

// Script puts new parts in the place of old ones. If the page has a function
// throughline.fill(id, html), that does it; so can the page keep what people did to a part.
// It says in #live-state whether the page is live, at its end if there is none.
//
//go:embed live.js
var Script string

// Config is how a page is served. Where a value is 0, it has the one in brackets.
type Config struct {
	Every    time.Duration // how often it is looked for changed parts [1 s]
	Beat     time.Duration // how often a viewer is sent something, if only a sign of life [15 s]
	Patience time.Duration // how long a viewer may take to take in what it is sent [5 s]
	Viewers  int           // how many there may be at a time [32]
}

func (c Config) filled() Config {
	or := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	or(&c.Every, time.Second)
	or(&c.Beat, 15*time.Second)
	or(&c.Patience, 5*time.Second)
	if c.Viewers == 0 {
		c.Viewers = 32
	}
	return c
}

// Server serves one page. Its methods may be called by several goroutines at once.
type Server struct {
	config   Config
	listener net.Listener
	mux      *http.ServeMux
	http     http.Server
	served   chan struct{} // closed when it no longer serves
	board    *board

	mu      sync.Mutex
	viewers int
	gone    chan struct{} // closed when the last viewer left; nil: there is none
}

// nextPorts is how many ports after the wanted one are tried.
const nextPorts = 100

// Listen listens at an address. If its port is taken, and another will do, it takes one of
// the next hundred.
func Listen(addr string, another bool) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil || !another || !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	host, port, _ := net.SplitHostPort(addr) // somebody listens there
	first, _ := strconv.Atoi(port)
	for n := first + 1; n <= min(first+nextPorts, 65535); n++ {
		if l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(n))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("%w; and so are the next %d ports", err, nextPorts)
}

// New serves on a listener, which it closes in the end. Until Show says what there is to
// see, who comes is told to wait.
func New(l net.Listener, c Config) *Server {
	s := &Server{config: c.filled(), listener: l, mux: http.NewServeMux(), served: make(chan struct{})}
	s.board = newBoard()
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /events", s.events)
	s.mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }) // asked for by each browser
	s.http = http.Server{
		Handler: guarded(s.mux), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(l) // ends with Close
	}()
	return s
}

// Handle has something else served beside the page, behind the same guard. It is called
// before anybody is told of the address.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// URL is where the page is.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/" }

// Show changes what there is to see. Who looks at another page is told to load this one,
// unless it has the same parts.
func (s *Server) Show(w Show) { s.board.show(w) }

// Look looks for changed parts now, instead of when it is time.
func (s *Server) Look() { s.board.look() }

// Close sends the last parts to those who look on, tells them that there will be no more,
// and serves no longer. It waits until they have them, but not beyond within, and not at all
// if nobody looks on.
func (s *Server) Close(within time.Duration) error {
	s.board.look()
	s.board.end()
	s.mu.Lock()
	gone := s.gone
	s.mu.Unlock()
	if gone != nil {
		waiting, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		select {
		case <-gone:
			_ = s.http.Shutdown(waiting) // their answers are ended in order, or Close ends them
		case <-waiting.Done():
		}
	}
	err := s.http.Close()
	<-s.served
	return err
}

// page gives the whole page.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	show := s.board.shown()
	if show == nil {
		w.Header().Set("Refresh", "1")
		http.Error(w, "There is nothing to see yet. This page asks again by itself.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Security-Policy", "frame-ancestors 'none'") // what else there is to say, the page does
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := show.Page(w); err != nil {
		http.Error(w, fmt.Sprintf("the page cannot be shown: %v", err), http.StatusInternalServerError)
	}
}

// enter counts a viewer in; it is false where there are as many as there may be.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.viewers == s.config.Viewers {
		return false
	}
	if s.viewers++; s.viewers == 1 {
		s.gone = make(chan struct{})
		go s.board.watch(s.gone, s.config.Every)
	}
	return true
}

// leave counts a viewer out.
func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.viewers--; s.viewers == 0 {
		close(s.gone)
		s.gone = nil
	}
}
