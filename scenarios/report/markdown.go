package report

import (
	"bytes"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// markdown gives the text of a diagnosis as HTML. HTML in it is left out, and links go
// where they say, in words.
func markdown(source string) template.HTML {
	var out bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.Table)).Convert([]byte(source), &out); err != nil {
		return template.HTML("<pre>" + template.HTMLEscapeString(source) + "</pre>") //nolint:gosec // escaped
	}
	return template.HTML(out.String()) //nolint:gosec // goldmark lets no raw HTML through
}
