package forward

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func smallQueue(items, bytes int) (*queue, *batch) {
	return newQueue(Limits{Items: items, Bytes: bytes}), &batch{maxItems: 100, maxBytes: 100}
}

// taken are the items of a batch.
func taken(b *batch) string {
	var out []string
	for i := range b.left() {
		out = append(out, string(b.span(i, 1)))
	}
	return strings.Join(out, ",")
}

// TestQueueBounds has each bound trip: the oldest goes, and is counted.
func TestQueueBounds(t *testing.T) {
	for _, c := range []struct {
		items, bytes  int
		in, want      string
		full, refused uint64
	}{
		{3, 100, "a,b,c", "a,b,c", 0, 0},
		{3, 100, "a,b,c,d,e", "c,d,e", 2, 0},
		{9, 6, "aa,bb,cc", "aa,bb,cc", 0, 0},
		{9, 6, "aa,bb,cc,d", "bb,cc,d", 1, 0},
		{9, 6, "aa,bb,cc,ddd,eeee", "eeee", 4, 0},
		{9, 6, "aa,bbbbbb", "bbbbbb", 1, 0},
		{9, 6, "aa,bbbbbbb,c", "aa,c", 0, 1},
		{2, 6, "a,,b,", "b,", 2, 0},
	} {
		q, b := smallQueue(c.items, c.bytes)
		for item := range strings.SplitSeq(c.in, ",") {
			q.put([]byte(item))
			balanced(t, q.figures())
		}
		f := q.figures()
		q.take(b)
		if got := taken(b); got != c.want || f.Full != c.full || f.Refused != c.refused {
			t.Errorf("%d items and %d bytes: of %s stayed %s, full %d, refused %d; want %s, %d, %d", c.items, c.bytes, c.in, got, f.Full, f.Refused, c.want, c.full, c.refused)
		}
		balanced(t, q.figures())
	}
}

// TestQueueRing goes round the rings many times.
func TestQueueRing(t *testing.T) {
	q, b := smallQueue(5, 23)
	b.maxItems = 2
	next, want := 0, 0
	for round := range 1000 {
		for range round % 4 {
			q.put(fmt.Appendf(nil, "%d", next))
			next++
		}
		q.take(b)
		for i := range b.left() {
			if got := string(b.span(i, 1)); got != fmt.Sprint(want) {
				t.Fatalf("item %d is %q", want, got)
			}
			want++
		}
		q.settle(result{sent: b.left()})
		balanced(t, q.figures())
	}
	if f := q.figures(); f.Sent+uint64(f.Queued) != 1500 || f.Full != 0 {
		t.Errorf("figures are %+v, want 1500 sent", f)
	}
}

func TestBatchBounds(t *testing.T) {
	q, b := smallQueue(100, 100)
	for _, item := range []string{"aaa", "bbb", "c", "dddddddd", "e"} {
		q.put([]byte(item))
	}
	b.maxItems, b.maxBytes = 3, 6
	for _, want := range []string{"aaa,bbb", "c", "dddddddd", "e", ""} {
		if q.take(b); taken(b) != want {
			t.Errorf("taken is %q, want %q", taken(b), want)
		}
	}
}

// writerFunc is a peer in the test.
type writerFunc func(ctx context.Context, b *batch) result

func (w writerFunc) write(ctx context.Context, b *batch) result { return w(ctx, b) }
func (w writerFunc) close() error                               { return nil }

// boxed is an outbox as a Forwarder.
type boxed struct {
	outbox
	writer writer
}

func (b *boxed) Run(ctx context.Context) error { return b.run(ctx, b.writer) }

func newBoxed(t *testing.T, l Limits, w writerFunc) *boxed {
	t.Helper()
	l, err := l.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &boxed{outbox{queue: newQueue(l), to: "test", kind: "test", limits: l, batch: batch{maxItems: 7, maxBytes: 100}}, w}
}

