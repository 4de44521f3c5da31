package deployment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apps "k8s.io/api/apps/v1"
	authorization "k8s.io/api/authorization/v1"
	scaling "k8s.io/api/autoscaling/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	client "k8s.io/client-go/testing"
)

// shop is a Deployment with its ReplicaSet, in a namespace that its user says is his.
func shop(more ...runtime.Object) *fake.Clientset {
	labels := map[string]string{"app": "shop"}
	return fake.NewClientset(append(more,
		&core.Namespace{ObjectMeta: meta.ObjectMeta{Name: "mine", Labels: map[string]string{OwnLabel: "true"}}},
		&core.Namespace{ObjectMeta: meta.ObjectMeta{Name: "theirs"}},
		&core.Namespace{ObjectMeta: meta.ObjectMeta{Name: "kube-system", Labels: map[string]string{OwnLabel: "true"}}},
		&apps.Deployment{ObjectMeta: meta.ObjectMeta{Name: "shop", Namespace: "mine", UID: "shop-uid"}, Spec: apps.DeploymentSpec{
			Replicas: ptr(int32(2)), Selector: &meta.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{ObjectMeta: meta.ObjectMeta{Labels: labels}, Spec: core.PodSpec{Containers: []core.Container{{Name: "side", Image: "side:1"}, {Name: "web", Image: "shop:1"}}}},
		}},
		&apps.ReplicaSet{ObjectMeta: meta.ObjectMeta{Name: "shop-aaa", Namespace: "mine", UID: "set-uid",
			OwnerReferences: []meta.OwnerReference{{Kind: "Deployment", Name: "shop", UID: "shop-uid", Controller: ptr(true)}}}},
	)...)
}

func scaledBy(name string) *autoscaling.HorizontalPodAutoscaler {
	return &autoscaling.HorizontalPodAutoscaler{ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "mine"},
		Spec: autoscaling.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscaling.CrossVersionObjectReference{Kind: "Deployment", Name: "shop"}}}
}

