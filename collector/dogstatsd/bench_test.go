package dogstatsd

import (
	"bytes"
	"testing"
)

// packed is a datagram of n lines as clients send them.
func packed(n int) []byte {
	lines := []string{
		"fullstack.insert:1|c|#zone:a,role:web,version:1.4",
		"fullstack.insert.time:12.345|ms|@0.5|#zone:a,role:web,version:1.4",
		"fullstack.inflight:17|g|#zone:a,role:web,version:1.4",
	}
	var b bytes.Buffer
	for i := range n {
		b.WriteString(lines[i%len(lines)])
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func TestScannerAllocatesNothing(t *testing.T) {
	datagram := append(packed(12), "a:1:2:3:4|h\nb:1.5e-3|g|#a:b,c|c:ci-1|e:it-1|card:low|T1656581400\njunk\n_e{9,9}:a|b\nk:1|ms:2|ms|@0.5\nb: 1 | c\nk:1|c:x|c\n"...)
	var s Scanner
	scan := func() {
		s.Reset(datagram)
		for s.Next() != 0 {
		}
	}
	scan()
	if n := testing.AllocsPerRun(100, scan); n != 0 {
		t.Errorf("a datagram of 19 lines makes %v allocations", n)
	}
}

func BenchmarkScanner(b *testing.B) {
	const lines = 12
	datagram := packed(lines)
	b.SetBytes(int64(len(datagram)))
	b.ReportAllocs()
	var s Scanner
	n := 0
	for b.Loop() {
		s.Reset(datagram)
		for s.Next() == Metric {
			n++
		}
	}
	if n != lines*b.N {
		b.Fatalf("read %d lines, want %d", n, lines*b.N)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
}
