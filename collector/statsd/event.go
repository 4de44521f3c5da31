package statsd

import (
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
)

// checkName is the series of service checks.
const checkName = "throughline_service_check"

// statuses are what a service check may tell.
// Source: https://docs.datadoghq.com/developers/service_checks/dogstatsd_service_checks_submission/
var statuses = [...]string{"ok", "warning", "critical", "unknown"}

// event takes an event in for the journal. The client that sent it is locked.
func (r *reader) event(e *dogstatsd.EventLine) fate {
	labels, f := r.client.tags(r.client.labels, wireTags{dog: e.Tags})
	if f != accepted {
		return f
	}
	r.note(collector.Event{Kind: collector.Told, At: r.moment(e.Timestamp), Labels: labels, Title: valid(e.Title), Text: valid(e.Text),
		Host: valid(e.Host), Key: valid(e.Key), Priority: valid(e.Priority), Source: valid(e.Source), Alert: valid(e.Alert)})
	return told
}

// check takes a service check in, for the journal and as a series. The client
// of who sent it is locked.
func (r *reader) check(c *dogstatsd.CheckLine, from route) fate {
	cl := r.client
	labels, f := cl.tags(cl.labels, wireTags{dog: c.Tags})
	if f != accepted {
		return f
	}
	s, f := cl.findCheck(c, from)
	if f != accepted {
		return f
	}
	status := statuses[min(int(c.Status), len(statuses)-1)]
	at := r.moment(c.Timestamp)
	r.note(collector.Event{Kind: collector.ServiceCheck, At: at, Labels: labels, Title: valid(c.Name), Text: valid(c.Message),
		Host: valid(c.Host), Alert: status})
	m := measure{values: []dogstatsd.Value{{Number: float64(c.Status)}}, rate: 1, at: r.at}
	if at.Before(r.now) {
		// One that is older than what is known changes nothing.
		m.at, m.stamped = at.UnixNano(), true
	}
	s.add(&m, cl.shared)
	return checked
}

// findCheck gives the series of a service check, like find.
func (cl *client) findCheck(c *dogstatsd.CheckLine, from route) (*series, fate) {
	name, tags := []byte(c.Name), append([]byte(c.Host+"|"), c.Tags...)
	hash := cl.shared.hash('_', name, tags)
	if x := cl.known[hash]; x.is('_', name, tags) {
		return x.series, x.series.refusal()
	}
	cl.key = appendKey(cl.key[:0], '_', name, tags)
	if cfg := &cl.shared.cfg; len(c.Name) > cfg.MaxName || len(c.Host) > cfg.MaxTagValue {
		return nil, longName
	}
	own := cl.labels.With("check", valid(c.Name))
	if c.Host != "" {
		own = own.With("host", valid(c.Host))
	}
	labels, f := cl.tags(own, wireTags{dog: c.Tags})
	if f != accepted {
		return nil, f
	}
	return cl.findNew(&series{name: checkName, check: true, labels: labels, meta: &collector.Meta{Type: collector.Gauge, Sent: valid(c.Name)}}, from, hash)
}

// note keeps an event until no lock is held.
func (r *reader) note(e collector.Event) {
	if r.listener.collector.cfg.Journal != nil {
		r.events = append(r.events, e)
	}
}

// latest is the last second that has a year of four digits, as JSON wants it.
const latest = 253402300799

// moment is a second since 1970, or now where there is none.
func (r *reader) moment(second int64) time.Time {
	if second <= 0 || second > latest {
		return r.now
	}
	return time.Unix(second, 0)
}
