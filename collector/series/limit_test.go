package series

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

// nested is an expression in so many parentheses.
func nested(n int) string { return strings.Repeat("(", n) + "1" + strings.Repeat(")", n) }

// tooBig are expressions of which each, without its limit, takes gigabytes or
// minutes, and what the error says of it.
var tooBig = map[string]struct{ expr, want string }{
	"parentheses":       {nested(50_000), "the expression has 100001 bytes: want at most 65536"},
	"fewer parentheses": {nested(2000), "more than 500 operators and brackets"},
	"operators":         {strings.Repeat("1+", 2000) + "1", "more than 500 operators and brackets"},
	"signs":             {strings.Repeat("-", 2000) + "x", "more than 500 operators and brackets"},
	"a long list":       {"x{" + strings.Repeat(`a!="b",`, 10_000) + "}", "bytes: want at most 65536"},
	"a regular expression": {`x{a=~"` + "(" + strings.Repeat("ab", 1500) + `){1000}"}`,
		"the regular expressions have more than 100000 characters"},
	"many regular expressions": {"x{" + strings.Repeat(`a=~"(abcdefgh){900}",`, 20) + "}", "the regular expressions have more than 100000 characters"},
	"a label's replacement":    {`label_replace(x, "a", "", "b", "(` + strings.Repeat("ab", 1500) + `){1000}")`, "the regular expressions have more than 100000 characters"},
	"a subquery":               {`sum_over_time(count({__name__=~".+"})[10y:1ms])`, "the query evaluates 315360000002 steps"},
	"a subquery's own step":    {`sum_over_time(x[12d:])`, "the query evaluates 1036802 steps"},
	"subqueries in a subquery": {`max_over_time(sum_over_time(x[5h:1s])[5h:1s])`, "the query looks at 324054002 steps"},
	"many subqueries":          {strings.Repeat(`sum_over_time(x[2d:1s]) + `, 9) + "1", "the query evaluates 1555210 steps"},
	"a very long subquery":     {`sum_over_time(sum_over_time(x[290y:1s])[290y:1s])`, "the query evaluates"},
}

