package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// Dial connects to a port of the pod, also one that listens on its loopback alone, through the API server.
func (j *Job) Dial(ctx context.Context, port int) (net.Conn, error) {
	type dialed struct {
		conn *forwarded
		err  error
	}
	done := make(chan dialed, 1)
	go func() { // what upgrades the connection takes no context
		conn, err := j.forward(port)
		done <- dialed{conn, err}
	}()
	select {
	case d := <-done:
		if d.err != nil {
			return nil, d.err
		}
		return d.conn, nil
	case <-ctx.Done():
		go func() {
			if d := <-done; d.err == nil {
				d.conn.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// forward opens a connection to the API server of its own, with one stream to the port.
func (j *Job) forward(port int) (*forwarded, error) {
	fail := func(err error) (*forwarded, error) {
		return nil, fmt.Errorf("port %d of pod %s through the API server at %s: %w", port, j.pod, j.on.Where, err)
	}
	at := j.on.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(j.spec.In()).Name(j.pod).SubResource("portforward").URL()
	tunnel, err := portforward.NewSPDYOverWebsocketDialer(at, j.on.Rest)
	if err != nil {
		return fail(err)
	}
	transport, upgrader, err := spdy.RoundTripperFor(j.on.Rest)
	if err != nil {
		return fail(err)
	}
	older := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	dialer := portforward.NewFallbackDialer(tunnel, older, func(err error) bool { return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err) })
	conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return fail(err)
	}
	head := http.Header{}
	head.Set(core.StreamType, core.StreamTypeError)
	head.Set(core.PortHeader, strconv.Itoa(port))
	head.Set(core.PortForwardRequestIDHeader, "0")
	errs, err := conn.CreateStream(head)
	if err == nil {
		err = errs.Close() // nothing is written to it
	}
	if err != nil {
		return fail(errors.Join(err, conn.Close()))
	}
	head.Set(core.StreamType, core.StreamTypeData)
	data, err := conn.CreateStream(head)
	if err != nil {
		return fail(errors.Join(err, conn.Close()))
	}
	f := &forwarded{Stream: data, whole: conn}
	go func() {
		if said, _ := io.ReadAll(io.LimitReader(errs, 1<<12)); len(said) > 0 { // the other end refuses
			conn.Close()
		}
	}()
	return f, nil
}

// forwarded is one connection to a port of the pod. Deadlines have no effect: whoever waits for too long closes it.
type forwarded struct {
	httpstream.Stream
	whole httpstream.Connection
}

var _ net.Conn = (*forwarded)(nil)

// Close ends it, and whatever waits for it.
func (f *forwarded) Close() error { return f.whole.Close() }

func (f *forwarded) LocalAddr() net.Addr              { return addr("here") }
func (f *forwarded) RemoteAddr() net.Addr             { return addr("pod") }
func (f *forwarded) SetDeadline(time.Time) error      { return nil }
func (f *forwarded) SetReadDeadline(time.Time) error  { return nil }
func (f *forwarded) SetWriteDeadline(time.Time) error { return nil }

// addr is an end of a connection that has no address.
type addr string

func (addr) Network() string  { return "portforward" }
func (a addr) String() string { return string(a) }
