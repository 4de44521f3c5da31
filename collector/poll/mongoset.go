package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"throughline/collector"
)

// MongoMember is one member of a replica set.
type MongoMember struct {
	Name string // the instance that it is
	URI  string // of it alone
}

// MongoSet makes the samples of [Mongo] of each member of a replica set, with the label instance, and besides
//
//	mongodb_opcounters_repl_total{type="insert"|"update"|"delete"}
//	mongodb_rolled_back_total
//
// which a member has carried out after another one, and, of docstore, which it had acknowledged and had to take back. A member that is gone while it is asked is left out; its counters end.
type MongoSet struct {
	members func() []MongoMember

	mu      sync.Mutex
	clients map[string]*Mongo
}

// NewMongoSet returns a poller of those that members lists at each poll.
func NewMongoSet(members func() []MongoMember) *MongoSet {
	return &MongoSet{members: members, clients: map[string]*Mongo{}}
}

// client is that of a member, which is made when it is first asked.
func (s *MongoSet) client(m MongoMember) (*Mongo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[m.Name] == nil {
		c, err := NewMongo(m.URI)
		if err != nil {
			return nil, err
		}
		c.fields = slices.Concat(mongoFields, memberFields)
		s.clients[m.Name] = c
	}
	return s.clients[m.Name], nil
}

// Poll implements collector.Poller.
func (s *MongoSet) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	members := s.members()
	samples, errs := make([][]collector.Sample, len(members)), make([]error, len(members))
	var wait sync.WaitGroup
	for i, m := range members {
		wait.Go(func() {
			client, err := s.client(m)
			if err == nil {
				samples[i], err = client.Poll(ctx, at)
			}
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", m.Name, err)
			}
			for k := range samples[i] {
				samples[i][k].Labels = samples[i][k].Labels.With("instance", m.Name)
			}
		})
	}
	wait.Wait()
	still := s.members()
	for i, m := range members {
		if !slices.Contains(still, m) {
			samples[i], errs[i] = nil, nil
		}
	}
	return slices.Concat(samples...), errors.Join(errs...)
}

// Close ends the connections.
func (s *MongoSet) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, c := range s.clients {
		errs = append(errs, c.Close(ctx))
	}
	return errors.Join(errs...)
}
