package main

import (
	"crypto/rand"
	"fmt"
	"html/template"
	"io"
	"time"

	"throughline/cmd/throughline/cli"
	"throughline/live/inventory"
	"throughline/live/page"
	"throughline/live/remote"
	"throughline/scenarios/report"
	"throughline/scenarios/run"
	"throughline/scenarios/trial"
	"throughline/scratch"
	"throughline/workshop"
)

// pageAddr is where the page is, unless another place is asked for, or it is taken.
const pageAddr = "127.0.0.1:8900"

// off is the value of a flag of an address that asks for none.
const off = "off"

// lastLook is how long the end of the program waits for those who look on to get the last
// of the page.
const lastLook = time.Second

// window is the page that shows what goes on, and where moves are made. Where there is no
// page, all of its methods do nothing.
type window struct {
	screen    *trial.Screen // nil: there is no page
	roster    *run.Roster   // of whom the inventory is made; nil: there is no page
	server    *page.Server
	url       string          // where it is opened
	moves     *remote.Handler // nil: nobody can make any
	announced *scratch.Dir
	stage     *workshop.Stage // leads through the talk; nil: nobody is led
}

// openWindow opens it, before there is anything to see, which show says; hand makes moves,
// or is nil. That it cannot be had spoils nothing, and is said to tell.
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
	w := &window{screen: trial.NewScreen(), roster: &run.Roster{}, server: page.New(l, page.Config{})}
	w.url = w.server.URL()
	w.server.Handle(inventory.Path, inventory.Handler(w.roster.Hosts))
	if hand != nil {
		w.reach(l.Addr().String(), hand, tell)
	} else if w.announced, err = remote.Announce(remote.Client{URL: w.server.URL(), ReadOnly: true}); err != nil {
		tell(fmt.Errorf("throughline inventory will not find this run: %w", err))
	}
	return w
}

// show has the page show what it leads to from now on, and opens a browser if that is wanted.
func (w *window) show(open bool, tell func(error)) {
	if w.server == nil {
		return
	}
	w.server.Show(w)
	if !open {
		return
	}
	if err := cli.OpenBrowser(w.url); err != nil {
		tell(fmt.Errorf("--open: %w; open %s", err, w.url))
	}
}

// reach lets moves be made by the page, and by throughline ctl.
func (w *window) reach(addr string, hand remote.Hand, tell func(error)) {
	token := rand.Text()
	w.moves = remote.NewHandler(hand, token, addr)
	w.moves.Moved = w.server.Look
	for _, path := range w.moves.Paths() {
		w.server.Handle(path, w.moves)
	}
	w.url = remote.Address(w.server.URL(), token)
	var err error
	if w.announced, err = remote.Announce(remote.Client{URL: w.server.URL(), Token: token}); err != nil {
		tell(fmt.Errorf("throughline ctl will not find this stack: %w", err))
	}
}

// Page implements page.Show.
func (w *window) Page(to io.Writer) error {
	now, err := w.screen.Page()
	if err != nil {
		return err
	}
	o := report.Options{Live: true, Title: w.screen.Title(), Script: template.JS(page.Script)} //nolint:gosec // it is ours
	aside, script := w.led()
	if o.Aside, o.Script = aside, o.Script+script; w.moves != nil {
		o.Aside, o.Script = o.Aside+w.moves.Panel(), o.Script+template.JS(remote.Script) //nolint:gosec // it is ours
	}
	return now.Write(to, o)
}

// Parts implements page.Show.
func (w *window) Parts() ([]page.Part, error) {
	sections, err := w.screen.Parts()
	if err != nil {
		return nil, err
	}
	parts := []page.Part{{ID: page.TitleID, HTML: template.HTML(w.screen.Title())}} //nolint:gosec // the page takes it as text
	for _, s := range sections {
		parts = append(parts, page.Part{ID: s.ID, HTML: s.HTML})
	}
	if w.stage != nil {
		for _, p := range w.stage.Pieces() {
			parts = append(parts, page.Part{ID: p.ID, HTML: p.HTML})
		}
	}
	if w.moves != nil {
		for _, p := range w.moves.Pieces() {
			parts = append(parts, page.Part{ID: p.ID, HTML: p.HTML})
		}
	}
	return parts, nil
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
