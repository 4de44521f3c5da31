package loadgen

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseRoute reads NAME=METHOD PATH, like "insert=POST /insert/{word}".
func ParseRoute(text string) (Route, error) {
	name, rest, ok := strings.Cut(text, "=")
	method, path, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 {
		return Route{}, fmt.Errorf("%q: want NAME=METHOD PATH, like insert=POST /insert/{word}", text)
	}
	return Route{Name: name, Method: method, Path: path}, nil
}

// CSV writes the users' ledger as a table. What cannot be written is kept for Close.
type CSV struct {
	w    *bufio.Writer
	file io.Closer // nil: w is not ours to close
}

// NewCSV writes to w, first of all the names of the columns. The times _us are in
// microseconds, due is RFC 3339 in UTC.
func NewCSV(w io.Writer) CSV {
	c := CSV{w: bufio.NewWriter(w)}
	fmt.Fprintln(c.w, "seq,due,lateness_us,latency_us,route,word,instance,outcome,status,attempts,error")
	return c
}

// CreateCSV writes to a file, which is made, or emptied.
func CreateCSV(path string) (CSV, error) {
	file, err := os.Create(path)
	if err != nil {
		return CSV{}, err
	}
	c := NewCSV(file)
	c.file = file
	return c, nil
}

// Write writes a row.
func (c CSV) Write(r Row) {
	fmt.Fprintf(c.w, "%d,%s,%d,%d,%s,%s,%s,%s,%d,%d,%q\n", r.Seq, r.Due.UTC().Format(time.RFC3339Nano),
		r.Lateness().Microseconds(), r.Latency().Microseconds(), r.Route, r.Word, r.Instance, r.Outcome, r.Status, r.Attempts, r.Err)
}

// Close writes what is left, and gives the first error of all writing.
func (c CSV) Close() error {
	err := c.w.Flush()
	if c.file == nil {
		return err
	}
	if closed := c.file.Close(); err == nil {
		err = closed
	}
	return err
}

// StatsD tells a StatsD of each row: users.requests, by route and outcome, and
// users.latency in ms, by route.
type StatsD struct{ conn net.Conn }

// DialStatsD tells the StatsD at host:port.
func DialStatsD(addr string) (StatsD, error) {
	conn, err := net.Dial("udp", addr)
	return StatsD{conn}, err
}

// Write tells of a row. A datagram that cannot be sent is dropped, as in any StatsD
// client: the ledger has every request.
func (s StatsD) Write(r Row) {
	_, _ = fmt.Fprintf(s.conn, "users.requests:1|c|#route:%s,outcome:%s\nusers.latency:%.3f|ms|#route:%[1]s",
		r.Route, r.Outcome, float64(r.Latency().Microseconds())/1000)
}

// Close ends the telling.
func (s StatsD) Close() error { return s.conn.Close() }

// WriteText tells how the load went, in a few lines for people.
func (s Summary) WriteText(w io.Writer) {
	attempts := fmt.Sprintf("%d attempts", s.Attempts)
	if s.Attempts == 1 {
		attempts = "1 attempt"
	}
	fmt.Fprintf(w, "requests   %d in %v (%.1f/s), %s at the wire\n", s.Requests, s.Duration.Round(time.Millisecond), s.Rate, attempts)
	fmt.Fprintf(w, "outcome    %s\n", s.outcomes())
	fmt.Fprintf(w, "status     %s\n", s.StatusCounts())
	fmt.Fprintf(w, "latency    %v   (from due)\n", s.Latency)
	fmt.Fprintf(w, "lateness   %v   (sent after due)\n", s.Lateness)
}

// outcomes tells what became of the requests; unknown is what nobody can know.
func (s Summary) outcomes() string {
	unknown, answered := s.Unknown, ""
	for class, n := range s.Answered {
		if n > 0 {
			answered += fmt.Sprintf(", %d answered %dxx", n, class)
			unknown -= n
		}
	}
	return fmt.Sprintf("%d acked, %d refused%s, %d unknown", s.Acked, s.Refused, answered, unknown)
}

// StatusCounts writes "none:2 200:37 404:1".
func (s Summary) StatusCounts() string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(s.Statuses)) {
		name := "none"
		if code != 0 {
			name = strconv.Itoa(code)
		}
		parts = append(parts, fmt.Sprintf("%s:%d", name, s.Statuses[code]))
	}
	return strings.Join(parts, " ")
}

// String writes the quantiles that people ask for, to 10 µs.
func (q Quantiles) String() string {
	r := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v  p90 %v  p99 %v  max %v", r(q.P50), r(q.P90), r(q.P99), r(q.Max))
}
