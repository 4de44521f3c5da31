package mongoset

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// State is what a member says of itself.
type State struct {
	Primary   bool `bson:"isWritablePrimary"`
	Secondary bool `bson:"secondary"`
}

// Ask asks a member what it is.
func Ask(ctx context.Context, member string) (State, error) {
	client, done, err := dial(ctx, member)
	if err != nil {
		return State{}, err
	}
	defer done()
	return ask(ctx, client)
}

func ask(ctx context.Context, client *mongo.Client) (s State, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	answer, err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Raw()
	if err == nil {
		err = bson.Unmarshal(answer, &s)
	}
	return s, err
}

// Primary waits until one of the members says that it is the primary, and that it takes
// writes. No member of but is asked: one that was killed or stepped down may not know yet.
func Primary(ctx context.Context, members []string, but ...string) (string, error) {
	asked := slices.DeleteFunc(slices.Clone(members), func(m string) bool { return slices.Contains(but, m) })
	return first(ctx, asked, "a primary", func(s State) bool { return s.Primary })
}

// Secondary waits until one of the members says that it follows the primary: the last one of those that do.
func Secondary(ctx context.Context, members []string) (string, error) {
	for {
		follows := make([]bool, len(members))
		var all sync.WaitGroup
		for i, m := range members {
			all.Go(func() {
				s, err := Ask(ctx, m)
				follows[i] = err == nil && s.Secondary
			})
		}
		all.Wait()
		for i, m := range slices.Backward(members) {
			if follows[i] {
				return m, nil
			}
		}
		if !again(ctx) {
			return "", fmt.Errorf("wait for a secondary: %w", ctx.Err())
		}
	}
}

// AwaitMember waits until a member follows the primary, or is it.
func AwaitMember(ctx context.Context, member string) error {
	return Await(ctx, member, "to follow the primary", func(s State) bool { return s.Primary || s.Secondary })
}

// Await waits until a member says of itself what is asked for; what names that, for the error.
func Await(ctx context.Context, member, what string, so func(State) bool) error {
	_, err := first(ctx, []string{member}, member+" "+what, so)
	return err
}

// first waits for the first of the members that says of itself what is asked for. They are asked side by side, so that nobody waits for
// one that does not answer, and each over one connection: where the machine is busy, to make one may take longer than an answer may.
func first(ctx context.Context, members []string, what string, so func(State) bool) (string, error) {
	asking, found := context.WithCancel(ctx)
	defer found()
	said := make(chan string, len(members))
	var all sync.WaitGroup
	for _, m := range members {
		client, done, err := dial(ctx, m)
		if err != nil {
			found()
			all.Wait()
			return "", fmt.Errorf("wait for %s: %w", what, err)
		}
		all.Go(func() {
			defer done()
			for {
				if s, err := ask(asking, client); err == nil && so(s) {
					said <- m
					found()
				}
				if !again(asking) {
					return
				}
			}
		})
	}
	all.Wait()
	if len(members) == 0 {
		<-ctx.Done() // there is nobody who could say it
	}
	select {
	case m := <-said:
		return m, nil
	default:
		return "", fmt.Errorf("wait for %s: %w", what, ctx.Err())
	}
}

// again waits until it is time to ask once more, unless ctx ends.
func again(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(askEvery):
		return true
	}
}
