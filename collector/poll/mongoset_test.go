package poll

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A member that answers nothing fails the poll, unless it has gone meanwhile: then it is left out.
func TestMongoSetLeavesOutWhoIsGone(t *testing.T) {
	nobody := MongoMember{Name: "mongo-2", URI: "mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=100"}
	var asked atomic.Int64
	goes := false
	s := NewMongoSet(func() []MongoMember {
		if asked.Add(1) > 1 && goes {
			return nil
		}
		return []MongoMember{nobody}
	})
	defer s.Close(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if samples, err := s.Poll(ctx, time.Now()); err == nil || !strings.HasPrefix(err.Error(), "mongo-2: ") || len(samples) > 0 {
		t.Errorf("of one that does not answer: %v, %v", samples, err)
	}
	asked.Store(0)
	goes = true
	if samples, err := s.Poll(ctx, time.Now()); err != nil || len(samples) > 0 {
		t.Errorf("of one that has gone: %v, %v", samples, err)
	}
}
