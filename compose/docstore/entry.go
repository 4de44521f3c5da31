package docstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// entry is a command as the log of a replica set has it: with the time and the chance
// that it was given once, so that it comes to the same on every member.
type entry struct {
	at     time.Time
	origin [8]byte // the process that took it
	number uint32  // among those that this process took
	db     string
	msg    opMsg
}

// now is the time of all that it does.
func (e entry) now() time.Time { return e.at }

// entryVersion is the first byte of each.
const entryVersion = 1

var errEntry = errors.New("the log has an entry that is none: another version of throughline wrote it")

func (e entry) encode() []byte {
	n := 32 + len(e.db) + len(e.msg.body)
	for name, docs := range e.msg.sequences {
		n += len(name) + 8
		for _, d := range docs {
			n += len(d)
		}
	}
	b := append(make([]byte, 0, n), entryVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(e.at.UnixNano()))
	b = append(b, e.origin[:]...)
	b = binary.BigEndian.AppendUint32(b, e.number)
	b = append(append(b, e.db...), 0)
	b = append(b, e.msg.body...)
	for _, name := range sortedNames(e.msg.sequences) {
		b = append(append(b, name...), 0)
		b = binary.BigEndian.AppendUint32(b, uint32(len(e.msg.sequences[name])))
		for _, d := range e.msg.sequences[name] {
			b = append(b, d...)
		}
	}
	return b
}

func decodeEntry(b []byte) (e entry, err error) {
	if len(b) < 21 || b[0] != entryVersion {
		return e, errEntry
	}
	e.at = time.Unix(0, int64(binary.BigEndian.Uint64(b[1:])))
	copy(e.origin[:], b[9:])
	e.number = binary.BigEndian.Uint32(b[17:])
	db, b, ok := bytes.Cut(b[21:], []byte{0})
	if !ok {
		return e, errEntry
	}
	e.db = string(db)
	if e.msg.body, b, err = takeDocument(b); err != nil {
		return e, fmt.Errorf("%w: %w", errEntry, err)
	}
	for len(b) > 0 {
		name, rest, ok := bytes.Cut(b, []byte{0})
		if !ok || len(rest) < 4 {
			return e, errEntry
		}
		docs := make([]bson.Raw, binary.BigEndian.Uint32(rest))
		b = rest[4:]
		for i := range docs {
			if docs[i], b, err = takeDocument(b); err != nil {
				return e, fmt.Errorf("%w: %w", errEntry, err)
			}
		}
		if e.msg.sequences == nil {
			e.msg.sequences = make(map[string][]bson.Raw, 1)
		}
		e.msg.sequences[string(name)] = docs
	}
	return e, nil
}

// ids makes the _ids that documents of this entry are given: of its time, as ObjectIDs
// are, and of what no other entry has.
func (e entry) ids() func() bson.ObjectID {
	seed := binary.BigEndian.AppendUint32(e.origin[:], e.number)
	n := uint32(0)
	return func() (id bson.ObjectID) {
		binary.BigEndian.PutUint32(id[:], uint32(e.at.Unix()))
		binary.BigEndian.PutUint64(id[4:], xxhash.Sum64(binary.BigEndian.AppendUint32(seed[:12:12], n)))
		n++
		return id
	}
}
