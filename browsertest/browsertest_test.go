package browsertest

import (
	"encoding/json"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// html is a page with a body that has no fault.
func html(body string) []byte {
	return []byte(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><title>t</title><style>
body { font: 16px/1.5 sans-serif; margin: 20px; color: #222; background: #fff }
.hushed { position: absolute; width: 1px; height: 1px; overflow: hidden; clip: rect(0 0 0 0) }
</style><h1>Heading</h1>` + body)
}

// svg is such a page with a drawing.
func svg(inside string) string {
	return `<svg viewBox="0 0 300 100" width="300" height="100" font-size="14">` + inside + `</svg>`
}

// rewrite puts another body into a page, which is much faster than another tab.
func (p *Page) rewrite(body string) {
	text, _ := json.Marshal(string(html(body))) // a string can always be written
	Eval[bool](p, "(document.open(), document.write("+string(text)+"), document.close(), true)")
}

// at is a box that lies where its style says.
func at(style, text string) string {
	return `<div style="position:absolute;` + style + `">` + text + `</div>`
}

func TestAuditFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	p := OpenHTML(t, html(""), "", View{Width: 800})
	for _, c := range []struct{ name, body, want string }{
		{"overlap", at("left:20px;top:200px", "first text") + at("left:40px;top:205px", "second text"), `overlap: "first text" in body > div: `},
		{"overlap under a header that hides nothing", `<header style="position:sticky;top:0">stuck</header>` + at("left:20px;top:80px", "over it"), `overlap: "over it" in body > div: `},
		{"overlap in svg", svg(`<text x="10" y="30">first</text><text x="20" y="35">second</text>`), `overlap: "first" in svg > text: `},
		{"cut", `<p style="width:80px;white-space:nowrap;overflow:hidden">a text that is longer</p>`, `cut: "a text that is longer" in body > p: `},
		{"cut by an ellipsis", `<p style="width:80px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis">a text that is longer</p>`, `cut: "a text that is longer"`},
		{"cut below", `<p style="height:30px;width:200px;overflow:hidden">so many words that they take three lines here, one under the other</p>`, `cut: "so many words`},
		{"left of the page", at("left:-30px;top:200px", "half a word"), `cut: "half a word" in body > div: 30.0 px are left of the page`},
		{"right of the window", `<body style="overflow-x:hidden">` + at("left:760px;top:200px;white-space:nowrap", "nobody can read this"), `are right of the window`},
		{"cut in svg", svg(`<text x="280" y="30">beyond</text>`), `cut: "beyond" in svg > text: `},
		{"contrast", `<p style="color:#999">grey on white</p>`, `contrast: "grey on white" in body > p: 2.85:1, want 4.5:1`},
		{"contrast through opacity", `<p style="opacity:.4">pale</p>`, `contrast: "pale" in body > p: `},
		{"contrast of large letters", `<p style="font-size:24px;color:#999">large</p>`, `contrast: "large" in body > p: 2.85:1, want 3:1`},
		{"contrast of a mixed colour", `<p style="color:color-mix(in srgb, #222 40%, white)">mixed</p>`, `contrast: "mixed" in body > p: `},
		{"contrast of a colour that cannot be read", `<p style="color:oklch(60% 0.1 30)">odd</p>`, `contrast: "odd" in body > p: cannot read its colour`},
		{"contrast in svg", svg(`<text x="10" y="30" fill="#999">grey</text>`), `contrast: "grey" in svg > text: 2.85:1`},
		{"contrast on a shape", svg(`<rect width="300" height="100" fill="#4477cc"></rect><text x="10" y="30" fill="#222">dark</text>`), `contrast: "dark" in svg > text: `},
		{"contrast on a part of a path", svg(`<path d="M60 0H300V100H60z" fill="#333"></path><text x="10" y="30" fill="#222">half of this is on it</text>`), `contrast: "half of this is on it"`},
		{"small", `<p style="font-size:7px">tiny</p>`, `small: "tiny" in body > p: its letters are drawn at 7.0 px`},
		{"small in svg", `<svg viewBox="0 0 600 100" width="300" height="50" font-size="14"><text x="10" y="30">tiny</text></svg>`, `small: "tiny" in svg > text: its letters are drawn at 7.0 px`},
		{"scroll", `<div style="width:2000px;height:10px"></div>`, `scroll: "" in body > div: the page is 20`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.rewrite(c.body)
			found := p.Audit()
			if len(found) != 1 || !strings.Contains(found[0].String(), c.want) {
				t.Errorf("found %q, want only %q", found, c.want)
			}
		})
	}
}

// What is drawn as it should be is not complained of, at any width.
func TestAuditSparesWhatIsWell(t *testing.T) {
	t.Parallel()
	p := OpenHTML(t, html(""), "", View{Width: 360})
	for _, c := range []struct{ name, body string }{
		{"closed details", `<details><summary>more</summary>` + at("left:20px;top:30px", "within") + `</details>`},
		{"for screen readers", `<p class="hushed">a text that only a screen reader has, and it is long</p>`},
		{"not displayed", `<p hidden>nothing</p><p style="visibility:hidden;position:absolute;top:20px">nothing</p><p style="opacity:0;position:absolute;top:20px">nothing</p>`},
		{"a table that scrolls", `<div style="overflow-x:auto"><table><tr><td style="min-width:600px">wide<td style="min-width:600px">and wider</table></div>`},
		{"an ellipsis with a title", `<p title="a text that is longer" style="width:80px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis">a text that is longer</p>`},
		{"a header that sticks", `<header style="position:sticky;top:0;background:#fff;height:200px">stuck</header>` + at("left:20px;top:80px", "under it")},
		{"close lines", `<p style="line-height:1.1">So many words that they need more than one line in a window of 360 px, with <b>bold letters that go on and on</b> in them and after</p>`},
		{"white on dark", svg(`<rect width="300" height="100" fill="#333"></rect><text x="10" y="30" fill="#fff">white</text>`)},
		{"a shape painted after", svg(`<text x="10" y="30">dark</text><rect y="60" width="300" height="40" fill="#333"></rect>`)},
		{"letters with a stroke around", svg(`<rect width="300" height="100" fill="#4477cc"></rect><text x="10" y="30" fill="#222" stroke="#fff" stroke-width="4" paint-order="stroke">dark</text>`)},
		{"large letters", `<p style="font-size:24px;color:#888">large</p>`},
		{"a button that is off", `<button disabled>not now</button>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.rewrite(c.body)
			if found := p.Audit(); len(found) != 0 {
				t.Errorf("found %v", found)
			}
		})
	}
}

func TestDarkIsMeasuredInTheDark(t *testing.T) {
	t.Parallel()
	page := html(`<style>@media (prefers-color-scheme: dark) { body { background: #222 } }</style><p>text`)
	OpenHTML(t, page, "", View{}).Sound()
	if found := OpenHTML(t, page, "", View{Dark: true}).Audit(); len(found) != 2 || found[1].Kind != "contrast" {
		t.Errorf("dark on dark: found %v", found)
	}
	for _, own := range []string{`<meta name="color-scheme" content="light dark">`, `<style>:root { color-scheme: light dark }</style>`, `<style>:root { color-scheme: dark }</style>`} {
		OpenHTML(t, []byte(`<!doctype html>`+own+`<p>the browser's own colours`), "", View{Dark: true}).Sound()
	}
}

func TestComplaints(t *testing.T) {
	t.Parallel()
	const strict = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
	for _, c := range []struct{ name, body, policy, want string }{
		{"console", `<script>console.error("it broke", 7)</script>`, "", "console: it broke 7"},
		{"exception", `<script>throw new Error("nobody catches")</script>`, "", "nobody catches"},
		{"rejection", `<script>Promise.reject(new Error("nor this"))</script>`, "", "nor this"},
		{"policy", `<script>let a</script>`, strict, "Content Security Policy"},
		{"not found", `<img src="/gone.png" alt="">`, "", "404"},
		{"bad svg", svg(`<path d="M0 0 L nonsense"></path>`), "", "attribute d"},
		{"foreign image", `<img src="http://127.0.0.1:1/x.png" alt="">`, "", "foreign request: http://127.0.0.1:1/x.png"},
		{"foreign style", `<link rel="stylesheet" href="https://cdn.example/x.css">`, "", "foreign request: https://cdn.example/x.css"},
		{"foreign fetch", `<script>fetch("http://cdn.example/x").catch(() => {})</script>`, "", "foreign request: http://cdn.example/x"},
		{"foreign drawing", svg(`<image href="http://cdn.example/x.svg" width="9" height="9"></image>`), "", "foreign request: http://cdn.example/x.svg"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := OpenHTML(t, html(c.body), c.policy, View{})
			Eval[int](p, "1") // what came before is heard before its answer
			if got := strings.Join(p.Complaints(), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("the browser said %q, want %q", got, c.want)
			}
			if got := p.Complaints(); len(got) != 0 {
				t.Errorf("the same a second time: %q", got)
			}
		})
	}
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failed  []string
	skipped string
	ends    []func()
}

func (r *recorder) Fatal(args ...any) {
	r.failed = append(r.failed, fmt.Sprint(args...))
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Errorf(format string, _ ...any) { r.failed = append(r.failed, format) }
func (r *recorder) Cleanup(f func())               { r.ends = append(r.ends, f) }

func TestWhatIsLeftFailsTheTest(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	p := OpenHTML(r, html(`<script>console.error("left")</script><p style="color:#999">grey`), "", View{})
	p.Sound()
	if len(r.failed) != 1 {
		t.Errorf("Sound failed the test %d times, want once, for its grey: %q", len(r.failed), r.failed)
	}
	for i := len(r.ends) - 1; i >= 0; i-- {
		r.ends[i]()
	}
	if len(r.failed) != 2 {
		t.Errorf("nobody was told of the console: %q", r.failed)
	}
}

func TestClickTypeWait(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write(html(`<form><input name="q" aria-label="q"><button>go</button></form><p id="got">` + r.FormValue("q") +
			`</p><p id="late"></p><script>requestAnimationFrame(() => { document.getElementById("late").textContent = "drawn" })</script>`))
	}))
	defer server.Close()
	p := Open(t, server.URL, View{Width: 800, Dark: true})
	p.Wait(`document.getElementById("late").textContent === "drawn"`)
	p.Type("input", "moon")
	p.Click("button")
	p.Wait(`document.getElementById("got").textContent === "moon"`)
	if got := p.Text("#got"); got != "moon" {
		t.Errorf("the text is %q", got)
	}
	if r := p.Requests(); len(r) != 2 || !strings.HasSuffix(r[1], "/?q=moon") {
		t.Errorf("requests: %q", r)
	}
	type state struct {
		Width      int
		Dark       bool
		Visibility string
	}
	if got := Eval[state](p, `({Width: innerWidth, Dark: matchMedia("(prefers-color-scheme: dark)").matches, Visibility: document.visibilityState})`); got != (state{800, true, "visible"}) {
		t.Errorf("the page is looked at as %+v", got)
	}
}

func TestNoScripts(t *testing.T) {
	t.Parallel()
	page := html(`<p id="p">as served</p><script>document.getElementById("p").textContent = "by script"</script>`)
	if got := OpenHTML(t, page, "", View{}).Text("#p"); got != "by script" {
		t.Errorf("with scripts: %q", got)
	}
	if got := OpenHTML(t, page, "", View{NoScripts: true}).Text("#p"); got != "as served" {
		t.Errorf("without scripts: %q", got)
	}
}

func TestWhoCannotHaveABrowserIsTold(t *testing.T) {
	started := func() *recorder {
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			new(browser).start(r)
		}()
		<-done
		return r
	}
	if _, err := Find(); err == nil {
		if r := started(); len(r.failed) != 1 || !strings.Contains(r.failed[0], "browsertest.Main") {
			t.Errorf("without Main: %+v", r)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if r := started(); r.skipped != "SKIPPED, NOTHING PROVED: chromium is not installed: make browser installs it" {
		t.Errorf("without Chromium: %+v", r)
	}
}

// A picture has all of the page, also what is below the window.
func TestPicture(t *testing.T) {
	t.Parallel()
	p := OpenHTML(t, html(`<div style="height:2000px">tall</div>`), "", View{Width: 360, Dark: true})
	path := p.Picture("tall page")
	if want := "TestPicture-tall-page-360-dark.png"; !strings.HasSuffix(path, want) {
		t.Errorf("the picture is %s, want …%s", path, want)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := png.DecodeConfig(f); err != nil || got.Width != 360 || got.Height < 2000 {
		t.Errorf("the picture is %d×%d (%v), want 360 wide and all of the page", got.Width, got.Height, err)
	}
}
