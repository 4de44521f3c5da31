package socket

import (
	"bytes"
	"testing"
	"time"
)

// letters is a datagram of n bytes that no other length has.
func letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i*7+n)%26)
	}
	return string(b)
}

// TestDatagramsAboutTheLengthOfAHead: what goes beyond the head of a room is put
// together with it, and one datagram of a batch does not change another.
func TestDatagramsAboutTheLengthOfAHead(t *testing.T) {
	sizes := []int{1, headSize - 1, headSize, headSize + 1, 10, 3 * headSize, headSize + 1, 2, 60_000, headSize}
	for name, address := range map[string]string{"udp": "127.0.0.1:0", "unixgram": "unixgram://" + path(t)} {
		for _, longest := range []int{headSize - 1, headSize, headSize + 1, 65_535} {
			s := open(t, address, Options{MaxPayload: longest, Sources: true, ReceiveBuffer: 4 << 20})
			conn := dial(t, s)
			for range 2 { // the second time in a room that was used
				for _, n := range sizes {
					send(t, conn, letters(n)) // all wait, so that they come in one batch
				}
				var g got
				if err := s.Drain(within(t), g.handle); err != nil {
					t.Fatal(err)
				}
				list := g.list()
				if len(list) != len(sizes) {
					t.Fatalf("%s: %d of %d datagrams came", name, len(list), len(sizes))
				}
				for i, n := range sizes {
					if want := letters(n)[:min(n, longest)]; list[i] != want {
						t.Errorf("%s, at most %d bytes: of %d came %d, or others", name, longest, n, len(list[i]))
					}
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRoomsAreShared(t *testing.T) {
	var l roomList
	a, b := kind{size: 10}, kind{size: 10, sources: true}
	first, second := l.take(a), l.take(a)
	if first == second {
		t.Fatal("two have one room")
	}
	l.give(first)
	if other := l.take(b); other.kind != b {
		t.Errorf("asked for %v, got %v", b, other.kind)
	}
	if again := l.take(a); again != first {
		t.Error("a room that was given back is not used again")
	}
	for range 2 * maxRooms {
		l.give(newRoom(a))
	}
	l.give(second)
	if len(l.free) != maxRooms || l.free[maxRooms-1] != second {
		t.Errorf("%d rooms are kept, want %d with the last that was given", len(l.free), maxRooms)
	}
}

// TestNobodyReadsInARoomThatIsFree: the payloads of one socket hold while another reads.
func TestNobodyReadsInARoomThatIsFree(t *testing.T) {
	one, two := open(t, "127.0.0.1:0", Options{}), open(t, "127.0.0.1:0", Options{})
	other := dial(t, two)
	read(t, two, func([]Payload) {})
	same := make(chan bool)
	read(t, one, func(payloads []Payload) {
		before := bytes.Clone(payloads[0].Bytes)
		for range 50 {
			_, _ = other.Write([]byte("b:2|c"))
			time.Sleep(100 * time.Microsecond)
		}
		same <- bytes.Equal(before, payloads[0].Bytes)
	})
	send(t, dial(t, one), "a:1|c")
	if !<-same {
		t.Error("another socket wrote over a payload")
	}
}
