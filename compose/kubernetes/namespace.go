package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"throughline/compose/kubernetes/inside"
)

const (
	instancesAccount = "instances" // may do nothing
	reaperName       = "reaper"    // the pod, and what it acts as
	reaperGrace      = 1           // seconds
	askAgain         = 200 * time.Millisecond
)

// open makes the namespace, and what it needs before any instance. What a failed open has made it deletes.
func (p *Platform) open(ctx context.Context) error {
	_, err := p.client.CoreV1().Namespaces().Create(ctx, &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: p.namespace, Labels: map[string]string{
		Label: p.config.Run,
		// What no pod of a run does, none can: https://kubernetes.io/docs/concepts/security/pod-security-standards/
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}, meta.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("the namespace %s is there already, and is not this run's; delete it if nobody needs it, or run again, which takes another name", p.namespace)
	case err != nil:
		return fmt.Errorf("make the namespace %s: %w", p.namespace, err)
	}
	err = p.furnish(ctx)
	if err != nil {
		undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
		defer cancel()
		err = errors.Join(err, p.remove(undoing))
	}
	return err
}

// furnish makes the accounts, the lease and the reaper, and watches the pods.
func (p *Platform) furnish(ctx context.Context) (err error) {
	if p.lease, err = p.takeLease(ctx); err != nil {
		return err
	}
	for _, name := range []string{instancesAccount, reaperName} {
		account := &core.ServiceAccount{ObjectMeta: p.meta(name)}
		if _, err := p.client.CoreV1().ServiceAccounts(p.namespace).Create(ctx, account, meta.CreateOptions{}); err != nil {
			return fmt.Errorf("make the account %s: %w", name, err)
		}
	}
	role := &rbac.Role{ObjectMeta: p.meta(reaperName), Rules: []rbac.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{leaseName}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"deletecollection"}},
		// A namespace lies in itself, as far as rights are concerned: a Role in it is enough.
		{APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{p.namespace}, Verbs: []string{"delete"}},
	}}
	if _, err := p.client.RbacV1().Roles(p.namespace).Create(ctx, role, meta.CreateOptions{}); err != nil {
		return fmt.Errorf("make the role of the reaper: %w", err)
	}
	binding := &rbac.RoleBinding{ObjectMeta: p.meta(reaperName),
		RoleRef:  rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "Role", Name: reaperName},
		Subjects: []rbac.Subject{{Kind: rbac.ServiceAccountKind, Name: reaperName, Namespace: p.namespace}}}
	if _, err := p.client.RbacV1().RoleBindings(p.namespace).Create(ctx, binding, meta.CreateOptions{}); err != nil {
		return fmt.Errorf("give the reaper its role: %w", err)
	}
	if p.pods, err = watchPods(ctx, p.living, p.client, p.namespace); err != nil {
		return err
	}
	return p.startReaper(ctx)
}

// meta names an object of the run.
func (p *Platform) meta(name string) meta.ObjectMeta {
	return meta.ObjectMeta{Name: name, Labels: map[string]string{Label: p.config.Run}}
}

// startReaper starts the reaper, which is not one of the instances: it outlives the runner. It is the first pod, and says whether pods and this
// program reach each other.
func (p *Platform) startReaper(ctx context.Context) error {
	due, forget := p.gate.expect(reaperName)
	defer forget()
	pod := p.bare(reaperName, reaperName, reaperGrace)
	yes := true
	pod.Spec.AutomountServiceAccountToken, pod.Spec.RestartPolicy = &yes, core.RestartPolicyOnFailure
	main := p.container(instanceContainer, p.config.Images.Self, nil, p.words(imageBinary, "reap", p.gate.addr(), p.namespace))
	main.Env = []core.EnvVar{{Name: inside.TokenVariable, Value: due.token}}
	pod.Spec.Containers = []core.Container{main}
	if _, err := p.client.CoreV1().Pods(p.namespace).Create(ctx, pod, meta.CreateOptions{}); err != nil {
		return fmt.Errorf("start the reaper: %w", refusedPod(err))
	}
	v, err := p.arrival(ctx, reaperName, due)
	if err != nil {
		return fmt.Errorf("start the reaper, which asks for this program at %s: %w", p.gate.addr(), err)
	}
	defer v.Close()
	back := net.JoinHostPort(v.from.String(), strconv.Itoa(reaperPort))
	conn, err := (&net.Dialer{Timeout: askLimit}).DialContext(ctx, "tcp", back)
	if err != nil {
		return fmt.Errorf("pods reach this program, and it does not reach them: %w; run it in the cluster, or on a machine with a route to its pods", err)
	}
	return conn.Close()
}

// remove deletes the namespace with all that is in it, and returns when it is gone. One that is another's it leaves alone.
func (p *Platform) remove(ctx context.Context) error {
	fail := func(err error) error { return fmt.Errorf("delete the namespace %s: %w", p.namespace, err) }
	if p.lease != nil {
		defer p.lease.stop()
	}
	spaces := p.client.CoreV1().Namespaces()
	for {
		found, err := spaces.Get(ctx, p.namespace, meta.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return fail(err)
		case found.Labels[Label] != p.config.Run:
			return fail(errors.New("it is another's by now"))
		case found.DeletionTimestamp == nil:
			if err := spaces.Delete(ctx, p.namespace, meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &found.UID}}); err != nil && !apierrors.IsNotFound(err) {
				return fail(err)
			}
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return fail(fmt.Errorf("it is still there: %w", context.Cause(ctx)))
		}
	}
}

// The lease tells the reaper that the runner lives.
const (
	leaseName  = "runner"
	renewEvery = 3 * time.Second
	leaseLimit = 30 * time.Second // without renewal: the runner is gone
)

// lease is what the runner renews.
type lease struct {
	ended chan struct{}
	end   context.CancelFunc

	renewed chan time.Time // has one time in it: that of the last renewal
}

func (p *Platform) takeLease(ctx context.Context) (*lease, error) {
	leases := p.client.CoordinationV1().Leases(p.namespace)
	seconds, holder := int32(leaseLimit/time.Second), p.config.Run
	now := meta.NowMicro()
	mine, err := leases.Create(ctx, &coordination.Lease{ObjectMeta: p.meta(leaseName),
		Spec: coordination.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now}}, meta.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("make the lease: %w", err)
	}
	l := &lease{ended: make(chan struct{}), renewed: make(chan time.Time, 1)}
	l.renewed <- time.Now()
	var renewing context.Context
	renewing, l.end = context.WithCancel(p.living)
	go func() {
		defer close(l.ended)
		tick := time.NewTicker(renewEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-renewing.Done():
				return
			}
			next := mine.DeepCopy()
			now := meta.NowMicro()
			next.Spec.RenewTime = &now
			asking, cancel := context.WithTimeout(renewing, renewEvery)
			updated, err := leases.Update(asking, next, meta.UpdateOptions{})
			if apierrors.IsConflict(err) { // an answer was lost
				updated, err = leases.Get(asking, leaseName, meta.GetOptions{})
			}
			cancel()
			if err == nil {
				mine = updated
				<-l.renewed
				l.renewed <- time.Now()
			}
		}
	}()
	return l, nil
}

// held is an error if the lease has run out: nothing new is started that the reaper would take away.
func (l *lease) held() error {
	last := <-l.renewed
	l.renewed <- last
	if since := time.Since(last); since > leaseLimit {
		return fmt.Errorf("the API server has taken no renewal of the run's lease for %v, so nothing new is started", since.Round(time.Second))
	}
	return nil
}

// stop ends renewing.
func (l *lease) stop() {
	l.end()
	<-l.ended
}
