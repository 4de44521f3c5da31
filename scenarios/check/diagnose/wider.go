package diagnose

import (
	"math"
	"slices"

	"throughline/scenarios/record"
)

// A timer may measure requests of other routes as well: what it has more is then no surplus that the
// counter's may be held against.

// alone takes requests of other routes off the twins, where at every instance they have as many more as
// it answered of these.
func alone(c *Case) {
	for _, names := range c.besides() {
		if !c.measures(names) {
			continue
		}
		c.Accounts = slices.Clone(c.Accounts)
		for i := range c.Accounts {
			if a := &c.Accounts[i]; a.Twin.Kind != "" {
				n := int64(len(a.Acked))
				own := a.Twin.N - a.answeredBeside(names)
				a.Twin.N = min(n+a.Spare, max(own, n-a.Buffer))
				a.Twin.At = nil // which of them came when is not known
			}
		}
		return
	}
}

// besides are each of the other routes, and all of them.
func (c *Case) besides() [][]string {
	var all []string
	for i := range c.Accounts {
		for _, s := range c.Accounts[i].Beside {
			if !s.Failed && len(s.At) > 0 && !slices.Contains(all, s.What) {
				all = append(all, s.What)
			}
		}
	}
	slices.Sort(all)
	var out [][]string
	for _, name := range all {
		out = append(out, []string{name})
	}
	if len(all) > 1 {
		out = append(out, all)
	}
	return out
}

// measures tells whether the twin of every instance has just as many more as it answered of these, and
// that is told from none.
func (c *Case) measures(names []string) bool {
	told := false
	for i := range c.Accounts {
		a := &c.Accounts[i]
		if a.Twin.Kind == "" || len(a.Acked) == 0 {
			continue
		}
		beside := a.answeredBeside(names)
		slack := a.Buffer + a.Spare
		if a.Killed != record.Never { // which took some of these too
			slack += slack*beside/int64(len(a.Acked)) + 1
		}
		more := a.Twin.N - int64(len(a.Acked))
		if math.Abs(float64(more-beside)) > float64(slack)+0.01*float64(beside) {
			return false
		}
		told = told || more > slack && beside > 2*slack+5
	}
	return told
}

func (a *Account) answeredBeside(names []string) (n int64) {
	for _, s := range a.Beside {
		if slices.Contains(names, s.What) {
			n += int64(len(s.At))
		}
	}
	return n
}
