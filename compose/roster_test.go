package compose_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"throughline/compose"
)

func TestRosterTakesANameOnce(t *testing.T) {
	r := compose.NewRoster[int]()
	done, err := r.Reserve("web-1")
	if err != nil {
		t.Fatal(err)
	}
	done() // its start failed: the name stays used
	if _, err := r.Reserve("web-1"); err == nil {
		t.Error("a name was taken twice")
	}
}

func TestRosterWaitsForWhoIsStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := compose.NewRoster[int]()
		done, err := r.Reserve("web-1")
		if err != nil {
			t.Fatal(err)
		}
		var ended map[string]int
		closed := make(chan error)
		go func() {
			closed <- r.Close(func(started map[string]int) error { ended = started; return errors.New("seen") })
		}()
		<-r.Closing()
		synctest.Wait()
		if ended != nil {
			t.Error("it did not wait for the one that was starting")
		}
		if _, err := r.Reserve("web-2"); !errors.Is(err, compose.ErrClosed) {
			t.Errorf("a closed roster took a name: %v", err)
		}
		r.Add("web-1", 7)
		done()
		if err := <-closed; err == nil || err.Error() != "seen" || len(ended) != 1 || ended["web-1"] != 7 {
			t.Errorf("%v, ended %v", err, ended)
		}
		if err := r.Close(func(map[string]int) error { return nil }); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}
