package cloudwatch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"time"
)

// What GetMetricData takes at most.
const (
	mostQueries = 500
	mostPoints  = 100_800
)

// getMetricData is what is asked. The names are the protocol's.
type getMetricData struct {
	StartTime, EndTime *time.Time
	MetricDataQueries  []metricDataQuery
	MaxDatapoints      *int32
	NextToken          *string
	ScanBy             string
}

type metricDataQuery struct {
	ID         string `cbor:"Id"`
	Label      *string
	Expression *string
	MetricStat *metricStat
	ReturnData *bool
}

type metricStat struct {
	Metric struct {
		Namespace, MetricName string
		Dimensions            []dimension
	}
	Period int32
	Stat   string
	Unit   *string
}

type dimension struct{ Name, Value string }

// metricData is the answer.
type metricData struct {
	MetricDataResults []metricDataResult
	NextToken         *string `cbor:",omitempty"`
}

type metricDataResult struct {
	ID         string `cbor:"Id"`
	Label      string
	StatusCode string // complete or partial
	Timestamps []time.Time
	Values     []float64
}

// partial is the status of a result that goes on at the next token; it does not tell that values may still come.
const complete, partial = "Complete", "PartialData"

// refusal is an error of the service, in its own words.
type refusal struct {
	status        int
	code, message string
}

func (r refusal) Error() string { return r.code + ": " + r.message }

// older is the code that clients of the older protocol know it by.
func (r refusal) older() string {
	switch r.code {
	case "MissingRequiredParameterException":
		return "MissingParameter"
	case "InternalServiceFault":
		return "InternalServiceError"
	}
	return strings.TrimSuffix(r.code, "Exception")
}

func badValue(format string, args ...any) error {
	return refusal{400, "InvalidParameterValueException", fmt.Sprintf(format, args...)}
}

func missing(format string, args ...any) error {
	return refusal{400, "MissingRequiredParameterException", fmt.Sprintf(format, args...)}
}

func contradiction(format string, args ...any) error {
	return refusal{400, "InvalidParameterCombinationException", fmt.Sprintf(format, args...)}
}

var queryID = regexp.MustCompile(`^[a-z][A-Za-z0-9_]{0,254}$`)

// check refuses what CloudWatch refuses, and what this one cannot do.
func (q *getMetricData) check() error {
	switch {
	case q.StartTime == nil || q.EndTime == nil:
		return missing("The parameters StartTime and EndTime are required.")
	case !q.StartTime.Before(*q.EndTime):
		return badValue("The parameter StartTime must be less than the parameter EndTime.")
	case len(q.MetricDataQueries) == 0:
		return missing("The parameter MetricDataQueries is required.")
	case len(q.MetricDataQueries) > mostQueries:
		return badValue("The collection MetricDataQueries must not have a size greater than %d.", mostQueries)
	case q.ScanBy != "" && q.ScanBy != ascending && q.ScanBy != descending:
		return badValue("The parameter ScanBy must be %s or %s.", ascending, descending)
	case q.MaxDatapoints != nil && (*q.MaxDatapoints < 1 || *q.MaxDatapoints > mostPoints):
		return badValue("The parameter MaxDatapoints must be between 1 and %d.", mostPoints)
	}
	seen := map[string]bool{}
	for i, one := range q.MetricDataQueries {
		if err := one.check(); err != nil {
			return err
		}
		if seen[one.ID] {
			return badValue("MetricDataQueries.member.%d.Id: %s is not unique.", i+1, one.ID)
		}
		seen[one.ID] = true
	}
	return nil
}

const ascending, descending = "TimestampAscending", "TimestampDescending"

func (q *metricDataQuery) check() error {
	switch {
	case !queryID.MatchString(q.ID):
		return badValue("The value %q for parameter Id is not matching the expected pattern %s.", q.ID, queryID)
	case q.Expression != nil && q.MetricStat != nil:
		return contradiction("%s: specify either Expression or MetricStat, not both.", q.ID)
	case q.Expression != nil:
		return badValue("%s: Expression: this service knows no metric math.", q.ID)
	case q.MetricStat == nil:
		return missing("%s: specify MetricStat.", q.ID)
	case q.MetricStat.Metric.Namespace == "" || q.MetricStat.Metric.MetricName == "":
		return missing("%s: Metric needs Namespace and MetricName.", q.ID)
	case !ValidPeriod(time.Duration(q.MetricStat.Period) * time.Second):
		return badValue("%s: Period must be 1, 5, 10, 20, 30, 60 or a multiple of 60.", q.ID)
	}
	if _, known := (Statistics{}).of(q.MetricStat.Stat); !known {
		return badValue("%s: The value %q for parameter Stat is not supported: Average, Sum, SampleCount, Minimum, Maximum.", q.ID, q.MetricStat.Stat)
	}
	return nil
}

// ValidPeriod tells whether a period is one that CloudWatch has.
func ValidPeriod(p time.Duration) bool {
	if p < time.Minute {
		return slices.Contains([]time.Duration{1, 5, 10, 20, 30}, p/time.Second) && p%time.Second == 0
	}
	return p%time.Minute == 0
}

