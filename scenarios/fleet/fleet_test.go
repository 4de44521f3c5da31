package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/series"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// simulated is what a simulation came to.
type simulated struct {
	Births, Decisions   int
	Requests            uint64
	Points              int64
	Collect, Ask, Judge float64 // CPU seconds of simulation and collector; of questions; of reading and judging
	CollectMB, JudgeMB  float64 // the most resident memory of the simulation, and of the judge, which is a process of its own
}

// toVariable tells a child process what to simulate, and where; of size 0, that what is there is to be judged.
const toVariable = "FLEET_SIMULATE"

// TestMain makes the test binary simulate by itself, or judge: the most memory that a
// process ever had is known of whole processes alone.
func TestMain(m *testing.M) {
	work := os.Getenv(toVariable)
	if work == "" {
		os.Exit(m.Run())
	}
	var size, phases int
	var dir string
	if _, err := fmt.Sscan(work, &size, &phases, &dir); err != nil {
		fatal(err)
	}
	result, err := simulated{}, error(nil)
	if size > 0 {
		result, err = simulate(size, phases, dir)
	} else {
		result, err = judge(dir)
	}
	if err != nil {
		fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// inChildren simulates in a process of its own, and judges in another one.
func inChildren(tb testing.TB, size, phases int) simulated {
	tb.Helper()
	dir := tb.TempDir()
	s := inChild(tb, size, phases, dir)
	judged := inChild(tb, 0, 0, dir)
	s.Points, s.Judge, s.JudgeMB = judged.Points, judged.Judge, judged.JudgeMB
	return s
}

func inChild(tb testing.TB, size, phases int, dir string) simulated {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", toVariable, size, phases, dir))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("a fleet of %d: %v", size, err)
	}
	var s simulated
	if err := json.Unmarshal(out, &s); err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestASimulatedFleetPasses: what BenchmarkFleet measures is a run that is judged, and in
// which the autoscaler finds the fleet as large as its load wants.
func TestASimulatedFleetPasses(t *testing.T) {
	s := inChildren(t, 40, 2)
	if s.Births != 3*40 || s.Requests == 0 || s.Points == 0 || s.Decisions == 0 {
		t.Errorf("%+v: want that each instance was replaced twice, and that something was measured and decided", s)
	}
}

// BenchmarkFleet simulates an hour of fleets of 100, 1,000 and 10,000 instances, all of
// which are replaced every ten minutes. It reports the CPU seconds of the simulation with
// its collector, of the autoscaler's questions, and of reading back and judging the record;
// and the most memory of both, in MB, that of the judge also for each life: what does not
// fall there grows with the fleet.
func BenchmarkFleet(b *testing.B) {
	for _, size := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("instances=%d", size), func(b *testing.B) {
			for b.Loop() {
				s := inChildren(b, size, 6)
				b.ReportMetric(float64(s.Births), "births")
				b.ReportMetric(float64(s.Requests), "requests")
				b.ReportMetric(float64(s.Points), "points")
				b.ReportMetric(s.Collect, "collect-CPU-s")
				b.ReportMetric(s.Ask/float64(s.Decisions)*1e3, "CPU-ms/decision")
				b.ReportMetric(s.Judge, "judge-CPU-s")
				b.ReportMetric(s.CollectMB, "collect-peak-MB")
				b.ReportMetric(s.JudgeMB, "judge-peak-MB")
				b.ReportMetric(s.JudgeMB*1024/float64(s.Births), "judge-peak-kB/life")
			}
		})
	}
}

// parts are collector, store and record of a simulation. They are its sink.
type parts struct {
	start  time.Time
	world  *world
	statsd *statsd.Collector
	driven *statsd.Driven
	store  *series.Store
	writer *record.Writer
	errs   []error
	polled []collector.Sample
	spent  time.Duration // on questions
}

// Append implements collector.Sink: to store and record, as in a run.
func (p *parts) Append(samples ...collector.Sample) error {
	return errors.Join(p.store.Append(samples...), p.writer.Append(samples...))
}

