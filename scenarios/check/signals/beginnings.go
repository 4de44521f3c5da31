package signals

import (
	"fmt"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// unseenBeginnings adds to the finding that an expression does not hold whether it would, had each counter that is scraped been seen at 0 when
// its instance was born. The first scrape of one finds more than that, rate() and increase() see growth between two points alone, and so
// what came before the first is in none of them. The same question is asked of the same series with those zeros.
// Source: https://github.com/prometheus/prometheus/issues/3886
func (p PromQL) unseenBeginnings(e *evidence.Index, grid []time.Duration, f verdict.Finding) verdict.Finding {
	all, begun, sum := withBeginnings(e)
	if begun == 0 {
		return f
	}
	kind, err := kindOf(p.Promise.Expr)
	if err != nil {
		return f
	}
	store, err := e.StoreOf(all)
	if err != nil {
		return f
	}
	held, err := p.ask(e, store, kind, grid)
	if err != nil || !p.holds(held) {
		return f
	}
	f.Cause = verdict.CauseBeginning
	f.Summary += fmt.Sprintf("; it would, had the counters that are scraped been seen at 0 first: %s began with %s in all, of which rate() and increase() see nothing",
		words.Plural(int64(begun), "series"), words.Number(evidence.Whole(sum)))
	return f
}

// withBeginnings gives the record's series, those of them with a zero at their instance's birth that are counters, are scraped, and began with
// more; how many these are, and with what they began altogether.
func withBeginnings(e *evidence.Index) (all []record.Series, begun int, sum float64) {
	all = make([]record.Series, len(e.History.Series))
	for i, s := range e.History.Series {
		all[i] = s
		if !s.Scraped() || s.Meta.Type != collector.Counter || len(s.Points) == 0 || !s.Points[0].HasNumber() || s.Points[0].Value <= 0 {
			continue
		}
		l, known := e.LifeOf(s.Labels.Get(evidence.LabelInstance))
		if !known || l.Birth == record.Never || l.Birth >= s.Points[0].At {
			continue
		}
		begun, sum = begun+1, sum+s.Points[0].Value
		all[i].Points = append([]record.Point{{At: l.Birth, Observed: 1}}, s.Points...)
	}
	return all, begun, sum
}
