package synthetic

import "slices"

// alike are causes that the record of this run cannot tell from the true one, for
// reasons that lie in the run and not in the defect. The list is short on purpose:
// where a careful reader of the record could tell two causes apart, naming the wrong
// one is wrong.
func (w *world) alike(t Truth) []string {
	var also []string
	if w.blind() {
		also = append(also, unseen[t.Cause]...)
	}
	if slices.Contains([]string{"silent-start", "went-silent", "lost-on-exit", "client-buffer-larger-than-declared", "late", "flush-interval",
		"worker-turnover", "datagrams-lost", "collector-away", "silent-worker", "still-held"}, t.Cause) && w.mute() {
		// An instance that lived so short that no count of it ever came has no metric,
		// whatever kept it from counting.
		also = append(also, "no-metric")
	}
	if t.Cause == "went-silent" {
		also = append(also, w.silentAtLast()...)
	}
	return append(also, w.edges(t.Cause)...)
}

// silentAtLast are the causes that a client which went silent looks like when it had
// no more than its window to be silent in: it may hold that still, or have lost it at
// its end.
func (w *world) silentAtLast() []string {
	held, ended := true, true
	for _, in := range w.instances {
		if in.unsent == 0 {
			continue
		}
		held = held && in.signal == "" && in.unsent >= w.end-w.p.Declared
		ended = ended && in.signal == "SIGTERM" && in.unsent >= in.signalled-w.p.Declared
	}
	switch {
	case held:
		return []string{"still-held"}
	case ended:
		return []string{"lost-on-exit"}
	}
	return nil
}

// blind tells whether the application has no metric but the counter: then nobody can
// know whether a cause struck the others too.
func (w *world) blind() bool {
	others := w.p.Others && w.p.Get+w.p.Top > 0
	return !w.p.Timers && !others
}

// unseen are the causes that differ from another only in what the other metrics show.
var unseen = map[string][]string{
	"not-counted":          {"datagrams-lost", "silent-worker"},
	"conditional-count":    {"datagrams-lost", "silent-worker"},
	"silent-worker":        {"not-counted", "conditional-count", "datagrams-lost"},
	"datagrams-lost":       {"not-counted", "conditional-count", "burst"},
	"burst":                {"datagrams-lost", "collector-away", "datagrams-duplicated"},
	"collector-away":       {"burst", "datagrams-lost"},
	"first-sample-lost":    {"silent-start"},
	"silent-start":         {"first-sample-lost"},
	"client-queue-full":    {"datagrams-lost"},
	"counted-twice":        {"datagrams-duplicated"},
	"double-instrumented":  {"datagrams-duplicated"},
	"datagrams-duplicated": {"counted-twice", "double-instrumented"},
	"bad-lines":            {"truncated-datagrams"},
	"truncated-datagrams":  {"bad-lines"},
	"worker-turnover":      {"datagrams-lost"},
}

// mute tells whether no count ever arrived from an instance that had something to
// count.
func (w *world) mute() bool {
	return slices.ContainsFunc(w.instances, func(in *instance) bool { return in.due > 0 && in.got.counted == 0 })
}

// fate is what a run remembers of the datagrams of an instance on their way.
type fate struct {
	sent, lost int
	first      int // so many were lost before any arrived
	last       int // so many were lost after the last that arrived
}

func (f *fate) note(nth int, lost bool) {
	f.sent++
	if !lost {
		f.last = 0
		return
	}
	f.lost++
	f.last++
	if f.first == nth {
		f.first++
	}
}

// edges are the causes that lost datagrams look like when all that were lost are the
// first, or the last, that their instances sent: a handful of flushes, where a client
// holds for seconds.
func (w *world) edges(cause string) []string {
	if cause != "datagrams-lost" && cause != "collector-away" {
		return nil
	}
	first, last, ended, living, losers := true, true, true, true, 0
	for _, in := range w.instances {
		if in.way.lost == 0 {
			continue
		}
		losers++
		first = first && in.way.lost == in.way.first
		last = last && in.way.lost == in.way.last
		ended = ended && in.signal == "SIGTERM"
		living = living && in.signal == ""
	}
	var also []string
	if first {
		also = append(also, "silent-start")
	}
	if last && ended {
		also = append(also, "lost-on-exit")
	}
	if last && living {
		also = append(also, "went-silent", "still-held")
	}
	// The collector's absence shows in that all lose at once. Where some had nothing
	// to send then, or there is but one, it may as well have been the network.
	if cause == "collector-away" && (losers < len(w.instances) || losers == 1) {
		also = append(also, "datagrams-lost")
	}
	return also
}
