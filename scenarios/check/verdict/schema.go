package verdict

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// headings are where docs/VERDICT.md has the keys of each object.
var headings = map[reflect.Type]string{
	reflect.TypeFor[Verdict](): "The verdict", reflect.TypeFor[Phase](): "phases", reflect.TypeFor[Finding](): "findings",
	reflect.TypeFor[Explanation](): "explanations", reflect.TypeFor[Ledger](): "ledger_entries", reflect.TypeFor[Residual](): "residuals",
	reflect.TypeFor[Alert](): "alerts", reflect.TypeFor[Cells](): "cells", reflect.TypeFor[Waiver](): "waived", reflect.TypeFor[Version](): "web_versions",
}

// Schema is verdict.json as a JSON Schema (draft 2020-12), made of the types that are written. about gives what the
// documentation says of a key, by the heading that it stands under; "" where it says nothing. Further keys are no
// mistake: they are what a later version may add.
func Schema(about func(heading, key string) string) ([]byte, error) {
	root, err := schemaOf(reflect.TypeFor[Verdict](), about)
	if err != nil {
		return nil, err
	}
	root["$schema"], root["title"] = "https://json-schema.org/draft/2020-12/schema", "verdict.json of Throughline"
	root["properties"].(map[string]any)["version"] = map[string]any{"const": Format, "description": "of this format"}
	return json.MarshalIndent(root, "", "  ")
}

// schemaOf is what encoding/json makes of a type.
func schemaOf(t reflect.Type, about func(heading, key string) string) (map[string]any, error) {
	switch t {
	case reflect.TypeFor[Outcome]():
		return map[string]any{"enum": []string{Pass.String(), Fail.String(), Inconclusive.String()}}, nil
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}, nil
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}, nil
	case reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}, nil
	case reflect.Float64:
		return map[string]any{"type": "number"}, nil
	case reflect.String:
		return map[string]any{"type": "string"}, nil
	case reflect.Slice:
		items, err := schemaOf(t.Elem(), about)
		return map[string]any{"type": "array", "items": items}, err
	case reflect.Map:
		values, err := schemaOf(t.Elem(), about)
		return map[string]any{"type": "object", "additionalProperties": values}, err
	case reflect.Struct:
		return schemaOfStruct(t, about)
	}
	return nil, fmt.Errorf("%v: a type that the schema of verdict.json has no word for", t)
}

func schemaOfStruct(t reflect.Type, about func(heading, key string) string) (map[string]any, error) {
	properties, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		key, more, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		of, err := schemaOf(t.Field(i).Type, about)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if !strings.Contains(more, "omit") {
			required = append(required, key)
		}
		if heading := headings[t]; about != nil && heading != "" {
			if text := about(heading, key); text != "" {
				of["description"] = text
			}
		}
		properties[key] = of
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}, nil
}
