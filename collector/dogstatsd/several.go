package dogstatsd

import "bytes"

// several reads what follows the name of a line with several typed samples, as
// etsy's StatsD takes it and Kamon's client writes it:
//
//	akka.processing-time:581632|ms:593920|ms|@0.5
//
// Each sample has its values, its type and perhaps its rate. DogStatsD's fields
// have colons of their own, so here they are not understood: a line with them is
// bad, as in statsd_exporter. It is read whole before its first sample is handed
// out, because one that is bad spoils the line. False: it is no such line.
// Source: https://github.com/statsd/statsd/blob/master/stats.js and
// https://github.com/prometheus/statsd_exporter/blob/master/pkg/line/line.go
func (s *Scanner) several(name, text []byte) bool {
	s.name, s.Parts = name, 0
	for s.more = text; len(s.more) > 0; s.Parts++ {
		if !s.sample() {
			s.more = nil
			return false
		}
	}
	s.Part, s.more = 0, text
	return s.Parts > 1 && s.sample()
}

// sample cuts the next sample off s.more.
func (s *Scanner) sample() bool {
	bar := indexByte(s.more, '|')
	if bar < 1 {
		return false
	}
	raw := s.more[:bar]
	kind, end, rest := cutSample(s.more[bar+1:])
	s.Line = Line{Name: s.name, Rate: 1, Type: typeOf(trim(kind))}
	if end == '|' {
		var rate []byte
		rate, end, rest = cutSample(rest)
		if rate = trim(rate); len(rate) == 0 || rate[0] != '@' || end == '|' || !s.rate(rate[1:]) {
			return false
		}
	}
	if end == ':' && len(rest) == 0 {
		return false // one more was to come
	}
	s.more = rest
	switch s.Line.Type {
	case 0:
		return false
	case Set:
		s.Line.Member, s.Line.Rate = raw, 1
		return true
	case Gauge:
		s.Line.Rate = 1
	}
	return s.numbers(raw)
}

// cutSample cuts text at its first bar or colon, and tells which it was; 0 for its
// end.
func cutSample(text []byte) (before []byte, at byte, after []byte) {
	if i := bytes.IndexAny(text, "|:"); i >= 0 {
		return text[:i], text[i], text[i+1:]
	}
	return text, 0, nil
}

// trim takes the blanks around a value, a type or a rate away, which etsy's StatsD
// does not mind.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for n := len(b); n > 0 && (b[n-1] == ' ' || b[n-1] == '\t'); n-- {
		b = b[:n-1]
	}
	return b
}
