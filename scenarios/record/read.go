package record

import (
	"bufio"
	"bytes"
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
// killed), that was altered after the run, or that has no seal is read as far as
// it goes and says so in Damage, each entry beginning with the file; a directory
// that is no record is an error.
func Read(dir string) (History, error) {
	var h History
	if _, err := os.Stat(filepath.Join(dir, JournalFile)); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return History{}, fmt.Errorf("%s: no record of a run (it has no %s); give the directory that `throughline run` printed", dir, JournalFile)
	}
	seal, err := h.readJournal(filepath.Join(dir, JournalFile))
	if err != nil {
		return History{}, err
	}
	for _, name := range parts {
		if err := h.readPart(dir, name, seal); err != nil {
			h.Damage = append(h.Damage, fmt.Sprintf("%s: %v", name, err))
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

// errAltered is the damage of a file that is not as the run wrote it.
var errAltered = errors.New("it is not as the run wrote it (its SHA-256 is not that of the seal)")

// readPart reads a file of the record and compares it with the seal; nil: there
// is none.
func (h *History) readPart(dir, name string, seal *seal) error {
	want, listed := "", false
	if seal != nil {
		want, listed = seal.SHA256[name]
	}
	f, err := os.Open(filepath.Join(dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && listed:
		return errors.New("it is missing, and the run wrote it")
	case errors.Is(err, fs.ErrNotExist) && (name == BeforeFile || name == AfterFile):
		return nil // no database, or the run ended before
	case err != nil:
		return fmt.Errorf("cannot be read: %w", reason(err))
	}
	defer f.Close()
	sum := newSum()
	tee := io.TeeReader(f, sum)
	err = h.parser(name)(bufio.NewReaderSize(tee, 256<<10))
	if _, rest := io.Copy(io.Discard, tee); rest != nil {
		return errors.Join(err, rest)
	}
	if seal == nil {
		return err
	}
	if !listed {
		return errors.New("the run did not write it: the seal does not know it")
	}
	if digits(sum) != want {
		if err != nil {
			return fmt.Errorf("%w: %w", errAltered, err)
		}
		return errAltered
	}
	return err
}

// parser gives what reads a file of the record.
func (h *History) parser(name string) func(io.Reader) error {
	switch name {
	case ScenarioFile:
		return func(r io.Reader) (err error) {
			h.Scenario, err = io.ReadAll(r)
			return err
		}
	case UsersFile:
		return h.readUsers
	case ExecutionsFile:
		return h.readExecutions
	case SeriesFile:
		return h.readSeries
	case PointsFile:
		return h.readPoints
	case BeforeFile:
		return documentsInto(&h.Before)
	}
	return documentsInto(&h.After)
}

// reason is what the system said of a file, without the path and the call.
func reason(err error) error {
	if on := (*fs.PathError)(nil); errors.As(err, &on) {
		return on.Err
	}
	return err
}

// readJournal reads the events and gives the seal behind them; nil: there is none
// that holds.
func (h *History) readJournal(path string) (*seal, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read: %w", filepath.Dir(path), err)
	}
	defer f.Close()
	var found *seal
	ended := false  // by a seal, whether it holds or not
	var wrong error // the first thing that is wrong; of what stands behind only the seal is read
	fail := func(n int, err error) {
		if wrong == nil {
			wrong = fmt.Errorf("line %d: %w", n, err)
		}
	}
	sum := newSum()
	in := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			break
		} else if err != nil && err != io.EOF {
			return nil, fmt.Errorf("%s: cannot be read: %w", filepath.Dir(path), err)
		}
		if ended {
			fail(n, errors.New("it stands behind the seal, which is the last"))
			break
		}
		if bytes.HasPrefix(line, sealPrefix) {
			ended = true
			s, err := parseSeal(line)
			if err != nil {
				fail(n, err) // and no file is compared with it
				continue
			}
			if s.SHA256[JournalFile] != digits(sum) {
				fail(n, errAltered)
			}
			found = &s
			continue
		}
		sum.Write(line)
		if wrong == nil {
			if err := h.readEvent(line); err != nil {
				fail(n, err)
			}
		}
	}
	return found, h.begin(path, ended, wrong)
}

func (h *History) readEvent(line []byte) error {
	var e Event
	if err := strictly(line, &e); err != nil {
		return err
	}
	if e.Kind == sealed || e.Kind == "" {
		return fmt.Errorf("it is no event")
	}
	h.Events = append(h.Events, e)
	return nil
}

// begin takes the run from the journal's first event. A journal without one is no
// record, unless it was one: that is damage.
func (h *History) begin(path string, sealed bool, wrong error) error {
	damaged := func(format string, args ...any) {
		h.Damage = append(h.Damage, JournalFile+": "+fmt.Sprintf(format, args...))
	}
	if wrong != nil {
		damaged("%v", wrong)
	}
	switch ended := slices.ContainsFunc(h.Events, func(e Event) bool { return e.Kind == RunEnd }); {
	case len(h.Events) > 0 && h.Events[0].Kind == RunBegin && h.Events[0].Run != nil:
		h.Run = *h.Events[0].Run
		if !sealed && ended {
			damaged("it has no seal: it was recorded by a version that did not seal its records, or its end is missing, so nobody knows whether it is as the run wrote it")
		}
	case sealed:
		damaged("it does not begin with a %s entry", RunBegin)
	default:
		return fmt.Errorf("%s: does not begin with a %s entry; it is not the journal of a run", path, RunBegin)
	}
	return nil
}

func documentsInto(into **Documents) func(io.Reader) error {
	return func(r io.Reader) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var d Documents
		if err := strictly(text, &d); err != nil {
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
	n.keep(err)
	return v
}

func (n *numbers) count(field string) uint64 {
	v, err := strconv.ParseUint(field, 10, 64)
	n.keep(err)
	return v
}

func (n *numbers) small(field string) uint16 {
	v, err := strconv.ParseUint(field, 10, 16)
	n.keep(err)
	return uint16(v)
}

// flag reads what appendFlag writes.
func (n *numbers) flag(field string) bool {
	if field != "" && field != "1" {
		n.keep(fmt.Errorf("%.100q is neither 1 nor empty", field))
	}
	return field == "1"
}

func (n *numbers) keep(err error) {
	if n.err == nil {
		n.err = err
	}
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
			Seq: n.count(f[0]), Due: n.offset(f[1]), Sent: n.offset(f[2]), Done: n.offset(f[3]),
			Route: in.of(f[4]), Word: in.of(f[5]), Instance: in.of(f[6]), Outcome: outcome,
			Status: n.small(f[8]), Attempts: n.small(f[9]), Err: in.of(f[10]),
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
		x := Execution{At: n.offset(f[0]), Foreign: f[1] == "", Server: in.of(f[3]), Status: n.small(f[4]), Answered: n.flag(f[5]),
			Retries: n.small(f[6]), Redispatched: n.flag(f[7]), Termination: in.of(f[8])}
		if x.Foreign {
			x.RequestID = in.of(f[2])
		} else {
			x.Seq = n.count(f[1])
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
	decoder.DisallowUnknownFields()
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
		point := Point{At: n.offset(f[1]), Observed: n.count(f[3]), Stale: n.flag(f[4])}
		value, err := strconv.ParseFloat(f[2], 64)
		if err = errors.Join(err, n.err); err != nil {
			return err
		}
		point.Value = value
		if f[5] != "" {
			point.Histogram = new(collector.Histogram)
			if err := strictly([]byte(f[5]), point.Histogram); err != nil {
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
