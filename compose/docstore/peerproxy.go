package docstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// throughProxy dials peers through a proxy, by HTTP's CONNECT. Whoever stands between the members of a set so knows which of them
// speaks with which: their port is the one that clients use.
func throughProxy(proxy string) func(ctx context.Context, addr string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", proxy)
		if err != nil {
			return nil, err
		}
		if err := connectOn(ctx, conn, addr); err != nil {
			return nil, errors.Join(fmt.Errorf("reach %s through the proxy %s: %w", addr, proxy, err), conn.Close())
		}
		return conn, nil
	}
}

// connectOn has a proxy at the other end of a connection connect it on to an address. The one who is reached there does not speak
// first, so that nothing of what it says is read ahead here.
func connectOn(ctx context.Context, conn net.Conn, addr string) error {
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until); err != nil {
			return err
		}
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if err := request.Write(conn); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), request)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return conn.SetDeadline(time.Time{})
}
