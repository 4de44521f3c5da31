package record

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A request comes to users, load balancer, web and database in this order, and no two of
// them have a word, a role, a name or a series in common.
func TestTiers(t *testing.T) {
	all := AllTiers()
	var layers []string
	for i, a := range all {
		layers = append(layers, a.Layer)
		if a.Title == "" || a.Counter == "" {
			t.Errorf("%s: nobody can tell what it is: %+v", a.Layer, a)
		}
		for _, b := range all[i+1:] {
			if a.Layer == b.Layer || a.Title == b.Title || a.Role == b.Role || a.Stem == b.Stem {
				t.Errorf("%+v and %+v have a word in common", a, b)
			}
			for _, prefix := range b.Series {
				if a.Holds(prefix) {
					t.Errorf("%s and %s both count in %s", a.Layer, b.Layer, prefix)
				}
			}
		}
		if a.Answers != "" && !a.Holds(a.Answers) {
			t.Errorf("%s counts answers in %s, which is none of its series", a.Layer, a.Answers)
		}
	}
	if got := strings.Join(layers, " "); got != "users lb httpd web db" {
		t.Errorf("the tiers are %s", got)
	}
	if got := all.Of(LayerDB).Name(1) + " " + all.Of(LayerLB).Name(1) + " " + all.Of(LayerWeb).Name(12); got != "mongo-1 haproxy-1 web-12" {
		t.Errorf("instances are called %s", got)
	}
	if none := all.Of("cache"); none.Layer != "" || none.Holds("haproxy_frontend_req_tot") {
		t.Errorf("a tier that is not there: %+v", none)
	}
}

// Whose a series of a real record is, its name tells: a tier's, or that of who is no tier
// (a host and its agents, the collector itself) or tells what is no count of requests.
func TestEverySeriesIsSomebodys(t *testing.T) {
	dirs, err := filepath.Glob("../testdata/records/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no saved records: %v", err)
	}
	aside := Tier{Series: []string{CollectorPrefix, "host_", "agent_", "mongodb_"}}
	used := map[string]bool{}
	for _, dir := range dirs {
		h, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range h.Series {
			owner := ""
			for _, tier := range append(AllTiers(), aside) {
				if s.Meta.Sent == "" && tier.Holds(s.Name) {
					owner = tier.Layer + " "
					used[tier.Layer] = true
					break
				}
			}
			if s.Meta.Sent == "" && owner == "" {
				t.Errorf("%s: nobody knows whose series %s is", dir, s.Name)
			}
		}
	}
	for _, tier := range AllTiers() {
		if len(tier.Series) > 0 && !used[tier.Layer] && !tier.Optional {
			t.Errorf("no saved record has a series of %s: %q", tier.Layer, tier.Series)
		}
	}
}

// Judge, runner and reports have the names of series from here: else a tier that counts in
// others would be changed in one place and forgotten in the next.
func TestNamesOfSeriesStandHere(t *testing.T) {
	literal := regexp.MustCompile(`"(haproxy|mongodb|host|agent|throughline_collector)_`)
	looked := 0
	for _, dir := range []string{"check", "report", "run", "gallery", "trial"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if found := literal.Find(text); found != nil {
				t.Errorf("%s writes %s… itself: have it in sources.go", path, found)
			}
			looked++
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if looked < 100 {
		t.Errorf("only %d files were looked at", looked)
	}
}

// A tier that not every stack has is one of a run whose journal knows an instance of it, and
// the others are of every run.
func TestTiersInARun(t *testing.T) {
	gate := Tier{Layer: "gate", Title: "gate", Role: "gate", Stem: "gate-", Optional: true}
	all := append(AllTiers(), gate)
	layers := func(h History) (out []string) {
		for _, t := range all.In(h) {
			out = append(out, t.Layer)
		}
		return out
	}
	if got := layers(History{Events: []Event{{Kind: Birth, Role: Web}, {Kind: Death, Role: "gate"}}}); strings.Join(got, " ") != "users lb web db" {
		t.Errorf("without a gate: %q", got)
	}
	if got := layers(History{Events: []Event{{Kind: Birth, Role: "gate"}}}); strings.Join(got, " ") != "users lb web db gate" {
		t.Errorf("with a gate: %q", got)
	}
}
