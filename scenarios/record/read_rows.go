package record

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/collector"
)

func documentsInto(into **Documents) func(io.Reader) error {
	return func(r io.Reader) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var d Documents
		if err := decodeStrictly(text, &d); err != nil {
			return err
		}
		*into = &d
		return nil
	}
}

// readRows reads a CSV file with a header line and gives each row's fields to
// each. The fields are only good until it returns.
func readRows(r io.Reader, header string, each func(fields []string) error) error {
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
			if got := headerOf(fields); got != header {
				return fmt.Errorf("line 1: columns %.100q, want %q", strings.TrimSpace(got), strings.TrimSpace(header))
			}
			continue
		}
		if err := each(fields); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func headerOf(fields []string) string {
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

func (in interner) intern(s string) string {
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
	return readRows(r, usersHeader, func(f []string) error {
		var n numbers
		outcome, ok := outcomes[f[7]]
		if !ok {
			return fmt.Errorf("outcome %q is not known", f[7])
		}
		request := Request{
			Seq: n.count(f[0]), Due: n.offset(f[1]), Sent: n.offset(f[2]), Done: n.offset(f[3]),
			Route: in.intern(f[4]), Word: in.intern(f[5]), Instance: in.intern(f[6]), Outcome: outcome,
			Status: n.small(f[8]), Attempts: n.small(f[9]), Err: in.intern(f[10]),
		}
		if n.err != nil {
			return n.err
		}
		h.Requests = append(h.Requests, request)
		return nil
	})
}

func (h *History) readExecutions(r io.Reader) error {
	if h.Executions == nil {
		h.Executions = []Execution{}
	}
	in := interner{}
	return readRows(r, executionsHeader, func(f []string) error {
		var n numbers
		x := Execution{At: n.offset(f[0]), Foreign: f[1] == "", Server: in.intern(f[3]), Status: n.small(f[4]), Answered: n.flag(f[5]),
			Retries: n.small(f[6]), Redispatched: n.flag(f[7]), Termination: in.intern(f[8])}
		if x.Foreign {
			x.RequestID = in.intern(f[2])
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

func (h *History) readPassages(r io.Reader) error {
	h.Passages = []Passage{}
	in := interner{}
	return readRows(r, passagesHeader, func(f []string) error {
		var n numbers
		x := Passage{At: n.offset(f[0]), Foreign: f[1] == "", Instance: in.intern(f[3]), Status: n.small(f[4]), Answered: n.flag(f[5]),
			Took: n.offset(f[6]), First: n.offset(f[7])}
		if x.Foreign {
			x.RequestID = in.intern(f[2])
		} else {
			x.Seq = n.count(f[1])
		}
		if n.err != nil {
			return n.err
		}
		h.Passages = append(h.Passages, x)
		return nil
	})
}

func (h *History) readBeacons(r io.Reader) error {
	h.Beacons = []Beacon{}
	in := interner{}
	return readRows(r, beaconsHeader, func(f []string) error {
		var n numbers
		outcome, ok := outcomes[f[6]]
		if !ok {
			return fmt.Errorf("outcome %q is not known", f[6])
		}
		b := Beacon{Seq: n.count(f[0]), Route: in.intern(f[1]), Again: n.flag(f[2]), Latency: n.offset(f[3]), Sent: n.offset(f[4]), Done: n.offset(f[5]),
			Outcome: outcome, Status: n.small(f[7]), Attempts: n.small(f[8]), Err: in.intern(f[9])}
		if n.err != nil {
			return n.err
		}
		h.Beacons = append(h.Beacons, b)
		return nil
	})
}

func (h *History) readArrivals(r io.Reader) error {
	h.Arrivals = []Arrival{}
	in := interner{}
	return readRows(r, arrivalsHeader, func(f []string) error {
		var n numbers
		a := Arrival{At: n.offset(f[0]), Foreign: f[1] == "", Route: in.intern(f[3]), Latency: n.offset(f[4]), Form: in.intern(f[5])}
		if a.Foreign {
			a.PageID = in.intern(f[2])
		} else {
			a.Seq = n.count(f[1])
		}
		if n.err != nil {
			return n.err
		}
		h.Arrivals = append(h.Arrivals, a)
		return nil
	})
}

func (h *History) readSeries(r io.Reader) error {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	in := interner{}
	known := map[string]collector.Labels{} // one copy of each set: an instance has dozens of series
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
		if len(line.Labels) > 0 {
			labels = make(collector.Labels, 0, len(line.Labels))
		}
		for name, value := range line.Labels {
			labels = append(labels, collector.Label{Name: in.intern(name), Value: in.intern(value)})
		}
		slices.SortFunc(labels, func(a, b collector.Label) int { return strings.Compare(a.Name, b.Name) })
		if of, have := known[labels.Key("")]; have {
			labels = of
		} else {
			known[labels.Key("")] = labels
		}
		h.Series = append(h.Series, Series{Name: in.intern(line.Name), Labels: labels, Meta: collector.Meta{
			Type: collector.Type(in.intern(string(line.Type))), Sent: in.intern(line.Sent), Way: collector.Way(in.intern(string(line.Way))), Unit: in.intern(line.Unit), Origin: in.intern(line.Origin)}})
	}
}

func (h *History) readPoints(r io.Reader, whose sharing) error {
	shared := make([]int, len(whose)) // how many points a series has of those of another one
	defer func() {
		for i, of := range whose {
			if of != i {
				n := min(shared[i], len(h.Series[of].Points)) // all, but where the file was read in part
				h.Series[i].Points = h.Series[of].Points[:n:n]
			}
		}
	}()
	return readRows(r, pointsHeader, func(f []string) error {
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
			if err := decodeStrictly([]byte(f[5]), point.Histogram); err != nil {
				return err
			}
		}
		if series < 0 || series >= int64(len(h.Series)) {
			return fmt.Errorf("series %d is not in %s", series, SeriesFile)
		}
		if whose[series] != int(series) {
			shared[series]++
			return nil
		}
		s := &h.Series[series]
		s.Points = append(s.Points, point)
		return nil
	})
}
