package deployment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// follower is one Follow.
type follower struct {
	*Deployment
	hears     func(Event)
	pods      pods
	strangers map[types.UID]bool // that were told
	version   string             // of the API server's data, up to which everything was seen
	blind     time.Time          // since when the watch is broken; zero: it is not
	lost      bool               // and cannot be taken up where it broke
}

// Follow tells of every pod of the Deployment that is there, and then of each that comes, changes or goes, until ctx ends. A watch that
// breaks is taken up where it broke, which is told (Blind). Where the API server no longer knows what was in between, that is told too (Lost), and
// who is missing then is gone. The error is that of ctx, or says why nobody could look even once.
//
// hears is called from one goroutine, in the order in which things were seen.
func (d *Deployment) Follow(ctx context.Context, hears func(Event)) error {
	f := &follower{Deployment: d, hears: hears, strangers: map[types.UID]bool{}, pods: pods{container: d.cfg.Container, all: map[string]*seen{}}}
	if err := f.list(ctx); err != nil {
		return fmt.Errorf("follow deployment %s: %w", d, err)
	}
	for {
		err := f.watch(ctx)
		if err != nil {
			f.broke(err)
			if f.lost {
				err = f.list(ctx)
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			if err := f.rest(ctx); err != nil {
				return err
			}
		}
	}
}

// broke notes that the watch is broken.
func (f *follower) broke(err error) {
	if f.blind.IsZero() {
		f.blind = f.cfg.Now()
	}
	f.lost = f.lost || apierrors.IsGone(err) || apierrors.IsResourceExpired(err)
}

// mended tells of the time in which the watch was broken, if it was.
func (f *follower) mended() {
	if !f.blind.IsZero() {
		f.hears(Event{Kind: Blind, Said: f.blind, Seen: f.cfg.Now(), Lost: f.lost})
	}
	f.blind, f.lost = time.Time{}, false
}

// list looks at all pods at once. Who is not among them is gone.
func (f *follower) list(ctx context.Context) error {
	all, err := f.client.CoreV1().Pods(f.cfg.Namespace).List(ctx, meta.ListOptions{LabelSelector: f.selector})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	slices.SortFunc(all.Items, func(a, b core.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for i := range all.Items { // before anything is told: an error leaves all as it was
		if _, err := f.owns(ctx, &all.Items[i]); err != nil {
			return err
		}
	}
	f.mended()
	for _, pod := range f.pods.but(all.Items) {
		f.tell(f.pods.gone(pod, f.cfg.Now()))
	}
	for i := range all.Items {
		if err := f.take(ctx, &all.Items[i]); err != nil {
			return err
		}
	}
	f.version = all.ResourceVersion
	return nil
}

// watch tells what happens from f.version on, until the API server ends the watch, as it does from time to time (nil), or it breaks.
func (f *follower) watch(ctx context.Context) error {
	w, err := f.client.CoreV1().Pods(f.cfg.Namespace).Watch(ctx, meta.ListOptions{LabelSelector: f.selector, ResourceVersion: f.version, AllowWatchBookmarks: true})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer w.Stop()
	opened, heard := f.cfg.Now(), false
	calm := time.After(f.cfg.Pause) // what cannot be taken up where it broke ends at once
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-calm:
			f.mended()
		case e, open := <-w.ResultChan():
			if !open && !heard && f.cfg.Now().Sub(opened) < f.cfg.Pause {
				return errors.New("watch pods: it ended as soon as it began")
			}
			if !open {
				return nil
			}
			if e.Type == watch.Error {
				return fmt.Errorf("watch pods: %w", apierrors.FromObject(e.Object))
			}
			heard = true
			f.mended()
			if err := f.event(ctx, e); err != nil {
				return err
			}
		}
	}
}

// event takes one of the watch. After an error it comes once more.
func (f *follower) event(ctx context.Context, e watch.Event) error {
	pod, ok := e.Object.(*core.Pod)
	if !ok {
		return fmt.Errorf("watch pods: a %T in the place of a pod", e.Object)
	}
	var err error
	switch e.Type {
	case watch.Added, watch.Modified:
		err = f.take(ctx, pod)
	case watch.Deleted:
		f.tell(f.pods.gone(pod, f.cfg.Now()))
	}
	if err == nil {
		f.version = pod.ResourceVersion // of a bookmark, too
	}
	return err
}

// take tells what is new about a pod, if it is the Deployment's.
func (f *follower) take(ctx context.Context, pod *core.Pod) error {
	at := f.cfg.Now() // before anybody is asked whose it is
	if _, known := f.pods.all[pod.Name]; !known {
		ours, err := f.owns(ctx, pod)
		if err != nil {
			return err
		}
		if !ours {
			if !f.strangers[pod.UID] {
				f.strangers[pod.UID] = true
				f.hears(f.pods.event(Stranger, pod, pod.CreationTimestamp.Time, at))
			}
			return nil
		}
	}
	f.tell(f.pods.see(pod, at))
	return nil
}

func (f *follower) tell(news []Event) {
	for _, e := range news {
		f.hears(e)
	}
}

// rest waits for a moment before somebody is asked again.
func (d *Deployment) rest(ctx context.Context) error {
	timer := time.NewTimer(d.cfg.Pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
