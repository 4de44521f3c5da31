package rum

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/browsertest"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }

// site serves pages that know a function beacon(id), which makes the body of one with the page's own time, and where
// beacons are taken.
func site(t *testing.T, collectorAt *string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="en"><title>%s</title><p>a page</p><script>
const at = %q
const beacon = id => JSON.stringify({id, route: 'insert', latency_ms: performance.getEntriesByType('navigation')[0].responseEnd})
const json = id => new Blob([beacon(id)], {type: 'application/json'})
</script>`, r.URL.Path, "http://"+*collectorAt+Path)
	}))
	t.Cleanup(s.Close)
	return s
}

// inBrowser opens a page of a site whose beacons are taken, if its origin is the one, and gives what is taken when it ends.
func inBrowser(t *testing.T, origin func(site string) string) (p *browsertest.Page, c *Collector, taken func() []string) {
	t.Helper()
	var at string
	s := site(t, &at)
	var took []Beacon
	c, end := open(t, Config{Origins: []string{origin(s.URL)}, Took: func(b Beacon) { took = append(took, b) }})
	at = c.Addr()
	p = browsertest.Open(t, s.URL+"/page", browsertest.View{})
	t.Cleanup(func() { // before the page's own, which fails the test for what was not meant
		for _, text := range p.Complaints() {
			if !strings.Contains(text, at) {
				t.Errorf("the browser complains: %s", text)
			}
		}
	})
	return p, c, func() []string {
		end()
		var names []string
		for _, b := range took {
			if b.Latency < 0 || b.Latency > 10*time.Minute || b.Route != "insert" {
				t.Errorf("%+v", b)
			}
			names = append(names, b.ID+" "+string(b.Form))
		}
		slices.Sort(names)
		return names
	}
}

// await waits until so many requests came, preflights that were refused among them.
func (c *Collector) await(t *testing.T, n uint64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if f := c.Figures(); f.Requests+f.Refused >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %d requests: %+v", n, c.Figures())
		}
	}
}

// TestBeaconsOfABrowser: whatever a real browser sends is taken as what it is, each once: a string, a Blob of JSON after a
// preflight, a fetch that outlives its page; and what it sends when the page is hidden and left.
func TestBeaconsOfABrowser(t *testing.T) {
	t.Parallel()
	p, c, taken := inBrowser(t, func(site string) string { return site })
	for _, send := range []string{
		`navigator.sendBeacon(at, beacon('string'))`,
		`navigator.sendBeacon(at, json('blob'))`,
		`(fetch(at, {method: 'POST', keepalive: true, credentials: 'include', headers: {'Content-Type': 'application/json'}, body: beacon('fetch')}), true)`,
		`navigator.sendBeacon(at, new URLSearchParams({id: 'form'}))`, // refused, for it is none
		`!navigator.sendBeacon(at, 'x'.repeat(65537))`,                // a browser sends none of that size
	} {
		if !browsertest.Eval[bool](p, send) {
			t.Errorf("%s: the browser does not do what it must", send)
		}
	}
	c.await(t, 4)
	browsertest.Eval[bool](p, `(addEventListener('pagehide', () => navigator.sendBeacon(at, beacon('pagehide'))),
		document.addEventListener('visibilitychange', () => document.visibilityState == 'hidden' && navigator.sendBeacon(at, json('hidden'))),
		location.href = '/next', true)`)
	c.await(t, 6)
	p.Wait(`document.title == '/next'`)
	if diff := cmp.Diff([]string{"blob json", "fetch json", "hidden json", "pagehide text", "string text"}, taken()); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	if f := c.Figures(); f.Requests != 6 || f.Beacons != 5 || f.Bad[badType] != 1 || f.Preflight == 0 || f.Refused != 0 {
		t.Errorf("%+v", f)
	}
}

// TestBeaconsOfAnotherOrigin: of a page whose origin is another by a letter nothing is taken. Of its JSON nothing comes: only
// the refused preflight shows that there was any, for sendBeacon says true.
func TestBeaconsOfAnotherOrigin(t *testing.T) {
	t.Parallel()
	p, c, taken := inBrowser(t, func(site string) string { return strings.Replace(site, "127.0.0.1", "localhost", 1) })
	for _, send := range []string{`navigator.sendBeacon(at, json('blob'))`, `navigator.sendBeacon(at, beacon('string'))`} {
		if !browsertest.Eval[bool](p, send) {
			t.Errorf("%s is not true", send)
		}
	}
	c.await(t, 2)
	if got := taken(); len(got) > 0 {
		t.Errorf("taken: %v", got)
	}
	if f := c.Figures(); f.Requests != 1 || f.Bad[badOrigin] != 1 || f.Refused == 0 || f.Preflight != 0 {
		t.Errorf("%+v", f)
	}
}
