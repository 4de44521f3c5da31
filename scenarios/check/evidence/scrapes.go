package evidence

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/metric"
	"throughline/scenarios/record"
)

// Scrape is one time at which an instance was asked for what it counts.
type Scrape struct {
	From, To time.Duration // what it brought is of a moment in between
	Good     bool
}

// Scrapes are those of an instance, in their order; none where it is not scraped.
func (e *Index) Scrapes(instance string) []Scrape { return e.scrapes[instance] }

// Asking is how long the slowest scrape of an instance took that was under way between from and to: what it brought is of a moment in
// between, and what was counted meanwhile comes with the next.
func (e *Index) Asking(instance string, from, to time.Duration) (slowest time.Duration) {
	for _, s := range e.scrapes[instance] {
		if s.To >= from && s.From <= to {
			slowest = max(slowest, s.To-s.From)
		}
	}
	return slowest
}

// LastScrape is the last good scrape of an instance that had ended by t, and how many failed after it; ok is false where there is none.
func (e *Index) LastScrape(instance string, t time.Duration) (last Scrape, failed int64, ok bool) {
	all := e.scrapes[instance]
	for i := len(all) - 1; i >= 0; i-- {
		switch s := all[i]; {
		case s.To > t:
		case s.Good:
			return s, failed, true
		default:
			failed++
		}
	}
	return Scrape{}, failed, false
}

// Neglected tells of an instance that a server of the user's scrapes (metrics_from) that it had no good scrape, and was asked less than half as
// often as was due while it lived: then that some failed says nothing of the instance.
func (e *Index) Neglected(l record.Lifetime) bool {
	from := e.Scenario.MetricsFrom
	if from == nil || from.Every <= 0 || l.Birth == record.Never {
		return false
	}
	if _, _, good := e.LastScrape(l.Instance, Forever); good {
		return false
	}
	end := e.LastTick()
	if l.Death != record.Never {
		end = l.Death
	}
	return 2*len(e.scrapes[l.Instance]) < int((end-l.Birth)/from.Every)
}

// FirstScrape is when an instance was first asked that a server of the user's scrapes (metrics_from), whatever came of it: such a server has to
// find it before. It is 0 where the run's own collector scrapes, which asks from the birth on, and where nobody ever asked.
func (e *Index) FirstScrape(instance string) time.Duration {
	if all := e.scrapes[instance]; e.Scenario.MetricsFrom != nil && len(all) > 0 {
		return all[0].To
	}
	return 0
}

// unasked is the longest that a scrape of a server of the user's (metrics_from) was late for which somebody waited between from and to, in seconds:
// such a server may be away for longer than anybody looks ahead. One that came at 30 s and was 12 s late was waited for from 18 s on.
func (e *Index) unasked(from, to time.Duration) (longest float64) {
	if e.Scenario.MetricsFrom == nil {
		return 0
	}
	for _, s := range e.Polled[record.ScrapeLateness] {
		for _, p := range s.Points {
			if p.HasNumber() && p.At >= from && p.At-time.Duration(p.Value*float64(time.Second)) <= to {
				longest = max(longest, p.Value)
			}
		}
	}
	return longest
}

// upName is the series that a Prometheus has of each target, whose labels are those that it gives to all series of that.
// Source: https://prometheus.io/docs/concepts/jobs_instances/#automatically-generated-labels-and-time-series
const upName = "up"

// OfServer tells whether a label of an instance's series is one that a server of the user's gave it (metrics_from), as it gives it to all.
func (e *Index) OfServer(instance string, label collector.Label) bool {
	return e.Scenario.MetricsFrom != nil && slices.ContainsFunc(e.Pushed[instance], func(s *record.Series) bool {
		return s.Name == upName && s.Scraped() && s.Labels.Get(label.Name) == label.Value
	})
}

// Scraped tells whether a metric of a route's instances is scraped: by the series that there are of it, or where there is none at all, by
// what the scenario says of these instances, and of the name. Behind agents nobody asks the instances themselves: they send, and it is the
// agents that may be scraped, for as long as they live.
func (e *Index) Scraped(m metric.Ref, route string) bool {
	none := true
	for _, l := range e.LivesFor(route) {
		if e.AgentLate(l.Instance) > 0 {
			return false
		}
		for _, s := range e.SeriesOf(l.Instance, m) {
			if s.Scraped() {
				return true
			}
			none = false
		}
	}
	_, named := e.Scenario.Stack.Scraped(e.Scenario.Stack.OwnerOf(route), m)
	return none && named
}

