package docstore

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// killRounds, when set, is how many primaries TestKillThePrimary kills.
const killRounds = "DOCSTORE_TEST_KILLS"

// processes are members in processes of their own, which can be killed.
type processes struct {
	*replicaSet
	procs map[string]*exec.Cmd
}

// startProcesses starts a set of three.
func startProcesses(t testing.TB) *processes {
	t.Helper()
	p := &processes{emptySet(t), map[string]*exec.Cmd{}}
	for range 3 {
		p.addrs = append(p.addrs, p.launch("127.0.0.1:0", t.TempDir()))
	}
	if answer := talkTo(t, p.addrs[0]).ask(bson.D{{Key: "replSetInitiate", Value: configOf(p.addrs...)}}); lookup(answer, "ok").AsFloat64() != 1 {
		t.Fatalf("initiate: %s", showDocument(answer))
	}
	return p
}

// launch starts a member where another one was, or on any port.
func (p *processes) launch(listen, dir string) string {
	p.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childListen+"="+listen, childSet+"="+setName)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.t.Fatalf("the member did not say its address: %v", err)
	}
	addr := strings.TrimSpace(line)
	p.procs[addr], p.dirs[addr] = cmd, dir
	p.stops[addr] = func() error { p.kill(addr); return nil }
	return addr
}

func (p *processes) kill(addr string) {
	_ = p.procs[addr].Process.Kill()
	_ = p.procs[addr].Wait() // says that it was killed
	delete(p.stops, addr)
}

// Whichever primary is killed under load, what was acknowledged is there, nothing is there
// twice, no writer sees an error, and the next primary takes writes within the time stated.
func TestKillThePrimary(t *testing.T) {
	rounds := 2
	if n, err := strconv.Atoi(os.Getenv(killRounds)); err == nil {
		rounds = n
	}
	p := startProcesses(t)
	client := p.client()
	c := client.Database("test").Collection("words")
	if err := uniqueName(t, c); err != nil {
		t.Fatal(err)
	}
	w := startWriters(t, client)
	var took []time.Duration
	for range rounds {
		w.more(t, 200)
		old := p.primary()
		p.kill(old)
		begin := time.Now()
		w.more(t, int64(len(w.acked))+1) // so many may have been answered just before
		took = append(took, time.Since(begin))
		p.launch(old, p.dirs[old])
		p.wantFollower(old)
	}
	w.stop()
	w.none(t)
	w.verify(t, c)
	slices.Sort(took)
	t.Logf("%d primaries killed, %d writes acknowledged; the next write was acknowledged after %v (median) to %v", rounds, w.sum(), took[len(took)/2], took[len(took)-1])
	if worst := took[len(took)-1]; worst > failover {
		t.Errorf("a failover took %v, want at most %v", worst, failover)
	}
}

// wantFollower waits until a member follows the primary, or is it.
func (p *processes) wantFollower(addr string) {
	p.t.Helper()
	for deadline := time.Now().Add(failover); ; time.Sleep(20 * time.Millisecond) {
		if h := p.hello(addr); h.Secondary || h.IsWritablePrimary {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s does not follow: %+v", addr, p.hello(addr))
		}
	}
}
