//go:build !race

package gallery

// oneOf is how many saved records there are for each that is judged: all are.
const oneOf = 1
