package docstore

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// child runs a docstore in a process of its own.
func child(t *testing.T, dir string) (addr string, p *exec.Cmd) {
	t.Helper()
	p = exec.Command(os.Args[0])
	p.Env = append(os.Environ(), childDir+"="+dir)
	p.Stderr = os.Stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child did not say its address: %v", err)
	}
	return strings.TrimSpace(line), p
}

// Every acknowledged increment is there after SIGKILL, and none that was not
// asked for: acked <= count <= attempted, for each writer's own word.
func TestAcknowledgedWritesSurviveSIGKILL(t *testing.T) {
	const writers, enough = 24, 600
	dir := t.TempDir()
	addr, p := child(t, dir)
	killed := false
	defer func() {
		if !killed {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	}()
	c := connect(t, addr).Database("test").Collection("words")
	if err := uniqueName(t, c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var attempted, acked [writers]int64
	var total atomic.Int64
	kill := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for {
				attempted[w]++
				_, err := c.UpdateOne(ctx, bson.D{{Key: "name", Value: fmt.Sprint(w)}},
					bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: int64(1)}}}}, options.UpdateOne().SetUpsert(true))
				if err != nil {
					return // killed
				}
				acked[w]++
				if total.Add(1) >= enough {
					once.Do(func() { close(kill) })
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	select {
	case <-kill:
	case <-ended:
		t.Fatalf("all writers ended after %d acknowledged increments", total.Load())
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // says that it was killed
	killed = true
	cancel() // do not look for a server that will not come back
	<-ended

	again := connect(t, serve(t, dir)).Database("test").Collection("words")
	sum := int64(0)
	for w := range writers {
		var word struct{ Count int64 }
		err := again.FindOne(t.Context(), bson.D{{Key: "name", Value: fmt.Sprint(w)}}).Decode(&word)
		if err != nil && acked[w] > 0 {
			t.Errorf("writer %d: %v after %d acknowledged increments", w, err, acked[w])
		}
		if word.Count < acked[w] || word.Count > attempted[w] {
			t.Errorf("writer %d counts %d, want %d to %d", w, word.Count, acked[w], attempted[w])
		}
		sum += word.Count
	}
	if sum < enough {
		t.Errorf("%d increments are left of at least %d", sum, enough)
	}
}