func (p *parts) fail(err error) {
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

func (p *parts) event(e record.Event) { p.fail(p.writer.Event(e)) }

func (p *parts) request(r record.Request, x record.Execution) {
	p.fail(p.writer.Request(r))
	p.fail(p.writer.Execution(x))
}

func (p *parts) lines(_ *instance, payload []byte) { p.driven.Take(from, payload) }

func (p *parts) arrive(in *instance) { p.fail(p.statsd.Assign(in.container, in.name, in.labels)) }

func (p *parts) leave(in *instance) { p.fail(p.statsd.Retire(context.Background(), in.name)) }

func (p *parts) sample(at time.Duration, name string, labels collector.Labels, value float64, stale bool) {
	p.polled = append(p.polled, collector.Sample{Name: name, Labels: labels, Meta: counter, At: p.start.Add(at), Value: value, Observed: 1, Stale: stale})
}

var counter = &collector.Meta{Type: collector.Counter}

func newParts(size, phases int, dir string) (*parts, error) {
	p := &parts{start: time.Unix(1_700_000_010, 0).UTC()} // an interval's end
	p.world = &world{size: size, phases: phases, rnd: rand.New(rand.NewPCG(1, 0)), out: p, words: map[string]int64{}}
	var err error
	if p.store, err = series.Open(filepath.Join(dir, "series"), series.Options{Now: p.clock}); err != nil {
		return nil, err
	}
	run := record.Run{ID: "r1", Scenario: "fleet", File: "fleet.yaml", Seed: 1, Platform: "local", Start: p.start, Interval: interval, Database: "docstore"}
	if p.writer, err = record.Create(filepath.Join(dir, "run"), run, p.world.scenario()); err != nil {
		return nil, err
	}
	p.statsd = statsd.New(statsd.Config{Now: p.clock, MaxSeriesTotal: 10 * size}, collector.Intake{Sink: p, Interval: interval})
	at := socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}
	if _, err := p.statsd.Listen(statsd.Listener{Addr: at, Origin: statsd.ByContainer}); err != nil {
		return nil, err
	}
	p.driven, err = p.statsd.Drive()
	return p, err
}

func (p *parts) clock() time.Time { return p.start.Add(p.world.now) }

// simulate leaves the record of a run.
func simulate(size, phases int, dir string) (simulated, error) {
	p, err := newParts(size, phases, dir)
	if err != nil {
		return simulated{}, err
	}
	result, err := p.play()
	if err != nil {
		return result, err
	}
	result.Collect, result.Ask, result.CollectMB = (cpu() - p.spent).Seconds(), p.spent.Seconds(), resident()
	return result, nil
}

// judge reads the record back and judges it, which must be a pass.
func judge(dir string) (simulated, error) {
	var result simulated
	h, err := record.Read(filepath.Join(dir, "run"))
	if err != nil {
		return result, err
	}
	v, err := check.Judge(h)
	if err != nil {
		return result, err
	}
	for _, s := range h.Series {
		result.Points += int64(len(s.Points))
	}
	result.Judge, result.JudgeMB = cpu().Seconds(), resident()
	if v.Outcome != verdict.Pass {
		for _, f := range v.Findings {
			if f.Outcome != verdict.Pass {
				err = errors.Join(err, fmt.Errorf("%s: %v: %s", f.Check, f.Outcome, f.Summary))
			}
		}
		return result, fmt.Errorf("want a pass: %w", err)
	}
	return result, nil
}

// play lets the time go by, second by second.
func (p *parts) play() (simulated, error) {
	w := p.world
	policy := autoscale.Policy{Min: 1, Max: 2 * w.size, Form: autoscale.Sum, Target: rate, Tolerance: 0.1, Every: interval, Missing: autoscale.Hold}
	scaler := autoscale.New(policy)
	end := begin + warmUp + time.Duration(w.phases)*phaseLong
	var result simulated
	for w.now = time.Second; w.now <= end+2*interval; w.now += time.Second {
		p.second(end)
		if w.now%interval == 0 {
			p.driven.Flush()
			if w.now > begin-interval {
				w.poll()
			}
			p.fail(p.Append(p.polled...))
			p.polled = p.polled[:0]
			if w.now >= begin+2*interval && w.now <= end {
				d := p.decide(scaler)
				result.Decisions++
				// It follows the load, half a question's range later.
				if least, most := (1-1.2*swing)*float64(w.size), (1+1.2*swing)*float64(w.size); float64(d.Wanted) < least-1 || float64(d.Wanted) > most+1 {
					return result, fmt.Errorf("at %v the autoscaler wants %d of %d instances: %+v", w.now, d.Wanted, w.size, d)
				}
			}
		}
		if err := errors.Join(p.errs...); err != nil {
			return result, fmt.Errorf("at %v: %w", w.now, err)
		}
	}
	result.Births, result.Requests = w.born, w.seq
	return result, p.close()
}

