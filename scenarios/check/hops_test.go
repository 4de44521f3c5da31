package check

import (
	"testing"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

func TestHops(t *testing.T) {
	add := func(h *record.History, t *testing.T, name string, n float64) {
		s := figure(t, h, name)
		s.Points[len(s.Points)-1].Value += n
	}
	const sums = "hops: 5,118 datagrams, 0 of them dropped by the kernel; "
	for name, c := range map[string]struct {
		change  func(*record.History, *testing.T)
		outcome verdict.Outcome
		want    string
	}{
		"all add up": {func(*record.History, *testing.T) {}, verdict.Pass, sums + "5,118 lines (5,118 accepted); 5,118 values, 5,118 behind the recorded points"},
		"a line without a fate": {func(h *record.History, t *testing.T) { add(h, t, "lines_total", 1) }, verdict.Inconclusive,
			sums + "5,119 lines (5,118 accepted); 5,118 values, 5,118 behind the recorded points: the collector's own account does not add up"},
		"values without a point": {func(h *record.History, t *testing.T) { add(h, t, "values_total", 2) }, verdict.Inconclusive,
			sums + "5,118 lines (5,118 accepted); 5,120 values, 5,118 behind the recorded points: the collector's own account does not add up"},
		"a point without its values": {func(h *record.History, t *testing.T) {
			seriesOf(t, *h, "fullstack_insert_total", "web-1").Points[5].Observed += 3
		}, verdict.Inconclusive, sums + "5,118 lines (5,118 accepted); 5,118 values, 5,121 behind the recorded points: the collector's own account does not add up"},
		"bad lines are a fate": {func(h *record.History, t *testing.T) {
			add(h, t, "lines_total", 4)
			s := *figure(t, h, "lines_total")
			s.Name = record.CollectorPrefix + "bad_lines_total"
			s.Points = []record.Point{{At: s.Points[0].At, Value: 4, Observed: 1}}
			h.Series = append(h.Series, s)
		}, verdict.Pass, sums + "5,122 lines (5,118 accepted, 4 bad); 5,118 values, 5,118 behind the recorded points"},
		"a collector that was started again": {func(h *record.History, t *testing.T) {
			for _, name := range []string{"lines_total", "accepted_lines_total", "values_total"} {
				s := figure(t, h, name)
				p := s.Points[0]
				s.Points = []record.Point{{At: p.At - 2, Value: p.Value - 100}, {At: p.At - 1, Value: 40}, {At: p.At, Value: 100}}
			}
		}, verdict.Pass, sums + "5,118 lines (5,118 accepted); 5,118 values, 5,118 behind the recorded points"},
		"no account": {func(h *record.History, _ *testing.T) {
			drop(h, func(s record.Series) bool { return s.Name == record.CollectorPrefix+"lines_total" })
		}, verdict.Inconclusive, "hops: the record has no account of lines that came to the collector, so nobody knows whether it kept them"},
	} {
		t.Run(name, func(t *testing.T) {
			h := talk().make()
			c.change(&h, t)
			says(t, judged(t, h), "hops", c.outcome, c.want)
		})
	}
}

// figure finds a figure of the collector itself.
func figure(t *testing.T, h *record.History, name string) *record.Series {
	t.Helper()
	for i := range h.Series {
		if h.Series[i].Name == record.CollectorPrefix+name {
			return &h.Series[i]
		}
	}
	t.Fatalf("no series %s", name)
	return nil
}