func open(t *testing.T, c *fake.Clientset) *Deployment {
	t.Helper()
	d, err := Open(t.Context(), c, Config{Namespace: "mine", Name: "shop", Container: "web", Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// refused fails unless there is an error that has these words in it.
func refused(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want an error with %q", err, words)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		more []runtime.Object
		want string
	}{
		{Config{Namespace: "none", Name: "shop"}, nil, "no such namespace"},
		{Config{Namespace: "theirs", Name: "shop"}, nil, "nobody says that namespace theirs is yours; say --i-own theirs, or kubectl label namespace theirs throughline.own=true"},
		{Config{Namespace: "theirs", Name: "shop", Own: "mine"}, nil, "nobody says that namespace theirs is yours"},
		{Config{Namespace: "theirs", Name: "shop", Own: "theirs"}, nil, "no such deployment (have none)"}, // his, by the flag
		{Config{Namespace: "kube-system", Name: "shop", Own: "kube-system"}, nil, "the cluster's own"},
		{Config{Namespace: "mine", Name: "shp"}, nil, "no such deployment (have shop)"},
		{Config{Namespace: "mine", Name: "shop"}, nil, "which container serves? name one of side, web"},
		{Config{Namespace: "mine", Name: "shop", Container: "wbe"}, nil, "container wbe: no such container (have side, web)"},
		{Config{Namespace: "mine", Name: "shop", Container: "web"}, []runtime.Object{scaledBy("a"), scaledBy("b")}, "both scale it"},
	} {
		_, err := Open(t.Context(), shop(c.more...), c.cfg)
		refused(t, err, c.want)
	}
	if d := open(t, shop(scaledBy("a"))); d.Autoscaler() != "a" || d.String() != "mine/shop" {
		t.Errorf("%s, scaled by %q", d, d.Autoscaler())
	}
}

// A watch that breaks is taken up where it broke; where that is not possible, what is missing is gone, and it is told that something was missed. Pods of
// others are told as such.
func TestFollow(t *testing.T) {
	ready := is(core.PodReady, core.ConditionTrue, 3)
	c := shop(aPod("a", 1, ready), aPod("b", 2, ready), aPod("x", 2, func(p *core.Pod) { p.OwnerReferences = nil }))
	watches := make(chan *watch.RaceFreeFakeWatcher, 10)
	var asked []string // from which version watches were wanted
	c.PrependWatchReactor("pods", func(a client.Action) (bool, watch.Interface, error) {
		asked = append(asked, a.(client.WatchActionImpl).ListOptions.ResourceVersion)
		if len(asked) == 2 { // the API server is away for a moment
			return true, nil, errors.New("connection refused")
		}
		w := watch.NewRaceFreeFake()
		watches <- w
		return true, w, nil
	})
	d := open(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	events, done := make(chan Event, 100), make(chan error)
	go func() { done <- d.Follow(ctx, func(e Event) { events <- e }) }()
	next := func(kind Kind, pod string) Event {
		t.Helper()
		select {
		case e := <-events:
			if e.Kind != kind || e.Pod != pod {
				t.Fatalf("%s of %q was told, want %s of %q", e.Kind, e.Pod, kind, pod)
			}
			return e
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing was told, want %s of %q", kind, pod)
		}
		panic("unreachable")
	}
	next(Created, "a")
	next(Ready, "a")
	next(Created, "b")
	next(Ready, "b")
	next(Stranger, "x")

	first := <-watches
	first.Modify(aPod("a", 1, ready, doomed(5, 30), func(p *core.Pod) { p.ResourceVersion = "11" }))
	next(Doomed, "a")
	first.Stop() // and the next one is refused
	third := <-watches
	third.Modify(aPod("c", 6, func(p *core.Pod) { p.ResourceVersion = "12" }))
	if e := next(Blind, ""); e.Lost || !e.Said.Before(e.Seen) {
		t.Errorf("a watch that was taken up where it broke: %+v", e)
	}
	next(Created, "c")
	if diff := cmp.Diff([]string{"11", "11"}, asked[1:]); diff != "" {
		t.Errorf("taken up from (-want +got):\n%s", diff)
	}

	if err := c.Tracker().Delete(core.SchemeGroupVersion.WithResource("pods"), "mine", "a"); err != nil {
		t.Fatal(err)
	}
	third.Error(&apierrors.NewResourceExpired("too old resource version").ErrStatus)
	if e := next(Blind, ""); !e.Lost {
		t.Errorf("a watch that could not be taken up: %+v", e)
	}
	if e := next(Ended, "a"); e.Known || e.Code != -1 {
		t.Errorf("nobody saw how it ended: %+v", e)
	}
	next(Gone, "a")
	next(Ended, "c") // it was never in the list
	next(Gone, "c")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestFollowNobody(t *testing.T) {
	c := shop()
	c.PrependReactor("list", "pods", func(client.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no route to host") })
	err := open(t, c).Follow(t.Context(), func(e Event) { t.Errorf("told: %+v", e) })
	refused(t, err, "follow deployment mine/shop: list pods: no route to host")
}

func TestScale(t *testing.T) {
	c, wanted := shop(), int32(2)
	c.PrependReactor("*", "deployments", func(a client.Action) (bool, runtime.Object, error) {
		if a.GetSubresource() != "scale" {
			return false, nil, nil
		}
		if update, is := a.(client.UpdateAction); is {
			wanted = update.GetObject().(*scaling.Scale).Spec.Replicas
		}
		return true, &scaling.Scale{Spec: scaling.ScaleSpec{Replicas: wanted}}, nil
	})
	d := open(t, c)
	if err := d.Scale(t.Context(), 5); err != nil || wanted != 5 {
		t.Errorf("%d are wanted, %v", wanted, err)
	}
	refused(t, d.Scale(t.Context(), 5), "that many are wanted already")
	refused(t, open(t, shop(scaledBy("hpa"))).Scale(t.Context(), 3), "horizontalpodautoscaler hpa would undo it")
}

func TestRollouts(t *testing.T) {
	c := shop()
	d := open(t, c)
	now := func() *apps.Deployment {
		found, err := c.AppsV1().Deployments("mine").Get(t.Context(), "shop", meta.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if err := d.Restart(t.Context()); err != nil || now().Spec.Template.Annotations[restartedAt] == "" {
		t.Errorf("restarted: %v, %v", now().Spec.Template.Annotations, err)
	}
	if err := d.SetImage(t.Context(), "shop:2"); err != nil {
		t.Error(err)
	}
	images := []string{}
	for _, one := range now().Spec.Template.Spec.Containers {
		images = append(images, one.Image)
	}
	if slices.Sort(images); !slices.Equal(images, []string{"shop:2", "side:1"}) {
		t.Errorf("images %v", images)
	}
	refused(t, d.SetImage(t.Context(), "shop:2"), "container web has it already")
	paused := now()
	paused.Spec.Paused = true
	if _, err := c.AppsV1().Deployments("mine").Update(t.Context(), paused, meta.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	refused(t, d.Restart(t.Context()), "its rollouts are paused")
}

func TestDelete(t *testing.T) {
	c := shop(aPod("a", 1), aPod("x", 1, func(p *core.Pod) { p.OwnerReferences = nil }), aPod("going", 1, doomed(2, 30)))
	var uids []string
	c.PrependReactor("delete", "pods", func(a client.Action) (bool, runtime.Object, error) {
		if p := a.(client.DeleteActionImpl).DeleteOptions.Preconditions; p != nil && p.UID != nil {
			uids = append(uids, string(*p.UID))
		}
		return false, nil, nil
	})
	d := open(t, c)
	refused(t, d.Delete(t.Context(), "none"), "delete none: no such pod in namespace mine")
	refused(t, d.Delete(t.Context(), "x"), "it is no pod of deployment mine/shop, and is left alone")
	refused(t, d.Delete(t.Context(), "going"), "somebody has asked for its end already")
	if err := d.Delete(t.Context(), "a"); err != nil || !slices.Equal(uids, []string{"a-uid"}) {
		t.Errorf("%v, of these alone: %v", err, uids)
	}
}

func TestLacks(t *testing.T) {
	settled := func(so ...func(*apps.Deployment)) *apps.Deployment {
		d := &apps.Deployment{Spec: apps.DeploymentSpec{Replicas: ptr(int32(2))}, Status: apps.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}}
		d.Generation = 3
		for _, one := range so {
			one(d)
		}
		return d
	}
	with := func(of apps.DeploymentConditionType, status core.ConditionStatus) func(*apps.Deployment) {
		return func(d *apps.Deployment) {
			d.Status.Conditions = []apps.DeploymentCondition{{Type: of, Status: status, Reason: "Why", Message: "said"}}
		}
	}
	for _, c := range []struct {
		of            *apps.Deployment
		want, wantErr string
	}{
		{settled(), "", ""},
		{settled(with(apps.DeploymentProgressing, core.ConditionTrue)), "", ""},
		{settled(func(d *apps.Deployment) { d.Generation = 4 }), "its controller has not seen the change", ""},
		{settled(func(d *apps.Deployment) { d.Status.UpdatedReplicas = 1 }), "1 of 2 pods are of the newest template", ""},
		{settled(func(d *apps.Deployment) { d.Status.Replicas = 3 }), "1 pods are there beside the 2 that are wanted", ""},
		{settled(func(d *apps.Deployment) { d.Status.AvailableReplicas = 1 }), "1 of 2 pods serve", ""},
		{settled(func(d *apps.Deployment) { d.Status.TerminatingReplicas = ptr(int32(1)) }), "1 pods are still ending", ""},
		{settled(with(apps.DeploymentReplicaFailure, core.ConditionTrue)), "no pod can be made: Why: said", ""},
		{settled(with(apps.DeploymentProgressing, core.ConditionFalse)), "", "its rollout does not get on: Why: said"},
	} {
		got, err := lacks(c.of)
		if got != c.want || (err == nil) != (c.wantErr == "") || err != nil && err.Error() != c.wantErr {
			t.Errorf("%q, %v; want %q, %q", got, err, c.want, c.wantErr)
		}
	}
}

func TestMissingRights(t *testing.T) {
	c := shop()
	c.PrependReactor("create", "selfsubjectaccessreviews", func(a client.Action) (bool, runtime.Object, error) {
		review := a.(client.CreateAction).GetObject().(*authorization.SelfSubjectAccessReview)
		ask := review.Spec.ResourceAttributes
		review.Status.Allowed = ask.Namespace == "mine" && ask.Verb != "watch" && ask.Subresource != "scale" && ask.Verb != "delete"
		return true, review, nil
	})
	texts := func(uses ...Use) (out []string) {
		for _, err := range MissingRights(t.Context(), c, "mine", uses...) {
			out = append(out, err.Error())
		}
		return out
	}
	watching := "kubernetes: no right to watch pods in namespace mine (they are followed); grant it with a Role there"
	if diff := cmp.Diff([]string{watching}, texts()); diff != "" {
		t.Errorf("to follow (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{watching,
		"kubernetes: no right to get deployments.apps/scale in namespace mine (a step scales it); grant it with a Role there",
		"kubernetes: no right to update deployments.apps/scale in namespace mine (a step scales it); grant it with a Role there"}, texts(Scaling, Rollouts)); diff != "" {
		t.Errorf("to scale and restart (-want +got):\n%s", diff)
	}
}
