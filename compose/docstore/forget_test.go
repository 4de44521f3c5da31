package docstore

import (
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// TestForgetEvery: what is forgotten is acknowledged like everything else, and
// what is written in the same moment is kept.
func TestForgetEvery(t *testing.T) {
	for _, every := range []int{0, 5} {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			addr, stop := start(t, Config{Dir: t.TempDir(), ForgetEvery: every})
			defer stop()
			words := connect(t, addr).Database("test").Collection("words")
			for n := range 20 {
				res, err := words.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: n}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
				if err != nil || res.UpsertedCount != 1 {
					t.Fatalf("update %d: %+v, %v", n, res, err)
				}
			}
			want := int64(20)
			if every > 0 {
				want -= int64(20 / every)
			}
			if got, err := words.CountDocuments(t.Context(), bson.D{}); err != nil || got != want {
				t.Errorf("of 20 acknowledged updates %d are kept, want %d (%v)", got, want, err)
			}
		})
	}
}
