package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/chromedp/chromedp"
)

// PicturesVariable names a directory that keeps the pictures of all tests; where it is
// not set, `go test -artifacts` keeps them.
const PicturesVariable = "THROUGHLINE_PICTURES"

// do has the tab do something within slowest, and ends the test if it cannot.
func (p *Page) do(what string, action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, slowest)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// Eval gives what an expression in JavaScript comes to, also where the page's own
// scripts are off. The test ends if it fails, or comes to something that is no T.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := evaluate[T](p, expression)
	if err != nil {
		p.t.Fatalf("evaluate %.200s: %v", expression, err)
	}
	return value
}

func evaluate[T any](p *Page, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, slowest)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// Wait waits until a condition in JavaScript holds, over loads of other pages too, and
// ends the test if it does not within a minute.
func (p *Page) Wait(condition string) {
	p.t.Helper()
	deadline := time.Now().Add(slowest)
	var err error
	var holds bool
	for time.Now().Before(deadline) {
		// While a page is left for another there is nothing to ask.
		if holds, err = evaluate[bool](p, "!!("+condition+")"); err == nil && holds {
			return
		}
		select {
		case <-p.ctx.Done():
			p.t.Fatalf("wait for %s: %v", condition, p.ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	p.t.Fatalf("wait for %s: it does not hold after %v (last error: %v); the page says %q",
		condition, slowest, err, Eval[string](p, "document.body.innerText.slice(0, 2000)"))
}

// Click clicks where the first element of a CSS selector is, once it is visible.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Type types a text into the first element of a CSS selector; "\r" is the return key.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Text gives the visible text of the first element of a CSS selector, as it is now; ""
// if there is none.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	quoted, _ := json.Marshal(selector) // a string can always be written
	return Eval[string](p, fmt.Sprintf("(document.querySelector(%s)?.innerText ?? '')", quoted))
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// Picture keeps a picture of the whole page, and gives its path. The name has the test's
// and the view's added.
func (p *Page) Picture(name string) string {
	p.t.Helper()
	dir := os.Getenv(PicturesVariable)
	if dir == "" {
		dir = p.t.ArtifactDir()
	}
	path := filepath.Join(dir, notInNames.ReplaceAllString(p.t.Name()+"-"+name+"-"+p.view.Name(), "-")+".png")
	ctx, cancel := context.WithTimeout(p.ctx, slowest)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.MkdirAll(dir, 0o777)
	}
	if err == nil {
		err = os.WriteFile(path, png, 0o666)
	}
	if err != nil {
		p.t.Fatalf("picture %s: %v", path, err)
	}
	return path
}
