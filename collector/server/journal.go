package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"throughline/collector"
)

// journalFile holds events and service checks, one JSON object a line, beside
// the store.
const journalFile = "events.jsonl"

// journalBytes is how long the file grows before it becomes events.jsonl.1, in
// place of an older one.
const journalBytes = 32 << 20

// recentEvents is how many events are at hand to be asked for.
const recentEvents = 1000

// journal keeps events in a file and the newest of them in memory.
type journal struct {
	path  string
	limit int64 // of the file, in bytes

	mu     sync.Mutex
	file   *os.File
	size   int64
	recent []collector.Event // the newest last
}

var _ collector.Journal = (*journal)(nil)

// openJournal opens the journal in dir and remembers the end of what an earlier
// run left there.
func openJournal(dir string, limit int64) (*journal, error) {
	j := &journal{path: filepath.Join(dir, journalFile), limit: limit}
	for _, path := range []string{j.path + ".1", j.path} {
		if err := j.load(path); err != nil {
			return nil, fmt.Errorf("open the journal of events: %w", err)
		}
	}
	if err := j.open(); err != nil {
		return nil, fmt.Errorf("open the journal of events: %w", err)
	}
	return j, nil
}

func (j *journal) open() error {
	file, err := os.OpenFile(j.path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	size, err := endLine(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	j.file, j.size = file, size
	return nil
}

// endLine ends the last line of a file, which a collector that was killed may
// have left half written, and returns the length of the file.
func endLine(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil {
		return 0, err
	}
	if last[0] == '\n' {
		return info.Size(), nil
	}
	_, err = file.WriteString("\n")
	return info.Size() + 1, err
}

// load remembers the events in a file that may not be there. A line that cannot
// be read is the last one of a collector that was killed, and is left out.
func (j *journal) load(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		var e collector.Event
		if json.Unmarshal(line, &e) == nil {
			j.remember(e)
		}
		if err != nil {
			return nil // the end of the file, or as good as that
		}
	}
}

func (j *journal) remember(e collector.Event) {
	j.recent = append(j.recent, e)
	if len(j.recent) >= 2*recentEvents {
		j.recent = slices.Clone(j.recent[len(j.recent)-recentEvents:])
	}
}

// Note implements collector.Journal.
func (j *journal) Note(events ...collector.Event) error {
	var lines []byte
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("note the event %q: %w", e.Title, err)
		}
		lines = append(append(lines, line...), '\n')
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range events {
		j.remember(e)
	}
	if j.file == nil {
		return fmt.Errorf("note %d events: the journal is closed", len(events))
	}
	if j.size > 0 && j.size+int64(len(lines)) > j.limit {
		if err := j.rotate(); err != nil {
			return fmt.Errorf("begin a new journal of events: %w", err)
		}
	}
	n, err := j.file.Write(lines)
	j.size += int64(n)
	if err != nil {
		return fmt.Errorf("note %d events: %w", len(events), err)
	}
	return nil
}

// rotate makes room; what was there is kept once. j.mu is held.
func (j *journal) rotate() error {
	if err := os.Rename(j.path, j.path+".1"); err != nil {
		return err
	}
	old := j.file
	if err := j.open(); err != nil {
		return err // the old file goes on
	}
	return old.Close()
}

// between are the remembered events of a time, oldest first, at most limit of
// the newest. kind "" means all.
func (j *journal) between(from, to time.Time, kind collector.Kind, limit int) []collector.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := []collector.Event{}
	for i := len(j.recent) - 1; i >= max(0, len(j.recent)-recentEvents) && len(out) < limit; i-- {
		e := j.recent[i]
		if !e.At.Before(from) && !e.At.After(to) && (kind == "" || e.Kind == kind) {
			out = append(out, e)
		}
	}
	slices.Reverse(out)
	return out
}

func (j *journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	file := j.file
	j.file = nil
	return file.Close()
}
