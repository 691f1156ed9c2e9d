package app

import (
	"cmp"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/notify"
	"dayshift/internal/say"
	"dayshift/internal/wording"
)

// wordsOf says how a channel is spoken to.
func wordsOf(loaded *config.Loaded, c config.Channel) notify.Words {
	words := notify.Words{Language: say.Language(cmp.Or(c.Language, loaded.Config.Language)), Page: loaded.Page()}
	if zone, err := calendar.LoadZone(c.Timezone); err == nil && c.Timezone != "" { // as was checked when it was read
		words.Zone = zone
	}
	words.Titles, words.Lines = ownWords(c.Titles, wording.Titles), ownWords(c.Lines, wording.Lines)
	return words
}

// ownWords are texts by kind of message, as was checked when they were read.
func ownWords(texts map[string]string, names []string) map[notify.Kind]wording.Template {
	read := map[notify.Kind]wording.Template{}
	for kind, text := range texts {
		if template, err := wording.Parse(text, names); err == nil {
			read[notify.Kind(kind)] = template
		}
	}
	return read
}
