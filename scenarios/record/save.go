package record

import (
	"errors"

	"throughline/collector"
)

// Save writes a record that is in memory into a directory that holds none, sealed as a
// run's own.
func Save(dir string, h History) error {
	w, err := Create(dir, h.Run, h.Scenario)
	if err != nil {
		return err
	}
	return errors.Join(writeAll(w, h), w.Close())
}

func writeAll(w *Writer, h History) error {
	for _, r := range h.Requests {
		if err := w.Request(r); err != nil {
			return err
		}
	}
	for _, x := range h.Executions {
		if err := w.Execution(x); err != nil {
			return err
		}
	}
	for _, x := range h.Passages {
		if err := w.Passage(x); err != nil {
			return err
		}
	}
	for _, b := range h.Beacons {
		if err := w.Beacon(b); err != nil {
			return err
		}
	}
	for _, a := range h.Arrivals {
		if err := w.Arrival(a); err != nil {
			return err
		}
	}
	var samples []collector.Sample
	for i := range h.Series {
		s := &h.Series[i]
		for _, p := range s.Points {
			samples = append(samples, collector.Sample{Name: s.Name, Labels: s.Labels, Meta: &s.Meta, At: h.Run.Start.Add(p.At), Value: p.Value,
				Observed: p.Observed, Stale: p.Stale, Histogram: p.Histogram})
		}
	}
	if err := w.Append(samples...); err != nil {
		return err
	}
	if h.Before != nil {
		if err := w.Before(*h.Before); err != nil {
			return err
		}
	}
	if h.After != nil {
		if err := w.After(*h.After); err != nil {
			return err
		}
	}
	for _, e := range h.Events {
		if e.Kind == RunBegin {
			continue // Create wrote it
		}
		if err := w.Event(e); err != nil {
			return err
		}
	}
	return nil
}
