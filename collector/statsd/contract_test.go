package statsd

import (
	"fmt"
	"net"
	"testing"

	"throughline/collector"
	"throughline/collector/sourcetest"
)

func TestContract(t *testing.T) {
	sourcetest.Contract(t, func(t *testing.T, in collector.Intake) sourcetest.Driver {
		c := New(Config{}, in)
		at, err := c.Listen(udp("web-1"))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("udp", at.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		send := func(format string, args ...any) {
			_, _ = fmt.Fprintf(conn, format, args...) // fails when the socket is closed, which the contract looks at too
		}
		return sourcetest.Driver{Source: c, Series: "hits_total",
			Count: func(n int) { send("hits:%d|c", n) }, Bad: func() { send("hits:many|c") }}
	})
}
