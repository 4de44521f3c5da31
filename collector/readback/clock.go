package readback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Clock is how a server's clock stands to ours: it is ahead by between Least and Most.
type Clock struct{ Least, Most time.Duration }

// Ahead is the middle of what is possible.
func (c Clock) Ahead() time.Duration { return c.Least + (c.Most-c.Least)/2 }

// Bound is how far Ahead may be off at most.
func (c Clock) Bound() time.Duration { return (c.Most - c.Least + 1) / 2 }

// And is what is known of a clock that stood as one exchange says and later as another: it may have been anywhere between.
func (c Clock) And(later Clock) Clock {
	return Clock{Least: min(c.Least, later.Least), Most: max(c.Most, later.Most)}
}

// exchanges is how often the clock is asked for: an answer that took long says little, and one of several took least.
const exchanges = 7

// Clock asks the server for its time, several times. What it answers was its time somewhere between the question and the answer, so that
// each exchange leaves a span for the difference, and what is true is in all of them: asked at 10.000 s, answered at 10.004 s with 12.003 s,
// it is ahead by 1.999 s to 2.003 s. Its time has milliseconds.
func (c *Client) Clock(ctx context.Context) (Clock, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var is Clock
	for n := range exchanges {
		asked := time.Now()
		value, _, err := c.api.Query(ctx, "time()", time.Time{})
		got := time.Now()
		if err != nil {
			return Clock{}, c.about(err)
		}
		scalar, ok := value.(*model.Scalar)
		if !ok {
			return Clock{}, fmt.Errorf("%s: this is not the API of a Prometheus: asked for its time, it answers with %T", c.cfg.URL, value)
		}
		theirs := time.UnixMicro(int64(float64(scalar.Value) * 1e6))
		one := Clock{Least: theirs.Sub(got), Most: theirs.Add(time.Millisecond).Sub(asked)}
		if n == 0 {
			is = one
		}
		is = Clock{Least: max(is.Least, one.Least), Most: min(is.Most, one.Most)}
	}
	if is.Least > is.Most {
		return Clock{}, fmt.Errorf("%s: %w", c.cfg.URL, errSteps)
	}
	return is, nil
}

var errSteps = errors.New("its clock, or ours, was set while it was asked for its time; or several servers answer whose clocks differ")
