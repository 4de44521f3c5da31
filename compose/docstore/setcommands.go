package docstore

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"throughline/compose/docstore/replica"
)

// hello is what a member says of itself and its set, and the answer waits for news if
// the client knows it already.
// Source: https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/server-monitoring.md
func (s *set) hello(r *request, primary string) (bson.D, error) {
	v, err := s.awaited(r)
	if err != nil {
		return nil, err
	}
	d := bson.D{s.topologyVersion(v), {Key: primary, Value: v.Role == replica.Primary}, {Key: "secondary", Value: v.Role == replica.Secondary}}
	if v.Role == replica.Uninitiated || v.Role == replica.Removed {
		return append(d, bson.E{Key: "isreplicaset", Value: true}, bson.E{Key: "info", Value: "Does not have a valid replica set config"}), nil
	}
	d = append(d, bson.D{
		{Key: "hosts", Value: hosts(v)},
		{Key: "setName", Value: s.name},
		{Key: "setVersion", Value: int32(setVersion)},
		{Key: "me", Value: s.me},
		{Key: "lastWrite", Value: s.lastWrite(v)},
		{Key: "logicalSessionTimeoutMinutes", Value: int32(sessionLife / time.Minute)},
	}...)
	if v.Primary != "" {
		d = append(d, bson.E{Key: "primary", Value: v.Primary})
	}
	if v.Role == replica.Primary {
		d = append(d, bson.E{Key: "electionId", Value: electionID(v)})
	}
	return d, nil
}

// setVersion is that of every configuration: drivers take one that is lower than another for old news, and no
// member knows more of it than of the elections, by which they compare first.
const setVersion = 1

func hosts(v replica.View) bson.A {
	a := bson.A{}
	for _, m := range v.Members {
		a = append(a, m)
	}
	return a
}

// electionID rises with each election, as drivers compare it.
func electionID(v replica.View) (id bson.ObjectID) {
	binary.BigEndian.PutUint32(id[:], 0x7fffffff)
	binary.BigEndian.PutUint64(id[4:], v.Term)
	return id
}

func (s *set) lastWrite(v replica.View) bson.D {
	at := s.server.started
	if ns := s.written.Load(); ns > 0 {
		at = time.Unix(0, ns)
	}
	applied, _ := s.member.Applied()
	op := bson.D{{Key: "ts", Value: bson.Timestamp{T: uint32(at.Unix()), I: uint32(applied)}}, {Key: "t", Value: int64(v.Term)}}
	date := bson.NewDateTimeFromTime(at)
	return bson.D{{Key: "opTime", Value: op}, {Key: "lastWriteDate", Value: date}, {Key: "majorityOpTime", Value: op}, {Key: "majorityWriteDate", Value: date}}
}

func (s *set) topologyVersion(v replica.View) bson.E {
	return bson.E{Key: "topologyVersion", Value: bson.D{{Key: "processId", Value: s.process}, {Key: "counter", Value: v.Counter}}}
}

// awaited is the view that the client does not know yet, or the same one when it has waited
// for as long as it wanted.
func (s *set) awaited(r *request) (replica.View, error) {
	v, changed := s.member.Watch()
	known, ok := r.args["topologyVersion"]
	if !ok {
		return v, nil
	}
	wait, err := r.number("maxAwaitTimeMS", 0)
	if err != nil {
		return v, err
	}
	process, _ := lookup(known.Value, "processId").ObjectIDOK()
	counter, isLong := lookup(known.Value, "counter").Int64OK()
	if !isLong {
		return v, fail(codeTypeMismatch, "topologyVersion.counter has to be a long, got %s", show(lookup(known.Value, "counter")))
	}
	if process != s.process || counter < v.Counter {
		return v, nil
	}
	timer := time.NewTimer(time.Duration(min(wait, int64(time.Minute/time.Millisecond))) * time.Millisecond)
	defer timer.Stop()
	for counter >= v.Counter {
		select {
		case <-changed:
		case <-timer.C:
			return v, nil
		case <-r.ctx.Done():
			return v, fail(codeInterruptedAtShutdown, "the server is in quiesce mode and will shut down")
		}
		v, changed = s.member.Watch()
	}
	return v, nil
}

// needSet refuses commands that make sense in a replica set only.
func (s *Server) needSet() error {
	if s.set == nil {
		return fail(codeNoReplicationEnabled, "This node was not started with replication enabled.")
	}
	return nil
}

// configuration reads the members of a set's configuration.
func (s *set) configuration(r *request) ([]string, error) {
	doc, err := r.document(r.name)
	if err != nil {
		return nil, err
	}
	bad := func(format string, args ...any) ([]string, error) {
		return nil, fail(codeInvalidSetConfig, format, args...)
	}
	if name, _ := lookup(doc, "_id").StringValueOK(); name != s.name {
		return bad("the set's name in the configuration is %q, and this member was started for %q", name, s.name)
	}
	list := lookup(doc, "members")
	if list.Type != bson.TypeArray {
		return bad("members has to be an array of documents with _id and host, got %s", show(list))
	}
	var members []string
	for i, m := range elements(list.Value) {
		host, _ := lookup(m.Value, "host").StringValueOK()
		switch {
		case m.Type != bson.TypeEmbeddedDocument || host == "":
			return bad("members.%s has no host, got %s", i, show(m))
		case slices.Contains(members, host):
			return bad("members.%s: %s is there twice", i, host)
		}
		members = append(members, host)
	}
	if len(members) == 0 || len(members) > 7 {
		return bad("a set has 1 to 7 members, not %d", len(members))
	}
	return members, nil
}

