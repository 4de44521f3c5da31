//go:build !race

package check

// histories is how many made-up runs each property is tried on.
const histories = 1000
