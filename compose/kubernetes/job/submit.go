package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	client "k8s.io/client-go/kubernetes"

	"throughline/compose/kubernetes"
)

const (
	placeLimit  = 3 * time.Minute // to find a node for the pod, and to pull its image
	removeLimit = 2 * time.Minute // of the pod's grace, and for the namespace to go
	askAgain    = 300 * time.Millisecond
	askLimit    = 10 * time.Second
)

// Job is one that was submitted.
type Job struct {
	spec Spec
	on   kubernetes.Connection
	pod  string    // its name
	uid  types.UID // its own
}

// Submit makes all objects and returns when the program runs. What a failed one has made it has deleted. The error is in the kubelet's words where an
// image is missing.
func Submit(ctx context.Context, on kubernetes.Connection, s Spec) (*Job, error) {
	o, err := s.Objects()
	if err != nil {
		return nil, err
	}
	j := &Job{spec: s, on: on}
	err = j.make(ctx, o)
	if err == nil {
		err = j.await(ctx)
	}
	if err == nil {
		return j, nil
	}
	return nil, errors.Join(fmt.Errorf("job %s: %w", s.Name(), err), j.Remove(ctx))
}

// make creates the objects. What is of the whole cluster is owned by the namespace, and the binding by the role: it goes with them,
// whoever deletes those.
func (j *Job) make(ctx context.Context, o Objects) error {
	in, options, c := j.spec.In(), meta.CreateOptions{}, j.on.Client
	var owner []meta.OwnerReference
	if o.Namespace != nil {
		made, err := c.CoreV1().Namespaces().Create(ctx, o.Namespace, options)
		if err != nil {
			return fmt.Errorf("make the namespace: %w", err)
		}
		owner = []meta.OwnerReference{{APIVersion: "v1", Kind: "Namespace", Name: made.Name, UID: made.UID}}
	}
	if _, err := c.CoreV1().ServiceAccounts(in).Create(ctx, o.Account, options); err != nil {
		return fmt.Errorf("make its account: %w", err)
	}
	o.Role.OwnerReferences = owner
	role, err := c.RbacV1().ClusterRoles().Create(ctx, o.Role, options)
	if err != nil {
		return fmt.Errorf("make its role: %w", err)
	}
	o.Binding.OwnerReferences = []meta.OwnerReference{{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: role.Name, UID: role.UID}}
	if _, err := c.RbacV1().ClusterRoleBindings().Create(ctx, o.Binding, options); err != nil {
		return fmt.Errorf("give it its role: %w", err)
	}
	if o.Secret != nil {
		if _, err := c.CoreV1().Secrets(in).Create(ctx, o.Secret, options); err != nil {
			return fmt.Errorf("make the Secret with the scenario: %w", err)
		}
	}
	if _, err := c.BatchV1().Jobs(in).Create(ctx, o.Job, options); err != nil {
		return fmt.Errorf("make the Job: %w", err)
	}
	return nil
}

// await waits until the pod's container runs, or has run.
func (j *Job) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, placeLimit, fmt.Errorf("its pod does not run after %v", placeLimit))
	defer cancel()
	var last *core.Pod
	for {
		pod, err := j.look(ctx)
		switch {
		case err != nil && ctx.Err() == nil && apierrors.IsForbidden(err):
			return err
		case err == nil && pod != nil:
			last, j.pod, j.uid = pod, pod.Name, pod.UID
			if err := kubernetes.Hopeless(pod); err != nil {
				return err
			}
			if begun(pod) {
				return nil
			}
		case err == nil:
			if why := j.noPod(ctx); why != nil {
				return why
			}
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			if why := kubernetes.Waiting(last); why != "" {
				return fmt.Errorf("%w (%s)", context.Cause(ctx), why)
			}
			return context.Cause(ctx)
		}
	}
}

// begun tells whether the container runs, or has run.
func begun(pod *core.Pod) bool {
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Running != nil || c.State.Terminated != nil {
			return true
		}
	}
	return pod.Status.Phase == core.PodFailed || pod.Status.Phase == core.PodSucceeded
}

// look gives the pod of the Job; nil: there is none.
func (j *Job) look(ctx context.Context) (*core.Pod, error) {
	found, err := j.on.Client.CoreV1().Pods(j.spec.In()).List(ctx, meta.ListOptions{LabelSelector: Label + "=" + j.spec.Run})
	if err != nil || len(found.Items) == 0 {
		return nil, err
	}
	return &found.Items[0], nil
}

