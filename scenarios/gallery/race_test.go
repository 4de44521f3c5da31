//go:build race

package gallery

// oneOf is how many saved records there are for each that is judged: one in eight. Judging has
// no goroutines, and the race detector makes it ten times as slow; it sees what there is in a
// few, and all are judged without it.
const oneOf = 8
