package otlp

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

// The types of bodies. Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// httpHandler answers at a door.
func (c *Collector) httpHandler(d *door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		bad := func(status int, why verdict, err error) {
			c.unread(d, sourceOf(stringAddr(r.RemoteAddr)), why)
			w.Header().Set("Connection", "close") // what is left of the body is not read
			answerError(w, kind, status, err)
		}
		switch {
		case r.URL.Path != Path:
			bad(http.StatusNotFound, elsewhere, fmt.Errorf("%s: metrics are taken at %s, and nothing else is taken", r.URL.Path, Path))
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			bad(http.StatusMethodNotAllowed, elsewhere, fmt.Errorf("%s %s: metrics are posted", r.Method, Path))
		case kind != typeProtobuf && kind != typeJSON:
			bad(http.StatusUnsupportedMediaType, badEncoding, fmt.Errorf("content type %q: want %s or %s", kind, typeProtobuf, typeJSON))
		default:
			body, why, err := c.body(w, r)
			if err != nil {
				bad(why.status(), why, err)
				return
			}
			request := pmetricotlp.NewExportRequest()
			if kind == typeJSON {
				err = request.UnmarshalJSON(body)
			} else {
				err = request.UnmarshalProto(body)
			}
			if err != nil {
				bad(http.StatusBadRequest, badEncoding, fmt.Errorf("read the request as %s: %w", kind, err))
				return
			}
			answer(w, kind, c.take(d, sourceOf(stringAddr(r.RemoteAddr)), len(body), request))
		}
	})
}

// stringAddr is an address that is known as text.
type stringAddr string

// Network implements net.Addr.
func (stringAddr) Network() string { return "tcp" }

// String implements net.Addr.
func (a stringAddr) String() string { return string(a) }

// body reads and unpacks the body of a request.
func (c *Collector) body(w http.ResponseWriter, r *http.Request) ([]byte, verdict, error) {
	most := int64(c.cfg.MaxBody)
	var in io.Reader = http.MaxBytesReader(w, r.Body, most)
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return nil, badEncoding, fmt.Errorf("unpack the request: %w", err)
		}
		in = unpacked
	default:
		return nil, badEncoding, fmt.Errorf("content encoding %q: want gzip or none", encoding)
	}
	body, err := io.ReadAll(io.LimitReader(in, most+1))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long), int64(len(body)) > most:
		return nil, tooLong, fmt.Errorf("the request is longer than %d bytes: export less at once", most)
	case err != nil:
		return nil, brokenOff, fmt.Errorf("read the request: %w", err)
	}
	return body, read, nil
}

// status is the HTTP status of a request that was refused. None of them has a client try again with the same.
func (v verdict) status() int {
	if v == tooLong {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// answer tells what was taken, in the type of the request.
func answer(w http.ResponseWriter, kind string, response pmetricotlp.ExportResponse) {
	out, err := response.MarshalProto()
	if kind == typeJSON {
		out, err = response.MarshalJSON()
	}
	if err != nil {
		answerError(w, kind, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(out) // who does not wait for the answer asks again
}

// answerError tells why a request was refused, as a google.rpc.Status.
// Source: https://opentelemetry.io/docs/specs/otlp/#failures
func answerError(w http.ResponseWriter, kind string, status int, why error) {
	text := why.Error()
	out, err := proto.Marshal(&spb.Status{Message: text})
	if kind != typeProtobuf || err != nil {
		kind, out = typeJSON, fmt.Appendf(nil, "{\"message\":%q}\n", text)
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(out)
}
