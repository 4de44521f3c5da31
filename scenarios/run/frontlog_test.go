package run

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/compose"
	"throughline/scenarios/record"
)

// logging is an instance of which nothing is known but what it wrote.
type logging struct {
	compose.Handle
	text string
	seek bool // what it wrote can be read from anywhere
}

func (l *logging) Name() string { return "httpd-2" }

func (l *logging) Logs(context.Context) (io.ReadCloser, error) {
	r := strings.NewReader(l.text)
	if l.seek {
		return struct {
			io.ReadSeeker
			io.Closer
		}{r, io.NopCloser(nil)}, nil
	}
	return io.NopCloser(io.MultiReader(r)), nil
}

// A log is read on where it was left, a line when it is whole, and counted when what it tells of had ended.
func TestFrontLog(t *testing.T) {
	for _, seek := range []bool{true, false} {
		start := time.Unix(1_700_000_000, 0)
		w, err := record.Create(filepath.Join(t.TempDir(), "run"), record.Run{Start: start}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l := newFrontLog("web-2", numbering{run: "r1"}, w)
		from := &logging{seek: seek}
		line := func(after time.Duration, rest string) string {
			return fmt.Sprintf("access %d %s\n", start.Add(after).UnixMicro(), rest)
		}
		read := func(until time.Duration) string {
			t.Helper()
			if err := l.readOn(t.Context(), from); err != nil {
				t.Fatal(err)
			}
			answered, own := l.counts(start.Add(until))
			return fmt.Sprint(answered, own)
		}
		from.text = "[mpm_event:notice] it begins\n" + line(time.Second, `200 web-2 900 800 - "r1-7"`) + line(time.Second, `200 web-2 900 800 check "-"`)
		half := line(2*time.Second, `503 - 100 - - "r1-8"`)
		from.text += half[:20]
		if got := read(time.Minute); got != "map[2xx:1] map[]" {
			t.Errorf("half a line: %s", got)
		}
		from.text += half[20:] + line(3*time.Second, `404 web-2 900 800 - "somebody's"`) + line(5*time.Second, `200 web-2 900 800 - "r1-9"`) + "access nonsense\n"
		if got := read(4 * time.Second); got != "map[2xx:1 4xx:1] map[503:1]" {
			t.Errorf("before the last: %s", got)
		}
		if got := read(time.Minute); got != "map[2xx:2 4xx:1] map[503:1]" {
			t.Errorf("all: %s", got)
		}
		if n, err := l.misunderstood(); n != 1 || err == nil || !strings.Contains(err.Error(), "nonsense") {
			t.Errorf("not understood: %d, %v", n, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		h, err := record.Read(w.Dir())
		if err != nil {
			t.Logf("%v", err) // it has no run
		}
		got := map[string]bool{}
		for _, p := range h.Passages {
			got[fmt.Sprintf("%v %d %v %q %s %d %v", p.At, p.Seq, p.Foreign, p.RequestID, p.Instance, p.Status, p.Answered)] = true
		}
		want := map[string]bool{`1s 7 false "" web-2 200 true`: true, `2s 8 false "" web-2 503 false`: true, `3s 0 true "somebody's" web-2 404 true`: true, `5s 9 false "" web-2 200 true`: true}
		if !maps.Equal(got, want) {
			t.Errorf("recorded %v, want %v", got, want)
		}
	}
}
