package verdict

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func ExampleOutcome() {
	fmt.Println(Inconclusive, Pass, Fail, Outcome(7))
	// Output: inconclusive pass fail inconclusive
}

func TestOutcomesAreReadAsWritten(t *testing.T) {
	for _, o := range []Outcome{Inconclusive, Pass, Fail} {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		got := Outcome(7)
		if err := json.Unmarshal(b, &got); err != nil || got != o {
			t.Errorf("%s was read as %v: %v", b, got, err)
		}
	}
	var o Outcome
	if err := json.Unmarshal([]byte(`"green"`), &o); err == nil || !strings.Contains(err.Error(), "not one of pass, fail, inconclusive") {
		t.Errorf("green was read as %v: %v", o, err)
	}
}
