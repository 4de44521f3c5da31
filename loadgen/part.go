package loadgen

import (
	"fmt"
	"strconv"
	"time"
)

// Part is what one of several generators sends of a load: each Of-th request, dealt round
// robin. Together they send what a single one would have, each request once. The zero value
// is the whole load.
type Part struct {
	Worker int // 1 to Of
	Of     int // how many share the load; 0: it is not shared
}

func (p Part) check() error {
	if p != (Part{}) && (p.Worker < 1 || p.Worker > p.Of) {
		return fmt.Errorf("part: worker %d of %d: want one from 1 to %[2]d", p.Worker, p.Of)
	}
	return nil
}

// Seq is the number in the whole load of request n of this part (the first is 0).
func (p Part) Seq(n uint64) uint64 {
	if p.Of == 0 {
		return n
	}
	return n*uint64(p.Of) + uint64(p.Worker-1)
}

// RequestID is the id that request number seq of the whole load carries: "<run>-17", and of
// a load that is shared "<run>-w2-17".
func (p Part) RequestID(run string, seq uint64) string {
	return p.prefix(run) + strconv.FormatUint(seq, 10)
}

func (p Part) prefix(run string) string {
	if p.Of == 0 {
		return run + "-"
	}
	return run + "-w" + strconv.Itoa(p.Worker) + "-"
}

// Deal is when the requests of this part are due, where s is when all are.
func (p Part) Deal(s Shape) Shape {
	if p.Of == 0 {
		return s
	}
	return dealt{s, p}
}

// dealt is a part of a shape.
type dealt struct {
	whole Shape
	part  Part
}

func (d dealt) Rate(t time.Duration) float64 { return d.whole.Rate(t) / float64(d.part.Of) }

func (d dealt) Due(n uint64) (time.Duration, bool) { return d.whole.Due(d.part.Seq(n)) }
