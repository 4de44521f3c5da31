//go:build !unix

package report

import "io"

func columns(io.Writer) int { return usualWidth }
