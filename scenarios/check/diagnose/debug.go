package diagnose

import (
	"fmt"
	"os"
)

func debug(k *court, all []explanation) {
	if os.Getenv("DIAG") == "" {
		return
	}
	fmt.Printf("--- window %v longer %v steep %.1f\n", k.Window, k.longer, k.pace.steep)
	for i := range k.tracks {
		t := &k.tracks[i]
		s := t.stepped()
		fmt.Printf("  %s n %d total %d open %d [%d,%d] peak %.0f killed %v death %v step %v-%v %d twin %v clump %.1f Late %v\n", t.Instance, t.n, t.Total, t.Open, t.least, t.most, t.peak, t.Killed, t.Life.Death, s.from, s.to, s.requests, t.Twin, t.clump, t.Late)
	}
	if os.Getenv("DIAG") == "2" {
		for i := range k.tracks {
			t := &k.tracks[i]
			off := t.off(func(r int64) float64 { return float64(t.wrong) * float64(r) / float64(t.n) })
			fmt.Println("   ", t.Instance, "off", off, "spread", t.spread(1), "crowded", t.crowded(float64(t.wrong)), "widest", t.widest())
			for j := range t.Ticks {
				fmt.Printf("      %v since %v old %d sent %d counted %.0f low %.0f high %.0f gone %.0f\n", t.Ticks[j], t.Since[j], t.old[j], t.Sent[j], t.Counted[j], t.low[j], t.high[j], t.gone[j])
			}
		}
	}
	for i, e := range all {
		if i > 11 {
			break
		}
		fmt.Printf("  %7.2f", e.score)
		for _, p := range e.by {
			fmt.Printf("  %s%v prior %.1f shared %.2f each %.2f", p.h.cause, p.set, p.h.prior, p.fit.shared, p.fit.each)
		}
		fmt.Println()
	}
}
