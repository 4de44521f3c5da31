// Package browsertest looks at pages as people see them: in a browser, at a width, in
// light or dark, with scripts or without. It records what the browser complains of and
// whom the page talks to, and audits what is drawn: text over text, text that is cut,
// contrast, a page wider than its window.
//
// Tests are all that import it. It knows none of our pages, and it is no crawler: a
// test says what to open, click and wait for. There is one browser for a test binary,
// with a tab and a profile of its own for each page, so tests may be parallel. A package
// that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(browsertest.Main(m)) }
//
// Where there is no Chromium, its tests are skipped and say so; `make browser` installs
// one.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"throughline/scratch"
)

// slowest bounds each thing that a browser is asked to do, on a machine that is busy
// with other tests.
const slowest = time.Minute

// only is the browser of this test binary.
var only browser

// browser is a Chromium that is started when the first page is opened.
type browser struct {
	mu      sync.Mutex
	running bool            // Main is there to end what is started
	ctx     context.Context // of the browser; nil before it was started
	err     error           // why it could not be
	dir     *scratch.Dir    // its profile
}

// Main runs the tests of a package, ends the browser that they used, and gives the exit
// status for os.Exit.
func Main(m *testing.M) int {
	only.mu.Lock()
	only.running = true
	only.mu.Unlock()
	status := m.Run()
	if err := only.close(); err != nil {
		fmt.Fprintln(os.Stderr, "browsertest: close the browser:", err)
		return max(status, 1)
	}
	return status
}

// Find gives the path of an installed Chromium or Chrome.
func Find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("chromium is not installed: make browser installs it")
}

// start gives the context of the browser, which it starts if nobody has.
func (b *browser) start(t testing.TB) context.Context {
	t.Helper()
	path, err := Find()
	if err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running {
		t.Fatal("browsertest: nobody would end the browser: give the package a TestMain that calls browsertest.Main")
	}
	if b.ctx == nil && b.err == nil {
		b.ctx, b.err = b.launch(path)
	}
	if b.err != nil {
		t.Fatalf("start %s: %v", path, b.err)
	}
	return b.ctx
}

// launch starts the browser. It resolves no names, so that a page that wants something
// from elsewhere does not get it from this machine's network either.
func (b *browser) launch(path string) (context.Context, error) {
	dir, err := scratch.New("browser")
	if err != nil {
		return nil, err
	}
	b.dir = dir
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // as root there is no other way, and all pages are ours
		chromedp.UserDataDir(dir.Path),
		chromedp.Env("TMPDIR="+dir.Path, "LANG=C.UTF-8"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	)
	ctx, _ := chromedp.NewExecAllocator(context.Background(), options...) // ended by close
	ctx, _ = chromedp.NewContext(ctx)
	return ctx, chromedp.Do(ctx)
}

// close ends the browser, if there is one.
func (b *browser) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = false
	var err error
	if b.ctx != nil {
		err = chromedp.Cancel(b.ctx)
	}
	if b.dir != nil {
		err = errors.Join(err, b.dir.Remove())
	}
	return err
}
