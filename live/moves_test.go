package live

import (
	"testing"
	"time"
)

func TestMovedIsToldOnALine(t *testing.T) {
	for want, m := range map[string]Moved{
		"kill web-2  (took effect in 317 ms)":                   {Step: "kill web-2", Took: 317*time.Millisecond + 200},
		"heal freeze  (took effect in less than 1 ms)":          {Step: "heal freeze", Took: 90 * time.Microsecond},
		"kill web-2  FAILED after 10.0 s: no effect within 10s": {Step: "kill web-2", Took: 10*time.Second + 1, Error: "kill web-2: no effect within 10s"},
	} {
		if got := m.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
