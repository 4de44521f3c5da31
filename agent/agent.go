// Package agent is the reference agent: it takes StatsD lines over UDP, adds up what came in a window, and sends that on as
// StatsD lines to a collector, as gostatsd's forwarder, Telegraf and the like do.
//
// Like package app it is a patient, reached over the wire only, and says of itself nothing. What is wrong with it is a
// Defect, which is to be found. It is no collector: it stores nothing and answers no question.
package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Config says where it listens and sends. All but Defect is required.
type Config struct {
	Listen string        // host:port for datagrams
	To     string        // host:port of the collector
	Window time.Duration // from a window's first line until it is sent on
	Defect string        // one of Defects; empty: none
}

// DropsBucket is the defect of an agent that ends at SIGTERM with an open window, and has not sent it on.
const DropsBucket = "drops-bucket"

// Defects are what can be wrong with it.
func Defects() []string { return []string{DropsBucket} }

// largest is the size of a datagram that fits into one frame of an Ethernet, with room for what tunnels add.
const largest = 1400

// receiveBuffer is what it asks the kernel for, so that a busy machine loses nothing between sender and agent.
const receiveBuffer = 4 << 20

// Run takes lines until ctx ends. Then it reads what had come by then, sends on what it holds and returns nil.
func Run(ctx context.Context, c Config) error {
	in, err := listen(c.Listen)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := net.Dial("udp", c.To)
	if err != nil {
		return fmt.Errorf("send to %s: %w", c.To, err)
	}
	defer out.Close()
	w := &window{}
	if err := take(ctx, in, w, func() { w.send(out) }, c.Window); err != nil {
		return err
	}
	if c.Defect != DropsBucket {
		w.send(out)
	}
	return nil
}

func listen(addr string) (*net.UDPConn, error) {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	in, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	widen(in, receiveBuffer)
	return in, nil
}

// take reads datagrams into a window until ctx ends and the socket is empty, and flushes it when it is over. A window
// begins with its first line.
func take(ctx context.Context, in *net.UDPConn, w *window, flush func(), long time.Duration) error {
	// Whoever is asked to end reads what the kernel has for it, and waits for nothing more.
	defer context.AfterFunc(ctx, func() { _ = in.SetReadDeadline(time.Now()) })()
	buffer := make([]byte, 64<<10)
	for {
		deadline := time.Time{}
		if !w.began.IsZero() {
			deadline = w.began.Add(long)
		}
		if err := in.SetReadDeadline(deadline); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if ctx.Err() != nil {
			return drain(in, w, buffer)
		}
		n, err := in.Read(buffer)
		switch {
		case err == nil:
			w.add(buffer[:n], time.Now())
		case ctx.Err() != nil:
			return drain(in, w, buffer)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("read: %w", err)
		}
		if !w.began.IsZero() && time.Since(w.began) >= long {
			flush()
		}
	}
}

// drain reads what has come already.
func drain(in *net.UDPConn, w *window, buffer []byte) error {
	for {
		// A deadline that is over reads nothing, also of what is there.
		if err := in.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		n, err := in.Read(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("read: %w", err)
		}
		w.add(buffer[:n], time.Now())
	}
}
