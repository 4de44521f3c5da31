package scaling

import (
	"slices"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// counted are the series in which an instance counts a promised metric, on their way to the
// truth. Mostly it is one; where it is several, the truth is shared out among them as they are.
type counted struct {
	j      *judging
	grid   []time.Duration
	life   record.Lifetime
	bounds account.Bounds
	was    []record.Series
	values [][]float64 // of each, at each interval end; what it was last, and 0 before it began
	begins []int       // the place of the first point of each
	sums   []float64
}

// never is the series that an instance should have, and has not: like that of another one.
func (c *counted) never(like *record.Series) record.Series {
	s := record.Series{Name: like.Name, Labels: like.Labels.With(evidence.LabelInstance, c.life.Instance), Meta: like.Meta}
	for _, own := range c.j.e.Pushed[c.life.Instance] {
		for _, l := range own.Labels {
			if s.Labels.Get(l.Name) != "" {
				s.Labels = s.Labels.With(l.Name, l.Value)
			}
		}
	}
	return s
}

// layOut finds what the series were at each interval end.
func (c *counted) layOut() {
	c.sums = make([]float64, len(c.grid))
	for _, s := range c.was {
		values, begins := make([]float64, len(c.grid)), len(c.grid)
		last, i := 0.0, 0
		for k, t := range c.grid {
			for i < len(s.Points) && s.Points[i].At <= t {
				if s.Points[i].HasNumber() {
					last, begins = s.Points[i].Value, min(begins, k)
				}
				i++
			}
			values[k] = last
			c.sums[k] += last
		}
		c.values, c.begins = append(c.values, values), append(c.begins, begins)
	}
}

// nearest is what the series should sum up to at each interval end, with as little changed as the
// bounds allow: what was once lost stays added, so that from then on the truth grows as the record
// does wherever that may be right. It never falls.
func (c *counted) nearest() []float64 {
	out := make([]float64, len(c.grid))
	off, was := 0.0, 0.0
	for k, sum := range c.sums {
		to := max(was, min(max(sum+off, c.bounds.Least[k]), c.bounds.Most[k]))
		if to != sum+off {
			off = to - sum
		}
		out[k], was = to, to
	}
	return out
}

// make gives the series with what they should sum up to at each interval end. The first one begins as soon as there is something to count, with a zero
// before it, as the collector makes one.
func (c *counted) make(should []float64) []record.Series {
	first := len(c.grid)
	for k := range c.grid {
		if should[k] >= 1 {
			first = k - 1
			break
		}
	}
	out := slices.Clone(c.was)
	values := c.shared(should)
	for i := range out {
		begin := c.begins[i]
		if i == 0 && begin > first+1 {
			begin = max(0, first)
		}
		end, mark := c.end(c.was[i])
		out[i].Points = make([]record.Point, 0, len(c.was[i].Points)+1)
		for k := begin; k < len(c.grid) && c.grid[k] <= end; k++ {
			out[i].Points = append(out[i].Points, record.Point{At: c.grid[k], Value: values[i][k]})
		}
		if mark != record.Never && len(out[i].Points) > 0 {
			out[i].Points = append(out[i].Points, record.Point{At: mark, Stale: true})
		}
	}
	return out
}

// shared are the values of each series at each interval end, which sum up to what they should. Of several each has the
// share of what came in an interval that it has in the record, and the first one what came when the record has
// nothing. So none ever falls: a counter that does has begun anew, for PromQL.
func (c *counted) shared(should []float64) [][]float64 {
	if slices.Equal(should, c.sums) {
		return c.values
	}
	if len(c.was) == 1 {
		return [][]float64{should}
	}
	out := make([][]float64, len(c.was))
	for i := range out {
		out[i] = make([]float64, len(c.grid))
	}
	to := 0.0
	came := make([]float64, len(c.was))
	for k := range c.grid {
		all, due := 0.0, should[k]-to
		to = should[k]
		for i, values := range c.values {
			if came[i] = values[k]; k > 0 {
				came[i] = max(0, values[k]-values[k-1])
			}
			all += came[i]
		}
		for i := range out {
			if k > 0 {
				out[i][k] = out[i][k-1]
			}
			switch {
			case all > 0:
				out[i][k] += due * came[i] / all
			case i == 0:
				out[i][k] += due
			}
		}
	}
	return out
}

// end is the last interval end at which a series has a value, and when the mark of its end
// stands; Never: there is none. It is as in the record, if that ends with the instance's life.
func (c *counted) end(s record.Series) (last, mark time.Duration) {
	if c.life.Death == record.Never {
		return evidence.Forever, record.Never
	}
	limit := c.j.last(c.life)
	last, mark = record.Never, record.Never
	for _, p := range s.Points {
		if p.Stale {
			mark = p.At
		} else {
			last, mark = p.At, record.Never
		}
	}
	if last >= c.life.Death-c.j.e.Interval && last <= limit {
		return last, mark
	}
	k, _ := slices.BinarySearch(c.grid, c.life.Death)
	if last > limit { // it goes on for too long
		k, _ = slices.BinarySearch(c.grid, limit+1)
		k--
	}
	switch {
	case k+1 < len(c.grid):
		return c.grid[k], c.grid[k+1]
	case k < len(c.grid):
		return c.grid[k], record.Never
	}
	return evidence.Forever, record.Never
}
