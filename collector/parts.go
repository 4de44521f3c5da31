package collector

import (
	"context"
	"errors"
	"time"
)

// Sink takes samples: a store, a record, or who gives them to others. Append may
// be called by several goroutines at once and does not retain the slice.
type Sink interface{ Append(samples ...Sample) error }

// PartlyRefused is the error of a Sink that works, but had no place for some of the
// samples of one Append.
type PartlyRefused interface {
	error
	Lost() int // how many
}

// Journal keeps events. Note may be called by several goroutines at once.
type Journal interface{ Note(events ...Event) error }

// Resumer knows the last point of a series from the time before the collector was
// started anew; ok is false if there is none. Its time is ahead of the clock where a
// source ended within an interval. It is asked once for each series that begins.
type Resumer interface {
	Last(name string, labels Labels) (last Sample, ok bool)
}

// Poller fetches the numbers of something that cannot push. at is the moment
// the samples are to carry.
//
// It is no Source: it has no life of its own and answers when it is asked.
// poll.Loop is the Source that asks it.
type Poller interface {
	Poll(ctx context.Context, at time.Time) ([]Sample, error)
}

// Source is a way in: it receives measurements, or fetches them, and gives them to
// the collector as samples. The collector gives it an Intake when it is made.
//
// What it does with what comes in:
//
//   - It cuts time into the intervals of its Intake. A point of what was pushed
//     carries the end of the interval in which it came; one that was fetched carries
//     the moment of asking. Counters are cumulative (see Sample).
//   - It gives no two points of one series the same time in milliseconds, and none an
//     earlier time than the one before. That holds across a restart, too: one that
//     takes another's place within an interval, for which that one gave its last
//     points, counts what comes until then in the next (Intake.Resume tells).
//   - Input that makes no sense is never an error of Run, and hinders no other: it is
//     counted, in a series of the source's own that says Loss in Metrics.
//   - It counts its own work in series too, named OwnPrefix…, documented by Metrics and
//     given to the same sink at every interval. The collector shows the newest of them
//     on /metrics, also while the store takes nothing.
//
// collector/sourcetest holds this against a Source. What more it can do is in the
// small interfaces below, which a collector looks for: Fetcher, Retirer, Tabler, Greeter.
type Source interface {
	// Run works until ctx ends. Then it takes in what was sent before, within a
	// bounded time, gives the last, partial interval to the sink, and returns; from
	// then on it gives nothing. It is called once; a second call is an error. The
	// error tells of samples that the sink did not take (after which Run goes on),
	// and of ways in that could not be read.
	Run(ctx context.Context) error
	// Close frees what a source has that was never run, which cannot run any more
	// then. After Run it does nothing.
	Close() error
	// Metrics documents every series that the source writes about itself.
	Metrics() []Metric
}

// Intake is what a collector gives a Source to work with.
type Intake struct {
	Sink Sink // takes what the source makes
	// Interval is how long an interval is: one for all sources. It begins at whole
	// multiples since 1970. 0 means a second.
	Interval time.Duration
	// Boundary is the end of an interval, from which all sources of a collector count on, so that their points have the
	// same times; zero: each goes by its own clock.
	Boundary time.Time
	Journal  Journal // takes what is told in words; nil: nobody does
	Resume   Resumer // knows what series came to before, and when; nil: all begin at 0
}

// WithDefaults gives the intake with its interval set.
func (in Intake) WithDefaults() Intake {
	if in.Interval <= 0 {
		in.Interval = time.Second
	}
	return in
}

// IntervalEnd is the end of the interval that t is in, which does not belong to it.
func (in Intake) IntervalEnd(t time.Time) time.Time {
	return t.Add(in.Interval - time.Duration(t.UnixNano()%int64(in.Interval)))
}

// Fetcher is a Source that can be asked to fetch everything now. The collector asks
// it a last time when all sources have returned from Run, so that what was fetched
// last has seen all that was pushed. The error tells of what could not be fetched,
// which is counted besides.
type Fetcher interface {
	Fetch(ctx context.Context) error
}

// Retirer is a Source that tells instances apart. Retire is called when one is known
// to be gone: the source takes in all that it sent, and ends its series with marks
// (Sample.Stale), so that none stands still at its last value. The error is
// ErrUnknownInstance where the source never heard of it.
type Retirer interface {
	Retire(ctx context.Context, instance string) error
}

// ErrUnknownInstance is Retire's answer to a name that the source does not know.
var ErrUnknownInstance = errors.New("no such instance is listened for")

// Output is a way out that has work of its own: it gives to others, from a queue,
// what it was given. Who is a Sink besides gets every sample; others get what they
// give from a source.
type Output interface {
	// Run gives until ctx ends, which is after all sources have ended, and then for
	// a bounded time what still waits. It is called once. A peer that is away is no
	// error, it is counted.
	Run(ctx context.Context) error
	// Own are the output's figures, as they are now, as samples for a time.
	Own(at time.Time) []Sample
	// Metrics documents what Own gives.
	Metrics() []Metric
}

// Tabler is a Source or an Output with figures for people.
type Tabler interface{ Tables() []Table }

// Table is figures as the collector's page shows it. Tables with one title that
// follow each other are shown as one.
type Table struct {
	Title string // "What came in"
	Head  []string
	Rows  [][]Cell
	Notes []string // sentences under it
}

// Cell is one cell of a Table.
type Cell struct {
	Text   string
	Number bool
	Loss   bool // something was lost: it is to be seen
}

// Greeter is a Source to which a person can send something by hand. Hello is a line for
// a shell that sends it one measurement; "" where there is none.
type Greeter interface{ Hello() string }
