package rum

import (
	"testing"

	"throughline/collector"
	"throughline/collector/sourcetest"
)

func TestContract(t *testing.T) {
	sourcetest.Contract(t, func(t *testing.T, in collector.Intake) sourcetest.Driver {
		c, err := New(Config{Addr: "127.0.0.1:0", Origins: []string{shop}, Rate: 1e6}, in)
		if err != nil {
			t.Fatal(err)
		}
		post := func(body string) {
			// Fails when nobody listens any more, which the contract looks at too.
			_, _ = send(t, c, request{body: body})
		}
		return sourcetest.Driver{Source: c, Series: Views, Nobodys: true,
			Count: func(n int) {
				for range n {
					post(`{"id":"run-1","route":"insert","latency_ms":12.5}`)
				}
			}, Bad: func() { post("many") }}
	})
}
