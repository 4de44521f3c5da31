package imds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Server is a Handler at an address of its own. An instance is told it in
// AWS_EC2_METADATA_SERVICE_ENDPOINT, where Amazon's SDKs look.
type Server struct {
	handler *Handler
	server  *http.Server
	addr    string
	ended   chan error
}

// slowest is how long somebody may take to ask.
const slowest = 5 * time.Second

// Listen opens a server on any free port of a host, and answers from then on.
func Listen(host string, c Config) (*Server, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("metadata service: %w", err)
	}
	s := &Server{handler: NewHandler(c), addr: l.Addr().String(), ended: make(chan error, 1)}
	s.server = &http.Server{Handler: s.handler, ReadHeaderTimeout: slowest}
	go func() { s.ended <- s.server.Serve(l) }()
	return s, nil
}

// URL is where the service is reached.
func (s *Server) URL() string { return "http://" + s.addr }

// Identity is what the instance is told.
func (s *Server) Identity() Identity { return s.handler.identity() }

// Place tells it the address that the instance was given. It answers that one alone from now on, and the harness.
func (s *Server) Place(at netip.Addr) { s.handler.Place(at) }

// Interrupt has a notice given from now on. It returns when the service has answered with it
// over the network, as it will answer the instance, or says why it has not.
func (s *Server) Interrupt(ctx context.Context, n Notice) error {
	s.handler.Interrupt(n)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+NoticePath, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set(tokenHeader, s.handler.issue(slowest, true))
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("metadata service: ask it for the notice: %w", err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("metadata service: ask it for the notice: %w", err)
	}
	if want, _ := s.handler.look(NoticePath); got.StatusCode != http.StatusOK || string(body) != want {
		return fmt.Errorf("metadata service: asked for the notice it answered %s %q, not %q", got.Status, body, want)
	}
	return nil
}

// Leave has it told that its autoscaling group ends the instance.
func (s *Server) Leave() { s.handler.Leave() }

// Close ends the service. Questions under way are not waited for: who asks is gone.
func (s *Server) Close() error {
	err := s.server.Close()
	if ended := <-s.ended; !errors.Is(ended, http.ErrServerClosed) {
		return errors.Join(err, ended)
	}
	return err
}
