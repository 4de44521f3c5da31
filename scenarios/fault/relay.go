package fault

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"throughline/collector/statsd/socket"
)

// relay takes the datagrams of one instance and sends them on to the address
// where the collector listens for it, those of each sender from a socket of its own.
// Their order is that in which they came, of all senders together.
type relay struct {
	instance string
	seed     uint64
	in       *socket.Socket
	ended    chan error // the end of reading

	mu         sync.Mutex
	target     netip.AddrPort // not valid: nobody listens there now
	treatments []*treatment
	out        *senders
	behind     *held  // waits for the next datagram
	late       []held // in the order of their times
	timer      *time.Timer
	ending     bool // somebody closes it, or has
	closed     bool
	astray     int64 // datagrams for which nobody listened
	failed     int64 // datagrams that could not be sent on
	why        error // the last of these
	drops      uint64
}

// treatment is what a fault does to the datagrams of one instance.
type treatment struct {
	fault   string
	tamper  Tamper
	random  *rand.Rand
	touched int64
}

// held is a datagram that waits until its time has come, or until another has overtaken it.
type held struct {
	payload []byte
	from    netip.AddrPort
	copies  int
	until   time.Time // of late ones
}

// receiveBuffer is what the relay asks of the kernel: room for a second of
// several thousand datagrams, should the machine be busy.
const receiveBuffer = 4 << 20

// longestDatagram is the longest payload of UDP over IPv4.
const longestDatagram = 65507

func openRelay(instance, target string, seed uint64) (*relay, error) {
	to, err := netip.ParseAddrPort(target)
	if err != nil {
		return nil, fmt.Errorf("relay for %s: target: %w", instance, err)
	}
	here := net.JoinHostPort(to.Addr().String(), "0")
	in, err := socket.Open(socket.Address{Network: socket.UDP, Host: here}, socket.Options{ReceiveBuffer: receiveBuffer, MaxPayload: longestDatagram, Sources: true})
	if err != nil {
		return nil, fmt.Errorf("relay for %s: %w", instance, err)
	}
	out, err := newSenders(to.Addr())
	if err != nil {
		return nil, fmt.Errorf("relay for %s: %w", instance, errors.Join(err, in.Close()))
	}
	r := &relay{instance: instance, seed: seed, in: in, out: out, target: to, ended: make(chan error, 1)}
	r.timer = time.AfterFunc(time.Hour, r.release)
	r.timer.Stop()
	go func() { r.ended <- in.Read(r.handle) }()
	return r, nil
}

// treat begins to tamper. What luck decides is fixed by the seed, the instance
// and the fault.
func (r *relay) treat(fault string, tamper Tamper) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.instance + " " + fault)) // a hash takes everything
	r.mu.Lock()
	defer r.mu.Unlock()
	r.treatments = append(r.treatments, &treatment{fault: fault, tamper: tamper, random: rand.New(rand.NewPCG(r.seed, h.Sum64()))})
}

// leave ends what treat began, sends what is held back, and tells how often it
// struck.
func (r *relay) leave(fault string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.treatments, func(t *treatment) bool { return t.fault == fault })
	if at < 0 {
		return 0
	}
	touched := r.treatments[at].touched
	r.treatments = slices.Delete(r.treatments, at, at+1)
	r.letGo()
	return touched
}

func (r *relay) handle(payloads []socket.Payload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range payloads {
		r.carry(p.Bytes, p.From)
	}
}

// carry sends one datagram of a sender on, as far as the faults let it. r.mu is held.
func (r *relay) carry(payload []byte, from netip.AddrPort) {
	p := Parcel{Payload: payload, Copies: 1, Waiting: r.behind != nil}
	for _, t := range r.treatments {
		if t.tamper(&p, t.random) {
			t.touched++
		}
	}
	switch {
	case p.Copies == 0:
		return // what waits goes behind the next that is sent
	case p.Late > 0:
		r.late = append(r.late, held{slices.Clone(p.Payload), from, p.Copies, time.Now().Add(p.Late)})
		if len(r.late) == 1 {
			r.timer.Reset(p.Late)
		}
	case p.Behind:
		r.behind = &held{payload: slices.Clone(p.Payload), from: from, copies: 1}
		return
	default:
		r.send(held{payload: p.Payload, from: from, copies: p.Copies})
	}
	r.sendBehind()
}

// sendBehind sends what waited for another datagram. r.mu is held.
func (r *relay) sendBehind() {
	if r.behind != nil {
		r.send(*r.behind)
		r.behind = nil
	}
}

// release sends what was held back long enough.
func (r *relay) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	now := time.Now()
	for len(r.late) > 0 && !r.late[0].until.After(now) {
		r.send(r.late[0])
		r.late = r.late[1:]
	}
	if len(r.late) > 0 {
		r.timer.Reset(r.late[0].until.Sub(now))
	}
}

// letGo sends all that is held back. r.mu is held.
func (r *relay) letGo() {
	for _, h := range r.late {
		r.send(h)
	}
	r.late = nil
	r.sendBehind()
}

// send is the last step of a datagram. r.mu is held.
func (r *relay) send(h held) {
	for range h.copies {
		if !r.target.IsValid() {
			r.astray++
			continue
		}
		if _, err := r.out.find(h.from).WriteToUDPAddrPort(h.payload, r.target); err != nil {
			r.failed++
			r.why = err
		}
	}
}

// aim sends to another address from now on; nowhere, if it is not valid.
func (r *relay) aim(target netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

// close reads what waits in the kernel, sends all on and closes the relay.
func (r *relay) close(ctx context.Context) error {
	r.in.Stop()
	err := errors.Join(<-r.ended, r.in.Drain(ctx, r.handle))
	r.timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.letGo()
	r.closed = true
	err = errors.Join(err, r.in.Close(), r.out.close())
	r.drops = r.in.Figures().Drops
	if err != nil {
		return fmt.Errorf("relay for %s: %w", r.instance, err)
	}
	return nil
}