// noPod is why the Job makes none: its controller says that in an event.
func (j *Job) noPod(ctx context.Context) error {
	found, err := j.on.Client.CoreV1().Events(j.spec.In()).List(ctx, meta.ListOptions{FieldSelector: "involvedObject.kind=Job,involvedObject.name=" + j.spec.Name()})
	if err != nil {
		return nil // not everybody may read events; then it is told that there is no pod
	}
	for _, e := range found.Items {
		if e.Reason == "FailedCreate" {
			return fmt.Errorf("no pod can be made: %s", e.Message)
		}
	}
	return nil
}

// Gone tells why the program will never answer again; nil: it may, or the API server does not say.
func (j *Job) Gone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	pod, err := j.on.Client.CoreV1().Pods(j.spec.In()).Get(ctx, j.pod, meta.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("its pod %s was deleted by somebody else, and what it had recorded is lost", j.pod)
	case err != nil:
		return nil
	}
	for _, c := range pod.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil {
			return fmt.Errorf("its pod %s ended with status %d (%s) before its record was copied%s", j.pod, t.ExitCode, t.Reason, j.lastWords(ctx))
		}
	}
	if pod.Status.Phase == core.PodFailed {
		return fmt.Errorf("its pod %s has failed: %s %s", j.pod, pod.Status.Reason, pod.Status.Message)
	}
	return nil
}

// lastWords are the end of the pod's log, in words that an error can end with.
func (j *Job) lastWords(ctx context.Context) string {
	lines := int64(10)
	log, err := j.on.Client.CoreV1().Pods(j.spec.In()).GetLogs(j.pod, &core.PodLogOptions{TailLines: &lines}).Stream(ctx)
	if err != nil {
		return ""
	}
	defer log.Close()
	text, _ := io.ReadAll(io.LimitReader(log, 1<<14)) // as far as it comes
	if len(text) == 0 {
		return ""
	}
	return "; its last words:\n" + strings.TrimRight(string(text), "\n")
}

// Remove deletes all that Submit has made and returns when it is gone. It takes its time even when ctx has ended.
func (j *Job) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
	defer cancel()
	err := Delete(ctx, j.on.Client, j.spec.Run, j.spec.Namespace)
	if err != nil || j.spec.Namespace != "" {
		return err
	}
	for {
		_, err := j.on.Client.CoreV1().Namespaces().Get(ctx, j.spec.In(), meta.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return fmt.Errorf("the namespace %s is still there; delete it: kubectl delete namespace %[1]s", j.spec.In())
		}
	}
}

// Delete deletes what is made for a run, in its own namespace or in one that stays, and waits for none of it. The
// rights to do so go last. What is not there, or is another's, it leaves alone.
func Delete(ctx context.Context, c client.Interface, run, namespace string) error {
	s := Spec{Run: run, Namespace: namespace}
	name, in := s.Name(), s.In()
	behind := meta.DeletePropagationBackground
	how := meta.DeleteOptions{PropagationPolicy: &behind}
	var errs []error
	gone := func(what string, err error) {
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("delete the %s %s: %w", what, name, err))
		}
	}
	if namespace == "" {
		found, err := c.CoreV1().Namespaces().Get(ctx, in, meta.GetOptions{})
		switch {
		case err == nil && found.Labels[Label] != run:
			return fmt.Errorf("delete the namespace %s: it is another's by now", in)
		case err == nil && found.DeletionTimestamp == nil:
			gone("namespace", c.CoreV1().Namespaces().Delete(ctx, in, meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &found.UID}}))
		case err != nil:
			gone("namespace", err)
		}
	} else {
		gone("Job", c.BatchV1().Jobs(in).Delete(ctx, name, how))
		gone("Secret", c.CoreV1().Secrets(in).Delete(ctx, name, how))
		gone("account", c.CoreV1().ServiceAccounts(in).Delete(ctx, name, how))
	}
	if len(errs) == 0 {
		gone("ClusterRole", c.RbacV1().ClusterRoles().Delete(ctx, name, how)) // the binding goes with it
	}
	return errors.Join(errs...)
}
