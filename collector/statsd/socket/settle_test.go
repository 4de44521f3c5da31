package socket

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// TestSettleBesideEverything: senders come and go, several callers settle, and
// the reader is stopped in the middle of it. Nothing is lost or handed out
// twice, and no handler is called after Read has returned.
func TestSettleBesideEverything(t *testing.T) {
	const senders, each = 8, 200
	for name, address := range everyNetwork(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{ReceiveBuffer: 4 << 20})
			var g got
			var over, late atomic.Bool
			stop := read(t, s, func(p []Payload) {
				if over.Load() {
					late.Store(true)
				}
				g.handle(p)
			})
			ctx, cancel := context.WithCancel(context.Background())
			var settlers, sending sync.WaitGroup
			for range 3 {
				settlers.Go(func() {
					for ctx.Err() == nil {
						if err := s.Settle(ctx); err != nil && !errors.Is(err, context.Canceled) {
							t.Error(err)
							return
						}
					}
				})
			}
			var sent atomic.Int64
			for range senders {
				sending.Go(func() {
					for range each / 10 {
						sent.Add(int64(burst(t, s, 10)))
					}
				})
			}
			until(t, "something came", func() bool { n, _, _ := g.sum(); return n > each/4 })
			stop()
			over.Store(true)
			sending.Wait()
			cancel()
			settlers.Wait()
			if late.Load() {
				t.Error("the handler was called after Read had returned")
			}
			if err := s.Drain(within(t), g.handle); err != nil {
				t.Fatal(err)
			}
			if n := len(g.lines()); int64(n) != sent.Load() || n == 0 {
				t.Errorf("%d of %d lines came out", n, sent.Load())
			}
		})
	}
}

// burst sends n lines over a connection of its own and returns how many the
// system took.
func burst(t *testing.T, s *Socket, n int) (sent int) {
	conn, err := connect(s.Addr())
	if err != nil {
		t.Error(err)
		return 0
	}
	defer func() { _ = conn.Close() }()
	for range n {
		if _, err := conn.Write([]byte(wire(s, "a:1|c"))); err == nil {
			sent++
		}
	}
	return sent
}
