package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"html/template"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

func pageOf(t *testing.T, h record.History, v verdict.Verdict) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, h, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page is opened from CI artifacts and mail attachments: it must fetch
// nothing, and forbid it.
func TestHTMLFetchesNothing(t *testing.T) {
	h := killed()
	page := pageOf(t, h, judged(h, verdict.Fail))
	found := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatchIndex(page)
	if found == nil || found[0] > strings.Index(page, "<style>") {
		t.Fatal("no policy before the first style")
	}
	sum := sha256.Sum256([]byte(pageJS))
	want := "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	if got := html.UnescapeString(page[found[2]:found[3]]); got != want {
		t.Errorf("the policy is %q, want %q", got, want)
	}
	evidence, _ := docs.Find("lost-on-exit")
	for _, m := range regexp.MustCompile(`(?i)[\s"'](src|srcset|href|action|poster|background)\s*=\s*["']?([^"'\s>]*)`).FindAllStringSubmatch(page, -1) {
		// A link is followed by who clicks it: it leads within the page, to a file beside
		// it, or to what a diagnosis cites.
		beside := regexp.MustCompile(`^(#.*|logs/|[a-z]+\.(csv|json|jsonl|xml|yaml))$`).MatchString(m[2])
		if m[1] != "href" || !beside && !strings.Contains(evidence.Markdown, "("+m[2]+")") {
			t.Errorf("the page refers to %q", m[0])
		}
	}
	if m := regexp.MustCompile(`url\([^#]`).FindString(page); m != "" {
		t.Errorf("the page has %q", m)
	}
	for _, banned := range []string{"@import", "fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon",
		"importScripts", "import(", "new Image", "new Worker", "<iframe", "<object", "<embed", "<img", "serviceWorker"} {
		if strings.Contains(page, banned) {
			t.Errorf("the page has %q", banned)
		}
	}
	for _, address := range regexp.MustCompile(`(?i)\b(?:https?|wss?):?//[^\s"'<)]*`).FindAllString(page, -1) {
		if address != "http://www.w3.org/2000/svg" && !strings.Contains(evidence.Markdown, address) {
			t.Errorf("the page names the address %s", address)
		}
	}
}

func TestHTMLHostileNames(t *testing.T) {
	hostile := "</script><b>x</b><!--<script>alert(1)//'\"]]>\u2028"
	h := killed()
	h.Run.ID, h.Run.Platform, h.Run.File, h.Scenario = hostile, hostile, hostile, []byte(hostile)
	h.Run.Versions = map[string]string{hostile: hostile}
	h.Damage = []string{hostile}
	for i := range h.Events {
		e := &h.Events[i]
		e.Error, e.About = hostile, hostile
		for _, s := range []*string{&e.Phase, &e.Step, &e.Instance} {
			if *s != "" {
				*s = hostile
			}
		}
	}
	for i := range h.Series {
		if h.Series[i].Meta.Sent != "" {
			h.Series[i].Meta.Sent, h.Series[i].Labels = hostile, collector.NewLabels("instance", hostile)
		}
	}
	v := judged(killed(), verdict.Fail)
	v.Scenario, v.Ledgers.Web.Metric, v.Ledgers.Users.Route = hostile, hostile, hostile
	v.Ledgers.Web.ByInstance[hostile], v.Ledgers.LB.Responses[hostile] = 3, 4
	v.Residuals = []verdict.Residual{{Between: hostile, Cause: hostile}, {Instance: hostile, Between: hostile, Cause: hostile}}
	for i := range v.Findings {
		v.Findings[i] = verdict.Finding{Check: hostile, Outcome: v.Findings[i].Outcome, Summary: hostile, Layer: hostile, Instance: hostile, Cause: hostile, RunnerUp: hostile}
	}
	page := pageOf(t, h, v)
	for _, raw := range []string{"<b>", "<!--", "alert(1)//'\""} {
		if strings.Contains(page, raw) {
			t.Errorf("%q stands in the page unescaped", raw)
		}
	}
	// A page without hostile names has as many elements of script.
	plain := pageOf(t, killed(), judged(killed(), verdict.Fail))
	for _, tag := range []string{"<script", "</script"} {
		if got, want := strings.Count(page, tag), strings.Count(plain, tag); got != want {
			t.Errorf("%d times %s, want %d", got, tag, want)
		}
	}
	if !strings.Contains(page, html.EscapeString("</script><b>x</b>")) {
		t.Error("the hostile name is nowhere")
	}
}

