package docstore

import (
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"throughline/compose/docstore/replica"
)

// execute carries a client's command out as a member of the set: what writes becomes an
// entry of the log, what reads has to be asked of the right member.
func (s *set) execute(cmd command, r *request) (bson.D, error) {
	switch cmd.access {
	case writes:
		return s.write(cmd, r)
	case reads:
		if err := s.mayRead(r); err != nil {
			return nil, err
		}
	}
	return cmd.run(s.server, r)
}

// mayRead refuses what this member should not be asked. A secondary answers those who say
// that they take what it has.
func (s *set) mayRead(r *request) error {
	level, _ := lookup(r.args["readConcern"].Value, "level").StringValueOK()
	s.awaitEarly(r.ctx)
	switch role := s.member.View().Role; {
	case role == replica.Primary && level == "linearizable":
		if err := s.member.Confirm(); err != nil {
			return s.refusal(r, err)
		}
		return nil
	case role == replica.Primary:
		return nil
	case role != replica.Secondary:
		return labelled(r, fail(codeNotPrimaryOrSecondary, "node is not in primary or recovering state"))
	case level == "linearizable":
		return labelled(r, fail(codeNotWritablePrimary, "cannot satisfy linearizable read concern on non-primary node"))
	}
	mode, _ := lookup(r.args["$readPreference"].Value, "mode").StringValueOK()
	if mode == "" || mode == "primary" {
		return labelled(r, fail(codeNotPrimaryNoSecondaryOk, "not primary and secondaryOk=false"))
	}
	return nil
}

// write has the members apply a command. It returns when a majority has it on disk and this
// member has applied it; where no more is asked for than this member, when that has it on disk (see early).
func (s *set) write(cmd command, r *request) (bson.D, error) {
	if s.member.View().Role != replica.Primary {
		return nil, s.refusal(r, replica.ErrNotPrimary)
	}
	if forgotten := s.forgotten(r); forgotten != nil {
		return forgotten, nil
	}
	if err := s.server.store.room(); err != nil {
		return nil, err
	}
	within, concern, err := s.patience(r)
	if err != nil {
		return nil, err
	}
	e := entry{at: r.now(), origin: s.origin, number: s.number.Add(1), db: r.db, msg: opMsg{body: r.body, sequences: r.sequences}}
	if s.early.asksFor(cmd, r) {
		if reply, ok, err := s.writeEarly(e, r); ok {
			return reply, err
		}
	}
	result, err := s.member.Propose(e.encode(), within)
	if errors.Is(err, replica.ErrTime) && concern {
		return bson.D{{Key: "writeConcernError", Value: bson.D{
			{Key: "code", Value: int32(codeWriteConcernFailed)},
			{Key: "codeName", Value: codeName(codeWriteConcernFailed)},
			{Key: "errmsg", Value: "waiting for replication timed out: the write may still be applied"},
			{Key: "errInfo", Value: bson.D{{Key: "wtimeout", Value: true}}},
		}}}, nil
	}
	if err != nil {
		return nil, s.refusal(r, err)
	}
	done := result.(applied)
	if done.err != nil {
		return nil, done.err
	}
	return asDocument(done.reply)
}

// asDocument gives the fields of a reply but the last, ok, which is added to every answer.
func asDocument(reply bson.Raw) (bson.D, error) {
	var d bson.D
	for name, v := range elements(reply) {
		if name != "ok" {
			d = append(d, bson.E{Key: name, Value: v})
		}
	}
	return d, nil
}

// patience is how long a write may take, and whether it is the write concern that says so.
func (s *set) patience(r *request) (within time.Duration, concern bool, err error) {
	if !r.deadline.IsZero() {
		within = max(1, r.deadline.Sub(r.now()))
	}
	v := lookup(r.args["writeConcern"].Value, "wtimeout")
	if missing(v) {
		return within, false, nil
	}
	ms, ok := wholeNumber(v)
	if !ok || ms < 0 || ms > int64(time.Hour/time.Millisecond) {
		return 0, false, fail(codeFailedToParse, "writeConcern.wtimeout has to be a number of milliseconds up to an hour, got %s", show(v))
	}
	if wait := time.Duration(ms) * time.Millisecond; ms > 0 && (within == 0 || wait < within) {
		return wait, true, nil
	}
	return within, false, nil
}

// checkMembers refuses a write concern that asks for more members than are waited for.
func (s *set) checkMembers(n int64) error {
	members := int64(len(s.member.View().Members))
	switch majority := members/2 + 1; {
	case n < 0 || n > 50:
		return fail(codeFailedToParse, "w has to be a number from 0 to 50, got %d", n)
	case n > max(1, members):
		return fail(codeUnsatisfiableConcern, "Not enough data-bearing nodes: %d were asked for, and the set has %d", n, members)
	case n > max(1, majority):
		return fail(codeCommandNotSupported, "w: %d of %d members is not supported by docstore, which waits for a majority: use w: \"majority\"", n, members)
	}
	return nil
}

// refusal is what a client is told whose command was not executed, or may not have been.
func (s *set) refusal(r *request, err error) error {
	switch {
	case errors.Is(err, replica.ErrNotPrimary):
		return labelled(r, fail(codeNotWritablePrimary, "not primary"))
	case errors.Is(err, replica.ErrInterrupted):
		return labelled(r, fail(codeInterruptedByStepDown, "operation was interrupted: %v", err))
	case errors.Is(err, replica.ErrTime) && !r.deadline.IsZero():
		return fail(codeMaxTimeMSExpired, "operation exceeded time limit: %v", err)
	case errors.Is(err, replica.ErrTime):
		return labelled(r, fail(codeExceededTimeLimit, "%v", err))
	}
	return err
}

// labelled tells a driver that it may send a write again which has a number in its session.
func labelled(r *request, e *commandError) error {
	if _, numbered := r.args["txnNumber"]; numbered {
		e.labels = bson.A{"RetryableWriteError"}
	}
	return e
}

// stateChanges are the codes after which drivers look anew who is the primary, unless they
// know better by topologyVersion.
var stateChanges = []int32{codeNotWritablePrimary, codeNotPrimaryNoSecondaryOk, codeNotPrimaryOrSecondary, codeInterruptedByStepDown}

// asAnswer is the answer to a command that failed.
func (s *Server) asAnswer(err error) bson.D {
	e := asCommandError(err)
	d := e.document()
	if s.set != nil && slices.Contains(stateChanges, e.code) {
		d = append(d, s.set.topologyVersion(s.set.member.View()))
	}
	return d
}

// forgotten is the answer to an update that the set acknowledges and does not keep, if this is one.
func (s *set) forgotten(r *request) bson.D {
	if r.name != "update" || !s.server.forgets() {
		return nil
	}
	docs, err := r.documents("updates")
	if err != nil {
		return nil
	}
	n := int32(len(docs))
	r.stats.update.Add(int64(n))
	return bson.D{{Key: "n", Value: n}, {Key: "nModified", Value: n}}
}
