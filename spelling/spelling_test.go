package spelling

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"insert", "insert-get", "get", "list", "toplist"}
	for word, want := range map[string]string{
		"isnert": "insert", "INSERT": "insert", "insrtget": "insert-get", "gat": "get", "lsit": "list", "top-list": "toplist",
		"": "", "delete": "", "zzz": "", strings.Repeat("insert", 100): "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", word, got, want)
		}
	}
	if got := Nearest("a", nil); got != "" {
		t.Errorf("nothing is near to nothing, got %q", got)
	}
}
