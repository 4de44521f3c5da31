package docs

import (
	"strings"
	"testing"
)

// What the tables say of a key is found under its heading, without markup.
func TestKeyOf(t *testing.T) {
	for _, c := range []struct {
		of                 func(heading, key string) string
		heading, key, want string
	}{
		{KeyOf, "conservation", "client_window", "how long the app's client may hold a count"},
		{KeyOf, "conservation", "client_window", "(default: 100ms, and every more"},
		{KeyOf, "stack", "instances", "how many run when the load starts, 1 to 300"},
		{KeyOf, "autoscale", "max", "how few and how many instances"},
		{VerdictKey, "findings", "cause", "the likely cause as a word that DIAGNOSES.md explains"},
	} {
		if got := c.of(c.heading, c.key); !strings.Contains(got, c.want) || strings.ContainsAny(got, "`") {
			t.Errorf("%s of %s: %q, want %q in it", c.key, c.heading, got, c.want)
		}
	}
	if got := KeyOf("conservation", "instances") + KeyOf("no heading", "x"); got != "" {
		t.Errorf("a key of another heading says %q", got)
	}
}
