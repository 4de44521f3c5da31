package record

import (
	"encoding/json"
	"fmt"
	"strconv"

	"throughline/collector"
)

// Append records samples; it is a collector.Sink. It comes a few times each
// interval, and puts all files on disk: so much survives the runner.
func (w *Writer) Append(samples ...collector.Sample) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range samples {
		if err := w.sample(&samples[i]); err != nil {
			return w.failed(err)
		}
	}
	return w.failed(w.flush())
}

func (w *Writer) sample(s *collector.Sample) error {
	n, err := w.number(s)
	if err != nil {
		return err
	}
	b := strconv.AppendInt(w.line[:0], int64(n), 10)
	b = strconv.AppendInt(append(b, ','), w.Offset(s.At).Microseconds(), 10)
	b = strconv.AppendFloat(append(b, ','), s.Value, 'g', -1, 64)
	b = strconv.AppendUint(append(b, ','), s.Observed, 10)
	b = append(appendFlag(append(b, ','), s.Stale), ',')
	if s.Histogram != nil {
		h, err := json.Marshal(s.Histogram)
		if err != nil {
			return fmt.Errorf("%s: histogram: %w", s.Name, err)
		}
		b = appendField(b, string(h))
	}
	w.line = append(b, '\n')
	w.tally.Points++
	_, err = w.points.Write(w.line)
	if err == nil && w.observer != nil {
		w.observer.Sample(w.Offset(s.At), s)
	}
	return err
}

// seriesLine is a line of series.jsonl.
type seriesLine struct {
	Number int               `json:"series"`
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	Type   collector.Type    `json:"type,omitempty"`
	Sent   string            `json:"statsd,omitempty"` // the key is from when there was no other way in
	Way    collector.Way     `json:"way,omitempty"`
	Unit   string            `json:"unit,omitempty"`
	Origin string            `json:"origin,omitempty"`
}

// number gives the series its number, and writes its line the first time.
func (w *Writer) number(s *collector.Sample) (int, error) {
	w.key = s.Labels.AppendKey(w.key[:0], s.Name)
	if n, ok := w.known[string(w.key)]; ok {
		return n, nil
	}
	n := len(w.known)
	w.known[string(w.key)] = n
	line := seriesLine{Number: n, Name: s.Name, Labels: make(map[string]string, len(s.Labels))}
	for _, l := range s.Labels {
		line.Labels[l.Name] = l.Value
	}
	if s.Meta != nil {
		line.Type, line.Sent, line.Way, line.Unit, line.Origin = s.Meta.Type, s.Meta.Sent, s.Meta.Way, s.Meta.Unit, s.Meta.Origin
	}
	b, err := json.Marshal(line)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.Name, err)
	}
	_, err = w.series.Write(append(b, '\n'))
	return n, err
}
