package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"throughline/collector"
)

// soakRate is how many datagrams a second the soak sends, with a line each: half
// of what the collector is to take.
const soakRate = 50_000

// TestSoak sends all kinds of lines through living and dying instances, for
// THROUGHLINE_SOAK (make soak gives it 10 min, and the race detector), or for a
// moment at a lower rate. Then every datagram is accounted for, every counter is
// exact, and the memory has not grown with time.
func TestSoak(t *testing.T) {
	length, rate := 2*time.Second, soakRate/10
	if text := os.Getenv("THROUGHLINE_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		rate = soakRate
	}
	s := newServer(t, Config{Interval: time.Second})
	stop := start(t, s)
	soak := &soak{t: t, s: s, sent: map[string]int{}}
	soak.run(length, rate)
	stop()
	soak.compare()
}

// soak is what was sent.
type soak struct {
	t *testing.T
	s *rig

	mu        sync.Mutex
	sent      map[string]int // hits by instance
	datagrams int
	junk      int
}

// soakLanes is how many instances live at a time.
const soakLanes = 4

func (k *soak) run(length time.Duration, rate int) {
	end := time.Now().Add(length)
	var lanes sync.WaitGroup
	for lane := range soakLanes {
		lanes.Go(func() {
			// Ten lives, one after the other.
			for life := 0; time.Now().Before(end); life++ {
				k.live(fmt.Sprintf("web-%d-%d", lane, life), min(length/10, time.Until(end)), rate/soakLanes)
			}
		})
	}
	quarter := time.AfterFunc(length/4, func() { k.t.Logf("heap after a quarter of the time: %d MB", heap()>>20) })
	defer quarter.Stop()
	lanes.Wait()
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// live is the life of one instance: it sends at a rate in bursts of a
// millisecond, and is retired.
func (k *soak) live(instance string, length time.Duration, rate int) {
	addr, err := k.s.listen(instance, collector.NewLabels("zone", "a"))
	if err != nil {
		k.t.Error(err)
		return
	}
	conn, err := net.Dial("udp", addr)
	if err != nil {
		k.t.Error(err)
		return
	}
	defer conn.Close()
	n, hits, junk := 0, 0, 0
	for begin := time.Now(); time.Since(begin) < length; time.Sleep(time.Millisecond) {
		for due := int(time.Since(begin).Seconds() * float64(rate)); n < due; n++ {
			line := ""
			switch {
			case n%1000 == 1:
				line, junk = "junk", junk+1
			case n%5000 == 2:
				line = "_e{6,2}:deploy|ok"
			case n%10 == 3:
				line = fmt.Sprintf("hits.stamped:1|c|T%d", time.Now().Unix())
			case n%10 == 4:
				line = fmt.Sprintf("time:%d|ms|#route:%d", n%977, n%7)
			case n%10 == 5:
				line = fmt.Sprintf("users:%d|s", n%5000)
			case n%10 == 6:
				line = fmt.Sprintf("load:%d|g", n%100)
			default:
				line, hits = "hits:1|c|#route:insert", hits+1
			}
			if _, err := conn.Write([]byte(line)); err != nil {
				k.t.Errorf("%s: %v", instance, err)
				return
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := k.s.Retire(ctx, instance); err != nil {
		k.t.Error(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.datagrams, k.junk = k.datagrams+n, k.junk+junk
	if hits > 0 { // the last life of a lane may be too short for one
		k.sent[instance] = hits
	}
}

// compare tells whether what came is what was sent.
func (k *soak) compare() {
	t := k.t
	figures := k.s.statsd.Figures()
	total := figures.Total
	t.Logf("%d datagrams sent in %d lives, %d dropped by the kernel; worst flush %v late; heap %d MB", k.datagrams, len(k.sent), total.KernelDrops, figures.WorstLateness, heap()>>20)
	if got := total.Datagrams + total.KernelDrops; got != uint64(k.datagrams) {
		t.Errorf("%d datagrams sent, %d read or dropped", k.datagrams, got)
	}
	if total.Lines != total.Accepted+total.Held+total.BadLines()+total.RefusedLines()+total.Events+total.ServiceChecks || total.Held != 0 {
		t.Errorf("the figures do not balance: %+v", total)
	}
	if total.KernelDrops > 0 {
		t.Logf("with drops the counters cannot be exact, and are not compared")
		return
	}
	if total.BadLines() != uint64(k.junk) {
		t.Errorf("%d bad lines sent, %d found", k.junk, total.BadLines())
	}
	ctx, now := context.Background(), time.Now().Add(time.Hour)
	answer, err := k.s.kept.Query(ctx, `max by (instance) (max_over_time(hits_total{route="insert"}[24h]))`, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Series) != len(k.sent) {
		t.Errorf("%d instances sent, the store has %d", len(k.sent), len(answer.Series))
	}
	for _, series := range answer.Series {
		instance := series.Labels.Get("instance")
		if got := series.Points[0].Value; got != float64(k.sent[instance]) {
			t.Errorf("%s sent %d hits, the store has %v", instance, k.sent[instance], got)
		}
	}
}
