package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"throughline/compose/kubernetes/inside"
)

const (
	reaperPort = 8080
	lookEvery  = 2 * time.Second
)

// Reap is the other half of the promise that nothing outlives the runner for long. It runs in a pod of the run's namespace, tells the
// runner at the gate that it is there, and answers nothing at a port where it can be reached. Once the runner's lease is not renewed any more it deletes the
// instances, and the namespace with itself in it. It ends with ctx.
func Reap(ctx context.Context, gate, namespace string) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return fmt.Errorf("reaper: %w", err)
	}
	config.Timeout = askLimit
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("reaper: %w", err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(reaperPort)))
	if err != nil {
		return fmt.Errorf("reaper: %w", err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				conn.Close()
			}
		}
	}()
	go func() {
		conn, err := inside.Dial(ctx, gate, reaperName, os.Getenv(inside.TokenVariable))
		if err != nil {
			fmt.Fprintf(os.Stderr, "reaper: %v\n", err) // the runner, if it lives, gives up by itself
			return
		}
		conn.Close()
	}()
	return reapAfter(ctx, client, namespace, &stillness{limit: leaseLimit}, lookEvery)
}

// reapAfter looks at the lease until it has been still for too long, and then deletes, until it is deleted itself.
func reapAfter(ctx context.Context, c kubernetes.Interface, namespace string, still *stillness, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	over := false
	for {
		lease, err := c.CoordinationV1().Leases(namespace).Get(ctx, leaseName, meta.GetOptions{})
		var renewed time.Time
		if err == nil && lease.Spec.RenewTime != nil {
			renewed = lease.Spec.RenewTime.Time
		}
		over = over || apierrors.IsNotFound(err) || still.look(renewed, err, time.Now())
		if over {
			if err := deleteAll(ctx, c, namespace); err != nil {
				fmt.Fprintf(os.Stderr, "reaper: %v\n", err) // it tries again
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// deleteAll deletes the namespace, and before that the instances, which get a second: with the namespace they would have all of theirs.
func deleteAll(ctx context.Context, c kubernetes.Interface, namespace string) error {
	soon := int64(1)
	err := c.CoreV1().Pods(namespace).DeleteCollection(ctx, meta.DeleteOptions{GracePeriodSeconds: &soon}, meta.ListOptions{LabelSelector: nameLabel})
	gone := c.CoreV1().Namespaces().Delete(ctx, namespace, meta.DeleteOptions{})
	if apierrors.IsConflict(gone) || apierrors.IsNotFound(gone) { // it is being deleted
		gone = nil
	}
	return errors.Join(err, gone)
}

// stillness is for how long a lease was seen to be the same. No two clocks are compared, and time in which the API server did not answer
// does not count: the runner could not renew then.
type stillness struct {
	limit time.Duration
	last  time.Time // what the lease said
	since time.Time // by this process's clock
}

// look tells whether it is too long. err is of who was asked.
func (s *stillness) look(renewed time.Time, err error, now time.Time) bool {
	if err != nil || s.since.IsZero() || !renewed.Equal(s.last) {
		s.since = now
		if err == nil {
			s.last = renewed
		}
		return false
	}
	return now.Sub(s.since) >= s.limit
}
