package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/scenarios/script"
)

// inCloud is a refused one whose step is done in a cloud, in line 9.
func inCloud(name, step, want string) refused {
	return refused{name, "  web: {instances: 3}\nload: {rate: 200/s}\nphases:\n  - phase: warm-up\n    for: 8s\n",
		"  web: {instances: 3}\n  cloud: yes\nload: {rate: 200/s}\nphases:\n  - phase: warm-up\n    for: 8s\n    do: [" + step + "]\n", []string{want}}
}

var refusedInterrupts = []refused{
	{"interrupted in no cloud", "    for: 8s\n", "    for: 8s\n    do: {interrupt: web-1}\n",
		[]string{`8:21: interrupt web-1, notice: 2s: nobody gives notice here: want stack: {cloud: yes}, where a metadata service does`}},
	{"half a cloud", "{instances: 3}", "{instances: 3}\n  cloud: maybe", []string{`4:10: stack.cloud: unknown "maybe": want one of yes, no`}},
	{"the address of the metadata service", "{instances: 3}", "{instances: 3, env: {AWS_EC2_METADATA_SERVICE_ENDPOINT: x}}\n  cloud: yes",
		[]string{`3:29: stack.web.env: AWS_EC2_METADATA_SERVICE_ENDPOINT is set for each instance by the stack, in a cloud: choose another name`}},
	inCloud("who is not there", "{interrupt: web-4}", `9:22: interrupt web-4, notice: 2s: no such instance at that point (have web-1, web-2, web-3)`),
	inCloud("who was interrupted", "{interrupt: web-2}, {kill: web-2}", `9:37: kill web-2: no such instance at that point (have web-1, web-3)`),
	inCloud("too long a notice", "{interrupt: web-2, notice: 3m}", `9:37: do.notice: 3m is out of range: want 1ms to 2m`),
	inCloud("no notice", "{interrupt: web-2, notice: 0s}", `9:37: do.notice: 0s is out of range: want 1ms to 24h`),
	inCloud("over with the notice", "{interrupt: web-2, notice: 5s, within: 5s}", `9:49: do.within: 5s is over when the notice of 5s is: want longer`),
	inCloud("over before the usual notice", "{interrupt: web-2, within: 1s}", `9:37: do.within: 1s is over when the notice of 2s is: want longer`),
	inCloud("a notice of a kill", "{kill: web-2, notice: 5s}", `9:32: do.notice: kill has no notice: it belongs to interrupt`),
	inCloud("half drained", "{interrupt: web-2, drain: half}", `9:36: do.drain: unknown "half": want one of yes, no`),
}

// TestInterruptions: a step has the notice in its time, and the scenario needs a metadata service.
func TestInterruptions(t *testing.T) {
	for source, want := range map[string]script.Step{
		"{interrupt: web-2}":                             {Move: script.Interrupt{Instance: "web-2", Notice: 2 * time.Second}, Within: 27 * time.Second},
		"{interrupt: newest, notice: 1m}":                {Move: script.Interrupt{Instance: "newest", Notice: time.Minute}, Within: 85 * time.Second},
		"{interrupt: any, drain: no, within: 3s}":        {Move: script.Interrupt{Instance: "any", Notice: 2 * time.Second, Abrupt: true}, Within: 3 * time.Second},
		"{interrupt: oldest, drain: yes, notice: 500ms}": {Move: script.Interrupt{Instance: "oldest", Notice: 500 * time.Millisecond}, Within: 25500 * time.Millisecond},
	} {
		file := strings.NewReplacer("{instances: 3}", "{instances: 3}\n  cloud: yes", "    for: 8s\n", "    for: 8s\n    do: ["+source+"]\n").Replace(smallest)
		s, err := script.Parse("demo.yaml", []byte(file), defects)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if diff := cmp.Diff([]script.Step{want}, s.Phases[0].Do, cmpopts.IgnoreFields(script.Step{}, "Pos")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
		if !s.Stack.Cloud || !s.Needs(script.Metadata) {
			t.Errorf("%s: cloud %v, needs a metadata service %v", source, s.Stack.Cloud, s.Needs(script.Metadata))
		}
	}
	s, err := script.Parse("demo.yaml", []byte(smallest), defects)
	if err != nil || s.Stack.Cloud || s.Needs(script.Metadata) {
		t.Errorf("without the line: %v, %v", s.Stack.Cloud, err)
	}
}
