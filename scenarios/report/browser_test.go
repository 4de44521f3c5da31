package report

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"throughline/browsertest"
	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
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
		for _, view := range browsertest.Views() {
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
