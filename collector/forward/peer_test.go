package forward

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// peer reads datagrams, from a socket of datagrams or a stream of frames.
type peer struct {
	closers []io.Closer
	mu      sync.Mutex
	got     []string
	readers sync.WaitGroup
}

// listen makes a peer; it is closed with the test.
func listen(t testing.TB, network, address string) *peer {
	t.Helper()
	p := &peer{}
	if network == "unix" {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		p.closers = append(p.closers, l)
		p.readers.Go(func() { p.accept(l) })
	} else {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := c.(*net.UDPConn); ok {
			_ = u.SetReadBuffer(4 << 20)
		}
		p.closers = append(p.closers, c)
		p.readers.Go(func() { p.datagrams(c) })
	}
	t.Cleanup(p.close)
	return p
}

func (p *peer) add(datagram []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, string(datagram))
}

func (p *peer) datagrams(c net.PacketConn) {
	buffer := make([]byte, 1<<16)
	for {
		n, _, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		p.add(buffer[:n])
	}
}

func (p *peer) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.closers = append(p.closers, c)
		p.mu.Unlock()
		p.readers.Go(func() {
			for {
				var size uint32
				if binary.Read(c, binary.LittleEndian, &size) != nil {
					return
				}
				frame := make([]byte, size)
				if _, err := io.ReadFull(c, frame); err != nil {
					return
				}
				p.add(frame)
			}
		})
	}
}

// close ends the peer, and whoever is connected to it.
func (p *peer) close() {
	p.mu.Lock()
	for _, c := range p.closers {
		_ = c.Close()
		if u, ok := c.(*net.UnixConn); ok && u.LocalAddr().Network() == "unixgram" {
			_ = os.Remove(u.LocalAddr().String())
		}
	}
	p.mu.Unlock()
	p.readers.Wait()
}

func (p *peer) received() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.got...)
}

// names is a name server that knows one address for all names.
type names struct {
	mu      sync.Mutex
	address [4]byte
	asked   int
}

func (n *names) set(address [4]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.address = address
}

func (n *names) serve(c net.PacketConn) {
	buffer := make([]byte, 1024)
	for {
		size, from, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Header, m.Additionals = dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}, nil
		q := m.Questions[0]
		n.mu.Lock()
		n.asked++
		if q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: &dnsmessage.AResource{A: n.address}}}
		}
		n.mu.Unlock()
		if answer, err := m.Pack(); err == nil {
			_, _ = c.WriteTo(answer, from)
		}
	}
}
