package kubernetes

import (
	"context"
	"fmt"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// pods is what the cluster says of the pods of a namespace, as it is watched. It is safe for concurrent use.
type pods struct {
	mu      sync.Mutex
	all     map[string]seen
	changed chan struct{} // closed, and another one made, when something is seen
}

// seen is what was seen of a pod last.
type seen struct {
	pod     *core.Pod
	deleted bool
	at      time.Time // by this program's clock
}

// watchPods begins to watch, and returns when it has seen all that is there.
func watchPods(ctx, living context.Context, c kubernetes.Interface, namespace string) (*pods, error) {
	p := &pods{all: map[string]seen{}, changed: make(chan struct{})}
	factory := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithNamespace(namespace))
	informer := factory.Core().V1().Pods().Informer()
	take := func(of any, deleted bool) {
		if last, unknown := of.(cache.DeletedFinalStateUnknown); unknown {
			of = last.Obj
		}
		if pod, ok := of.(*core.Pod); ok {
			p.see(pod, deleted)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(of any) { take(of, false) },
		UpdateFunc: func(_, of any) { take(of, false) },
		DeleteFunc: func(of any) { take(of, true) },
	})
	if err != nil {
		return nil, err
	}
	factory.Start(living.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil, fmt.Errorf("watch pods: %w", context.Cause(ctx))
	}
	return p, nil
}

func (p *pods) see(pod *core.Pod, deleted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[pod.Name] = seen{pod, deleted, time.Now()}
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until something is true of a pod, or has an error. Of a pod that was not seen yet nothing is true.
func (p *pods) await(ctx context.Context, name string, is func(seen) (bool, error)) (seen, error) {
	for {
		p.mu.Lock()
		now, known := p.all[name]
		changed := p.changed
		p.mu.Unlock()
		if known {
			if done, err := is(now); done || err != nil {
				return now, err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now, context.Cause(ctx)
		}
	}
}

// hopeless tells why a pod will never run, or has run already. What may change with time is no reason: a node may come.
func hopeless(s seen) error {
	switch {
	case s.deleted:
		return fmt.Errorf("somebody else deleted its pod")
	case s.pod.Status.Phase == core.PodFailed && s.pod.Status.Reason != "":
		return fmt.Errorf("%s: %s", s.pod.Status.Reason, s.pod.Status.Message)
	}
	if err := Hopeless(s.pod); err != nil {
		return err
	}
	for _, c := range containers(s.pod) {
		if t := c.State.Terminated; t != nil && (t.ExitCode != 0 || c.Name == instanceContainer) {
			return fmt.Errorf("its container %s ended with status %d (%s) before it had asked what to execute", c.Name, t.ExitCode, t.Reason)
		}
	}
	return nil
}

// Hopeless tells, in the kubelet's words, why a container of a pod waits in vain; nil: it does not.
func Hopeless(pod *core.Pod) error {
	for _, c := range containers(pod) {
		if w := c.State.Waiting; w != nil && never[w.Reason] {
			return fmt.Errorf("%s: image %s: %s", w.Reason, c.Image, w.Message)
		}
	}
	return nil
}

// Waiting tells what a pod waits for, in words that an error about it can end with; empty: nobody says.
func Waiting(pod *core.Pod) string { return waiting(seen{pod: pod}) }

// never are the reasons for which a container waits in vain. The kubelet goes on trying to pull an image; a run does not.
// Source: k8s.io/kubernetes/pkg/kubelet/images/types.go and pkg/kubelet/kuberuntime/kuberuntime_container.go
var never = map[string]bool{
	"ErrImagePull": true, "ErrImageNeverPull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ImageInspectError": true,
	"RegistryUnavailable": true, "CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true,
}

// waiting tells what a pod waits for, in words that an error about it can end with; empty: nobody says.
func waiting(s seen) string {
	if s.pod == nil {
		return "the cluster has not taken it in"
	}
	for _, c := range s.pod.Status.Conditions {
		if c.Type == core.PodScheduled && c.Status == core.ConditionFalse {
			return "no node takes it: " + c.Message
		}
	}
	for _, c := range containers(s.pod) {
		if w := c.State.Waiting; w != nil {
			return fmt.Sprintf("its container %s waits: %s %s", c.Name, w.Reason, w.Message)
		}
	}
	return ""
}

func containers(pod *core.Pod) []core.ContainerStatus {
	return append(append([]core.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
}

// terminated is how the container of an instance has ended; nil: it has not, as far as the cluster says.
func terminated(pod *core.Pod) *core.ContainerStateTerminated {
	if pod == nil {
		return nil
	}
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == instanceContainer {
			return c.State.Terminated
		}
	}
	return nil
}
