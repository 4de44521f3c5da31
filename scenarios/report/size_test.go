package report

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/metric"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

// aDay is a made-up run of 24 h on which 300 instances serve at a time, and one is
// replaced every ten minutes.
func aDay() record.History {
	const interval, bin, serving = 10 * second, 160 * second, 300
	h := record.History{Run: record.Run{Scenario: "a-day", Start: time.Unix(1384430400, 0), Interval: interval}}
	born := map[int]time.Duration{}
	tell := func(at time.Duration, kind record.Kind, n int, signal string) {
		h.Events = append(h.Events, record.Event{At: at, Kind: kind, Instance: fmt.Sprintf("web-%d", n+1), Role: record.Web, Signal: signal, Expected: true})
	}
	h.Events = append(h.Events, record.Event{Kind: record.RunBegin, Run: &h.Run}, record.Event{At: second, Kind: record.LoadBegin})
	for at := time.Duration(0); at <= 24*time.Hour; at += bin {
		if at > 0 && at%(10*time.Minute) < bin {
			old := len(born) - serving
			h.Events = append(h.Events, record.Event{At: at, Kind: record.StepBegin, Step: fmt.Sprintf("replace web-%d", old+1)})
			tell(at, record.Signalled, old, "SIGTERM")
			tell(at+second, record.Death, old, "SIGTERM")
			h.Events = append(h.Events, record.Event{At: at + second, Kind: record.StepEnd, Step: fmt.Sprintf("replace web-%d", old+1)})
		}
		for n := len(born); n < serving+int(at/(10*time.Minute)); n++ {
			born[n] = at
			tell(at, record.Birth, n, "")
			tell(at+2*second, record.Serving, n, "")
		}
		for n := len(born) - serving; n < len(born); n++ {
			for k := range 3 {
				h.Requests = append(h.Requests, record.Request{Route: "insert", Instance: fmt.Sprintf("web-%d", n+1), Due: at + time.Duration(k)*second,
					Done: at + time.Duration(k)*second + time.Duration(1+n%97)*ms, Outcome: record.Acked, Status: 200})
			}
		}
	}
	for n := range born {
		s := record.Series{Name: "a_total", Labels: collector.NewLabels("instance", fmt.Sprintf("web-%d", n+1)), Meta: collector.Meta{Type: collector.Counter, Sent: "a"}}
		end := 24 * time.Hour
		if n < len(born)-serving {
			end = time.Duration(n+1) * 10 * time.Minute
		}
		for at := born[n] + interval; at <= end; at += bin {
			s.Points = append(s.Points, record.Point{At: at, Value: 3 * float64((at-born[n])/bin+1), Observed: 3})
		}
		h.Series = append(h.Series, s)
	}
	return h
}

// A report can be sent by mail, and one of a large fleet over a day be opened.
func TestSizes(t *testing.T) {
	day := aDay()
	demo, onDemo := saved(t, "healthy-replaced")
	for _, c := range []struct {
		name string
		h    record.History
		v    verdict.Verdict
		most int
	}{
		{"a run of a quarter of a minute", demo, onDemo, 300_000},
		{"300 instances and 24 h", day, verdict.Verdict{Ledgers: verdict.Ledgers{Users: verdict.UsersLedger{Route: "insert"}, Web: verdict.WebLedger{Metric: "a"}}}, 3_000_000},
	} {
		var out bytes.Buffer
		if err := Ended(c.h, c.v).Write(&out, Options{}); err != nil {
			t.Fatal(err)
		}
		parts, err := Ended(c.h, c.v).Parts()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", c.name, out.Len())
		for _, p := range parts {
			t.Logf("  %s: %d", p.ID, len(p.HTML))
		}
		if out.Len() > c.most {
			t.Errorf("%s: %d bytes, want at most %d", c.name, out.Len(), c.most)
		}
	}
}

// What a second of a page costs that is fed once a second.
func BenchmarkRunning(b *testing.B) {
	demo, v := saved(b, "healthy-replaced")
	for name, p := range map[string]*picture.Picture{
		"demo": picture.Of(demo, picture.Counts{Metric: metric.Ref(v.Ledgers.Web.Metric), Route: v.Ledgers.Users.Route}),
		"day":  picture.Of(aDay(), picture.Counts{Metric: "a", Route: "insert"}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Running(p.Now(), Head{Scenario: "x"}).Parts(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What the report of a large run costs.
func BenchmarkEnded(b *testing.B) {
	h := aDay()
	for b.Loop() {
		if err := Ended(h, verdict.Verdict{}).Write(io.Discard, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
