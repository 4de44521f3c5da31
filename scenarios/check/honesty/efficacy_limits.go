package honesty

import (
	"fmt"
	"math"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// limited is proved when the journal has it, and the host was seen to hold it. Of an instance that is
// limited to 0.2 CPUs from 8 s to 16 s, the series host_cpu_limit_cores must say 0.2 in
// that time, and nothing else.
func (m *moves) limited(t taken, move script.Limit) []string {
	name, want := move.Instance, move.CPUs
	held := evidence.Stretch{From: record.Never, To: evidence.Forever}
	for _, ev := range m.e.History.Events {
		if ev.Kind != record.Limited || ev.Instance != name || ev.At < t.begin {
			continue
		}
		if held.From != record.Never {
			held.To = ev.At
			break
		}
		if ev.At > t.end || ev.CPUs != want {
			break
		}
		held.From = ev.At
	}
	if held.From == record.Never {
		m.fails(t.step, name, t.begin, "the journal does not have that %s was held to it", name)
		return nil
	}
	limits := pointsIn(evidence.WithLabel(m.e.Polled[record.HostLimit], "instance", name), held)
	asked := pointsIn(evidence.WithLabel(m.e.Polled[record.HostSeconds], "instance", name), held)
	switch {
	case len(asked) == 0:
		m.fails(t.step, name, held.From, "the host was not asked about %s while it held", name)
	case want == 0 && len(limits) > 0:
		m.fails(t.step, name, held.From, "the host still held %s to %v CPUs at %s", name, limits[0].Value, words.Seconds(limits[0].At))
	case want == 0:
		return []string{fmt.Sprintf("lifted at %s", words.Seconds(held.From))}
	case len(limits) == 0:
		m.fails(t.step, name, held.From, "the host did not hold %s to any limit", name)
	case math.Abs(limits[0].Value-want) > quotaGrain:
		m.fails(t.step, name, held.From, "the host held %s to %v CPUs at %s", name, limits[0].Value, words.Seconds(limits[0].At))
	default:
		return []string{fmt.Sprintf("%s held to it from %s on", name, words.Seconds(held.From))}
	}
	return nil
}

// quotaGrain is a quota's: 1 µs of a period of 100 ms, in CPUs.
const quotaGrain = 1e-5

// pointsIn gives the points of series in a stretch.
func pointsIn(series []*record.Series, at evidence.Stretch) []record.Point {
	var out []record.Point
	for _, s := range series {
		for _, p := range s.Points {
			if p.HasNumber() && p.At >= at.From && p.At < at.To {
				out = append(out, p)
			}
		}
	}
	return out
}
