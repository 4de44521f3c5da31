package verdict

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// docs/VERDICT.md has each key of verdict.json in the table of its object, and no other.
func TestEveryKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/VERDICT.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range regexp.MustCompile(`(?m)^##+ `).Split(string(text), -1) {
		name, body, _ := strings.Cut(section, "\n")
		sections[name] = body
	}
	for name, of := range map[string]reflect.Type{
		"The verdict": reflect.TypeFor[Verdict](), "phases": reflect.TypeFor[Phase](), "findings": reflect.TypeFor[Finding](), "explanations": reflect.TypeFor[Explanation](),
		"ledger_entries": reflect.TypeFor[Ledger](), "residuals": reflect.TypeFor[Residual](), "alerts": reflect.TypeFor[Alert](), "cells": reflect.TypeFor[Cells](), "waived": reflect.TypeFor[Waiver](),
	} {
		table, _, _ := strings.Cut(sections[name], "\n\nThe counts:")
		documented := map[string]bool{}
		for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(table, -1) {
			for _, key := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
				documented[key[1]] = true
			}
		}
		for _, key := range keysOf(of) {
			if !documented[key] {
				t.Errorf("%s: no row for %s", name, key)
			}
			delete(documented, key)
		}
		for key := range documented {
			t.Errorf("%s: %s is documented, and is not there", name, key)
		}
	}
	for _, of := range []any{UsersLedger{}, LBLedger{}, WebLedger{}, DBLedger{}, Ledgers{}} {
		for _, key := range keysOf(reflect.TypeOf(of)) {
			if !strings.Contains(sections["ledgers"], "`"+key+"`") {
				t.Errorf("ledgers: not a word of %s", key)
			}
		}
	}
}

// keysOf are the keys that a struct has in JSON.
func keysOf(of reflect.Type) (keys []string) {
	for i := range of.NumField() {
		key, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}
