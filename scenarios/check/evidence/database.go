package evidence

import "throughline/scenarios/record"

// Updates is how many updates the database carried out, by its own count. Where
// that begins anew, it goes on from what it had.
func (e *Index) Updates() Curve {
	var all []*record.Series
	for _, s := range WithLabel(e.Polled[record.Opcounters], "type", "update") {
		all = append(all, lifted(s))
	}
	return SumOf(all)
}

// UpdatesBy is how many updates each member carried out, by name, where the record tells
// the members of the database apart.
func (e *Index) UpdatesBy() map[string]Curve {
	of := map[string][]*record.Series{}
	for _, s := range WithLabel(e.Polled[record.Opcounters], "type", "update") {
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
