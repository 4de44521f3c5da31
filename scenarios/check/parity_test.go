package check

import (
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

const parityCheck = "  - parity: {metrics: [fullstack.insert, http.server.request.duration]}\n"

// twice has each insert counted by a histogram too; change alters that of an instance.
func twice(change func(instance string, s *record.Series)) func(record.Series) []record.Series {
	return func(s record.Series) []record.Series {
		other := s
		other.Points = append([]record.Point(nil), s.Points...)
		change(s.Labels.Get("instance"), &other)
		return []record.Series{s, asHistogram(other)}
	}
}

func TestParity(t *testing.T) {
	lessFrom := func(who string, from time.Duration, n float64) func(string, *record.Series) {
		return func(instance string, s *record.Series) {
			for k := range s.Points {
				if instance == who && s.Points[k].At >= from && !s.Points[k].Stale {
					s.Points[k].Value -= n
				}
			}
		}
	}
	for _, c := range []struct {
		name     string
		change   func(string, *record.Series)
		instance string
		outcome  verdict.Outcome
		lost     int64
		says     string
	}{
		{"alike", func(string, *record.Series) {}, "", verdict.Pass, 0, "they agree at each of 4 instances"},
		{"one in twenty is lost", func(instance string, s *record.Series) {
			for k := range s.Points {
				if instance == "web-3" {
					s.Points[k].Value -= float64(int64(s.Points[k].Value / 20))
				}
			}
		}, "web-3", verdict.Fail, 98, "98 counts in the one and not in the other"},
		{"from a moment on", lessFrom("web-3", 12*time.Second, 7), "web-3", verdict.Fail, 7, "7 counts in the one and not in the other"},
		{"too many", lessFrom("web-3", 12*time.Second, -7), "web-3", verdict.Fail, 7, "by fullstack.insert and"},
		{"what a kill may take", lessFrom("web-2", 10500*time.Millisecond, 3), "", verdict.Pass, 0, "could hide"},
		{"more than a kill may take", lessFrom("web-2", 10500*time.Millisecond, 60), "web-2", verdict.Fail, 60, "its SIGKILL explains at most"},
		{"after its end", lessFrom("web-1", 19500*time.Millisecond, 5), "web-1", verdict.Fail, 5, "after it got SIGTERM at 19.1 s"},
		{"late", func(instance string, s *record.Series) {
			for k := range s.Points {
				if instance == "web-3" && k >= 5 && k < 12 {
					s.Points[k].Value = s.Points[4].Value
				}
			}
		}, "web-3", verdict.Fail, 0, "agrees in the end, but http.server.request.duration lacked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := judged(t, counting(parityCheck, twice(c.change)))
			mentions(t, v, "parity", c.outcome, c.says)
			if f := about(t, v, "parity", c.instance, c.outcome); f.Lost != c.lost || c.outcome == verdict.Fail && f.Cause != verdict.CauseCountsDiffer {
				t.Errorf("%d lost, of %s: %s; want %d", f.Lost, f.Cause, f.Summary, c.lost)
			}
		})
	}
}

func TestParityOfNothing(t *testing.T) {
	same := func(string, *record.Series) {}
	for checks, want := range map[string]string{
		"  - parity: {metrics: [fullstack.insert, http.server.request.duratoin]}\n":                       "nobody ever sent http.server.request.duratoin; did you mean http.server.request.duration?",
		"  - parity: {metrics: [fullstack.insert, {metric: http.server.request.duration, by: scrape}]}\n": "never came by scrape; it came by otlp",
		"  - parity: {metrics: [fullstack.insert, {metric: fullstack.insert, where: {zone: z}}]}\n":       `has zone="z"`,
		"  - parity: {metrics: [fullstack.insert, fullstack.inflight]}\n":                                 "fullstack.inflight is no counter and no timer",
	} {
		mentions(t, judged(t, counting(checks, twice(same))), "parity", verdict.Inconclusive, want)
	}
}

// TestParityOfASample: a client that samples as it was told to agrees by chance.
func TestParityOfASample(t *testing.T) {
	p := talk()
	p.rare = 0.5
	p.counts = func(_ string, nth int, _ time.Duration) int64 { return int64(uint32(nth) * 2654435761 >> 31) }
	p.checks = "  - conservation: {metric: fullstack.insert, route: insert, sample_rate: 0.5}\n" + nestingCheck + "  - parity: {metrics: [fullstack.insert, fullstack.insert.time]}\n"
	v := judged(t, p.make())
	mentions(t, v, "parity", verdict.Pass, "they agree")
	p.checks = nestingCheck + "  - parity: {metrics: [fullstack.insert, fullstack.insert.time]}\n"
	if len(said(judged(t, p.make()), "parity", verdict.Fail)) == 0 {
		t.Error("nobody said that it samples, and the counts differ")
	}
}
