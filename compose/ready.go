package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// DefaultReadyWithin is how long an instance may take to become ready when its
// Probe does not say.
const DefaultReadyWithin = 10 * time.Second

const (
	probeEvery   = 10 * time.Millisecond // short, because start-up time is what a user waits for
	probeTimeout = 2 * time.Second       // for one attempt, so that one lost answer does not use up Within
)

// Await asks until the address is ready, or gives the reason why it is not:
// Within has passed, or ctx ended (a platform ends it with the cause when the
// instance died).
func (p Probe) Await(ctx context.Context, addr string) error {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p.AwaitThat(ctx, func(ctx context.Context) error { return p.once(ctx, client, addr) })
}

// AwaitThat is Await of anything else: it asks once again until that is satisfied.
func (p Probe) AwaitThat(ctx context.Context, once func(context.Context) error) error {
	within := p.Within
	if within == 0 {
		within = DefaultReadyWithin
	}
	end := time.Now().Add(within)
	deadline, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var last error // the last answer; an attempt that the end of the time cut off says less
	for {
		err := once(deadline)
		if err == nil {
			return nil
		}
		if last == nil || time.Now().Before(end) {
			last = err
		}
		select {
		case <-tick.C:
		case <-deadline.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("not ready within %v: %w", within, last)
		}
	}
}

func (p Probe) once(ctx context.Context, client *http.Client, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if p.Path == "" {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+p.Path, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("GET %s answered %s", p.Path, res.Status)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("GET %s: %w", p.Path, err)
	}
	return nil
}

// Healthy asks a URL once, whether whoever serves it can serve: it answers 2xx within
// 2 s. The error is the reason why not.
func Healthy(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}
