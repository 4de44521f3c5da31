package run

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"throughline/compose"
	"throughline/compose/imds"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// What the cloud is, for all instances alike.
const (
	cloudRegion = "eu-central-1"
	cloudType   = "t3.small"
)

// metadataVariable is where Amazon's SDKs look for the address of the metadata service.
const metadataVariable = "AWS_EC2_METADATA_SERVICE_ENDPOINT"

// cloud is what a stack in a cloud has besides: who each web instance is there, and the
// metadata service that tells it. It is safe for concurrent use. Its nil is of a stack that
// is in no cloud: it knows nobody.
type cloud struct {
	cfg     Config
	journal *journal

	mu      sync.Mutex
	servers map[string]*imds.Server // by instance
	heard   map[heard]bool
}

// heard is something that is journalled the first time only.
type heard struct {
	instance string
	kind     record.Kind
	about    imds.Topic
}

// newCloud is nil where the scenario has none.
func newCloud(c Config, journal *journal) *cloud {
	if !c.Scenario.Stack.Cloud {
		return nil
	}
	return &cloud{cfg: c, journal: journal, servers: map[string]*imds.Server{}, heard: map[heard]bool{}}
}

// tell puts into what web instance number of a version is told where it learns who it is.
func (c *cloud) tell(i *compose.Instance, web script.Web, number int) error {
	if c == nil {
		return nil
	}
	who := c.identity(i.Name, web, number)
	config := imds.Config{
		Identity: who, Now: time.Now, Token: crand.Text,
		Answered: func(about imds.Topic, told bool) { c.hear(i.Name, about, told) },
	}
	server, err := imds.Listen(c.cfg.Platform.Home(), config)
	if err != nil {
		return fmt.Errorf("%s: %w", i.Name, err)
	}
	c.mu.Lock()
	c.servers[i.Name] = server
	c.mu.Unlock()
	i.Env[metadataVariable] = server.URL()
	return nil
}

// place tells the metadata service of an instance the address that it has of its own: other instances reach the service too.
func (c *cloud) place(name string, at netip.Addr) {
	if server := c.server(name); server != nil {
		server.Place(at)
	}
}

// identity is who an instance is, before it has an address of its own. The same run has the same ids again.
func (c *cloud) identity(name string, web script.Web, number int) imds.Identity {
	tags := map[string]string{"Name": name, "role": web.RoleName()}
	if web.Version != "" {
		tags[record.LabelVersion] = web.Version
	}
	drawn := rand.New(rand.NewPCG(c.cfg.Run.Seed, stream(web.Role, number)))
	return imds.Identity{
		ID: fmt.Sprintf("i-0%016x", drawn.Uint64()), Type: cloudType, Region: cloudRegion, Zone: cloudRegion + zoneOf(number),
		Addr: netip.MustParseAddr("127.0.0.1"), Launched: time.Now(), Tags: tags,
	}
}

// stream is from where the id of a role's instance is drawn: for each from elsewhere. The first role is "".
func stream(role string, number int) uint64 {
	if role == "" {
		return uint64(number)
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(script.InstanceName(role, number))) // it never fails
	return hash.Sum64()
}

// of is who an instance is in the cloud, for its birth; nil: it is in none.
func (c *cloud) of(name string) *record.Cloud {
	server := c.server(name)
	if server == nil {
		return nil
	}
	who := server.Identity()
	return &record.Cloud{ID: who.ID, Type: who.Type, Zone: who.Zone, Launched: who.Launched, Tags: who.Tags, Monitoring: c.cfg.monitoring()}
}

func (c *cloud) server(name string) *imds.Server {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.servers[name]
}

// hear journals what an instance asks, and is told, for the first time.
func (c *cloud) hear(name string, about imds.Topic, told bool) {
	c.once(heard{name, record.Asked, about})
	if told {
		c.once(heard{name, record.Told, about})
	}
}

func (c *cloud) once(h heard) {
	c.mu.Lock()
	before := c.heard[h]
	c.heard[h] = true
	c.mu.Unlock()
	if !before {
		c.journal.event(record.Event{Kind: h.kind, Instance: h.instance, Role: roleOf(h.instance), About: abouts[h.about]})
	}
}

// abouts are the words that the record has for topics.
var abouts = map[imds.Topic]string{
	imds.AboutTags: record.AboutTags, imds.AboutNotice: record.AboutNotice, imds.AboutIdentity: record.AboutIdentity,
}

// notice has an instance told that it will be ended, and journals it once the service was seen to serve it.
func (c *cloud) notice(ctx context.Context, name string, within time.Duration) (deadline time.Time, err error) {
	server := c.server(name)
	if server == nil {
		return time.Time{}, fmt.Errorf("%s: no metadata service gives it notice; want stack: {cloud: yes}", name)
	}
	given := time.Now()
	deadline = given.Add(within)
	if err := server.Interrupt(ctx, imds.Notice{Given: given, Deadline: deadline}); err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", name, err)
	}
	c.journal.event(record.Event{At: c.journal.offset(given), Kind: record.Noticed, Instance: name, Role: roleOf(name), Deadline: c.journal.offset(deadline)})
	return deadline, nil
}

// leave has an instance told that the autoscaler ends it; of one that is in no cloud nobody is told.
func (c *cloud) leave(name string) {
	if server := c.server(name); server != nil {
		server.Leave()
	}
}

// retire ends the service of an instance that is gone.
func (c *cloud) retire(name string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	server := c.servers[name]
	delete(c.servers, name)
	c.mu.Unlock()
	if server == nil {
		return
	}
	if err := server.Close(); err != nil {
		c.journal.note("metadata service of "+name, 0, err.Error())
	}
}

// close ends the services that are left.
func (c *cloud) close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	var names []string
	for name := range c.servers {
		names = append(names, name)
	}
	c.mu.Unlock()
	for _, name := range names {
		c.retire(name)
	}
}
