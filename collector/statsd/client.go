package statsd

import (
	"slices"
	"sync"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/grid"
	"throughline/collector/statsd/socket"
)

// client is one instance, or an origin that nobody named, and what it sent, however it
// came in.
type client struct {
	instance string
	labels   collector.Labels
	figures  collector.Labels // of its own figures
	shared   *shared
	stranger bool // nobody named it

	// What follows is guarded by Collector.mu.
	leaving bool     // it is to be retired
	origins []origin // that were assigned to it

	mu    sync.Mutex
	stage stage
	end   time.Time // of the current interval
	grid  grid.Grid
	heard time.Time // when the last payload came
	ceded bool      // its origin is another's now: its series end as soon as nothing comes
	stale bool      // its series are marked stale; they go on when something comes

	key     []byte              // scratch
	measure measure             // scratch
	known   map[uint64]spelling // by the hash of type, name and tags as they come over the wire
	keys    int                 // length of all keys in known, in bytes
	room    int                 // how long that may get
	owners  map[string]*series  // by collector.Labels.Key
	series  []*series           // in the order of their birth
	bytes   int                 // of their names and labels
	lanes   []*lane
	timed   timed
	ready   []collector.Sample // of intervals that are over
	told    time.Time          // of the last points about the client itself
}

// aliases is how many spellings (orders of tags) are remembered per series.
const aliases = 4

func newClient(instance string, labels collector.Labels, shared *shared, g grid.Grid) *client {
	now := shared.cfg.Now()
	cl := &client{instance: instance, labels: labels, figures: ownLabels("instance", instance), shared: shared, grid: g, end: g.After(now), heard: now, told: shared.told,
		known: map[uint64]spelling{}, owners: map[string]*series{}}
	cl.timed.released = cl.end.Add(-shared.cfg.Interval - shared.cfg.OutOfOrder).UnixNano()
	return cl
}

// lane is where lines that come through l are booked.
func (cl *client) lane(l *listener) *lane {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, x := range cl.lanes {
		if x.listener == l {
			return x
		}
	}
	x := &lane{client: cl, listener: l, labels: ownLabels("instance", cl.instance, "listener", l.addr)}
	if l.network == socket.UDP {
		x.tally.sources = newSources()
	}
	cl.lanes = append(cl.lanes, x)
	return x
}

// enter begins with a batch; false when the client is over. cl.mu is
// held.
func (cl *client) enter(now time.Time) bool {
	cl.advance(now)
	if cl.stage >= closed {
		return false
	}
	cl.heard, cl.stale = now, false
	return true
}

// retire tells that nothing will come any more.
func (cl *client) retire() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.stage = max(cl.stage, closing)
}

// cede tells that what comes from the origin belongs to another from now on.
func (cl *client) cede() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.ceded = !cl.stale
}

// line adds one line up; now is when it was read, in ns since 1970. cl.mu is held.
func (cl *client) line(line *dogstatsd.Line, from route, now int64) fate {
	end := int64(0) // of the interval that its timestamp names
	if line.Timestamp != 0 {
		var f fate
		if end, f = cl.place(line.Timestamp); f != accepted {
			return f
		}
	}
	s, f := cl.find(line, from)
	if f != accepted {
		return f
	}
	m := &cl.measure
	m.read(line, cl.shared.cfg.Gauges, now)
	if line.Timestamp != 0 || s.timed {
		if line.Timestamp == 0 {
			end = cl.end.UnixNano()
		}
		return cl.hold(heldLine{series: s, lane: from.lane, measure: *m}, end)
	}
	if f = s.add(m, cl.shared); f == accepted {
		from.lane.tally.Values += uint64(m.count())
	}
	return f
}

// find gives the series of a line. It allocates nothing for a line whose like
// came before. cl.mu is held.
func (cl *client) find(line *dogstatsd.Line, from route) (*series, fate) {
	kind := family(line.Type)[0]
	hash := cl.shared.hash(kind, line.Name, line.Tags)
	if x := cl.known[hash]; x.is(kind, line.Name, line.Tags) {
		return x.series, x.series.refusal()
	}
	cl.key = appendKey(cl.key[:0], kind, line.Name, line.Tags)
	base, graphite := dogstatsd.SplitName(line.Name)
	base, inName, _ := cl.shared.cfg.Tags.SplitName(base)
	labels, f := cl.tags(cl.labels, wireTags{dog: line.Tags, graphite: graphite, inName: inName})
	if len(base) > cl.shared.cfg.MaxName {
		f = longName
	}
	if f != accepted {
		return nil, f
	}
	return cl.findNew(newSeries(line.Type, base, labels), from, hash)
}

// findNew finds the series of a line that is spelled as none before: s, if there is room
// for it, or the one that s is the same as (tags in another order: a:1|c|#x,y and
// a:1|c|#y,x). It remembers the spelling, which is in cl.key, so that find has it next
// time.
func (cl *client) findNew(s *series, from route, hash uint64) (*series, fate) {
	s, f := cl.adopt(s, from)
	if s == nil || len(cl.key) > roomAtFirst {
		return s, f
	}
	// A client that spells its tags ever differently must not fill the
	// memory; the series themselves are in owners.
	if cl.keys += len(cl.key); cl.keys > cl.room+roomAtFirst {
		clear(cl.known)
		cl.keys = len(cl.key)
	}
	// Should two spellings ever have one hash, the later is remembered.
	cl.keys -= len(cl.known[hash].key)
	cl.known[hash] = spelling{key: string(cl.key), series: s}
	return s, f
}

// roomAtFirst is how long the spellings of a client without series may be, and
// each of any client.
const roomAtFirst = 8 << 10