// page is where an answer goes on. What comes after the first page is told as it was then.
type page struct {
	Asked  int64  `json:"asked"` // when the first page was, in ns since 1970
	Known  int64  `json:"known"` // up to when all was known then
	Query  int    `json:"query"` // the next point is of this query
	Point  int    `json:"point"` // and has this place
	Digest uint64 `json:"of"`    // of the question
}

// digest tells a question from another.
func (q *getMetricData) digest() uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, q.StartTime.UnixNano(), q.EndTime.UnixNano(), q.ScanBy)
	for _, one := range q.MetricDataQueries {
		fmt.Fprintf(h, "|%s %+v", one.ID, *one.MetricStat)
	}
	return h.Sum64()
}

func (p page) token() *string {
	b, err := json.Marshal(p)
	if err != nil {
		return nil // never: they are numbers
	}
	t := base64.RawURLEncoding.EncodeToString(b)
	return &t
}

func (q *getMetricData) page(now, known time.Time) (page, error) {
	first := page{Asked: now.UnixNano(), Known: known.UnixNano(), Digest: q.digest()}
	if q.NextToken == nil {
		return first, nil
	}
	var p page
	b, err := base64.RawURLEncoding.DecodeString(*q.NextToken)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil || p.Digest != first.Digest || p.Query < 0 || p.Query >= len(q.MetricDataQueries) || p.Point < 0 {
		return page{}, refusal{400, "InvalidNextToken", "The next token specified is invalid."}
	}
	return p, nil
}

// answer answers one page.
func (s *Store) answer(q getMetricData) (metricData, error) {
	if err := q.check(); err != nil {
		return metricData{}, err
	}
	at, err := q.page(s.now(), s.knownUntil())
	if err != nil {
		return metricData{}, err
	}
	room := mostPoints
	if q.MaxDatapoints != nil {
		room = int(*q.MaxDatapoints)
	}
	var out metricData
	for i := at.Query; i < len(q.MetricDataQueries); i++ {
		one := q.MetricDataQueries[i]
		if one.ReturnData != nil && !*one.ReturnData {
			continue
		}
		points := s.told(one.MetricStat, *q.StartTime, *q.EndTime, at)
		if q.ScanBy != ascending {
			slices.Reverse(points)
		}
		skip := 0
		if i == at.Query {
			skip = min(at.Point, len(points))
		}
		points = points[skip:]
		result := one.result(points[:min(room, len(points))])
		if len(points) > room || room == 0 && len(points) > 0 {
			result.StatusCode = partial
			out.NextToken = page{at.Asked, at.Known, i, skip + room, at.Digest}.token()
		}
		out.MetricDataResults = append(out.MetricDataResults, result)
		if room -= len(result.Values); out.NextToken != nil {
			break
		}
	}
	return out, nil
}

// told are the points that a query gets on an answer's pages.
func (s *Store) told(q *metricStat, from, to time.Time, on page) []point {
	if len(q.Metric.Dimensions) != 1 || q.Unit != nil && *q.Unit != unitOf(q.Metric.MetricName) {
		return nil // no metric here has other dimensions: there is no data of what is not known
	}
	whose := q.Metric.Dimensions[0]
	period := time.Duration(q.Period) * time.Second
	// Source: StartTime in the reference of GetMetricData.
	from = from.Truncate(min(max(period, time.Second), time.Minute))
	over := time.Unix(0, min(on.Asked-int64(s.delay), on.Known)) // what ended later is not told
	return s.periods(Metric{q.Metric.Namespace, q.Metric.MetricName, whose.Name, whose.Value}, period, from, to, over)
}

// result is what a query gets of points.
func (q *metricDataQuery) result(points []point) metricDataResult {
	r := metricDataResult{ID: q.ID, Label: q.MetricStat.Metric.MetricName, StatusCode: complete, Timestamps: []time.Time{}, Values: []float64{}}
	if q.Label != nil {
		r.Label = *q.Label
	}
	for _, p := range points {
		if v, ok := p.of(q.MetricStat.Stat); ok {
			r.Timestamps, r.Values = append(r.Timestamps, p.at), append(r.Values, v)
		}
	}
	return r
}

// unitOf is the unit of a metric by its name.
func unitOf(name string) string {
	if name == CPUUtilization {
		return "Percent"
	}
	return "Count"
}

// The metrics, as the services of Amazon name them that have what the stack has.
const (
	EC2, InstanceID = "AWS/EC2", "InstanceId"
	ALB, Balancer   = "AWS/ApplicationELB", "LoadBalancer"
	DocDB, Database = "AWS/DocDB", "DBInstanceIdentifier"

	CPUUtilization   = "CPUUtilization"            // of EC2 and DocDB: percent of the CPUs that there are
	RequestCount     = "RequestCount"              // of the load balancer
	Target2XX        = "HTTPCode_Target_2XX_Count" // answers of the servers behind it
	OpcountersUpdate = "OpcountersUpdate"          // of the database
)
