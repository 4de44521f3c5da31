package local

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestWhoAsksTogetherIsAnsweredTogether: nobody is told what was found out before he asked,
// and who waits at the same time is told the same.
func TestWhoAsksTogetherIsAnsweredTogether(t *testing.T) {
	const asks = 100
	var j joined[int64]
	var begun atomic.Int64
	read := func() int64 {
		number := begun.Add(1)
		time.Sleep(10 * time.Millisecond) // it takes long enough for others to ask meanwhile
		return number
	}
	var all sync.WaitGroup
	for range asks {
		all.Go(func() {
			before := begun.Load()
			if got := j.ask(read); got <= before {
				t.Errorf("who asked after answer %d had been begun was told answer %d", before, got)
			}
		})
	}
	all.Wait()
	if n := begun.Load(); n > asks/2 {
		t.Errorf("%d answers were found out for %d who asked at once; want that they share them", n, asks)
	}
}
