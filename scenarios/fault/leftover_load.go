package fault

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// LeftoverLoad is somebody else's load generator, left over from an earlier
// run: its requests reach the same load balancer, and no ledger knows them.
type LeftoverLoad struct {
	Target string    // URL of the load balancer
	Routes []Request // taken in turn
	Rate   float64   // requests per second
}

// Request is what leftover users ask for.
type Request struct {
	Method string
	Path   string // {word} stands for a word
}

// leftoverTimeout is how long a leftover request waits for its answer.
const leftoverTimeout = 5 * time.Second

// Possible asks whether there is somebody to send to.
func (l LeftoverLoad) Possible() error {
	if _, err := url.Parse(l.Target); err != nil {
		return fmt.Errorf("leftover-load: %w", err)
	}
	if len(l.Routes) == 0 {
		return fmt.Errorf("leftover-load: no routes to send requests to")
	}
	return nil
}

// Inject sends requests until it is healed. A request counts when it was
// answered, by whomever.
func (l LeftoverLoad) Inject(ctx context.Context) (Heal, error) {
	if err := l.Possible(); err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: leftoverTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	var answered atomic.Int64
	var sending sync.WaitGroup
	stop := callAtRate(l.Rate, func(n int) {
		sending.Go(func() {
			if l.send(client, n) {
				answered.Add(1)
			}
		})
	})
	return func(context.Context) (Touched, error) {
		stop()
		sending.Wait()
		client.CloseIdleConnections()
		return Touched{"users": answered.Load()}, nil
	}, nil
}

func (l LeftoverLoad) send(client *http.Client, n int) bool {
	route := l.Routes[n%len(l.Routes)]
	path := strings.ReplaceAll(route.Path, "{word}", fmt.Sprintf("leftover-%d", n%10))
	req, err := http.NewRequest(route.Method, l.Target+path, nil)
	if err != nil {
		return false
	}
	req.Header.Set("X-Request-Id", fmt.Sprintf("leftover-%d", n))
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil
}

// callAtRate calls do at a rate per second, with 0, 1, 2, …, until stop, which
// returns after the last call. Where the machine was late, what was missed is
// made up for.
func callAtRate(rate float64, do func(n int)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		begin := time.Now()
		timer := time.NewTimer(0)
		defer timer.Stop()
		for n := 0; ; n++ {
			timer.Reset(time.Until(begin.Add(time.Duration(float64(n) / rate * float64(time.Second)))))
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
				do(n)
			}
		}
	})
	return func() { cancel(); done.Wait() }
}
