package script_test

import (
	"strings"
	"testing"

	"throughline/scenarios/script"
)

const withBeacons = `scenario: x
stack: {web: {instances: 3}}
load: {rate: 200/s, beacons: BEACONS}
phases: [{phase: one, do: [STEP], for: 8s}]
checks: [{beacons: CHECK}]
`

func parseBeacons(beacons, step, check string) (script.Scenario, error) {
	text := strings.NewReplacer("BEACONS", beacons, "STEP", step, "CHECK", check).Replace(withBeacons)
	return script.Parse("x.yaml", []byte(text), script.Options{})
}

func TestBeacons(t *testing.T) {
	for beacons, want := range map[string]script.Beacons{
		"{}":                                 {Share: 0.9, Form: "text"},
		"{share: 1, form: json}":             {Share: 1, Form: "json"},
		"{form: text, defect: wrong-origin}": {Share: 0.9, Form: "text", Defect: "wrong-origin"},
	} {
		s, err := parseBeacons(beacons, "{fault: restart-collector}", "{}")
		if err != nil || s.Load.Beacons != want || !s.Load.Beacons.Any() {
			t.Errorf("%s: %+v, %v, want %+v", beacons, s.Load.Beacons, err, want)
		}
	}
	if (script.Load{}).Beacons.Any() {
		t.Error("a load without beacons sends some")
	}
}

func TestRefusedBeacons(t *testing.T) {
	for _, c := range []struct{ beacons, step, check, want string }{
		{"{share: 0}", "{launch: 1}", "{}", "load.beacons.share: want a number above 0 and at most 1, got 0"},
		{"{form: xml}", "{launch: 1}", "{}", `load.beacons.form: unknown "xml": want one of text, json`},
		{"{defect: twize}", "{launch: 1}", "{}", `load.beacons.defect: unknown "twize": did you mean "twice"?`},
		{"{shar: 1}", "{launch: 1}", "{}", `load.beacons: unknown key "shar": did you mean "share"?`},
		{"yes", "{launch: 1}", "{}", "load.beacons: want keys and values (share, form, defect)"},
		{"{}", "{fault: kill-collector}", "{}", "load.beacons: a collector that a step kills takes no beacons: use restart-collector, or leave the beacons out"},
		{"{share: 0.5}", "{launch: 1}", "{share: 0.6}", "beacons.share: is more than the share of the users who send any, 0.5"},
		{"{}", "{launch: 1}", "{web: app.time}", "beacons.web: of which pages does it measure the requests? add route"},
		{"{}", "{launch: 1}", "{route: isnert}", `beacons.route: no route "isnert": did you mean "insert"?`},
	} {
		_, err := parseBeacons(c.beacons, c.step, c.check)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v\nwant %s", c.beacons, c.check, err, c.want)
		}
	}
}
