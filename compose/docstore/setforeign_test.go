package docstore

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Drivers of other languages follow a fail-over as Go's does: nobody sees an error, and each
// increment is there once.
func TestPymongoFollowsAFailover(t *testing.T) {
	followed(t, func(p *processes, primary string) {
		p.kill(primary)
		p.launch(primary, p.dirs[primary])
	}, python(t), "testdata/pymongo_failover.py")
}

// Node's driver is Debian's, 3.6. Of a primary that is killed it does not send again what was under
// way when its monitor heard of that first, whatever the server says; so the primary steps down.
func TestNodeFollowsAFailover(t *testing.T) {
	// Debian's modules are where only Debian's node looks.
	const debian = "/usr/share/nodejs"
	node, err := exec.LookPath("node")
	if err == nil {
		probe := exec.CommandContext(t.Context(), node, "-e", `require("mongodb")`)
		probe.Env = append(os.Environ(), "NODE_PATH="+debian)
		err = probe.Run()
	}
	if err != nil {
		t.Skipf("SKIPPED: no node with the MongoDB driver (Debian: apt install node-mongodb): %v", err)
	}
	t.Setenv("NODE_PATH", debian)
	followed(t, func(_ *processes, primary string) {
		if answer := talkTo(t, primary).ask(bson.D{{Key: "replSetStepDown", Value: 60}}); lookup(answer, "ok").AsFloat64() != 1 {
			t.Fatalf("step down: %s", showDocument(answer))
		}
	}, node, "testdata/node_failover.js")
}

// followed runs a client while there is another primary twice, by what fails.
func followed(t *testing.T, fails func(*processes, string), interpreter, script string) {
	t.Helper()
	p := startProcesses(t)
	p.primary()
	client := exec.CommandContext(t.Context(), interpreter, script, p.uri())
	client.Stderr = os.Stderr
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	line := func() string {
		t.Helper()
		text, err := said.ReadString('\n')
		if err != nil {
			t.Fatalf("the client ended after %q: %v", text, err)
		}
		return text
	}
	if got := line(); got != "running\n" {
		t.Fatalf("the client says %q", got)
	}
	c := p.client().Database("test").Collection("words")
	sum := func() (n int) {
		for i := range 4 {
			n += countOf(t, c, fmt.Sprint(i))
		}
		return n
	}
	more := func() {
		t.Helper()
		begin := sum()
		for deadline := time.Now().Add(patience); sum() < begin+40; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the client wrote %d in %v, want 40", sum()-begin, patience)
			}
		}
	}
	for range 2 {
		more()
		old := p.primary()
		fails(p, old)
		more()
		p.wantFollower(old)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	var acked, errors int
	last := line()
	if _, err := fmt.Sscanf(last, "acknowledged %d errors %d", &acked, &errors); err != nil || errors > 0 {
		t.Errorf("the client says %q", last)
	}
	if err := client.Wait(); err != nil {
		t.Errorf("the client ended with: %v", err)
	}
	if n := sum(); n != acked {
		t.Errorf("%d increments are there, and %d were acknowledged", n, acked)
	}
	t.Log(strings.TrimSpace(last))
}
