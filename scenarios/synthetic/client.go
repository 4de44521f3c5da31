package synthetic

import (
	"cmp"
	"slices"
	"time"
)

// datagram is what a client sends at once.
type datagram struct {
	at    time.Duration
	lines []line
	from  int // which socket
}

// line is a line of a datagram, with all that was added up or packed into it.
type line struct {
	metric metric
	n      float64   // of a counter or gauge
	values []float64 // of a timer
	rate   float64
	bad    bool
	cut    bool // its end is missing
}

// Bytes of lines on the wire: name, value, type and tags.
const (
	lineBytes  = 45
	valueBytes = 6 // of a value more in a line
)

// send has all clients send what they were called with, and the collector take it
// in.
func (w *world) send() {
	w.last = forever
	for _, in := range w.instances {
		for _, x := range in.workers {
			slices.SortStableFunc(x.calls, func(a, b call) int { return cmp.Compare(a.at, b.at) })
			if w.f.keep != nil {
				x.calls = w.f.keep(x, x.calls)
			}
			in.sent = append(in.sent, w.pack(x)...)
			x.calls = nil
		}
		slices.SortStableFunc(in.sent, func(a, b datagram) int { return cmp.Compare(a.at, b.at) })
		for i, d := range in.sent {
			in.way.note(i, w.carry(in, d) == 0)
		}
		in.sent = nil
		if w.f.foreign != nil {
			in.got.foreign = append(in.got.foreign, w.f.foreign(w, in)...)
		}
	}
	if w.f.declare != nil {
		w.p.Declared = declared(w.f.declare(), w.p.Jitter)
	}
	w.settle()
	for _, in := range w.instances {
		if w.p.Scaled != nil && w.p.Scaled.Gauge {
			w.inflight(in)
		}
		w.collect(in)
	}
	w.own()
}

// clientOf is what an instance's clients do.
func (w *world) clientOf(in *instance) Client {
	if w.f.client != nil {
		return w.f.client(in)
	}
	return w.p.Client
}

// tick is the first time after t at which a timer fires that was made at phase.
// The nth time is late by what its number gives, and never early.
func (x *worker) tick(period, phase, jitter, t time.Duration) time.Duration {
	if t < phase {
		t = phase
	}
	for k := (t - phase) / period; ; k++ {
		if at := phase + k*period + x.late(k, min(jitter, period/2)); at > t {
			return at
		}
	}
}

// late is evenly distributed up to the jitter.
func (x *worker) late(k, jitter time.Duration) time.Duration {
	if jitter <= 0 {
		return 0
	}
	h := uint64(k)*0x9e3779b97f4a7c15 + uint64(x.instance.number*31+x.number)*0xbf58476d1ce4e5b9
	h ^= h >> 29
	h *= 0x94d049bb133111eb
	h ^= h >> 32
	return time.Duration(h % uint64(jitter))
}

// aggregates tells whether the client adds up or packs the calls of a metric.
func (c Client) aggregates(m metric) bool { return c.Aggregate > 0 && (c.TimersToo || !m.timer()) }

// leave is when a call leaves.
func (w *world) leave(x *worker, c Client, k call) leaving {
	t := k.at
	if w.f.later != nil {
		t += w.f.later(x, k)
	}
	if c.aggregates(k.metric) {
		t = x.tick(c.Aggregate, x.aggregate, w.p.Jitter, t)
	}
	if c.Flush > 0 {
		t = x.tick(c.Flush, x.flush, w.p.Jitter, t)
	}
	t += w.still(x.name, t)
	if w.f.recycle == 0 { // a worker that is replaced in order sends all before
		if i, _ := slices.BinarySearch(x.recycled, k.at); i < len(x.recycled) {
			t = min(t, x.recycled[i])
		}
	}
	if w.f.leaves != nil {
		if l := w.f.leaves(x, k, t); l.never || l.at != t {
			return l
		}
	}
	if t < x.death {
		return leaving{at: t}
	}
	return leaving{at: x.closed(k.at), never: x.killed()}
}

// tooLate tells whether a count that leaves at left was late, and the record shows it:
// an interval ended in between. Who stands still is not late.
func (w *world) tooLate(in *instance, called, left time.Duration) bool {
	if w.f.punctual == 0 {
		return false
	}
	due := called + w.p.Declared + w.f.punctual + 50*time.Millisecond
	for _, f := range w.frozen {
		if f.on == in.name {
			due += max(0, min(f.To, left)-max(f.From, called))
		}
	}
	for _, s := range w.p.Stalls {
		due += max(0, min(s.To, left)-max(s.From, called))
	}
	next := w.phase + (due-w.phase+w.p.Interval-1)/w.p.Interval*w.p.Interval
	return next < left
}

// closed is when a client is closed in an orderly end.
func (x *worker) closed(t time.Duration) time.Duration { return max(t, x.death-5*time.Millisecond) }

// departure is a call with the time it leaves.
type departure struct {
	at time.Duration
	call
}

