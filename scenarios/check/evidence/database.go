package evidence

import "throughline/scenarios/record"

// Updates is how many updates the database carried out, by its own count. Where
// that begins anew, it goes on from what it had.
func (e *Index) Updates() Curve {
	var lifted []*record.Series
	for _, s := range WithLabel(e.Polled[record.Opcounters], "type", "update") {
		c := *s
		c.Points = make([]record.Point, len(s.Points))
		var by, last float64
		for k, p := range s.Points {
			if IsCount(p) {
				if p.Value < last {
					by += last
				}
				last = p.Value
				p.Value += by
			}
			c.Points[k] = p
		}
		lifted = append(lifted, &c)
	}
	return SumOf(lifted)
}
