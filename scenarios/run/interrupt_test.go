package run

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// inTheCloud is a rig whose stack is in one.
func inTheCloud(t *testing.T) *rig {
	t.Helper()
	return newRigOf(t, func(c *Config) { c.Scenario.Stack.Cloud, c.Run.Seed = true, 7 })
}

// asks has an instance ask its metadata service, and gives the answer and its status.
func asks(t *testing.T, service, path string) (string, int) {
	t.Helper()
	ask := func(method, path, name, value string) (string, int) {
		r, err := http.NewRequestWithContext(t.Context(), method, service+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(name, value)
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body), got.StatusCode
	}
	token, _ := ask(http.MethodPut, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60")
	return ask(http.MethodGet, "/latest/meta-data/"+path, "X-aws-ec2-metadata-token", token)
}

// eventsOf are the entries about an instance, as "kind about".
func eventsOf(events []record.Event, name string) (all []string) {
	for _, e := range events {
		if e.Instance == name {
			all = append(all, strings.TrimSpace(fmt.Sprint(e.Kind, " ", e.About, e.Signal)))
		}
	}
	return all
}

// An instance has who it is in its birth, asks for it, is given notice and is ended when that
// is over, and not before.
func TestInterrupt(t *testing.T) {
	r := inTheCloud(t)
	r.mustLaunch(2)
	service := r.bed.cloud.server("web-2").URL()
	for path, want := range map[string]string{"tags/instance/Name": "web-2", "placement/availability-zone": "eu-central-1b", "instance-type": "t3.small"} {
		if got, status := asks(t, service, path); got != want || status != http.StatusOK {
			t.Errorf("%s: %d %q, want %q", path, status, got, want)
		}
	}
	if got, status := asks(t, service, "spot/instance-action"); status != http.StatusNotFound {
		t.Errorf("a notice before there is one: %d %q", status, got)
	}
	const notice = 300 * time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- r.interrupt(t.Context(), "web-2", notice, true) }()
	for {
		if got, status := asks(t, service, "spot/instance-action"); status == http.StatusOK {
			if !strings.Contains(got, `"action":"terminate"`) {
				t.Errorf("notice: %s", got)
			}
			break
		}
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if r.bed.cloud.server("web-2") != nil {
		t.Error("the service of an instance that is gone is still there")
	}
	if err := r.interrupt(t.Context(), "web-2", notice, true); !endedByOther(err) {
		t.Errorf("once more: %v", err)
	}
	events := r.close()
	got := eventsOf(events, "web-2")
	if got[0] != "birth" || got[1] != "ready" || got[2] != "serving" {
		t.Errorf("%v", got)
	}
	want := []string{"asked identity", "told identity", "asked tags", "told tags", "asked notice", "noticed", "draining", "told notice", "signalled SIGTERM", "death", "removed"}
	slices.Sort(want)
	rest := slices.Clone(got[3:])
	slices.Sort(rest)
	if diff := cmp.Diff(want, rest); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	at := map[record.Kind]record.Event{}
	for _, e := range events {
		if e.Instance == "web-2" {
			at[e.Kind] = e
		}
	}
	if e := at[record.Noticed]; e.Deadline-e.At != notice || at[record.Signalled].At < e.Deadline {
		t.Errorf("noticed at %v, until %v, SIGTERM at %v", e.At, e.Deadline, at[record.Signalled].At)
	}
	who := at[record.Birth].Cloud
	if who == nil || who.Zone != "eu-central-1b" || who.Type != "t3.small" || !strings.HasPrefix(who.ID, "i-0") || len(who.ID) != 19 || who.Launched.IsZero() {
		t.Fatalf("birth: %+v", who)
	}
	if diff := cmp.Diff(map[string]string{"Name": "web-2", "role": "web"}, who.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

// One that ends by itself before the deadline gets no signal, and is nobody's loss.
func TestWhoLeavesOnNoticeGetsNoSignal(t *testing.T) {
	r := inTheCloud(t)
	r.mustLaunch(1)
	handles, err := r.lives.find("web-1")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.interrupt(t.Context(), "web-1", time.Minute, false) }()
	for asked := r.bed.cloud.server("web-1").URL(); ; {
		if _, status := asks(t, asked, "spot/instance-action"); status == http.StatusOK {
			break
		}
	}
	if err := handles[0].Signal(t.Context(), compose.Terminate); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, e := range r.close() {
		if e.Kind == record.Signalled || e.Kind == record.Draining || e.Kind == record.Death && !e.Expected {
			t.Errorf("%+v", e)
		}
	}
}

// busy is a load balancer that does not get rid of an instance's requests.
type busy struct{ pool }

func (busy) drain(ctx context.Context, name string) error {
	<-ctx.Done()
	return fmt.Errorf("%s still has 1 request in flight: %w", name, ctx.Err())
}

// A cloud does not wait for requests that do not end, and a step that is called off ends nobody.
func TestANoticeIsNotLongerThanItSays(t *testing.T) {
	r := inTheCloud(t)
	r.mustLaunch(2)
	r.pool = busy{r.rack}
	if err := r.interrupt(t.Context(), "web-1", 100*time.Millisecond, true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.interrupt(ctx, "web-2", time.Minute, true); err == nil || !strings.Contains(err.Error(), "still has 1 request in flight") {
		t.Errorf("called off: %v", err)
	}
	count := map[record.Kind]int{}
	for _, e := range r.close() {
		count[e.Kind]++
	}
	if count[record.Signalled] != 1 || count[record.Noticed] != 2 {
		t.Errorf("%v", count)
	}
}

// Without a cloud nothing is told, journalled or given.
func TestWithoutACloud(t *testing.T) {
	r := newRig(t)
	r.mustLaunch(1)
	if err := r.interrupt(t.Context(), "web-1", time.Second, true); err == nil || !strings.Contains(err.Error(), "web-1: no metadata service gives it notice; want stack: {cloud: yes}") {
		t.Errorf("%v", err)
	}
	instance, err := r.describe(script.Web{Command: []string{"web"}}, 2, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if at, told := instance.Env[metadataVariable]; told {
		t.Errorf("it is told of a metadata service at %s", at)
	}
	for _, e := range r.close() {
		if e.Cloud != nil {
			t.Errorf("%+v", e)
		}
	}
}

// draining is a pool that calls something when an instance is taken out of it.
type draining struct {
	*rack
	do func(name string)
}

func (d draining) drain(ctx context.Context, name string) error {
	d.do(name)
	return d.rack.drain(ctx, name)
}

// Whom an autoscaler ends learns from the metadata service that its group ends it, while it is taken out of the load balancer; of
// an interruption it is told nothing, for it is none. Who is terminated by hand is told neither.
func TestScaleInIsTold(t *testing.T) {
	r := inTheCloud(t)
	told := map[string]string{}
	r.pool = draining{r.rack, func(name string) {
		state, _ := asks(t, r.bed.cloud.server(name).URL(), "autoscaling/target-lifecycle-state")
		_, status := asks(t, r.bed.cloud.server(name).URL(), "spot/instance-action")
		told[name] = fmt.Sprint(state, " ", status)
	}}
	r.mustLaunch(3)
	if err := r.terminate(t.Context(), "web-1", true); err != nil {
		t.Fatal(err)
	}
	s := scale(t, r, autoscale.Policy{Min: 1, Max: 3})
	s.tell(60)
	s.until("web-2")
	s.decisions()
	if diff := cmp.Diff(map[string]string{"web-1": "InService 404", "web-3": "Terminated 404"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
