package workshop

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"throughline/browsertest"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }

// served is a page with the aside of a talk, on a stack on which everything is to be seen.
func served(t *testing.T, s *stack, b *breaker) (url string, stage *Stage) {
	t.Helper()
	stage = NewStage(smallPlayer(t, s), newEncore(b))
	t.Cleanup(stage.Close)
	mux := http.NewServeMux()
	mux.Handle("POST "+Path, stage)
	mux.HandleFunc("GET /favicon.ico", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_ = page.Execute(w, map[string]any{"Aside": stage.Aside(), "Script": template.JS(Script)})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, stage
}

var page = template.Must(template.New("page").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>t</title><style>body { font-family: sans-serif; color-scheme: light dark } .soft { opacity: .8 }</style>
<body class="with-aside"><aside id="aside">{{.Aside}}</aside><main>picture</main><script>{{.Script}}</script>`))

func sound() *stack {
	return &stack{instances: []string{"web-1"}, answers: map[string][]float64{"x == 0": {1}, `y{i="web-1"}`: {1}, "z": {1}, "a > 1": {1234.5, 2}}}
}

// The whole talk is gone through by forms alone, as without scripts.
func TestTheAsideByForms(t *testing.T) {
	t.Parallel()
	address, stage := served(t, sound(), &breaker{verdict: Verdict{"fail", "It loses.", []string{"cause-c"}}})
	p := browsertest.Open(t, address+"/", browsertest.View{NoScripts: true, Width: 800})
	has := func(text string) string {
		return fmt.Sprintf("document.querySelector('#workshop').innerText.includes(%q)", text)
	}
	if text := p.Text("#workshop"); !strings.Contains(text, "1 of 2 · part 1 of 2") || !strings.Contains(text, "Do it: kill newest") || !strings.Contains(text, "1,234, 2") {
		t.Errorf("the first step says\n%s", text)
	}
	p.Sound()
	p.Click("button[value=play]")
	p.Wait(`document.querySelector("#workshop .state")`) // the form was sent, and led back
	stage.played.Wait()
	browsertest.Eval[bool](p, `(location.reload(), true)`) // nobody tells a page without scripts what changed
	p.Wait(has("✓ Seen."))
	p.Wait(has("kill web-1 (took effect in less than 1 ms)"))
	p.Click("button[value=next]")
	p.Wait(has("part 2 of 2"))
	p.Click("button[value=next]")
	p.Wait(has("Break it yourself"))
	p.Click("button[value=pick]")
	p.Wait(has("Chance has picked something."))
	p.Sound()
	p.Click("button[value=guess]")
	p.Wait(has("It was something else."))
	if text := p.Text("#workshop"); !strings.Contains(text, "c: about c") || !strings.Contains(text, "The verdict: fail. It loses.") || !strings.Contains(text, "Your guess: A (cause-a)") {
		t.Errorf("the verdict is told as\n%s", text)
	}
	p.Picture("encore")
	p.Click("button[value=back]")
	p.Wait(has("part 2 of 2"))
}

func TestTheAsideIsSound(t *testing.T) {
	t.Parallel()
	s := sound()
	s.fail = "it is as alive as ever, and answers"
	address, stage := served(t, s, &breaker{})
	if _, err := stage.player.Play(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, v := range []browsertest.View{{}, {Width: 360, Dark: true}} {
		p := browsertest.Open(t, address+"/", v)
		if text := p.Text("#workshop-seen"); !strings.Contains(text, "✗ kill web-1 FAILED after less than 1 ms: it is as alive as ever") {
			t.Errorf("a step that failed says %q", text)
		}
		p.Sound()
		p.Picture("aside")
	}
}

// post sends a form, as the script does, and gives the status.
func post(t *testing.T, address string, form url.Values) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address+Path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	_, _ = io.Copy(io.Discard, got.Body)
	return got.StatusCode
}

func TestWhatIsRefusedIsTold(t *testing.T) {
	t.Parallel()
	address, stage := served(t, sound(), &breaker{})
	for _, c := range []struct {
		form url.Values
		want string
	}{
		{url.Values{"go": {"guess"}, "cause": {"cause-a"}}, "nothing is broken yet: pick something first"},
		{url.Values{"go": {"pick"}, "defect": {"x"}}, "x: no such defect (have a, c)"},
		{url.Values{"go": {"dance"}}, "&#34;dance&#34;: there is nothing like that to do here"},
		{url.Values{}, "&#34;&#34;: there is nothing like that to do here"},
	} {
		if status := post(t, address, c.form); status != http.StatusConflict || !strings.Contains(string(stage.Aside()), c.want) {
			t.Errorf("%v: status %d, want %q on\n%s", c.form, status, c.want, stage.Aside())
		}
	}
	// A form of another step is not followed, and is no mistake.
	if status := post(t, address, url.Values{"go": {"next"}, "at": {"1"}}); status != http.StatusOK || stage.player.index() != 0 {
		t.Errorf("a form of step 1 at step 0: status %d, now at %d", status, stage.player.index())
	}
	if status := post(t, address, url.Values{"go": {"next"}, "at": {"0"}}); status != http.StatusOK || stage.player.index() != 1 {
		t.Errorf("a form of this step: status %d, now at %d", status, stage.player.index())
	}
	if strings.Contains(string(stage.Aside()), "nothing like that") {
		t.Error("an old refusal is still told")
	}
}

// Close calls off what goes on, and waits for it.
func TestStageClose(t *testing.T) {
	t.Parallel()
	s := sound()
	delete(s.answers, "x == 0")
	stage := NewStage(smallPlayer(t, s), nil)
	r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader("go=play"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	stage.ServeHTTP(httptest.NewRecorder(), r)
	began := time.Now()
	stage.Close()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it was waited for: %v", took)
	}
	if place, _ := stage.player.Place(); place.Progress.State != Unseen {
		t.Errorf("what was called off is %q", place.Progress.State)
	}
}

func TestPlayIsCalledOff(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	s := sound()
	s.broken = errors.New("away")
	if got, err := smallPlayer(t, s).Play(over); err != nil || got.State != Unseen {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWritten(t *testing.T) {
	for want, values := range map[string][]float64{"–": nil, "0": {0}, "1.23": {1.2345}, "-0.001": {-0.001}, "99.9": {99.9}, "100": {100}, "1,234,568": {1234567.8}, "-1,000": {-1000},
		"1, 2": {1, 2}, "+Inf": {math.Inf(1)}} {
		if got := written(values); got != want {
			t.Errorf("%v: %q, want %q", values, got, want)
		}
	}
}