// pack makes the datagrams of a worker.
func (w *world) pack(x *worker) []datagram {
	c := w.clientOf(x.instance)
	out := make([]departure, 0, len(x.calls))
	leaves := make([]leaving, len(x.calls))
	for i, k := range x.calls {
		leaves[i] = w.leave(x, c, k)
	}
	held := c.heldAtExit(x, leaves)
	for i, k := range x.calls {
		l := leaves[i]
		times := 1
		if l.never {
			times = 0
		} else if w.f.exit != nil && held[i] {
			times = w.f.exit(x, k, l.at)
		}
		if k.metric == inserts && !l.never && w.tooLate(x.instance, k.at, l.at) {
			x.got.late += int64(k.n)
		}
		if times == 0 && k.metric == inserts && (x.unsent == 0 || k.at < x.unsent) {
			x.unsent = k.at
		}
		for range times {
			out = append(out, departure{l.at, k})
		}
	}
	slices.SortStableFunc(out, func(a, b departure) int { return cmp.Compare(a.at, b.at) })
	var all []datagram
	for len(out) > 0 {
		n := 1
		for n < len(out) && out[n].at == out[0].at {
			n++
		}
		all = append(all, c.datagrams(out[:n], w.f.later == nil)...)
		out = out[n:]
	}
	for i := range all {
		all[i].from = w.socket(x, all[i].at)
	}
	return all
}

// heldAtExit tells of each of a worker's calls whether its client still holds it at an exit in order.
// Lines that are not added up fill datagrams, and one that is full has been sent.
func (c Client) heldAtExit(x *worker, leaves []leaving) []bool {
	held := make([]bool, len(leaves))
	if x.signal != "SIGTERM" {
		return held
	}
	lines := 0
	for i, k := range x.calls {
		held[i] = leaves[i].at >= x.closed(0) && !leaves[i].never
		if held[i] && c.alone(k) {
			lines++
		}
	}
	each := max(1, c.Bytes/lineBytes)
	sent := max(0, lines-1) / each * each
	if c.Hold() == 0 {
		sent = lines
	}
	for i, k := range x.calls {
		if held[i] && c.alone(k) && sent > 0 {
			held[i] = false
			sent--
		}
	}
	return held
}

// alone tells whether a call makes a line of its own, and is not added up with others.
func (c Client) alone(k call) bool {
	return !c.aggregates(k.metric) || k.rate != 1 || k.bad || k.metric == gaugedInserts
}

// socket is which socket a worker sends from at a time.
func (w *world) socket(x *worker, at time.Duration) int {
	switch w.p.Sockets {
	case perSend:
		w.sockets++
		return w.sockets
	case perInstance:
		return 0
	}
	life, _ := slices.BinarySearch(x.recycled, at)
	return -(x.number + life*1000) - 1
}

// datagrams packs what leaves at one time: first the lines as they were called,
// then those that were added up. One that is full leaves early, as soon as it is.
func (c Client) datagrams(out []departure, early bool) []datagram {
	var all []datagram
	d := datagram{at: out[0].at}
	room := c.Bytes
	end := func(at time.Duration) {
		if len(d.lines) > 0 {
			d.at = at
			all = append(all, d)
		}
		d, room = datagram{}, c.Bytes
	}
	put := func(l line, size int, at time.Duration) {
		if room < size {
			end(at)
		}
		d.lines = append(d.lines, l)
		room -= size
	}
	var sums [metrics]float64
	var values [metrics][]float64
	for _, k := range out {
		switch {
		case c.Hold() == 0:
			all = append(all, datagram{at: k.at, lines: []line{lineOf(k.call)}})
		case c.alone(k.call):
			at := k.at
			if early {
				at = k.call.at
			}
			put(lineOf(k.call), lineBytes, at)
		case k.metric.timer():
			values[k.metric] = append(values[k.metric], k.n)
		default:
			sums[k.metric] += k.n
		}
	}
	at := out[0].at
	for m := range metrics {
		if sums[m] > 0 {
			put(line{metric: m, n: sums[m], rate: 1}, lineBytes, at)
		}
		for v := values[m]; len(v) > 0; {
			n := min(len(v), max(1, (c.Bytes-lineBytes)/valueBytes))
			put(line{metric: m, values: v[:n], rate: 1}, lineBytes+n*valueBytes, at)
			v = v[n:]
		}
	}
	end(at)
	return all
}

func lineOf(k call) line {
	l := line{metric: k.metric, n: k.n, rate: k.rate, bad: k.bad}
	if k.metric.timer() {
		l.values = []float64{k.n}
	}
	return l
}

// carry brings a datagram to the collector, and gives how many copies arrived.
func (w *world) carry(in *instance, d datagram) int {
	copies := 1
	if w.f.datagrams != nil {
		copies = w.f.datagrams(in, &d)
	}
	if w.f.restarted && w.away.has(d.at) {
		copies = 0
	}
	d.at += 50*time.Microsecond + time.Duration(w.rnd.Int64N(int64(200*time.Microsecond)))
	d.at += w.stalled(d.at)
	for range copies {
		in.got.take(d)
	}
	return copies
}
