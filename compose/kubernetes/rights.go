package kubernetes

import (
	"context"
	"fmt"
	"strings"

	authorization "k8s.io/api/authorization/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// right is something that the runner does at the API server.
type right struct {
	verbs           string // separated by blanks
	group, resource string
	subresource     string
	cluster         bool   // not within a namespace
	why             string // what it is for
}

// rights are all that a run needs. What the reaper may do is among them, since nobody can hand on what he has not.
var rights = []right{
	{verbs: "create", resource: "namespaces", cluster: true, why: "each run has its own"},
	{verbs: "get delete", resource: "namespaces", why: "nothing is left of a run"},
	{verbs: "create get list watch delete deletecollection", resource: "pods", why: "each instance is one"},
	{verbs: "get", resource: "pods", subresource: "log", why: "logs are kept"},
	{verbs: "create", resource: "serviceaccounts", why: "pods have one without rights, and the reaper its own"},
	{verbs: "create", group: "rbac.authorization.k8s.io", resource: "roles", why: "the reaper is allowed to delete the namespace"},
	{verbs: "create", group: "rbac.authorization.k8s.io", resource: "rolebindings", why: "the reaper is allowed to delete the namespace"},
	{verbs: "create get update", group: "coordination.k8s.io", resource: "leases", why: "the reaper sees that the runner lives"},
}

// missingRights asks for each of them and gives an error for each that is missing.
func missingRights(ctx context.Context, c kubernetes.Interface) (missing []error) {
	for _, r := range rights {
		for verb := range strings.FieldsSeq(r.verbs) {
			ask := &authorization.ResourceAttributes{Verb: verb, Group: r.group, Resource: r.resource, Subresource: r.subresource}
			if !r.cluster {
				ask.Namespace = namespaceOf("preflight")
			}
			got, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
				&authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: ask}}, meta.CreateOptions{})
			if err != nil {
				return append(missing, fmt.Errorf("kubernetes: ask for the right to %s %s: %w", verb, r, err))
			}
			if !got.Status.Allowed {
				missing = append(missing, fmt.Errorf("kubernetes: no right to %s %s (%s); docs/KUBERNETES.md has a ClusterRole with all that is needed", verb, r, r.why))
			}
		}
	}
	return missing
}

// String is the resource as kubectl spells it.
func (r right) String() string {
	name := r.resource
	if r.group != "" {
		name += "." + r.group
	}
	if r.subresource != "" {
		name += "/" + r.subresource
	}
	if !r.cluster {
		name += " in its namespace"
	}
	return name
}

// namespaceOf is the namespace of a run.
func namespaceOf(run string) string { return "throughline-" + run }
