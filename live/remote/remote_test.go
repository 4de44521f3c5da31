package remote

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/browsertest"
	"throughline/live"
	"throughline/live/page"
)

func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }

// puppet is a hand that does nothing.
type puppet struct {
	mu     sync.Mutex
	asked  []string
	stands live.Standing
	refuse error
	fail   string
	ended  bool
}

func (p *puppet) Move(words string) (live.Moved, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, words)
	return live.Moved{Step: words, Took: 317 * time.Millisecond, Error: p.fail}, p.refuse
}

func (p *puppet) Standing() live.Standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stands
}

func (p *puppet) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

func (p *puppet) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

const token = "SESAME"

// reached serves a puppet.
func reached(t *testing.T) (*puppet, *Handler, *httptest.Server) {
	t.Helper()
	p := &puppet{stands: live.Standing{Up: true, Instances: []string{"web-1", "web-3"}}}
	h := NewHandler(p, token, "127.0.0.1:8900")
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return p, h, s
}

func TestAClientMakesMoves(t *testing.T) {
	p, h, s := reached(t)
	told := 0
	h.Moved = func() { told++ }
	c := Client{URL: s.URL + "/", Token: token}
	m, err := c.Move("kill web-3")
	if diff := cmp.Diff(live.Moved{Step: "kill web-3", Took: 317 * time.Millisecond}, m); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if h.Told() != "kill web-3  (took effect in 317 ms)" || told != 1 {
		t.Errorf("told %d times: %q", told, h.Told())
	}
	p.fail = "kill web-3: no effect within 10s"
	if m, err := c.Move("kill web-3"); err != nil || m.Error != p.fail || h.Told() != "kill web-3  FAILED after 317 ms: no effect within 10s" {
		t.Errorf("%+v, %v, %q", m, err, h.Told())
	}
	p.refuse = errors.New("kill web-9: no such instance")
	if _, err := c.Move("kill web-9"); err == nil || err.Error() != p.refuse.Error() || h.Told() != "refused: kill web-9: no such instance" {
		t.Errorf("%v, %q", err, h.Told())
	}
	stands, err := c.Standing()
	if diff := cmp.Diff(p.stands, stands); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := c.End(); err != nil || !p.ended {
		t.Errorf("%v, ended: %v", err, p.ended)
	}
	s.Close()
	if _, err := c.Move("kill web-1"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody is there: %v", err)
	}
}

// Nobody without the token makes a move, or hears how the stack stands.
func TestWithoutTheToken(t *testing.T) {
	p, _, s := reached(t)
	for _, wrong := range []string{"", "SESAM", "SESAMEE", "sesame"} {
		c := Client{URL: s.URL, Token: wrong}
		_, err := c.Move("kill web-1")
		_, seen := c.Standing()
		for _, err := range []error{err, seen, c.End()} {
			if err == nil || !strings.Contains(err.Error(), "moves need the token") {
				t.Errorf("with %q: %v", wrong, err)
			}
		}
		got, err := http.Get(s.URL + "/enter?token=" + wrong)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != http.StatusForbidden || len(got.Cookies()) > 0 {
			t.Errorf("enter with %q: %s, %v", wrong, got.Status, got.Cookies())
		}
	}
	if len(p.asked) > 0 || p.ended {
		t.Errorf("it did %q", p.asked)
	}
}

// A browser gets the token as a cookie that no script and no other site has, and its forms come back to the page.
func TestFormsWithoutAScript(t *testing.T) {
	p, h, s := reached(t)
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := stay.Get(Address(s.URL, token))
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/" || len(got.Cookies()) != 1 {
		t.Fatalf("%s, %v", got.Status, got.Header)
	}
	c := got.Cookies()[0]
	if c.Name != "throughline-8900" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" {
		t.Errorf("cookie %+v", c)
	}
	post := func(form string, more ...string) (status int, location, text string) {
		t.Helper()
		r, err := http.NewRequest("POST", s.URL+"/moves", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(c)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, name := range more {
			r.Header.Del(name)
		}
		got, err := stay.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		body, _ := io.ReadAll(got.Body)
		return got.StatusCode, got.Header.Get("Location"), string(body)
	}
	if status, location, _ := post("move=fault+drop-datagrams+share&move=0.5"); status != http.StatusSeeOther || location != "/#moves" {
		t.Errorf("%d to %q", status, location)
	}
	if got := p.heard(); !slices.Equal(got, []string{"fault drop-datagrams share 0.5"}) {
		t.Errorf("asked for %q", got)
	}
	p.refuse = errors.New("no")
	if status, location, _ := post("move=launch"); status != http.StatusSeeOther || location != "/#moves" || h.Told() != "refused: no" {
		t.Errorf("%d to %q, told %q", status, location, h.Told())
	}
	before := len(p.heard())
	post("move=" + strings.Repeat("x", mostWords+1))
	if len(p.heard()) != before {
		t.Error("a move longer than may be was taken")
	}
	if _, _, text := post("move=launch", "Cookie"); !strings.Contains(text, "moves need the token") || len(p.heard()) != before {
		t.Errorf("without the cookie: %q", text)
	}
	read, err := http.Get(s.URL + "/moves")
	if err != nil {
		t.Fatal(err)
	}
	read.Body.Close()
	if read.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s", read.Status)
	}
}

