package run

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector/dogstatsd"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
)

// agent is a socket as a Datadog agent has it.
func agent(t *testing.T) net.PacketConn {
	t.Helper()
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	return peer
}

// lines are what has come to the agent, by kind, as the project's own parser reads it.
func lines(t *testing.T, peer net.PacketConn, want int) (events, checks []string) {
	t.Helper()
	buffer := make([]byte, 65536)
	for range want {
		if err := peer.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := peer.ReadFrom(buffer)
		if err != nil {
			t.Fatalf("%d of %d lines came: %v\n%s\n%s", len(events)+len(checks), want, err, strings.Join(events, "\n"), strings.Join(checks, "\n"))
		}
		var s dogstatsd.Scanner
		s.Reset(buffer[:n])
		switch kind := s.Next(); kind {
		case dogstatsd.Event:
			events = append(events, strings.Join([]string{s.Event.Title, s.Event.Text, s.Event.Alert, string(s.Event.Tags), time.Unix(s.Event.Timestamp, 0).UTC().Format("05")}, " / "))
		case dogstatsd.ServiceCheck:
			checks = append(checks, strings.Join([]string{s.Check.Name, string('0' + s.Check.Status), s.Check.Message, string(s.Check.Tags)}, " / "))
		default:
			t.Errorf("%q is read as kind %v", buffer[:n], kind)
		}
	}
	return events, checks
}

// story is what a run journals of a deploy, a kill, a scaling and a death that nobody asked for.
func story() []record.Event {
	web := func(at time.Duration, kind record.Kind, name string) record.Event {
		return record.Event{At: at, Kind: kind, Instance: name, Role: record.Web, Version: "v2"}
	}
	killed, asked, crashed := web(6*time.Second, record.Death, "web-2"), web(7*time.Second, record.Death, "web-1"), web(8*time.Second, record.Death, "web-3")
	killed.Signal, killed.Code, killed.Expected = "SIGKILL", -1, true
	asked.Expected = true
	crashed.Code = 1
	return []record.Event{
		{Kind: record.RunBegin}, {Kind: record.PhaseBegin, Phase: "p"},
		{At: time.Second, Kind: record.Ready, Instance: "haproxy-1", Role: record.LoadBalancer},
		web(time.Second, record.Birth, "web-2"), web(time.Second, record.Ready, "web-2"), web(2*time.Second, record.Serving, "web-2"),
		{At: 3 * time.Second, Kind: record.StepBegin, Step: "deploy v2", Phase: "p"},
		{At: 5500 * time.Millisecond, Kind: record.StepEnd, Step: "deploy v2", Phase: "p"},
		{At: 6 * time.Second, Kind: record.StepBegin, Step: "kill web-2", Phase: "p"}, killed,
		{At: 7 * time.Second, Kind: record.StepEnd, Step: "kill web-2", Phase: "p", Error: "its port still answers"},
		web(7*time.Second, record.Draining, "web-1"), asked, crashed,
		{At: 9 * time.Second, Kind: record.Decided, Decision: &autoscale.Decision{Had: 3, Wanted: 5, Because: "formula"}},
		{At: 9 * time.Second, Kind: record.Decided, Decision: &autoscale.Decision{Had: 5, Wanted: 5, Because: "formula"}},
	}
}

// TestAnnounced: deploys, kills and scalings come to a real socket as events, and who can serve as service checks.
func TestAnnounced(t *testing.T) {
	peer := agent(t)
	c := Config{Relay: "udp://" + peer.LocalAddr().String(), Run: record.Run{ID: "r1", Scenario: "s", Start: time.Unix(0, 0)}}
	a, err := newAnnouncer(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range story() {
		a.tell(e)
	}
	events, checks := lines(t, peer, 10)
	if lost := a.close(); lost != "" {
		t.Error(lost)
	}
	const run = "scenario:s,run:r1"
	if diff := cmp.Diff([]string{
		`deploy v2 / phase "p"; took effect in 2.5 s / info / ` + run + " / 03",
		`kill web-2 / phase "p"; had no effect: its port still answers / error / ` + run + " / 06",
		"web-3 died / exit status 1, and nobody asked for it / error / " + run + ",instance:web-3,role:web,version:v2 / 08",
		"autoscaler: 3 → 5 instances / 3 → 5 (formula) / info / " + run + " / 09",
	}, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	of := func(name string) string { return " / " + run + ",instance:" + name + ",role:web,version:v2" }
	if diff := cmp.Diff([]string{
		"throughline.instance.serving / 0 / haproxy-1 ready / " + run + ",instance:haproxy-1,role:lb",
		"throughline.instance.serving / 0 / web-2 serves" + of("web-2"),
		"throughline.instance.serving / 2 / web-2 is gone: SIGKILL" + of("web-2"),
		"throughline.instance.serving / 1 / web-1 gets no new requests" + of("web-1"),
		"throughline.instance.serving / 0 / web-1 is gone, as was asked: exit status 0" + of("web-1"),
		"throughline.instance.serving / 2 / web-3 is gone: exit status 1" + of("web-3"),
	}, checks); diff != "" {
		t.Errorf("service checks (-want +got):\n%s", diff)
	}
	if len(events)+len(checks) != 10 {
		t.Errorf("%d lines came", len(events)+len(checks))
	}
}

// TestNothingIsAnnouncedWithoutARelay, nor to one that is away without a word about it.
func TestNothingIsAnnouncedWithoutARelay(t *testing.T) {
	peer := agent(t)
	a, err := newAnnouncer(Config{})
	if a != nil || err != nil {
		t.Fatalf("without a relay there is an announcer: %v, %v", a, err)
	}
	j := &journal{announcer: a}
	for _, e := range story() {
		j.announcer.tell(e)
	}
	if lost := a.close(); lost != "" {
		t.Error(lost)
	}
	if err := peer.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, _, err := peer.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes came", n)
	}
	if _, err := newAnnouncer(Config{Relay: "pigeon://home"}); err == nil || !strings.Contains(err.Error(), "pigeon") {
		t.Errorf("to an address that is none: %v", err)
	}
	gone := agent(t)
	address := gone.LocalAddr().String()
	gone.Close()
	if a, err = newAnnouncer(Config{Relay: address}); err != nil {
		t.Fatal(err)
	}
	a.tell(story()[slices.IndexFunc(story(), func(e record.Event) bool { return e.Kind == record.Serving })])
	if lost := a.close(); !strings.Contains(lost, "1 of 1 events and service checks were not relayed") {
		t.Errorf("to a peer that is away: %q", lost)
	}
}
