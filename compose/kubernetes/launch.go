package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"throughline/compose"
)

// launch brings the pod up, tells who has to know where it is, and has it execute the instance's program. From its return on the
// instance is in the platform's books; a failed one leaves nothing.
func (p *Platform) launch(ctx context.Context, i compose.Instance) (_ *instance, err error) {
	b, err := p.program(i)
	if err != nil {
		return nil, err
	}
	if i.Ports, err = p.choosePorts(i.Ports); err != nil {
		return nil, err
	}
	if err := p.lease.held(); err != nil {
		return nil, err
	}
	due, forget := p.gate.expect(i.Name)
	defer forget()
	made, err := p.client.CoreV1().Pods(p.namespace).Create(ctx, p.pod(i, b, due.token), meta.CreateOptions{})
	if err != nil {
		return nil, refusedPod(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.discard(i.Name))
		}
	}()
	v, err := p.arrival(ctx, i.Name, due)
	if err != nil {
		return nil, err
	}
	inst := &instance{name: i.Name, uid: string(made.UID), image: b.image, platform: p, addr: v.from, ports: i.Ports, gone: make(chan struct{}), settled: make(chan struct{})}
	if i, err = p.place(ctx, i, inst, v); err == nil {
		b.what.Words, b.what.Env, b.what.Files, b.what.Dir = append(i.Program.Self, i.Program.Command...), i.Env, i.Files, instanceDir
		inst.log = newLogFile(filepath.Join(p.config.Dir, "logs", i.Name+".log"), p.client, p.namespace, i.Name)
		inst.link, err = begin(ctx, v, b.what)
	}
	if err != nil {
		v.Close() // the pod ends with the connection
		return nil, err
	}
	go inst.log.follow(p.living)
	go inst.reap(p.living)
	p.roster.Add(i.Name, inst)
	return inst, nil
}

// arrival waits for the first process of a pod.
func (p *Platform) arrival(ctx context.Context, name string, due *expected) (visitor, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, placeLimit, fmt.Errorf("not placed within %v", placeLimit))
	defer cancel()
	watching, done := context.WithCancel(ctx)
	defer done()
	var last seen
	failed := make(chan error, 1)
	go func() {
		var err error
		last, err = p.pods.await(watching, name, func(s seen) (bool, error) { return false, hopeless(s) })
		failed <- err
	}()
	select {
	case v := <-due.came:
		return v, v.sees()
	case err := <-failed:
		if why := waiting(last); why != "" && ctx.Err() != nil {
			return visitor{}, fmt.Errorf("%w (%s)", err, why)
		}
		return visitor{}, err
	}
}

// addressRest is how long nobody is begun at an address that was another's: what that has sent may still be on its way.
const addressRest = 5 * time.Second

// place gives the address to an instance, tells who asked to be told, and expands what it is told itself.
func (p *Platform) place(ctx context.Context, i compose.Instance, inst *instance, v visitor) (compose.Instance, error) {
	p.mu.Lock()
	before := p.placed[inst.addr]
	p.placed[inst.addr] = inst
	p.mu.Unlock()
	if before != nil {
		if err := before.awaitRest(ctx); err != nil {
			return i, fmt.Errorf("the address %s was that of %s: %w", inst.addr, before.name, err)
		}
	}
	if i.Placed != nil {
		if err := i.Placed(inst.addr); err != nil {
			return i, err
		}
	}
	i, err := i.Expand(compose.Place{Host: everywhere, Address: inst.addr.String(), Dir: instanceDir})
	if err != nil {
		return i, err
	}
	return i, i.KeepFiles(p.config.Dir)
}

// discard deletes a pod whose program never began, and returns when its containers have ended.
func (p *Platform) discard(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), endGrace)
	defer cancel()
	if err := p.delete(ctx, name, 1); err != nil {
		return err
	}
	_, err := p.pods.await(ctx, name, func(s seen) (bool, error) { return s.deleted, nil })
	return err
}

// delete deletes a pod. Without grace, in seconds, it leaves the API's books before its containers have ended.
func (p *Platform) delete(ctx context.Context, name string, grace int64) error {
	err := p.client.CoreV1().Pods(p.namespace).Delete(ctx, name, meta.DeleteOptions{GracePeriodSeconds: &grace})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// refusedPod says what an API server's refusal of a pod comes to.
func refusedPod(err error) error {
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		return fmt.Errorf("the quota of the namespace has no room for another pod: %w; have it raised, or start fewer instances", err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("the cluster does not admit the pod: %w", err)
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("the namespace has a pod of that name which is not ours: %w", err)
	}
	return fmt.Errorf("create the pod: %w", err)
}
