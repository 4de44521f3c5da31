package loadgen

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
)

// Route is a kind of request.
type Route struct {
	Name   string // "insert"; what Config.Mix and rows call it
	Method string // GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS; empty: GET
	Path   string // "/insert/{word}", optionally with a query; {word} is replaced by a word
}

const wordField = "{word}"

// plan says what each request is, as a pure function of the seed and the
// request's sequence number: requests are sent by many goroutines, and a
// shared generator would deal words in the order in which those happen to run.
type plan struct {
	routes []plannedRoute
	words  []string
	ranks  []float64 // ranks[i]: the probability of a word of rank ≤ i
	seed   uint64
}

type plannedRoute struct {
	Route
	url   url.URL // with {word} in it
	words bool    // whether it has {word}
	upTo  float64 // the probability of this route or one before it
}

// target is one request of the plan.
type target struct {
	route *plannedRoute
	word  string
}

func newPlan(c Config) (*plan, error) {
	base, err := parseTarget(c.Target)
	if err != nil {
		return nil, err
	}
	p := &plan{seed: c.Seed, words: vocabulary(c.Words), ranks: zipf(c.Words, c.Skew)}
	if p.routes, err = planRoutes(base, c.Routes); err != nil {
		return nil, err
	}
	return p, p.weigh(c.Mix)
}

func parseTarget(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("target: %w; want the load balancer's address, like http://127.0.0.1:8080", err)
	case u.Scheme != "http" || u.Host == "":
		return nil, fmt.Errorf("target %q: want the load balancer's address, like http://127.0.0.1:8080", target)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("target %q: want scheme, host and port only; paths belong to the routes", target)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
	http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

func planRoutes(base *url.URL, routes []Route) ([]plannedRoute, error) {
	if len(routes) == 0 {
		return nil, errors.New("routes: none given; give at least one")
	}
	planned := make([]plannedRoute, 0, len(routes))
	for _, r := range routes {
		if r.Method == "" {
			r.Method = http.MethodGet
		}
		switch {
		case r.Name == "":
			return nil, fmt.Errorf("route %s %s: it has no name", r.Method, r.Path)
		case slices.ContainsFunc(planned, func(p plannedRoute) bool { return p.Name == r.Name }):
			return nil, fmt.Errorf("route %s: defined twice", r.Name)
		case !slices.Contains(methods, r.Method):
			return nil, fmt.Errorf("route %s: method %q: want one of %s", r.Name, r.Method, strings.Join(methods, ", "))
		case !strings.HasPrefix(r.Path, "/"):
			return nil, fmt.Errorf("route %s: path %q: want a path that begins with /", r.Name, r.Path)
		case strings.ContainsAny(strings.ReplaceAll(r.Path, wordField, ""), "{}"):
			return nil, fmt.Errorf("route %s: path %q: only %s is replaced, no other braces", r.Name, r.Path, wordField)
		}
		u, err := url.Parse(base.String() + r.Path)
		if err != nil {
			return nil, fmt.Errorf("route %s: path %q: %w", r.Name, r.Path, err)
		}
		if u.Fragment != "" {
			return nil, fmt.Errorf("route %s: path %q: a fragment (#) is never sent to a server", r.Name, r.Path)
		}
		planned = append(planned, plannedRoute{Route: r, url: *u, words: strings.Contains(r.Path, wordField)})
	}
	return planned, nil
}

// weigh gives each route its share, in the order of the routes, so that the
// same configuration always deals the same requests.
func (p *plan) weigh(mix map[string]int) error {
	known := make([]string, len(p.routes))
	var sum float64
	for i, r := range p.routes {
		known[i] = r.Name
		weight, mixed := mix[r.Name]
		if len(mix) == 0 {
			weight = 1
		}
		if mixed && weight < 0 {
			return fmt.Errorf("mix: %s: weight %d is below zero", r.Name, weight)
		}
		sum += float64(weight)
		p.routes[i].upTo = sum
	}
	unknown := make([]string, 0, len(mix))
	for name := range mix {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return fmt.Errorf("mix: %s: no such route (have %s)", strings.Join(unknown, ", "), strings.Join(known, ", "))
	}
	if sum == 0 {
		return errors.New("mix: every weight is 0; give one above 0")
	}
	for i := range p.routes {
		p.routes[i].upTo /= sum
	}
	return nil
}

// target deals request number seq.
func (p *plan) target(seq uint64) target {
	var source rand.PCG
	source.Seed(p.seed, seq)
	draw := rand.New(&source)
	route, rank := draw.Float64(), draw.Float64()

	i := sort.Search(len(p.routes)-1, func(i int) bool { return route < p.routes[i].upTo })
	t := target{route: &p.routes[i]}
	if t.route.words {
		t.word = p.words[sort.Search(len(p.ranks)-1, func(i int) bool { return rank < p.ranks[i] })]
	}
	return t
}

// url is where to send the target. Words need no escaping.
func (t target) url() *url.URL {
	u := t.route.url
	if t.route.words {
		u.Path = strings.ReplaceAll(u.Path, wordField, t.word)
		u.RawPath = strings.ReplaceAll(u.RawPath, wordField, t.word)
		u.RawQuery = strings.ReplaceAll(u.RawQuery, wordField, t.word)
	}
	return &u
}

// vocabulary makes n different words of lower-case letters, all of the same
// length, the most frequent first: "lala", "lale", "lali", …
func vocabulary(n int) []string {
	const consonants, vowels = "lmnrtv", "aeiou"
	syllables := make([]string, 0, len(consonants)*len(vowels))
	for _, c := range consonants {
		for _, v := range vowels {
			syllables = append(syllables, string(c)+string(v))
		}
	}
	length := 2
	for size := len(syllables) * len(syllables); size < n; size *= len(syllables) {
		length++
	}
	words := make([]string, n)
	for rank := range words {
		parts := make([]string, length)
		for i, rest := length-1, rank; i >= 0; i, rest = i-1, rest/len(syllables) {
			parts[i] = syllables[rest%len(syllables)]
		}
		words[rank] = strings.Join(parts, "")
	}
	return words
}

// zipf is the cumulative distribution of Zipf's law over n ranks: the word of
// rank r (from 1) comes up with a probability in proportion to 1/r^skew.
func zipf(n int, skew float64) []float64 {
	ranks := make([]float64, n)
	var sum float64
	for i := range ranks {
		sum += math.Pow(float64(i+1), -skew)
		ranks[i] = sum
	}
	for i := range ranks {
		ranks[i] /= sum
	}
	return ranks
}
