package fault

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// HTTPD is the Apache HTTP server before an instance.
type HTTPD interface {
	// Reload has it begin anew with its configuration, and returns when it has.
	Reload(ctx context.Context) error
	// Crash ends its processes without warning, and returns when it was started again.
	Crash(ctx context.Context) error
	// Limit lets it work on at most so many requests at a time, 0 on as many as before; it returns when that holds.
	Limit(ctx context.Context, workers int) error
}

// AtHTTPD does something to Apache HTTP servers that is over at once.
type AtHTTPD struct {
	Servers func() (map[string]HTTPD, error) // by the instance that they stand before
	Do      func(HTTPD, context.Context) error
}

// Possible is nil: the servers are there, with what starts them again.
func (AtHTTPD) Possible() error { return nil }

// Inject returns when it has been done to all.
func (a AtHTTPD) Inject(ctx context.Context) (Heal, error) {
	touched, err := a.all(ctx, a.Do)
	return func(context.Context) (Touched, error) { return touched, nil }, err
}

func (a AtHTTPD) all(ctx context.Context, do func(HTTPD, context.Context) error) (Touched, error) {
	servers, err := a.Servers()
	if err != nil {
		return nil, err
	}
	touched := Touched{}
	group, doing := errgroup.WithContext(ctx)
	for name, server := range servers {
		touched[name] = 1
		group.Go(func() error { return do(server, doing) })
	}
	return touched, group.Wait()
}

// LimitHTTPD limits how many requests Apache HTTP servers work on at a time.
type LimitHTTPD struct {
	Servers func() (map[string]HTTPD, error) // by the instance that they stand before
	Workers int
}

// Possible is nil: the servers are there.
func (LimitHTTPD) Possible() error { return nil }

// Inject returns when the limit holds.
func (l LimitHTTPD) Inject(ctx context.Context) (Heal, error) {
	at := AtHTTPD{Servers: l.Servers}
	limit := func(workers int) func(HTTPD, context.Context) error {
		return func(s HTTPD, ctx context.Context) error { return s.Limit(ctx, workers) }
	}
	touched, err := at.all(ctx, limit(l.Workers))
	if err != nil {
		_, lifted := at.all(context.WithoutCancel(ctx), limit(0))
		return nil, errors.Join(err, lifted)
	}
	// Who has come since is not limited, and does not mind; who has gone is not there.
	return func(ctx context.Context) (Touched, error) {
		_, err := at.all(ctx, limit(0))
		return touched, err
	}, nil
}
