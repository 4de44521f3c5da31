package confusion

import (
	"encoding/json"
	"io"
)

// Write writes matrix and figures as text, json or markdown; anything else is text.
func Write(to io.Writer, results []Result, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Results []Result `json:"results"`
			Figures Figures  `json:"figures"`
		}{results, NewFigures(results)})
	case "markdown":
		return WriteMarkdown(to, results)
	}
	return WriteText(to, results)
}
