package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"throughline/live/page"
	"throughline/live/remote"
	"throughline/scratch"
)

// pageAddr is where the page is, unless another place is asked for, or it is taken.
const pageAddr = "127.0.0.1:8900"

// off is the value of a flag of an address that asks for none.
const off = "off"

// lastLook is how long the end of the program waits for those who look on to get the last
// of the page.
const lastLook = time.Second

// window is the page that shows what goes on, and where moves are made. Without a page, all
// of its methods do nothing.
type window struct {
	server    *page.Server // nil: there is no page
	url       string       // where it is opened
	announced *scratch.Dir // nil: nobody can make moves
}

// openWindow opens it, before there is anything to see; hand makes moves, or is nil. That
// it cannot be had spoils nothing, and is said to tell.
func openWindow(f runFlags, hand remote.Hand, tell func(error)) *window {
	addr := f.page
	switch {
	case addr == off, addr == "" && f.dashboard == off:
		return &window{}
	case addr == "":
		addr = pageAddr
	}
	l, err := page.Listen(addr, f.page == "")
	if err != nil {
		tell(fmt.Errorf("there is no page to look on: --page %s: %w", addr, err))
		return &window{}
	}
	w := &window{server: page.New(l, page.Config{})}
	w.url = w.server.URL()
	if hand == nil {
		return w
	}
	token := rand.Text()
	handler := remote.NewHandler(hand, token, l.Addr().String())
	handler.Moved = w.server.Look
	for _, path := range handler.Paths() {
		w.server.Handle(path, handler)
	}
	w.url = remote.Address(w.url, token)
	if w.announced, err = remote.Announce(remote.Client{URL: w.server.URL(), Token: token}); err != nil {
		tell(fmt.Errorf("throughline ctl will not find this stack: %w", err))
	}
	return w
}

// tell prints where the page is.
func (w *window) tell(to io.Writer) {
	if w.server != nil {
		fmt.Fprintf(to, "page           %s\n", w.url)
	}
}

// close lets those who look on see the last of it, and closes it.
func (w *window) close() {
	if w.server == nil {
		return
	}
	if w.announced != nil {
		_ = w.announced.Remove() // else the next program does
	}
	_ = w.server.Close(lastLook)
}
