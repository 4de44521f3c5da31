package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"throughline/compose"
	"throughline/compose/httpd"
	"throughline/scenarios/record"
)

// aboutPassages is what a Trouble with the logs of the Apache HTTP servers concerns. scenarios/check knows the word: what
// they lack then proves nothing.
const aboutPassages = "passages"

// frontLog reads the access log of one httpd as it grows, and records what became of each request.
type frontLog struct {
	serves string // the web instance
	record *record.Writer
	ids    numbering // of this run

	mu            sync.Mutex
	read          int64   // bytes of whole lines
	fresh         []fresh // answers that are not in answered or own yet
	answered, own map[string]float64
	bad           int64 // lines that were not understood
	why           error // of the first of them
}

// fresh is an answer: by the instance, of a class, or by httpd, with a status.
type fresh struct {
	at       time.Time
	answered bool
	what     string
}

func newFrontLog(serves string, ids numbering, w *record.Writer) frontLog {
	return frontLog{serves: serves, record: w, ids: ids, answered: map[string]float64{"2xx": 0}, own: map[string]float64{}}
}

// readOn takes in the lines that are new.
func (l *frontLog) readOn(ctx context.Context, of compose.Handle) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	logs, err := of.Logs(ctx)
	if err != nil {
		return err
	}
	defer logs.Close()
	if seeker, ok := logs.(io.Seeker); ok {
		_, err = seeker.Seek(l.read, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, logs, l.read)
	}
	if err != nil {
		return fmt.Errorf("log of %s: %w", of.Name(), err)
	}
	text, err := io.ReadAll(logs)
	if err != nil {
		return fmt.Errorf("log of %s: %w", of.Name(), err)
	}
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return nil // the rest of it is still to come
		}
		l.read += int64(len(line)) + 1
		l.take(string(line))
		text = rest
	}
}

// take takes in one line. A failure to write is kept by the record.
func (l *frontLog) take(text string) {
	line, err := httpd.ParseLog(text)
	switch {
	case errors.Is(err, httpd.ErrNotice) || err == nil && line.Kind != httpd.Users:
		return
	case err != nil:
		if l.bad++; l.why == nil {
			l.why = err
		}
		return
	case line.Answered:
		l.fresh = append(l.fresh, fresh{line.At, true, strconv.Itoa(line.Status/100) + "xx"})
	default:
		l.fresh = append(l.fresh, fresh{line.At, false, strconv.Itoa(line.Status)})
	}
	p := record.Passage{At: l.record.Offset(line.At), Instance: l.serves, Status: uint16(line.Status), Answered: line.Answered, Took: line.Took, First: line.First}
	seq, own := l.ids.sequence(line.RequestID)
	if own {
		p.Seq = seq
	} else {
		p.Foreign, p.RequestID = true, line.RequestID
	}
	_ = l.record.Passage(p)
}

// counts are what the lines come to of what had ended by then: answers of the instance by class, and those of httpd's own
// by status. What was read and ended later would be counted before its time, and by as much as the reading was late.
func (l *frontLog) counts(until time.Time) (answered, own map[string]float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fresh = slices.DeleteFunc(l.fresh, func(f fresh) bool {
		switch {
		case f.at.After(until):
			return false
		case f.answered:
			l.answered[f.what]++
		default:
			l.own[f.what]++
		}
		return true
	})
	return maps.Clone(l.answered), maps.Clone(l.own)
}

// misunderstood is how many lines made no sense; nil: none.
func (l *frontLog) misunderstood() (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bad == 0 {
		return 0, nil
	}
	return l.bad, fmt.Errorf("%s not understood, the first: %w", plural(l.bad, "line"), l.why)
}
