package report

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"throughline/browsertest"
	"throughline/collector"
	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/metric"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }

// sandboxed is Jenkins' policy for what builds leave behind: no script, and no style but
// from files.
// Source: https://www.jenkins.io/doc/book/security/configuring-content-security-policy/
const sandboxed = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"

// saved judges a saved record.
func saved(t testing.TB, name string) (record.History, verdict.Verdict) {
	t.Helper()
	dir := "../testdata/records/" + name
	if _, err := os.Stat(dir); err != nil {
		dir = t.TempDir()
		unpack(t, "../testdata/gallery/"+name+".tar.zst", dir)
	}
	h, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := check.Judge(h)
	if err != nil {
		t.Fatal(err)
	}
	return h, v
}

func unpack(t testing.TB, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacker, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer unpacker.Close()
	for files := tar.NewReader(unpacker); ; {
		member, err := files.Next()
		if err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(files)
		path := filepath.Join(dir, filepath.FromSlash(member.Name))
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// reports are a pass, a fail and an inconclusive run, and how many instances each has.
var reports = []struct {
	name    string
	outcome verdict.Outcome
}{{"healthy-killed", verdict.Pass}, {"lost-on-exit", verdict.Fail}, {"cut-short", verdict.Inconclusive}}

// The report is whole at every width, in the dark, and without scripts.
func TestReportsInABrowser(t *testing.T) {
	for _, r := range reports {
		h, v := saved(t, r.name)
		if v.Outcome != r.outcome {
			t.Fatalf("%s is a %v, want %v", r.name, v.Outcome, r.outcome)
		}
		page := []byte(pageOf(t, h, v))
		for _, view := range append(browsertest.Views(), browsertest.View{Width: 794, Print: true}) { // A4
			t.Run(r.name+"/"+view.Name(), func(t *testing.T) {
				t.Parallel()
				p := browsertest.OpenHTML(t, page, "", view)
				p.Sound()
				if got, want := p.Text(".banner .word"), strings.ToUpper(v.Outcome.String()); got != want {
					t.Errorf("the page says %q, want %q", got, want)
				}
				// What is drawn is there without scripts too.
				areas := browsertest.Eval[int](p, `[...document.querySelectorAll("#slide .tone[data-instance]")].filter(e => e.getBoundingClientRect().height > 10).length`)
				if areas < 3 {
					t.Errorf("%d areas are drawn, want one for each instance", areas)
				}
				if view.Width == 0 {
					if top := browsertest.Eval[float64](p, `document.querySelector("#slide svg.chart").getBoundingClientRect().bottom`); top > 700 {
						t.Errorf("the first chart ends %v px down, want it above 700", top)
					}
				}
				p.Picture(r.name)
			})
		}
	}
}

// Where Jenkins shows the report there is neither script nor style, and all that is drawn
// is there.
func TestReportUnderAStrictPolicy(t *testing.T) {
	t.Parallel()
	h, v := saved(t, "lost-on-exit")
	p := browsertest.OpenHTML(t, []byte(pageOf(t, h, v)), sandboxed, browsertest.View{})
	for _, c := range p.Complaints() {
		// That style and scripts are not applied is what the policy is for.
		if !strings.Contains(c, "inline style") && !strings.Contains(c, "inline script") && !strings.Contains(c, "script execution") {
			t.Error(c)
		}
	}
	if n := browsertest.Eval[int](p, `document.styleSheets.length`); n != 0 {
		t.Errorf("%d style sheets are applied: the policy is not what it should be", n)
	}
	for what, want := range map[string]string{
		`getComputedStyle(document.querySelector("#slide path.tone.t0")).fill`:       "rgb(119, 170, 221)",
		`getComputedStyle(document.querySelector("#slide path.acked")).stroke`:       "rgb(28, 29, 31)",
		`getComputedStyle(document.querySelector("#slide path.never")).stroke`:       "rgb(179, 38, 30)",
		`getComputedStyle(document.querySelector(".layer path.l1")).strokeDasharray`: "5px, 3px",
		`getComputedStyle(document.querySelector(".narrow-only")).display`:           "none",
	} {
		if got := browsertest.Eval[string](p, what); got != want {
			t.Errorf("%s is %s, want %s", what, got, want)
		}
	}
	for _, f := range p.Audit() {
		if f.Kind == "overlap" || f.Kind == "contrast" {
			t.Error(f)
		}
	}
	p.Picture("strict")
}

// A link to a span of time zooms, a drag too, and Escape sees all again; a click on a
// lane dims the others; the keyboard moves a cursor that tells the numbers.
func TestReportWithScripts(t *testing.T) {
	t.Parallel()
	h, v := saved(t, "lost-on-exit")
	p := browsertest.OpenHTML(t, []byte(pageOf(t, h, v)), "", browsertest.View{})
	const viewBox = `document.querySelector("#slide svg.plot").getAttribute("viewBox")`
	all := browsertest.Eval[string](p, viewBox)
	p.Click("#findings a.span")
	p.Wait(viewBox + " !== " + quoted(all))
	if got := p.Text("#tools"); !strings.Contains(got, "see all") {
		t.Errorf("zoomed, the page says %q", got)
	}
	p.Sound()
	p.Picture("zoomed")
	press(p, "document.body", "Escape")
	p.Wait(viewBox + " === " + quoted(all))

	p.Click(`#instances svg.lane[data-instance="web-2"] .hit`)
	p.Wait(`document.querySelectorAll("#slide path.dim").length > 1`)
	if dim := browsertest.Eval[string](p, `[...document.querySelectorAll("#slide path.tone")].filter(e => !e.classList.contains("dim")).map(e => e.dataset.instance).join(" ")`); dim != "web-2" {
		t.Errorf("%q are not dimmed, want web-2", dim)
	}
	if hidden := browsertest.Eval[bool](p, `[...document.querySelectorAll('article[data-instance="web-1"]')].every(e => e.hidden)`); !hidden {
		t.Error("findings of web-1 are shown")
	}
	p.Click("#tools button")
	p.Wait(`document.querySelectorAll(".dim").length === 0`)

	browsertest.Eval[bool](p, `(document.querySelector("#slide svg.slide").focus(), true)`)
	press(p, "document.activeElement", "ArrowRight")
	p.Wait(`document.getElementById("tip") && !document.getElementById("tip").hidden`)
	if tip := p.Text("#tip"); !strings.Contains(tip, "until ") || !strings.Contains(tip, "acknowledged") {
		t.Errorf("at the cursor the page tells %q", tip)
	}
	p.Picture("cursor")
	// A link to what is folded unfolds it.
	folded := browsertest.Eval[string](p, `document.querySelector("#findings details.passed tr[id]").id`)
	browsertest.Eval[bool](p, `(location.hash = `+quoted(folded)+`, true)`)
	p.Wait(`document.querySelector("#findings details.passed").open`)
}

func quoted(s string) string { return `"` + s + `"` }

func press(p *browsertest.Page, on, key string) {
	browsertest.Eval[bool](p, on+`.dispatchEvent(new KeyboardEvent("keydown", {key: `+quoted(key)+`, bubbles: true, cancelable: true}))`)
}

// The page of a run that goes on is whole too; and when a section is replaced, what was
// unfolded and how far it was zoomed stays.
func TestRunningInABrowser(t *testing.T) {
	h, v := saved(t, "healthy-replaced")
	p := picture.New(h.Run, picture.Counts{Metric: metric.Ref(v.Ledgers.Web.Metric), Route: v.Ledgers.Users.Route})
	const now = 10 * second
	for _, e := range h.Events {
		if e.At < now {
			p.Event(e)
		}
	}
	for _, r := range h.Requests {
		if r.Done < now {
			p.Request(r)
		}
	}
	for i := range h.Series {
		s := &h.Series[i]
		for _, pt := range s.Points {
			if pt.At < now {
				p.Sample(pt.At, &collector.Sample{Name: s.Name, Labels: s.Labels, Meta: &s.Meta, Value: pt.Value, Observed: pt.Observed, Stale: pt.Stale})
			}
		}
	}
	running := Running(p.Now(), Head{Scenario: "replaced", Phase: "after", PhaseIndex: 1, Phases: 2, Left: 3 * second, Elapsed: 6 * second, Rate: 140, P99: 12 * ms,
		Acked: 900, Unknown: 1, Instances: []string{"web-2", "web-3", "web-4"}, Notes: []string{"the embedded database is used"}})
	var out bytes.Buffer
	if err := running.Write(&out, Options{Live: true}); err != nil {
		t.Fatal(err)
	}
	parts, err := running.Parts()
	if err != nil {
		t.Fatal(err)
	}
	fill, err := json.Marshal(string(parts[2].HTML))
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range browsertest.Views() {
		t.Run(view.Name(), func(t *testing.T) {
			t.Parallel()
			p := browsertest.OpenHTML(t, out.Bytes(), "", view)
			p.Sound()
			if told := p.Text(".told"); !strings.Contains(told, "2/2 after · 3 s left · owed ") {
				t.Errorf("the page says %q", told)
			}
			p.Picture("running")
			if view.NoScripts {
				return
			}
			p.Click("#slide details.table summary")
			browsertest.Eval[bool](p, `(throughline.fill("slide", `+string(fill)+`), true)`)
			if open := browsertest.Eval[bool](p, `document.querySelector("#slide details.table").open`); !open {
				t.Error("what was unfolded is folded again")
			}
			if focused := browsertest.Eval[string](p, `document.activeElement.localName`); focused != "summary" {
				t.Errorf("the focus is on %s, want where it was", focused)
			}
		})
	}
}

// Beside an aside there is less room in the same window.
func TestAsideInABrowser(t *testing.T) {
	t.Parallel()
	h, v := saved(t, "lost-on-exit")
	var out bytes.Buffer
	if err := Ended(h, v).Write(&out, Options{Live: true, Aside: "<h2>Moves</h2><p>Kill one of the instances, and see whose counts are missing.</p>"}); err != nil {
		t.Fatal(err)
	}
	for _, view := range []browsertest.View{{}, {Width: 1100}, {Width: 800}, {Width: 360}} {
		t.Run(view.Name(), func(t *testing.T) {
			t.Parallel()
			p := browsertest.OpenHTML(t, out.Bytes(), "", view)
			p.Sound()
			p.Picture("aside")
		})
	}
}

// Of a large fleet one lane can be found by its name.
func TestManyInstancesInABrowser(t *testing.T) {
	t.Parallel()
	day, want := aDay(), 0
	for _, e := range day.Events {
		if e.Kind == record.Birth && strings.Contains(e.Instance, "web-44") {
			want++
		}
	}
	page := pageOf(t, day, verdict.Verdict{Ledgers: verdict.Ledgers{Users: verdict.UsersLedger{Route: "insert"}, Web: verdict.WebLedger{Metric: "a"}}})
	p := browsertest.OpenHTML(t, []byte(page), "", browsertest.View{})
	p.Type(".seek", "web-44")
	p.Wait(fmt.Sprintf(`[...document.querySelectorAll("svg.lane")].filter(e => e.style.display !== "none").length === %d`, want))
	p.Sound()
	p.Picture("many")
	// Who types goes on when sections are replaced, and there is one field.
	p.Type(".seek", "3")
	browsertest.Eval[bool](p, `(throughline.fill("instances", document.getElementById("instances").innerHTML.replace(/<input[^>]*>/, "")), throughline.fill("journal", ""), true)`)
	p.Wait(`[...document.querySelectorAll("svg.lane")].filter(e => e.style.display !== "none").length === 1`)
	if got := browsertest.Eval[string](p, `document.querySelectorAll(".seek").length + " " + document.activeElement.className + " " + document.activeElement.value`); got != "1 seek web-443" {
		t.Errorf("fields, focus and text are %q", got)
	}
}
