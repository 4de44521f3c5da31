package run

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/statsd"
	"throughline/compose"
	"throughline/compose/platformtest"
	"throughline/live"
	"throughline/scenarios/record"
)

// onNetwork is a platform in memory whose instances have addresses.
type onNetwork struct{ *platformtest.Memory }

func (onNetwork) Located() {}

// addressed is an instance on it.
type addressed struct {
	compose.Handle
	peer string
}

func (addressed) Name() string             { return "mongo-2" }
func (a addressed) PeerAddr(string) string { return a.peer }
func (addressed) Address() netip.Addr      { return netip.MustParseAddr("127.0.0.2") }

// sharing is an instance without an address of its own.
type sharing struct{ compose.Handle }

func (sharing) PeerAddr(string) string { return "mongo-2:8080" }

// notes is a progress that keeps what it is told.
type notes struct {
	mu   sync.Mutex
	said []string
}

func (n *notes) Note(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.said = append(n.said, text)
}

func (*notes) Phase(string, int)                   {}
func (*notes) EndPhase(time.Duration, live.Status) {}
func (*notes) Step(string, time.Duration, error)   {}
func (*notes) Tick(live.Status)                    {}

// Instances with addresses of their own share a port, StatsD's usual one unless
// somebody has it, and are told apart by where they send from.
func TestInstancesAreKnownByTheirAddress(t *testing.T) {
	usual, err := net.ListenPacket("udp", "127.0.0.1:8125")
	if err == nil { // else somebody else has it
		defer usual.Close()
	}
	said := &notes{}
	dir := t.TempDir()
	c := Config{Platform: onNetwork{platformtest.NewMemory(dir, nil)}, Scratch: dir, Progress: said,
		Run: record.Run{ID: "r", Start: time.Now(), Interval: 100 * time.Millisecond}}
	w, err := record.Create(filepath.Join(dir, "run"), c.Run, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s, err := newTelemetry(c, &journal{record: w})
	if err != nil {
		t.Fatal(err)
	}
	defer s.collector().Close()
	if err := s.share(); err != nil {
		t.Fatal(err)
	}
	if len(said.said) != 1 {
		t.Errorf("the port was taken, and it was said: %q", said.said)
	}
	addr, err := s.listen("web-1", collector.NewLabels("zone", "a"))
	if err != nil || addr != s.shared {
		t.Fatalf("web-1 shall send to %q, %v, want %q", addr, err, s.shared)
	}
	if err := s.place("web-1", netip.MustParseAddr("127.0.0.2"), collector.NewLabels("zone", "a"), false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- s.collector().Run(ctx) }()
	for from, lines := range map[string]string{"127.0.0.2:0": "a:1|c\nb:1|c", "127.0.0.3:0": "c:1|c"} {
		at, err := net.ResolveUDPAddr("udp", from)
		if err != nil {
			t.Fatal(err)
		}
		sender, err := (&net.Dialer{LocalAddr: at}).DialContext(t.Context(), "udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sender.Write([]byte(lines)); err != nil {
			t.Fatal(err)
		}
		sender.Close()
	}
	cancel() // what waits in the socket is read before it ends
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, i := range statsdOf(s).Figures().Instances {
		switch {
		case i.Unknown:
			got["a stranger"] += i.Lines
		case i.Lines > 0:
			got[i.Instance] = i.Lines
		}
	}
	if diff := cmp.Diff(map[string]uint64{"web-1": 2, "a stranger": 1}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// A member of a replica set is called by its address where it has one of its own, in the set and by all who reach it, and
// by where it listens where all share one.
func TestMembersAreCalledByTheirAddress(t *testing.T) {
	for known, member := range map[string]compose.Handle{"mongo-2:8080": sharing{}, "127.0.0.2:8080": addressed{peer: "mongo-2:8080"}} {
		if got, err := byAddress(member, "mongo"); err != nil || got != known {
			t.Errorf("it is reached at %q (%v), want %q", got, err, known)
		}
	}
	if got, err := byAddress(addressed{}, "mongo"); err == nil {
		t.Errorf("one without a port is reached at %q", got)
	}
	for advertised, at := range map[string]compose.Place{"127.0.0.1:8080": {Host: "127.0.0.1"}, "127.0.0.2:8080": {Host: "0.0.0.0", Address: "127.0.0.2"}} {
		member := Config{}.memberInstance("mongo-2", "")
		member.Ports = map[string]int{"mongo": 8080}
		member, err := member.Expand(at)
		if err != nil {
			t.Fatal(err)
		}
		told := member.Program.Self
		if i := slices.Index(told, "--advertise"); i < 0 || told[i+1] != advertised {
			t.Errorf("it is told %v, want it to advertise %s", told, advertised)
		}
	}
}

// Where an instance never came to have an address, nothing is wrong with the collector.
func TestAnInstanceWithoutAPlaceIsRetiredInSilence(t *testing.T) {
	dir := t.TempDir()
	c := Config{Platform: onNetwork{platformtest.NewMemory(dir, nil)}, Scratch: dir, Progress: &notes{},
		Run: record.Run{ID: "r", Start: time.Now(), Interval: 100 * time.Millisecond}}
	w, err := record.Create(filepath.Join(dir, "run"), c.Run, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newTelemetry(c, &journal{record: w})
	if err != nil {
		t.Fatal(err)
	}
	defer s.collector().Close()
	s.retire(t.Context(), "web-1")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "run", "journal.jsonl"))
	if err != nil || strings.Contains(string(text), string(record.Trouble)) {
		t.Errorf("journalled: %s (%v)", text, err)
	}
}

// A drop at the shared port may have been anybody's: the judge takes an event
// without an instance for that.
func TestDropsAtASharedPortAreAnybodys(t *testing.T) {
	if e := drops(statsd.ListenerFigures{Addr: "10.0.0.1:8125", Counts: statsd.Counts{KernelDrops: 3}}); e.Instance != "" || e.Role != "" || e.Count != 3 {
		t.Errorf("%+v, want 3 of nobody in particular", e)
	}
	if e := drops(statsd.ListenerFigures{Instance: "web-2", Counts: statsd.Counts{KernelDrops: 3}}); e.Instance != "web-2" || e.Role != record.Web {
		t.Errorf("%+v, want web-2", e)
	}
}
