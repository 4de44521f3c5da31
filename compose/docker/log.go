package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// logFile is what a container wrote, as it is fetched from the engine: a file that grows, as that of a process does. Each time what is new
// is fetched, and no more: the engine is asked for what came since a moment.
type logFile struct {
	path   string
	client client.APIClient
	id     string // the container's

	mu sync.Mutex
	// recent are the times of the messages that came last, in the order of the engine's file: those of overlap.
	recent []time.Time
}

// overlap is how far back the engine is asked. Two streams are two hands in it: of two messages that come at about the same time, the
// later one may be written down first.
const overlap = time.Second

// since is from when on the engine is asked, and how many messages of what it answers are there already: it only ever adds to the end.
// The zero time is the beginning.
func (l *logFile) since() (from time.Time, have int) {
	if len(l.recent) == 0 {
		return time.Time{}, 0
	}
	from = slices.MaxFunc(l.recent, time.Time.Compare).Add(-overlap)
	l.recent = slices.DeleteFunc(l.recent, func(t time.Time) bool { return t.Before(from) })
	return from, len(l.recent)
}

// readOn adds to the file what the container has written since it was last called.
func (l *logFile) readOn(ctx context.Context) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	from, have := l.since()
	options := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true}
	if !from.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", from.Unix(), from.Nanosecond())
	}
	both, err := l.client.ContainerLogs(ctx, l.id, options)
	if err != nil {
		return err
	}
	defer both.Close()
	to := &messages{to: f, skip: have}
	_, err = stdcopy.StdCopy(to, to, both)
	l.recent = append(l.recent, to.came...)
	return err
}

// messages takes the messages of both streams, each in one Write: its time, a space, and what was written.
type messages struct {
	to   io.Writer
	skip int // so many are there already
	came []time.Time
}

// Write implements io.Writer.
func (m *messages) Write(p []byte) (int, error) {
	if m.skip > 0 {
		m.skip--
		return len(p), nil
	}
	stamp, text, _ := bytes.Cut(p, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return 0, fmt.Errorf("the engine's log has no time before %s", strconv.Quote(string(p)))
	}
	if _, err := m.to.Write(text); err != nil {
		return 0, err
	}
	m.came = append(m.came, at)
	return len(p), nil
}

// Logs gives what both streams hold so far, from a file in the run directory. It can be sought in.
func (i *instance) Logs(ctx context.Context) (io.ReadCloser, error) {
	select {
	case <-i.gone:
	default:
		if err := i.log.readOn(ctx); err != nil {
			// It may have gone just now. If it has not, that is an error soon.
			soon, cancel := context.WithTimeout(ctx, endGrace)
			defer cancel()
			if _, gone := i.Wait(soon); gone != nil && i.lost == nil {
				return nil, fmt.Errorf("logs of %s: %w", i.name, err)
			}
		}
	}
	f, err := os.Open(i.log.path)
	if err != nil {
		return nil, fmt.Errorf("logs of %s: %w", i.name, err)
	}
	return f, nil
}
