package gallery

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"throughline/collector"
	"throughline/scenarios/record"
)

// The amount is taken from the record's raw rows, by another way than the
// judge's: as few steps as possible, so that it can be checked by eye.

const (
	counted = "fullstack.insert"
	insert  = "insert"
)

// uncounted is how many inserts the instance acknowledged to users beyond those
// that its counter came to.
func uncounted(h record.History, instance string) int64 {
	return uncountedBy(h, instance, counted, collector.ByStatsD)
}

// uncountedBy is the same of a counter that is called so, and comes that way.
func uncountedBy(h record.History, instance, sent string, way collector.Way) int64 {
	var n int64
	for _, r := range h.Requests {
		if r.Route == insert && r.Outcome == record.Acked && r.Instance == instance {
			n++
		}
	}
	for _, s := range h.Series {
		if s.Meta.Sent == sent && s.Meta.CameBy() == way && s.Meta.Type == collector.Counter && s.Labels.Get("instance") == instance &&
			s.Name == exposedInsert {
			n -= lastValue(s)
		}
	}
	return n
}

// lastValue is the value of the last point that is no staleness marker.
func lastValue(s record.Series) int64 {
	for i := len(s.Points) - 1; i >= 0; i-- {
		if !s.Points[i].Stale {
			return int64(math.Round(s.Points[i].Value))
		}
	}
	return 0
}

var defectLine = regexp.MustCompile(`defect \S+: dropped=(\d+) extra=(\d+)`)

// LoggedAmounts reads what defective instances logged at their end, from the logs of
// the record in dir; one that logged nothing of it is not among them.
func LoggedAmounts(dir string) (map[string]Amount, error) {
	logs, err := filepath.Glob(filepath.Join(dir, "logs", "*.log"))
	if err != nil {
		return nil, err
	}
	out := map[string]Amount{}
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if m := defectLine.FindSubmatch(text); m != nil {
			dropped, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits
			extra, _ := strconv.ParseInt(string(m[2]), 10, 64)
			name := filepath.Base(path)
			out[name[:len(name)-len(".log")]] = Amount{Dropped: dropped, Extra: extra}
		}
	}
	return out, nil
}
