package evidence

import (
	"slices"
	"time"

	"throughline/scenarios/record"
)

// Updates is how many updates the database carried out, by its own count. Where
// that begins anew, it goes on from what it had; of a replica set see [Index.Set].
func (e *Index) Updates() Curve {
	if set := e.Set(); set.Witness != "" {
		return set.All
	}
	var all []*record.Series
	for _, s := range WithLabel(e.Polled[record.Opcounters], "type", "update") {
		all = append(all, lifted(s))
	}
	return SumOf(all)
}

// Set is what the members of a replica set say of the updates that they carried out. A member counts what clients sent to
// it, and apart from that what it did after others. When mongo-1 had counted 2,000 updates as it was last looked at and was
// killed, it may have done more since, which nobody heard of it; mongo-2, which was there all along, has since the beginning
// done 34 more after others than those were seen to count: these were mongo-1's.
type Set struct {
	By   map[string]Curve // what each member took from clients, as far as it was seen
	Seen float64          // their sum, since the load began
	// Witness is a member that was there all along, and All what it carried out, its own and after others, which is what
	// the set did. "": there is none, and what was not seen nobody knows.
	Witness string
	All     Curve
	// Gone are the members that had ended before the last look at the others, in the order of their names, each with the
	// time of the last look at it.
	Gone []LastLook
}

// LastLook is when a member was last looked at.
type LastLook struct {
	Member string
	At     time.Duration
}

// Unseen is how many updates members carried out after the last look at them; false: nobody knows.
func (s Set) Unseen(since time.Duration) (n int64, known bool) {
	if s.Witness == "" {
		return 0, len(s.Gone) == 0
	}
	return Whole(s.All.Since(since) - s.Seen), true
}

// Set is what the record tells of the members of the database; without any where it stands alone.
func (e *Index) Set() Set {
	set := Set{By: e.UpdatesBy()}
	last := time.Duration(0)
	for _, c := range set.By {
		set.Seen += c.Since(e.Begin)
		if len(c.At) > 0 {
			last = max(last, c.At[len(c.At)-1])
		}
	}
	after := updatesBy(e.Polled[record.OpcountersRepl])
	for _, name := range sortedMembers(set.By) {
		c := set.By[name]
		if len(c.At) == 0 {
			continue
		}
		if until := c.At[len(c.At)-1]; until < last-e.Interval/2 {
			set.Gone = append(set.Gone, LastLook{name, until})
			continue
		}
		if !e.thereAllAlong(name, c.At[0]) || len(after[name].At) == 0 {
			continue
		}
		all := Curve{}.plus(c).plus(after[name])
		if n := all.Since(e.Begin); n >= set.Seen && (set.Witness == "" || n > set.All.Since(e.Begin)) {
			set.Witness, set.All = name, all
		}
	}
	return set
}

// thereAllAlong tells whether a member, first looked at at a time, has counted since before the load began.
func (e *Index) thereAllAlong(member string, looked time.Duration) bool {
	return looked <= e.Begin || slices.ContainsFunc(e.EventsOf(member), func(ev *record.Event) bool { return ev.Kind == record.Birth && ev.At <= e.Begin })
}

func sortedMembers(by map[string]Curve) []string {
	var names []string
	for name := range by {
		names = append(names, name)
	}
	slices.SortFunc(names, record.CompareNames)
	return names
}

// plus adds two counts up.
func (c Curve) plus(d Curve) Curve {
	var sum Curve
	at := slices.Concat(c.At, d.At)
	slices.Sort(at)
	for _, t := range slices.Compact(at) {
		sum.At = append(sum.At, t)
		sum.N = append(sum.N, c.UpTo(t)+d.UpTo(t))
	}
	return sum
}

// UpdatesBy is how many updates each member carried out for clients, by name, where the record tells
// the members of the database apart.
func (e *Index) UpdatesBy() map[string]Curve { return updatesBy(e.Polled[record.Opcounters]) }

func updatesBy(counters []*record.Series) map[string]Curve {
	of := map[string][]*record.Series{}
	for _, s := range WithLabel(counters, "type", "update") {
		if member := s.Labels.Get(LabelInstance); member != "" {
			of[member] = append(of[member], lifted(s))
		}
	}
	by := map[string]Curve{}
	for member, series := range of {
		by[member] = SumOf(series)
	}
	return by
}

// lifted is a counter that goes on from what it had where it begins anew.
func lifted(s *record.Series) *record.Series {
	c := *s
	c.Points = make([]record.Point, len(s.Points))
	var by, last float64
	for k, p := range s.Points {
		if p.HasNumber() {
			if p.Value < last {
				by += last
			}
			last = p.Value
			p.Value += by
		}
		c.Points[k] = p
	}
	return &c
}

// RolledBack is how many documents of writes members say that they had acknowledged and rolled back, and who says so.
func (e *Index) RolledBack() (n int64, members []string) {
	for _, s := range e.Polled[record.RolledBack] {
		if value, _, ok := LastOf(s); ok && value > 0 {
			n += Whole(value)
			members = append(members, s.Labels.Get(LabelInstance))
		}
	}
	slices.SortFunc(members, record.CompareNames)
	return n, members
}
