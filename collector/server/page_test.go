package server

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"throughline/browsertest"
	"throughline/collector"
	"throughline/collector/series"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }

// fill gives the store what three instances do from a minute ago to two minutes from now,
// of which one died 5 seconds ago, and more series than the page shows. So nobody else
// looks dead when a browser takes its time.
func fill(t *testing.T, store *series.Store) {
	t.Helper()
	insert := &collector.Meta{Type: collector.Counter, Sent: "fullstack.insert"}
	timed := &collector.Meta{Type: collector.Summary, Sent: "fullstack.insert.time", Unit: "seconds"}
	gauge := &collector.Meta{Type: collector.Gauge}
	now := time.Now().Truncate(time.Second)
	total := map[string]float64{}
	for ago := 60; ago >= -120; ago-- {
		at := now.Add(-time.Duration(ago) * time.Second)
		var all []collector.Sample
		for i, instance := range []string{"web-1", "web-2", "web-3"} {
			labels := collector.NewLabels("instance", instance, "role", "web", "zone", string(rune('a'+i)))
			if instance == "web-2" && ago <= 5 {
				if ago == 5 {
					all = append(all, collector.Sample{Name: "fullstack_insert_total", Labels: labels, At: at, Stale: true})
				}
				continue
			}
			total[instance] += math.Round(60 + 25*math.Sin(float64(ago)/5))
			n := total[instance]
			all = append(all, collector.Sample{Name: "fullstack_insert_total", Labels: labels, Meta: insert, At: at, Value: n, Observed: 1},
				collector.Sample{Name: "fullstack_insert_time", Labels: labels, Meta: timed, At: at, Observed: 1,
					Histogram: &collector.Histogram{Schema: 3, Count: n, Sum: n * 0.0023, Positive: []collector.Bucket{{Index: -70, Count: n}}}})
		}
		for i := range 150 {
			all = append(all, collector.Sample{Name: fmt.Sprintf("haproxy_figure_%03d", i), Meta: gauge, At: at, Value: float64(i), Observed: 1,
				Labels: collector.NewLabels("proxy", "be_web", "server", "a-name-as-long-as-some-are-in-kubernetes-7d9f8b6c5d-x2x4z")})
		}
		if ago < 3 {
			for i := range 300 {
				all = append(all, collector.Sample{Name: "crowd", Meta: gauge, At: at, Value: 1, Observed: 1, Labels: collector.NewLabels("instance", fmt.Sprintf("web-%d", i))})
			}
		}
		if err := store.Append(all...); err != nil {
			t.Fatal(err)
		}
	}
}

// busy is a collector that has much to show, and lost something.
func busy(t *testing.T) *rig {
	t.Helper()
	s := newServer(t, Config{HTTP: "127.0.0.1:0", Interval: time.Second})
	send := sender(t, s, "web-1")
	start(t, s)
	send("a.b:1|c\nx:y|c\n_e{8,5}:deployed|to v2|t:warning")
	wait(t, "the loss is known", func() bool { return len(s.losses()) > 0 })
	fill(t, s.kept)
	return s
}

func TestPageIsSound(t *testing.T) {
	t.Parallel()
	full := busy(t)
	empty := newServer(t, Config{HTTP: "127.0.0.1:0"})
	if _, err := empty.listen("", nil); err != nil {
		t.Fatal(err)
	}
	start(t, empty)
	for _, c := range []struct {
		name  string
		s     *rig
		views []browsertest.View
	}{
		{"busy", full, append(browsertest.Views(), browsertest.View{Width: 800, Print: true})},
		{"empty", empty, []browsertest.View{{Dark: true}, {Width: 360, NoScripts: true}}},
	} {
		for _, v := range c.views {
			t.Run(c.name+"/"+v.Name(), func(t *testing.T) {
				p := browsertest.Open(t, "http://"+c.s.Addr()+"/", v)
				p.Sound()
				p.Picture("collector")
			})
		}
	}
}

// What the browser says of one instance.
const rowOf = `[...document.querySelectorAll("tr")].find((r) => r.textContent.includes("web-2") && r.closest("tbody").textContent.includes("fullstack_insert_total"))`

