package otlp

import (
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"throughline/collector"
)

// TestScopes: a stream is the same in each request, in whatever order the scopes of an SDK come, and whatever order
// attributes have; what several scopes count under one name is added up.
func TestScopes(t *testing.T) {
	b := newBench(t, Config{}, collector.Intake{})
	for i := range 6 {
		all := pmetric.NewMetrics()
		rm := all.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.instance.id", "web-1")
		for j := range 3 {
			scope := (i + j) % 3 // as from a map
			sm := rm.ScopeMetrics().AppendEmpty()
			sm.Scope().SetName(fmt.Sprint("scope ", scope))
			m, p := numbers("hits")
			p.SetStartTimestamp(seconds(1))
			p.SetTimestamp(seconds(float64(2 + i)))
			p.SetIntValue(int64((i + 1) * (scope + 1)))
			names := []string{"table", "kind", "http.response.status_code"}
			for k := range names {
				p.Attributes().PutStr(names[(i+k)%3], "x")
			}
			m.CopyTo(sm.Metrics().AppendEmpty())
		}
		if refused := b.take(pmetricotlp.NewExportRequestFromMetrics(all)); refused != 0 {
			t.Errorf("%d points were refused", refused)
		}
	}
	b.pass(time.Second)
	if got := b.sink.one(t, "hits_total"); got.Value != 6*(1+2+3) || len(b.senders["web-1"].streams) != 3 {
		t.Errorf("3 streams counted 36: %v by %d", got.Value, len(b.senders["web-1"].streams))
	}
	if got := b.found(); len(got) != 0 {
		t.Errorf("it found %q", got)
	}
}
