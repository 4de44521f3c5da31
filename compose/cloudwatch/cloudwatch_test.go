package cloudwatch

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// noon is a whole multiple of all periods.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var web2 = Metric{EC2, CPUUtilization, InstanceID, "i-00000000000000002"}

// clock is a moment that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// serve gives Amazon's client of a store that has a sample of each second from noon on: 1, 2, 3, …
func serve(t *testing.T, delay time.Duration, seconds int) (*cloudwatch.Client, *clock, *Store) {
	t.Helper()
	c := &clock{noon.Add(time.Hour)}
	store := NewStore(delay, c.now)
	for i := range seconds {
		store.Put(web2, noon.Add(time.Duration(i)*time.Second+500*time.Millisecond), float64(i+1))
	}
	store.Known(noon.Add(time.Duration(seconds) * time.Second))
	server, err := Listen("127.0.0.1", store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return cloudwatch.New(cloudwatch.Options{BaseEndpoint: aws.String(server.URL()), Region: "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")}), c, store
}

func query(id, stat string, period time.Duration) types.MetricDataQuery {
	return types.MetricDataQuery{Id: aws.String(id), MetricStat: &types.MetricStat{Stat: aws.String(stat), Period: aws.Int32(int32(period / time.Second)),
		Metric: &types.Metric{Namespace: aws.String(web2.Namespace), MetricName: aws.String(web2.Name),
			Dimensions: []types.Dimension{{Name: aws.String(web2.Dimension), Value: aws.String(web2.Value)}}}}}
}

func asking(from, to time.Duration, queries ...types.MetricDataQuery) *cloudwatch.GetMetricDataInput {
	return &cloudwatch.GetMetricDataInput{StartTime: aws.Time(noon.Add(from)), EndTime: aws.Time(noon.Add(to)), MetricDataQueries: queries}
}

