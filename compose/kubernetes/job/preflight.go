package job

import (
	"context"
	"fmt"

	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes"

	"throughline/compose/kubernetes"
)

// Rights are what whoever submits needs beside kubernetes.Rights, which the program in the Job has from him.
func Rights() []kubernetes.Right {
	const hand = "the program in the Job gets its rights, and they are taken away again"
	return []kubernetes.Right{
		{Verbs: "create delete", Group: "batch", Resource: "jobs", Why: "the program runs in one"},
		{Verbs: "create delete", Resource: "secrets", Why: "the scenario is in one"},
		{Verbs: "delete", Resource: "serviceaccounts", Why: "the program's own is taken away again"},
		{Verbs: "create delete", Group: rbac.GroupName, Resource: "clusterroles", Cluster: true, Why: hand},
		{Verbs: "create delete", Group: rbac.GroupName, Resource: "clusterrolebindings", Cluster: true, Why: hand},
		{Verbs: "create get", Resource: "pods", Subresource: "portforward", Why: "the run is followed, and its record copied, through the API server"},
	}
}

// Preflight gives what keeps a Job of the Spec from being made beside what kubernetes.Preflight finds, as far as the API server tells without making anything: rights, a
// name that is taken, a namespace that is not ours, a quota, Pod Security, and whatever else it admits by.
func Preflight(ctx context.Context, c client.Interface, s Spec) (missing []error) {
	o, err := s.Objects()
	if err != nil {
		return []error{err}
	}
	if missing = kubernetes.MissingRights(ctx, c, Rights(), s.In()); len(missing) > 0 {
		return missing
	}
	if err := s.place(ctx, c); err != nil {
		return []error{err}
	}
	return s.dryRun(ctx, c, o)
}

// place asks whether the namespace is free, or ours.
func (s Spec) place(ctx context.Context, c client.Interface) error {
	found, err := c.CoreV1().Namespaces().Get(ctx, s.In(), meta.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && s.Namespace == "":
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("--namespace %s: there is none; make it, with the label %s=yes, or leave --namespace out: then one is made and deleted", s.Namespace, Label)
	case err != nil:
		return fmt.Errorf("look for the namespace %s: %w", s.In(), err)
	case s.Namespace == "":
		return fmt.Errorf("the namespace %s is there already; delete it if nobody needs it, or run again, which takes another name", s.In())
	}
	if _, ours := found.Labels[Label]; !ours {
		return fmt.Errorf("--namespace %s: it has no label %s, so that it is somebody else's; label it (kubectl label namespace %[1]s %[2]s=yes) if it is for this, or leave --namespace out", s.Namespace, Label)
	}
	if found.DeletionTimestamp != nil {
		return fmt.Errorf("--namespace %s: it is being deleted; wait until it is gone, or take another", s.Namespace)
	}
	return nil
}

// dryRun has the API server admit what would be made. In a namespace that is not there yet nothing can be, and nothing limits what is in it.
func (s Spec) dryRun(ctx context.Context, c client.Interface, o Objects) (refused []error) {
	dry := meta.CreateOptions{DryRun: []string{meta.DryRunAll}}
	ask := func(what string, err error) {
		if err != nil {
			refused = append(refused, fmt.Errorf("the API server would refuse %s: %w", what, err))
		}
	}
	_, err := c.RbacV1().ClusterRoles().Create(ctx, o.Role, dry)
	ask("the ClusterRole", err)
	if o.Namespace != nil {
		_, err := c.CoreV1().Namespaces().Create(ctx, o.Namespace, dry)
		ask("the namespace "+s.In(), err)
		return refused
	}
	_, err = c.CoreV1().ServiceAccounts(s.In()).Create(ctx, o.Account, dry)
	ask("the account", err)
	if o.Secret != nil {
		_, err = c.CoreV1().Secrets(s.In()).Create(ctx, o.Secret, dry)
		ask("the Secret", err)
	}
	_, err = c.BatchV1().Jobs(s.In()).Create(ctx, o.Job, dry)
	ask("the Job", err)
	// A quota of pods, and Pod Security, are asked of pods alone, and of those of a Job only once it makes them.
	template := o.Job.Spec.Template
	pod := &core.Pod{ObjectMeta: *o.Job.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
	pod.Spec.ServiceAccountName = "default" // its own is not there yet
	_, err = c.CoreV1().Pods(s.In()).Create(ctx, pod, dry)
	ask("the pod of the Job", err)
	return refused
}
