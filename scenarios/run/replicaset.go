package run

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/collector/poll"
	"throughline/compose"
	"throughline/compose/mongoset"
	"throughline/scenarios/fault"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const (
	// setName is the name of the run's replica set.
	setName = "throughline"
	// election is for how long members hear nothing of a primary until there is an election. Another
	// one then takes writes after about twice as long, for which the reference app's requests wait.
	election = 700 * time.Millisecond
	// mongodElection is that of a mongod, whose members ask each other every two seconds.
	mongodElection = 3 * time.Second
)

// replicaSet are the members of the run's database: who is in it, and what is done to
// them. It is safe for concurrent use.
type replicaSet struct {
	cfg     Config
	journal *journal
	lives   *lives
	peers   *fault.Peers // the ways between them; nil: there is nothing on them
	wanted  int          // how many there are at the start

	mu      sync.Mutex
	last    int               // the highest number of a member
	members map[string]bool   // in the set, by name: whether it is alive, as far as is known
	addrs   map[string]string // under which it is in the set, and everybody reaches it
}

func newReplicaSet(c Config, journal *journal, in *lives, peers *fault.Peers) *replicaSet {
	return &replicaSet{cfg: c, journal: journal, lives: in, peers: peers, wanted: c.Scenario.Stack.Members, members: map[string]bool{}, addrs: map[string]string{}}
}

