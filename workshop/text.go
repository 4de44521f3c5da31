package workshop

import (
	"html/template"
	"regexp"
	"strings"
)

var (
	inCode   = regexp.MustCompile("`([^`]+)`")
	emphasis = regexp.MustCompile(`\*([^*]+)\*`)
)

// render makes HTML of the plain part of Markdown that the talk is written in: paragraphs,
// blocks of code that are indented, code and emphasis within a line. The rest is text.
func render(markdown string) template.HTML {
	var out strings.Builder
	for block := range strings.SplitSeq(markdown, "\n\n") {
		block = strings.Trim(block, "\n")
		switch {
		case strings.TrimSpace(block) == "":
		case strings.HasPrefix(block, "    "):
			code := strings.ReplaceAll(strings.TrimPrefix(block, "    "), "\n    ", "\n")
			out.WriteString("<pre><code>" + template.HTMLEscapeString(code) + "</code></pre>\n")
		default:
			out.WriteString("<p>" + string(inline(block)) + "</p>\n")
		}
	}
	return template.HTML(out.String())
}

// inline renders one line of text.
func inline(text string) template.HTML {
	escaped := template.HTMLEscapeString(text)
	var out strings.Builder
	last := 0
	for _, at := range inCode.FindAllStringSubmatchIndex(escaped, -1) {
		out.WriteString(emphasis.ReplaceAllString(escaped[last:at[0]], "<em>$1</em>"))
		out.WriteString("<code>" + escaped[at[2]:at[3]] + "</code>")
		last = at[1]
	}
	out.WriteString(emphasis.ReplaceAllString(escaped[last:], "<em>$1</em>"))
	return template.HTML(out.String())
}