// Records of runs that ended before they began, in the middle, or that are
// damaged give a page.
func TestHTMLOfWhatIsNotWhole(t *testing.T) {
	whole := killed()
	interrupted := whole
	interrupted.After = nil
	interrupted.Events = nil
	for _, e := range whole.Events {
		if e.At < 8400*ms && e.Kind != record.StepEnd {
			interrupted.Events = append(interrupted.Events, e)
		}
	}
	interrupted.Events = append(interrupted.Events, record.Event{At: 8400 * ms, Kind: record.Interrupted})
	odd := record.History{
		Events: []record.Event{{At: -second, Kind: record.Birth, Instance: "web-1", Role: record.Web}, {At: math.MaxInt64, Kind: record.Trouble, About: "x"},
			{At: second, Kind: record.StepEnd, Step: "never begun"}, {At: second, Kind: record.PhaseEnd, Phase: "never begun"}},
		Requests: []record.Request{{Due: -second, Done: -second, Outcome: record.Acked}, {Due: math.MaxInt64, Done: math.MinInt64}, {}},
		Series: []record.Series{{Name: lbRequests, Points: []record.Point{{At: -second, Value: math.NaN(), Observed: 1}, {At: 0, Value: math.Inf(1), Observed: 1},
			{At: second, Value: math.MaxFloat64, Observed: 1}, {At: second, Value: 0, Observed: 1}, {At: math.MaxInt64, Value: math.MaxFloat64, Observed: 1}}}},
	}
	for name, h := range map[string]record.History{"empty": {}, "interrupted": interrupted, "odd": odd,
		"no points": {Series: []record.Series{{Name: lbRequests}, {Name: record.Opcounters, Labels: collector.NewLabels("type", "update")}}}} {
		v := verdict.Verdict{Seconds: math.NaN(), Findings: []verdict.Finding{{From: math.Inf(-1), To: math.NaN()}}}
		page := pageOf(t, h, v)
		for _, banned := range []string{"NaN", "Inf", "%!"} {
			if strings.Contains(page, banned) {
				t.Errorf("%s: %s is in the page", name, banned)
			}
		}
	}
}

// The page of a run that goes on has the sections of the report, in the same order.
func TestSectionsAreTheSame(t *testing.T) {
	h := killed()
	v := judged(h, verdict.Fail)
	running := Running(picture.Of(h, picture.Counts{Metric: "fullstack.insert", Route: "insert"}).Now(), Head{Scenario: "x", Phase: "p", Phases: 2})
	var ids [2][]string
	for i, p := range []Page{running, Ended(h, v)} {
		parts, err := p.Parts()
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			ids[i] = append(ids[i], part.ID)
		}
	}
	if diff := cmp.Diff(ids[0], ids[1]); diff != "" {
		t.Errorf("-running +ended:\n%s", diff)
	}
}

// A page that is fed may ask where it came from, and executes the script that it was
// given, as it was given.
func TestLivePage(t *testing.T) {
	var b bytes.Buffer
	script := `new EventSource("events") // <&'`
	page := Running(picture.New(record.Run{}, picture.Counts{}).Now(), Head{Scenario: "s"})
	if err := page.Write(&b, Options{Live: true, Script: template.JS(script), Aside: "<p>moves</p>", Title: "a <run>"}); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(script))
	for _, want := range []string{"connect-src 'self'; ", "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "<script>" + script + "</script>", "<aside id=\"aside\"><p>moves</p></aside>"} {
		if !strings.Contains(html.UnescapeString(b.String()), html.UnescapeString(want)) {
			t.Errorf("the page has no %s", want)
		}
	}
	if !strings.Contains(b.String(), "<title>a &lt;run&gt;</title>") {
		t.Error("the title is not there, or not escaped")
	}
}
