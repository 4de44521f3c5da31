package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"throughline/scenarios/script"
)

// firstVersion is what the instances of a role are before anything is deployed. Who makes
// moves by hand may deploy, so that the instances of a stack in a hand have a version.
func (c Config) firstVersion(web script.Web) script.Web {
	if c.Hand != nil {
		web.Version = cmp.Or(web.Version, script.DefaultVersion)
	}
	return web
}

// deployed tells which versions there are.
func (f *fleet) deployed() script.Versions {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.versions.Clone()
}

// add makes a version known. From then on it is what is launched, unless it is a
// canary.
func (f *fleet) add(web script.Web, canary bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.versions.Add(web)
	if !canary {
		f.versions.Past = append(f.versions.Past, web.Version)
	}
}

// next is the oldest instance that serves and is not of a version; "" when there is
// none, and none is coming either: that is waited for.
func (f *fleet) next(ctx context.Context, version string) (string, error) {
	for {
		f.mu.Lock()
		of, settled, coming := f.versions.Clone().Of, f.settled, ""
		for name, v := range f.coming {
			if v != version {
				coming = name
			}
		}
		f.mu.Unlock()
		for _, name := range f.serving() { // after the look at who is coming: who was, serves or is gone
			if of[name] != version {
				return name, nil
			}
		}
		if coming == "" {
			return "", nil
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the launch of %s: %w", coming, ctx.Err())
		}
	}
}

func (c *clock) deploy(m script.Deploy, within bounded) error {
	c.fleet.add(m.Web, m.Canary > 0)
	c.journal.record.Hide(script.Mask, append(c.scenario.Secrets(), script.SecretsOf(c.fleet.deployed().Known)...)...)
	return c.roll(m.Web.Version, m.Canary, within)
}

func (c *clock) rollback(m script.Rollback, within bounded) error {
	web, known := c.fleet.deployed().Find(m.Version)
	if !known {
		return errors.New("no such version was deployed")
	}
	c.fleet.add(web, false)
	return c.roll(m.Version, 0, within)
}

// roll replaces instances by those of a version, one after the other: so many, or, with
// 0, until all are of it. Who is ended by an actor meanwhile is done.
func (c *clock) roll(version string, most int, within bounded) error {
	for n := 0; most == 0 || n < most; n++ {
		var old string
		err := within(func(ctx context.Context) (err error) {
			old, err = c.fleet.next(ctx, version)
			return err
		})
		if err != nil || old == "" {
			return err
		}
		if err := c.supersede(old, version, within); err != nil && !endedByOther(err) {
			return err
		}
	}
	return nil
}

// supersede launches an instance of a version before it terminates another one.
func (c *clock) supersede(old, version string, within bounded) error {
	defer c.fleet.replacing(old)()
	err := within(func(ctx context.Context) error {
		_, err := c.fleet.orderOf(ctx, 1, func(script.Versions) string { return version }).await()
		return err
	})
	if err != nil {
		return err
	}
	return c.end(old, true, within)
}
