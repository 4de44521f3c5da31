package record

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"throughline/collector"
)

// Read loads a run directory. A record that is cut short (its runner was
// killed) is read as far as it goes and says so in Damage; a directory that is
// no record is an error.
func Read(dir string) (History, error) {
	var h History
	if err := h.readJournal(filepath.Join(dir, JournalFile)); err != nil {
		return History{}, err
	}
	source, err := os.ReadFile(filepath.Join(dir, ScenarioFile))
	if err != nil {
		return History{}, fmt.Errorf("%s: not a whole run directory: %w", dir, err)
	}
	h.Scenario = source
	for _, part := range []struct {
		name string
		read func(io.Reader) error
	}{
		{UsersFile, h.readUsers},
		{ExecutionsFile, h.readExecutions},
		{SeriesFile, h.readSeries},
		{PointsFile, h.readPoints},
		{BeforeFile, documentsInto(&h.Before)},
		{AfterFile, documentsInto(&h.After)},
	} {
		if err := readPart(filepath.Join(dir, part.name), part.read); err != nil {
			// No database, or the run ended before; or the record is from
			// before executions were kept.
			optional := part.name == BeforeFile || part.name == AfterFile || part.name == ExecutionsFile
			if optional && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			h.Damage = append(h.Damage, fmt.Sprintf("%s: %v", part.name, err))
		}
	}
	// Rows are written as their outcomes become known.
	slices.SortStableFunc(h.Requests, func(a, b Request) int { return cmp.Compare(a.Seq, b.Seq) })
	slices.SortStableFunc(h.Executions, func(a, b Execution) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(h.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	for i := range h.Series {
		slices.SortStableFunc(h.Series[i].Points, func(a, b Point) int { return cmp.Compare(a.At, b.At) })
	}
	return h, nil
}

func readPart(path string, read func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return read(bufio.NewReaderSize(f, 256<<10))
}

func (h *History) readJournal(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%s: no record of a run (it has no %s); give the directory that `throughline run` printed", filepath.Dir(path), JournalFile)
	} else if err != nil {
		return fmt.Errorf("%s: cannot be read: %w", filepath.Dir(path), err)
	}
	defer f.Close()
	decoder := json.NewDecoder(bufio.NewReader(f))
	for {
		var e Event
		if err := decoder.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			h.Damage = append(h.Damage, fmt.Sprintf("%s: entry %d: %v", JournalFile, len(h.Events)+1, err))
			break
		}
		h.Events = append(h.Events, e)
	}
	if len(h.Events) == 0 || h.Events[0].Kind != RunBegin || h.Events[0].Run == nil {
		return fmt.Errorf("%s: does not begin with a %s entry; it is not the journal of a run", path, RunBegin)
	}
	h.Run = *h.Events[0].Run
	return nil
}

func documentsInto(into **Documents) func(io.Reader) error {
	return func(r io.Reader) error {
		var d Documents
		if err := json.NewDecoder(r).Decode(&d); err != nil {
			return err
		}
		*into = &d
		return nil
	}
}

// rows reads a CSV file with a header line and gives each row's fields to
// each. The fields are only good until it returns.
func rows(r io.Reader, header string, each func(fields []string) error) error {
	reader := csv.NewReader(r)
	reader.ReuseRecord = true
	line := 0
	for {
		fields, err := reader.Read()
		line++
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if line == 1 {
			if got := join(fields); got != header {
				return fmt.Errorf("line 1: columns %.100q, want %q", strings.TrimSpace(got), strings.TrimSpace(header))
			}
			continue
		}
		if err := each(fields); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func join(fields []string) string {
	var b []byte
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, f...)
	}
	return string(append(b, '\n'))
}

// interner keeps one copy of each string: a million rows hold a few hundred
// different ones.
type interner map[string]string

func (in interner) of(s string) string {
	if kept, ok := in[s]; ok {
		return kept
	}
	kept := string([]byte(s))
	in[kept] = kept
	return kept
}

// numbers parses several integers and keeps the first error.
type numbers struct{ err error }

func (n *numbers) int(field string) int64 {
	v, err := strconv.ParseInt(field, 10, 64)
	if err != nil && n.err == nil {
		n.err = err
	}
	return v
}

func (n *numbers) offset(field string) time.Duration {
	return time.Duration(n.int(field)) * time.Microsecond
}

var outcomes = map[string]Outcome{Unknown.String(): Unknown, Acked.String(): Acked, Refused.String(): Refused}

func (h *History) readUsers(r io.Reader) error {
	in := interner{}
	return rows(r, usersHeader, func(f []string) error {
		var n numbers
		outcome, ok := outcomes[f[7]]
		if !ok {
			return fmt.Errorf("outcome %q is not known", f[7])
		}
		request := Request{
			Seq: uint64(n.int(f[0])), Due: n.offset(f[1]), Sent: n.offset(f[2]), Done: n.offset(f[3]),
			Route: in.of(f[4]), Word: in.of(f[5]), Instance: in.of(f[6]), Outcome: outcome,
			Status: uint16(n.int(f[8])), Attempts: uint16(n.int(f[9])), Err: in.of(f[10]),
		}
		if n.err != nil {
			return n.err
		}
		h.Requests = append(h.Requests, request)
		return nil
	})
}

func (h *History) readExecutions(r io.Reader) error {
	h.Executions = []Execution{}
	in := interner{}
	return rows(r, executionsHeader, func(f []string) error {
		var n numbers
		x := Execution{At: n.offset(f[0]), Foreign: f[1] == "", Server: in.of(f[3]), Status: uint16(n.int(f[4])), Answered: f[5] == "1",
			Retries: uint16(n.int(f[6])), Redispatched: f[7] == "1", Termination: in.of(f[8])}
		if x.Foreign {
			x.RequestID = in.of(f[2])
		} else {
			x.Seq = uint64(n.int(f[1]))
		}
		if n.err != nil {
			return n.err
		}
		h.Executions = append(h.Executions, x)
		return nil
	})
}

func (h *History) readSeries(r io.Reader) error {
	decoder := json.NewDecoder(r)
	for {
		var line seriesLine
		if err := decoder.Decode(&line); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("series %d: %w", len(h.Series), err)
		}
		if line.Number != len(h.Series) {
			return fmt.Errorf("series %d stands where %d should", line.Number, len(h.Series))
		}
		var labels collector.Labels
		for name, value := range line.Labels {
			labels = labels.With(name, value)
		}
		h.Series = append(h.Series, Series{Name: line.Name, Labels: labels,
			Meta: collector.Meta{Type: line.Type, StatsD: line.StatsD, Unit: line.Unit, Origin: line.Origin}})
	}
}

func (h *History) readPoints(r io.Reader) error {
	return rows(r, pointsHeader, func(f []string) error {
		var n numbers
		series := n.int(f[0])
		point := Point{At: n.offset(f[1]), Observed: uint64(n.int(f[3])), Stale: f[4] == "1"}
		value, err := strconv.ParseFloat(f[2], 64)
		if err = errors.Join(err, n.err); err != nil {
			return err
		}
		point.Value = value
		if f[5] != "" {
			point.Histogram = new(collector.Histogram)
			if err := json.Unmarshal([]byte(f[5]), point.Histogram); err != nil {
				return err
			}
		}
		if series < 0 || series >= int64(len(h.Series)) {
			return fmt.Errorf("series %d is not in %s", series, SeriesFile)
		}
		s := &h.Series[series]
		s.Points = append(s.Points, point)
		return nil
	})
}
