package socket

import (
	"fmt"
	"slices"
	"testing"
)

// ways are the sockets of datagrams.
func ways(t *testing.T) map[string]string {
	return map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0", "all": "udp://:0", "unixgram": "unixgram://" + path(t)}
}

func TestDatagramsAreHandedOutAsTheyWereSent(t *testing.T) {
	for name, address := range ways(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{MaxPayload: 8})
			var g got
			read(t, s, g.handle)
			conn := dial(t, s)
			var want []string
			for i := range 3 * batchSize {
				want = append(want, fmt.Sprintf("a:%d|c", i))
				send(t, conn, want[i])
			}
			want = append(want, "", "12345678")
			send(t, conn, "")
			send(t, conn, "12345678")
			if err := s.Settle(within(t)); err != nil {
				t.Fatal(err)
			}
			if list := g.list(); !slices.Equal(list, want) {
				t.Errorf("got %q, want %q", list, want)
			}
			send(t, conn, "123456789")
			if err := s.Settle(within(t)); err != nil {
				t.Fatal(err)
			}
			if n, _, truncated := g.sum(); n != len(want)+1 || truncated != 1 || g.list()[n-1] != "12345678" {
				t.Errorf("of 9 bytes where 8 are the limit: %q, %d truncated; want the first 8, truncated", g.list()[n-1], truncated)
			}
		})
	}
}
