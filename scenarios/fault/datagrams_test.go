package fault

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patience bounds what must happen but has no bound of its own.
const patience = 10 * time.Second

// inbox is a collector's socket that keeps what comes.
type inbox struct {
	conn *net.UDPConn
	mu   sync.Mutex
	got  []string
	from []netip.AddrPort // of each
	more chan struct{}    // told of each datagram
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	in := &inbox{conn: conn, more: make(chan struct{}, 10000)}
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, longestDatagram)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			in.mu.Lock()
			in.got = append(in.got, string(buffer[:n]))
			in.from = append(in.from, from)
			in.mu.Unlock()
			in.more <- struct{}{}
		}
	})
	t.Cleanup(func() { conn.Close(); reading.Wait() })
	return in
}

func (in *inbox) addr() string { return in.conn.LocalAddr().String() }

// wait gives what has come, once it is n datagrams.
func (in *inbox) wait(t *testing.T, n int) []string {
	t.Helper()
	limit := time.After(patience)
	for {
		in.mu.Lock()
		got := slices.Clone(in.got)
		in.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-in.more:
		case <-limit:
			t.Fatalf("%d datagrams came, want %d", len(got), n)
		}
	}
}

// sent are the datagrams "0", "1", … of a test.
func sent(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// send sends datagrams to a relay and waits until it has read them.
func send(t *testing.T, r *Relays, instance string, datagrams []string) {
	t.Helper()
	conn := newSender(t, r, instance)
	defer conn.Close()
	write(t, conn, datagrams...)
	settle(t, r, instance)
}

// newSender is a socket of an instance.
func newSender(t *testing.T, r *Relays, instance string) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", r.find(instance).in.Addr().Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func write(t *testing.T, conn net.Conn, datagrams ...string) {
	t.Helper()
	for _, d := range datagrams {
		if _, err := conn.Write([]byte(d)); err != nil {
			t.Fatal(err)
		}
	}
}

// settle waits until a relay has read what was sent to it.
func settle(t *testing.T, r *Relays, instance string) {
	t.Helper()
	if err := r.find(instance).in.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// open makes a relay to in and returns when it carries datagrams.
func open(t *testing.T, r *Relays, instance string, in *inbox) {
	t.Helper()
	if _, err := r.Open(instance, in.addr()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Retire(context.Background(), instance) }) // a test that fails leaves it open
	send(t, r, instance, []string{"hello"})
	in.wait(t, 1)
	in.mu.Lock()
	in.got, in.from = nil, nil
	in.mu.Unlock()
}

