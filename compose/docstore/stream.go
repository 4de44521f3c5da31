package docstore

import (
	"context"

	"github.com/FerretDB/wire"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// streamed tells whether a command is a hello to which the client takes answers without
// asking again: some drivers never do.
// Source: https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/server-monitoring.md#streaming-protocol
func streamed(body bson.Raw) bool {
	for name := range elements(body) {
		if name != "hello" && name != "isMaster" && name != "ismaster" {
			return false
		}
		break
	}
	return !missing(lookup(body, "topologyVersion")) && !missing(lookup(body, "maxAwaitTimeMS"))
}

// stream answers such a hello, each time there is news or the client's time has passed,
// until the client is gone or ctx ends.
func (s *Server) stream(ctx context.Context, c *conn, asked wire.MsgHeader, msg opMsg) error {
	for {
		doc, err := s.handle(ctx, c, msg)
		if err != nil {
			return err
		}
		known := lookup(doc, "topologyVersion")
		id := s.requests.Add(1)
		answer := encodeMsg(asked, id, doc)
		more := lookup(doc, "ok").AsFloat64() == 1 && !missing(known) && ctx.Err() == nil
		if more {
			moreComes(answer)
		}
		s.stats.bytesOut.Add(int64(len(answer)))
		if _, err := c.Write(answer); err != nil {
			return errGone
		}
		if !more {
			return nil
		}
		asked.RequestID = id // each answers the one before
		msg.body = withField(msg.body, "topologyVersion", known)
	}
}

// withField gives a document in which a field that it has is another value.
func withField(doc bson.Raw, name string, v bson.RawValue) bson.Raw {
	start, b := beginDocument(nil)
	for field, was := range elements(doc) {
		if field == name {
			was = v
		}
		b = appendValue(b, field, was)
	}
	return endDocument(b, start)
}
