package job

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorization "k8s.io/api/authorization/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	decoder "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/fake"
	testclient "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"throughline/compose/kubernetes"
)

func spec() Spec {
	return Spec{Run: "quiet", Image: "localhost/throughline:0123", Args: []string{"run", "--mongo", "$(URI)", "--", "/scenario/a.yaml"},
		Files: map[string][]byte{"a.yaml": []byte("name: a\n"), "alerts/b.yml": []byte("groups: []\n")}, Secrets: map[string]string{"URI": "mongodb://u:secret@db"}}
}

// parsed reads back what is printed, strictly: a field that the API does not know is an error.
func parsed(t *testing.T, text []byte) Objects {
	t.Helper()
	var o Objects
	documents := decoder.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		one, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return o
		}
		if err != nil {
			t.Fatal(err)
		}
		var is meta.TypeMeta
		if err := yaml.Unmarshal(one, &is); err != nil {
			t.Fatal(err)
		}
		var into any
		switch is.Kind {
		case "":
			continue
		case "Namespace":
			o.Namespace = &core.Namespace{}
			into = o.Namespace
		case "ServiceAccount":
			o.Account = &core.ServiceAccount{}
			into = o.Account
		case "ClusterRole":
			o.Role = &rbac.ClusterRole{}
			into = o.Role
		case "ClusterRoleBinding":
			o.Binding = &rbac.ClusterRoleBinding{}
			into = o.Binding
		case "Secret":
			o.Secret = &core.Secret{}
			into = o.Secret
		case "Job":
			o.Job = &batch.Job{}
			into = o.Job
		default:
			t.Fatalf("kind %s", is.Kind)
		}
		if err := yaml.UnmarshalStrict(one, into); err != nil {
			t.Fatalf("%s: %v\n%s", is.Kind, err, one)
		}
	}
}

// What is printed is what is made.
func TestYAMLIsWhatIsMade(t *testing.T) {
	for _, s := range []Spec{spec(), {Run: "a", Image: "i"}, {Run: "a", Image: "i", Namespace: "ours", Attended: true, Pull: true}} {
		made, err := s.Objects()
		if err != nil {
			t.Fatal(err)
		}
		text, err := made.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(made, parsed(t, text)); d != "" {
			t.Errorf("%s", d)
		}
		again, _ := s.Objects()
		if more, _ := again.YAML(); string(more) != string(text) {
			t.Error("the same Spec gives two manifests")
		}
	}
}

// The pod passes the standard restricted, finds its files where they are said to be, and has no secret in its specification.
func TestThePod(t *testing.T) {
	s := spec()
	o, err := s.Objects()
	if err != nil {
		t.Fatal(err)
	}
	pod := o.Job.Spec.Template.Spec
	main := pod.Containers[0]
	if pod.RestartPolicy != core.RestartPolicyNever || *o.Job.Spec.BackoffLimit != 0 || o.Job.Spec.TTLSecondsAfterFinished == nil {
		t.Errorf("it may be run twice, or stays: %+v", o.Job.Spec)
	}
	secure := main.SecurityContext
	if !*pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault ||
		*secure.AllowPrivilegeEscalation || !*secure.ReadOnlyRootFilesystem || cmp.Diff(secure.Capabilities.Drop, []core.Capability{"ALL"}) != "" {
		t.Errorf("it may more than it needs: %+v %+v", pod.SecurityContext, secure)
	}
	text, err := yaml.Marshal(o.Job)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "secret@") {
		t.Errorf("the Job tells a secret:\n%s", text)
	}
	found := map[string]string{}
	for _, v := range pod.Volumes {
		if v.Secret == nil {
			continue
		}
		for _, item := range v.Secret.Items {
			found[item.Path] = string(o.Secret.Data[item.Key])
		}
	}
	want := map[string]string{"a.yaml": "name: a\n", "alerts/b.yml": "groups: []\n"}
	if d := cmp.Diff(want, found); d != "" {
		t.Error(d)
	}
	if got := string(o.Secret.Data["URI"]); got != "mongodb://u:secret@db" {
		t.Errorf("the Secret has %q", got)
	}
	if o.Namespace.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Errorf("the namespace enforces nothing: %v", o.Namespace.Labels)
	}
}

// What is refused before a cluster is asked.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Run: "A"}, `run "A": want at most 30`}, {Spec{Run: strings.Repeat("a", 31)}, "at most 30"}, {Spec{}, "at most 30"},
		{Spec{Run: "a", Namespace: "My"}, "--namespace My: no namespace can be called so"},
		{Spec{Run: "a", Files: map[string][]byte{"../b": nil}}, `file "../b": want a path below`},
		{Spec{Run: "a", Files: map[string][]byte{"/b": nil}}, `file "/b": want a path below`},
		{Spec{Run: "a", Files: map[string][]byte{"b": make([]byte, filesLimit+1)}}, "a Secret holds 1048576"},
	} {
		if _, err := c.spec.Objects(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q is not said: %v", c.want, err)
		}
	}
}