func inject(t *testing.T, f Fault) (heal func() Touched) {
	t.Helper()
	if err := f.Possible(); err != nil {
		t.Fatal(err)
	}
	end, err := f.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func() Touched {
		touched, err := end(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return touched
	}
}

func TestARelayPassesEverythingOn(t *testing.T) {
	in, r := newInbox(t), NewRelays(1)
	open(t, r, "web-1", in)
	send(t, r, "web-1", sent(120))
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sent(120), in.wait(t, 120)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if lost := r.Lost(); len(lost) > 0 {
		t.Errorf("it lost %+v", lost)
	}
}

// Each fault does to a share of the datagrams what its name says, counts what
// it did, and leaves the others alone, as do relays of other instances.
func TestDatagrams(t *testing.T) {
	const n = 120 // more may be too many for the sockets of a test
	for name, c := range map[string]struct {
		tamper Tamper
		after  func(touched int64) int // how many datagrams come
		check  func(got []string, touched int64) string
	}{
		"drop":      {Drop(0.3), func(k int64) int { return n - int(k) }, func(got []string, _ int64) string { return notInOrder(got) }},
		"duplicate": {Duplicate(0.3), func(k int64) int { return n + int(k) }, twice},
		"reorder":   {Reorder(0.3), func(int64) int { return n }, swapped},
		"truncate":  {Truncate(2), func(int64) int { return n }, cut},
		"delay":     {Delay(20 * time.Millisecond), func(int64) int { return n }, func(got []string, _ int64) string { return notInOrder(got) }},
	} {
		t.Run(name, func(t *testing.T) {
			in, other, r := newInbox(t), newInbox(t), NewRelays(7)
			open(t, r, "web-1", in)
			open(t, r, "web-2", other)
			heal := inject(t, Datagrams{Name: name, Relays: r, On: "web-1", Tamper: c.tamper})
			send(t, r, "web-1", sent(n))
			send(t, r, "web-2", sent(n))
			if name == "delay" {
				in.wait(t, n) // they come by themselves
			}
			touched := heal()
			if touched["web-1"] == 0 || touched.Sum() != touched["web-1"] {
				t.Fatalf("it touched %v", touched)
			}
			send(t, r, "web-1", []string{"end"})
			got := in.wait(t, c.after(touched.Sum())+1)
			if got[len(got)-1] != "end" {
				t.Errorf("something came after it was healed: %v", got[len(got)-3:])
			}
			if why := c.check(got[:len(got)-1], touched.Sum()); why != "" {
				t.Error(why)
			}
			if diff := cmp.Diff(sent(n), other.wait(t, n)); diff != "" {
				t.Errorf("another instance (-want +got):\n%s", diff)
			}
		})
	}
}

func notInOrder(got []string) string {
	if slices.IsSortedFunc(got, func(a, b string) int { return len(a)*1000 + int(a[0]) - len(b)*1000 - int(b[0]) }) {
		return ""
	}
	return fmt.Sprintf("not in order: %v", got)
}

func twice(got []string, touched int64) string {
	var pairs int64
	for i := 1; i < len(got); i++ {
		if got[i] == got[i-1] {
			pairs++
		}
	}
	if pairs != touched {
		return fmt.Sprintf("%d came twice, and %d were touched", pairs, touched)
	}
	return ""
}

func swapped(got []string, touched int64) string {
	want := sent(len(got))
	var behind int64
	for i := 1; i < len(got); i++ {
		if got[i] == want[i-1] && got[i-1] == want[i] {
			behind++
		}
	}
	if slices.Sort(got); behind < touched-1 || behind > touched { // the last may have had none to follow
		return fmt.Sprintf("%d changed places, and %d were touched", behind, touched)
	}
	return ""
}

func cut(got []string, touched int64) string {
	var long int64
	for _, d := range got {
		if len(d) > 2 {
			return d + " is too long"
		}
	}
	for _, d := range sent(len(got)) {
		if len(d) > 2 {
			long++
		}
	}
	if long != touched {
		return fmt.Sprintf("%d were too long, and %d were touched", long, touched)
	}
	return ""
}

// The same seed strikes the same datagrams; another seed, and another instance,
// others.
func TestLuckIsDecidedByTheSeed(t *testing.T) {
	strikes := func(seed uint64, instance string) []string {
		in, r := newInbox(t), NewRelays(seed)
		open(t, r, instance, in)
		heal := inject(t, Datagrams{Name: "drop", Relays: r, Tamper: Drop(0.5)})
		send(t, r, instance, sent(100))
		return in.wait(t, 100-int(heal().Sum()))
	}
	first := strikes(1, "web-1")
	if diff := cmp.Diff(first, strikes(1, "web-1")); diff != "" {
		t.Errorf("the same seed (-first +second):\n%s", diff)
	}
	if cmp.Equal(first, strikes(2, "web-1")) || cmp.Equal(first, strikes(1, "web-2")) {
		t.Error("another seed or instance is struck in the same way")
	}
}

// What a fault holds back is not lost when the instance ends, and instances
// that come while a fault lasts are struck, too.
func TestRetireSendsWhatIsHeldBack(t *testing.T) {
	in, r := newInbox(t), NewRelays(1)
	heal := inject(t, Datagrams{Name: "delay", Relays: r, Tamper: Delay(time.Hour)})
	if _, err := r.Open("web-4", in.addr()); err != nil {
		t.Fatal(err)
	}
	send(t, r, "web-4", sent(5))
	if err := r.Retire(t.Context(), "web-4"); err != nil {
		t.Fatal(err)
	}
	in.wait(t, 5)
	if got := heal(); got["web-4"] != 5 {
		t.Errorf("it touched %v, want 5 of web-4", got)
	}
}

func TestAFaultGoesOnOnceAtATime(t *testing.T) {
	r := NewRelays(1)
	d := Datagrams{Name: "drop", Relays: r, Tamper: Drop(1)}
	heal := inject(t, d)
	if _, err := d.Inject(t.Context()); err == nil {
		t.Error("it was begun twice")
	}
	heal()
	inject(t, d)
	if _, err := (Datagrams{Name: "delay", Relays: r, On: "web-9", Tamper: Drop(1)}).Inject(t.Context()); err == nil {
		t.Error("it was begun on an instance that is not there")
	}
}

// While the collector is away datagrams are lost and counted; the new one gets
// the rest at its own address, while the instance keeps the relay's.
func TestRestartCollector(t *testing.T) {
	first, second, r := newInbox(t), newInbox(t), NewRelays(1)
	open(t, r, "web-1", first)
	send(t, r, "web-1", []string{"before"})
	var order []string
	f := RestartCollector{Relays: r, For: time.Millisecond,
		Stop: func(ctx context.Context) error {
			order = append(order, "stop")
			send(t, r, "web-1", sent(3))
			return nil
		},
		Start: func(context.Context) (map[string]string, error) {
			order = append(order, "start")
			return map[string]string{"web-1": second.addr()}, nil
		}}
	touched := inject(t, f)()
	send(t, r, "web-1", []string{"after"})
	if diff := cmp.Diff([]string{"stop", "start"}, order); diff != "" {
		t.Error(diff)
	}
	if touched["web-1"] != 3 {
		t.Errorf("it touched %v, want 3 of web-1", touched)
	}
	if got := [][]string{first.wait(t, 1), second.wait(t, 1)}; !cmp.Equal(got, [][]string{{"before"}, {"after"}}) {
		t.Errorf("got %v", got)
	}
}
