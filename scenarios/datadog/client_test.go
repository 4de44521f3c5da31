//go:build !race

package datadog

// Datadog's own client is 80 seconds of compiling: it is not compiled a second time with the race detector, which has
// nothing to see here. The Makefile runs this package without it as well.

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/DataDog/datadog-api-client-go/v2/api/datadogV1"

	"throughline/compose/config"
	"throughline/scenarios"
	"throughline/scenarios/script"
)

var update = flag.Bool("update", false, "write compose/datadog anew")

// nonsense is all that Datadog's client took without understanding it, all the way down: objects that it could not read, and
// keys that it does not know. An error it gives for missing fields alone.
func nonsense(v reflect.Value, path string) (all []string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			all = nonsense(v.Elem(), path)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			all = append(all, nonsense(v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			all = append(all, nonsense(v.MapIndex(key), fmt.Sprintf("%s[%v]", path, key))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if (name == "UnparsedObject" || name == "AdditionalProperties") && !v.Field(i).IsZero() && (v.Field(i).Kind() != reflect.Map || v.Field(i).Len() > 0) {
				all = append(all, fmt.Sprintf("%s.%s: %v", path, name, v.Field(i)))
				continue
			}
			all = append(all, nonsense(v.Field(i), path+"."+name)...)
		}
	}
	return all
}

// readBy has Datadog's client read JSON as T, and tells what it did not understand.
func readBy[T any](text []byte) (of T, all []string, err error) {
	err = json.Unmarshal(text, &of)
	return of, nonsense(reflect.ValueOf(of), ""), err
}

// understood tells what Datadog's client does not understand of an export.
func understood(e Export) (all []string) {
	note := func(what string, more []string, err error) {
		if err != nil {
			all = append(all, what+": "+err.Error())
		}
		for _, m := range more {
			all = append(all, what+m)
		}
	}
	text, err := json.Marshal(e.Dashboard)
	note("dashboard", nil, err)
	dashboard, more, err := readBy[datadogV1.Dashboard](text)
	note("dashboard", more, err)
	if len(dashboard.Widgets) != len(e.Dashboard.Widgets) {
		all = append(all, fmt.Sprintf("dashboard: %d of %d widgets were read", len(dashboard.Widgets), len(e.Dashboard.Widgets)))
	}
	for _, m := range e.Monitors {
		text, err := json.Marshal(m)
		note("monitor "+m.Name, nil, err)
		_, more, err := readBy[datadogV1.Monitor](text)
		note("monitor "+m.Name, more, err)
	}
	return all
}

func exports(t *testing.T) map[string]Export {
	t.Helper()
	source, err := config.Read(config.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := OfRules(config.Alerts, source)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Export{config.Alerts: rules}
	for _, name := range scenarios.Names() {
		text, err := scenarios.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := script.Parse(name, text, script.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.Rules = map[string]string{config.Alerts: string(source)}
		if all[name], err = Of(s); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestDatadogUnderstands: Datadog's own types have a field for every key, and a meaning for every word, of what is exported of
// the rules and of every built-in scenario.
func TestDatadogUnderstands(t *testing.T) {
	for name, e := range exports(t) {
		for _, complaint := range understood(e) {
			t.Errorf("%s: %s", name, complaint)
		}
	}
}

// TestNonsenseIsFound: what Datadog's client takes in silence is found wherever it stands.
func TestNonsenseIsFound(t *testing.T) {
	for what, text := range map[string]string{
		"layout_type of no meaning": `{"title": "t", "layout_type": "sideways", "widgets": []}`,
		"a key misspelt":            `{"title": "t", "layout_type": "ordered", "reflowtype": "auto", "widgets": []}`,
		"a widget of no type":       `{"title": "t", "layout_type": "ordered", "widgets": [{"definition": {"type": "pie_in_the_sky"}}]}`,
		"a request misspelt":        `{"title": "t", "layout_type": "ordered", "widgets": [{"definition": {"type": "timeseries", "requests": [{"q": "x", "display_tpye": "line"}]}}]}`,
		"a display of no type":      `{"title": "t", "layout_type": "ordered", "widgets": [{"definition": {"type": "timeseries", "requests": [{"q": "x", "display_type": "sticks"}]}}]}`,
		"no requests":               `{"title": "t", "layout_type": "ordered", "widgets": [{"definition": {"type": "timeseries"}}]}`,
	} {
		if _, found, err := readBy[datadogV1.Dashboard]([]byte(text)); err != nil || len(found) == 0 {
			t.Errorf("%s: %v, %v", what, found, err)
		}
	}
	for what, text := range map[string]string{
		"a type of no meaning":   `{"type": "loud alert", "query": "q"}`,
		"a key misspelt":         `{"type": "query alert", "query": "q", "mesage": "m"}`,
		"an option misspelt":     `{"type": "query alert", "query": "q", "options": {"notify_nodata": true}}`,
		"a threshold misspelt":   `{"type": "query alert", "query": "q", "options": {"thresholds": {"critcal": 1}}}`,
		"an option of no number": `{"type": "query alert", "query": "q", "options": {"new_group_delay": "soon"}}`,
	} {
		if _, found, err := readBy[datadogV1.Monitor]([]byte(text)); err == nil && len(found) == 0 {
			t.Errorf("%s: nothing is found", what)
		}
	}
}

// TestComposeDatadog: compose/datadog is what is exported of the rules of compose/config. With -update it is written.
func TestComposeDatadog(t *testing.T) {
	const dir = "../../compose/datadog"
	e := exports(t)[config.Alerts]
	want := map[string]string{"dashboard.json": written(t, e.Dashboard), "monitors.json": written(t, e.Monitors)}
	for name, text := range want {
		path := filepath.Join(dir, name)
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s is not what is exported (%v): go test ./scenarios/datadog -update writes it anew", path, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, known := want[f.Name()]; !known && !slices.Contains([]string{"README.md"}, f.Name()) {
			t.Errorf("%s/%s comes from nowhere", dir, f.Name())
		}
	}
}

func written(t *testing.T, of any) string {
	t.Helper()
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(of); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
