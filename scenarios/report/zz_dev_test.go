package report

import (
	"os"
	"testing"

	"throughline/scenarios/check"
	"throughline/scenarios/record"
)

func TestDev(t *testing.T) {
	dir := os.Getenv("DEVDIR")
	h := killed()
	for _, o := range []check.Outcome{check.Pass, check.Fail, check.Inconclusive} {
		os.MkdirAll(dir+"/"+o.String(), 0o755)
		if _, err := WriteAll(dir+"/"+o.String(), h, judged(h, o)); err != nil {
			t.Fatal(err)
		}
		WriteText(os.Stdout, h, judged(h, o), TextOptions{Where: "/tmp/x/report.html"})
	}
	os.MkdirAll(dir+"/empty", 0o755)
	WriteAll(dir+"/empty", record.History{}, check.Verdict{})
	WriteText(os.Stdout, record.History{}, check.Verdict{}, TextOptions{})
}
