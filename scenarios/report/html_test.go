package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

func pageOf(t *testing.T, h record.History, v verdict.Verdict) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, h, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// drawn is the data of a page as lanes.js reads it.
type drawn struct {
	End    float64
	X      []float64
	Charts []struct {
		ID    string
		Lines []struct {
			Label, Tone string
			Values      []*float64
		}
	}
	Phases, Steps, Faults []band
	Marks                 []mark
}

var dataElement = regexp.MustCompile(`(?s)<script type="application/json" id="lanes-data">(.*?)</script>`)

// dataOf reads the data as a browser would: up to the first end of the script
// element, as one JSON document.
func dataOf(t *testing.T, page string) drawn {
	t.Helper()
	found := dataElement.FindStringSubmatch(page)
	if found == nil {
		t.Fatal("the page has no data")
	}
	d := json.NewDecoder(strings.NewReader(found[1]))
	d.DisallowUnknownFields()
	var out drawn
	type chartData = struct {
		ID, Title, Unit string
		Log             bool
		Lines           []struct {
			Label, Tone string
			Values      []*float64
		}
	}
	var whole struct {
		End    float64
		X      []float64
		Charts []chartData
		Phases []band
		Steps  []band
		Faults []band
		Marks  []mark
	}
	if err := d.Decode(&whole); err != nil {
		t.Fatalf("%v in %s", err, found[1])
	}
	out.End, out.X, out.Phases, out.Steps, out.Faults, out.Marks = whole.End, whole.X, whole.Phases, whole.Steps, whole.Faults, whole.Marks
	for _, c := range whole.Charts {
		for _, l := range c.Lines {
			if len(l.Values) != len(whole.X) {
				t.Errorf("%s, %s: %d values for %d bins", c.ID, l.Label, len(l.Values), len(whole.X))
			}
		}
		out.Charts = append(out.Charts, struct {
			ID    string
			Lines []struct {
				Label, Tone string
				Values      []*float64
			}
		}{c.ID, c.Lines})
	}
	return out
}

// The page is opened from CI artifacts and mail attachments: it must fetch
// nothing, and forbid it.
func TestHTMLFetchesNothing(t *testing.T) {
	h := killed()
	page := pageOf(t, h, judged(h, verdict.Fail))
	policy := strings.Index(page, `http-equiv="Content-Security-Policy" content="default-src 'none';`)
	if policy < 0 || policy > strings.Index(page, "<style>") {
		t.Error("no policy that forbids fetching before the first style")
	}
	for _, m := range regexp.MustCompile(`(?i)[\s"'](?:src|srcset|href|action|poster|background)\s*=\s*["']?([^"'\s>]*)`).FindAllStringSubmatch(page, -1) {
		if m[1] != "data:," {
			t.Errorf("the page refers to %q", m[0])
		}
	}
	for _, banned := range []string{"@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon",
		"importScripts", "import(", "new Image", "new Worker", "<iframe", "<object", "<embed", "<img", "serviceWorker"} {
		if strings.Contains(page, banned) {
			t.Errorf("the page has %q", banned)
		}
	}
	evidence, _ := docs.Find("lost-on-exit") // as text in <pre>, no link: src and href above are all
	for _, address := range regexp.MustCompile(`(?i)\b(?:https?|wss?):?//[^\s"')]*`).FindAllString(page, -1) {
		if address != "https://github.com/leeoniya/uPlot" && // the licence comment
			!strings.Contains(evidence.Text, address) {
			t.Errorf("the page names the address %s", address)
		}
	}
}