// A stack is found by those who may read where it is, for as long as its program runs.
func TestFind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	if _, err := Find(""); err == nil || err.Error() != "no stack is up; start one with throughline up" {
		t.Errorf("there is none: %v", err)
	}
	if _, err := Find("http://127.0.0.1:8900/"); err == nil || err.Error() != "--at http://127.0.0.1:8900/: no stack is up there; start one with throughline up" {
		t.Errorf("there is none: %v", err)
	}
	old, young := Client{URL: "http://127.0.0.1:8900/", Token: "a"}, Client{URL: "http://127.0.0.1:8901/", Token: "b"}
	one, err := Announce(old)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(one.Path, whereFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(one.Path, whereFile), past, past); err != nil {
		t.Fatal(err)
	}
	other, err := Announce(young)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Remove()
	for at, want := range map[string]Client{
		"": young, "http://127.0.0.1:8900": old, "http://127.0.0.1:8900/": old,
		"http://127.0.0.1:9/enter?token=c": {URL: "http://127.0.0.1:9/", Token: "c"},
	} {
		if got, err := Find(at); err != nil || got != want {
			t.Errorf("%q: %+v, %v", at, got, err)
		}
	}
	running := Client{URL: "http://127.0.0.1:8902/", ReadOnly: true}
	third, err := Announce(running)
	if err != nil {
		t.Fatal(err)
	}
	ahead := time.Now().Add(time.Minute)
	if err := os.Chtimes(filepath.Join(third.Path, whereFile), ahead, ahead); err != nil {
		t.Fatal(err)
	}
	if got, err := FindAny(""); err != nil || got != running {
		t.Errorf("any: %+v, %v", got, err)
	}
	if got, err := Find(""); err != nil || got != young {
		t.Errorf("beside one that a scenario is run on: %+v, %v", got, err)
	}
	if err := third.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := Find("http://127.0.0.1:9"); err == nil || !strings.Contains(err.Error(), "no stack is up there (have http://127.0.0.1:8901/, http://127.0.0.1:8900/)") {
		t.Errorf("%v", err)
	}
	if _, err := Find("8900"); err == nil || !strings.Contains(err.Error(), "no address like") {
		t.Errorf("%v", err)
	}
	if err := one.Remove(); err != nil {
		t.Error(err)
	}
	if all := announced(); !slices.Equal(all, []Client{young}) {
		t.Errorf("have %v", all)
	}
}

// The panel has a button for each move, none of which can be pressed while one is under way.
func TestPanel(t *testing.T) {
	p, h, _ := reached(t)
	p.stands.Faults = []string{"freeze"}
	p.stands.Instances = append(p.stands.Instances, `"><b>`)
	text := string(h.Panel())
	for _, want := range []string{`value="kill web-1"`, `value="replace web-3"`, `value="fault freeze on web-1"`, `value="heal freeze"`, `value="launch"`,
		`value="scale"`, `value="fault drop-datagrams share"`, `value="replace all"`, `value="deploy"`, `value="rollback"`, `action="/end"`} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	if strings.Contains(text, "disabled>") || strings.Contains(text, "<b>") {
		t.Errorf("%s", text)
	}
	if strings.Contains(text, "interrupt") {
		t.Error("a stack in no cloud has a button to give notice")
	}
	p.stands.Cloud = true
	if text := string(h.Panel()); !strings.Contains(text, `value="interrupt web-1"`) {
		t.Error("a stack in a cloud has no button to give notice")
	}
	p.stands.Cloud, p.stands.Moving = false, "kill web-1"
	if text := string(h.Panel()); strings.Count(text, " disabled>") != 10 || !strings.Contains(text, "kill web-1 … is under way") {
		t.Errorf("while a move is under way:\n%s", text)
	}
}

// keepsFocus fills as reports do: what is in the place of what had the focus gets it.
const keepsFocus = `window.throughline = { fill: (id, html) => {
	const top = document.getElementById(id), all = () => [...top.querySelectorAll("button")];
	const at = all().indexOf(document.activeElement);
	top.innerHTML = html;
	if (at >= 0 && all()[at]) all()[at].focus();
} };`

