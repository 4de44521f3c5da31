package workshop

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

var inf = math.Inf(1)

func TestAsk(t *testing.T) {
	for _, c := range []struct {
		status       int
		answer, want string // want: of the error; "" = none
		values       []float64
	}{
		{200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"3"]},{"metric":{},"value":[1.5,"NaN"]},{"metric":{},"value":[1.5,"+Inf"]}]}}`, "", []float64{3, inf}},
		{200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, "", nil},
		{200, `{"status":"success","data":{"resultType":"scalar","result":[1.5,"0.25"]}}`, "", []float64{0.25}},
		{200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, `ask x > 1: want a number, or several; got "matrix"`, nil},
		{400, `{"status":"error","errorType":"bad_data","error":"no such thing"}`, "ask x > 1: no such thing", nil},
		{502, `<html>`, "ask x > 1: 502 Bad Gateway: ", nil},
		{200, `{"status":"success","data":{"resultType":"vector","result":[{"value":"odd"}]}}`, "ask x > 1: json", nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/query" || r.FormValue("query") != "x > 1" {
				t.Errorf("asked %s", r.URL)
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.answer))
		}))
		values, err := Collector{URL: server.URL + "/"}.Ask(t.Context(), "x > 1")
		server.Close()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) || !slices.Equal(values, c.values) {
			t.Errorf("%s: %v, %v; want %v, %q", c.answer, values, err, c.values, c.want)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Collector{URL: "http://127.0.0.1:1"}).Ask(gone, "x"); err == nil {
		t.Error("nobody was asked, and answered")
	}
}