// said writes an answer as "id status second=value …", a line for each result.
func said(out *cloudwatch.GetMetricDataOutput) string {
	var b strings.Builder
	for _, r := range out.MetricDataResults {
		fmt.Fprintf(&b, "%s %s", aws.ToString(r.Id), r.StatusCode)
		for i, at := range r.Timestamps {
			fmt.Fprintf(&b, " %v=%v", at.Sub(noon).Seconds(), r.Values[i])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestAmazonsClient: the client of Amazon's SDK reads what is told.
func TestAmazonsClient(t *testing.T) {
	client, _, _ := serve(t, 0, 25) // 12:00:00 to 12:00:24
	other := query("other", "Average", 10*time.Second)
	other.MetricStat.Metric.Dimensions[0].Value = aws.String("i-0")
	apart := query("apart", "Average", 10*time.Second)
	apart.MetricStat.Metric.Dimensions = nil
	unit := query("unit", "Average", 10*time.Second)
	unit.MetricStat.Unit = types.StandardUnitCount
	up := asking(0, time.Minute, query("up", "Average", 10*time.Second))
	up.ScanBy = types.ScanByTimestampAscending
	for name, c := range map[string]struct {
		in   *cloudwatch.GetMetricDataInput
		want string
	}{
		"newest first":               {asking(0, time.Minute, query("a", "Average", 10*time.Second)), "a Complete 10=15.5 0=5.5\n"},
		"oldest first":               {up, "up Complete 0=5.5 10=15.5\n"},
		"each statistic":             {asking(0, 10*time.Second, query("s", "Sum", 5*time.Second), query("n", "SampleCount", 5*time.Second), query("lo", "Minimum", 5*time.Second), query("hi", "Maximum", 5*time.Second)), "s Complete 5=40 0=15\nn Complete 5=5 0=5\nlo Complete 5=6 0=1\nhi Complete 5=10 0=5\n"},
		"the end is not asked for":   {asking(0, 10*time.Second, query("a", "Average", 10*time.Second)), "a Complete 0=5.5\n"},
		"begins at a whole period":   {asking(13*time.Second, time.Minute, query("a", "Average", 10*time.Second)), "a Complete 10=15.5\n"},
		"or at a whole minute":       {asking(13*time.Second, time.Minute, query("a", "SampleCount", time.Minute)), "a Complete\n"},
		"one second":                 {asking(3*time.Second, 5*time.Second, query("a", "Average", time.Second)), "a Complete 4=5 3=4\n"},
		"who is not known":           {asking(0, time.Minute, other), "other Complete\n"},
		"who is not said":            {asking(0, time.Minute, apart), "apart Complete\n"},
		"another unit":               {asking(0, time.Minute, unit), "unit Complete\n"},
		"long before":                {asking(-time.Hour, 0, query("a", "Average", 10*time.Second)), "a Complete\n"},
		"several at once":            {asking(0, 10*time.Second, query("a", "Average", 10*time.Second), query("b", "Sum", 10*time.Second)), "a Complete 0=5.5\nb Complete 0=55\n"},
		"what was never over is not": {asking(20*time.Second, time.Minute, query("a", "SampleCount", 10*time.Second)), "a Complete\n"},
	} {
		out, err := client.GetMetricData(t.Context(), c.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, said(out)); diff != "" || out.NextToken != nil {
			t.Errorf("%s (token %v) (-want +got):\n%s", name, out.NextToken, diff)
		}
	}
}

// A period is told when the delay has passed since its end, and not before all its samples are known.
func TestLate(t *testing.T) {
	client, at, store := serve(t, 5*time.Second, 25)
	ask := func() string {
		t.Helper()
		out, err := client.GetMetricData(t.Context(), asking(0, time.Minute, query("n", "SampleCount", 10*time.Second)))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(said(out))
	}
	for _, c := range []struct {
		now  time.Duration
		want string
	}{{14 * time.Second, "n Complete"}, {15 * time.Second, "n Complete 0=10"}, {24 * time.Second, "n Complete 0=10"}, {25 * time.Second, "n Complete 10=10 0=10"}, {time.Hour, "n Complete 10=10 0=10"}} {
		at.at = noon.Add(c.now)
		if got := ask(); got != c.want {
			t.Errorf("after %v: %s, want %s", c.now, got, c.want)
		}
	}
	store.Known(noon.Add(30 * time.Second)) // the last five never came: the period is half filled
	if got, want := ask(), "n Complete 20=5 10=10 0=10"; got != want {
		t.Errorf("known: %s, want %s", got, want)
	}
}

// An answer goes on page by page, also from one metric to the next, and as it was when the first was asked for.
func TestPages(t *testing.T) {
	client, at, store := serve(t, 0, 30)
	in := asking(0, time.Minute, query("a", "Average", 5*time.Second), query("b", "Sum", 10*time.Second))
	in.MaxDatapoints = aws.Int32(4)
	pages := cloudwatch.NewGetMetricDataPaginator(client, in)
	var got []string
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, said(out))
		at.at = at.at.Add(time.Minute)
		for i := range 5 {
			store.Put(web2, noon.Add(time.Duration(30+i)*time.Second), 1)
		}
		store.Known(noon.Add(35 * time.Second))
	}
	want := []string{"a PartialData 25=28 20=23 15=18 10=13\n", "a Complete 5=8 0=3\nb PartialData 20=255 10=155\n", "b Complete 0=55\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	in.NextToken = aws.String("not one of ours")
	wantError(t, client, in, "InvalidNextToken", "invalid")
	first, err := client.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{StartTime: in.StartTime, EndTime: in.EndTime, MetricDataQueries: in.MetricDataQueries, MaxDatapoints: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	in.NextToken, in.MetricDataQueries = first.NextToken, in.MetricDataQueries[:1]
	wantError(t, client, in, "InvalidNextToken", "invalid")
}

func wantError(t *testing.T, client *cloudwatch.Client, in *cloudwatch.GetMetricDataInput, code, words string) {
	t.Helper()
	_, err := client.GetMetricData(t.Context(), in)
	var said smithy.APIError
	if !errors.As(err, &said) || said.ErrorCode() != code || !strings.Contains(said.ErrorMessage(), words) || said.ErrorFault() != smithy.FaultClient {
		t.Errorf("got %v (%+v), want %s with %q", err, said, code, words)
	}
}

// What CloudWatch refuses is refused, in words that Amazon's client understands.
func TestRefused(t *testing.T) {
	client, _, _ := serve(t, 0, 1)
	with := func(change func(*cloudwatch.GetMetricDataInput, *types.MetricDataQuery)) *cloudwatch.GetMetricDataInput {
		in := asking(0, time.Minute, query("a", "Average", 10*time.Second))
		change(in, &in.MetricDataQueries[0])
		return in
	}
	for _, c := range []struct {
		in          *cloudwatch.GetMetricDataInput
		code, words string
	}{
		{with(func(in *cloudwatch.GetMetricDataInput, _ *types.MetricDataQuery) { in.EndTime = in.StartTime }), "InvalidParameterValue", "StartTime must be less"},
		{with(func(_ *cloudwatch.GetMetricDataInput, q *types.MetricDataQuery) { q.Id = aws.String("A") }), "InvalidParameterValue", `"A"`},
		{with(func(_ *cloudwatch.GetMetricDataInput, q *types.MetricDataQuery) { q.MetricStat.Period = aws.Int32(7) }), "InvalidParameterValue", "1, 5, 10, 20, 30, 60"},
		{with(func(_ *cloudwatch.GetMetricDataInput, q *types.MetricDataQuery) { q.MetricStat.Period = aws.Int32(90) }), "InvalidParameterValue", "multiple of 60"},
		{with(func(_ *cloudwatch.GetMetricDataInput, q *types.MetricDataQuery) {
			q.MetricStat.Stat = aws.String("p99")
		}), "InvalidParameterValue", `"p99"`},
		{with(func(_ *cloudwatch.GetMetricDataInput, q *types.MetricDataQuery) {
			q.MetricStat, q.Expression = nil, aws.String("m1*2")
		}), "InvalidParameterValue", "no metric math"},
		{with(func(_ *cloudwatch.GetMetricDataInput, q *types.MetricDataQuery) { q.Expression = aws.String("m1*2") }), "InvalidParameterCombination", "not both"},
		{with(func(_ *cloudwatch.GetMetricDataInput, q *types.MetricDataQuery) { q.MetricStat = nil }), "MissingParameter", "MetricStat"},
		{with(func(in *cloudwatch.GetMetricDataInput, _ *types.MetricDataQuery) {
			in.MetricDataQueries = append(in.MetricDataQueries, in.MetricDataQueries[0])
		}), "InvalidParameterValue", "not unique"},
		{with(func(in *cloudwatch.GetMetricDataInput, _ *types.MetricDataQuery) {
			in.MetricDataQueries = in.MetricDataQueries[:0]
		}), "MissingParameter", "MetricDataQueries"},
		{with(func(in *cloudwatch.GetMetricDataInput, _ *types.MetricDataQuery) { in.MaxDatapoints = aws.Int32(0) }), "InvalidParameterValue", "MaxDatapoints"},
		{with(func(in *cloudwatch.GetMetricDataInput, _ *types.MetricDataQuery) { in.ScanBy = "Sideways" }), "InvalidParameterValue", "ScanBy"},
		{with(func(in *cloudwatch.GetMetricDataInput, q *types.MetricDataQuery) {
			for i := range 500 {
				more := *q
				more.Id = aws.String(fmt.Sprintf("b%d", i))
				in.MetricDataQueries = append(in.MetricDataQueries, more)
			}
		}), "InvalidParameterValue", "greater than 500"},
	} {
		wantError(t, client, c.in, c.code, c.words)
	}
	_, err := client.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{})
	var said smithy.APIError
	if !errors.As(err, &said) || said.ErrorCode() != "UnknownOperation" || !strings.Contains(said.ErrorMessage(), "ListMetrics") {
		t.Errorf("an operation that is not there: %v", err)
	}
}

// Whoever speaks otherwise is told so, and nothing else.
func TestForeignRequests(t *testing.T) {
	server, err := Listen("127.0.0.1", NewStore(0, time.Now))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, c := range []struct {
		method, path, body string
		header             http.Header
		status             int
		words              string
	}{
		{"GET", "/", "", nil, 404, "GetMetricData is all there is"},
		{"POST", "/", "Action=GetMetricData&Version=2010-08-01", nil, 404, "UnknownOperation"},
		{"POST", root + "GetMetricData", "{}", nil, 400, "rpc-v2-cbor"},
		{"POST", root + "GetMetricData", "", http.Header{protocolHeader: {protocol}}, 403, "MissingAuthenticationToken"},
		{"POST", root + "GetMetricData", "nonsense", http.Header{protocolHeader: {protocol}, "Authorization": {"AWS4-HMAC-SHA256 x"}}, 400, "SerializationException"},
		{"POST", root + "GetMetricData", strings.Repeat("\x00", largest+1), http.Header{protocolHeader: {protocol}, "Authorization": {"AWS4-HMAC-SHA256 x"}}, 413, "longer than"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL()+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = c.header
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil || got.StatusCode != c.status || !strings.Contains(string(body), c.words) {
			t.Errorf("%s %s: %s %q, want %d with %q (%v)", c.method, c.path, got.Status, body, c.status, c.words, err)
		}
	}
}

// FuzzServe: no request ends the service.
func FuzzServe(f *testing.F) {
	f.Add([]byte("\xbf\xff"))
	f.Add([]byte("\xa1iStartTime\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00"))
	h := NewHandler(NewStore(0, time.Now))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := http.NewRequest("POST", "http://x"+root+"GetMetricData", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{protocolHeader: {protocol}, "Authorization": {"AWS4-HMAC-SHA256 x"}}
		if _, err := h.serve(r); err == nil {
			t.Skip()
		}
	})
}

// What a counter grew is in the samples, to the last second that is whole, however late it is read.
func TestUsage(t *testing.T) {
	store := NewStore(0, time.Now)
	meter := NewMeter(store)
	// It grows by 0.2 a second, then by 0.8, and is read in time, late, and early.
	grown := func(at time.Duration) float64 {
		return 7 + 0.2*at.Seconds() + 0.6*max(0, (at-4*time.Second).Seconds())
	}
	for i, at := range []time.Duration{300 * time.Millisecond, time.Second, 2 * time.Second, 2900 * time.Millisecond, 4 * time.Second, 6700 * time.Millisecond, 7 * time.Second, 8 * time.Second} {
		if known := meter.Usage(web2, noon.Add(at), grown(at), 100); known != (i > 0) {
			t.Errorf("at %v its past is known: %v", at, known)
		}
	}
	got := store.periods(web2, time.Second, noon, noon.Add(time.Minute), noon.Add(time.Hour))
	want := map[int]float64{1: 20, 2: 20, 3: 20, 4: 80, 5: 80, 6: 80, 7: 80} // of second 0 a part is not known
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for _, p := range got {
		if second := int(p.at.Sub(noon).Seconds()); math.Abs(p.Sum-want[second]) > 1e-9 || p.Count != 1 {
			t.Errorf("second %d: %+v, want %v", second, p, want[second])
		}
	}
}

// A counter that begins anew, that nobody read for long, or that was forgotten tells nothing of the time between.
func TestUsageUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*Meter)
		at     time.Duration
		total  float64
	}{
		"fell":      {at: 2 * time.Second, total: 1},
		"unread":    {at: 12 * time.Second, total: 9},
		"forgotten": {before: func(m *Meter) { m.Forget(web2) }, at: 2 * time.Second, total: 9},
		"no number": {at: 2 * time.Second, total: math.NaN()},
	} {
		store := NewStore(0, time.Now)
		meter := NewMeter(store)
		meter.Usage(web2, noon, 5, 1)
		meter.Usage(web2, noon.Add(time.Second), 6, 1)
		if c.before != nil {
			c.before(meter)
		}
		if meter.Usage(web2, noon.Add(c.at), c.total, 1) {
			t.Errorf("%s: its past is known", name)
		}
		if got := store.periods(web2, time.Second, noon, noon.Add(time.Minute), noon.Add(time.Hour)); len(got) != 1 {
			t.Errorf("%s: %v, want the first second alone", name, got)
		}
	}
}

// Events are counted whole.
func TestCount(t *testing.T) {
	store := NewStore(0, time.Now)
	meter := NewMeter(store)
	meter.Count(web2, noon, 100)
	meter.Count(web2, noon.Add(1020*time.Millisecond), 107)
	meter.Count(web2, noon.Add(2*time.Second), 107)
	meter.Count(web2, noon.Add(3*time.Second), 2) // begun anew
	meter.Count(web2, noon.Add(4*time.Second), 5)
	got := ""
	for _, p := range store.periods(web2, time.Second, noon, noon.Add(time.Minute), noon.Add(time.Hour)) {
		got += fmt.Sprintf("%v=%v ", p.at.Sub(noon).Seconds(), p.Sum)
	}
	if want := "0=7 1=0 3=3 "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Samples are kept for three hours.
func TestKept(t *testing.T) {
	store := NewStore(0, time.Now)
	store.Put(web2, noon, 1)
	other := web2
	other.Value = "other"
	store.Put(other, noon.Add(2*time.Hour), 1)
	store.Known(noon.Add(kept + time.Minute))
	if len(store.samples) != 1 || len(store.samples[other]) != 1 {
		t.Errorf("kept %v", store.samples)
	}
}
