package statsd

import (
	"slices"
	"sync"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/statsd/socket"
)

// account is what one instance sent, however it came in.
type account struct {
	instance string
	labels   collector.Labels
	shared   *shared
	stranger bool // nobody named it
	leaving  bool // it is to be retired; guarded by Collector.mu

	mu     sync.Mutex
	stage  stage
	end    time.Time // of the current interval
	grid   grid
	heard  time.Time // when the last payload came
	dozing bool      // it is to fall asleep as soon as nothing comes
	asleep bool      // its series are marked stale; it may wake again

	key    []byte             // scratch
	known  map[string]*series // by type, name and tags as they come over the wire
	keys   int                // length of all keys in known, in bytes
	room   int                // how long that may get
	owners map[string]*series // by collector.Labels.Key
	series []*series          // in the order of their birth
	bytes  int                // of their names and labels
	lanes  []*lane
	timed  timed
	ready  []collector.Sample // of intervals that are over
	told   time.Time          // of the last points about the account itself
}

// aliases is how many spellings (orders of tags) are remembered per series.
const aliases = 4

func newAccount(instance string, labels collector.Labels, shared *shared, g grid) *account {
	now := shared.cfg.Now()
	a := &account{instance: instance, labels: labels, shared: shared, grid: g, end: g.after(now), heard: now, told: shared.told,
		known: map[string]*series{}, owners: map[string]*series{}}
	a.timed.released = a.end.Add(-shared.cfg.Interval - shared.cfg.OutOfOrder).UnixNano()
	return a
}

// lane is where lines that come through l are booked.
func (a *account) lane(l *listener) *lane {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.lanes {
		if x.listener == l {
			return x
		}
	}
	x := &lane{account: a, listener: l, labels: ownLabels("instance", a.instance, "listener", l.addr)}
	if l.network == socket.UDP {
		x.tally.sources = newSources()
	}
	a.lanes = append(a.lanes, x)
	return x
}

// enter begins with a batch; false when the account takes no more lines. a.mu is
// held.
func (a *account) enter(now time.Time) bool {
	a.advance(now)
	if a.stage >= closed {
		return false
	}
	a.heard, a.asleep = now, false
	return true
}

// retire tells that nothing will come any more.
func (a *account) retire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stage = max(a.stage, closing)
}

// doze tells that what comes from the origin belongs to another from now on.
func (a *account) doze() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dozing = !a.asleep
}

// line adds one line up. a.mu is held.
func (a *account) line(line *dogstatsd.Line, from route, now time.Time) fate {
	end := a.end.UnixNano()
	if line.Timestamp != 0 {
		var f fate
		if end, f = a.place(line.Timestamp); f != accepted {
			return f
		}
	}
	s, f := a.find(line, from)
	if f != accepted {
		return f
	}
	m := a.measure(line, now)
	if line.Timestamp != 0 || s.timed {
		return a.hold(heldLine{series: s, lane: from.lane, measure: m}, end)
	}
	if f = s.add(&m, a.shared); f == accepted {
		from.lane.tally.Values += uint64(m.count())
	}
	return f
}

// find gives the series of a line. It allocates nothing for a line whose like
// came before. a.mu is held.
func (a *account) find(line *dogstatsd.Line, from route) (*series, fate) {
	kind := family(line.Type)
	a.key = append(a.key[:0], kind[0])
	a.key = append(a.key, line.Name...)
	a.key = append(a.key, '|') // in no name
	a.key = append(a.key, line.Tags...)
	if s, ok := a.known[string(a.key)]; ok {
		return s, s.refusal()
	}
	base, graphite := dogstatsd.SplitName(line.Name)
	base, inName, _ := a.shared.cfg.Tags.SplitName(base)
	labels, f := a.tags(a.labels, wireTags{dog: line.Tags, graphite: graphite, inName: inName})
	if len(base) > a.shared.cfg.MaxName {
		f = longName
	}
	if f != accepted {
		return nil, f
	}
	return a.meet(newSeries(line.Type, base, labels), from)
}

// meet is find for a line that was not seen before, the series of which would be
// s and the spelling of which is in a.key.
func (a *account) meet(s *series, from route) (*series, fate) {
	s, f := a.adopt(s, from)
	if s == nil || len(a.key) > roomAtFirst {
		return s, f
	}
	// A client that spells its tags ever differently must not fill the
	// memory; the series themselves are in owners.
	if a.keys += len(a.key); a.keys > a.room+roomAtFirst {
		clear(a.known)
		a.keys = len(a.key)
	}
	a.known[string(a.key)] = s
	return s, f
}

// roomAtFirst is how long the spellings of an account without series may be, and
// each of any account.
const roomAtFirst = 8 << 10