// TestBalance has producers, a peer with moods and one who reads the figures all
// at once: they balance at any moment, and at the end nothing is unaccounted.
func TestBalance(t *testing.T) {
	moods := 0
	var got uint64
	f := newBoxed(t, Limits{Items: 20, Bytes: 100, RetryMin: time.Microsecond, RetryMax: time.Microsecond, Flush: patience}, func(_ context.Context, b *batch) result {
		moods++
		switch n := b.left(); moods % 4 {
		case 0:
			return result{err: errors.New("moody")}
		case 1:
			got += uint64(n / 2)
			return result{sent: n / 2, refused: n - n/2, refusal: errors.New("spoilt"), bytes: 1}
		case 2:
			got++
			return result{sent: 1, err: errors.New("moody")}
		default:
			got += uint64(n)
			return result{sent: n}
		}
	})
	end := start(t, f)
	var producers, reader sync.WaitGroup
	for range 4 {
		producers.Go(func() {
			for i := range 5000 {
				f.put(fmt.Appendf(nil, "%d", i))
			}
		})
	}
	done := make(chan struct{})
	reader.Go(func() {
		for {
			balanced(t, f.Figures())
			select {
			case <-done:
				return
			default:
			}
		}
	})
	producers.Wait()
	figures := end()
	close(done)
	reader.Wait()
	if figures.In != 20_000 || figures.Sent != got || figures.Unsent != 0 || figures.Retries == 0 {
		t.Errorf("the peer got %d; figures are %+v", got, figures)
	}
	f.put([]byte("late"))
	f.put([]byte("late"))
	if after := f.Figures(); after.In != 20_002 || after.Unsent != 2 {
		t.Errorf("what comes after the end is not counted: %+v", after)
	}
	balanced(t, f.Figures())
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "test to test: it ran before") {
		t.Errorf("a second Run gives %v", err)
	}
}

// TestFlush has a peer that is away for ever: what waits is given up when the
// time is over, and counted. An end brings the next attempt forward.
func TestFlush(t *testing.T) {
	f := newBoxed(t, Limits{RetryMin: time.Hour, RetryMax: time.Hour, Flush: 50 * time.Millisecond}, func(context.Context, *batch) result {
		return result{err: errors.New("away")}
	})
	end := start(t, f)
	for range 20 {
		f.put([]byte("x"))
	}
	until(t, "it was tried", func() bool { return f.Figures().LastError == "away" })
	if figures := end(); figures.Unsent != 20 || figures.Retries != 1 {
		t.Errorf("figures are %+v, want 20 unsent and one retry", figures)
	}
}

// TestFlushBlocked has a peer that blocks until its time is over.
func TestFlushBlocked(t *testing.T) {
	f := newBoxed(t, Limits{Flush: 20 * time.Millisecond}, func(ctx context.Context, _ *batch) result {
		<-ctx.Done()
		return result{err: ctx.Err()}
	})
	end := start(t, f)
	f.put([]byte("x"))
	until(t, "it is on its way", func() bool { return f.waiting() == 0 })
	f.put([]byte("y"))
	if figures := end(); figures.Unsent != 2 {
		t.Errorf("figures are %+v, want 2 unsent", figures)
	}
}

// TestFlushTakes has a peer that takes all there is at the end.
func TestFlushTakes(t *testing.T) {
	f := newBoxed(t, Limits{Flush: patience}, func(_ context.Context, b *batch) result { return result{sent: b.left()} })
	f.age = time.Hour
	end := start(t, f)
	for range 5 {
		f.put([]byte("x")) // too few for a batch, which is not old enough
	}
	if figures := end(); figures.Sent != 5 {
		t.Errorf("figures are %+v, want 5 sent", figures)
	}
}

// TestNothingSettled has a writer that breaks its word.
func TestNothingSettled(t *testing.T) {
	f := newBoxed(t, Limits{Flush: time.Millisecond}, func(context.Context, *batch) result { return result{} })
	end := start(t, f)
	f.put([]byte("x"))
	until(t, "it was tried", func() bool { return f.Figures().LastError != "" })
	if figures := end(); figures.Unsent != 1 {
		t.Errorf("figures are %+v", figures)
	}
}
