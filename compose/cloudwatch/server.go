package cloudwatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// The protocol: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
const (
	protocol       = "rpc-v2-cbor"
	protocolHeader = "Smithy-Protocol"
	root           = "/service/GraniteServiceVersion20100801/operation/"
	mediaType      = "application/cbor"
	queryError     = "X-Amzn-Query-Error" // what clients of the older protocol know an error by
	namespace      = "com.amazonaws.cloudwatch#"
	largest        = 4 << 20 // bytes of a request
)

var (
	// Times are seconds since 1970 as a float, with the tag of a time.
	encode = must(cbor.EncOptions{Time: cbor.TimeUnixMicro, TimeTag: cbor.EncTagRequired}.EncMode())
	decode = must(cbor.DecOptions{MaxArrayElements: 10_000}.DecMode())
)

func must[M any](m M, err error) M {
	if err != nil {
		panic(err) // never: the options are constants
	}
	return m
}

// Handler answers for a store.
type Handler struct{ store *Store }

// NewHandler makes one.
func NewHandler(s *Store) *Handler { return &Handler{s} }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := h.serve(r)
	status := http.StatusOK
	if err != nil {
		no := refusal{500, "InternalServiceFault", err.Error()}
		errors.As(err, &no)
		status = no.status
		fault := "Sender"
		if status >= http.StatusInternalServerError {
			fault = "Receiver"
		}
		w.Header().Set(queryError, no.older()+";"+fault)
		answer = map[string]string{"__type": namespace + no.code, "message": no.message}
	}
	body, err := encode.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set(protocolHeader, protocol)
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // who is gone needs no answer
}

func (h *Handler) serve(r *http.Request) (any, error) {
	operation, ours := strings.CutPrefix(r.URL.Path, root)
	switch {
	case r.Method != http.MethodPost || !ours:
		return nil, refusal{404, "UnknownOperationException", "POST " + root + "GetMetricData is all there is."}
	case r.Header.Get(protocolHeader) != protocol:
		return nil, refusal{400, "InvalidAction", fmt.Sprintf("%s must be %s, which is all that is spoken here.", protocolHeader, protocol)}
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "):
		// Whose key it is, and whether the signature is right, is not asked.
		return nil, refusal{403, "MissingAuthenticationTokenException", "Request is missing Authentication Token"}
	case operation != "GetMetricData":
		return nil, refusal{404, "UnknownOperationException", fmt.Sprintf("The operation %q is not known here.", operation)}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, largest+1))
	if err != nil {
		return nil, refusal{400, "SerializationException", err.Error()}
	}
	if len(body) > largest {
		return nil, refusal{413, "RequestEntityTooLargeException", fmt.Sprintf("The request is longer than %d bytes.", largest)}
	}
	var q getMetricData
	if err := decode.NewDecoder(bytes.NewReader(body)).Decode(&q); err != nil {
		return nil, refusal{400, "SerializationException", err.Error()}
	}
	return h.store.answer(q)
}

// Server is a Handler at an address of its own.
type Server struct {
	server *http.Server
	addr   string
	ended  chan error
}

// slowest is how long somebody may take to ask.
const slowest = 5 * time.Second

// Listen opens a server on any free port of a host, and answers from then on.
func Listen(host string, store *Store) (*Server, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("cloudwatch: %w", err)
	}
	s := &Server{addr: l.Addr().String(), ended: make(chan error, 1)}
	s.server = &http.Server{Handler: NewHandler(store), ReadHeaderTimeout: slowest}
	go func() { s.ended <- s.server.Serve(l) }()
	return s, nil
}

// URL is where the service is reached.
func (s *Server) URL() string { return "http://" + s.addr }

// Close ends the service. Questions under way are not waited for.
func (s *Server) Close() error {
	err := s.server.Close()
	if ended := <-s.ended; !errors.Is(ended, http.ErrServerClosed) {
		return errors.Join(err, ended)
	}
	return err
}
