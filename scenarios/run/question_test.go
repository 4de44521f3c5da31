package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/series"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
)

func TestSamplesOfAnswers(t *testing.T) {
	vector := func(elements ...string) string {
		return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(elements, ",") + `]}}`
	}
	one := func(instance, value string) string {
		return fmt.Sprintf(`{"metric":{"instance":%q},"value":[12.5,%q]}`, instance, value)
	}
	const histogram = `{"metric":{"instance":"web-1"},"histogram":[12.5,{"count":"3","sum":"4"}]}`
	for _, c := range []struct {
		name, form, body string
		want             []autoscale.Sample
		err              string
	}{
		{"none", autoscale.Sum, vector(), nil, ""},
		{"one", autoscale.Sum, vector(`{"metric":{},"value":[12.5,"181.25"]}`), []autoscale.Sample{{Value: 181.25}}, ""},
		{"one of an instance", autoscale.Sum, vector(one("web-1", "3")), []autoscale.Sample{{Value: 3}}, ""},
		{"a scalar", autoscale.Sum, `{"status":"success","data":{"resultType":"scalar","result":[12.5,"7"]}}`, []autoscale.Sample{{Value: 7}}, ""},
		{"two", autoscale.Sum, vector(one("web-1", "3"), one("web-2", "4")), nil, "gives 2 series: wrap it in sum(…)"},
		{"a histogram", autoscale.Sum, vector(histogram), nil, "gives a histogram: want numbers, as histogram_count(…) has them"},
		{"a matrix", autoscale.Sum, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, nil, "gives a matrix: want an instant vector"},
		{"a refusal", autoscale.Sum, `{"status":"error","errorType":"bad_data","error":"unknown function"}`, nil, "the collector refused: unknown function"},
		{"no JSON", autoscale.Sum, `404 page not found`, nil, "the collector's answer is no JSON: invalid character 'p' after top-level value"},
		{"one for each", autoscale.Mean, vector(one("web-10", "1"), one("web-9", "2")), []autoscale.Sample{{Instance: "web-9", Value: 2}, {Instance: "web-10", Value: 1}}, ""},
		{"several of one", autoscale.Mean, vector(one("web-1", "1"), one("web-2", "1"), one("web-1", "2")), nil,
			"gives several series of web-1: wrap it in sum by (instance) (…)"},
		{"of nobody", autoscale.Mean, vector(`{"metric":{"zone":"a"},"value":[12.5,"1"]}`), nil,
			"gives a series without the label instance: wrap it in sum by (instance) (…)"},
	} {
		got, err := samplesOf([]byte(c.body), c.form)
		if diff := cmp.Diff(c.want, got); diff != "" || fmt.Sprint(err) != c.err && (err != nil || c.err != "") {
			t.Errorf("%s: error %v, want %s (-want +got):\n%s", c.name, err, c.err, diff)
		}
	}
	for _, text := range []string{"NaN", "+Inf"} {
		got, err := samplesOf([]byte(vector(one("", text))), autoscale.Sum)
		if err != nil || len(got) != 1 || fmt.Sprint(got[0].Value) != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// TestFrontier: a moment is reached when the interval that ends there was given, and every poller has answered for it or failed.
func TestFrontier(t *testing.T) {
	f := newFrontier()
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	flush := func(seconds int) { f.Append(collector.Sample{Name: record.FlushLateness, At: at(seconds)}) }
	poll := func(name string, seconds int) {
		f.Append(collector.Sample{Name: record.PollDuration, Labels: collector.NewLabels("poller", name), At: at(seconds)})
	}
	behind := func(seconds int) string {
		missing, _ := f.behind(at(seconds), []string{"haproxy", "mongo"})
		return missing
	}
	for _, c := range []struct {
		do   func()
		want string // at 5 s
	}{
		{func() {}, "what instances sent"},
		{func() { flush(4) }, "what instances sent"},
		{func() { flush(5) }, "the poll of haproxy"},
		{func() { poll("haproxy", 5) }, "the poll of mongo"},
		{func() { poll("mongo", 4) }, "the poll of mongo"},
		{func() { f.Append(collector.Sample{Name: "fullstack_insert_total", At: at(5)}) }, "the poll of mongo"},
		{func() { poll("mongo", 6) }, ""},
	} {
		if c.do(); behind(5) != c.want {
			t.Errorf("%q is behind, want %q", behind(5), c.want)
		}
	}
}

// TestIntervalEnds: what is asked for is an interval end of the collector, whichever way the clock that tells them is a little off.
func TestIntervalEnds(t *testing.T) {
	f := newFrontier()
	base := time.Now().Truncate(time.Second)
	if got := f.end(base.Add(700*time.Millisecond), time.Second); !got.Equal(base) {
		t.Errorf("before any is known: %v, want %v", got, base)
	}
	f.Append(collector.Sample{Name: record.FlushLateness, At: base.Add(10*time.Second + 300)})
	for after, want := range map[time.Duration]time.Duration{
		10*time.Second + 300: 10 * time.Second, 10*time.Second + 299: 9 * time.Second, 11*time.Second + 299: 10 * time.Second,
		13*time.Second + 301: 13 * time.Second, 8*time.Second + 300: 8 * time.Second, 7*time.Second + 600: 7 * time.Second,
	} {
		if got, want := f.end(base.Add(after), time.Second), base.Add(want+300); !got.Equal(want) {
			t.Errorf("at %v: %v, want %v", after, got, want)
		}
	}
	if missing, _ := f.behind(base.Add(10*time.Second+700), nil); missing != "" {
		t.Errorf("%s is behind within the same millisecond", missing)
	}
}

// withQuestion gives a rig whose collector is asked.
func withQuestion(t *testing.T, expr string) (*rig, *question) {
	r := newRig(t)
	r.telemetry.api = anywhere
	// The one that newRig made has no API; nothing was sent to it.
	stopping := context.WithoutCancel(t.Context())
	if !r.telemetry.stop(stopping) {
		t.Fatal("the collector did not end")
	}
	if err := errors.Join(r.telemetry.collector().Close(), r.telemetry.open(anywhere)); err != nil {
		t.Fatal(err)
	}
	r.telemetry.run(t.Context())
	q := newQuestion(expr, autoscale.Sum, r.telemetry)
	t.Cleanup(q.close)
	return r, q
}

// TestAskedAgainOfTheRecord: whatever moment is asked for, what the collector says at once is what the record says later.
func TestAskedAgainOfTheRecord(t *testing.T) {
	const expr = `sum(rate(throughline_collector_flush_lateness_seconds[300ms])) or sum(throughline_collector_start_time_seconds)`
	r, q := withQuestion(t, expr)
	type told struct {
		at    time.Duration
		value float64
	}
	var replies []told
	for range 20 {
		at := q.time(time.Now())
		samples, err := q.ask(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if len(samples) == 1 {
			replies = append(replies, told{r.journal.offset(at).Truncate(time.Microsecond), samples[0].Value})
		}
		if err := sleepUntil(t.Context(), time.Now().Add(30*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	if len(replies) < 10 {
		t.Fatalf("%d of 20 questions had a sample", len(replies))
	}
	r.close()
	history, err := record.Read(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	store := storeOf(t, history)
	for _, one := range replies {
		answer, err := store.Query(t.Context(), expr, history.Run.Start.Add(one.at).Round(time.Millisecond))
		if err != nil || len(answer.Series) != 1 || answer.Series[0].Points[0].Value != one.value {
			t.Errorf("at %v it said %v, the record says %v, %v", one.at, one.value, answer.Series, err)
		}
	}
}

// storeOf puts the samples of a record into a store.
func storeOf(t *testing.T, h record.History) *series.Store {
	t.Helper()
	store, err := series.Open(t.TempDir(), series.Options{Scratch: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for _, s := range h.Series {
		for _, p := range s.Points {
			if err := store.Append(collector.Sample{Name: s.Name, Labels: s.Labels, Meta: &s.Meta, At: h.Run.Start.Add(p.At).Round(time.Millisecond), Value: p.Value, Observed: p.Observed, Stale: p.Stale, Histogram: p.Histogram}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return store
}

// TestNobodyAnswersWithoutACollector: the error comes at once, and there are answers again when there is a collector.
func TestNobodyAnswersWithoutACollector(t *testing.T) {
	r, q := withQuestion(t, "sum(throughline_collector_start_time_seconds)")
	if _, err := q.ask(t.Context(), q.time(time.Now())); err != nil {
		t.Fatal(err)
	}
	if !r.telemetry.stop(context.WithoutCancel(t.Context())) {
		t.Fatal("the collector did not end")
	}
	if _, err := q.ask(t.Context(), q.time(time.Now())); !errors.Is(err, errAway) {
		t.Errorf("without a collector: %v, want %v", err, errAway)
	}
	if err := errors.Join(r.telemetry.collector().Close(), r.telemetry.open(anywhere)); err != nil {
		t.Fatal(err)
	}
	r.telemetry.run(t.Context())
	// The series of the one before have ended, and those of the next begin at an interval end that is free.
	for deadline := time.Now().Add(time.Minute); ; {
		samples, err := q.ask(t.Context(), q.time(time.Now()))
		if err != nil {
			t.Fatalf("with the next: %v", err)
		}
		if len(samples) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the next one never says when it began")
		}
	}
}
