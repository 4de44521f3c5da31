package script

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// reader walks a file's tree and notes every complaint. Whatever could not be read becomes a zero value, so that
// reading goes on and finds the next mistake; a rule that compares two values keeps quiet when one of them is missing.
type reader struct {
	file string
	opts Options
	errs Errors
	// versions are those of the role of the step under way that have been read; ownVersion is, by role, the name of a variable
	// of the stack that only a scenario without versions may set.
	versions   *Versions
	ownVersion map[string]value
	// fromServer: the file says that a server has the metrics of the instances.
	fromServer bool
}

func (r *reader) failf(at Pos, format string, args ...any) {
	r.errs = append(r.errs, Error{Pos: at, Message: fmt.Sprintf(format, args...)})
}

// value is one node of the tree with its name in errors, like "load.rate".
type value struct {
	r    *reader
	name string
	node ast.Node
	at   Pos
}

// value wraps a node; above is the place that stands for a value that was left out.
func (r *reader) value(name string, n ast.Node, above Pos) value {
	v := value{r: r, name: name, node: n, at: above}
	switch n := n.(type) {
	case nil, *ast.NullNode:
	case *ast.MappingNode:
		v.at = r.at(n.GetToken())
		if !n.IsFlowStyle && len(n.Values) > 0 { // the node's own token is its first colon
			v.at = r.at(n.Values[0].Key.GetToken())
		}
	default:
		v.at = r.at(n.GetToken())
	}
	return v
}

// failf complains about the value: its name, what is wrong, what was expected.
func (v value) failf(format string, args ...any) {
	v.r.failf(v.at, "%s: %s", v.name, fmt.Sprintf(format, args...))
}

// wrong complains about a value of another type than wanted.
func (v value) wrong(want string) {
	switch n := v.node.(type) {
	case nil, *ast.NullNode:
		v.failf("has no value: want %s", want)
	case *ast.MappingNode:
		v.failf("want %s, got keys and values", want)
	case *ast.SequenceNode:
		v.failf("want %s, got a list", want)
	case *ast.StringNode, *ast.LiteralNode:
		v.failf("want %s, got the text %s", want, quote(plain(n)))
	default:
		v.failf("want %s, got %s", want, shorten(plain(n)))
	}
}

// plain is a scalar as it is written, without quotes.
func plain(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// text reads text. A number or a truth value is not text: unquoted, YAML may not mean what the author meant.
func (v value) text(want string) string {
	switch v.node.(type) {
	case *ast.StringNode, *ast.LiteralNode:
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		v.failf("want %s, got %s: if it is meant, write %s", want, shorten(plain(v.node)), quote(plain(v.node)))
		return ""
	default:
		v.wrong(want)
		return ""
	}
	s := plain(v.node)
	for _, c := range s {
		if !printable(c) && c != '\n' {
			v.failf("holds the character %U: want %s", c, want)
			return ""
		}
	}
	return s
}

// filled reads text that is not empty.
func (v value) filled(want string) string {
	before := len(v.r.errs)
	s := strings.TrimSpace(v.text(want))
	if s == "" && len(v.r.errs) == before {
		v.failf("is empty: want %s", want)
	}
	return s
}

// line reads text that is not empty and has no line break.
func (v value) line(want string) string {
	s := v.filled(want)
	if strings.Contains(s, "\n") {
		v.failf("want one line, got %d", strings.Count(s, "\n")+1)
		return ""
	}
	return s
}

// matching reads a line of the given form.
func (v value) matching(form *regexp.Regexp, want string) string {
	s := v.line(want)
	if s != "" && !form.MatchString(s) {
		v.failf("%s is not %s", quote(s), want)
		return ""
	}
	return s
}

// oneOf reads one of the known words.
func (v value) oneOf(known ...string) string {
	s := v.line("one of " + list(known))
	if s != "" && !slices.Contains(known, s) {
		v.failf("unknown %s: %s", quote(s), didYouMean(s, known))
		return ""
	}
	return s
}

// argument reads text or a number, the latter as it is written: what a program is given, where all is text anyway.
func (v value) argument() string {
	switch v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return plain(v.node)
	}
	return v.text("text")
}

func (v value) truth() bool {
	b, ok := v.node.(*ast.BoolNode)
	if !ok {
		v.wrong("true or false")
		return false
	}
	return b.Value
}

// count reads a whole number. Only plain decimals are taken: to YAML, 010 is eight.
func (v value) count(least, most int) int {
	want := fmt.Sprintf("a whole number from %d to %d", least, most)
	if _, ok := v.node.(*ast.IntegerNode); !ok {
		v.wrong(want)
		return 0
	}
	s := plain(v.node)
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s || n < least || n > most {
		v.failf("want %s, got %s", want, shorten(s))
		return 0
	}
	return n
}