func TestHTMLHostileNames(t *testing.T) {
	hostile := "</script><b>x</b><!--<script>alert(1)//'\"]]>\u2028"
	h := killed()
	h.Run.ID, h.Run.Platform, h.Run.File, h.Scenario = hostile, hostile, hostile, []byte(hostile)
	h.Run.Versions = map[string]string{hostile: hostile}
	h.Damage = []string{hostile}
	for i := range h.Events {
		e := &h.Events[i]
		e.Error, e.About = hostile, hostile
		for _, s := range []*string{&e.Phase, &e.Step, &e.Instance} {
			if *s != "" {
				*s = hostile
			}
		}
	}
	for i := range h.Series {
		if h.Series[i].Meta.StatsD != "" {
			h.Series[i].Meta.StatsD, h.Series[i].Labels = hostile, collector.NewLabels("instance", hostile)
		}
	}
	v := judged(killed(), verdict.Fail)
	v.Scenario, v.Ledgers.Web.Metric, v.Ledgers.Users.Route = hostile, hostile, hostile
	v.Ledgers.Web.ByInstance[hostile], v.Ledgers.LB.Responses[hostile] = 3, 4
	v.Residuals = []verdict.Residual{{Between: hostile, Cause: hostile}, {Instance: hostile, Between: hostile, Cause: hostile}}
	for i := range v.Findings {
		v.Findings[i] = verdict.Finding{Check: hostile, Outcome: v.Findings[i].Outcome, Summary: hostile, Layer: hostile, Instance: hostile, Cause: hostile, RunnerUp: hostile}
	}
	page := pageOf(t, h, v)
	for _, raw := range []string{"<b>", "<!--", "alert(1)//'\""} {
		if strings.Contains(page, raw) {
			t.Errorf("%q stands in the page unescaped", raw)
		}
	}
	// A page without hostile names has as many elements of script.
	plain := pageOf(t, killed(), judged(killed(), verdict.Fail))
	for _, tag := range []string{"<script", "</script"} {
		if got, want := strings.Count(page, tag), strings.Count(plain, tag); got != want {
			t.Errorf("%d times %s, want %d", got, tag, want)
		}
	}
	d := dataOf(t, page)
	if line := d.Charts[3].Lines[0]; !strings.HasPrefix(line.Label, "</script><b>x</b>") {
		t.Errorf("the hostile instance is called %q in its lane", line.Label)
	}
}

// Records of runs that ended before they began, in the middle, or that are
// damaged give a page.
func TestHTMLOfWhatIsNotWhole(t *testing.T) {
	whole := killed()
	interrupted := whole
	interrupted.After = nil
	interrupted.Events = nil
	for _, e := range whole.Events {
		if e.At < 8400*ms && e.Kind != record.StepEnd {
			interrupted.Events = append(interrupted.Events, e)
		}
	}
	interrupted.Events = append(interrupted.Events, record.Event{At: 8400 * ms, Kind: record.Interrupted})
	odd := record.History{
		Events: []record.Event{{At: -second, Kind: record.Birth, Instance: "web-1", Role: record.Web}, {At: math.MaxInt64, Kind: record.Trouble, About: "x"},
			{At: second, Kind: record.StepEnd, Step: "never begun"}, {At: second, Kind: record.PhaseEnd, Phase: "never begun"}},
		Requests: []record.Request{{Due: -second, Done: -second, Outcome: record.Acked}, {Due: math.MaxInt64, Done: math.MinInt64}, {}},
		Series: []record.Series{{Name: lbRequests, Points: []record.Point{{At: -second, Value: math.NaN(), Observed: 1}, {At: 0, Value: math.Inf(1), Observed: 1},
			{At: second, Value: math.MaxFloat64, Observed: 1}, {At: second, Value: 0, Observed: 1}, {At: math.MaxInt64, Value: math.MaxFloat64, Observed: 1}}}},
	}
	for name, h := range map[string]record.History{"empty": {}, "interrupted": interrupted, "odd": odd,
		"no points": {Series: []record.Series{{Name: lbRequests}, {Name: record.Opcounters, Labels: collector.NewLabels("type", "update")}}}} {
		v := verdict.Verdict{Seconds: math.NaN(), Findings: []verdict.Finding{{From: math.Inf(-1), To: math.NaN()}}}
		d := dataOf(t, pageOf(t, h, v))
		if len(d.Charts) != 5 {
			t.Errorf("%s: %d charts, want 5", name, len(d.Charts))
		}
		if name == "interrupted" {
			if last := d.Phases[len(d.Phases)-1]; last.To != d.End || last.Label != "one instance dies" {
				t.Errorf("the phase that did not end: %+v, want until %v", last, d.End)
			}
			if len(d.Steps) != 1 || !d.Steps[0].Bad || d.Steps[0].To != d.End {
				t.Errorf("the step that never took effect: %+v", d.Steps)
			}
		}
	}
}

