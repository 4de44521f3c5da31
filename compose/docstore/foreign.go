package docstore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/FerretDB/wire"
)

// What comes to a database's port without being MongoDB's protocol. Each is told
// by its first bytes, so that its connection ends at once, and not when the
// message that they seem to announce has come.
var (
	errTLS  = errors.New("a TLS handshake came to a server without TLS")
	errHTTP = errors.New("an HTTP request came to the port of MongoDB's protocol")
)

// httpAnswer is what MongoDB answers a GET: a health check or a browser came to
// this port.
const httpAnswer = "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 85\r\n\r\n" +
	"It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n"

// httpMethods are the beginnings of requests.
// Source: https://www.rfc-editor.org/rfc/rfc9110#name-methods
func httpMethods() []string {
	return []string{"GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC", "CONN", "TRAC", "PRI "}
}

// foreign looks at the first bytes of a connection and refuses what is not
// MongoDB's. It consumes nothing of what is.
func foreign(r *bufio.Reader, w io.Writer) error {
	first, err := r.Peek(4)
	if err != nil {
		return nil // the first read meets it again
	}
	if slices.Contains(httpMethods(), string(first)) {
		method := strings.TrimSpace(string(first))
		if method == "GET" {
			_, _ = io.WriteString(w, httpAnswer) // else the client is gone
		}
		return fmt.Errorf("%w (%s…): point the probe or proxy that sent it at another port, or let it only connect", errHTTP, method)
	}
	if first[0] != tlsHandshake || first[1] != tlsMajor {
		return nil
	}
	head, err := r.Peek(wire.MsgHeaderLen)
	if err != nil || unsupported(wire.OpCode(binary.LittleEndian.Uint32(head[12:]))) == nil {
		return nil
	}
	return fmt.Errorf("%w: leave tls=true, ssl=true and mongodb+srv:// out of the client's connection string", errTLS)
}

// The first two bytes of a TLS record with a ClientHello. As the length of a
// message they would be a possible one; what follows them is none of MongoDB's.
// Source: https://www.rfc-editor.org/rfc/rfc8446#section-5.1
const (
	tlsHandshake = 0x16
	tlsMajor     = 0x03
)
