package compose_test

import (
	"strings"
	"testing"

	"throughline/compose"
)

func TestTheProbeOfAnAgent(t *testing.T) {
	i := command("agent-2")
	i.Ports, i.StatsD = map[string]int{"http": 0, "statsd": 0}, "127.0.0.1:8125"
	i.Program.Command = []string{"agent", "{{.StatsDHost}}:{{.StatsDPort}}"}
	i.Ready.Datagrams = "statsd"
	if port, err := i.ProbePort(); port != "" || err != nil {
		t.Errorf("datagrams alone: %q, %v", port, err)
	}
	i.Ready.Port = "http"
	if port, err := i.ProbePort(); port != "http" || err != nil {
		t.Errorf("both: %q, %v", port, err)
	}
	if got, err := i.Expand(compose.Place{}); err != nil || got.Program.Command[1] != i.StatsD {
		t.Errorf("%v, %v", got.Program.Command, err)
	}
	i.StatsD = ""
	if _, err := i.Expand(compose.Place{}); err == nil || !strings.Contains(err.Error(), "only an agent sends on") {
		t.Errorf("it is no agent: %v", err)
	}
	i.Ready.Datagrams = "udp"
	if err := i.Validate(); err == nil || !strings.Contains(err.Error(), `sends datagrams to port "udp"`) {
		t.Errorf("no such port: %v", err)
	}
}