func TestPageOfABusyCollector(t *testing.T) {
	t.Parallel()
	p := browsertest.Open(t, "http://"+busy(t).Addr()+"/", browsertest.View{})
	if text := p.Text("main"); !strings.Contains(text, "The first 100 of 457 series of 154 names") || !strings.Contains(text, "and 288 more of this name") ||
		!strings.Contains(text, "sent as fullstack.insert.time") || !strings.Contains(text, "mean 2.3 ms") {
		t.Errorf("the page says\n%s", text)
	}
	if lost := p.Text("main"); !strings.Contains(lost, "reason=bad_value") {
		t.Errorf("what was lost is not told:\n%s", lost)
	}
	if class := browsertest.Eval[string](p, rowOf+".className"); class != "gone" {
		t.Errorf("the dead instance looks %q", class)
	}
	if row := browsertest.Eval[string](p, rowOf+".innerText"); !strings.Contains(row, "gone for ") {
		t.Errorf("the dead instance's row says %q", row)
	}
	grey := `getComputedStyle(` + rowOf + `.querySelector("b")).color`
	if browsertest.Eval[bool](p, grey+` === getComputedStyle(document.querySelector("tr:not(.gone) b")).color`) {
		t.Error("a dead instance has the colour of a living one")
	}
	p.Type("#q", "web-2 insert_total")
	p.Wait(`document.querySelectorAll(".labels").length === 1`)
	p.Wait(`location.search === "?q=web-2%20insert_total"`)
	p.Sound()
}

// The page shows what comes in while it is looked at; without scripts it is loaded anew,
// and finds by the button.
func TestPageGoesOn(t *testing.T) {
	t.Parallel()
	s := newServer(t, Config{HTTP: "127.0.0.1:0", Interval: 100 * time.Millisecond})
	send := sender(t, s, "")
	start(t, s)
	p := browsertest.Open(t, "http://"+s.Addr()+"/", browsertest.View{})
	plain := browsertest.Open(t, "http://"+s.Addr()+"/", browsertest.View{NoScripts: true})
	if text := p.Text(".empty"); !strings.Contains(text, "Nothing has come in yet") {
		t.Errorf("an empty collector says %q", text)
	}
	send("fullstack.insert:1|c\nother:1|c\n")
	p.Wait(`document.querySelectorAll(".labels").length === 2`)
	plain.Wait(`document.querySelectorAll(".labels").length === 2`)
	plain.Type("#q", "fullstack.insert")
	plain.Click("form button")
	plain.Wait(`document.querySelectorAll(".labels").length === 1`)
	plain.Type("#q", " nowhere\r")
	plain.Wait(`document.body.textContent.includes("No series")`)
}

// The line that the empty page shows is typed into a shell, and what it sends arrives.
func TestHelloArrives(t *testing.T) {
	if _, err := exec.LookPath("nc"); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	s := newServer(t, Config{HTTP: "127.0.0.1:0"})
	if _, err := s.listen("", nil); err != nil {
		t.Fatal(err)
	}
	start(t, s)
	hello := s.hello()
	if out, err := exec.Command("sh", "-c", hello).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", hello, err, out)
	}
	wait(t, "hello arrives", func() bool { return exposed(t, s, "hello_total") == 1 })
}

func TestHello(t *testing.T) {
	t.Parallel()
	s := newServer(t, Config{})
	if got := s.hello(); got != "" {
		t.Errorf("with no way in: %q", got)
	}
	for _, l := range []statsd.Listener{
		{Addr: socket.Address{Network: socket.TCP, Host: "127.0.0.1:0"}},
		{Instance: "web-1", Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}},
		{Addr: socket.Address{Network: socket.UDP, Host: "0.0.0.0:0"}},
	} {
		addr, err := s.statsd.Listen(l)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if l.Addr.Network == socket.UDP {
			want = "printf 'hello:1|c' | nc -u -w0 127.0.0.1 " + addr.Host[strings.LastIndex(addr.Host, ":")+1:]
		}
		if got := s.hello(); got != want {
			t.Errorf("after %+v: %q, want %q", l, got, want)
		}
	}
}

// What is searched for is text, however long or odd it is.
func TestPageEscapesWhatIsSearchedFor(t *testing.T) {
	t.Parallel()
	s := newServer(t, Config{HTTP: "127.0.0.1:0"})
	start(t, s)
	for _, q := range []string{"%3Cscript%3Ealert(1)%3C/script%3E", "%22%20autofocus%20x=%22", strings.Repeat("%C3%A4", 500), "%ff%00"} {
		status, page := fetch(t, s, "/?q="+q)
		if status != http.StatusOK || strings.Contains(page, "<script>") || strings.Contains(page, `" autofocus`) || strings.Contains(page, strings.Repeat("ä", 101)) {
			t.Errorf("%s: status %d\n%s", q, status, page)
		}
	}
	for _, path := range []string{"/page/page.css", "/page/page.js", "/page/icon.svg"} {
		if status, _ := fetch(t, s, path); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
	}
	for _, path := range []string{"/page/", "/page/page.html", "/page/../server.go"} {
		if status, _ := fetch(t, s, path); status != http.StatusNotFound {
			t.Errorf("%s: status %d, want none", path, status)
		}
	}
}
