package check

import (
	"fmt"
	"strings"
	"time"

	"throughline/scenarios/check/words"
)

func seconds(d time.Duration) string { return words.Seconds(d) }

func number(n int64) string { return words.Number(n) }

func times(n int64, noun string) string { return words.Times(n, noun) }

// some lists the first few of many names.
func some(names []string) string {
	if len(names) <= mostNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(names[:mostNames], ", "), len(names))
}

// mostNames is how many names a list has at most.
const mostNames = 5
