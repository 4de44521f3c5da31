package tiers

import (
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// classes are the classes of answers that HAProxy counts, as in hrsp_2xx, by the
// first digit of the status.
var classes = [...]string{1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}

// compareCodes: of each class the users had as many answers as the frontend gave.
// HAProxy may have given more: an answer that broke off on its way, one to a request
// that a client repeated, or a 5xx to a user who had gone, are in its numbers alone.
// An answer that a user had whole is in both. Users had 2,380 answers 2xx, one more
// that broke off, and no answer to 3 requests: HAProxy may have counted 2,380 to 2,384 of 2xx.
func (c Comparison) compareCodes(b evidence.Balancer, r *verdict.Result, widths account.Allowances) {
	var whole, broken [len(classes)]int64
	for i := range b.Index.History.Requests {
		q := &b.Index.History.Requests[i]
		switch class := int(q.Status / 100); {
		case class < 1 || class >= len(classes):
		case q.Err != "":
			broken[class]++
		default:
			whole[class]++
		}
	}
	more := b.Index.Users.NoAnswer + widths.Replays
	unseen := b.Index.NotPolled("")
	var agree, wrong []string
	var lost, extra int64
	for class, name := range classes {
		got, known := b.Since(record.FrontendPrefix, "hrsp_"+name)
		if name == "" || !known {
			continue
		}
		least, most := whole[class]-unseen, whole[class]+broken[class]+more
		if got < least || got > most {
			wrong = append(wrong, fmt.Sprintf("%s with %s, and it counted %s", words.Number(whole[class]), name, words.Number(got)))
			lost, extra = lost+max(0, least-got), extra+max(0, got-most)
		} else if whole[class]+got > 0 {
			agree = append(agree, fmt.Sprintf("%s %s", words.Number(whole[class]), name))
		}
	}
	switch {
	case len(wrong) > 0:
		f := c.finding(verdict.Fail, "users had answers that HAProxy's frontend %s did not give, or not those that it gave: %s; up to %s more each may be without a user",
			b.Frontend, strings.Join(wrong, "; "), words.Number(more))
		f.Lost, f.Extra, f.Bound = lost, extra, more+unseen
		r.Findings = append(r.Findings, f)
		if !slices.ContainsFunc(r.Residuals, func(booked verdict.Residual) bool { return booked.Cause == verdict.CauseUnexplained }) {
			r.Residuals = append(r.Residuals, c.booked("", verdict.CauseUnexplained, lost > 0, max(lost, extra), 0))
		}
	case len(agree) > 0:
		f := c.finding(verdict.Pass, "users had the answers that HAProxy's frontend %s gave, by class: %s; up to %s could hide a difference", b.Frontend, strings.Join(agree, ", "), words.Number(more+unseen))
		f.Bound = more + unseen
		r.Findings = append(r.Findings, f)
	}
}
