package script_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"throughline/scenarios/script"
)

const document = "../../docs/SCENARIOS.md"

// block is a fenced block of the document.
type block struct {
	line int    // of its fence
	kind string // what follows the fence's backticks
	text string
}

func blocks(t *testing.T) []block {
	t.Helper()
	source, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	inside := false
	for i, line := range strings.SplitAfter(string(source), "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !inside:
			found = append(found, block{line: i + 1, kind: strings.TrimSpace(kind)})
			inside = true
		case fence:
			inside = false
		case inside:
			found[len(found)-1].text += line
		}
	}
	if inside {
		t.Fatalf("%s: the last block is not closed", document)
	}
	return found
}

// whole completes a fragment: what it does not have comes from this scenario.
var whole = []struct{ key, text string }{
	{"scenario", "scenario: example\n"},
	{"stack", "stack: {web: {instances: 3}}\n"},
	{"load", "load: {rate: 200/s}\n"},
	{"phases", "phases: [{phase: steady, for: 10s}]\n"},
	{"checks", "checks: [{conservation: {metric: fullstack.insert, route: insert}}]\n"},
}

func complete(fragment string) string {
	for _, part := range whole {
		if !regexp.MustCompile(`(?m)^` + part.key + `:`).MatchString(fragment) {
			fragment += part.text
		}
	}
	return fragment
}

// Every YAML block of the document is what it says: a scenario, a part of one, or a wrong one with the errors that follow.
func TestDocument(t *testing.T) {
	all := blocks(t)
	seen := map[string]int{}
	for i, b := range all {
		seen[b.kind]++
		t.Run(fmt.Sprintf("line %d", b.line), func(t *testing.T) {
			switch b.kind {
			case "yaml", "yaml fragment":
				source := b.text
				if b.kind != "yaml" {
					source = complete(source)
				}
				if _, err := script.Parse("FILE", []byte(source), script.Options{}); err != nil {
					t.Errorf("%v\nin\n%s", err, source)
				}
			case "yaml wrong":
				if i+1 == len(all) || all[i+1].kind != "text" {
					t.Fatal("its errors do not follow")
				}
				_, err := script.Parse("FILE", []byte(b.text), script.Options{})
				if want := strings.TrimSuffix(all[i+1].text, "\n"); err == nil || err.Error() != want {
					t.Errorf("got\n%v\nwant\n%s", err, want)
				}
			case "text":
				if i == 0 || all[i-1].kind != "yaml wrong" {
					t.Error("this follows nothing wrong")
				}
			case "sh":
				now := script.Now{Instances: []string{"web-1", "web-2"}, Versions: script.Versions{
					Known: []script.Web{{Version: "v0"}, {Version: "v1"}}, Past: []string{"v0", "v1"}, Of: map[string]string{"web-1": "v1", "web-2": "v1"}}}
				for line := range strings.Lines(b.text) {
					line, _, _ = strings.Cut(line, "#")
					words, ok := strings.CutPrefix(line, "throughline ctl ")
					if !ok {
						t.Errorf("no move: %q", line)
					}
					if _, _, err := stacked.StepOf(strings.ReplaceAll(words, "'", ""), now); err != nil {
						t.Errorf("%s: %v", line, err)
					}
				}
			default:
				t.Errorf("a block of the kind %q", b.kind)
			}
		})
	}
	if seen["yaml"] < 2 || seen["yaml fragment"] < 10 || seen["yaml wrong"] < 2 {
		t.Errorf("few blocks were found: %v", seen)
	}
}

// known are the keys of every mapping that the reader opens, as its source names them.
func known(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	opened, key := regexp.MustCompile(`\.mapping\(([^\n]*)\)`), regexp.MustCompile(`"([a-z_]+)"`)
	var keys []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range opened.FindAllSubmatch(source, -1) {
			for _, k := range key.FindAllSubmatch(call[1], -1) {
				keys = append(keys, string(k[1]))
			}
		}
	}
	if len(keys) < 80 {
		t.Fatalf("only %d keys were found: %v", len(keys), keys)
	}
	return slices.Concat(keys, script.StepKinds(), script.FaultKeys)
}

// Every key that the reader knows is explained, in a table or a list. That each fault and check is, is asked in
// kinds_test.go at the root.
func TestDocumentNamesEveryKey(t *testing.T) {
	source, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range known(t) {
		if !regexp.MustCompile("`" + key + "[`:]").Match(source) {
			t.Errorf("the key %s is not explained", key)
		}
	}
}
