package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"throughline/browsertest"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/script"
)

// upping is a stack that is up, in a temporary directory of its own, so that no other is
// found by ctl.
type upping struct {
	t    *testing.T
	dir  string // of the record
	page string // its address, with the token
	env  []string
	cmd  *exec.Cmd
	said told
}

// told is what a program has said so far.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *told) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *told) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var pageLine = regexp.MustCompile(`(?m)^page +(http://\S+)$`)

// broughtUp brings a stack up, under load.
func broughtUp(t *testing.T, flags ...string) *upping {
	t.Helper()
	return began(t, "up", append([]string{"--rate", "50"}, flags...)...)
}

// began begins a command that leaves a stack up, and waits until it is.
func began(t *testing.T, command string, flags ...string) *upping {
	t.Helper()
	unhurried(t)
	stacked(t)
	temp := t.TempDir()
	u := &upping{t: t, dir: filepath.Join(temp, "record"), env: append(os.Environ(), "TMPDIR="+temp)}
	u.cmd = exec.Command(binary, append([]string{command, "--page", "127.0.0.1:0", "--out", u.dir}, flags...)...)
	u.cmd.Env, u.cmd.Stdout, u.cmd.Stderr = u.env, &u.said, &u.said
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if u.cmd.ProcessState == nil {
			_ = u.cmd.Process.Kill()
			_ = u.cmd.Wait()
		}
	})
	u.awaits("Ctrl-C ends it.")
	u.page = pageLine.FindStringSubmatch(u.said.String())[1]
	return u
}

// awaits waits until it has said something.
func (u *upping) awaits(text string) {
	u.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(u.said.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) || u.cmd.ProcessState != nil {
			u.t.Fatalf("it never said %q:\n%s", text, u.said.String())
		}
	}
}

// ctl has a move made, and gives what ctl printed.
func (u *upping) ctl(status int, words ...string) string {
	u.t.Helper()
	cmd := exec.Command(binary, append([]string{"ctl"}, words...)...)
	cmd.Env = u.env
	text, _ := cmd.CombinedOutput() // its status is looked at
	if got := cmd.ProcessState.ExitCode(); got != status {
		u.t.Errorf("ctl %q: exit status %d, want %d: %s", words, got, status, text)
	}
	return string(text)
}

// ends waits for the end and gives the exit status.
func (u *upping) ends() int {
	u.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); _ = u.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		u.t.Fatalf("it does not end:\n%s", u.said.String())
	}
	nothingLeft(u.t, u.dir)
	return u.cmd.ProcessState.ExitCode()
}

// awaitAcked waits until users had so many requests acknowledged.
func (u *upping) awaitAcked(n uint64) {
	u.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if u.stands().Load.Acked >= n {
			return
		}
	}
	u.t.Fatalf("%d requests were never acknowledged", n)
}

type standingJSON struct {
	Instances []string
	Load      struct{ Acked uint64 }
}

// stands asks as the page does.
func (u *upping) stands() (s standingJSON) {
	u.t.Helper()
	r, err := http.NewRequest("GET", strings.Split(u.page, "enter")[0]+"standing", nil)
	if err != nil {
		u.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+strings.Split(u.page, "token=")[1])
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		u.t.Fatal(err)
	}
	defer got.Body.Close()
	if err := json.NewDecoder(got.Body).Decode(&s); err != nil {
		u.t.Fatal(err)
	}
	return s
}

// watches reads the live page to its end and gives each section as it last was, and how
// many times it came.
func (u *upping) watches() (seen func() (last map[string]string, times map[string]int)) {
	u.t.Helper()
	got, err := http.Get(strings.Split(u.page, "enter")[0] + "events")
	if err != nil {
		u.t.Fatal(err)
	}
	last, times, done := map[string]string{}, map[string]int{}, make(chan struct{})
	go func() {
		defer close(done)
		defer got.Body.Close()
		lines := bufio.NewReader(got.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			var parts []struct{ ID, HTML string }
			if data, ok := strings.CutPrefix(line, "data: ["); ok && json.Unmarshal([]byte("["+data), &parts) == nil {
				for _, p := range parts {
					last[p.ID] = p.HTML
					times[p.ID]++
				}
			}
			if strings.HasPrefix(line, "event: end") {
				last["end"] = "yes"
			}
		}
	}()
	return func() (map[string]string, map[string]int) {
		<-done
		return last, times
	}
}

