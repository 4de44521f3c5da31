package app

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/app/statsd"

	"github.com/google/go-cmp/cmp"
)

func TestWordAsTag(t *testing.T) {
	socket, words := listenUDP(t), newMemory()
	r := start(t, Config{StatsD: socket.addr(), Tags: []string{"zone:a"}, Defect: "word-as-tag"}, words)
	for path, want := range map[string]int{"/insert/it": 200, "/insert/was": 200, "/insert/a%2Cb%7Cc%0Ad": 200, "/insert/%FF": 400, "/get": 200} {
		if got := r.request(t, "GET", path); got != want {
			t.Errorf("%s: got %d", path, got)
		}
	}
	r.inserts(t, 3) // of "word"
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	got := map[string]float64{}
	for key, n := range socket.series {
		if strings.HasSuffix(strings.SplitN(key, "#", 2)[0], "|c|") {
			got[key] = n
		}
	}
	want := map[string]float64{
		"fullstack.insert|c|#zone:a,word:it": 1, "fullstack.insert|c|#zone:a,word:was": 1, "fullstack.insert|c|#zone:a,word:a_b_c_d": 1,
		"fullstack.insert|c|#zone:a,word:word": 3, "fullstack.get|c|#zone:a": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if dropped, extra := r.log.defectLine(t, "word-as-tag"); dropped != 0 || extra != 0 {
		t.Errorf("logged dropped=%d extra=%d", dropped, extra)
	}
}

// Whatever the cut leaves is on the wire, and the rest is booked.
func TestCutDatagrams(t *testing.T) {
	socket := listenUDP(t)
	p := defective(t, "cut-datagrams", socket)
	const rounds = 20
	for range rounds {
		for range 10 {
			p.client.Timing(timed, time.Millisecond)
		}
		p.client.Count(counted, 3)
	}
	if err := p.client.Close(); err != nil {
		t.Fatal(err)
	}
	socket.arrive(t)
	dropped, extra := p.wrong.harm.booked()
	if got := socket.counts[counted]; got+dropped != 3*rounds || dropped == 0 || extra != 0 {
		t.Errorf("counted %d, booked dropped=%d extra=%d of %d", got, dropped, extra, 3*rounds)
	}
	if socket.longest != smallBuffer || socket.timers[timed] >= 10*rounds {
		t.Errorf("the longest datagram has %d bytes, %d times arrived", socket.longest, socket.timers[timed])
	}
}

// Where exactly the cut falls decides whether a line still counts.
func TestCutLinesAreBookedAsTheyAreRead(t *testing.T) {
	line := counted + ":12|c|#zone:a\n"
	for cut := range len(line) + 1 {
		filler := strings.Repeat("x", smallBuffer-cut-len(":1|c\n")) + ":1|c\n"
		socket := listenUDP(t)
		raw, err := statsd.Connect(socket.addr())
		if err != nil {
			t.Fatal(err)
		}
		wrong := started(t, "cut-datagrams")
		w := wrong.wire(raw)
		more := fmt.Sprint(filler, line, strings.Repeat("y", 9))
		if n, err := w.Write([]byte(more)); n != len(more) || err != nil {
			t.Errorf("cut after %d bytes: wrote %d of %d, %v", cut, n, len(more), err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		socket.arrive(t)
		dropped, extra := wrong.harm.booked()
		if got := socket.counts[counted]; got+dropped != 12 || extra != 0 {
			t.Errorf("cut after %q: counted %d, booked dropped=%d extra=%d", line[:cut], got, dropped, extra)
		}
	}
}

func TestTagsOfDefects(t *testing.T) {
	for tags, want := range map[string]string{
		"":                "|#zone:a",
		"zone:a":          "|#zone:b",
		"zone:b":          "|#zone:a",
		"role:web zone:c": "|#role:web,zone:a",
	} {
		if got := tagField(otherZone(strings.Fields(tags))); got != want {
			t.Errorf("%q: got %q, want %q", tags, got, want)
		}
	}
	if got := tagField(nil); got != "" {
		t.Errorf("no tags: got %q", got)
	}
}

// Lines of a defect's own go where the client's go, a Unix socket too, and a
// defect that cannot send there says so before anything starts.
func TestLinesBesideTheClientOverUnixSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dsd.socket")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	p, err := newParts(Config{StatsD: "unix://" + path, Log: io.Discard, Defect: "rate-not-applied"})
	if err != nil {
		t.Fatal(err)
	}
	p.client.Count(counted, 1)
	if err := p.client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	n, err := socket.Read(buffer)
	if got := string(buffer[:n]); err != nil || got != "fullstack.insert:1|c|@0.1\n" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, name := range []string{"rate-not-applied", "word-as-tag", "delta-gauge", "cut-datagrams"} {
		_, err := newParts(Config{StatsD: "unixstream://" + path, Log: io.Discard, Defect: name})
		if err == nil || !strings.Contains(err.Error(), "a stream carries no datagrams; use unix:// or host:port") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
