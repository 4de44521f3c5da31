package otlp

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"throughline/collector"
	"throughline/collector/sourcetest"
)

// TestContract holds the source to what every way in does, by each protocol, and by each temporality.
func TestContract(t *testing.T) {
	for name, how := range map[string]struct {
		protocol Protocol
		delta    bool
	}{"cumulative, HTTP": {HTTP, false}, "delta, HTTP": {HTTP, true}, "cumulative, gRPC": {GRPC, false}, "delta, gRPC": {GRPC, true}} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Contract(t, func(t *testing.T, in collector.Intake) sourcetest.Driver {
				c := New(Config{}, in)
				addr, err := c.Listen(Listener{Instance: "web-1", Addr: "127.0.0.1:0", Protocol: how.protocol})
				if err != nil {
					t.Fatal(err)
				}
				client := dial(t, addr, how.protocol)
				start := time.Now()
				last, total := start, 0
				return sourcetest.Driver{Source: c, Series: "hits_total",
					Count: func(n int) {
						now := last.Add(time.Millisecond)
						m, p := numbers("hits")
						total += n
						p.SetIntValue(int64(total))
						p.SetStartTimestamp(stamp(start))
						if how.delta {
							m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
							p.SetIntValue(int64(n))
							p.SetStartTimestamp(stamp(last))
						}
						p.SetTimestamp(stamp(now))
						last = now
						_, _ = client(of(m)) // fails when nobody listens any more, which the contract looks at too
					},
					Bad: func() {
						if how.protocol == GRPC {
							m, p := numbers("broken")
							p.SetIntValue(-1)
							_, _ = client(of(m))
							return
						}
						if r, err := http.Post("http://"+addr+Path, typeProtobuf, strings.NewReader("hits:1|c")); err == nil {
							r.Body.Close()
						}
					}}
			})
		})
	}
}
