package dogstatsd

import (
	"math"
	"strconv"
)

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
	1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// maxExact is the greatest number of decimal digits of which every combination
// is exact as a float64 (2^53 has 16). A sign and a point count as digits here.
const maxExact = 15

// number reads a finite decimal number: an optional sign, digits, an optional
// fraction and an optional exponent. Nothing else that strconv would take
// (hexadecimal, "inf", underscores) is a number on the wire.
func number(b []byte) (float64, bool) {
	if n, _, ok := exactNumber(b); ok {
		return n, true
	}
	return slowNumber(b)
}

// exactNumber is number for digits with perhaps a sign and a point, as long as they are
// exact. False: it is another number, or none.
func exactNumber(b []byte) (n float64, signed, ok bool) {
	if len(b) == 0 || len(b) > maxExact {
		return 0, false, false
	}
	negative := b[0] == '-'
	if signed = negative || b[0] == '+'; signed {
		b = b[1:]
	}
	var mantissa uint64
	point := len(b)
	for i, c := range b {
		if d := c - '0'; d <= 9 {
			mantissa = mantissa*10 + uint64(d)
		} else if c == '.' && point == len(b) {
			point = i
		} else {
			return 0, false, false
		}
	}
	n = float64(mantissa)
	// Both operands are exact, so the quotient is rounded once: correctly.
	if fraction := len(b) - 1 - point; fraction > 0 {
		n /= exactPowers[fraction]
	}
	if negative {
		n = -n
	}
	return n, signed, len(b) > 1 || point != 0
}

// slowNumber reads what has an exponent or too many digits for exactNumber, or is no number.
func slowNumber(b []byte) (float64, bool) {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(string(b), 64)
	return n, err == nil && !math.IsInf(n, 0)
}

// seconds reads a time since 1970: a positive whole number.
func seconds(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n > 0
}
