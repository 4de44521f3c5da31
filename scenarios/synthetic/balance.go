package synthetic

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/record"
)

// balance makes HAProxy's statistics.
func (w *world) balance() {
	var all, answered, refused []time.Duration
	by := map[string][]time.Duration{}
	for i := range w.h.Requests {
		r := &w.h.Requests[i]
		all = append(all, r.Sent)
		if r.Status == 0 {
			continue
		}
		answered = append(answered, r.Done)
		class := fmt.Sprintf("%dxx", r.Status/100)
		by[class] = append(by[class], r.Done)
		if r.Outcome == record.Refused {
			refused = append(refused, r.Done)
		}
	}
	front, back := []string{"proxy", "fe_main"}, []string{"proxy", "be_web"}
	polled := func(name string, at []time.Duration, labels []string) {
		w.polled(name, slices.Clone(at), 0, forever, labels...)
	}
	polled("haproxy_frontend_req_tot", all, front)
	for _, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"} {
		polled("haproxy_frontend_hrsp_"+class, by[class], front)
	}
	for _, field := range []string{"stot", "lbtot"} {
		polled("haproxy_backend_"+field, all, back)
	}
	polled("haproxy_backend_req_tot", answered, back)
	for _, field := range []string{"wretr", "wredis", "eresp"} {
		polled("haproxy_backend_"+field, nil, back)
	}
	polled("haproxy_backend_econ", refused, back)
	polled("haproxy_backend_hrsp_5xx", by["5xx"], back)
	for _, in := range w.instances {
		labels := []string{"proxy", "be_web", "server", in.name, "instance", in.name}
		polled("haproxy_server_hrsp_2xx", in.ok2, labels)
		polled("haproxy_server_hrsp_4xx", in.ko4, labels)
		polled("haproxy_server_hrsp_5xx", in.ko5, labels)
		polled("haproxy_server_stot", in.sessions, labels)
		polled("haproxy_server_wretr", nil, labels)
	}
}

// store makes the database's documents and statistics.
func (w *world) store() {
	if w.p.Database == "none" {
		return
	}
	w.polled("mongodb_opcounters_total", w.written, 0, forever, "type", "update")
	w.h.Before = &record.Documents{At: loadBegin - time.Second, Words: []record.WordCount{{Word: "word0", Count: 7}}}
	w.h.After = &record.Documents{At: w.quiesced + 5*time.Millisecond}
	w.words["word0"] += 7
	for word, n := range w.words {
		w.h.After.Words = append(w.h.After.Words, record.WordCount{Word: word, Count: n})
	}
	slices.SortFunc(w.h.After.Words, func(a, b record.WordCount) int { return strings.Compare(a.Word, b.Word) })
}
