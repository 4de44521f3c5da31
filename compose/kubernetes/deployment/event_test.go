package deployment

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// at is a moment of the API server's clock, and seenAt when this program saw what was so by then.
func at(s int) meta.Time     { return meta.NewTime(noon.Add(time.Duration(s) * time.Second)) }
func seenAt(s int) time.Time { return at(s).Add(300 * time.Millisecond) }
func ptr[T any](v T) *T      { return &v }
func newPods() *pods         { return &pods{container: "web", all: map[string]*seen{}} }
func kinds(all []Event) (out []Kind) {
	for _, e := range all {
		out = append(out, e.Kind)
	}
	return out
}

// aPod is one that was made at a second, with what else is so.
func aPod(name string, made int, so ...func(*core.Pod)) *core.Pod {
	p := &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "mine", UID: types.UID(name + "-uid"), CreationTimestamp: at(made), ResourceVersion: "7",
			Labels:          map[string]string{"app": "shop", "pod-template-hash": "aaa"},
			OwnerReferences: []meta.OwnerReference{{Kind: "ReplicaSet", Name: "shop-aaa", UID: "set-uid", Controller: ptr(true)}}},
		Spec: core.PodSpec{NodeName: "node1", Containers: []core.Container{{Name: "side", Image: "side:1"}, {Name: "web", Image: "shop:1"}}},
	}
	for _, one := range so {
		one(p)
	}
	return p
}

func is(of core.PodConditionType, status core.ConditionStatus, since int) func(*core.Pod) {
	return func(p *core.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, core.PodCondition{Type: of, Status: status, LastTransitionTime: at(since)})
	}
}

func doomed(asked, grace int) func(*core.Pod) {
	return func(p *core.Pod) {
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = ptr(at(asked+grace)), ptr(int64(grace))
	}
}

func ended(t core.ContainerStateTerminated) func(*core.Pod) {
	return func(p *core.Pod) {
		p.Status.ContainerStatuses = []core.ContainerStatus{{Name: "web", State: core.ContainerState{Terminated: &t}}}
	}
}

func runs(restarts int32, last *core.ContainerStateTerminated) func(*core.Pod) {
	return func(p *core.Pod) {
		p.Status.ContainerStatuses = []core.ContainerStatus{{Name: "side", RestartCount: 40}, {Name: "web", RestartCount: restarts, State: core.ContainerState{Running: &core.ContainerStateRunning{}}, LastTerminationState: core.ContainerState{Terminated: last}}}
	}
}

