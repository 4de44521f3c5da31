package loadgen

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// serverVariable makes this test binary a web server on a free port, so that
// the CPU time of the server is not in the benchmark's own.
const serverVariable = "LOADGEN_BENCHMARK_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) == "" {
		os.Exit(m.Run())
	}
	if err := serveBenchmark(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveBenchmark() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Served-By", "web-1")
		fmt.Fprintln(w, "counted")
	}))
}

func benchmarkServer(b *testing.B) (addr string) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), serverVariable+"=1")
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { child.Process.Kill(); child.Wait() })
	if line := bufio.NewScanner(out); line.Scan() {
		return line.Text()
	}
	b.Fatal("the server said no address")
	return ""
}

// cpuTime is the CPU time, user and system, of this process so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAgainstVegeta compares the CPU time per request with that of a
// plain vegeta attack at the same rate on the same server, in turns, so that
// a noisy machine is noisy to both. Both keep
// digests of latency and lateness.
//
//	go test -run '^$' -bench AgainstVegeta ./loadgen
func BenchmarkAgainstVegeta(b *testing.B) {
	for _, rate := range []int{200, 2000, 8000} {
		b.Run(fmt.Sprintf("%d-per-s", rate), func(b *testing.B) {
			addr := benchmarkServer(b)
			var ours, plain time.Duration
			var ourRequests, plainRequests uint64
			var ourLateness, plainLateness []float64 // p99 of each turn, in µs
			turn := func() {
				before := cpuTime(b)
				requests, late := attackPlainly(addr, rate)
				between := cpuTime(b)
				s := attackOurs(b, addr, rate)
				plain += between - before
				ours += cpuTime(b) - between
				plainRequests += requests
				ourRequests += s.Requests
				plainLateness = append(plainLateness, float64(late.Microseconds()))
				ourLateness = append(ourLateness, float64(s.Lateness.P99.Microseconds()))
			}
			for b.Loop() {
				turn()
			}
			perOur := float64(ours.Nanoseconds()) / float64(ourRequests)
			perPlain := float64(plain.Nanoseconds()) / float64(plainRequests)
			b.ReportMetric(perOur/1e3, "µs-CPU/request")
			b.ReportMetric(perPlain/1e3, "µs-CPU/request-vegeta")
			b.ReportMetric(perOur/perPlain, "ratio")
			b.ReportMetric(median(ourLateness), "µs-late-p99")
			b.ReportMetric(median(plainLateness), "µs-late-p99-vegeta")
			b.ReportMetric(0, "ns/op") // a turn takes as long as it is told to
		})
	}
}

// attackTime is how long each side has its turn.
const attackTime = time.Second

// attackPlainly returns how many requests it sent, and the 99th percentile of
// their lateness: vegeta means to send hit n after n+1 intervals.
func attackPlainly(addr string, rate int) (requests uint64, late time.Duration) {
	targets := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: "http://" + addr + "/get/lala"})
	var m vegeta.Metrics
	var lateness vegeta.LatencyMetrics
	pace := vegeta.ConstantPacer{Freq: rate, Per: time.Second}
	began := time.Now()
	for res := range vegeta.NewAttacker(vegeta.Timeout(defaultTimeout)).Attack(targets, pace, attackTime, "") {
		m.Add(res)
		lateness.Add(res.Timestamp.Sub(began) - time.Duration(res.Seq+1)*time.Second/time.Duration(rate))
	}
	m.Close()
	return m.Requests, lateness.Quantile(0.99)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func attackOurs(b *testing.B, addr string, rate int) Summary {
	b.Helper()
	c := testConfig(b)
	c.Target, c.Shape = "http://"+addr, mustShape(b)(Constant(float64(rate)))
	c.Routes = []Route{{Name: "get", Path: "/get/{word}"}}
	g, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), attackTime)
	defer cancel()
	s, err := g.Run(ctx, func(Row) {})
	if err != nil || s.Acked != s.Requests {
		b.Fatalf("%+v, %v", s, err)
	}
	return s
}
