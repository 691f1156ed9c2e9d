// Package typo finds out what a mistyped word was meant to be. Its answers
// depend on nothing but the words, never on their order.
package typo

import (
	"strings"
	"unicode/utf8"
)

// maxLength bounds the work of a suggestion; longer texts are no slips
// of a finger. 256 is the longest tag value.
const maxLength = 256

// Nearest returns the candidate that the text was most likely meant to be: one
// that differs in case only, else the one with the fewest letters to change, as
// long as they are at most a third of the text. Ties go to the first in
// alphabetical order, so that the answer never depends on the order given.
func Nearest(text string, candidates []string) (string, bool) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxLength {
		return "", false
	}
	// Three letters: what differs in more is another word; and so is one with no letter in common. A letter of an alphabet with
	// many counts for more.
	best, distance := "", min(len(text)/3+1, utf8.RuneCountInString(text), 4)
	lower := strings.ToLower(text)
	for _, candidate := range candidates {
		if len(candidate) > maxLength {
			continue
		}
		d := Slips(lower, strings.ToLower(candidate), distance)
		if d < distance || d == distance && best != "" && candidate < best {
			best, distance = candidate, d
		}
	}
	return best, best != ""
}

// Slips counts the typing slips between two words: letters added, left out,
// exchanged, or swapped with their neighbour (optimal string alignment). Any
// value above limit means "more".
func Slips(a, b string, limit int) int {
	if longer := utf8.RuneCountInString(a) - utf8.RuneCountInString(b); longer > limit || -longer > limit {
		return limit + 1
	}
	x, y := []rune(a), []rune(b)
	older, old, now := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(x); i++ {
		now[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			now[j] = min(old[j]+1, now[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				now[j] = min(now[j], older[j-2]+1)
			}
		}
		older, old, now = old, now, older
	}
	return old[len(y)]
}
