package run

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"throughline/collector/statsd/socket"
	"throughline/compose/haproxy"
	"throughline/loadgen"
	"throughline/scenarios/record"
)

// logBuffer is the receive buffer of the load balancer's log, in bytes. A line
// takes about 1 kB in the kernel, so that it holds what comes in some seconds
// in which this process does not run.
const logBuffer = 16 << 20

// aboutLog is what a Trouble with the log concerns. scenarios/check knows the
// word: what the log lacks then proves nothing.
const aboutLog = "executions"

// executions takes in the load balancer's log, and records what became of each
// request.
type executions struct {
	in     *socket.Socket
	record *record.Writer
	ids    numbering     // of this run
	ended  chan struct{} // closed when reading has ended, with err
	err    error
	bad    int64 // lines that were not understood
	why    error // of the first of them
}

// openExecutions listens at host:port and reads until end or close.
func openExecutions(addr string, ids numbering, w *record.Writer) (*executions, error) {
	in, err := socket.Open(socket.Address{Network: socket.UDP, Host: addr},
		socket.Options{ReceiveBuffer: logBuffer, MaxPayload: haproxy.LogLineLength + 1})
	if err != nil {
		return nil, fmt.Errorf("listen for the load balancer's log: %w", err)
	}
	x := &executions{in: in, record: w, ids: ids, ended: make(chan struct{})}
	go func() {
		defer close(x.ended)
		x.err = in.Read(x.take)
	}()
	return x, nil
}

// addr is where the log is to be sent, host:port; nowhere if nobody takes it in.
func (x *executions) addr() string {
	if x == nil {
		return ""
	}
	return x.in.Addr().Host
}

func (x *executions) take(lines []socket.Payload) {
	for _, line := range lines {
		l, err := haproxy.ParseLog(string(line.Bytes))
		switch {
		case errors.Is(err, haproxy.ErrNotice):
		case err != nil:
			if x.bad++; x.why == nil {
				x.why = err
			}
		default:
			x.keep(l)
		}
	}
}

// keep records one request. A failure to write is kept by the record.
func (x *executions) keep(l haproxy.LogLine) {
	e := record.Execution{
		At: x.record.Offset(l.At), Server: l.Server, Status: uint16(l.Status), Answered: l.Answered,
		Retries: uint16(l.Retries), Redispatched: l.Redispatched, Termination: l.Termination,
	}
	if e.Server == haproxy.NoServer {
		e.Server = ""
	}
	seq, own := x.ids.sequence(l.RequestID)
	if own {
		e.Seq = seq
	} else {
		e.Foreign, e.RequestID = true, l.RequestID
	}
	_ = x.record.Execution(e)
}

// numbering knows the X-Request-Ids of a run, as its load generators write them (loadgen.Part.RequestID).
type numbering struct {
	run     string
	workers int // that share the load; 0: it is not shared
}

// numbering is that of this run.
func (c Config) numbering() numbering { return numbering{c.Run.ID, c.Scenario.Load.Workers} }

// sequence reads the number of a request of this run from its X-Request-Id: RUN-17, or RUN-w2-17 where request 17 is that of
// worker 2.
func (n numbering) sequence(id string) (seq uint64, own bool) {
	seq, err := strconv.ParseUint(id[strings.LastIndexByte(id, '-')+1:], 10, 63)
	if err != nil {
		return 0, false
	}
	part := loadgen.Part{Of: n.workers}
	if n.workers > 0 {
		part.Worker = int(seq%uint64(n.workers)) + 1
	}
	if id != part.RequestID(n.run, seq) {
		return 0, false
	}
	return seq, true
}

// end stops reading after what the kernel still has, and says what was missed.
func (x *executions) end(ctx context.Context, trouble func(about string, count int64, why string)) {
	if x == nil {
		return
	}
	x.in.Stop()
	<-x.ended
	if err := errors.Join(x.err, x.in.Drain(ctx, x.take), x.in.Close()); err != nil {
		trouble(aboutLog, 0, err.Error())
	}
	if n := x.in.Figures().Drops; n > 0 {
		trouble(aboutLog, int64(n), fmt.Sprintf("the kernel dropped %s of the load balancer's log", plural(int64(n), "line")))
	}
	if x.bad > 0 {
		trouble(aboutLog, x.bad, fmt.Sprintf("%s of the load balancer's log not understood, the first: %v", plural(x.bad, "line"), x.why))
	}
}

// close stops reading, if end has not done so.
func (x *executions) close() error {
	x.in.Stop()
	<-x.ended
	return x.in.Close()
}
