package series

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"throughline/collector"
)

const (
	// mostMeanings is how many meanings are kept of one name. Two are a
	// mistake worth showing; the thousandth tells nothing new.
	mostMeanings = 16
	// mostNames is how many names have their meaning kept.
	mostNames = 100_000
	// saveEvery is the least time between two writes of the file, beside
	// the one at the end.
	saveEvery = 10 * time.Second
)

// meanings are what is known of metrics beside their numbers. They are kept in a
// file beside the database, which keeps none; of a process that is killed the
// last ten seconds are missing, and come again with the first samples.
type meanings struct {
	file string // "": not kept
	log  *slog.Logger

	mu      sync.Mutex
	of      map[string][]*collector.Meta
	cut     map[string]bool // names with more meanings than are kept
	lost    bool            // names were left out
	changed bool
	saved   time.Time
}

// newMeanings begins with those that an earlier process kept in dir.
func newMeanings(dir string, opts Options) *meanings {
	m := &meanings{log: opts.Log, of: map[string][]*collector.Meta{}, cut: map[string]bool{}}
	if opts.Scratch {
		return m
	}
	m.file = filepath.Join(dir, "metadata.json")
	if err := m.load(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		// The numbers are not worse for it.
		m.log.Warn("read what metrics mean; they will be described anew", "err", err)
	}
	m.changed = false
	return m
}

// add keeps what a metric means, and returns the copy it keeps. Two meanings of
// one name are both kept: somebody made a mistake, and it should show.
func (m *meanings) add(name string, meta collector.Meta) *collector.Meta {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.of[name]
	for _, k := range known {
		if *k == meta {
			return k
		}
	}
	switch {
	case len(known) == mostMeanings:
		m.cut[name] = true
	case len(known) == 0 && len(m.of) >= mostNames:
		m.lost = true
	default:
		m.of[name] = append(known, &meta)
		m.changed = true
	}
	return &meta
}

// get are the meanings of a name, in the order in which they came. They only
// grow.
func (m *meanings) get(name string) []*collector.Meta {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[name]
}

// names are all names that have a meaning, in order.
func (m *meanings) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.of))
}

// leftOut tells what the limits left out; "" if nothing.
func (m *meanings) leftOut() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.lost:
		return fmt.Sprintf("more than %d names: the metadata of the rest is left out", mostNames)
	case len(m.cut) > 0:
		return fmt.Sprintf("more than %d meanings of one name, among them %s: the rest is left out", mostMeanings, slices.Min(slices.Collect(maps.Keys(m.cut))))
	}
	return ""
}

// meaning is a line of the file.
type meaning struct {
	Name   string         `json:"name"`
	Type   collector.Type `json:"type"`
	Sent   string         `json:"statsd,omitempty"` // the key is from when there was no other way in
	Way    collector.Way  `json:"way,omitempty"`
	Unit   string         `json:"unit,omitempty"`
	Origin string         `json:"origin,omitempty"`
}

func (m *meanings) load() error {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return err
	}
	var all []meaning
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("%s: %w", m.file, err)
	}
	for _, x := range all {
		m.add(x.Name, collector.Meta{Type: x.Type, Sent: x.Sent, Way: x.Way, Unit: x.Unit, Origin: x.Origin})
	}
	return nil
}

// saveNowAndThen writes the file if there is something new and the last time is
// long enough ago. A failure is told to the log: the samples are not worse for
// it, and Close tries again.
func (m *meanings) saveNowAndThen(now time.Time) {
	m.mu.Lock()
	due := m.changed && m.file != "" && (now.Sub(m.saved) >= saveEvery || now.Before(m.saved))
	if due {
		m.saved = now
	}
	m.mu.Unlock()
	if !due {
		return
	}
	if err := m.save(); err != nil {
		m.log.Warn("keep what metrics mean", "err", err)
	}
}

func (m *meanings) close() error {
	if m.file == "" || !m.hasChanged() {
		return nil
	}
	return m.save()
}

func (m *meanings) hasChanged() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// save replaces the file, so that there is a whole one at any time.
func (m *meanings) save() error {
	var all []meaning
	m.mu.Lock()
	m.changed = false
	for _, name := range slices.Sorted(maps.Keys(m.of)) {
		for _, x := range m.of[name] {
			all = append(all, meaning{name, x.Type, x.Sent, x.Way, x.Unit, x.Origin})
		}
	}
	m.mu.Unlock()
	err := m.write(all)
	if err != nil {
		m.mu.Lock()
		m.changed = true
		m.mu.Unlock()
		return fmt.Errorf("write %s: %w", m.file, err)
	}
	return nil
}

func (m *meanings) write(all []meaning) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	next := m.file + ".new"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return err
	}
	return os.Rename(next, m.file)
}
