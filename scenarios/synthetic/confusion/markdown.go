package confusion

import "io"

// WriteMarkdown writes the page docs/CONFUSION.md.
func WriteMarkdown(to io.Writer, results []Result) error { return WriteText(to, results) }
