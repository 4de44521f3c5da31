package metric_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/metric"
)

func TestRefAndBack(t *testing.T) {
	for want, s := range map[metric.Ref]metric.Selection{
		"fullstack.insert":         {Name: "fullstack.insert"},
		"fullstack.insert by otlp": {Name: "fullstack.insert", Way: "otlp"},
		`"odd{name="`:              {Name: "odd{name="},
		`hits{route="/a"|"/b"}`:    {Name: "hits", Where: []metric.Condition{{Label: "route", Values: []string{"/a", "/b"}}}},
		`hits{a.b="2xx", route="/insert/{word}, \"x\""} by scrape`: {Name: "hits", Way: "scrape", Where: []metric.Condition{
			{Label: "a.b", Values: []string{"2xx"}}, {Label: "route", Values: []string{`/insert/{word}, "x"`}}}},
	} {
		if got := s.Ref(); got != want {
			t.Errorf("%+v is written %s, want %s", s, got, want)
		}
		if diff := cmp.Diff(s, want.Selection()); diff != "" {
			t.Errorf("%s is read as (-want +got)\n%s", want, diff)
		}
	}
}

func TestEqualWhateverTheOrder(t *testing.T) {
	one, other := metric.Condition{Label: "a", Values: []string{"1"}}, metric.Condition{Label: "b", Values: []string{"2"}}
	x, y := metric.Selection{Name: "hits", Where: []metric.Condition{one, other}}, metric.Selection{Name: "hits", Where: []metric.Condition{other, one}}
	if x.Ref() != y.Ref() {
		t.Errorf("%s and %s mean the same", x.Ref(), y.Ref())
	}
}

func TestLabel(t *testing.T) {
	for sent, want := range map[string]string{"http.response.status_code": "http_response_status_code", "a-b": "a_b", "größe": "größe", "route": "route"} {
		if got := metric.Label(sent); got != want {
			t.Errorf("%s becomes %s, want %s", sent, got, want)
		}
		c := metric.Condition{Label: sent}
		if !c.Is(want) || !c.Is(sent) || c.Is(want+"2") {
			t.Errorf("the label of %s is not found", sent)
		}
	}
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		wants []string
		value string
		holds bool
	}{
		{[]string{"/a"}, "/a", true}, {[]string{"/a"}, "/ab", false}, {[]string{"/a"}, "", false},
		{[]string{"2xx"}, "200", true}, {[]string{"2xx"}, "204", true}, {[]string{"2xx"}, "2xx", true}, {[]string{"2xx"}, "301", false},
		{[]string{"2xx"}, "2000", false}, {[]string{"2xx"}, "2ab", false}, {[]string{"9xx"}, "900", false},
		{[]string{"4xx", "503"}, "503", true}, {[]string{"4xx", "503"}, "404", true}, {[]string{"4xx", "503"}, "500", false},
		{[]string{"*"}, "anything", true}, {[]string{"*"}, "", false},
	} {
		if got := (metric.Condition{Label: "x", Values: c.wants}).Holds(c.value); got != c.holds {
			t.Errorf("%q of %q: %v, want %v", c.wants, c.value, got, c.holds)
		}
	}
}

func FuzzRef(f *testing.F) {
	f.Add("hits", "route", "/a", "/b", "otlp")
	f.Add("odd \"name\"{", "a=b", "x|y", "\\", "")
	f.Fuzz(func(t *testing.T, name, label, one, other, way string) {
		s := metric.Selection{Name: name, Where: []metric.Condition{{Label: label, Values: []string{one, other}}}}
		if way == "otlp" || way == "scrape" || way == "statsd" {
			s.Way = way
		}
		if r := s.Ref(); r.Selection().Ref() != r {
			t.Errorf("%s is read as %s", r, r.Selection().Ref())
		}
		if n := metric.Named(name); n.Name() != name && metric.Named(n.Name()) != n {
			t.Errorf("%q is named %s", name, n)
		}
	})
}
