package series

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"throughline/collector"
)

// goOnDir tells a child process of this test in which store it is to go on with
// the series of the process before.
const goOnDir = "SERIES_TEST_GO_ON_DIR"

// pause is how long nobody appends between two processes, in their own time.
const pause = 5 * time.Second

// goOn counts in a counter and a histogram, from where an earlier process came
// to, one more each second of its own time, and says on standard output what is
// appended, after it is. It gives up after a minute, should nobody kill it.
func goOn(dir string) {
	now := at(0)
	s, err := Open(dir, Options{Now: func() time.Time { return now }})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	labels := collector.NewLabels("instance", "web-1")
	counter, _ := s.Last("x_total", labels)
	delay, _ := s.Last("delay", labels)
	h := collector.Histogram{Schema: 3, Positive: []collector.Bucket{{Index: 5}}}
	if counter.Value > 0 {
		h, now = *delay.Histogram, counter.At.Add(pause)
		// An Append that a kill interrupts may be kept in part.
		if h.Count != counter.Value && h.Count != counter.Value-1 {
			fmt.Println("the counter was at", counter.Value, "and the histogram at", h.Count)
			os.Exit(1)
		}
	}
	meta := &collector.Meta{Type: collector.Counter, Sent: "x"}
	for n, begun := counter.Value, time.Now(); time.Since(begun) < time.Minute; {
		n++
		h.Count, h.Sum, h.Positive[0].Count = n, n, n
		err := s.Append(collector.Sample{Name: "x_total", Labels: labels, Meta: meta, At: now, Value: n},
			collector.Sample{Name: "delay", Labels: labels, At: now, Histogram: &h})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(n)
		now = now.Add(time.Second)
	}
	os.Exit(1)
}

// killedAfter runs a child on dir, kills it in the midst of appending, after it
// said that it had appended some more, and returns what it said last.
func killedAfter(t *testing.T, dir string, more float64) (first, last float64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), goOnDir+"="+dir)
	child.Stderr = os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
			t.Errorf("the child says %s", lines.Text())
		}
		if first == 0 {
			first = last
		}
		if last >= first+more && !killed {
			killed = true
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !killed || !errors.As(err, &exit) {
		t.Fatalf("the child ended by itself after %v: %v", last, err)
	}
	return first, last
}

// TestCountersGoOnAfterKills kills one process after the other and has the next
// go on.
func TestCountersGoOnAfterKills(t *testing.T) {
	dir := t.TempDir()
	var lasts []float64
	for range 4 {
		first, last := killedAfter(t, dir, 60)
		// It may have appended one more, and not come to say so.
		if n := len(lasts); n > 0 && first != lasts[n-1]+1 && first != lasts[n-1]+2 {
			t.Fatalf("a process goes on with %v after %v was acknowledged", first, lasts[n-1])
		}
		if n := len(lasts); n > 0 {
			lasts[n-1] = first - 1
		}
		lasts = append(lasts, last)
	}
	late := at(1e6)
	s := openWith(t, dir, Options{Now: func() time.Time { return late }})
	final, ok := s.Last("x_total", collector.NewLabels("instance", "web-1"))
	if !ok || final.Value != lasts[3] && final.Value != lasts[3]+1 {
		t.Fatalf("the last is %v, %v; %v was acknowledged", final, ok, lasts[3])
	}
	if from, to, ok := s.Outage(); !ok || !from.Equal(final.At) || !to.Equal(late) {
		t.Errorf("an outage from %v to %v, %v; the last sample is of %v", from, to, ok, final.At)
	}
	seconds := final.At.Sub(epoch).Seconds()
	wantNumber(t, s, "count_over_time(x_total[1d])", seconds, final.Value)
	wantNumber(t, s, "resets(x_total[1d])", seconds, 0)
	wantNumber(t, s, "resets(delay[1d])", seconds, 0)
	if got := number(t, s, "count_over_time(delay[1d])", seconds); got > final.Value || got < final.Value-4 { // one less for each kill
		t.Errorf("%v histograms, want %v", got, final.Value)
	}
	// Each second has its number; between two processes there is nothing.
	lasts[3] = final.Value
	now, n := 0., 1.
	for _, last := range lasts {
		for ; n <= last; n, now = n+1, now+1 {
			wantNumber(t, s, "x_total", now, n)
		}
		wantNumber(t, s, "x_total", now-1+0.01, math.NaN())
		wantNumber(t, s, "histogram_count(delay)", now-2, n-2)
		wantNumber(t, s, "histogram_count(delay)", now-1+0.01, math.NaN())
		now += pause.Seconds() - 1
	}
	if got := get(t, s, "/api/v1/metadata").body; got != `{"status":"success","data":{"x_total":[{"type":"counter","unit":"","help":"StatsD x"}]}}` {
		t.Errorf("metadata after kills: %s", got)
	}
}
