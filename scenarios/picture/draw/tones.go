package draw

import "fmt"

// tones are the colors of instances on a light page: the scheme "light" of Paul Tol,
// whose colors can be told apart also by those who do not see red or green, and which
// differ in lightness from one to the next. Dark text can be read on all of them.
// Source: https://personal.sron.nl/~pault/ (Introduction to colour schemes, figure 4)
var tones = [...]string{"#77aadd", "#eedd88", "#ee8866", "#99ddff", "#44bb99", "#ffaabb", "#bbcc33", "#aaaa00"}

// othersTone is that of instances that are not told apart.
const othersTone = "#dddddd"

// tone gives the class of an instance's color, and the color as an attribute.
func (v View) tone(instance string) string { return toneOf(v.tones[instance]) }

func toneOf(number int) string {
	return fmt.Sprintf(`class="tone t%d" fill="%s"`, number%len(tones), tones[number%len(tones)])
}
