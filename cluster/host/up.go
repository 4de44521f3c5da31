//go:build linux

package host

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"throughline/cluster/node"
	"throughline/cluster/pki"
	"throughline/cluster/plan"
)

// Up brings the cluster up with a number of nodes, all of them Ready, or leaves it as it is where it is up so already.
// What a killed one has left is removed first, and what fails leaves nothing but its logs.
func (c *Cluster) Up(nodes int) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	s, err := c.ensure(nodes)
	if err != nil || !s.Held {
		return err
	}
	s.Held = false // whoever calls this wants it to stay
	return c.save(s)
}

// ensure is Up for whoever has the lock. The cluster that it brings up is held.
func (c *Cluster) ensure(nodes int) (state, error) {
	if err := c.check(); err != nil {
		return state{}, err
	}
	if s, err := c.state(); err == nil {
		problem := c.repair(s, nodes)
		if problem == nil {
			c.say("%s is up already", c.Name())
			return s, nil
		}
		if c.isHeld() {
			return state{}, fmt.Errorf("cluster %d: %w, and somebody holds it: choose another --index, or take it down", c.Index, problem)
		}
		c.say("taking down what there is of %s: %v", c.Name(), problem)
	}
	if err := c.remove(); err != nil {
		return state{}, err
	}
	p, err := plan.New(c.Index, nodes)
	if err != nil {
		return state{}, err
	}
	c.Cluster = p
	s := state{Nodes: nodes, Held: true}
	if err := c.bringUp(s); err != nil {
		return state{}, errors.Join(fmt.Errorf("cluster %d: %w", c.Index, err), c.end())
	}
	return s, nil
}

// complete says what a cluster that there is something of lacks to be up with at least so many nodes.
func (c *Cluster) complete(s state, nodes int) error {
	if s.Nodes < nodes {
		return fmt.Errorf("it has %d nodes, %d are wanted", s.Nodes, nodes)
	}
	api, err := c.api()
	if err != nil {
		return err
	}
	ready, err := api.ready()
	if err == nil && len(ready) < s.Nodes {
		err = fmt.Errorf("of its %d nodes, %v are Ready", s.Nodes, ready)
	}
	return err
}

// repair starts what was killed in a cluster whose control plane answers, and says what else it lacks.
func (c *Cluster) repair(s state, nodes int) error {
	problem := c.complete(s, nodes)
	if problem == nil || s.Nodes < nodes {
		return problem
	}
	api, err := c.api()
	if err != nil {
		return err
	}
	if err := api.get("/readyz", nil); err != nil {
		return err
	}
	c.say("starting what was killed: %v", problem)
	for _, n := range c.All() {
		if id := c.process(n); id == 0 {
			err = errors.Join(err, c.startNode(n))
		} else {
			err = errors.Join(err, syscall.Kill(id, node.Start))
		}
	}
	if err := errors.Join(err, c.routeServices()); err != nil {
		return err
	}
	return until(func() error { return c.complete(s, nodes) })
}

func (c *Cluster) bringUp(s state) error {
	if err := c.free(); err != nil {
		return err
	}
	if err := c.begin(s); err != nil {
		return err
	}
	if err := pki.Write(c.at("pki"), c.Cluster, time.Now()); err != nil {
		return err
	}
	if err := c.cable(); err != nil {
		return err
	}
	c.say("control plane")
	if err := c.startControl(); err != nil {
		return err
	}
	c.say("%d nodes", c.Nodes)
	var starting sync.WaitGroup
	errs := make([]error, c.Nodes)
	for i, n := range c.All() {
		starting.Go(func() { errs[i] = c.startNode(n) })
	}
	starting.Wait()
	if err := errors.Join(append(errs, c.routeServices())...); err != nil {
		return err
	}
	if err := until(func() error { return c.complete(s, c.Nodes) }); err != nil {
		return fmt.Errorf("%w; the logs are in %s and %s", err, c.at("log"), c.at("node1/var/log"))
	}
	c.say("%s is up: export KUBECONFIG=%s", c.Name(), c.Kubeconfig())
	return nil
}

// begin makes the cluster's folder, by which others see that it is there, after the machine's settings have been noted.
func (c *Cluster) begin(s state) error {
	unlock, err := lockMachine()
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.MkdirAll(c.at("log"), 0o700); err != nil {
		return err
	}
	return errors.Join(machine().note(), c.save(s))
}