// start starts the members and makes a set of them. It returns when that takes writes.
func (s *replicaSet) start(ctx context.Context) error {
	group, starting := errgroup.WithContext(ctx)
	for range s.wanted {
		name := s.number()
		group.Go(func() error { return s.startOne(starting, name) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	// They elect whom they like, but whoever makes the set stands for it at once.
	if err := mongoset.Initiate(ctx, setName, s.living(), mongodElection); err != nil {
		return err
	}
	if _, err := s.awaitPrimary(ctx, ""); err != nil {
		return err
	}
	for _, name := range s.names() {
		if err := s.join(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *replicaSet) number() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return record.AllTiers().Of(record.LayerDB).Name(s.last)
}

func (s *replicaSet) startOne(ctx context.Context, name string) error {
	proxy := ""
	if s.peers != nil {
		var err error
		if proxy, err = s.peers.Open(name); err != nil {
			return err
		}
	}
	one, err := s.lives.start(ctx, s.cfg.memberInstance(name, proxy), record.Database, "")
	if err != nil {
		return err
	}
	addr, err := byAddress(one.Handle, "mongo")
	if err != nil {
		return err
	}
	if s.peers != nil {
		s.peers.Known(name, addr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members[name], s.addrs[name] = true, addr
	return nil
}

// join waits until a member follows the primary, and says so.
func (s *replicaSet) join(ctx context.Context, name string) error {
	if err := mongoset.AwaitMember(ctx, s.addrOf(name)); err != nil {
		return err
	}
	s.journal.event(record.Event{Kind: record.Serving, Instance: name, Role: record.Database})
	return nil
}

// awaitPrimary waits for a primary other than one that was, and says who it is.
func (s *replicaSet) awaitPrimary(ctx context.Context, old string) (string, error) {
	addr, err := mongoset.Primary(ctx, s.living(), s.addrOf(old))
	if err != nil {
		return "", err
	}
	name := s.nameOf(addr)
	s.journal.event(record.Event{Kind: record.Elected, Instance: name, Role: record.Database})
	return name, nil
}

// primary is who takes the writes now.
func (s *replicaSet) primary(ctx context.Context) (string, error) {
	addr, err := mongoset.Primary(ctx, s.living())
	return s.nameOf(addr), err
}

// kill ends the primary without warning, and waits until there is another one. It gives the name of the one that it killed.
func (s *replicaSet) kill(ctx context.Context) (name string, err error) {
	err = s.lives.makeMove(ctx, func(ctx context.Context) error {
		if name, err = s.primary(ctx); err != nil {
			return err
		}
		one, err := s.lives.condemnMember(name)
		if err != nil {
			return err
		}
		s.gone(name)
		s.journal.event(record.Event{Kind: record.Signalled, Instance: name, Role: record.Database, Signal: compose.Kill.String()})
		if err := one.Signal(ctx, compose.Kill); err != nil {
			return err
		}
		// A container is gone when its engine has removed it, which may be after the others have elected one of them.
		both, waiting := errgroup.WithContext(ctx)
		both.Go(func() error { return awaitSilence(waiting, one) })
		both.Go(func() error { _, err := s.awaitPrimary(waiting, name); return err })
		return both.Wait()
	})
	return name, err
}

// awaitSilence waits until a member is gone, and sees that nothing answers where it was.
func awaitSilence(ctx context.Context, one *life) error {
	if err := awaitDeath(ctx, one); err != nil {
		return err
	}
	if conn, err := net.DialTimeout("tcp", one.Addr("mongo"), time.Second); err == nil {
		conn.Close()
		return fmt.Errorf("%s is gone, but something still answers at %s", one.Name(), one.Addr("mongo"))
	}
	return nil
}

// stepDown has the primary hand its part over, and waits until there is another one. It gives the name of the one that did.
func (s *replicaSet) stepDown(ctx context.Context) (name string, err error) {
	err = s.lives.makeMove(ctx, func(ctx context.Context) error {
		if name, err = s.primary(ctx); err != nil {
			return err
		}
		if err := mongoset.StepDown(ctx, s.addrOf(name)); err != nil {
			return err
		}
		_, err := s.awaitPrimary(ctx, name)
		return err
	})
	return name, err
}

// launch starts another member, puts it into the set in the place of those that are gone,
// and waits until it follows the primary.
func (s *replicaSet) launch(ctx context.Context) error {
	return s.lives.makeMove(ctx, func(ctx context.Context) error {
		var dead []string
		s.mu.Lock()
		for name, alive := range s.members {
			if !alive {
				dead = append(dead, name)
			}
		}
		s.mu.Unlock()
		slices.SortFunc(dead, record.CompareNames)
		name := s.number()
		if err := s.startOne(ctx, name); err != nil {
			return err
		}
		primary, err := mongoset.Primary(ctx, s.living())
		if err != nil {
			return err
		}
		var gone []string
		for _, d := range dead {
			gone = append(gone, s.addrOf(d))
		}
		if err := mongoset.Replace(ctx, primary, gone, []string{s.addrOf(name)}); err != nil {
			return err
		}
		s.mu.Lock()
		for _, d := range dead {
			delete(s.members, d)
		}
		s.mu.Unlock()
		return s.join(ctx, name)
	})
}

// gone notes that a member is not in the set any more, or will not be.
func (s *replicaSet) gone(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members[name] = false
}

// names are those of the members that are alive.
func (s *replicaSet) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, alive := range s.members {
		if alive {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, record.CompareNames)
	return names
}

// count is how many are in the set, and how many of these are dead.
func (s *replicaSet) count() (all, dead int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, alive := range s.members {
		if all++; !alive {
			dead++
		}
	}
	return all, dead
}

// living are their addresses.
func (s *replicaSet) living() []string {
	var addrs []string
	for _, name := range s.names() {
		addrs = append(addrs, s.addrOf(name))
	}
	return addrs
}

func (s *replicaSet) addrOf(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrs[name]
}

func (s *replicaSet) nameOf(addr string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, a := range s.addrs {
		if a == addr {
			return name
		}
	}
	return ""
}

// polled are the members as a poller asks them.
func (s *replicaSet) polled() []poll.MongoMember {
	var out []poll.MongoMember
	for _, name := range s.names() {
		out = append(out, poll.MongoMember{Name: name, URI: mongoURI(s.addrOf(name))})
	}
	return out
}

// The steps on members.

func (c *clock) killPrimary(within bounded) error {
	return within(func(ctx context.Context) (err error) { c.whom, err = c.members.kill(ctx); return err })
}

func (c *clock) stepDown(_ script.StepDown, within bounded) error {
	return within(func(ctx context.Context) (err error) { c.whom, err = c.members.stepDown(ctx); return err })
}
