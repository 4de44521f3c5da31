package run

import (
	"context"

	"throughline/compose/mongoset"
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

// Up brings the stack of the scenario up, tells where it is, and leaves it to c.Hand until
// that, or ctx, ends it. The steps of the scenario are not done.
//
// With a load the record is one that can be judged, as Run's: what was done by hand is the
// scenario in it. When ctx ends before the hand has, the run is called off.
func Up(ctx context.Context, c Config, load bool, ready func(Addresses)) error {
	return c.withStack(ctx, func(s *testbed) error {
		if !load {
			ready(s.addresses())
			c.Hand.on(ctx, s, s.clock())
			return nil
		}
		return s.underLoad(ctx, func(k *clock) {
			ready(s.addresses())
			s.improvised(c.Hand.on(ctx, s, k))
		})
	})
}

func (s *testbed) addresses() Addresses {
	at := Addresses{Users: s.balancer.frontend(), Runtime: s.balancer.runtime, Database: s.database.at}
	if living := s.database.members.living(); len(living) > 0 {
		at.Database = mongoset.URI(setName, living)
	}
	if s.cfg.Dashboard != "" {
		at.Metrics = "http://" + s.telemetry.collector().Addr()
	}
	serving, _ := s.lives.find() // an error is of who was asked for by name
	for _, h := range serving {
		at.Web = append(at.Web, WebAddress{h.Name(), h.Addr("http")})
	}
	return at
}
