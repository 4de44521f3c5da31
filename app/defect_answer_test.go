package app

import (
	"net/http"
	"testing"
)

// An insert without an answer is in the database and in the counter like all
// others.
func TestAnswerLost(t *testing.T) {
	socket, words := listenUDP(t), newMemory()
	r := start(t, Config{StatsD: socket.addr(), Defect: "answer-lost"}, words)
	const inserts = 3 * unansweredEvery
	lost := 0
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range inserts {
		resp, err := client.Post(r.url+"/insert/word", "", nil)
		if err != nil {
			lost++
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("got %s", resp.Status)
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	if lost != 3 || words.sum() != inserts || socket.counts[counted] != inserts {
		t.Errorf("%d answers lost, %d inserts written, %d counted; want 3, %d, %d", lost, words.sum(), socket.counts[counted], inserts, inserts)
	}
}
