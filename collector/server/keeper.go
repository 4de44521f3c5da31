package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"throughline/collector"
)

// The series that the keeper writes.
const (
	storeUpName     = collector.OwnPrefix + "store_up"
	samplesLostName = collector.OwnPrefix + "samples_lost_total"
)

// stuckAfter is how long a store may work on samples before it counts as one
// that takes none: a disk that hangs gives no error.
const stuckAfter = 10 * time.Second

// keeper gives samples to the store, and keeps the figures of that in memory:
// what tells of a failure must not live in what failed. It holds the newest
// sample of each series that the collector writes about itself, so that /metrics
// has them while the store takes nothing.
type keeper struct {
	store collector.Sink
	now   func() time.Time
	alarm alarm

	mu      sync.Mutex
	own     map[string]collector.Sample // by name and labels
	failing error                       // why the store took nothing of the last samples; nil: it took them
	since   time.Time                   // of failing
	lost    uint64                      // samples that it did not take
	busy    int                         // Appends under way
	begun   time.Time                   // when the store began with them, or ended the last
}

func newKeeper(store collector.Sink, log *slog.Logger, now func() time.Time) *keeper {
	return &keeper{store: store, now: now, alarm: alarm{log: log, now: now}, own: map[string]collector.Sample{}}
}

// Append implements collector.Sink.
func (k *keeper) Append(samples ...collector.Sample) error {
	k.mu.Lock()
	for _, s := range samples {
		k.remember(s)
	}
	if k.busy++; k.busy == 1 {
		k.begun = k.now()
	}
	k.mu.Unlock()
	err := k.store.Append(samples...)
	k.mu.Lock()
	k.busy--
	k.begun = k.now()
	lost := k.book(err, len(samples))
	k.mu.Unlock()
	k.alarm.tell("the store did not take samples", "the store takes samples again", err, lost)
	return err
}

// remember keeps a sample that the collector wrote about itself. k.mu is held.
func (k *keeper) remember(s collector.Sample) {
	if !strings.HasPrefix(s.Name, collector.OwnPrefix) {
		return
	}
	key := s.Labels.Key(s.Name)
	if s.Stale {
		delete(k.own, key)
		return
	}
	k.own[key] = s
}

// book counts what became of n samples, and returns how many were lost since
// the beginning. k.mu is held.
func (k *keeper) book(err error, n int) uint64 {
	var some collector.PartlyRefused
	switch {
	case err == nil:
		k.failing = nil
	case errors.As(err, &some): // the store works, but has no place for these
		k.failing = nil
		k.lost += uint64(some.Lost())
	default:
		if k.failing == nil {
			k.since = k.now()
		}
		k.failing = err
		k.lost += uint64(n)
	}
	return k.lost
}

// storeFigures are how the store fares.
type storeFigures struct {
	Failing error     // why it takes nothing now; nil: it takes what it is given
	Since   time.Time // of Failing
	Lost    uint64    // samples it did not take
}

func (k *keeper) figures() storeFigures {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := storeFigures{Failing: k.failing, Since: k.since, Lost: k.lost}
	if took := k.now().Sub(k.begun); f.Failing == nil && k.busy > 0 && took > stuckAfter {
		f.Failing, f.Since = fmt.Errorf("it has worked on the same samples for %v", took.Round(time.Second)), k.begun
	}
	return f
}

// samples are the figures as series.
func (k *keeper) samples(at time.Time) []collector.Sample {
	f, up := k.figures(), 1.0
	if f.Failing != nil {
		up = 0
	}
	return []collector.Sample{
		{Name: storeUpName, Meta: &collector.Meta{Type: collector.Gauge}, At: at, Value: up, Observed: 1},
		{Name: samplesLostName, Meta: &collector.Meta{Type: collector.Counter}, At: at, Value: float64(f.Lost), Observed: 1},
	}
}

// live is what /metrics shows from memory: all that the collector says of itself.
// While the store takes nothing it is shown alone, for what the store has is old,
// and a number that stands still looks like one of something that rests.
func (k *keeper) live() (samples []collector.Sample, alone bool) {
	now := k.samples(k.now())
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range now {
		k.remember(s)
	}
	for _, s := range k.own {
		samples = append(samples, s)
	}
	return samples, now[0].Value == 0
}

// ready answers 503 with the reason while the store takes nothing, and else what
// next does.
func (k *keeper) ready(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := k.figures(); f.Failing != nil {
			http.Error(w, fmt.Sprintf("the store does not take samples since %s: %v", f.Since.UTC().Format(time.RFC3339), f.Failing), http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// watchedJournal tells at once when the journal does not take events.
type watchedJournal struct {
	collector.Journal
	alarm *alarm
}

// Note implements collector.Journal.
func (j watchedJournal) Note(events ...collector.Event) error {
	err := j.Journal.Note(events...)
	j.alarm.tell("the journal did not take events", "the journal takes events again", err, 0)
	return err
}

// alarmEvery is how often an alarm speaks of what lasts.
const alarmEvery = time.Minute

// alarm tells a log of a failure at once, of one that lasts or comes again every
// minute, and of its end if it told of the failure.
type alarm struct {
	log *slog.Logger // nil: nobody is told
	now func() time.Time

	mu   sync.Mutex
	last time.Time // when it spoke of a failure
	open bool      // nothing was told of the end of that
	kept int       // failures that it did not speak of since
}

// tell is called with what came of each attempt; lost is how much was lost in all,
// where that is known.
func (a *alarm) tell(fails, again string, err error, lost uint64) {
	if a.log == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var about []any
	if lost > 0 {
		about = append(about, "lost", lost)
	}
	switch now := a.now(); {
	case err == nil && a.open:
		a.open = false
		a.log.Log(context.Background(), slog.LevelWarn, again, about...)
	case err == nil:
	case !a.last.IsZero() && now.Sub(a.last) < alarmEvery:
		a.kept++
	default:
		if a.kept > 0 {
			about = append(about, "not_told", a.kept)
		}
		a.last, a.open, a.kept = now, true, 0
		a.log.Error(fails, append([]any{"error", err}, about...)...)
	}
}
