package dogstatsd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWrittenIsRead: what is written is read as what it was, and what no field can hold is written as something else
// that hurts no other.
func TestWrittenIsRead(t *testing.T) {
	tags := Tag(Tag(nil, "instance", "web-2"), "step", "kill web-2, web-3|#x")
	for _, e := range []EventLine{
		{Title: "kill web-2", Text: "took effect\nafter 0.4 s | of 3", Key: "run-1", Priority: "low", Source: "throughline", Alert: "warning", Context: Context{Timestamp: 1700000000, Host: "here", Tags: tags}},
		{Title: "t", Priority: "normal", Alert: "info"},
		{Title: "a|b", Text: "ärger", Priority: "normal", Alert: "success"},
	} {
		var s Scanner
		s.Reset(e.Append(nil))
		if kind := s.Next(); kind != Event {
			t.Fatalf("%s is read as %v", e.Append(nil), kind)
		}
		if diff := cmp.Diff(e, s.Event); diff != "" {
			t.Errorf("%s (-written +read):\n%s", e.Append(nil), diff)
		}
		if s.Next() != 0 {
			t.Errorf("%s: something is left", e.Append(nil))
		}
	}
	for _, c := range []CheckLine{
		{Name: "throughline.instance", Status: 2, Message: "gone\nm: SIGKILL", Context: Context{Timestamp: 1, Host: "h", Tags: tags}},
		{Name: "n", Status: 0},
	} {
		var s Scanner
		s.Reset(c.Append(nil))
		if kind := s.Next(); kind != ServiceCheck {
			t.Fatalf("%s is read as %v", c.Append(nil), kind)
		}
		if diff := cmp.Diff(c, s.Check); diff != "" {
			t.Errorf("%s (-written +read):\n%s", c.Append(nil), diff)
		}
	}
	long := EventLine{Title: strings.Repeat("ä", 99), Text: strings.Repeat("\n", 4000), Key: "a|k:b\nc"}
	var s Scanner
	s.Reset(long.Append(nil))
	if kind := s.Next(); kind != Event || len(s.Event.Title) != maxTitle || s.Event.Key != "a k:b c" || len(s.Event.Text) != maxText/2 {
		t.Errorf("a long event is read as %v: %+v", kind, s.Event)
	}
}