// instances reads a number of them. What has run already, in a simulation say, may have had more than a run may start.
func (v value) instances(least int) int {
	most := MaxInstances
	if v.r.opts.Ran {
		most = mostRecorded
	}
	return v.count(least, most)
}

// mostRecorded is how many instances the scenario of a record may speak of.
const mostRecorded = 1_000_000

var decimal = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,15})?$`)

// decimal reads a number; plainly tells whether it is written as a plain decimal. Of what is no number it complains,
// and ok is false.
func (v value) decimal(want string) (n float64, plainly, ok bool) {
	switch v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
	default:
		v.wrong(want)
		return 0, false, false
	}
	s := plain(v.node)
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && decimal.MatchString(s), true
}

// number reads a plain number between two others, both included.
func (v value) number(least, most float64, want string) float64 {
	n, plainly, ok := v.decimal(want)
	if ok && (!plainly || n < least || n > most) {
		v.failf("%s is out of range: want %s", shorten(plain(v.node)), want)
		return 0
	}
	return n
}

// fraction reads a number above 0 and up to 1, or below 1 where one is said to be too much.
func (v value) fraction(one bool) float64 {
	want := "a number above 0 and at most 1"
	if !one {
		want = "a number above 0 and below 1"
	}
	f, plainly, ok := v.decimal(want)
	if ok && (!plainly || f <= 0 || f > 1 || f == 1 && !one) {
		v.failf("want %s, got %s", want, shorten(plain(v.node)))
		return 0
	}
	return f
}

// quantity gives the text of a number with its unit. A number alone is refused.
func (v value) quantity(want string) (string, bool) {
	switch v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		v.failf("%s has no unit: want %s", shorten(plain(v.node)), want)
		return "", false
	case *ast.StringNode, *ast.LiteralNode:
		return plain(v.node), true
	}
	v.wrong(want)
	return "", false
}

// rate reads requests per second. Where a pause makes sense, 0/s is one.
func (v value) rate(pause bool) float64 {
	const want = "requests per second, like 200/s"
	s, ok := v.quantity(want)
	if !ok {
		return 0
	}
	number, unit, _ := strings.Cut(s, "/")
	if !decimal.MatchString(number) {
		v.failf("%s is not a rate: want %s", quote(s), want)
		return 0
	}
	if unit != "s" {
		v.failf("unknown unit %s in %s: want %s", quote("/"+unit), quote(s), want)
		return 0
	}
	f, err := strconv.ParseFloat(number, 64)
	if pause && f == 0 {
		return 0
	}
	if err != nil || f < MinRate || f > MaxRate {
		v.failf("%s is out of range: want %v/s to %d/s", s, MinRate, MaxRate)
		return 0
	}
	return f
}

// duration reads a duration of at least the given length.
func (v value) duration(least time.Duration) time.Duration {
	s, ok := v.quantity("a duration like 8s (units: h, m, s, ms)")
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		v.failf("%s", badDuration(s, least))
		return 0
	}
	if d < least || d > MaxDuration {
		v.failf("%s is out of range: want %s to %s", shorten(s), show(least), show(MaxDuration))
		return 0
	}
	return d
}

// units are what people write for the units of time.Duration.
var units = map[string]string{
	"hour": "h", "hours": "h", "hr": "h", "hrs": "h", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "millis": "ms", "milliseconds": "ms",
	"h": "h", "m": "m", "s": "s", "ms": "ms",
}

// badDuration says what is wrong with a duration that Go cannot read.
func badDuration(s string, least time.Duration) string {
	number := strings.TrimSpace(strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZµ "))
	unit := strings.TrimSpace(strings.TrimPrefix(s, number))
	known, near := units[strings.ToLower(unit)]
	switch {
	case !decimal.MatchString(number):
		return fmt.Sprintf("%s is not a duration: want one like 8s (units: h, m, s, ms)", quote(s))
	case near && number+known != s:
		return fmt.Sprintf("%s is not a duration: did you mean %s? (units: h, m, s, ms)", quote(s), number+known)
	case near:
		return fmt.Sprintf("%s is out of range: want %s to %s", shorten(s), show(least), show(MaxDuration))
	}
	return fmt.Sprintf("unknown unit %s in %s: want a duration like 8s (units: h, m, s, ms)", quote(unit), quote(s))
}

// show gives a duration as an author would write it: 24h, not 24h0m0s.
func show(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// list reads a list of at most MaxPhases values, each named as told.
func (v value) list(want, each string) []value {
	seq, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.wrong(want)
		return nil
	}
	if len(seq.Values) == 0 {
		v.failf("the list is empty: want %s", want)
	}
	if len(seq.Values) > MaxPhases {
		v.failf("want at most %d, got %d", MaxPhases, len(seq.Values))
		return nil
	}
	items := make([]value, len(seq.Values))
	for i, n := range seq.Values {
		items[i] = v.r.value(each, n, v.at)
	}
	return items
}
