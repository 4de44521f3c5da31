package run

import (
	"context"
	"errors"
)

// Addresses are where the parts of a stack are reached.
type Addresses struct {
	Users    string // URL of the load balancer
	Runtime  string // host:port of HAProxy's runtime socket
	Database string // mongodb://…; empty: there is none
	Metrics  string // URL of the collector's HTTP API; empty: it is off
	Web      []WebAddress
}

// WebAddress is where one web instance is reached without the load balancer.
type WebAddress struct{ Name, Addr string }

// Up brings the stack of the scenario up, tells where it is, and leaves it
// until ctx ends. No load, no steps, no verdict.
func Up(ctx context.Context, c Config, ready func(Addresses)) (err error) {
	journal, err := newJournal(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.record.Close()) }()
	s, err := newTestbed(ctx, c, journal)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	if err := s.up(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	ready(s.addresses())
	<-ctx.Done()
	return nil
}

func (s *testbed) addresses() Addresses {
	at := Addresses{Users: s.balancer.frontend(), Runtime: s.balancer.runtime, Database: s.database.at}
	if s.cfg.Dashboard != "" {
		at.Metrics = "http://" + s.telemetry.collector().Addr()
	}
	serving, _ := s.lives.find() // an error is of who was asked for by name
	for _, h := range serving {
		at.Web = append(at.Web, WebAddress{h.Name(), h.Addr("http")})
	}
	return at
}
