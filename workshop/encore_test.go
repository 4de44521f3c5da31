package workshop

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// breaker gives a verdict when it is let.
type breaker struct {
	verdict Verdict
	err     error
	let     chan struct{} // nil: at once
	broke   []string
}

func (b *breaker) Break(_ context.Context, defect string) (Verdict, error) {
	b.broke = append(b.broke, defect)
	if b.let != nil {
		<-b.let
	}
	return b.verdict, b.err
}

func newEncore(b *breaker) *Encore {
	return NewEncore([]Defect{{"a", "about a", []string{"cause-a", "cause-b"}}, {"c", "about c", []string{"cause-c"}}},
		[]Cause{{"cause-a", "A"}, {"cause-b", "B"}, {"cause-c", "C"}}, b, func(n int) int { return n - 1 }, nil)
}

func TestEncore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{verdict: Verdict{"fail", "It loses.", []string{"cause-b"}}, let: make(chan struct{})}
		e := newEncore(b)
		if err := e.Guess("cause-a"); err == nil {
			t.Error("a guess before anything is broken")
		}
		go e.Play(t.Context(), "a")
		synctest.Wait()
		if r := e.Round(); !r.Running || r.Over() || r.Secret {
			t.Errorf("while it runs: %+v", r)
		}
		if _, err := e.Play(t.Context(), "c"); err == nil {
			t.Error("two rounds at a time")
		}
		if err := e.Guess("cause-x"); err == nil || e.Round().Guess != "" {
			t.Errorf("a cause that there is not: %v", err)
		}
		if err := e.Guess("cause-c"); err != nil || e.Round().Over() || e.Round().Right() {
			t.Errorf("a wrong guess: %v, %+v", err, e.Round())
		}
		close(b.let)
		synctest.Wait()
		if r := e.Round(); r.Running || !r.Over() || !r.Found() {
			t.Errorf("with its verdict: %+v", r)
		}
		if err := e.Guess("cause-a"); err != nil || !e.Round().Right() {
			t.Errorf("the right guess: %v, %+v", err, e.Round())
		}
		if r, err := e.Play(t.Context(), ""); err != nil || !r.Secret || r.Defect.Name != "c" || r.Guess != "" || r.Found() {
			t.Errorf("what chance picks: %+v, %v", r, err)
		}
	})
}

func TestEncoreFails(t *testing.T) {
	e := newEncore(&breaker{err: errors.New("no haproxy")})
	if r, err := e.Play(t.Context(), "a"); err != nil || r.Failed != "no haproxy" || r.Running || r.Over() {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := e.Play(t.Context(), "x"); err == nil || err.Error() != "x: no such defect (have a, c)" {
		t.Errorf("a defect that there is not: %v", err)
	}
	if _, err := NewEncore(nil, nil, nil, nil, nil).Play(t.Context(), ""); err == nil {
		t.Error("there is nothing to break, and it was")
	}
}

func TestEncoreUnattended(t *testing.T) {
	for causes, want := range map[string]string{
		"cause-a": "seen         encore: about a\n             fail: It loses.\n",
		"cause-c": "unseen       encore: about a\n             fail: It loses.\n",
	} {
		var out strings.Builder
		found, err := newEncore(&breaker{verdict: Verdict{"fail", "It loses.", []string{causes}}}).Unattended(t.Context(), "a", &out)
		if err != nil || found != strings.HasPrefix(want, "seen") || out.String() != want {
			t.Errorf("%v, %v:\n%swant\n%s", found, err, out.String(), want)
		}
	}
	if _, err := newEncore(&breaker{err: errors.New("no haproxy")}).Unattended(t.Context(), "a", &strings.Builder{}); err == nil {
		t.Error("a run that failed is told as one that was seen")
	}
}
