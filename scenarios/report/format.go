package report

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"throughline/scenarios/check/words"
)

// none stands where a layer has no such number.
const none = "–"

// signed writes n with a sign before every number but 0.
func signed(n int64) string {
	if n > 0 {
		return "+" + words.Number(n)
	}
	return words.Number(n)
}

// seconds writes a number of seconds: "14.2 s".
func seconds(s float64) string {
	if !isFinite(s) {
		return none
	}
	whole, tenths := math.Modf(math.Abs(math.Round(s*10) / 10))
	text := fmt.Sprintf("%s.%d s", words.Number(int64(whole)), int64(math.Round(tenths*10)))
	if math.Round(s*10) < 0 {
		return "-" + text
	}
	return text
}

// offset writes a time of the record: "14.2 s" after its start.
func offset(d time.Duration) string { return seconds(d.Seconds()) }

// span writes a stretch of time as findings give it.
func span(from, to float64) string {
	switch {
	case from == 0 && to == 0:
		return "whole run"
	case seconds(from) == seconds(to):
		return "at " + seconds(from)
	}
	return strings.TrimSuffix(seconds(from), " s") + "–" + seconds(to)
}

// latency writes a duration with two or three digits: "890 µs", "1.2 ms".
func latency(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if d >= unit.of {
			value := float64(d) / float64(unit.of)
			if value < 9.95 {
				return fmt.Sprintf("%.1f %s", value, unit.name)
			}
			return fmt.Sprintf("%.0f %s", value, unit.name)
		}
	}
	return "0 ms"
}

// printable replaces what would move the cursor, color the terminal or break a
// line: names come from applications and files that nobody has checked.
func printable(s string) string { return words.Printable(s) }

// printableLines is printable of each line.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

func width(s string) int { return utf8.RuneCountInString(s) }

// truncate shortens s to n runes; its last is then an ellipsis.
func truncate(s string, n int) string {
	if width(s) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	return string([]rune(s)[:n-1]) + "…"
}

func padLeft(s string, n int) string  { return strings.Repeat(" ", max(0, n-width(s))) + s }
func padRight(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// wrap breaks text into lines of at most n runes between words; a word that is
// longer than a line is broken where the line ends.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for {
			switch {
			case line == "" && width(word) <= n:
				line = word
			case line != "" && width(line)+1+width(word) <= n:
				line += " " + word
			case line != "":
				lines, line = append(lines, line), ""
				continue
			default:
				runes := []rune(word)
				lines, word = append(lines, string(runes[:n])), string(runes[n:])
				continue
			}
			break
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
