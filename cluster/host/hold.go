//go:build linux

package host

import (
	"fmt"
	"io"
	"os/signal"
	"syscall"
)

// Hold brings the cluster up as Up does, writes the path of its kubeconfig to a line of out, and returns when in ends: with
// whoever started this process, however that ended. With its last holder, a cluster that a holder brought up goes down; one
// that somebody brought up to stay, stays. So tests in several processes share one.
func (c *Cluster) Hold(nodes int, in io.Reader, out io.Writer) error {
	// What a terminal sends ends those who hold; this process cleans up behind them.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	release, err := c.take(nodes)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, c.Kubeconfig()); err == nil {
		_, _ = io.Copy(io.Discard, in) // its end is all that it says
	}
	return release()
}

// take makes sure of the cluster and notes that it is held.
func (c *Cluster) take(nodes int) (release func() error, err error) {
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := c.ensure(nodes); err != nil {
		return nil, err
	}
	held, err := flock(c.holders(), syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return func() error {
		unlock, err := c.lock()
		if err != nil {
			return err
		}
		defer unlock()
		held.Close()
		s, err := c.state()
		if err != nil || !s.Held || c.isHeld() {
			return nil // it is down already, meant to stay, or somebody else's as well
		}
		return c.remove()
	}, nil
}

// isHeld says whether there is a holder. Whoever has the lock knows that none comes meanwhile.
func (c *Cluster) isHeld() bool {
	f, err := flock(c.holders(), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return true
	}
	f.Close()
	return false
}

// holders is the lock that all holders share.
func (c *Cluster) holders() string { return c.Name() + ".holders" }
