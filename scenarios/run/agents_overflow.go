package run

import (
	"fmt"
	"sync"
	"time"

	"throughline/compose"
	"throughline/scenarios/record"
)

// aboutAgent is what a Trouble with datagrams concerns that an agent did not read in time. scenarios/check knows the word.
const aboutAgent = "agent"

// dropsEvery is how often the kernel is asked what it dropped before an agent.
const dropsEvery = time.Second

// overflow is the datagrams that the kernel dropped before one agent, because it read too slowly: they are no loss at its end. It is
// safe for concurrent use; a nil one sees nothing.
type overflow struct {
	agents *agents
	of     compose.Dropper
	agent  string
	serves string // whose datagrams they are

	mu   sync.Mutex
	told int64 // how many the journal has
	bad  bool  // and that nobody could be asked
}

// watch looks until the agent is gone.
func (d *overflow) watch(gone <-chan struct{}) {
	tick := time.NewTicker(dropsEvery)
	defer tick.Stop()
	for {
		select {
		case <-gone:
			return
		case <-tick.C:
			d.look()
		}
	}
}

// look journals what has been dropped since it looked last.
func (d *overflow) look() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.of.Dropped(statsdName)
	trouble := record.Event{Kind: record.Trouble, About: aboutAgent, Instance: d.serves, Role: record.Web}
	switch {
	case err != nil && !d.bad:
		d.bad = true
		trouble.Error = fmt.Sprintf("what the kernel dropped before %s cannot be known: %v", d.agent, err)
	case err == nil && n > d.told:
		trouble.Count, d.told = n-d.told, n
		trouble.Error = fmt.Sprintf("%s read too slowly, and the kernel dropped %s before it", d.agent, plural(trouble.Count, "datagram"))
	default:
		return
	}
	d.agents.lives.tell(trouble)
}