// replSetInitiate is the command of that name: it makes the set.
func (s *Server) replSetInitiate(r *request) (bson.D, error) {
	if err := s.needSet(); err != nil {
		return nil, err
	}
	members := []string{s.set.me}
	if v := r.args[r.name]; v.Type == bson.TypeEmbeddedDocument && len(v.Value) > len(emptyDocument()) {
		var err error
		if members, err = s.set.configuration(r); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(members, s.set.me) {
		return nil, fail(codeInvalidSetConfig, "no member of the configuration is this one, which is %s; name it so, or start it with --advertise", s.set.me)
	}
	switch err := s.set.member.Initiate(members); {
	case errors.Is(err, replica.ErrInitiated):
		return nil, fail(codeAlreadyInitialized, "already initialized")
	case err != nil:
		return nil, err
	}
	return bson.D{}, nil
}

// replSetReconfig is the command of that name: members leave and come.
func (s *Server) replSetReconfig(r *request) (bson.D, error) {
	if err := s.needSet(); err != nil {
		return nil, err
	}
	members, err := s.set.configuration(r)
	if err != nil {
		return nil, err
	}
	if s.set.member.View().Role != replica.Primary {
		return nil, fail(codeNotWritablePrimary, "New config cannot be applied: this member is not the primary")
	}
	if err := s.set.member.Reconfigure(members); err != nil {
		return nil, s.set.refusal(r, err)
	}
	return bson.D{}, nil
}

// replSetGetConfig is the command of that name.
func (s *Server) replSetGetConfig(_ *request) (bson.D, error) {
	if err := s.needSet(); err != nil {
		return nil, err
	}
	v := s.set.member.View()
	if v.Role == replica.Uninitiated {
		return nil, fail(codeNotYetInitialized, "no replset config has been received")
	}
	members := bson.A{}
	for i, m := range v.Members {
		members = append(members, bson.D{{Key: "_id", Value: int32(i)}, {Key: "host", Value: m}, {Key: "votes", Value: int32(1)}, {Key: "priority", Value: 1.0}})
	}
	return bson.D{{Key: "config", Value: bson.D{{Key: "_id", Value: s.set.name}, {Key: "version", Value: int32(setVersion)}, {Key: "term", Value: int64(v.Term)}, {Key: "members", Value: members}}}}, nil
}

// replSetStepDown is the command of that name: another member takes the lead at once. That this
// one does not take it back for a time is not kept.
func (s *Server) replSetStepDown(r *request) (bson.D, error) {
	if err := s.needSet(); err != nil {
		return nil, err
	}
	if s.set.member.View().Role != replica.Primary {
		return nil, fail(codeNotWritablePrimary, "not primary so can't step down")
	}
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
	defer cancel()
	if err := s.set.member.StepDown(ctx); err != nil {
		return nil, fail(codeExceededTimeLimit, "No electable secondaries caught up: %v", err)
	}
	return bson.D{}, nil
}

// replSetGetStatus is the command of that name, of what this member knows: of its peers it
// knows which one is the primary.
func (s *Server) replSetGetStatus(r *request) (bson.D, error) {
	if err := s.needSet(); err != nil {
		return nil, err
	}
	v := s.set.member.View()
	if v.Role == replica.Uninitiated {
		return nil, fail(codeNotYetInitialized, "no replset config has been received")
	}
	states := map[replica.Role]int32{replica.Starting: 5, replica.Secondary: 2, replica.Primary: 1, replica.Removed: 10}
	members := bson.A{}
	for i, m := range v.Members {
		d := bson.D{{Key: "_id", Value: int32(i)}, {Key: "name", Value: m}}
		switch {
		case m == s.set.me:
			d = append(d, bson.D{{Key: "health", Value: 1.0}, {Key: "state", Value: states[v.Role]}, {Key: "stateStr", Value: v.Role.String()}, {Key: "self", Value: true}}...)
		case m == v.Primary:
			d = append(d, bson.D{{Key: "state", Value: int32(1)}, {Key: "stateStr", Value: replica.Primary.String()}}...)
		default:
			d = append(d, bson.D{{Key: "state", Value: int32(6)}, {Key: "stateStr", Value: "UNKNOWN"}}...)
		}
		members = append(members, d)
	}
	return bson.D{{Key: "set", Value: s.set.name}, {Key: "date", Value: bson.NewDateTimeFromTime(s.now())}, {Key: "myState", Value: states[v.Role]},
		{Key: "term", Value: int64(v.Term)}, {Key: "members", Value: members}}, nil
}

// status are the sections of serverStatus that only a member has.
func (s *set) status() bson.D {
	v := s.member.View()
	repl := bson.D{{Key: "setName", Value: s.name}, {Key: "setVersion", Value: int32(setVersion)}, {Key: "isWritablePrimary", Value: v.Role == replica.Primary},
		{Key: "secondary", Value: v.Role == replica.Secondary}, {Key: "hosts", Value: hosts(v)}, {Key: "me", Value: s.me}}
	if v.Primary != "" {
		repl = append(repl, bson.E{Key: "primary", Value: v.Primary})
	}
	if v.Role == replica.Primary {
		repl = append(repl, bson.E{Key: "electionId", Value: electionID(v)})
	}
	return bson.D{{Key: "repl", Value: repl}, {Key: "opcountersRepl", Value: s.replayed.operations()},
		{Key: "rollback", Value: bson.D{{Key: "acknowledged", Value: s.early.rolledBack()}}}}
}
