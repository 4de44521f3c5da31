// Package evidence is a record, laid out once for all rules: requests by instance and
// route, series by instance and by name, lifetimes, the journal's answers to when and
// how long, and how late the machine itself was.
//
// It has no opinion: what should have been is for the rules to say, and helpers that
// serve one rule are that rule's. [New] is called once for a record by scenarios/check,
// and the rules in honesty, signals and tiers, and package account, read the [Index].
package evidence

import (
	"math"
	"slices"
	"time"

	"throughline/scenarios/metric"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Forever is later than any offset in a record.
const Forever = time.Duration(math.MaxInt64)

// Index is a record, indexed once for all checks. Nobody but this package changes it.
type Index struct {
	History     record.History
	Scenario    script.Scenario
	Tiers       record.Tiers  // that count the requests, each on its own
	Begin, End  time.Duration // of the load; record.Never where the journal has none
	Interval    time.Duration
	Lives       []record.Lifetime // of the instances of all roles of the application, in the order of birth; see LivesFor
	Strangers   []string          // instances that answered and of whose birth the journal knows nothing
	Users       Users
	Traces      []Trace                                // of the users' requests in the load balancer's log, by row; nil: there is none
	Pushed      map[string][]*record.Series            // what instances sent, by instance
	Polled      map[string][]*record.Series            // what was polled, by series name
	scrapes     map[string][]Scrape                    // by instance
	reloads     []handover                             // of the load balancer, see stitch
	unpolled    map[string]int64                       // see NotPolled; made when it is asked first
	agents      map[string][]record.Lifetime           // by the instance beside which they were, in the order of birth
	freezes     []freeze                               // of instances, see indexStandstills
	hindrances  []hindrance                            // of the network, see indexHindrances
	crashes     []FaultSpan                            // when the load balancer was killed and started again
	throttled   map[string]Curve                       // of the instances that the host stopped: how long
	Ticks       []time.Duration                        // interval ends at which the collector stored points, in order
	pace        []pace                                 // how late requests were sent, in the order of their due times
	longestLate time.Duration                          // the greatest lateness of all
	apart       time.Duration                          // see Apart
	blockLate   []time.Duration                        // the greatest lateness of each paceBlock of pace
	byInstance  map[string]map[string][]*record.Series // of Polled, by name and label instance; made when it is asked first
	events      map[string][]*record.Event             // see EventsOf; made when it is asked first
	lifeAt      map[string]int                         // where in Lives an instance is; made when it is asked first
	figures     map[string]int64                       // see CollectorFigure; made when one is asked first
	signs       map[string]time.Duration               // see latestSign; made when it is asked first
	resent      map[string]int64                       // see resentFrom; made when it is asked first
	dropped     map[string]bool                        // see Dropped; "": of anybody; nil: nobody asked
	store       *promStore                             // of all series; made by the first promql check
	stores      []*promStore                           // all that were made
	selected    map[metric.Ref]*chosen                 // the series of the metrics that were asked for, see chosen
	sentAt      map[string]map[string][]time.Duration  // of acknowledged requests, by route and instance; made by the first who asks
}

// New lays a record out. s is its scenario, or the scenario by whose checks it is to be
// judged. What takes long and few ask for is made when it is asked for first, so that an
// Index serves one goroutine.
func New(h record.History, s script.Scenario) *Index {
	e := &Index{History: h, Scenario: s, Tiers: record.AllTiers().In(h), Begin: record.Never, End: record.Never, Interval: h.Run.Interval,
		Pushed: map[string][]*record.Series{}, Polled: map[string][]*record.Series{}, figures: map[string]int64{}, resent: map[string]int64{}, signs: map[string]time.Duration{},
		byInstance: map[string]map[string][]*record.Series{}}
	if e.Interval <= 0 {
		e.Interval = time.Second
	}
	for _, ev := range h.Events {
		e.apart = max(e.apart, ev.Bound)
		switch ev.Kind {
		case record.LoadBegin:
			e.Begin = ev.At
		case record.LoadEnd:
			e.End = ev.At
		}
	}
	e.indexUsers()
	e.indexPace()
	e.indexLives()
	e.indexTraces()
	e.attribute()
	e.indexSeries()
	e.indexStandstills()
	e.indexHindrances()
	e.crashes = e.FaultSpans(script.IsFault[script.KillLB])
	e.stitch()
	return e
}

// OfSeries lays out the series of a record alone, for who asks what a metric means and nothing else.
func OfSeries(h record.History) *Index {
	e := &Index{History: record.History{Run: h.Run, Series: h.Series}, Begin: record.Never, End: record.Never, Interval: h.Run.Interval,
		Pushed: map[string][]*record.Series{}, Polled: map[string][]*record.Series{}}
	e.indexSeries()
	return e
}

func (e *Index) indexLives() {
	known := map[string]bool{}
	all := e.History.Lifetimes()
	e.indexAgents(all)
	for _, l := range all {
		if l.Role.Application() {
			e.Lives = append(e.Lives, l)
			known[l.Instance] = true
		}
	}
	for key := range e.Users.AckedAt {
		if !known[key.Instance] {
			known[key.Instance] = true
			e.Strangers = append(e.Strangers, key.Instance)
		}
	}
	slices.SortFunc(e.Strangers, record.CompareNames)
	for _, name := range e.Strangers {
		e.Lives = append(e.Lives, record.Lifetime{Instance: name, Role: record.Web, Birth: record.Never, Ready: record.Never,
			Serving: record.Never, Draining: record.Never, Signalled: record.Never, Death: record.Never})
	}
}

func (e *Index) indexSeries() {
	ticks := map[time.Duration]bool{}
	e.indexScrapes()
	created := e.createdSeries()
	for i := range e.History.Series {
		s := &e.History.Series[i]
		if s.Meta.Sent == "" {
			e.Polled[s.Name] = append(e.Polled[s.Name], s)
			continue
		}
		instance := s.Labels.Get("instance")
		s = e.acrossAgents(s, instance)
		if s.Scraped() {
			e.Pushed[instance] = append(e.Pushed[instance], e.fetched(s, e.createdOf(s, created)))
			continue // its times are its own
		}
		e.Pushed[instance] = append(e.Pushed[instance], s)
		for _, p := range s.Points {
			if !p.Stale {
				ticks[p.At] = true
			}
		}
	}
	if len(ticks) == 0 { // of what is scraped alone, the collector's own figures tell where its intervals end
		for _, s := range e.Polled[record.FlushLateness] {
			for _, p := range s.Points {
				ticks[p.At] = true
			}
		}
	}
	for t := range ticks {
		e.Ticks = append(e.Ticks, t)
	}
	slices.Sort(e.Ticks)
}

// PolledOf are the polled series of a name and an instance.
func (e *Index) PolledOf(name, instance string) []*record.Series {
	of, known := e.byInstance[name]
	if !known {
		of = map[string][]*record.Series{}
		for _, s := range e.Polled[name] {
			in := s.Labels.Get(LabelInstance)
			of[in] = append(of[in], s)
		}
		e.byInstance[name] = of
	}
	return of[instance]
}

// LastTick is the last interval end of the record; 0 without any.
func (e *Index) LastTick() time.Duration {
	if len(e.Ticks) == 0 {
		return 0
	}
	return e.Ticks[len(e.Ticks)-1]
}

// Greatest is the greatest value that the polled or self-measured series name had
// between from and to; 0 where it has none.
func (e *Index) Greatest(name string, from, to time.Duration) float64 {
	var top float64
	for _, s := range e.Polled[name] {
		for _, p := range s.Points {
			if !p.Stale && p.At >= from && p.At <= to {
				top = max(top, p.Value)
			}
		}
	}
	return top
}
