package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// View is how a page is looked at.
type View struct {
	Width     int  // of the window, in CSS pixels; 0 means 1400
	Height    int  // 0 means 900
	Dark      bool // the user prefers dark; else light
	NoScripts bool // the page's scripts are not run; those of the test are
	Print     bool // the style sheet for paper
}

// Name names a view as a file does: "360-dark".
func (v View) Name() string {
	v = v.withDefaults()
	name := fmt.Sprint(v.Width)
	for _, part := range []struct {
		on   bool
		name string
	}{{v.Dark, "-dark"}, {v.NoScripts, "-noscripts"}, {v.Print, "-print"}} {
		if part.on {
			name += part.name
		}
	}
	return name
}

func (v View) withDefaults() View {
	if v.Width == 0 {
		v.Width = 1400
	}
	if v.Height == 0 {
		v.Height = 900
	}
	return v
}

// Views are the ways in which a page that people read has to be whole: three widths,
// light and dark, and without scripts.
func Views() []View {
	return []View{{}, {Dark: true}, {Width: 800}, {Width: 360}, {Width: 360, Dark: true, NoScripts: true}}
}

// Page is an open tab. It is used by one goroutine.
type Page struct {
	t    testing.TB
	ctx  context.Context
	view View

	mu         sync.Mutex
	origin     string // scheme and host of what was opened
	complaints []string
	requests   []string
}

// Open opens a URL in a tab of its own, and returns when it is loaded. The test fails at
// its end if the browser complained of the page (an error in the console, a violation of
// its Content-Security-Policy, an exception that nobody caught), or the page requested
// anything of another origin; see Complaints.
func Open(t testing.TB, url string, view View) *Page {
	t.Helper()
	view = view.withDefaults()
	p := &Page{t: t, view: view, origin: originOf(url)}
	ctx, cancel := chromedp.NewContext(only.start(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	p.ctx = ctx
	t.Cleanup(func() {
		for _, c := range p.Complaints() {
			t.Errorf("%s (%s): %s", url, view.Name(), c)
		}
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil { // binds the tab to ctx, not to the deadline of do
		t.Fatalf("open a tab: %v", err)
	}
	p.do("open "+url, chromedp.Steps(view.emulate(), chromedp.Navigate(url)))
	return p
}

// OpenHTML opens a page that is only text, served under a Content-Security-Policy; ""
// means none.
func OpenHTML(t testing.TB, html []byte, policy string, view View) *Page {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
		case "/favicon.ico": // which browsers ask for by themselves
			w.WriteHeader(http.StatusNoContent)
			return
		default:
			http.NotFound(w, r)
			return
		}
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html) // an error means that the tab is gone
	}))
	t.Cleanup(server.Close)
	return Open(t, server.URL+"/", view)
}

// emulate has the tab look at what it opens as the view says.
func (v View) emulate() chromedp.Action[chromedp.Void] {
	scheme, media := "light", "screen"
	if v.Dark {
		scheme = "dark"
	}
	if v.Print {
		media = "print"
	}
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: int64(v.Width), Height: int64(v.Height), DeviceScaleFactor: 1}); err != nil {
			return err
		}
		if _, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.NoScripts})
		return err
	})
}

// hear notes what the browser says of the page. chromedp calls it for one event after
// the other.
func (p *Page) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			p.complain("console: " + argsText(e.Args))
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.complain("exception: " + text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			p.complain(fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		p.request(e.Request.URL)
	}
}

func argsText(args []*runtime.RemoteObject) string {
	var texts []string
	for _, a := range args {
		if a.Description != "" {
			texts = append(texts, a.Description)
		} else {
			texts = append(texts, strings.Trim(string(a.Value), `"`))
		}
	}
	return strings.Join(texts, " ")
}

func (p *Page) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, strings.TrimSpace(text))
}

func (p *Page) request(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, url)
	if o := originOf(url); o != p.origin && !strings.HasPrefix(url, "data:") && url != "about:blank" {
		p.complaints = append(p.complaints, "foreign request: "+url)
	}
}

func originOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return u.Scheme + "://" + u.Host
}

// Complaints gives what the browser complained of so far, and what the page requested
// from elsewhere. What was given is forgotten: a test that expects it takes it, what is
// left at its end fails it.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.complaints
	p.complaints = nil
	return all
}

// Requests gives the URL of every request so far, that of the page too, in their order.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}
