package app

import (
	"cmp"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/notify"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/wording"
)

// wordsOf says how a channel is spoken to.
func wordsOf(loaded *config.Loaded, c config.Channel) notify.Words {
	words := notify.Words{Language: say.Language(cmp.Or(c.Language, loaded.Config.Language)), Page: loaded.Page(), Starts: startsAgain(&loaded.Book)}
	if zone, err := calendar.LoadZone(c.Timezone); err == nil && c.Timezone != "" { // as was checked when it was read
		words.Zone = zone
	}
	words.Accounts = map[fleet.AccountID]string{}
	for i := range loaded.Accounts {
		if a := &loaded.Accounts[i]; a.Name != "" {
			words.Accounts[a.ID] = a.Name
		}
	}
	words.Titles, words.Lines = ownWords(c.Titles, wording.Titles), ownWords(c.Lines, wording.Lines)
	return words
}

// startAhead is how far it is looked for the next start of a schedule, as far as a chat looks that is told to skip a stop.
const startAhead = 15 * 24 * time.Hour

// startsAgain finds when a schedule, or that of a workload, starts again what it stops at an instant.
func startsAgain(book *policy.Book) func(schedule, workload string, stop time.Time) time.Time {
	return func(schedule, workload string, stop time.Time) time.Time {
		s := book.Schedules[cmp.Or(schedule, book.ScheduleOf(workload))]
		if s == nil || s.Calendar == nil {
			return time.Time{}
		}
		for boundary := range s.Calendar.Boundaries(stop, stop.Add(startAhead)) {
			if boundary.To.State == calendar.Running {
				return boundary.At
			}
		}
		return time.Time{}
	}
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
