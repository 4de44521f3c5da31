package dogstatsd

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The most that Datadog's agent takes of an event's text, in bytes, and of its title. What is longer is cut.
// Source: https://docs.datadoghq.com/api/latest/events/
const (
	maxTitle = 100
	maxText  = 4000
)

// Append writes the event as a line that a Scanner reads as the same event. What no field can hold becomes blanks:
// a bar or a newline in a key, a host or a source.
func (e *EventLine) Append(b []byte) []byte {
	title, text := escaped(e.Title, maxTitle), escaped(e.Text, maxText)
	b = append(b, "_e{"...)
	b = strconv.AppendInt(b, int64(len(title)), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(len(text)), 10)
	b = append(append(append(append(b, "}:"...), title...), '|'), text...)
	b = e.appendHead(b)
	b = appendField(b, "|k:", e.Key)
	b = appendField(b, "|p:", e.Priority)
	b = appendField(b, "|s:", e.Source)
	b = appendField(b, "|t:", e.Alert)
	return e.appendTags(b)
}

// Append writes the service check as a line that a Scanner reads as the same. Its message comes last, as clients
// of Datadog have it; a bar in it becomes a blank.
func (c *CheckLine) Append(b []byte) []byte {
	b = append(append(b, checkPrefix...), plain(c.Name)...)
	b = append(b, '|', '0'+min(c.Status, 3))
	b = c.appendHead(b)
	b = c.appendTags(b)
	return appendField(b, "|m:", strings.ReplaceAll(escaped(plainBars.Replace(c.Message), maxText), "m:", `m\:`))
}

func (c *Context) appendHead(b []byte) []byte {
	if c.Timestamp != 0 {
		b = strconv.AppendInt(append(b, "|d:"...), c.Timestamp, 10)
	}
	return appendField(b, "|h:", c.Host)
}

func (c *Context) appendTags(b []byte) []byte {
	if len(c.Tags) == 0 {
		return b
	}
	return append(append(b, "|#"...), c.Tags...)
}

// Tag writes a tag into a list of such: what would end it becomes an underscore.
func Tag(list []byte, name, value string) []byte {
	if len(list) > 0 {
		list = append(list, ',')
	}
	return append(append(append(list, tagText.Replace(name)...), ':'), tagText.Replace(value)...)
}

var (
	tagText   = strings.NewReplacer("|", "_", ",", "_", "\n", "_", "#", "_")
	plainText = strings.NewReplacer("|", " ", "\n", " ")
	plainBars = strings.NewReplacer("|", " ")
)

func plain(s string) string { return plainText.Replace(s) }

func appendField(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return append(append(b, key...), plain(value)...)
}

// escaped writes newlines as the protocol has them, in at most so many bytes.
func escaped(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\n", `\n`)
	if len(s) <= most {
		return s
	}
	for s = s[:most]; !utf8.ValidString(s); s = s[:len(s)-1] {
	}
	return strings.TrimSuffix(s, `\`)
}