// A pod comes, serves, is asked to end and is gone: each is told once, with the API's time and ours.
func TestLife(t *testing.T) {
	p := newPods()
	ready := is(core.PodReady, core.ConditionTrue, 3)
	var got []Event
	got = append(got, p.see(aPod("a", 1), seenAt(1))...)
	got = append(got, p.see(aPod("a", 1, is(core.PodScheduled, core.ConditionTrue, 2)), seenAt(2))...)
	got = append(got, p.see(aPod("a", 1, is(core.PodScheduled, core.ConditionTrue, 2), ready, runs(0, nil)), seenAt(3))...)
	got = append(got, p.see(aPod("a", 1, ready, runs(0, nil)), seenAt(4))...) // nothing new
	got = append(got, p.see(aPod("a", 1, ready, doomed(5, 30), runs(0, nil)), seenAt(5))...)
	last := aPod("a", 1, is(core.PodReady, core.ConditionFalse, 6), doomed(5, 30), ended(core.ContainerStateTerminated{ExitCode: 0, Reason: "Completed", FinishedAt: at(6)}))
	got = append(got, p.see(last, seenAt(7))...)
	got = append(got, p.gone(last, seenAt(8))...)
	of := func(kind Kind, said time.Time, seen int) Event {
		return Event{Kind: kind, Pod: "a", Said: said, Seen: seenAt(seen), Version: "aaa", Image: "shop:1", Node: "node1"}
	}
	want := []Event{of(Created, at(1).Time, 1), of(Scheduled, at(2).Time, 2), of(Ready, at(3).Time, 3), of(Doomed, at(5).Time, 5), of(Ended, at(6).Time, 7), of(Gone, time.Time{}, 8)}
	want[3].Grace = 30 * time.Second
	want[4].Known, want[4].Reason = true, "Completed"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// How a container ended is what the kubelet says, and is not made up where nobody has seen it.
func TestEnds(t *testing.T) {
	type end struct {
		Code           int
		Signal, Reason string
		Known          bool
	}
	failed := func(p *core.Pod) { p.Status.Phase, p.Status.Reason = core.PodFailed, "Evicted" }
	for _, c := range []struct {
		name string
		last *core.Pod
		gone bool
		want end
	}{
		{"killed after its grace", aPod("a", 1, doomed(5, 30), ended(core.ContainerStateTerminated{ExitCode: 137, Reason: "Error"})), false, end{-1, "SIGKILL", "Error", true}},
		{"does not handle SIGTERM", aPod("a", 1, doomed(5, 30), ended(core.ContainerStateTerminated{ExitCode: 143, Reason: "Error"})), false, end{-1, "SIGTERM", "Error", true}},
		{"an exit status of its own", aPod("a", 1, doomed(5, 30), ended(core.ContainerStateTerminated{ExitCode: 3, Reason: "Error"})), false, end{3, "", "Error", true}},
		{"evicted", aPod("a", 1, failed, ended(core.ContainerStateTerminated{ExitCode: 137, Reason: "Error"})), false, end{-1, "SIGKILL", "Evicted", true}},
		{"evicted, with no container left", aPod("a", 1, failed), false, end{-1, "", "Evicted", false}},
		{"gone with its node", aPod("a", 1, doomed(5, 30), runs(0, nil)), true, end{-1, "", "", false}},
	} {
		p := newPods()
		p.see(aPod("a", 1), seenAt(1))
		news := p.see(c.last, seenAt(9))
		if c.gone {
			news = append(news, p.gone(c.last, seenAt(10))...)
		}
		found := 0
		for _, e := range news {
			if e.Kind != Ended {
				continue
			}
			found++
			if diff := cmp.Diff(c.want, end{e.Code, e.Signal, e.Reason, e.Known}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
		if found != 1 {
			t.Errorf("%s: its end was told %d times: %v", c.name, found, kinds(news))
		}
	}
}

// A container that is started again in its pod is told, but what was before anybody looked, and other containers, are not.
func TestRestarted(t *testing.T) {
	oom := &core.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", FinishedAt: at(8)}
	p := newPods()
	if got := kinds(p.see(aPod("a", 1, runs(2, oom)), seenAt(2))); !cmp.Equal(got, []Kind{Created}) {
		t.Errorf("at first sight: %v", got)
	}
	got := p.see(aPod("a", 1, runs(3, oom)), seenAt(9))
	if len(got) != 1 || got[0].Kind != Restarted || got[0].Signal != "SIGKILL" || got[0].Reason != "OOMKilled" || !got[0].Said.Equal(at(8).Time) {
		t.Errorf("one more: %+v", got)
	}
	if got := p.see(aPod("a", 1, runs(3, oom)), seenAt(10)); len(got) > 0 {
		t.Errorf("told twice: %+v", got)
	}
}

// One that serves no longer and is not to end is told, and again when it serves.
func TestUnready(t *testing.T) {
	p := newPods()
	p.see(aPod("a", 1, is(core.PodReady, core.ConditionTrue, 2), runs(0, nil)), seenAt(2))
	got := p.see(aPod("a", 1, is(core.PodReady, core.ConditionFalse, 5), runs(0, nil)), seenAt(5))
	got = append(got, p.see(aPod("a", 1, is(core.PodReady, core.ConditionTrue, 6), runs(0, nil)), seenAt(6))...)
	if diff := cmp.Diff([]Kind{Unready, Ready}, kinds(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Another pod of the same name is another pod: the former has ended, and nobody knows how.
func TestSameName(t *testing.T) {
	p := newPods()
	p.see(aPod("a", 1), seenAt(1))
	got := p.see(aPod("a", 4, func(p *core.Pod) { p.UID = "other" }), seenAt(5))
	if diff := cmp.Diff([]Kind{Ended, Gone, Created}, kinds(got)); diff != "" || got[0].Known {
		t.Errorf("%+v\n(-want +got):\n%s", got, diff)
	}
}
