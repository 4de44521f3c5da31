package job

import (
	"context"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"throughline/compose/kubernetes"
)

// pod is that of the Job, in a state.
func pod(s Spec, state core.ContainerState) *core.Pod {
	return &core.Pod{ObjectMeta: meta.ObjectMeta{Name: s.Name() + "-x", Namespace: s.In(), Labels: s.labels()},
		Status: core.PodStatus{ContainerStatuses: []core.ContainerStatus{{Name: container, Image: s.Image, State: state}}}}
}

func left(t *testing.T, c *fake.Clientset) (all []string) {
	t.Helper()
	ctx, o := context.Background(), meta.ListOptions{LabelSelector: Label + "=a"}
	spaces, err1 := c.CoreV1().Namespaces().List(ctx, o)
	jobs, err2 := c.BatchV1().Jobs("").List(ctx, o)
	roles, err3 := c.RbacV1().ClusterRoles().List(ctx, o)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	for _, n := range spaces.Items {
		all = append(all, "namespace "+n.Name)
	}
	if len(spaces.Items) > 0 || len(jobs.Items) > 0 && jobs.Items[0].Namespace == "team" {
		for _, j := range jobs.Items { // those of a namespace go with it, which a fake does not do
			all = append(all, "job "+j.Name)
		}
	}
	for _, r := range roles.Items {
		all = append(all, "role "+r.Name)
	}
	return all
}

// A Job runs once its pod does, and removed it leaves nothing.
func TestSubmit(t *testing.T) {
	for _, s := range []Spec{{Run: "a", Image: "i", Attended: true}, {Run: "a", Image: "i", Namespace: "team", Files: map[string][]byte{"a": nil}}} {
		c := fake.NewClientset(pod(s, core.ContainerState{Running: &core.ContainerStateRunning{}}), namespace("team", nil))
		j, err := Submit(t.Context(), kubernetes.Connection{Client: c}, s)
		if err != nil {
			t.Fatal(err)
		}
		role, err := c.RbacV1().ClusterRoles().Get(t.Context(), s.Name(), meta.GetOptions{})
		if err != nil || len(left(t, c)) == 0 {
			t.Fatalf("%v, %v", err, left(t, c))
		}
		if own := s.Namespace == ""; own != (len(role.OwnerReferences) == 1 && role.OwnerReferences[0].Kind == "Namespace") {
			t.Errorf("the role is owned by %+v", role.OwnerReferences)
		}
		if err := j.Remove(t.Context()); err != nil {
			t.Error(err)
		}
		if got := left(t, c); len(got) > 0 {
			t.Errorf("left: %v", got)
		}
	}
}

// What will never run is told in the kubelet's words, and leaves nothing.
func TestAnImageThatIsMissing(t *testing.T) {
	s := Spec{Run: "a", Image: "localhost/throughline:1"}
	c := fake.NewClientset(pod(s, core.ContainerState{Waiting: &core.ContainerStateWaiting{Reason: "ErrImageNeverPull", Message: "Container image is not present"}}))
	begin := time.Now()
	_, err := Submit(t.Context(), kubernetes.Connection{Client: c}, s)
	if err == nil || !strings.Contains(err.Error(), "job throughline-harness-a: ErrImageNeverPull: image localhost/throughline:1: Container image is not present") || time.Since(begin) > placeLimit/2 {
		t.Errorf("%v", err)
	}
	if got := left(t, c); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

// A Job that gets no pod is given up for the reason that its controller has.
func TestNoPod(t *testing.T) {
	s := Spec{Run: "a", Image: "i"}
	c := fake.NewClientset(&core.Event{ObjectMeta: meta.ObjectMeta{Name: "e", Namespace: s.In()}, Reason: "FailedCreate", Message: "exceeded quota"})
	if _, err := Submit(t.Context(), kubernetes.Connection{Client: c}, s); err == nil || !strings.Contains(err.Error(), "no pod can be made: exceeded quota") {
		t.Errorf("%v", err)
	}
}

// Another's namespace of the same name is left alone.
func TestDeleteLeavesOthersAlone(t *testing.T) {
	c := fake.NewClientset(namespace("throughline-harness-a", map[string]string{Label: "b"}))
	if err := Delete(t.Context(), c, "a", ""); err == nil || !strings.Contains(err.Error(), "it is another's by now") {
		t.Errorf("%v", err)
	}
	if _, err := c.CoreV1().Namespaces().Get(t.Context(), "throughline-harness-a", meta.GetOptions{}); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	if err := Delete(t.Context(), fake.NewClientset(), "a", ""); err != nil {
		t.Errorf("what is not there: %v", err)
	}
}

// Whether the program may still answer is told from its pod.
func TestGone(t *testing.T) {
	s := Spec{Run: "a", Image: "i"}
	for _, c := range []struct {
		has  *core.Pod
		want string
	}{
		{pod(s, core.ContainerState{Running: &core.ContainerStateRunning{}}), ""},
		{pod(s, core.ContainerState{Terminated: &core.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}}), "ended with status 137 (OOMKilled) before its record was copied; its last words:\n"},
		{nil, "was deleted by somebody else"},
	} {
		on := fake.NewClientset()
		if c.has != nil {
			on = fake.NewClientset(c.has)
		}
		j := &Job{spec: s, on: kubernetes.Connection{Client: on}, pod: s.Name() + "-x"}
		err := j.Gone(t.Context())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("want %q: %v", c.want, err)
		}
	}
}
