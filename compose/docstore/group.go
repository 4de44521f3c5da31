package docstore

import (
	"math"
	"math/big"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// group is $group.
type group struct {
	id     expression
	fields []groupField
	groups map[string]*groupRow
	rows   []*groupRow // in the order in which they appeared
	bytes  int
	next   stage
}

type groupField struct {
	name string
	op   string
	expr expression
}

type groupRow struct {
	id   bson.RawValue
	accs []accumulator
}

// accumulator collects the values of one field of one group.
type accumulator interface {
	add(v bson.RawValue)
	result() bson.RawValue
}

// parseGroup reads {_id: …, field: {$sum: …}}.
// Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/group/
func parseGroup(spec bson.RawValue, next stage) (stage, error) {
	doc, err := stageDocument("$group", spec)
	if err != nil {
		return nil, err
	}
	g := &group{groups: make(map[string]*groupRow), next: next}
	for name, v := range elements(doc) {
		if name == "_id" {
			if g.id, err = parseExpression(v); err != nil {
				return nil, err
			}
			continue
		}
		f, err := parseGroupField(name, v)
		if err != nil {
			return nil, err
		}
		g.fields = append(g.fields, f)
	}
	if g.id == nil {
		return nil, fail(codeMissingGroupID, "a group specification must include an _id")
	}
	return g, nil
}

func parseGroupField(name string, v bson.RawValue) (f groupField, err error) {
	if name == "" || name[0] == '$' || strings.Contains(name, ".") {
		return f, fail(codeBadGroupField, "The field name '%s' cannot be used in $group: it is empty, begins with '$' or contains '.'", name)
	}
	if !isOperators(v) {
		return f, fail(codeNoAccumulator, "The field '%s' must be an accumulator object", name)
	}
	r := readFields(v.Value)
	op, operand, _ := r.next()
	if _, _, more := r.next(); more {
		return f, fail(codeManyAccumulators, "The field '%s' must specify one accumulator", name)
	}
	f = groupField{name: name, op: string(op)}
	if f.accumulator() == nil {
		return f, fail(codeUnknownGroupOperator, "unknown group operator '%s'", op)
	}
	if operand.Type == bson.TypeArray {
		return f, fail(codeUnaryAccumulator, "The %s accumulator is a unary operator", op)
	}
	f.expr, err = parseExpression(operand)
	return f, err
}

func (f groupField) accumulator() accumulator {
	switch f.op {
	case "$sum":
		return &sum{}
	case "$avg":
		return &average{}
	case "$min":
		return &extreme{sign: -1}
	case "$max":
		return &extreme{sign: 1}
	}
	return nil
}

func (g *group) push(doc bson.Raw) (bool, error) {
	id, err := g.id.eval(doc)
	if err != nil {
		return false, err
	}
	if missing(id) {
		id = nullValue()
	}
	key := string(appendKey(nil, id))
	row := g.groups[key]
	if row == nil {
		row = &groupRow{id: id}
		for _, f := range g.fields {
			row.accs = append(row.accs, f.accumulator())
		}
		g.groups[key] = row
		g.rows = append(g.rows, row)
		if g.bytes += len(key) + len(id.Value); g.bytes > maxBuffered {
			return false, fail(codeMemoryLimit, "Exceeded memory limit for $group of %d bytes", maxBuffered)
		}
	}
	for i, f := range g.fields {
		v, err := f.expr.eval(doc)
		if err != nil {
			return false, err
		}
		row.accs[i].add(v)
	}
	return true, nil
}

func (g *group) end() error {
	docs := make([]bson.Raw, len(g.rows))
	for i, row := range g.rows {
		start, b := beginDocument(nil)
		b = appendValue(b, "_id", row.id)
		for k, f := range g.fields {
			b = appendValue(b, f.name, row.accs[k].result())
		}
		docs[i] = endDocument(b, start)
	}
	return pushAll(docs, g.next)
}

// sum is $sum: integers are added exactly, doubles with compensation, and what
// is not a number counts nothing. The result is an int where all were ints and
// it fits, else a long where all were whole and it fits, else a double.
type sum struct {
	whole   int64
	beyond  *big.Int // instead of whole, once that has overflowed
	float   float64
	lost    float64 // what float's rounding has lost so far
	long    bool
	double  bool
	numbers int64
}

func (s *sum) add(v bson.RawValue) {
	if !isNumber(v) {
		return
	}
	s.numbers++
	if v.Type == bson.TypeDouble {
		s.double = true
		s.addFloat(v.Double())
		return
	}
	s.long = s.long || v.Type == bson.TypeInt64
	n := v.AsInt64()
	if s.beyond == nil {
		if t := s.whole + n; n == 0 || (t > s.whole) == (n > 0) {
			s.whole = t
			return
		}
		s.beyond = big.NewInt(s.whole)
	}
	s.beyond.Add(s.beyond, big.NewInt(n))
}

// addFloat is Neumaier's compensated summation.
// Source: https://doi.org/10.1002/zamm.19740540106
func (s *sum) addFloat(f float64) {
	t := s.float + f
	switch {
	case math.IsInf(t, 0) || math.IsNaN(t): // there is no rounding error to keep
	case math.Abs(s.float) >= math.Abs(f):
		s.lost += (s.float - t) + f
	default:
		s.lost += (f - t) + s.float
	}
	s.float = t
}

func (s *sum) result() bson.RawValue {
	whole, fits := s.whole, true
	if s.beyond != nil {
		whole, fits = s.beyond.Int64(), s.beyond.IsInt64()
	}
	switch {
	case s.double || !fits:
		return doubleValue(s.total())
	case s.long:
		return int64Value(whole)
	}
	return wholeValue(whole)
}

// wholeValue is an int if that is enough, else a long.
func wholeValue(n int64) bson.RawValue {
	if n >= math.MinInt32 && n <= math.MaxInt32 {
		return int32Value(int32(n))
	}
	return int64Value(n)
}

func (s *sum) total() float64 {
	if s.beyond != nil {
		f, _ := new(big.Float).SetInt(s.beyond).Float64()
		return f + s.float + s.lost
	}
	return float64(s.whole) + (s.float + s.lost)
}

// average is $avg: null if there was no number.
type average struct{ sum sum }

func (a *average) add(v bson.RawValue) { a.sum.add(v) }

func (a *average) result() bson.RawValue {
	if a.sum.numbers == 0 {
		return nullValue()
	}
	return doubleValue(a.sum.total() / float64(a.sum.numbers))
}

// extreme is $min and $max: null and what is missing do not count.
type extreme struct {
	sign int
	best bson.RawValue
}

func (e *extreme) add(v bson.RawValue) {
	if missing(v) || v.Type == bson.TypeNull {
		return
	}
	if missing(e.best) || compareValues(v, e.best)*e.sign > 0 {
		e.best = v
	}
}

func (e *extreme) result() bson.RawValue {
	if missing(e.best) {
		return nullValue()
	}
	return e.best
}