// What is done by hand to a healthy stack is journalled, seen on the page, and judged: a
// pass, which judge gives again, of a scenario that can be run again.
func TestUpAndMovesByHand(t *testing.T) {
	u := broughtUp(t)
	seen := u.watches()
	if said := u.ctl(exitPass, "status"); !strings.Contains(said, "instances  web-1 web-2 web-3\n") || !strings.Contains(said, "faults     none\n") {
		t.Errorf("status:\n%s", said)
	}
	u.awaitAcked(150)
	if said := u.ctl(exitPass, "kill", "web-2"); !strings.HasPrefix(said, "kill web-2  (took effect in ") {
		t.Errorf("kill: %s", said)
	}
	if said := u.ctl(exitUsage, "kill", "web-2"); !strings.Contains(said, "kill web-2: no such instance at that point (have web-1, web-3)") {
		t.Errorf("kill once more: %s", said)
	}
	if said := u.ctl(exitUsage, "fault", "replay-requests"); !strings.Contains(said, "no proxy stands before the load balancer") {
		t.Errorf("what was not prepared: %s", said)
	}
	u.ctl(exitPass, "launch")
	u.awaitAcked(400)
	u.ctl(exitPass, "end")
	status := u.ends()
	last, times := seen()
	v := conclusive(t, u.dir, status, u.said.String())

	if last["end"] == "" || !strings.Contains(last["sentence"], "pass") && v.Outcome == verdict.Pass {
		t.Errorf("the page did not become the report: %s", last["sentence"])
	}
	if times["slide"] < 3 || !strings.Contains(last["slide"], "web-4") {
		t.Errorf("the slide came %d times", times["slide"])
	}
	s, err := script.Read(filepath.Join(u.dir, "scenario.yaml"), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, p := range s.Phases {
		for _, step := range p.Do {
			did = append(did, step.String())
		}
	}
	if !slices.Equal(did, []string{"kill web-2", "launch 1"}) {
		t.Errorf("the scenario does %q", did)
	}
	before, err := os.ReadFile(filepath.Join(u.dir, "verdict.json"))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := exec.Command(binary, "judge", "--format", "json", u.dir).Output()
	if !bytes.Equal(again, before) {
		t.Errorf("judge gives another verdict:\n%s", again)
	}
	if text := recordText(t, u.dir); strings.Contains(text, strings.Split(u.page, "token=")[1]) {
		t.Error("the token is in the record")
	}
	if said := u.ctl(exitHarness, "status"); !strings.Contains(said, "ctl: no stack is up; start one with throughline up") {
		t.Errorf("afterwards: %s", said)
	}
}

// In a browser a move is made with a button, its effect is seen in the charts, and at the end
// the page is the report, without having been loaded again.
func TestTheLivePageInABrowser(t *testing.T) {
	u := broughtUp(t)
	b := browsertest.Open(t, u.page, browsertest.View{})
	b.Wait(`document.documentElement.dataset.live === "on"`)
	browsertest.Eval[bool](b, `window.stayed = true`)
	u.awaitAcked(150)
	b.Click(`button[value="kill web-2"]`)
	b.Wait(`document.getElementById("moves-told").textContent.includes("kill web-2  (took effect in ")`)
	acted := time.Now()
	b.Wait(`document.querySelector("#slide .flags").textContent.includes("kill web-2")`)
	took := time.Since(acted)
	t.Logf("the charts had it %v after the button", took)
	if took > 10*time.Second { // it is 2 s where the machine is not busy
		t.Error("the charts had it too late")
	}
	b.Sound()
	b.Picture("up")
	narrow := browsertest.Open(t, strings.Split(u.page, "enter")[0], browsertest.View{Width: 360, Dark: true})
	narrow.Wait(`document.documentElement.dataset.live === "on"`)
	narrow.Sound()
	narrow.Picture("narrow")
	for _, complaint := range narrow.Complaints() {
		t.Error(complaint)
	}
	b.Click(`form[action="/end"] button`)
	b.Wait(`/^(pass|inconclusive): by-hand$/.test(document.title)`)
	b.Wait(`document.documentElement.dataset.live === "over"`)
	if !browsertest.Eval[bool](b, `window.stayed === true && document.querySelector("#ledger table") !== null`) {
		t.Error("the page was loaded again, or is not the report")
	}
	b.Picture("ended")
	status := u.ends()
	narrow.Complaints()                                   // who is slow to take in the last of it is cut off
	if status != exitPass && status != exitInconclusive { // a browser beside it can make a machine too busy for the load
		t.Errorf("exit status %d\n%s", status, u.said.String())
	}
}

// recordText is all that is in a record.
func recordText(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// An app that loses its counts when it ends is found out by a deploy by hand.
func TestADefectIsFoundByHand(t *testing.T) {
	u := broughtUp(t, "--defect", "lost-on-exit", "--rate", "150")
	u.awaitAcked(600)
	u.ctl(exitPass, "replace", "web-1")
	u.awaitAcked(1000)
	u.ctl(exitPass, "replace", "web-2") // at another moment, so that a burst cannot be meant
	u.awaitAcked(1400)
	u.ctl(exitPass, "end")
	status := u.ends()
	v := writtenVerdict(t, u.dir)
	notTooBusy(t, v)
	if status != exitFail {
		t.Errorf("exit status %d, want %d\n%s", status, exitFail, u.said.String())
	}
	for _, name := range []string{"web-1", "web-2"} {
		if !slices.ContainsFunc(v.Findings, func(f verdict.Finding) bool {
			return f.Check == "conservation" && f.Outcome == verdict.Fail && f.Instance == name && f.Cause == "lost-on-exit"
		}) {
			t.Errorf("it is not said of %s: %+v", name, v.Findings)
		}
	}
}

// The first Ctrl-C is the end that is meant, and the second one calls the run off.
func TestCtrlCEndsWhatIsUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		twice bool
	}{{"once", false}, {"twice", true}} {
		t.Run(c.name, func(t *testing.T) {
			u := broughtUp(t)
			u.awaitAcked(150)
			for again := range 2 {
				if again > 0 && !c.twice {
					break
				}
				if err := u.cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
				u.awaits("load has ended; waiting for the last counts")
			}
			status := u.ends()
			if !c.twice {
				conclusive(t, u.dir, status, u.said.String())
				return
			}
			if status != exitInconclusive || !strings.Contains(journalOf(t, u.dir), `"interrupted"`) {
				t.Errorf("exit status %d\n%s", status, u.said.String())
			}
		})
	}
}

