package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"throughline/browsertest"
	"throughline/cmd/throughline/cli"
	"throughline/scenarios/trial"
	"throughline/workshop"
)

// All steps of the talk are played on a real stack, everything is seen that there is to
// see, the verdict on it all is a pass, and the encore's defect is found.
func TestWorkshopUnattended(t *testing.T) {
	u := began(t, "workshop", "--unattended")
	status := u.ends()
	said := u.said.String()
	talk, err := workshop.TheTalk()
	if err != nil {
		t.Fatal(err)
	}
	rest := said
	for i, slide := range talk.Slides {
		for k := range slide.Steps {
			line := fmt.Sprintf("\nseen     %2d. %s", i+1, slide.Title)
			if len(slide.Steps) > 1 {
				line += fmt.Sprintf(" (%d of %d)", k+1, len(slide.Steps))
			}
			_, after, found := strings.Cut(rest, line+"\n")
			if !found {
				t.Fatalf("it was not seen, or not in its turn: %s in\n%s", line, said)
			}
			rest = "\n" + after
		}
	}
	conclusive(t, u.dir, status, said)
	if !strings.Contains(rest, "\nseen         encore: ") || !strings.Contains(rest, "fail: ") {
		t.Errorf("the encore's defect was not found:\n%s", said)
	}
}

// The page leads through the first two slides and the encore; the first Ctrl-C gives the
// verdict and leaves the page, the second one ends it.
func TestWorkshopInABrowser(t *testing.T) {
	u := began(t, "workshop")
	p := browsertest.Open(t, u.page, browsertest.View{})
	has := func(id, text string) string {
		return fmt.Sprintf("document.querySelector('#workshop-%s')?.innerText.includes(%q)", id, text)
	}
	p.Wait(has("step", "Past and present"))
	p.Click("#workshop button[value=play]")
	p.Wait(has("seen", "✓ Seen."))
	p.Click("#workshop button[value=next]")
	p.Wait(has("step", "Failure is inevitable"))
	p.Click("#workshop button[value=play]")
	p.Wait(has("seen", "✓ Seen."))
	p.Wait(`document.querySelector("#slide").textContent.includes("kill web-3")`)
	p.Sound()
	p.Picture("slide")
	for steps := 1; p.Text("#workshop button[value=next]") != ""; steps++ {
		if steps > 50 {
			t.Fatal("the talk has no end")
		}
		before := p.Text("#workshop-step")
		p.Click("#workshop button[value=next]")
		p.Wait(fmt.Sprintf("document.querySelector('#workshop-step').innerText !== %q", before))
	}
	if err := u.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	u.awaits("The page stays, with the encore; Ctrl-C ends it.")
	p.Wait(`/^(pass|fail|inconclusive)/i.test(document.querySelector("#sentence").innerText)`)
	p.Click("#workshop button[value=pick]")
	p.Wait(`document.querySelector("#workshop button[value=guess]")`)
	p.Click("#workshop button[value=guess]")
	p.Wait(has("encore", "The verdict: "))
	p.Sound()
	p.Picture("encore")
	// A stranger, who has not the token, leads nobody.
	stranger := browsertest.Open(t, strings.Split(u.page, "enter?")[0], browsertest.View{NoScripts: true})
	stranger.Click("#workshop button[value=back]")
	stranger.Wait(`document.body.innerText.includes("moves need the token")`)
	stranger.Complaints() // of the 403
	if err := u.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	conclusive(t, u.dir, u.ends(), u.said.String())
	p.Complaints() // the page is gone, and the browser says so
}

// fixedBreaker has its verdict ready.
type fixedBreaker struct {
	causes []string
	err    error
}

func (b fixedBreaker) Break(context.Context, string) (workshop.Verdict, error) {
	return workshop.Verdict{Outcome: "fail", Sentence: "It loses.", Causes: b.causes}, b.err
}

func TestWorkshopStatus(t *testing.T) {
	for _, c := range []struct {
		name    string
		unseen  int
		failed  error
		breaker fixedBreaker
		verdict trial.Status
		want    int
	}{
		{"all is seen", 0, nil, fixedBreaker{causes: []string{"right"}}, trial.Pass, exitPass},
		{"one step is not", 1, nil, fixedBreaker{causes: []string{"right"}}, trial.Pass, exitFail},
		{"the defect is not found", 0, nil, fixedBreaker{causes: []string{"wrong"}}, trial.Pass, exitFail},
		{"the verdict proves nothing", 0, nil, fixedBreaker{causes: []string{"right"}}, trial.Inconclusive, exitInconclusive},
		{"the verdict is a fail", 0, nil, fixedBreaker{causes: []string{"right"}}, trial.Fail, exitFail},
		{"the stack did not run", 1, nil, fixedBreaker{}, trial.Unrun, exitHarness},
		{"it could not go on", 0, errors.New("away"), fixedBreaker{causes: []string{"right"}}, trial.Pass, exitHarness},
		{"the defect cannot be run", 0, nil, fixedBreaker{err: errors.New("no haproxy")}, trial.Pass, exitHarness},
	} {
		var out strings.Builder
		encore := workshop.NewEncore([]workshop.Defect{{Name: "d", Causes: []string{"right"}}}, nil, c.breaker, nil, nil)
		tour := &tour{talk: workshop.Talk{Defects: []string{"d"}}, encore: encore, stage: workshop.NewStage(nil, encore), unattended: true, out: &out,
			done: make(chan struct{}), unseen: c.unseen, failed: c.failed}
		close(tour.done)
		err := tour.encoreOf(t.Context(), t.Context(), c.verdict)
		got := 0
		var status *cli.Error
		if errors.As(err, &status) {
			got = status.Status
		}
		if got != c.want {
			t.Errorf("%s: status %d (%v), want %d", c.name, got, err, c.want)
		}
	}
	interrupted, stop := context.WithCancel(t.Context())
	stop()
	unfinished := &tour{stage: workshop.NewStage(nil, nil), unattended: true}
	var status *cli.Error
	if err := unfinished.encoreOf(t.Context(), interrupted, trial.Pass); !errors.As(err, &status) || status.Status != exitInconclusive {
		t.Errorf("interrupted: %v", err)
	}
}

// A page that nobody leads through, and a command that leads nobody, are as ever.
func TestNobodyIsLed(t *testing.T) {
	var nobody *tour
	nobody.attach(nil, nil)
	if err := nobody.encoreOf(t.Context(), t.Context(), trial.Pass); err != nil {
		t.Error(err)
	}
	if aside, script := new(window).led(); aside != "" || script != "" {
		t.Errorf("led by %q, %q", aside, script)
	}
	if out, err := exec.Command(binary, "workshop", "--dashboard", "off").CombinedOutput(); err == nil || !strings.Contains(string(out), "--dashboard off: the workshop asks the collector") {
		t.Errorf("without a collector: %v\n%s", err, out)
	}
}