// adopt gives the series that s is: one that is there already, a refusal, or s
// itself, new; nil when there is no room for it.
func (a *account) adopt(s *series, from route) (*series, fate) {
	names := s.names()
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = s.labels.Key(name)
		owner, taken := a.owners[ids[i]]
		if taken && i == 0 && owner.same(s) {
			return owner, accepted
		}
		if taken || reserved(name) && !s.check {
			clash := a.shared.registry.conflict(s, owner, a)
			return &series{clash: clash}, conflict
		}
	}
	length := s.length()
	switch {
	case len(a.series) >= a.shared.cfg.MaxSeries:
		return nil, tooManySeries
	case !a.shared.admit(length):
		return nil, tooManyTotal
	}
	if a.instance != "" {
		s.meta.Origin = from.by.String()
	}
	s.resume(a.shared)
	for _, id := range ids {
		a.owners[id] = s
	}
	a.series = append(a.series, s)
	a.bytes += length
	a.room += aliases * len(a.key)
	from.lane.tally.Series++
	a.shared.registry.born(s, a)
	return s, accepted
}

// advance ends the current interval if now is past its end. The reader calls it
// before it takes payloads in, and flush when an interval is over: so each line
// is in the interval in which it was read, however late flush is. a.mu is held.
func (a *account) advance(now time.Time) {
	for !now.Before(a.end) && a.stage != over {
		a.endInterval(false)
		if a.stage == closed {
			// The mark of the end has its time, however late it is made.
			a.end = a.end.Add(a.shared.cfg.Interval)
		} else {
			a.end = a.grid.after(now)
		}
	}
}

// endInterval puts the samples of the current interval into ready; last tells
// that there will be no other. a.mu is held.
func (a *account) endInterval(last bool) {
	at := a.end
	switch {
	case a.stage == over:
	case a.stage == closed:
		a.mark(at)
		a.stage = over
	case a.asleep:
		a.release(at.Add(-a.shared.cfg.OutOfOrder).UnixNano())
	case a.drowsy(at):
		a.release(at.UnixNano())
		a.mark(at)
		a.asleep, a.dozing = true, false
	default:
		a.flush(at, last || a.stage == closing)
		if a.stage == closing {
			a.stage = closed
		}
	}
}

// flush appends the points of the interval that ended at a time, and all that is
// held if it is the last one.
func (a *account) flush(at time.Time, last bool) {
	a.ready = slices.Grow(a.ready, len(a.series)+int(fates))
	for _, s := range a.series {
		if free := a.grid.free(at, s.resumed); !s.timed && !s.asleep && (last || free.Equal(at)) {
			a.ready = s.flush(a.ready, free, free.Add(-a.shared.cfg.Interval), a.shared)
		}
	}
	a.timed.end(at)
	horizon := at.Add(-a.shared.cfg.OutOfOrder).UnixNano()
	if last {
		horizon = forever
	}
	a.release(horizon)
	if m, ok := meterAt(at, a.grid, &a.told, last); ok {
		a.own(m)
	}
}

// drowsy tells that an origin that nobody named has sent nothing for long. at is
// the end of the interval.
func (a *account) drowsy(at time.Time) bool {
	quiet, expire := at.Sub(a.heard), a.shared.cfg.Expire
	return a.stranger && a.timed.values == 0 && quiet > a.shared.cfg.Interval && (a.dozing || expire > 0 && quiet >= expire)
}

// mark appends the marks that all series are over.
func (a *account) mark(at time.Time) {
	for _, s := range a.series {
		if s.asleep {
			continue
		}
		end := at
		if next := s.last.Add(a.shared.cfg.Interval); next.After(at) {
			end = next // it had lines of the future
		}
		a.ready = s.end(a.ready, end)
		s.asleep = true
	}
	m, _ := meterAt(at, a.grid, &a.told, true)
	m.stale = true
	a.own(m)
}

// own appends the account of the account. a.mu is held.
func (a *account) own(m meter) {
	m.samples = a.ready
	m.labels = ownLabels("instance", a.instance)
	m.gauge("series", float64(len(a.series)))
	m.gauge("held_values", float64(a.timed.values))
	for _, x := range a.lanes {
		x.tally.own(&m, x.labels)
	}
	a.ready = m.samples
}

// take gives the samples of all intervals that are over, and whether there will
// be no more. g is the grid from now on.
func (a *account) take(now time.Time, g grid) (ready []collector.Sample, done bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.grid != g {
		a.grid = g
		a.step()
	}
	a.advance(now)
	ready, a.ready = a.ready, nil
	return ready, a.stage == over
}

// lastSamples gives what take has not given yet, and the current interval with
// it, though it is not over. Nothing comes in any more.
func (a *account) lastSamples(now time.Time) []collector.Sample {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(now)
	retired := a.stage == closing
	a.endInterval(true)
	if retired {
		a.end = a.end.Add(a.shared.cfg.Interval)
		a.endInterval(true)
	}
	return a.ready
}

// close gives back what the account had of what is shared. a.mu is not held.
func (a *account) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shared.dismiss(len(a.series), a.bytes)
	for _, s := range a.series {
		s.members.forget(a.shared)
		if s.histogram != nil {
			a.shared.buckets.Add(-int64(s.histogram.size()))
		}
	}
}
