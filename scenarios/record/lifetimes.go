package record

import (
	"cmp"
	"slices"
	"time"
)

// Never is the offset of what did not happen.
const Never = time.Duration(-1)

// Lifetime is what the journal tells of one instance. Offsets are from
// Run.Start; Never where the journal has nothing.
type Lifetime struct {
	Instance  string
	Role      Role
	Version   string        // of the application; "": the scenario has no versions
	Serves    string        // of an agent: beside which instance it is
	Birth     time.Duration // its process was started
	Ready     time.Duration // its probe answered
	Serving   time.Duration // the load balancer marked it up
	Draining  time.Duration // the load balancer was told to send it nothing new
	Signalled time.Duration // when Signal was sent
	Signal    string        // "SIGTERM" or "SIGKILL": the last one the harness sent; empty: none
	Death     time.Duration // when it was gone
	Code      int           // exit status; -1 = ended by a signal
	Expected  bool          // its death was asked for
}

// Killed tells whether the instance had no chance to flush: it was sent
// SIGKILL, or died of a signal by itself.
func (l Lifetime) Killed() bool {
	return l.Signal == "SIGKILL" || l.Death != Never && !l.Expected && l.Code != 0
}

// Alive tells whether the instance was running at offset t.
func (l Lifetime) Alive(t time.Duration) bool {
	return l.Birth != Never && l.Birth <= t && (l.Death == Never || t < l.Death)
}

// Lifetimes reads the journal: one entry per instance in the order of birth.
func (h History) Lifetimes() []Lifetime {
	var out []Lifetime
	at := map[string]int{}
	for _, e := range h.Events {
		if e.Instance == "" {
			continue
		}
		i, known := at[e.Instance]
		if !known {
			i = len(out)
			at[e.Instance] = i
			out = append(out, Lifetime{Instance: e.Instance, Role: e.Role, Birth: Never, Ready: Never,
				Serving: Never, Draining: Never, Signalled: Never, Death: Never})
		}
		out[i].note(e)
	}
	slices.SortStableFunc(out, func(a, b Lifetime) int { return cmp.Compare(a.Birth, b.Birth) })
	return out
}

func (l *Lifetime) note(e Event) {
	switch e.Kind {
	case Birth:
		l.Birth, l.Version, l.Serves = e.At, e.Version, e.Serves
	case Ready:
		l.Ready = e.At
	case Serving:
		l.Serving = e.At
	case Draining:
		l.Draining = e.At
	case Signalled:
		l.Signalled, l.Signal = e.At, e.Signal
	case Death:
		l.Death, l.Code, l.Expected = e.At, e.Code, e.Expected
	}
}
