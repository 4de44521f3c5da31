package docstore

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/FerretDB/wire"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// sessionLife is for how long a session is remembered that nothing comes for.
	// Source: https://www.mongodb.com/docs/manual/reference/parameters/#mongodb-parameter-param.localLogicalSessionTimeoutMinutes
	sessionLife = 30 * time.Minute
	// sweepEvery is how many writes of sessions there are between two looks for old ones.
	sweepEvery = 4096
	// maxSessions is MongoDB's limit.
	// Source: https://www.mongodb.com/docs/manual/reference/parameters/#mongodb-parameter-param.maxSessions
	maxSessions = 1_000_000
)

// session is what is remembered of a client's session: the last of its writes, and what was
// answered, which is answered again when the same write comes once more.
type session struct {
	number int64 // txnNumber
	reply  bson.Raw
	used   int64 // when, as the log says it; ns since 1970
}

// sessions are part of the replicated state. Only the one who applies the log uses them.
type sessions struct {
	all    map[string]session // by the session's id, as BSON has it
	staged map[string]session // by the transaction under way
	writes int                // since the last sweep
}

func newSessions() *sessions {
	return &sessions{all: map[string]session{}, staged: map[string]session{}}
}

func (s *sessions) get(id string) (session, bool) {
	if one, ok := s.staged[id]; ok {
		return one, true
	}
	one, ok := s.all[id]
	return one, ok
}

// keep takes what was staged, as its transaction is committed.
func (s *sessions) keep(now time.Time) {
	maps.Copy(s.all, s.staged)
	if s.writes += len(s.staged); s.writes >= sweepEvery {
		s.writes = 0
		maps.DeleteFunc(s.all, func(_ string, one session) bool { return now.UnixNano()-one.used > int64(sessionLife) })
	}
	clear(s.staged)
}

// write writes all of them, and read reads what it has written.
func (s *sessions) write(to io.Writer) error {
	w := bufio.NewWriter(to)
	b := binary.AppendUvarint(nil, uint64(s.writes))
	b = binary.AppendUvarint(b, uint64(len(s.all)))
	for id, one := range s.all {
		b = append(binary.AppendUvarint(b, uint64(len(id))), id...)
		b = binary.AppendVarint(b, one.number)
		b = binary.AppendVarint(b, one.used)
		b = append(binary.AppendUvarint(b, uint64(len(one.reply))), one.reply...)
		if _, err := w.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.Flush()
}

func (s *sessions) read(from *bufio.Reader) error {
	*s = *newSessions()
	writes, err := binary.ReadUvarint(from)
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	n, err := binary.ReadUvarint(from)
	if err != nil || n > 2*maxSessions {
		return fmt.Errorf("read %d sessions: %w", n, err)
	}
	s.writes = int(writes)
	for range n {
		id, err := readBytes(from)
		if err != nil {
			return err
		}
		var one session
		if one.number, err = binary.ReadVarint(from); err != nil {
			return fmt.Errorf("read a session: %w", err)
		}
		if one.used, err = binary.ReadVarint(from); err != nil {
			return fmt.Errorf("read a session: %w", err)
		}
		if one.reply, err = readBytes(from); err != nil {
			return err
		}
		s.all[string(id)] = one
	}
	return nil
}

func readBytes(from *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(from)
	if err != nil || n > wire.MaxMsgLen {
		return nil, fmt.Errorf("read a session of %d bytes: %w", n, err)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(from, b); err != nil {
		return nil, fmt.Errorf("read a session: %w", err)
	}
	return b, nil
}

// sessionOf is the session that a write belongs to, and its number in there; ok is false
// where it may not be repeated.
func sessionOf(r *request) (id string, number int64, ok bool, err error) {
	v, numbered := r.args["txnNumber"]
	if !numbered {
		return "", 0, false, nil
	}
	lsid := r.args["lsid"]
	if lsid.Type != bson.TypeEmbeddedDocument {
		return "", 0, false, fail(codeInvalidOptions, "Transaction number requires a session ID to also be specified")
	}
	if v.Type != bson.TypeInt64 || v.Int64() < 0 {
		return "", 0, false, fail(codeTypeMismatch, "%s: txnNumber has to be a long from 0, got %s", r.name, show(v))
	}
	return string(lookup(lsid.Value, "id").Value), v.Int64(), true, nil
}
