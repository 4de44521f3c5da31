package picture

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/collector"
	"throughline/scenarios/record"
)

const second = time.Second

// start makes intervals end at 0.37 s, 1.37 s, … of a run.
var start = time.Unix(1384430400, int64(630*time.Millisecond))

var exactly = cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)}

// acked are n requests of an instance that users had acknowledged at a moment.
func acked(instance string, at time.Duration, n int) (out []record.Request) {
	for range n {
		out = append(out, record.Request{Route: "insert", Instance: instance, Due: at - 10*time.Millisecond, Done: at, Outcome: record.Acked, Status: 200})
	}
	return out
}

// pushed is what an instance's counter came to at the ends of intervals; -1: it sent
// nothing.
func pushed(instance string, values ...float64) record.Series {
	s := record.Series{Name: "a_total", Labels: collector.NewLabels("instance", instance), Meta: collector.Meta{Type: collector.Counter, Sent: "a"}}
	last := 0.0
	for i, v := range values {
		p := record.Point{At: 370*time.Millisecond + time.Duration(i)*second, Value: v, Observed: 1}
		if v < 0 {
			p.Value, p.Observed = last, 0
		}
		last = p.Value
		s.Points = append(s.Points, p)
	}
	return s
}

var counted = Counts{Metric: "a", Route: "insert"}

// twoInstances is a run of which web-1 counts all, and web-2 loses its last counts.
func twoInstances() record.History {
	h := record.History{Run: record.Run{Start: start, Interval: second}, Events: []record.Event{
		{At: 0, Kind: record.Birth, Instance: "web-1", Role: record.Web}, {At: 0, Kind: record.Birth, Instance: "web-2", Role: record.Web},
		{At: 3 * second, Kind: record.Death, Instance: "web-2", Role: record.Web, Signal: "SIGTERM", Expected: true}, {At: 4300 * time.Millisecond, Kind: record.RunEnd}}}
	for _, r := range [][]record.Request{
		acked("web-1", second, 10), acked("web-2", 1370*time.Millisecond, 5), // both in the interval that ends at 1.37 s
		acked("web-1", 2*second, 10), acked("web-2", 2300*time.Millisecond, 6),
		acked("web-1", 3*second, 10), acked("web-2", 2900*time.Millisecond, 4),
	} {
		h.Requests = append(h.Requests, r...)
	}
	h.Requests = append(h.Requests, record.Request{Route: "get", Instance: "web-1", Due: second, Done: second, Outcome: record.Acked},
		record.Request{Route: "insert", Due: second, Done: 1200 * time.Millisecond})
	h.Series = []record.Series{
		pushed("web-1", 0, 8, 20, 30, 30), // two come an interval late
		pushed("web-2", 0, 5, 11, -1, -1),
	}
	return h
}

func TestSnapshotOfARecord(t *testing.T) {
	s := Of(twoInstances(), counted).Now()
	if s.Bins != 5 || s.Whole != 5 || !s.Over || s.Axis != (Axis{First: -630 * time.Millisecond, Width: second}) {
		t.Errorf("%d bins, %d whole, over %v, axis %+v", s.Bins, s.Whole, s.Over, s.Axis)
	}
	never, many := s.Net()
	for name, c := range map[string]struct{ got, want []float64 }{
		"acked":         {s.Acked, []float64{0, 15, 16, 14, 0}},
		"web-1 counted": {s.Instances[0].Counted, []float64{0, 8, 12, 10, 0}},
		"web-2 acked":   {s.Instances[1].Acked, []float64{0, 5, 6, 4, 0}},
		"owed":          {s.Owed(), []float64{0, 2, 0, 4, 4}},
		"web-2 owed":    {s.Instances[1].Owed(), []float64{0, 0, 0, 4, 4}},
		"never":         {never, []float64{0, 0, 0, 4, 0}},
		"too many":      {many, make([]float64, 5)},
	} {
		if diff := cmp.Diff(c.want, c.got, exactly); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	lines := map[string][]float64{}
	for _, l := range s.Layers {
		for _, line := range l.Lines {
			lines[l.ID+" "+line.Name] = line.Values
		}
	}
	if diff := cmp.Diff([]float64{0, 16, 16, 14, 0}, lines["users acknowledged"], exactly); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float64{0, 1, 0, 0, 0}, lines["errors unknown"], exactly); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}