// While a scenario runs its page shows it, and nobody makes moves.
func TestThePageOfARun(t *testing.T) {
	unhurried(t)
	stacked(t)
	temp := t.TempDir()
	cmd := exec.Command(binary, "run", "--page", "127.0.0.1:0", "--out", filepath.Join(temp, "record"), endingScenario(t, "[throughline, app]", "15s", ""))
	var said told
	cmd.Env, cmd.Stdout, cmd.Stderr = append(onPath(), "TMPDIR="+temp), &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	u := &upping{t: t, dir: filepath.Join(temp, "record"), env: cmd.Env, cmd: cmd}
	for deadline := time.Now().Add(time.Minute); u.page == ""; time.Sleep(time.Millisecond) {
		if m := pageLine.FindStringSubmatch(said.String()); m != nil {
			u.page = m[1] + "enter"
		} else if time.Now().After(deadline) {
			t.Fatalf("no page:\n%s", said.String())
		}
	}
	seen := u.watches()
	url := strings.TrimSuffix(u.page, "enter")
	got, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(got.Body)
	got.Body.Close()
	if err != nil || got.StatusCode != http.StatusOK || !strings.Contains(string(text), "starting") || strings.Contains(string(text), `action="/moves"`) {
		t.Errorf("%s, %v: %.2000s", got.Status, err, text)
	}
	if got, err = http.PostForm(url+"moves", map[string][]string{"move": {"kill web-1"}}); err != nil || got.StatusCode == http.StatusOK {
		t.Errorf("a move while a scenario runs: %v, %v", got.Status, err)
	}
	if said := u.ctl(exitHarness, "kill", "web-1"); !strings.Contains(said, "no stack is up") {
		t.Errorf("ctl: %s", said)
	}
	last, _ := seen()
	if last["end"] == "" || !strings.Contains(last["sentence"], "pass") && !strings.Contains(last["sentence"], "inconclusive") {
		t.Errorf("the page did not become the report: %s", last["sentence"])
	}
}