// TestTooBig: each of them is refused at once, whoever asks.
func TestTooBig(t *testing.T) {
	s := served(t)
	for name, c := range tooBig {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			_, instant := s.Query(context.Background(), c.expr, at(600))
			_, over := s.QueryRange(context.Background(), c.expr, at(600), at(600), time.Second)
			for who, err := range map[string]error{"check": CheckExpr(c.expr, 0, 0), "Query": instant, "QueryRange": over} {
				var limit *LimitError
				if !errors.As(err, &limit) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %.300v, want a LimitError with %q", who, err, c.want)
				}
				if err != nil && len(err.Error()) > 1000 {
					t.Errorf("%s: the error has %d bytes", who, len(err.Error()))
				}
			}
			for _, path := range []string{"query", "query_range"} {
				got := post(t, s, "/api/v1/"+path+"?start=1582978200&end=1582978200&step=1&query="+url.QueryEscape(c.expr))
				if got.status != 400 || !strings.Contains(got.body, `"errorType":"bad_data"`) || !strings.Contains(got.body, c.want) {
					t.Errorf("%s: %d %.300s", path, got.status, got.body)
				}
			}
			if took := time.Since(begin); took > 5*time.Second { // it takes milliseconds
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestNotTooBig: what people ask for is not refused.
func TestNotTooBig(t *testing.T) {
	for _, c := range []struct {
		expr string
		span time.Duration
		step time.Duration
	}{
		{"sum(rate(x[5m])) > 0", 24 * time.Hour, time.Second},
		{"max_over_time(sum(rate(x[5s]))[10d:1s])", 0, 0},
		{"max_over_time(sum(rate(x[5s]))[1d:])", time.Hour, 10 * time.Second},
		{"avg_over_time(x[30d:1m])", 7 * 24 * time.Hour, time.Hour},
		{"sum_over_time(x[1d:1s] @ end())", 7 * 24 * time.Hour, time.Minute}, // which is evaluated once
		{nested(450), 0, 0},
		{`x{instance=~"` + strings.Repeat("web-[0-9]{1,3}|", 3000) + `"}`, 0, 0},
		{strings.Repeat("a or ", 450) + "a", 0, 0},
		{`label_replace(label_replace(label_replace(x, "a", "$1-$2", "b", "(.*)-(.*)"), "b", "$1", "a", "(.*)"), "c", "$1", "b", "(.*)")`, time.Hour, time.Second},
		{`"a text with {braces} and ((( )))"`, 0, 0},
	} {
		if err := CheckExpr(c.expr, c.span, c.step); err != nil {
			t.Errorf("%.100s over %v: %v", c.expr, c.span, err)
		}
	}
	if err := CheckExpr("x[", 0, 0); err == nil || !strings.Contains(err.Error(), "parse error") {
		t.Error(err)
	}
}

// TestStepsAreThoseOfTheEngine compares what is counted with how often the
// engine evaluates.
func TestStepsAreThoseOfTheEngine(t *testing.T) {
	for _, c := range []struct {
		expr         string
		span         time.Duration
		steps, reads float64
	}{
		{"x", 0, 1, 0},
		{"x", time.Minute, 61, 0},
		{"sum_over_time(x[10s:1s])", 0, 1 + 11, 11},
		{"sum_over_time(x[10s:])", time.Minute, 61 + 71, 61 * 11},
		{"sum_over_time(x[10s:1s] @ 5)", time.Minute, 61 + 11, 11},
		{"sum_over_time(sum_over_time(x[10s:1s])[20s:2s])", 0, 1 + 11 + 31, 11 + 11*11},
	} {
		e := planned(t, c.expr, c.span)
		if e.steps != c.steps || e.reads != c.reads {
			t.Errorf("%s over %v: %v steps, %v reads, want %v and %v", c.expr, c.span, e.steps, e.reads, c.steps, c.reads)
		}
	}
}

// TestSelectorsHaveLimits: so have series, labels, label values and federate.
func TestSelectorsHaveLimits(t *testing.T) {
	s := served(t)
	many := strings.Repeat("match[]=x&", maxSelectors+1)
	long := "match[]=" + url.QueryEscape("x{"+strings.Repeat(`a!="b",`, 10_000)+"}")
	greedy := "match[]=" + url.QueryEscape(`x{a=~"(`+strings.Repeat("ab", 1500)+`){1000}"}`)
	for _, path := range []string{"/api/v1/series", "/api/v1/labels", "/api/v1/label/instance/values", "/federate"} {
		for form, want := range map[string]string{many: "there are 101 selectors: want at most 100", long: "bytes: want at most 65536", greedy: "the regular expressions have more than"} {
			if got := get(t, s, path+"?"+form); got.status != 400 || !strings.Contains(got.body, want) {
				t.Errorf("%s: %d %.200s, want %q", path, got.status, got.body, want)
			}
		}
	}
	if got := post(t, s, "/api/v1/query?query="+strings.Repeat("1", 2<<20)); got.status != 400 || !strings.Contains(got.body, "too large") {
		t.Errorf("a form of 2 MB: %d %.200s", got.status, got.body)
	}
}

// TestWithinLimitsItEnds: the engine looks at its deadline between series only.
// What the limits let through ends soon after its time is over all the same.
func TestWithinLimitsItEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: it evaluates what is just allowed, which takes the race detector a quarter of a minute")
	}
	s := openWith(t, t.TempDir(), Options{Timeout: 100 * time.Millisecond})
	for i := range 10_000 {
		mustAppend(t, s, float("x", float64(i), float64(i*7919%10_007)))
	}
	for _, expr := range []string{
		"quantile_over_time(0.5, x[2000s:1s])", // over 10,000 steps: 20 million reads
		"sum_over_time(sum_over_time(x[2h:1s])[100m:1s] @ end())",
		strings.Repeat("max_over_time(", 50) + "x" + strings.Repeat("[10s:1s])", 50),
	} {
		begin := cpu(t) // a busy machine says nothing of the engine
		_, err := s.QueryRange(context.Background(), expr, at(0), at(9_999), time.Second)
		var limit *LimitError
		if errors.As(err, &limit) {
			t.Errorf("%.60s: %v", expr, err)
		}
		took := cpu(t) - begin
		if took > time.Minute {
			t.Errorf("%.60s: took %v", expr, took)
		}
	}
}
