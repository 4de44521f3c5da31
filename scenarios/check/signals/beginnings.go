package signals

import (
	"fmt"
	"slices"
	"time"

	"throughline/collector"
	"throughline/collector/series"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// A counter that is scraped begins with what its instance has counted by the first scrape. rate() and increase() see growth between two
// points alone, and so that is in none of them.
// Source: https://github.com/prometheus/prometheus/issues/3886

// beginning is one counter that began with more than 0.
type beginning struct {
	instance, name string
	at             time.Duration // of its first point
	value          float64
}

// beginnings are those of the counters that an expression asks for, and the record's series with a zero at its instance's birth before each.
type beginnings struct {
	all   []record.Series
	begun []beginning // whose first point is in the time that was asked for
}

// beginningsOf looks for those that an expression had before it between from and to. Where none is, it gives no series either.
func beginningsOf(e *evidence.Index, expr string, from, to time.Duration) beginnings {
	selectors, err := series.Selectors(expr)
	if err != nil {
		return beginnings{}
	}
	b := beginnings{all: slices.Clone(e.History.Series)}
	for i, s := range e.History.Series {
		if !s.Scraped() || s.Meta.Type != collector.Counter || len(s.Points) == 0 || !s.Points[0].HasNumber() || s.Points[0].Value <= 0 ||
			!slices.ContainsFunc(selectors, func(of series.Selector) bool { return of.Selects(s.Name, s.Labels) }) {
			continue
		}
		instance, first := s.Labels.Get(evidence.LabelInstance), s.Points[0]
		l, known := e.LifeOf(instance)
		if !known || l.Birth == record.Never || l.Birth >= first.At {
			continue
		}
		b.all[i].Points = append([]record.Point{{At: l.Birth, Observed: 1}}, s.Points...)
		if first.At >= from-series.Lookback(expr) && first.At <= to {
			b.begun = append(b.begun, beginning{instance, s.Name, first.At, first.Value})
		}
	}
	slices.SortStableFunc(b.begun, func(x, y beginning) int { return record.CompareNames(x.instance, y.instance) })
	return b
}

// explain makes findings of one that would be none, had what an expression asks for been seen at 0 first: itself, and how much was not seen
// of each instance.
func (b beginnings) explain(f verdict.Finding) []verdict.Finding {
	sum := 0.0
	for _, x := range b.begun {
		sum += x.value
	}
	f.Cause = verdict.CauseBeginning
	f.Summary += fmt.Sprintf("; it would, had the counters that it asks for been seen at 0 first: %s began with %s in all, of which rate() and increase() see nothing",
		words.Plural(int64(len(b.begun)), "series"), words.Number(evidence.Whole(sum)))
	out := []verdict.Finding{f}
	for i := 0; i < len(b.begun); {
		own, first := 0.0, b.begun[i]
		for ; i < len(b.begun) && b.begun[i].instance == first.instance; i++ {
			own += b.begun[i].value
		}
		one := verdict.Finding{Check: f.Check, Outcome: f.Outcome, Layer: f.Layer, Instance: first.instance, Cause: f.Cause, Lost: evidence.Whole(own),
			From: first.at.Seconds(), To: first.at.Seconds()}
		one.Summary = fmt.Sprintf("%s of %s began with %s when it was scraped first, at %s, and these are in no increase", first.name, first.instance,
			words.Number(one.Lost), words.Seconds(first.at))
		out = append(out, one)
	}
	return out
}

// unseenBeginnings explains the finding that an expression does not hold if it would with zeros before what counters begin with: the same
// question is asked of the same series with these.
func (p PromQL) unseenBeginnings(e *evidence.Index, grid []time.Duration, f verdict.Finding) []verdict.Finding {
	as := []verdict.Finding{f}
	b := beginningsOf(e, p.Promise.Expr, grid[0], grid[len(grid)-1])
	if len(b.begun) == 0 {
		return as
	}
	kind, err := kindOf(p.Promise.Expr)
	if err != nil {
		return as
	}
	store, err := e.StoreOf(b.all)
	if err != nil {
		return as
	}
	held, err := p.ask(e, store, kind, grid)
	if err != nil || !p.holds(held) {
		return as
	}
	return b.explain(f)
}

// unseenBeginnings does the same for an alert that did not do as it should, if it would have with those zeros.
func (c alertRule) unseenBeginnings(e *evidence.Index, moments []time.Duration, found []verdict.Finding) []verdict.Finding {
	if !slices.ContainsFunc(found, func(f verdict.Finding) bool { return f.Outcome == verdict.Fail }) {
		return found
	}
	b := beginningsOf(e, c.Expr, moments[0], moments[len(moments)-1])
	if len(b.begun) == 0 {
		return found
	}
	store, err := e.StoreOf(b.all)
	if err != nil {
		return found
	}
	played, err := c.playOn(e, store, moments)
	if err != nil {
		return found
	}
	var out []verdict.Finding
	for i, f := range c.promised(e, played) {
		if found[i].Outcome == verdict.Fail && f.Outcome == verdict.Pass {
			out = append(out, b.explain(found[i])...)
		} else {
			out = append(out, found[i])
		}
	}
	return out
}
