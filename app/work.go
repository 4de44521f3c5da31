package app

import (
	"context"
	"errors"
	"time"
)

// workWord is what a worker looks for. Whether it is there makes no difference to the work.
const workWord = "work"

// work does a piece of work every so often until ctx ends, and counts each that is done. What is under way then is
// finished.
func work(ctx context.Context, every time.Duration, p parts) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begin := time.Now()
		if err := workOnce(context.WithoutCancel(ctx), p.words); err != nil {
			p.log.Printf("work: %v", err)
			continue
		}
		p.client.Count("fullstack.work", 1)
		p.client.Timing("fullstack.work.time", time.Since(begin))
	}
}

func workOnce(ctx context.Context, words Words) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	if _, err := words.Get(ctx, workWord); err != nil && !errors.Is(err, ErrNoWord) {
		return err
	}
	return nil
}