func TestLanes(t *testing.T) {
	h := killed()
	d := dataOf(t, pageOf(t, h, judged(h, verdict.Pass)))
	labels := map[string][]string{}
	areas := map[string]float64{}
	for _, c := range d.Charts {
		for _, l := range c.Lines {
			labels[c.ID] = append(labels[c.ID], l.Label)
			for _, y := range l.Values {
				if y != nil {
					areas[c.ID+" "+l.Label] += *y
				}
			}
		}
	}
	for id, want := range map[string]string{"users": "acked refused unknown", "latency": "p50 p99", "web": "web-1 web-2 web-3 web-4", "db": "updates",
		"lb": "requests 5xx answers errors of its own retries"} {
		if got := strings.Join(labels[id], " "); got != want {
			t.Errorf("%s has the lines %q, want %q", id, got, want)
		}
	}
	// Bins are 1 s wide: what stands below a curve is the ledger's number.
	v := judged(h, verdict.Pass)
	for of, want := range map[string]int64{"users acked": v.Ledgers.Users.Acked, "users refused": v.Ledgers.Users.Refused, "lb requests": v.Ledgers.LB.Requests,
		"web web-1": v.Ledgers.Web.ByInstance["web-1"], "web web-2": v.Ledgers.Web.ByInstance["web-2"], "db updates": v.Ledgers.DB.Updates} {
		if got := areas[of]; math.Abs(got-float64(want)) > 1e-3 {
			t.Errorf("below %s stand %v, want %d", of, got, want)
		}
	}
	var kinds []string
	for _, m := range d.Marks {
		kinds = append(kinds, fmt.Sprintf("%s %.2f", m.Label, m.At))
	}
	for _, want := range []string{"birth of web-4 16.02", "death of web-2 (SIGKILL) 8.30"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no mark %s in %v", want, kinds)
		}
	}
	if want := (band{From: 16.01, To: 16.73, Label: "launch 1"}); !slices.Contains(d.Steps, want) {
		t.Errorf("steps %+v, want %+v", d.Steps, want)
	}
}

// Faults are drawn from when they began until they were healed, and told in the
// journal by their names.
func TestFaultsAreDrawn(t *testing.T) {
	h := killed()
	h.Events = append(h.Events,
		record.Event{At: 9 * second, Kind: record.FaultBegin, Fault: "drop-datagrams"},
		record.Event{At: 10 * second, Kind: record.FaultBegin, Fault: "freeze-instance", Instance: "web-1", Role: record.Web},
		record.Event{At: 11 * second, Kind: record.FaultEnd, Fault: "freeze-instance", Instance: "web-1", Role: record.Web, Count: 1},
		record.Event{At: 12 * second, Kind: record.FaultEnd, Fault: "drop-datagrams", Count: 7},
		record.Event{At: 13 * second, Kind: record.FaultBegin, Fault: "reload-lb"})
	page := pageOf(t, h, judged(h, verdict.Pass))
	d := dataOf(t, page)
	want := []band{{From: 9, To: 12, Label: "drop-datagrams"}, {From: 10, To: 11, Label: "freeze-instance web-1"}, {From: 13, To: d.End, Label: "reload-lb", Bad: true}}
	if diff := cmp.Diff(want, d.Faults); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := "<td>drop-datagrams, 7 times</td>"; !strings.Contains(page, want) {
		t.Errorf("the journal does not say %s", want)
	}
}

// A fleet has lines for those that counted most, one for the others, and says so.
func TestLanesOfMany(t *testing.T) {
	h := many(300)
	page := pageOf(t, h, verdict.Verdict{})
	d := dataOf(t, page)
	lines := d.Charts[3].Lines
	if len(lines) != mostLines+1 || lines[mostLines].Label != "290 others" {
		t.Fatalf("%d lines, the last is %q", len(lines), lines[len(lines)-1].Label)
	}
	if want := "Of 300 instances, the 10 that counted most have a line of their own"; !strings.Contains(page, want) {
		t.Errorf("the page does not say %q", want)
	}
	lost := 0
	for _, m := range d.Marks {
		if m.Kind == markLost {
			lost++
		}
	}
	if lost == 0 || !strings.Contains(page, "nobody asked for it") {
		t.Errorf("%d deaths that nobody asked for", lost)
	}
}

// A long run gives a page of bounded size.
func TestHTMLOfALongRun(t *testing.T) {
	h := record.History{Run: record.Run{Interval: second}}
	s := record.Series{Name: "a_total", Labels: collector.NewLabels("instance", "web-1"), Meta: collector.Meta{Type: collector.Counter, StatsD: "a"}}
	for at := second; at <= 12*time.Hour; at += second {
		if at != 7*time.Hour { // one interval is missing
			s.Points = append(s.Points, record.Point{At: at, Value: at.Seconds() * 5, Observed: 1})
		}
	}
	h.Series = []record.Series{s}
	page := pageOf(t, h, verdict.Verdict{})
	d := dataOf(t, page)
	if len(d.X) > mostBins+1 || len(page) > 200_000 {
		t.Errorf("%d bins, %d bytes", len(d.X), len(page))
	}
	holes := 0
	for _, y := range d.Charts[3].Lines[0].Values {
		if y == nil {
			holes++
		} else if *y != 5 {
			t.Fatalf("a height of %v, want 5", *y)
		}
	}
	if holes != 1 {
		t.Errorf("%d holes, want the one of the missing interval", holes)
	}
	if want := "each point stands for 13.0 s, and is a hole where any interval is missing"; !strings.Contains(page, want) {
		t.Errorf("the page does not say %q", want)
	}
}
