package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorization "k8s.io/api/authorization/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Right is something that is done at the API server.
type Right struct {
	Verbs           string // separated by blanks
	Group, Resource string
	Subresource     string
	Cluster         bool   // not within a namespace
	Why             string // what it is for
}

// Rights are all that a run needs. What the reaper may do is among them, since nobody can hand on what he has not.
func Rights() []Right {
	return []Right{
		{Verbs: "create", Resource: "namespaces", Cluster: true, Why: "each run has its own"},
		{Verbs: "get delete", Resource: "namespaces", Why: "nothing is left of a run"},
		{Verbs: "create get list watch delete deletecollection", Resource: "pods", Why: "each instance is one"},
		{Verbs: "get", Resource: "pods", Subresource: "log", Why: "logs are kept"},
		{Verbs: "create", Resource: "serviceaccounts", Why: "pods have one without rights, and the reaper its own"},
		{Verbs: "create", Group: rbac.GroupName, Resource: "roles", Why: "the reaper is allowed to delete the namespace"},
		{Verbs: "create", Group: rbac.GroupName, Resource: "rolebindings", Why: "the reaper is allowed to delete the namespace"},
		{Verbs: "create get update", Group: "coordination.k8s.io", Resource: "leases", Why: "the reaper sees that the runner lives"},
	}
}

// Rules are rights as a ClusterRole grants them: one rule for each kind of object.
func Rules(rights []Right) []rbac.PolicyRule {
	var rules []rbac.PolicyRule
	for _, r := range rights {
		resource := r.Resource
		if r.Subresource != "" {
			resource += "/" + r.Subresource
		}
		at := slices.IndexFunc(rules, func(has rbac.PolicyRule) bool {
			return has.APIGroups[0] == r.Group && has.Resources[0] == resource
		})
		if at < 0 {
			at, rules = len(rules), append(rules, rbac.PolicyRule{APIGroups: []string{r.Group}, Resources: []string{resource}})
		}
		for verb := range strings.FieldsSeq(r.Verbs) {
			if !slices.Contains(rules[at].Verbs, verb) {
				rules[at].Verbs = append(rules[at].Verbs, verb)
			}
		}
	}
	return rules
}

// MissingRights asks for each of the rights, in a namespace where one is meant, and gives an error for each that is missing.
func MissingRights(ctx context.Context, c kubernetes.Interface, rights []Right, namespace string) []error {
	return Ask(ctx, c, rights, namespace, func(verb string, r Right) error {
		return fmt.Errorf("kubernetes: no right to %s %s (%s); docs/KUBERNETES.md has a ClusterRole with all that is needed", verb, r, r.Why)
	})
}

// Ask asks for each verb of the rights, and gives what is to be said of each that is not granted; where nobody answers, that.
func Ask(ctx context.Context, c kubernetes.Interface, rights []Right, namespace string, denied func(verb string, r Right) error) (missing []error) {
	for _, r := range rights {
		for verb := range strings.FieldsSeq(r.Verbs) {
			ask := &authorization.ResourceAttributes{Verb: verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource}
			if !r.Cluster {
				ask.Namespace = namespace
			}
			got, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
				&authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: ask}}, meta.CreateOptions{})
			if err != nil {
				return append(missing, fmt.Errorf("kubernetes: ask for the right to %s %s: %w", verb, r, err))
			}
			if !got.Status.Allowed {
				missing = append(missing, denied(verb, r))
			}
		}
	}
	return missing
}

// Object is what it is about, as kubectl spells it.
func (r Right) Object() string {
	name := r.Resource
	if r.Group != "" {
		name += "." + r.Group
	}
	if r.Subresource != "" {
		name += "/" + r.Subresource
	}
	return name
}

// String says where, too.
func (r Right) String() string {
	if r.Cluster {
		return r.Object()
	}
	return r.Object() + " in its namespace"
}

// missingRights asks for all that a run needs.
func missingRights(ctx context.Context, c kubernetes.Interface) []error {
	return MissingRights(ctx, c, Rights(), namespaceOf("preflight"))
}

// namespaceOf is the namespace of a run.
func namespaceOf(run string) string { return "throughline-" + run }
