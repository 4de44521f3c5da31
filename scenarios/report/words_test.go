package report

import (
	"slices"
	"strings"
	"testing"

	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// TestWordsAreExplained: who wonders at a word of the terminal report finds it by
// throughline explain.
func TestWordsAreExplained(t *testing.T) {
	tiers := record.AllTiers()
	words := slices.Concat(ledgerHeads(tiers, false), ledgerHeads(tiers, true), instanceNumbers[:],
		[]string{instanceLife, "booked", "ledgers", "instance", "findings", "cell", "missing", "unexplained", "noticed", "waiver", "waived", "note", "platform",
			"seed", "likely cause", "lost", "extra", "give or take"})
	for _, o := range worstFirst {
		words = append(words, o.String())
	}
	h := killed()
	for _, row := range ledgerRows(tiers, h, judged(h, verdict.Fail)) {
		if !row.Head {
			words = append(words, rowWords(row.Name)...)
		}
	}
	for _, word := range words {
		if _, known := docs.Explain(word); !known {
			t.Errorf("%q is in the report, and in neither docs/WORDS.md nor docs/DIAGNOSES.md", word)
		}
	}
}

// rowWords are the words of a row's name: "acked (2xx)" has acked, "acked, counted,
// added" has three, "answered 4xx" has answered.
func rowWords(name string) (words []string) {
	name, _, _ = strings.Cut(name, " (")
	for word := range strings.SplitSeq(name, ", ") {
		if class := word[max(0, len(word)-4):]; strings.HasSuffix(class, "xx") {
			word = strings.TrimSuffix(word, class)
		}
		words = append(words, word)
	}
	return words
}
