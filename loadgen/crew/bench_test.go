package crew

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"throughline/loadgen"
)

// serverVariable makes this test binary a web server on a free port, which keeps nothing.
const serverVariable = "THROUGHLINE_TEST_SERVER"

func serveNothing() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Addr())
	go func() { io.Copy(io.Discard, os.Stdin); os.Exit(0) }() // it ends with who started it
	http.Serve(l, http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) {
		to.Header().Set("X-Served-By", "web-1")
		fmt.Fprintln(to, "counted")
	}))
}

func benchmarkServer(b *testing.B) string {
	b.Helper()
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serverVariable+"=1")
	in, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); server.Wait() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	return "http://" + line[:max(0, len(line)-1)]
}

// BenchmarkWorkers has the same load sent by 1 worker and by 8, each a process, in turns, so that a noisy machine is noisy to both:
// how late they are, and which rate they reach. On a machine with few processors 8 gain nothing: what they cost there is seen.
//
//	go test -run '^$' -bench Workers ./loadgen/crew
func BenchmarkWorkers(b *testing.B) {
	for _, rate := range []float64{500, 4000} {
		b.Run(fmt.Sprintf("%.0f-per-s", rate), func(b *testing.B) {
			target := benchmarkServer(b)
			late, reached := map[int][]float64{}, map[int][]float64{}
			for b.Loop() {
				for _, n := range []int{1, 8} {
					l, err := net.Listen("tcp", "127.0.0.1:0")
					if err != nil {
						b.Fatal(err)
					}
					c := testConfig(target, n, l, Processes{Command: []string{os.Args[0]}}.Start, nil)
					c.Form = loadgen.Form{Rate: rate}
					_, _, s := send(b, c, time.Second, nil)
					late[n] = append(late[n], float64(s.Lateness.P99.Microseconds()))
					reached[n] = append(reached[n], s.Rate)
				}
			}
			for _, n := range []int{1, 8} {
				b.ReportMetric(median(late[n]), fmt.Sprintf("µs-late-p99-of-%d", n))
				b.ReportMetric(median(reached[n]), fmt.Sprintf("requests/s-of-%d", n))
			}
			b.ReportMetric(0, "ns/op") // a turn takes as long as it is told to
		})
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