// The program may do what a run does, and delete itself and nothing else; who cleans up by hand gives it no more than a run's rights.
func TestRules(t *testing.T) {
	base := kubernetes.Rules(kubernetes.Rights())
	for _, c := range []struct {
		spec Spec
		more []string
	}{
		{Spec{Run: "a"}, nil},
		{Spec{Run: "a", Attended: true}, []string{"clusterroles"}},
		{Spec{Run: "a", Attended: true, Kept: true}, nil},
		{Spec{Run: "a", Attended: true, Namespace: "ours"}, []string{"jobs", "secrets", "serviceaccounts", "clusterroles"}},
	} {
		o, err := c.spec.Objects()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(base, o.Role.Rules[:len(base)]); d != "" {
			t.Error(d)
		}
		var more []string
		for _, r := range o.Role.Rules[len(base):] {
			if cmp.Diff(r.ResourceNames, []string{c.spec.Name()}) != "" || cmp.Diff(r.Verbs, []string{"delete"}) != "" {
				t.Errorf("%+v may more than delete itself", r)
			}
			more = append(more, r.Resources...)
		}
		if d := cmp.Diff(c.more, more); d != "" {
			t.Errorf("%+v: %s", c.spec, d)
		}
	}
}

// The documentation lists the rights that the code asks for: those of a run, and those of whoever submits a Job.
func TestTheDocumentedRights(t *testing.T) {
	text, err := os.ReadFile("../../../docs/KUBERNETES.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(apiVersion: rbac.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d ClusterRoles", len(blocks))
	}
	for i, rights := range [][]kubernetes.Right{kubernetes.Rights(), Rights()} {
		var role rbac.ClusterRole
		if err := yaml.UnmarshalStrict(blocks[i][1], &role); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(flat(kubernetes.Rules(rights)), flat(role.Rules)); d != "" {
			t.Errorf("ClusterRole %d: %s", i+1, d)
		}
	}
}

func flat(rules []rbac.PolicyRule) map[string]bool {
	all := map[string]bool{}
	for _, r := range rules {
		for _, resource := range r.Resources {
			for _, verb := range r.Verbs {
				all[fmt.Sprintf("%s %s/%s", verb, r.APIGroups[0], resource)] = true
			}
		}
	}
	return all
}

// cluster is one that grants all but what lacks, and says so to a dry run alone.
func cluster(t *testing.T, lacks string, has ...runtime.Object) *fake.Clientset {
	c := fake.NewClientset(has...)
	c.PrependReactor("create", "selfsubjectaccessreviews", func(a testclient.Action) (bool, runtime.Object, error) {
		review := a.(testclient.CreateAction).GetObject().(*authorization.SelfSubjectAccessReview)
		of := review.Spec.ResourceAttributes
		name := of.Verb + " " + of.Resource
		if of.Subresource != "" {
			name += "/" + of.Subresource
		}
		review.Status.Allowed = name != lacks
		return true, review, nil
	})
	c.PrependReactor("create", "*", func(a testclient.Action) (bool, runtime.Object, error) {
		create, is := a.(testclient.CreateActionImpl)
		if !is || a.GetResource().Resource == "selfsubjectaccessreviews" {
			return false, nil, nil
		}
		if len(create.CreateOptions.DryRun) == 0 {
			t.Errorf("%s was made", a.GetResource().Resource)
		}
		return true, create.Object, nil
	})
	return c
}

func namespace(name string, labels map[string]string) *core.Namespace {
	return &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels}}
}

// Whatever stands in the way is told, and nothing is made.
func TestPreflight(t *testing.T) {
	own, given := Spec{Run: "a", Image: "i"}, Spec{Run: "a", Image: "i", Namespace: "team"}
	ours := namespace("team", map[string]string{Label: "yes"})
	forbid := func(resource, why string) func(*fake.Clientset) {
		return func(c *fake.Clientset) {
			c.PrependReactor("create", resource, func(testclient.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "x", errors.New(why))
			})
		}
	}
	for _, c := range []struct {
		about string
		spec  Spec
		on    *fake.Clientset
		with  func(*fake.Clientset)
		want  string
	}{
		{"all is there", own, cluster(t, ""), nil, ""},
		{"all is there, in a namespace", given, cluster(t, "", ours), nil, ""},
		{"a right", own, cluster(t, "create jobs"), nil, "no right to create jobs.batch in its namespace (the program runs in one)"},
		{"another", own, cluster(t, "create pods/portforward"), nil, "no right to create pods/portforward"},
		{"the name is taken", own, cluster(t, "", namespace("throughline-harness-a", nil)), nil, "the namespace throughline-harness-a is there already"},
		{"somebody else's namespace", given, cluster(t, "", namespace("team", nil)), nil, "--namespace team: it has no label throughline.harness"},
		{"no such namespace", given, cluster(t, ""), nil, "--namespace team: there is none; make it"},
		{"a quota", given, cluster(t, "", ours), forbid("pods", "exceeded quota: few"), "would refuse the pod of the Job: pods \"x\" is forbidden: exceeded quota: few"},
		{"Pod Security", given, cluster(t, "", ours), forbid("pods", `violates PodSecurity "restricted"`), "violates PodSecurity"},
		{"rights that nobody can hand on", own, cluster(t, ""), forbid("clusterroles", "attempting to grant RBAC permissions not currently held"), "would refuse the ClusterRole"},
		{"admission", own, cluster(t, ""), forbid("namespaces", "names begin with team-"), "would refuse the namespace throughline-harness-a"},
	} {
		if c.with != nil {
			c.with(c.on)
		}
		err := errors.Join(Preflight(t.Context(), c.on, c.spec)...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: want %q: %v", c.about, c.want, err)
		}
	}
}