// adopt makes s a series of the client, and gives it; or the series that has this name
// and these labels already. Where another's name is in the way it gives a stand-in that
// refuses every line, where there is no room nil, each with the fate of the line.
func (cl *client) adopt(s *series, from route) (*series, fate) {
	names := s.names()
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = s.labels.Key(name)
		owner, taken := cl.owners[ids[i]]
		if taken && i == 0 && owner.same(s) {
			return owner, accepted
		}
		if taken || reserved(name) && !s.check {
			clash := cl.shared.registry.conflict(s, owner, cl)
			return &series{clash: clash}, conflict
		}
	}
	length := s.length()
	switch {
	case len(cl.series) >= cl.shared.cfg.MaxSeries:
		return nil, tooManySeries
	case !cl.shared.admit(length):
		return nil, tooManyTotal
	}
	if cl.instance != "" {
		s.meta.Origin = from.by.String()
	}
	s.resume(cl.shared)
	for _, id := range ids {
		cl.owners[id] = s
	}
	cl.series = append(cl.series, s)
	cl.bytes += length
	cl.room += aliases * len(cl.key)
	from.lane.tally.Series++
	cl.shared.registry.born(s, cl)
	return s, accepted
}

// advance ends the current interval if now is past its end. The reader calls it
// before it takes payloads in, and flush when an interval is over: so each line
// is in the interval in which it was read, however late flush is. cl.mu is held.
func (cl *client) advance(now time.Time) {
	for !now.Before(cl.end) && cl.stage != over {
		cl.endInterval(false)
		if cl.stage == closed {
			// The mark of the end has its time, however late it is made.
			cl.end = cl.end.Add(cl.shared.cfg.Interval)
		} else {
			cl.end = cl.grid.After(now)
		}
	}
}

// endInterval puts the samples of the current interval into ready; last tells
// that there will be no other. cl.mu is held.
func (cl *client) endInterval(last bool) {
	at := cl.end
	switch {
	case cl.stage == over:
	case cl.stage == closed:
		cl.mark(at)
		cl.stage = over
	case cl.stale:
		cl.release(at.Add(-cl.shared.cfg.OutOfOrder).UnixNano())
	case cl.expired(at):
		cl.release(at.UnixNano())
		cl.mark(at)
		cl.stale, cl.ceded = true, false
	default:
		cl.flush(at, last || cl.stage == closing)
		if cl.stage == closing {
			cl.stage = closed
		}
	}
}

// flush appends the points of the interval that ended at a time, and all that is
// held if it is the last one.
func (cl *client) flush(at time.Time, last bool) {
	cl.ready = slices.Grow(cl.ready, len(cl.series)+int(fates))
	for _, s := range cl.series {
		if free := cl.grid.Free(at, s.resumed); !s.timed && !s.stale && (last || free.Equal(at)) {
			cl.ready = s.flush(cl.ready, free, free.Add(-cl.shared.cfg.Interval), cl.shared)
		}
	}
	cl.timed.end(at)
	horizon := at.Add(-cl.shared.cfg.OutOfOrder).UnixNano()
	if last {
		horizon = forever
	}
	cl.release(horizon)
	if m, ok := meterAt(at, cl.grid, &cl.told, last); ok {
		cl.own(m)
	}
}

// expired tells that an origin that nobody named has sent nothing for long. at is
// the end of the interval.
func (cl *client) expired(at time.Time) bool {
	quiet, expire := at.Sub(cl.heard), cl.shared.cfg.Expire
	return cl.stranger && cl.timed.values == 0 && quiet > cl.shared.cfg.Interval && (cl.ceded || expire > 0 && quiet >= expire)
}

// mark appends the marks that all series are over.
func (cl *client) mark(at time.Time) {
	for _, s := range cl.series {
		if s.stale {
			continue
		}
		end := at
		if next := s.last.Add(cl.shared.cfg.Interval); next.After(at) {
			end = next // it had lines of the future
		}
		cl.ready = s.end(cl.ready, end)
		s.stale = true
	}
	m, _ := meterAt(at, cl.grid, &cl.told, true)
	m.stale = true
	cl.own(m)
}

// own appends the figures of the client. cl.mu is held.
func (cl *client) own(m meter) {
	m.samples = cl.ready
	m.labels = cl.figures
	m.gauge("series", float64(len(cl.series)))
	m.gauge("held_values", float64(cl.timed.values))
	for _, x := range cl.lanes {
		x.tally.own(&m, x.labels)
	}
	cl.ready = m.samples
}

// take appends the samples of all intervals that are over, and tells whether there will
// be no more. g is the grid from now on.
func (cl *client) take(samples []collector.Sample, now time.Time, g grid.Grid) (all []collector.Sample, done bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.grid != g {
		cl.grid = g
		cl.step()
	}
	cl.advance(now)
	samples = append(samples, cl.ready...)
	clear(cl.ready) // what they point to is not needed any more
	cl.ready = cl.ready[:0]
	return samples, cl.stage == over
}

// lastSamples gives what take has not given yet, and the current interval with
// it, though it is not over. Nothing comes in any more.
func (cl *client) lastSamples(now time.Time) []collector.Sample {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.advance(now)
	retired := cl.stage == closing
	cl.endInterval(true)
	if retired {
		cl.end = cl.end.Add(cl.shared.cfg.Interval)
		cl.endInterval(true)
	}
	return cl.ready
}

// close gives back what the client had of what is shared. cl.mu is not held.
func (cl *client) close() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.shared.dismiss(len(cl.series), cl.bytes)
	for _, s := range cl.series {
		s.members.forget(cl.shared)
		if s.histogram != nil {
			cl.shared.buckets.Add(-int64(s.histogram.Size()))
		}
	}
}
