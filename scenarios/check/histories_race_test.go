//go:build race

package check

// histories is how many made-up runs each property is tried on. Judging has no
// goroutines, so that the race detector, which makes it seven times as slow, has
// seen what there is in a few.
const histories = 100
