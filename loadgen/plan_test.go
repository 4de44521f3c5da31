package loadgen

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testConfig is a configuration that New takes.
func testConfig(t testing.TB) Config {
	t.Helper()
	return Config{
		Target: "http://127.0.0.1:1",
		Shape:  mustShape(t)(Constant(500)),
		Routes: []Route{
			{Name: "insert", Method: http.MethodPost, Path: "/insert/{word}"},
			{Name: "get", Path: "/get/{word}?again={word}"},
			{Name: "front", Path: "/"},
		},
		Seed:    42,
		Run:     "test",
		Timeout: time.Minute, // a busy machine keeps it, too
	}
}

func mustPlan(t testing.TB, c Config) *plan {
	t.Helper()
	p, err := newPlan(c.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// deal is the first n requests of a plan, as method and URL.
func deal(p *plan, n uint64) []string {
	var dealt []string
	for seq := range n {
		target := p.target(seq)
		dealt = append(dealt, target.route.Method+" "+target.url().String())
	}
	return dealt
}

func TestSameSeedSameRequests(t *testing.T) {
	c := testConfig(t)
	c.Mix = map[string]int{"insert": 9, "get": 1, "front": 2}
	first := deal(mustPlan(t, c), 500)
	if diff := cmp.Diff(first, deal(mustPlan(t, c), 500)); diff != "" {
		t.Errorf("the same seed dealt different requests:\n%s", diff)
	}
	c.Seed++
	if cmp.Equal(first, deal(mustPlan(t, c), 500)) {
		t.Error("another seed dealt the same requests")
	}
	// Recorded, so that a change of the deal does not go unnoticed: a seed
	// printed by an older version should still mean the same run.
	c.Seed = 42
	want := []string{
		"POST http://127.0.0.1:1/insert/lalare", "GET http://127.0.0.1:1/get/lalala?again=lalala", "POST http://127.0.0.1:1/insert/lalale",
	}
	if diff := cmp.Diff(want, first[:3]); diff != "" {
		t.Errorf("seed 42 (-want +got):\n%s", diff)
	}
}

// TestDealFollowsMixAndZipf counts routes and words over many requests. The
// seed is fixed, so the test always sees the same numbers.
func TestDealFollowsMixAndZipf(t *testing.T) {
	c := testConfig(t)
	c.Mix = map[string]int{"insert": 9, "get": 1}
	p := mustPlan(t, c)
	const n = 200_000
	routes, words := map[string]float64{}, map[string]float64{}
	var same, pairs float64 // neighbours in sequence with the same word
	last := ""
	for seq := range uint64(n) {
		target := p.target(seq)
		routes[target.route.Name]++
		words[target.word]++
		if pairs++; target.word == last {
			same++
		}
		last = target.word
	}
	near := func(what string, got, expected, of float64) {
		t.Helper()
		share := expected / of
		if sigma := math.Sqrt(of * share * (1 - share)); math.Abs(got-expected) > 5*sigma {
			t.Errorf("%s: %.0f of %.0f, want %.0f ± %.0f", what, got, of, expected, 5*sigma)
		}
	}
	near("insert", routes["insert"], 0.9*n, n)
	near("get", routes["get"], 0.1*n, n)
	if routes["front"] != 0 {
		t.Errorf("front is not in the mix and came up %.0f times", routes["front"])
	}
	var norm, matches float64
	for rank := 1; rank <= 1000; rank++ {
		norm += math.Pow(float64(rank), -1.1)
	}
	for rank := 1; rank <= 1000; rank++ {
		share := math.Pow(float64(rank), -1.1) / norm
		matches += share * share
		near("word of rank "+p.words[rank-1], words[p.words[rank-1]], share*n, n)
	}
	// sequence numbers that follow each other must not deal related words
	near("same word twice in a row", same, matches*pairs, pairs)
}

func TestVocabularyIsDistinctLowerCaseLetters(t *testing.T) {
	for _, n := range []int{1, 900, 901, 30_000} {
		seen := map[string]bool{}
		for _, word := range vocabulary(n) {
			if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" || seen[word] || word == "" {
				t.Fatalf("of %d words, %q is not letters only, or comes twice", n, word)
			}
			seen[word] = true
		}
		if len(seen) != n {
			t.Errorf("%d words, want %d", len(seen), n)
		}
	}
}

func TestURLKeepsEscapesOfTheRoute(t *testing.T) {
	c := testConfig(t)
	c.Routes = []Route{{Name: "odd", Path: "/a%2Fb/{word}/c%20d?q=%26{word}"}}
	p := mustPlan(t, c)
	target := p.target(0)
	want := "http://127.0.0.1:1/a%2Fb/" + target.word + "/c%20d?q=%26" + target.word
	if got := target.url().String(); got != want {
		t.Errorf("URL %s, want %s", got, want)
	}
}

func TestNewRefusesBadConfigurations(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*Config)
	}{
		{"shape: none given", func(c *Config) { c.Shape = nil }},
		{`run id "": want`, func(c *Config) { c.Run = "" }},
		{`run id "a\nb": want`, func(c *Config) { c.Run = "a\nb" }},
		{"words: -1: want 1 to 1000000", func(c *Config) { c.Words = -1 }},
		{"words: 2000000: want", func(c *Config) { c.Words = 2_000_000 }},
		{"skew: -1: want above 0", func(c *Config) { c.Skew = -1 }},
		{"skew: NaN: want above 0", func(c *Config) { c.Skew = math.NaN() }},
		{"timeout: -1ns: want above 0", func(c *Config) { c.Timeout = -1 }},
		{"max in flight: -1: want above 0", func(c *Config) { c.MaxInFlight = -1 }},
		{"lateness p99: -1ns: want above 0", func(c *Config) { c.LatenessP99 = -1 }},
		{"lateness max: 1ns: want at least the lateness p99 of 100ms", func(c *Config) { c.LatenessMax = 1 }},
		{`target "": want the load balancer's address`, func(c *Config) { c.Target = "" }},
		{`target "https://a": want the load balancer's address`, func(c *Config) { c.Target = "https://a" }},
		{`target "http://a/b": want scheme, host and port only`, func(c *Config) { c.Target = "http://a/b" }},
		{`target: parse "http://a:b"`, func(c *Config) { c.Target = "http://a:b" }},
		{"routes: none given", func(c *Config) { c.Routes = nil }},
		{"route GET /: it has no name", func(c *Config) { c.Routes[2].Name = "" }},
		{"route insert: defined twice", func(c *Config) { c.Routes[2].Name = "insert" }},
		{`route get: method "get": want one of GET, HEAD`, func(c *Config) { c.Routes[1].Method = "get" }},
		{`route get: path "x": want a path that begins with /`, func(c *Config) { c.Routes[1].Path = "x" }},
		{`route get: path "/{id}": only {word} is replaced`, func(c *Config) { c.Routes[1].Path = "/{id}" }},
		{`route get: path "/#a": a fragment`, func(c *Config) { c.Routes[1].Path = "/#a" }},
		{`route get: path "/%zz": parse`, func(c *Config) { c.Routes[1].Path = "/%zz" }},
		{"mix: put, puts: no such route (have insert, get, front)", func(c *Config) { c.Mix = map[string]int{"puts": 1, "put": 1, "get": 1} }},
		{"mix: get: weight -1 is below zero", func(c *Config) { c.Mix = map[string]int{"get": -1, "insert": 2} }},
		{"mix: every weight is 0", func(c *Config) { c.Mix = map[string]int{"get": 0} }},
	} {
		config := testConfig(t)
		c.change(&config)
		if _, err := New(config); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got the error %v, want %q…", err, c.want)
		}
	}
	if _, err := New(testConfig(t)); err != nil {
		t.Errorf("the configuration they all change: %v", err)
	}
}