// CutAt is when an instance lost the chance that what it counted last is told; Never if it had it. Of what is sent that is a SIGKILL, of what
// is scraped any end: it is asked no more once it was told to end.
func (e *Index) CutAt(l record.Lifetime, m metric.Ref, route string) time.Duration {
	at := e.KilledAt(l)
	if l.Death == record.Never || !e.Scraped(m, route) {
		return at
	}
	if at == record.Never {
		at = l.Death
	}
	if l.Signalled != record.Never {
		at = min(at, l.Signalled)
	}
	return at
}

// indexScrapes lays out when instances were asked, by the collector's own figures.
func (e *Index) indexScrapes() {
	e.scrapes = map[string][]Scrape{}
	took := map[string]map[time.Duration]time.Duration{}
	for i := range e.History.Series {
		if s := &e.History.Series[i]; s.Name == record.ScrapeDuration {
			of := map[time.Duration]time.Duration{}
			for _, p := range s.Points {
				if p.HasNumber() {
					of[p.At] = time.Duration(p.Value * float64(time.Second))
				}
			}
			took[s.Labels.Get(LabelInstance)] = of
		}
	}
	for i := range e.History.Series {
		s := &e.History.Series[i]
		if s.Name != record.ScrapeSuccess {
			continue
		}
		instance := s.Labels.Get(LabelInstance)
		for _, p := range s.Points {
			if p.HasNumber() {
				e.scrapes[instance] = append(e.scrapes[instance], Scrape{p.At, p.At + took[instance][p.At], p.Value > 0})
			}
		}
		slices.SortFunc(e.scrapes[instance], func(a, b Scrape) int { return cmp.Compare(a.From, b.From) })
	}
}

// fetched is a scraped series as it is counted with: its points are at the ends of their scrapes, from when on they are known, and for all
// that they have was done by then; and where its instance tells that it began to count anew, though its value did not fall, a zero says so.
func (e *Index) fetched(s *record.Series, created *record.Series) *record.Series {
	out := *s
	out.Points = make([]record.Point, 0, len(s.Points))
	scrapes := e.scrapes[s.Labels.Get(LabelInstance)]
	anew := e.begunAnew(created)
	for _, p := range s.Points {
		if len(anew) > 0 && anew[0] <= p.At {
			if n := len(out.Points); n > 0 && !out.Points[n-1].Stale && out.Points[n-1].Value <= p.Value {
				out.Points = append(out.Points, record.Point{At: max(out.Points[n-1].At, min(p.At, anew[0]))})
			}
			anew = anew[1:]
		}
		if k, found := slices.BinarySearchFunc(scrapes, p.At, func(s Scrape, at time.Duration) int { return cmp.Compare(s.From, at) }); found {
			p.At = scrapes[k].To
		}
		out.Points = append(out.Points, p)
	}
	return &out
}

// begunAnew are the scrapes that told of a later beginning than any before them, but for the first.
func (e *Index) begunAnew(created *record.Series) (at []time.Duration) {
	if created == nil {
		return nil
	}
	latest := 0.0
	for _, p := range created.Points {
		if !p.HasNumber() {
			continue
		}
		if latest > 0 && p.Value > latest {
			at = append(at, p.At)
		}
		latest = max(latest, p.Value)
	}
	return at
}

// createdName is what the series is called that tells when a counter began.
func createdName(counter string) string {
	return strings.TrimSuffix(strings.TrimSuffix(counter, record.TotalSuffix), "_count") + record.CreatedSuffix
}

// createdSeries are those that tell when others began, by their own keys.
func (e *Index) createdSeries() map[string]*record.Series {
	out := map[string]*record.Series{}
	for i := range e.History.Series {
		if s := &e.History.Series[i]; s.Meta.Sent == "" && s.Meta.Way == collector.ByScrape && strings.HasSuffix(s.Name, record.CreatedSuffix) {
			out[s.Labels.Key(s.Name)] = s
		}
	}
	return out
}
