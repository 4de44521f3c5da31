package docs

import (
	"regexp"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	for word, want := range map[string]struct{ group, line, within string }{
		"acked":           {"Columns and rows of the report", "Acknowledged: the user got a 2xx.", "in every other ledger"},
		"Client window":   {"Findings", "How long a StatsD client may hold a count before it sends it, as the scenario declares it (client_window; datadog-go: 100 ms).", "SIGKILL"},
		"client_window":   {"Findings", "", ""},
		"load balancer":   {"Layers and ledgers", "HAProxy, as it tells of itself.", "stitched over reloads"},
		"lb":              {"Layers and ledgers", "HAProxy, as it tells of itself.", ""},
		"conservation":    {"The checks that a scenario asks for", "Users and metric count the same requests, each once, per instance and in total.", "In a scenario:\n\nchecks:"},
		"lost-on-exit":    {"Too few are counted", "An instance loses its last counts at a graceful exit.", "Flush on exit"},
		"requests":        {"Columns and rows of the report", "As a row: how many requests users sent, on all routes.", "As a check"},
		"lb 2xx":          {"Columns and rows of the report", "", ""},
		"residuals":       {"Columns and rows of the report", "", ""},
		"hop":             {"The checks of every run", "", ""},
		"not-such-a-word": {},
	} {
		e, known := Explain(word)
		if known != (want.group != "") {
			t.Errorf("%s: known %v", word, known)
			continue
		}
		if e.Group != want.group || !strings.Contains(e.Text, want.within) || want.line != "" && e.Line() != want.line {
			t.Errorf("%s: group %q, line %q, want %+v, in\n%s", word, e.Group, e.Line(), want, e.Text)
		}
	}
}

func TestExplainAll(t *testing.T) {
	for words, want := range map[string][2]string{
		"acked":                  {"acked", ""},
		"client window":          {"client-window", ""}, // one entry together
		"lost-on-exit residual":  {"lost-on-exit residual", ""},
		"nothing acked whatever": {"acked", "nothing whatever"},
	} {
		found, unknown := ExplainAll(strings.Fields(words))
		var names []string
		for _, e := range found {
			names = append(names, e.Word)
		}
		if got := [2]string{strings.Join(names, " "), strings.Join(unknown, " ")}; got != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
}

// TestGlossaryIsWhole: each word stands once, however it is spelled, with a text that
// begins with a sentence, and without markup.
func TestGlossaryIsWhole(t *testing.T) {
	all := Glossary()
	if len(all) < 120 {
		t.Fatalf("only %d entries", len(all))
	}
	markup := regexp.MustCompile("\\]\\(|`")
	seen := map[string]string{}
	for _, e := range all {
		own := map[string]bool{}
		for _, word := range append([]string{e.Word}, e.Also...) {
			own[spelled(word)] = true
		}
		for word := range own {
			if other, twice := seen[word]; twice {
				t.Errorf("%s stands under %q and under %q", word, other, e.Group)
			}
			seen[word] = e.Group
		}
		if e.Group == "" || len(e.Line()) < 8 || len(e.Line()) > 330 || markup.MatchString(e.Text) {
			t.Errorf("%s: group %q, line %q, in\n%s", e.Word, e.Group, e.Line(), e.Text)
		}
	}
}