// A stack with Apache HTTP servers has a layer of what they passed on, all together, and of what they said themselves; no other has.
func TestLayerOfHTTPD(t *testing.T) {
	answers := func(name, instance string, extra ...string) record.Series {
		s := pushed(instance, 0, 10, 30, 30, 60)
		s.Name, s.Labels, s.Meta.Sent = name, collector.NewLabels(append([]string{"instance", instance}, extra...)...), ""
		return s
	}
	find := func(h record.History) (lines map[string][]float64) {
		for _, l := range Of(h, counted).Now().Layers {
			if l.ID == "httpd" {
				lines = map[string][]float64{}
				for _, line := range l.Lines {
					lines[line.Name] = line.Values
				}
			}
		}
		return lines
	}
	h := twoInstances()
	if lines := find(h); lines != nil {
		t.Errorf("without any: %v", lines)
	}
	h.Series = append(h.Series, answers("apache_answered_2xx_total", "web-1"), answers("apache_answered_2xx_total", "web-2"), answers("apache_own_answers_total", "web-1", "code", "503"))
	lines := find(h)
	if diff := cmp.Diff(map[string][]float64{"answered 2xx": {20, 40, 0, 60}, "its own 503": {10, 20, 0, 30}}, map[string][]float64{
		"answered 2xx": lines["answered 2xx"][1:], "its own 503": lines["its own 503"][1:]}, exactly); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// What comes while a run goes on, in the order in which it is recorded, makes the same
// picture as the record afterwards.
func TestWhileItGoesOnAndAfterwards(t *testing.T) {
	h, err := record.Read("../testdata/records/killed")
	if err != nil {
		t.Fatal(err)
	}
	counts := Counts{Metric: "fullstack.insert", Route: "insert"}
	p := New(h.Run, counts)
	// The files of a record are each in their order; between them there is none. Here all
	// that happened within half a second comes as one file after the other.
	var points []telling
	for i := range h.Series {
		for k := range h.Series[i].Points {
			points = append(points, telling{at: h.Series[i].Points[k].At, of: int32(i), point: int32(k)})
		}
	}
	slices.SortStableFunc(points, func(a, b telling) int { return int(a.at - b.at) })
	requests, events := h.Requests, h.Events
	slices.SortStableFunc(requests, func(a, b record.Request) int { return int(a.Done - b.Done) })
	for now := second / 2; len(points)+len(requests)+len(events) > 0; now += second / 2 {
		for ; len(points) > 0 && points[0].at <= now; points = points[1:] {
			p.Sample(points[0].at, sampleOf(&h.Series[points[0].of], points[0].point))
		}
		for ; len(requests) > 0 && requests[0].Done <= now; requests = requests[1:] {
			p.Request(requests[0])
		}
		for ; len(events) > 0 && events[0].At <= now; events = events[1:] {
			p.Event(events[0])
		}
		p.Now() // which changes nothing
	}
	want := Of(h, counts).Now()
	if len(want.Instances) < 3 || Total(want.Acked) < 100 {
		t.Fatalf("the record has %d instances and %v requests", len(want.Instances), Total(want.Acked))
	}
	if diff := cmp.Diff(want, p.Now(), exactly); diff != "" {
		t.Errorf("-afterwards +while it went on:\n%s", diff)
	}
}

// A snapshot stays as it is when the picture goes on.
func TestSnapshotStays(t *testing.T) {
	h := twoInstances()
	p := New(h.Run, counted)
	p.Event(h.Events[0])
	p.Request(h.Requests[0])
	s := p.Now()
	want := fmt.Sprintf("%+v", s)
	for _, e := range h.Events {
		p.Event(e)
	}
	for _, r := range h.Requests {
		p.Request(r)
	}
	if got := fmt.Sprintf("%+v", s); got != want {
		t.Errorf("it was\n%s\nand is\n%s", want, got)
	}
}

// While a run goes on, what happened after the last interval that was flushed is not
// drawn, and what is missing of late may be on its way.
func TestWhatIsNotOverIsNotMissing(t *testing.T) {
	h := twoInstances()
	p := New(h.Run, counted)
	for _, r := range h.Requests {
		p.Request(r)
	}
	for i := range h.Series {
		for k := range 4 {
			p.Sample(h.Series[i].Points[k].At, sampleOf(&h.Series[i], int32(k)))
		}
	}
	p.Request(acked("web-1", 3900*time.Millisecond, 1)[0])
	s := p.Now()
	if s.Over || s.Bins != 5 || s.Whole != 4 {
		t.Fatalf("over %v, %d bins, %d whole", s.Over, s.Bins, s.Whole)
	}
	if never, _ := s.Net(); Total(never) != 0 {
		t.Errorf("never came: %v", never)
	}
	if owed := s.Owed()[s.Whole-1]; owed != 4 {
		t.Errorf("owed %v", owed)
	}
}

// The collector's clock and the run's are a little apart: what ended an interval by the one
// may be beyond its end by the other, and is of that interval.
func TestClocksAreALittleApart(t *testing.T) {
	for _, off := range []time.Duration{-40 * time.Microsecond, -1, 1, 40 * time.Microsecond} {
		h := twoInstances()
		p := New(h.Run, counted)
		for _, r := range h.Requests {
			if r.Done <= 3370*time.Millisecond {
				p.Request(r)
			}
		}
		for i := range h.Series {
			for k := range 4 {
				p.Sample(h.Series[i].Points[k].At+off, sampleOf(&h.Series[i], int32(k)))
			}
		}
		s := p.Now()
		if s.Whole != 4 {
			t.Errorf("%v: %d whole bins, want 4", off, s.Whole)
		}
		if diff := cmp.Diff([]float64{0, 8, 12, 10}, s.Instances[0].Counted[:4], exactly); diff != "" {
			t.Errorf("%v (-want +got):\n%s", off, diff)
		}
	}
}

// Bins become wider, and hold the same.
func TestLongRunsGetWiderBins(t *testing.T) {
	p := New(record.Run{Start: start, Interval: second}, counted)
	total := 0
	series := pushed("web-1")
	for at := 370 * time.Millisecond; at < 2*time.Hour; at += second {
		p.Request(acked("web-1", at, 1)[0])
		total++
		p.Sample(at, &collector.Sample{Name: series.Name, Labels: series.Labels, Meta: &series.Meta, Value: float64(total), Observed: 1})
	}
	s := p.Now()
	if s.Axis.Width != 16*second || s.Bins != 450 {
		t.Errorf("%d bins of %v, want 450 of 16 s", s.Bins, s.Axis.Width)
	}
	if got := Total(s.Acked); got != float64(total) {
		t.Errorf("%v acknowledged, want %d", got, total)
	}
	for b := 1; b < s.Bins-1; b++ {
		if s.Acked[b] != 16 || s.Instances[0].Counted[b] != 16 || s.Layers[0].Lines[0].Values[b] != 1 {
			t.Fatalf("bin %d: %v acknowledged, %v counted, %v/s", b, s.Acked[b], s.Instances[0].Counted[b], s.Layers[0].Lines[0].Values[b])
		}
	}
	if p50 := s.Layers[1].Lines[0].Values[9]; math.Abs(p50-10) > 0.25 {
		t.Errorf("p50 %v ms, want 10 within 2.5 %%", p50)
	}
}

func TestMerge(t *testing.T) {
	b := &bins{}
	for bin, x := range map[int]float64{5: 1, 6: 2, 7: 4, 3: 8} {
		b.add(bin, x)
	}
	later := &bins{first: b.first, v: slices.Clone(b.v), later: true}
	for of, want := range map[*bins][]float64{b: {0, 8, 1, 6, 0}, later: {0, 8, 1, 4, 0}} {
		of.merge()
		if diff := cmp.Diff(want, of.all(5)); diff != "" {
			t.Errorf("later %v (-want +got):\n%s", of.later, diff)
		}
	}
}

func TestPolledLines(t *testing.T) {
	hole := math.NaN()
	p := New(record.Run{Interval: second}, Counts{})
	meta := &collector.Meta{Type: collector.Counter}
	poll := func(name string, at time.Duration, value float64, labels ...string) {
		p.Sample(at, &collector.Sample{Name: name, Labels: collector.NewLabels(labels...), Meta: meta, Value: value, Observed: 1})
	}
	for i, v := range []float64{500, 510, 530, 4} { // it has a past, and is begun anew in the end
		at := time.Duration(i+1)*second + 40*time.Microsecond*time.Duration(i%3-1) // by another clock
		poll(record.FrontendPrefix+"req_tot", at, v, "proxy", "users")
		poll(record.FrontendPrefix+"req_tot", time.Duration(i+1)*second, float64(i), "proxy", "stats")
	}
	poll(record.BackendPrefix+"econ", second, 0)
	poll(record.BackendPrefix+"econ", 3500*time.Millisecond, 5) // late: spread over its time
	p.Event(record.Event{Kind: record.Birth, Instance: "web-1", Role: record.Web})
	p.Event(record.Event{Kind: record.Birth, Instance: "web-2", Role: record.Web})
	for i := range 3 {
		poll(record.HostSeconds, time.Duration(i+1)*second, 0.25*float64(i), "instance", "web-1")
		poll(record.HostSeconds, time.Duration(i+1)*second, 0.5*float64(i), "instance", "web-2")
	}
	got := map[string][]float64{}
	for _, l := range p.Now().Layers {
		for _, line := range l.Lines {
			got[l.ID+" "+line.Name] = line.Values
		}
	}
	for name, want := range map[string][]float64{
		"lb requests":          {hole, 10, 20, 4},
		"lb errors of its own": {hole, 2, 2, 2},
		"cpu web":              {hole, 0.75, 0.75, hole},
	} {
		if diff := cmp.Diff(want, got[name], exactly); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Waits are counted by class: each within 2.5 %, and by the nearest rank.
func TestPercentiles(t *testing.T) {
	w := &waits{}
	for i := range 100 { // 1 ms … 100 ms
		w.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]float64{0.5: 50, 0.99: 99, 0.01: 1} {
		if got := w.percentile(q); math.Abs(got-want) > 0.025*want {
			t.Errorf("percentile %v is %v, want %v within 2.5 %%", q, got, want)
		}
	}
	if !math.IsNaN((*waits)(nil).percentile(0.5)) {
		t.Error("nothing has a percentile")
	}
}

// What a damaged record says makes a picture, too.
func TestOddRecords(t *testing.T) {
	odd := record.History{
		Events:   []record.Event{{At: -second, Kind: record.Birth, Instance: "web-1", Role: record.Web}, {At: math.MaxInt64, Kind: record.Trouble}},
		Requests: []record.Request{{Due: -second, Done: -second, Outcome: record.Acked}, {Due: math.MaxInt64, Done: math.MinInt64}, {}},
		Series: []record.Series{{Name: "a_total", Meta: collector.Meta{Type: collector.Counter, Sent: "a"}, Points: []record.Point{{At: -second, Value: math.NaN(), Observed: 1},
			{At: second, Value: math.MaxFloat64, Observed: 1}, {At: 2 * second, Value: -math.MaxFloat64, Observed: 1}, {At: math.MaxInt64, Value: math.Inf(1)}}}},
	}
	for name, h := range map[string]record.History{"empty": {}, "odd": odd} {
		s := Of(h, Counts{}).Now()
		if s.Bins < 1 || s.Bins > MostBins || len(s.Acked) != s.Bins {
			t.Errorf("%s: %d bins, %d of them acknowledged", name, s.Bins, len(s.Acked))
		}
		s.Net()
	}
}

// There are bounds to what is kept of a run without any.
func TestBounds(t *testing.T) {
	p := New(record.Run{Interval: second}, counted)
	for i := range mostInstances + 50 {
		name := fmt.Sprintf("web-%d", i)
		p.Request(acked(name, second, 1)[0])
		s := pushed(name, 1)
		p.Sample(second, sampleOf(&s, 0))
	}
	for i := range mostEvents + 5 {
		p.Event(record.Event{At: time.Duration(i) * time.Millisecond, Kind: record.Note})
	}
	s := p.Now()
	if len(s.Instances) != mostInstances+1 || s.Forgotten != 5 || len(s.Events) != mostEvents {
		t.Errorf("%d instances, %d events, %d forgotten", len(s.Instances), len(s.Events), s.Forgotten)
	}
	for _, i := range s.Instances {
		if i.Name == Others && (Total(i.Acked) != 50 || Total(i.Counted) != 50) {
			t.Errorf("the others: %v acknowledged, %v counted, want 50", Total(i.Acked), Total(i.Counted))
		}
	}
}

// Who records and who looks are not the same.
func TestManyAtOnce(t *testing.T) {
	h := twoInstances()
	p := New(h.Run, counted)
	var all sync.WaitGroup
	for _, do := range []func(){
		func() {
			for _, r := range h.Requests {
				p.Request(r)
			}
		}, func() {
			for i := range h.Series {
				for k := range h.Series[i].Points {
					p.Sample(h.Series[i].Points[k].At, sampleOf(&h.Series[i], int32(k)))
				}
			}
		}, func() {
			for _, e := range h.Events {
				p.Event(e)
			}
		}, func() {
			for range 50 {
				p.Now().Net()
			}
		},
	} {
		all.Go(do)
	}
	all.Wait()
	if diff := cmp.Diff(Of(h, counted).Now(), p.Now(), exactly); diff != "" {
		t.Errorf("-alone +together:\n%s", diff)
	}
}

func BenchmarkRequest(b *testing.B) {
	p := New(record.Run{Interval: second}, counted)
	r := acked("web-1", second, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		r.Due, r.Done = r.Due+time.Millisecond, r.Done+time.Millisecond
		p.Request(r)
	}
}
