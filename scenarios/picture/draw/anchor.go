package draw

import "strings"

// Anchor is the id of what a page says of an instance.
func Anchor(instance string) string {
	return "instance-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, instance)
}
