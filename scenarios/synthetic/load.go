package synthetic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// The routes.
const (
	insert = "insert"
	get    = "get"
	top    = "toplist"
	health = "health"
)

// execution is a request in the hands of an instance.
type execution struct {
	at     time.Duration // when it is counted
	route  string
	word   int
	status uint16
	took   time.Duration
}

// ok tells whether it was answered with 2xx.
func (x execution) ok() bool { return x.status/100 == 2 }

// rateAt is the load at a time after its beginning.
func (p Params) rateAt(t time.Duration) float64 {
	switch p.Shape {
	case script.Sine:
		return p.Rate * (1 + p.Swing*math.Sin(2*math.Pi*t.Seconds()/p.Period.Seconds()))
	case script.Steps:
		for _, l := range p.Levels {
			if t < l.For {
				return l.Rate
			}
			t -= l.For
		}
		return p.Levels[len(p.Levels)-1].Rate
	}
	return p.Rate
}

// load sends the requests, and lets the instances execute them.
func (w *world) load() {
	zipf := rand.NewZipf(w.rnd, 1.3, 3, uint64(w.p.Words-1))
	words := make([]string, w.p.Words)
	for i := range words {
		words[i] = fmt.Sprintf("word%d", i)
	}
	mix := w.p.Insert + w.p.Get + w.p.Top
	up := make([]*instance, 0, 8)
	var due, done time.Duration
	for seq := uint64(0); ; seq++ {
		due += time.Duration(float64(time.Second) / w.p.rateAt(due) * (0.5 + w.rnd.Float64()))
		at := loadBegin + due
		if at >= w.end {
			break
		}
		sent := at + time.Duration(w.rnd.Int64N(int64(300*time.Microsecond)))
		sent += w.stalled(sent)
		r := record.Request{Seq: seq, Due: at, Sent: sent, Route: insert, Attempts: 1}
		word := int(zipf.Uint64())
		r.Word = words[word]
		switch n := w.rnd.IntN(mix); {
		case n >= w.p.Insert+w.p.Get:
			r.Route, r.Word = top, ""
		case n >= w.p.Insert:
			r.Route = get
		}
		up = up[:0]
		for _, in := range w.instances {
			if in.serving <= r.Sent && r.Sent < in.until {
				up = append(up, in)
			}
		}
		w.serve(&r, word, up)
		done = max(done, r.Done)
		w.h.Requests = append(w.h.Requests, r)
	}
	w.event(max(w.end, done)+time.Millisecond, record.LoadEnd, nil)
	w.end = max(w.end, done)
}

// serve has an instance execute a request.
func (w *world) serve(r *record.Request, word int, up []*instance) {
	took := time.Millisecond + time.Duration(w.rnd.ExpFloat64()*float64(w.p.Slow))
	if len(up) == 0 {
		r.Done, r.Outcome, r.Status = r.Sent+took, record.Refused, 503
		w.log(r, record.Execution{Status: 503, Termination: "SC"})
		return
	}
	in := up[w.rnd.IntN(len(up))]
	if w.p.RoundRobin {
		w.turn++
		in = up[w.turn%len(up)]
	}
	took = min(took, 30*w.p.Slow)
	x := execution{at: r.Sent + took*8/10, route: r.Route, word: word, took: took}
	x.at += w.still(in.name, x.at)
	for _, f := range w.frozen { // the database
		if f.on == "" && r.Sent <= f.To && x.at > f.From && x.at < f.To {
			x.at = f.To + time.Duration(w.rnd.Int64N(int64(5*time.Millisecond)))
		}
	}
	r.Done = x.at + took*2/10 + time.Duration(w.rnd.Int64N(int64(200*time.Microsecond)))
	r.Done += w.still(in.name, r.Done)
	x.took = r.Done - r.Sent
	in.sessions = append(in.sessions, r.Sent)
	x.status, r.Status = w.answer(r.Route)
	if in.killed() && r.Done >= in.signalled {
		// A kill comes between the answer and the user, or before the work.
		if x.at < in.signalled {
			w.execute(in, x, r)
		}
		r.Err, r.Status = "connection reset by peer", 0
		w.lost(in, r)
		return
	}
	w.execute(in, x, r)
	if r.Status == 0 {
		r.Err = "EOF"
		w.lost(in, r)
		return
	}
	r.Instance = in.name
	w.log(r, record.Execution{Server: in.name, Status: r.Status, Answered: true, Termination: "--"})
	switch r.Status / 100 {
	case 2:
		r.Outcome = record.Acked
		in.ok2 = append(in.ok2, r.Done)
		if r.Route == insert {
			in.acked = append(in.acked, r.Done)
		}
	case 4:
		in.ko4 = append(in.ko4, r.Done)
		r.Outcome = record.Unknown
	case 5:
		in.ko5 = append(in.ko5, r.Done)
		r.Outcome = record.Unknown
	}
	if r.Outcome == record.Unknown && r.Route == insert {
		in.unknown++
		in.failed++
	}
}

// answer draws how a request is answered: by the instance, and to the user.
func (w *world) answer(route string) (status, seen uint16) {
	status = 200
	switch {
	case route == get && chance(w.rnd, w.p.Missing):
		status = 404
	case route == insert && chance(w.rnd, w.p.Failing):
		status = oneOf[uint16](w.rnd, 400, 422, 500)
	case route == insert && chance(w.rnd, w.p.Unanswered):
		return status, 0
	}
	return status, status
}

// lost is a request of which the user learns nothing.
func (w *world) lost(in *instance, r *record.Request) {
	if r.Route == insert {
		in.unknown++
	}
	w.log(r, record.Execution{Server: in.name, Status: 502, Termination: "SH"})
}

// log is the load balancer's line about a request.
func (w *world) log(r *record.Request, x record.Execution) {
	x.At, x.Seq = r.Done, r.Seq
	w.h.Executions = append(w.h.Executions, x)
}

// execute does the work, and has a worker measure it.
func (w *world) execute(in *instance, x execution, r *record.Request) {
	if x.route == insert && x.ok() {
		w.written = append(w.written, x.at)
		w.words[r.Word]++
		in.due++
	}
	n := w.rnd.IntN(len(in.workers))
	if w.p.RoundRobin {
		in.turn++
		n = in.turn % len(in.workers)
	}
	w.measure(in.workers[n], x)
}

// probes are the requests for an instance's health, which only it sees. They come from
// when it serves until it is told to end, and after the load as well.
func (w *world) probes() {
	for _, in := range w.instances {
		until := w.end + w.p.Declared + w.p.Lag + w.p.Interval + settleLimit
		if in.signal != "" {
			until = in.signalled
		}
		for t := in.serving + between(w.rnd, 0, w.p.Probe); t < until; t += w.p.Probe {
			at := t + time.Millisecond
			w.measure(in.workers[w.rnd.IntN(len(in.workers))], execution{at: at + w.still(in.name, at), route: health, status: 200, took: time.Millisecond})
		}
	}
}
