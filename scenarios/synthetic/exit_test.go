package synthetic

import (
	"testing"
	"time"
)

// Who packs lines into datagrams has sent those that were full before its exit.
func TestFullDatagramsAreGoneBeforeAnExit(t *testing.T) {
	c := Client{Flush: 5 * time.Second, Bytes: 3 * lineBytes}
	calls := func(n int) (calls []call, leaves []leaving) {
		for i := range n {
			calls = append(calls, call{metric: inserts, at: time.Duration(i) * time.Millisecond, n: 1, rate: 1})
			leaves = append(leaves, leaving{at: time.Second})
		}
		return calls, leaves
	}
	for _, of := range []struct {
		client      Client
		calls, held int
	}{
		{c, 2, 2},
		{c, 3, 3}, // a datagram is sent when the next line has no room in it
		{c, 7, 1},
		{Client{Aggregate: time.Second, Bytes: 3 * lineBytes}, 7, 7}, // one line
		{Client{Bytes: 512}, 7, 0},
	} {
		x := &worker{instance: &instance{signal: "SIGTERM", death: time.Second}}
		var leaves []leaving
		x.calls, leaves = calls(of.calls)
		held := of.client.heldAtExit(x, leaves)
		got := 0
		for i, is := range held {
			if is {
				got++
			}
			if i > 0 && held[i-1] && !is {
				t.Errorf("%+v of %d calls: holds an earlier one than it has sent", of.client, of.calls)
			}
		}
		if got != of.held {
			t.Errorf("%+v of %d calls: holds %d, want %d", of.client, of.calls, got, of.held)
		}
	}
}

// No instance counts more twice than its clients had room for.
func TestNoMoreIsCountedTwiceThanWasHeld(t *testing.T) {
	m, err := Make(3560, "last-window-twice") // 512 bytes, flushed each 5 s at 118 calls
	if err != nil {
		t.Fatal(err)
	}
	room := int64(m.Params.Workers * (m.Params.Client.Bytes / lineBytes))
	for name, a := range m.Truth.Instances {
		if a.Off() > room {
			t.Errorf("%s counted %d too many, and its clients hold %d at most", name, a.Off(), room)
		}
	}
}
