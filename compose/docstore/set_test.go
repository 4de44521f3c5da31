package docstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// setName is the name of the sets of the tests.
const setName = "rs0"

// testElection is shorter than the default, so that tests do not take long.
const testElection = 300 * time.Millisecond

// failover is within what time there has to be another primary.
const failover = 15 * time.Second

// replicaSet are members in this process.
type replicaSet struct {
	t       testing.TB
	addrs   []string
	stops   map[string]func() error
	dirs    map[string]string
	cut     *cuts
	every   uint64
	directs map[string]*mongo.Client
}

func newReplicaSet(t testing.TB, n int) *replicaSet {
	return newReplicaSetWith(t, n, 0)
}

// newReplicaSetWith has a snapshot made after so many writes; 0: after the usual number.
func newReplicaSetWith(t testing.TB, n int, every uint64) *replicaSet {
	t.Helper()
	s := emptySet(t)
	s.every = every
	for range n {
		s.addrs = append(s.addrs, s.launch("127.0.0.1:0", t.TempDir()))
	}
	answer, err := s.direct(s.addrs[0]).Database("admin").RunCommand(t.Context(), bson.D{{Key: "replSetInitiate", Value: configOf(s.addrs...)}}).Raw()
	if err != nil {
		t.Fatalf("initiate: %v, %v", answer, err)
	}
	return s
}

func emptySet(t testing.TB) *replicaSet {
	s := &replicaSet{t: t, stops: map[string]func() error{}, dirs: map[string]string{}, cut: newCuts(), directs: map[string]*mongo.Client{}}
	t.Cleanup(s.stopAll)
	return s
}

func configOf(addrs ...string) bson.D {
	members := bson.A{}
	for i, a := range addrs {
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: a}})
	}
	return bson.D{{Key: "_id", Value: setName}, {Key: "members", Value: members}}
}

// launch starts a member and returns its address.
func (s *replicaSet) launch(listen, dir string) string {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	me := &cutter{cuts: s.cut}
	c := Config{Dir: dir, Listen: listen, ReplicaSet: setName, Election: testElection, SnapshotEvery: s.every,
		Ready: func(a net.Addr) { me.set(a.String()); ready <- a }, dialPeer: me.dial}
	go func() { ended <- Run(ctx, c) }()
	select {
	case a := <-ready:
		s.dirs[a.String()] = dir
		s.stops[a.String()] = func() error { cancel(); return <-ended }
		return a.String()
	case err := <-ended:
		cancel()
		s.t.Fatalf("the member did not start: %v", err)
		return ""
	}
}

func (s *replicaSet) stop(addr string) {
	s.t.Helper()
	stop := s.stops[addr]
	delete(s.stops, addr)
	if err := stop(); err != nil {
		s.t.Errorf("%s ended with: %v", addr, err)
	}
}

func (s *replicaSet) stopAll() {
	for addr := range s.stops {
		s.stop(addr)
	}
}

func (s *replicaSet) uri() string {
	return "mongodb://" + strings.Join(s.addrs, ",") + "/?replicaSet=" + setName
}

// client is one that knows the set.
func (s *replicaSet) client(o ...*options.ClientOptions) *mongo.Client {
	s.t.Helper()
	return connectTo(s.t, s.uri(), o...)
}

// direct is a client of one member alone.
func (s *replicaSet) direct(addr string) *mongo.Client {
	s.t.Helper()
	if s.directs[addr] == nil {
		s.directs[addr] = connectTo(s.t, "mongodb://"+addr+"/?directConnection=true")
	}
	return s.directs[addr]
}

func connectTo(t testing.TB, uri string, o ...*options.ClientOptions) *mongo.Client {
	t.Helper()
	base := options.Client().ApplyURI(uri).SetServerSelectionTimeout(failover)
	client, err := mongo.Connect(append([]*options.ClientOptions{base}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// It would say good-bye to a member that is gone, and wait for it.
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = client.Disconnect(ctx)
	})
	return client
}

type helloAnswer struct {
	IsWritablePrimary, Secondary bool
	Primary, Me, SetName         string
	Hosts                        []string
	ElectionID                   bson.ObjectID `bson:"electionId"`
	TopologyVersion              bson.Raw      `bson:"topologyVersion"`
}

func (s *replicaSet) hello(addr string) (h helloAnswer) {
	s.t.Helper()
	if err := s.direct(addr).Database("admin").RunCommand(s.t.Context(), bson.D{{Key: "hello", Value: 1}}).Decode(&h); err != nil {
		s.t.Fatalf("hello to %s: %v", addr, err)
	}
	return h
}

// primary waits until one of the members says that it is the primary, other than those named.
func (s *replicaSet) primary(but ...string) string {
	s.t.Helper()
	for deadline := time.Now().Add(failover); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, addr := range s.addrs {
			if s.stops[addr] != nil && !strings.Contains(strings.Join(but, " "), addr) && s.hello(addr).IsWritablePrimary {
				return addr
			}
		}
	}
	s.t.Fatalf("there is no primary in %v", failover)
	return ""
}

func (s *replicaSet) secondary() string {
	s.t.Helper()
	for deadline := time.Now().Add(failover); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, addr := range s.addrs {
			if s.stops[addr] != nil && s.hello(addr).Secondary {
				return addr
			}
		}
	}
	s.t.Fatalf("there is no secondary in %v", failover)
	return ""
}

func increment(ctx context.Context, c *mongo.Collection, word string) error {
	_, err := c.UpdateOne(ctx, bson.D{{Key: "name", Value: word}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
	return err
}

func countOf(t testing.TB, c *mongo.Collection, word string) int {
	t.Helper()
	var d struct{ Count int }
	if err := c.FindOne(t.Context(), bson.D{{Key: "name", Value: word}}).Decode(&d); err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		t.Fatalf("read %s: %v", word, err)
	}
	return d.Count
}

// The members elect one, which takes writes; the others have them too, and say who it is.
func TestASetIsOneDatabase(t *testing.T) {
	s := newReplicaSet(t, 3)
	c := s.client().Database("test").Collection("words")
	for i := range 20 {
		if err := increment(t.Context(), c, fmt.Sprint(i%2)); err != nil {
			t.Fatal(err)
		}
	}
	if n := countOf(t, c, "0"); n != 10 {
		t.Errorf("0 counts %d, want 10", n)
	}
	primary := s.primary()
	h := s.hello(primary)
	if h.SetName != setName || h.Me != primary || h.Primary != primary || len(h.Hosts) != 3 || h.ElectionID.IsZero() || h.TopologyVersion == nil {
		t.Errorf("the primary says %+v", h)
	}
	other := s.secondary()
	if h := s.hello(other); h.Primary != primary || h.IsWritablePrimary || h.Me != other {
		t.Errorf("a secondary says %+v", h)
	}
	// A secondary reads for whoever asks for that, and takes no write.
	direct := s.direct(other).Database("test").Collection("words")
	for deadline := time.Now().Add(failover); countOf(t, direct, "0") != 10; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the secondary counts %d, want 10", countOf(t, direct, "0"))
		}
	}
	wantCode(t, increment(t.Context(), direct, "0"), codeNotWritablePrimary, "not primary")
	_, err := s.direct(other).Database("test").RunCommand(t.Context(), bson.D{{Key: "count", Value: "words"}}, options.RunCmd()).Raw()
	if err != nil {
		t.Errorf("a direct connection says that it takes what a secondary has: %v", err)
	}
}
