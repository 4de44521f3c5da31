package deployment

import (
	"fmt"
	"slices"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// Kind is what an [Event] tells.
type Kind string

// What can be told. Of a pod they come in this order, but for Unready and Restarted, and each but these once.
const (
	Created   Kind = "created"
	Scheduled Kind = "scheduled" // a node was found
	Ready     Kind = "ready"     // Services send it requests
	Unready   Kind = "unready"   // they do no longer, and nobody has asked for its end
	Restarted Kind = "restarted" // its container ended, and the kubelet starts it again under the same name
	Doomed    Kind = "doomed"    // somebody has asked for its end: Services leave it out, and its container gets SIGTERM
	Ended     Kind = "ended"     // its container has ended, for good
	Gone      Kind = "gone"      // the API server no longer has it
	// Stranger is a pod that the selector finds, and that is not the Deployment's. Its Service may send it requests.
	Stranger Kind = "stranger"
	// Blind is a time, from Said to Seen, in which the watch was broken. What happened meanwhile is told late; with Lost some of it is not
	// told at all.
	Blind Kind = "blind"
)

// Event is something that was seen.
type Event struct {
	Kind    Kind
	Pod     string    // "": of Blind
	Said    time.Time // when it was by the API server's or a node's clock, which tell whole seconds; zero: they do not tell
	Seen    time.Time // when this program saw it, by its own clock
	Version string    // the template's hash, which is one of each version
	Image   string    // of the container that serves
	Address string    // of the pod; "": it has none yet
	Node    string    // "": none yet

	Grace  time.Duration // of Doomed: from SIGTERM to SIGKILL
	Code   int           // of Ended and Restarted: exit status; -1: a signal ended it, or nobody knows
	Signal string        // by which it ended; "": by none, as far as is known
	Reason string        // why it ended, as the kubelet says: OOMKilled, Evicted, Error, Completed
	Known  bool          // of Ended: that somebody saw how it ended
	Lost   bool          // of Blind: the API server could not tell what was missed
}

// pods are those that were seen, by their names. It is a pure function of what it is shown, and is not safe for concurrent use.
type pods struct {
	container string
	all       map[string]*seen
}

// seen is what was told of a pod.
type seen struct {
	last     *core.Pod
	told     map[Kind]bool
	ready    bool
	restarts int32
}

// see takes a pod as it is now, and gives what is new about it.
func (p *pods) see(pod *core.Pod, at time.Time) (news []Event) {
	s, known := p.all[pod.Name]
	if known && s.last.UID != pod.UID { // another one of that name: the former's end was missed
		news, known = p.gone(s.last, at), false
	}
	if !known {
		s = &seen{told: map[Kind]bool{}}
		p.all[pod.Name] = s
	}
	s.last = pod
	status := p.status(pod)
	if !known && status != nil { // what was before anybody looked is no news
		s.restarts = status.RestartCount
	}
	tell := func(kind Kind, said time.Time) *Event {
		news = append(news, p.event(kind, pod, said, at))
		s.told[kind] = true
		return &news[len(news)-1]
	}
	once := func(kind Kind, is bool, said time.Time) *Event {
		if !is || s.told[kind] {
			return nil
		}
		return tell(kind, said)
	}
	once(Created, true, pod.CreationTimestamp.Time)
	if c := condition(pod, core.PodScheduled); c != nil {
		once(Scheduled, c.Status == core.ConditionTrue, c.LastTransitionTime.Time)
	}
	if ended := restarted(status, s.restarts); ended != nil {
		s.restarts = status.RestartCount
		tell(Restarted, ended.FinishedAt.Time).how(ended)
	}
	if c := condition(pod, core.PodReady); c != nil {
		is := c.Status == core.ConditionTrue
		switch {
		case is && !s.ready:
			tell(Ready, c.LastTransitionTime.Time)
		case !is && s.ready && pod.DeletionTimestamp == nil && !over(pod, status):
			tell(Unready, c.LastTransitionTime.Time)
		}
		s.ready = is
	}
	if at := pod.DeletionTimestamp; at != nil {
		grace := time.Duration(0)
		if pod.DeletionGracePeriodSeconds != nil {
			grace = time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
		}
		if e := once(Doomed, true, at.Add(-grace)); e != nil { // DeletionTimestamp is when its grace is over
			e.Grace = grace
		}
	}
	if over(pod, status) {
		if e := once(Ended, true, time.Time{}); e != nil {
			e.Code, e.Reason = -1, pod.Status.Reason
			if status != nil && status.State.Terminated != nil {
				e.how(status.State.Terminated)
				e.Said = status.State.Terminated.FinishedAt.Time
				if pod.Status.Reason != "" { // Evicted: what the kubelet did it for
					e.Reason = pod.Status.Reason
				}
			}
		}
	}
	return news
}

// gone takes the news that the API server no longer has a pod.
func (p *pods) gone(pod *core.Pod, at time.Time) (news []Event) {
	s, known := p.all[pod.Name]
	if !known || s.last.UID != pod.UID {
		return nil
	}
	news = p.see(pod, at) // its last state may be news
	if !s.told[Ended] {
		e := p.event(Ended, pod, time.Time{}, at)
		e.Code = -1
		news = append(news, e)
	}
	delete(p.all, pod.Name)
	return append(news, p.event(Gone, pod, time.Time{}, at))
}

// but gives the pods that are known and not among these, which are gone.
func (p *pods) but(these []core.Pod) (missing []*core.Pod) {
	for _, s := range p.all {
		if !slices.ContainsFunc(these, func(pod core.Pod) bool { return pod.UID == s.last.UID }) {
			missing = append(missing, s.last)
		}
	}
	slices.SortFunc(missing, func(a, b *core.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return missing
}

func (p *pods) event(kind Kind, pod *core.Pod, said, at time.Time) Event {
	e := Event{Kind: kind, Pod: pod.Name, Said: said, Seen: at, Version: pod.Labels[apps.DefaultDeploymentUniqueLabelKey], Address: pod.Status.PodIP, Node: pod.Spec.NodeName}
	for _, c := range pod.Spec.Containers {
		if c.Name == p.container {
			e.Image = c.Image
		}
	}
	return e
}

// status is that of the container that serves; nil: there is none yet.
func (p *pods) status(pod *core.Pod) *core.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if c := &pod.Status.ContainerStatuses[i]; c.Name == p.container {
			return c
		}
	}
	return nil
}

// how says how a container has ended. A runtime that writes a signal as shells do, 128 + its number, is understood: no program of
// ours or of anybody's is known to exit so by itself, and one that does is taken for killed.
func (e *Event) how(t *core.ContainerStateTerminated) {
	e.Known, e.Code, e.Reason = true, int(t.ExitCode), t.Reason
	number := t.Signal
	if number == 0 && t.ExitCode > 128 && t.ExitCode < 128+65 {
		number = t.ExitCode - 128
	}
	if number != 0 {
		e.Code, e.Signal = -1, fmt.Sprintf("signal %d", number)
		if name := signals[number]; name != "" {
			e.Signal = name
		}
	}
}

// signals are those that end containers, as Linux numbers them, wherever this program runs.
var signals = map[int32]string{1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM"}

// restarted gives how a container ended that runs again; nil: it did not since so many restarts.
func restarted(s *core.ContainerStatus, since int32) *core.ContainerStateTerminated {
	if s == nil || s.RestartCount <= since {
		return nil
	}
	return s.LastTerminationState.Terminated
}

// over tells whether the container will not run again: it has ended, and its pod is to end, or has.
func over(pod *core.Pod, s *core.ContainerStatus) bool {
	if pod.Status.Phase == core.PodFailed || pod.Status.Phase == core.PodSucceeded {
		return true
	}
	return s != nil && s.State.Terminated != nil && pod.DeletionTimestamp != nil
}

func condition(pod *core.Pod, of core.PodConditionType) *core.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == of {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
