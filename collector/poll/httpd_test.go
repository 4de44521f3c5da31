package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every number is a series with its instance; of who is gone the last counts are carried on.
func TestHTTPD(t *testing.T) {
	rows := []HTTPDRow{
		{Instance: "web-1", Numbers: map[string]float64{"Total Accesses": 17, "BusyWorkers": 2, "IdleWorkers": 23, "Load1": 3},
			Answered: map[string]float64{"2xx": 11, "5xx": 1}, Own: map[string]float64{"503": 2}},
		{Instance: "web-2", Answered: map[string]float64{"2xx": 5}},
	}
	h := HTTPD{Rows: func(context.Context) ([]HTTPDRow, error) { return rows, nil }}
	samples, err := h.Poll(t.Context(), time.Unix(9, 0))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range samples {
		got = append(got, fmt.Sprintf("%s%v %v %d", s.Name, s.Labels, s.Value, s.Observed))
	}
	slices.Sort(got)
	want := []string{
		"apache_accesses_total[{instance web-1}] 17 1",
		"apache_answered_2xx_total[{instance web-1}] 11 1",
		"apache_answered_2xx_total[{instance web-2}] 5 0",
		"apache_answered_5xx_total[{instance web-1}] 1 1",
		"apache_own_answers_total[{code 503} {instance web-1}] 2 1",
		"apache_workers[{instance web-1} {state busy}] 2 1",
		"apache_workers[{instance web-1} {state idle}] 23 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	rows[1].Instance = "web-1"
	if _, err := h.Poll(t.Context(), time.Unix(9, 0)); err == nil || !strings.Contains(err.Error(), `two rows are of "web-1"`) {
		t.Errorf("two rows of one: %v", err)
	}
	failed := errors.New("it is away")
	h.Rows = func(context.Context) ([]HTTPDRow, error) { return nil, failed }
	if _, err := h.Poll(t.Context(), time.Unix(9, 0)); !errors.Is(err, failed) {
		t.Errorf("who cannot be asked: %v", err)
	}
}