// second is what happens in the second that ends now.
func (p *parts) second(end time.Duration) {
	w := p.world
	phase, into := int((w.now-begin-warmUp)/phaseLong), (w.now-begin-warmUp)%phaseLong
	churns := w.now > begin+warmUp && phase < w.phases
	name := fmt.Sprintf("churn %d", phase+1)
	switch {
	case w.now == 30*time.Second:
		for range w.size {
			w.birth()
		}
	case w.now == begin-10*time.Second:
		p.fail(p.writer.Before(w.documents(w.now)))
	case w.now == begin:
		p.event(record.Event{At: w.now, Kind: record.LoadBegin})
		p.event(record.Event{At: w.now, Kind: record.PhaseBegin, Phase: "warm-up"})
	}
	if w.now > begin && w.now <= end {
		w.serve()
	}
	if churns && into == time.Second {
		last := "warm-up"
		if phase > 0 {
			last = fmt.Sprintf("churn %d", phase)
		}
		p.event(record.Event{At: w.now, Kind: record.PhaseEnd, Phase: last})
		p.event(record.Event{At: w.now, Kind: record.PhaseBegin, Phase: name})
		p.event(record.Event{At: w.now, Kind: record.StepBegin, Phase: name, Step: "replace all"})
	}
	if churns {
		// All within the phase but for its last half minute.
		share := min(1, float64(into)/float64(phaseLong-interval))
		for due := w.size*(phase+1) + int(share*float64(w.size)); into > 0 && w.born < due; {
			w.birth()
			w.retire()
		}
		if into == phaseLong-interval {
			p.event(record.Event{At: w.now, Kind: record.StepEnd, Phase: name, Step: "replace all"})
		}
	}
	switch w.now {
	case end:
		p.event(record.Event{At: w.now, Kind: record.PhaseEnd, Phase: fmt.Sprintf("churn %d", w.phases)})
		p.event(record.Event{At: w.now, Kind: record.LoadEnd})
	case end + 2*interval:
		p.event(record.Event{At: w.now, Kind: record.Quiesced})
		p.fail(p.writer.After(w.documents(w.now)))
	}
}

// decide asks as the autoscaler does, and has it decide.
func (p *parts) decide(scaler *autoscale.Scaler) autoscale.Decision {
	before := cpu()
	defer func() { p.spent += cpu() - before }()
	reading := autoscale.Reading{Had: p.world.size}
	answer, err := p.store.Query(context.Background(), `sum(rate(haproxy_backend_req_tot[1m]))`, p.clock())
	// The same of what the instances counted, each by itself: as dear as questions get.
	each, again := p.store.Query(context.Background(), `sum by (instance) (rate(fullstack_insert_total[2m]))`, p.clock())
	if err = errors.Join(err, again); err != nil || len(answer.Series) != 1 || len(each.Series) == 0 {
		p.fail(fmt.Errorf("%d and %d answers: %w", len(answer.Series), len(each.Series), err))
		return autoscale.Decision{}
	}
	for _, in := range p.world.alive {
		reading.Ready = append(reading.Ready, in.name)
	}
	points := answer.Series[0].Points
	reading.Samples = []autoscale.Sample{{Value: points[len(points)-1].Value}}
	return scaler.Decide(p.world.now, reading)
}

// close ends all parts. What they still have to say goes into store and record.
func (p *parts) close() error {
	err := p.driven.Finish()
	p.event(record.Event{At: p.world.now, Kind: record.RunEnd})
	return errors.Join(err, p.writer.Close(), p.store.Close(), errors.Join(p.errs...))
}

// usage is what the process has used.
func usage() syscall.Rusage {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // it cannot fail for the process itself
	return r
}

func cpu() time.Duration { r := usage(); return time.Duration(r.Utime.Nano() + r.Stime.Nano()) }

// resident is the most resident memory so far, in MB. Linux tells it in KiB.
func resident() float64 { return float64(usage().Maxrss) / 1024 }
