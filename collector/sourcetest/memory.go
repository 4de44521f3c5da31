package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"throughline/collector"
)

// The series of a Memory.
const (
	MemorySeries = "memory_hits_total"
	MemoryBad    = collector.OwnPrefix + "memory_bad_total"
)

// Memory is about the smallest Source there can be: it is told in memory what web-1
// counted. It shows what a new way in has to write.
type Memory struct {
	in collector.Intake

	mu       sync.Mutex
	hits     float64
	observed uint64    // of this interval
	given    time.Time // of the last point that a source before this one gave
	bad      float64
	ran      bool
	ended    bool
}

// NewMemory returns a source that counted nothing, or goes on where it was.
func NewMemory(in collector.Intake) *Memory { return &Memory{in: in.WithDefaults()} }

// Hit comes in. Below 1 it makes no sense; after the end nobody is there.
func (m *Memory) Hit(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.ended:
	case n < 1:
		m.bad++
	default:
		m.hits += float64(n)
		m.observed++
	}
}

// Run implements collector.Source.
func (m *Memory) Run(ctx context.Context) error {
	if !m.begin() {
		return errors.New("run the source in memory: it ran before, or was closed; make another")
	}
	var failed error
	give := func(at time.Time, last bool) {
		if err := m.in.Sink.Append(m.samples(at, last)...); err != nil && failed == nil {
			failed = fmt.Errorf("keep samples: %w", err)
		}
	}
	for {
		at := m.in.IntervalEnd(time.Now())
		select {
		case <-time.After(time.Until(at)):
			give(at, false)
		case <-ctx.Done():
			give(at, true)
			return failed
		}
	}
}

func (m *Memory) begin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ran {
		return false
	}
	m.ran = true
	if m.in.Resume != nil {
		if before, ok := m.in.Resume.Last(MemorySeries, ofWeb1); ok {
			m.hits += before.Value
			m.given = before.At
		}
	}
	return true
}

var ofWeb1 = collector.NewLabels("instance", "web-1")

// samples are the points of an interval that ends at a time.
func (m *Memory) samples(at time.Time, last bool) []collector.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = last
	counter := &collector.Meta{Type: collector.Counter}
	out := []collector.Sample{{Name: MemoryBad, Meta: counter, At: at, Value: m.bad, Observed: 1}}
	if !at.After(m.given) {
		if !last {
			return out // it waits for a time that is free
		}
		at = m.in.IntervalEnd(m.given)
	}
	out = append(out, collector.Sample{Name: MemorySeries, Labels: ofWeb1, Meta: counter, At: at, Value: m.hits, Observed: m.observed})
	m.observed = 0
	return out
}

// Close implements collector.Source.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ran = true
	return nil
}

// Metrics implements collector.Source.
func (m *Memory) Metrics() []collector.Metric {
	return []collector.Metric{{Name: MemoryBad, Type: collector.Counter, Help: "hits that make no sense", Loss: true}}
}
