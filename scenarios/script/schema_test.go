package script_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"throughline/scenarios/script"
)

// compiled is the schema of the language.
func compiled(t *testing.T, o script.Options) (*jsonschema.Schema, map[string]any) {
	t.Helper()
	source, err := script.Schema(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("scenario.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	return s, document.(map[string]any)
}

// against holds a file against the schema, as an editor does.
func against(s *jsonschema.Schema, source string) error {
	var document any
	if err := yaml.Unmarshal([]byte(source), &document); err != nil {
		return fmt.Errorf("no YAML: %w", err)
	}
	asJSON, err := json.Marshal(document)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

// What the reader takes, the schema takes: the scenarios of the library, of the examples and of the document.
func TestSchemaTakesWhatTheReaderTakes(t *testing.T) {
	s, _ := compiled(t, script.Options{})
	sources := map[string]string{}
	for _, pattern := range []string{"../*.yaml", "../../docs/examples/*/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if filepath.Base(file) == "compose.yaml" {
				continue // Docker Compose's, of a stack that is there
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources[file] = string(text)
		}
	}
	if len(sources) < 20 {
		t.Fatalf("only %d files were found", len(sources))
	}
	for _, b := range blocks(t) {
		switch b.kind {
		case "yaml":
			sources[fmt.Sprintf("%s:%d", document, b.line)] = b.text
		case "yaml fragment":
			sources[fmt.Sprintf("%s:%d", document, b.line)] = complete(b.text)
		}
	}
	for name, source := range sources {
		if _, err := script.Parse(name, []byte(source), script.Options{}); err != nil {
			t.Errorf("%s: the reader refuses it: %v", name, err)
		}
		if err := against(s, source); err != nil {
			t.Errorf("%s: the schema refuses it: %v", name, err)
		}
	}
}

// Of the files that the reader refuses, the schema refuses what is wrong by itself: most of them. What two places of a file say
// of each other, it cannot know.
func TestSchemaRefuses(t *testing.T) {
	s, _ := compiled(t, defects)
	refused, all := map[string]int{}, map[string]int{}
	for topic, cases := range refusals() {
		for _, r := range cases {
			source := r.source(t)
			if all[topic]++; against(s, source) != nil {
				refused[topic]++
			}
		}
	}
	for topic, share := range map[string]float64{"keys": 0.9, "text": 0.5, "stack": 0.6, "load": 0.5, "phases": 0.5, "steps": 0.3, "faults": 0.3, "checks": 0.5, "promises": 0.5, "waivers": 0.3, "autoscale": 0.35} {
		if got := float64(refused[topic]) / float64(all[topic]); got < share {
			t.Errorf("%s: the schema refuses %d of %d files that the reader refuses", topic, refused[topic], all[topic])
		}
	}
	for what, change := range map[string][2]string{
		"an unknown key":           {"about:", "abuot:"},
		"an unknown check":         {"conservation:", "conversation:"},
		"two checks in one":        {"{conservation: {metric: fullstack.insert}}", "{conservation: {metric: fullstack.insert}, hygiene: {growth: 0}}"},
		"a rate without unit":      {"rate: 100/s", "rate: 100"},
		"a shape's missing key":    {"rate: 100/s", "rate: 100/s, shape: sine, swing: 5/s"},
		"a key of another shape":   {"rate: 100/s", "rate: 100/s, period: 5s"},
		"a phase without length":   {"for: 10s", "do: {kill: web-1}"},
		"two steps in one":         {"for: 10s", "for: 10s, do: {kill: web-1, launch: 1}"},
		"no step":                  {"for: 10s", "for: 10s, do: {within: 1s}"},
		"a key of another step":    {"for: 10s", "for: 10s, do: {kill: web-1, cpus: 1}"},
		"an unknown fault":         {"for: 10s", "for: 10s, do: {fault: freese}"},
		"a key of another fault":   {"for: 10s", "for: 10s, do: {fault: freeze, share: 0.5}"},
		"a fault without its hop":  {"for: 10s", "for: 10s, do: {fault: cut-network}"},
		"a share of more than all": {"for: 10s", "for: 10s, do: {fault: drop-datagrams, share: 1.5}"},
		"a duration without unit":  {"for: 10s", "for: 10"},
		"a phase called run":       {"phase: steady", "phase: run"},
		"no metric":                {"{metric: fullstack.insert}", "{route: insert}"},
		"a metric with a space":    {"metric: fullstack.insert", "metric: 'fullstack insert'"},
		"neither fires nor silent": {"{conservation: {metric: fullstack.insert}}", "{alert: {name: A, expr: up}}"},
		"an alert of two homes":    {"{conservation: {metric: fullstack.insert}}", "{alert: {file: a.yml, expr: up, silent: [run]}}"},
		"one layer":                {"{conservation: {metric: fullstack.insert}}", "{correlation: {layers: [users], at_least: 0.9}}"},
		"a mapping where text is":  {"metric: fullstack.insert", "metric: {a: b}"},
	} {
		source := strings.Replace(least, change[0], change[1], 1)
		if source == least {
			t.Fatalf("%s: %q is not in the file", what, change[0])
		}
		if err := against(s, source); err == nil {
			t.Errorf("%s: the schema takes it:\n%s", what, source)
		}
		if _, err := script.Parse("FILE", []byte(source), script.Options{}); err == nil {
			t.Errorf("%s: the reader takes it:\n%s", what, source)
		}
	}
}

const least = `scenario: least
about: As small as can be.
stack:
  web: {instances: 1}
load: {rate: 100/s}
phases:
  - {phase: steady, for: 10s}
checks:
  - {conservation: {metric: fullstack.insert}}
`

// probe is a place of the language where keys stand: a file that has a key there that nobody knows, and where in the schema
// the object is.
type probe struct {
	change [2]string
	path   string
}

// probes are all such places; each check is one besides.
func probes() []probe {
	all := []probe{
		{[2]string{"about:", "zzz:"}, ""},
		{[2]string{"  web: {instances: 1}", "  web: {instances: 1}\n  zzz: 1"}, "stack"},
		{[2]string{"{instances: 1}", "{instances: 1, zzz: 1}"}, "stack/web"},
		{[2]string{"  web: {instances: 1}", "  web: {instances: 1}\n  roles: {api: {zzz: 1}}"}, "stack/roles/*"},
		{[2]string{"{instances: 1}", "{instances: 1, routes: {a: {zzz: 1}}}"}, "stack/web/routes/*/+"},
		{[2]string{"{instances: 1}", "{instances: 1, metrics: {zzz: 1}}"}, "stack/web/metrics"},
		{[2]string{"  web: {instances: 1}", "  web: {instances: 1}\n  mongo: {zzz: 1}"}, "stack/mongo/+"},
		{[2]string{"  web: {instances: 1}", "  web: {instances: 1}\n  lb: {zzz: 1}"}, "stack/lb"},
		{[2]string{"  web: {instances: 1}", "  web: {instances: 1}\n  collector: {zzz: 1}"}, "stack/collector"},
		{[2]string{"  web: {instances: 1}", "  web: {instances: 1}\n  cloudwatch: {zzz: 1}"}, "stack/cloudwatch"},
		{[2]string{"  web: {instances: 1}", "  web: {instances: 1}\n  agent: {zzz: 1}"}, "stack/agent"},
		{[2]string{"  web: {instances: 1}", "  external: {zzz: 1}"}, "stack/external"},
		{[2]string{"  web: {instances: 1}", "  external: {statsd: {zzz: 1}}"}, "stack/external/statsd"},
		{[2]string{"  web: {instances: 1}", "  external: {do: {zzz: 1}}"}, "stack/external/do"},
		{[2]string{"{conservation: {metric: fullstack.insert}}", "{parity: {metrics: [{zzz: 1}]}}"}, "checks/-/parity/metrics/-/+"},
		{[2]string{"{rate: 100/s}", "{rate: 100/s, zzz: 1}"}, "load"},
		{[2]string{"{rate: 100/s}", "{shape: steps, levels: [{zzz: 1}]}"}, "load/levels/-"},
		{[2]string{"{rate: 100/s}", "{rate: 100/s, beacons: {zzz: 1}}"}, "load/beacons"},
		{[2]string{"phases:", "metrics_from: {zzz: 1}\nphases:"}, "metrics_from"},
		{[2]string{"phases:", "autoscale: {zzz: 1}\nphases:"}, "autoscale"},
		{[2]string{"phases:", "autoscale: {up: {zzz: 1}}\nphases:"}, "autoscale/up"},
		{[2]string{"phases:", "autoscale: {down: {zzz: 1}}\nphases:"}, "autoscale/down"},
		{[2]string{"for: 10s", "for: 10s, zzz: 1"}, "phases/-"},
		{[2]string{"for: 10s", "for: 10s, require: {zzz: 1}"}, "phases/-/require"},
		{[2]string{"for: 10s", "for: 10s, do: {zzz: 1}"}, "phases/-/do/+"},
		{[2]string{"for: 10s", "for: 10s, do: {deploy: {zzz: 1}}"}, "phases/-/do/+/deploy/+"},
		{[2]string{"{conservation: {metric: fullstack.insert}}", "{zzz: 1}"}, "checks/-"},
		{[2]string{"{conservation: {metric: fullstack.insert}}", "{alert: {fires: {zzz: 1}}}"}, "checks/-/alert/fires"},
		{[2]string{"{conservation: {metric: fullstack.insert}}", "{alert: {clears: {zzz: 1}}}"}, "checks/-/alert/clears"},
		{[2]string{"phases:", "waive: [{zzz: 1}]\nphases:"}, "waive/-"},
	}
	for _, kind := range script.CheckKinds() {
		all = append(all, probe{[2]string{"{conservation: {metric: fullstack.insert}}", "{" + kind + ": {zzz: 1}}"}, "checks/-/" + kind})
	}
	return all
}

// at finds an object of the schema: by a key, "-" for what is in a list, "*" for what names lead to, "+" for the alternative that
// has keys.
func at(t *testing.T, s map[string]any, path string) map[string]any {
	t.Helper()
	for _, step := range strings.FieldsFunc(path, func(c rune) bool { return c == '/' }) {
		var next any
		switch step {
		case "-":
			next = s["items"]
		case "*":
			next = s["additionalProperties"]
		case "+":
			alternatives, _ := s["anyOf"].([]any)
			for _, a := range alternatives {
				if a.(map[string]any)["properties"] != nil {
					next = a
				}
			}
		default:
			properties, _ := s["properties"].(map[string]any)
			next = properties[step]
		}
		var ok bool
		if s, ok = next.(map[string]any); !ok {
			t.Fatalf("the schema has nothing at %s of %s", step, path)
		}
	}
	return s
}

// saysKnown is what the reader says of a key that it does not know; of many known ones it names the first, and how many there are.
var saysKnown = regexp.MustCompile(`unknown key "zzz": want one of ([^\n…]+?)(?:, … \((\d+) in all\))?(?:\n|$)`)

// Each object of the schema has the keys that the reader says to know there, and no others.
func TestSchemaHasTheKeysOfTheReader(t *testing.T) {
	_, root := compiled(t, script.Options{})
	seen := map[string]bool{}
	for _, p := range probes() {
		source := strings.Replace(least, p.change[0], p.change[1], 1)
		_, err := script.Parse("FILE", []byte(source), script.Options{})
		var m []string
		if err != nil {
			m = saysKnown.FindStringSubmatch(err.Error())
		}
		if m == nil {
			t.Errorf("%s: the reader does not say which keys it knows: %v", p.path, err)
			continue
		}
		want := strings.Split(m[1], ", ")
		properties, _ := at(t, root, p.path)["properties"].(map[string]any)
		for _, key := range want {
			if properties[key] == nil {
				t.Errorf("%s: the reader knows %s, and the schema does not", p.path, key)
			}
		}
		n := len(want)
		if m[2] != "" {
			n, _ = strconv.Atoi(m[2])
		}
		if len(properties) != n {
			t.Errorf("%s: the schema has %d keys (%v), and the reader knows %d", p.path, len(properties), slices.Sorted(maps.Keys(properties)), n)
		}
		for key, of := range properties {
			seen[key] = true
			if len(of.(map[string]any)) == 0 {
				t.Errorf("%s: %s may be anything: say what it is in schema.go, or beside it", p.path, key)
			}
		}
	}
	for _, key := range known(t) {
		if !seen[key] {
			t.Errorf("the reader knows the key %s, and no object of the schema has it", key)
		}
	}
}

// What the documentation says of a key is its description.
func TestSchemaIsDescribed(t *testing.T) {
	source, err := script.Schema(script.Options{}, func(heading, key string) string {
		if heading == "" || key == "" {
			t.Error("a key without a heading")
		}
		return heading + " " + key
	})
	if err != nil || !bytes.Contains(source, []byte(`"conservation client_window"`)) {
		t.Errorf("no description of client_window (%v)", errors.Join(err))
	}
}