// stage is a page with the panel.
type stage struct{ h *Handler }

func (s stage) Page(w io.Writer) error {
	_, err := fmt.Fprintf(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title><body style="background:#fff;color:#111;font:16px sans-serif">%s<script>%s%s%s</script>`,
		s.h.Panel(), keepsFocus, page.Script, Script)
	return err
}

func (s stage) Parts() ([]page.Part, error) {
	var parts []page.Part
	for _, p := range s.h.Pieces() {
		parts = append(parts, page.Part(p))
	}
	return parts, nil
}

// staged serves a page with the panel of a puppet, and gives where it is opened.
func staged(t *testing.T) (*puppet, *page.Server, string) {
	t.Helper()
	l, err := page.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	p := &puppet{stands: live.Standing{Up: true, Instances: []string{"web-1", "web-2"}}}
	h := NewHandler(p, token, l.Addr().String())
	s := page.New(l, page.Config{})
	t.Cleanup(func() { s.Close(0) })
	h.Moved = s.Look
	for _, path := range h.Paths() {
		s.Handle(path, h)
	}
	s.Show(stage{h})
	return p, s, Address(s.URL(), token)
}

// In a browser the buttons work, by mouse and keyboard; what became of a move is seen, and so
// is that the stack has changed.
func TestButtons(t *testing.T) {
	p, s, address := staged(t)
	b := browsertest.Open(t, address, browsertest.View{})
	b.Wait(`document.documentElement.dataset.live === "on"`)
	if at := browsertest.Eval[string](b, "location.href"); at != s.URL() {
		t.Errorf("the address line says %s", at)
	}
	b.Click(`button[value="kill web-2"]`)
	b.Wait(`document.getElementById("moves-told").textContent.includes("kill web-2  (took effect in 317 ms)")`)
	p.mu.Lock()
	p.stands.Instances, p.refuse = []string{"web-1", "web-3"}, errors.New("scale 7: <no>")
	p.mu.Unlock()
	b.Wait(`document.querySelector('button[value="kill web-3"]')`)
	browsertest.Eval[bool](b, `(document.querySelector("input[type=number]").value = 7, document.querySelector("input[type=number]").form.requestSubmit(), true)`)
	b.Wait(`document.getElementById("moves-told").textContent.includes("refused: scale 7: <no>")`)
	if got := p.heard(); !slices.Equal(got, []string{"kill web-2", "scale 7"}) {
		t.Errorf("asked for %q", got)
	}
	browsertest.Eval[bool](b, `(document.querySelector('button[value="kill web-1"]').focus(), true)`)
	p.mu.Lock()
	p.stands.Instances = []string{"web-3", "web-4"}
	p.mu.Unlock()
	b.Wait(`document.querySelector('button[value="kill web-4"]')`)
	if focused := browsertest.Eval[string](b, "document.activeElement.value || ''"); focused != "" {
		t.Errorf("whoever presses Enter once more does %q", focused)
	}
	b.Complaints() // of the refusal's status, which is meant
	b.Sound()
	b.Picture("buttons")
	b.Click(`form[action="/end"] button`)
	b.Wait(`document.getElementById("moves-told").textContent.includes("it ends")`)
	s.Close(10 * time.Second)
	b.Wait(`document.getElementById("live-state").textContent.includes("It has ended")`)
}

// Without scripts the forms post, and come back to a page that tells.
func TestButtonsWithoutScripts(t *testing.T) {
	p, _, address := staged(t)
	b := browsertest.Open(t, address, browsertest.View{NoScripts: true})
	b.Click(`button[value="kill web-2"]`)
	b.Wait(`document.getElementById("moves-told").textContent.includes("kill web-2  (took effect in 317 ms)")`)
	if got := p.heard(); !slices.Equal(got, []string{"kill web-2"}) {
		t.Errorf("asked for %q", got)
	}
}

// Who opens the page without the token sees it, and is told why nothing can be done.
func TestButtonsWithoutTheToken(t *testing.T) {
	p, s, _ := staged(t)
	b := browsertest.Open(t, s.URL(), browsertest.View{})
	b.Wait(`document.documentElement.dataset.live === "on"`)
	b.Click(`button[value="kill web-2"]`)
	b.Wait(`document.getElementById("moves-told").textContent.includes("moves need the token")`)
	if got := p.heard(); len(got) > 0 {
		t.Errorf("asked for %q", got)
	}
	b.Complaints() // of the refusal's status, which is meant
}
