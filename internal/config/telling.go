package config

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Telling is when a channel is told, and of which resources.
type Telling struct {
	Filter fleet.Filter       // zero: of all
	Quiet  *calendar.Schedule // it is quiet when this wants to run; nil: never
	Digest *DigestTime        // nil: it has none
}

// DigestTime is when a digest is sent.
type DigestTime struct {
	Weekly bool
	Day    time.Weekday // of a weekly one
	At     calendar.TimeOfDay
	Zone   *time.Location
}

// When a digest is sent that does not say so.
const (
	defaultDigestAt = "09:00"
	defaultDigestOn = "mon"
)

// toldKeys are the keys, beside those of tags, by which messages can be chosen: what they carry of a resource.
var toldKeys = []string{"account", "instance-id", "name", "region", "resource-type"}

// tellings compiles when the channels are told, and of what.
func (b *builder) tellings() {
	b.l.Tellings = map[string]Telling{}
	for _, name := range sortedKeys(b.c.Channels) {
		path, c := join("channels", name), b.c.Channels[name]
		var t Telling
		if at := path + ".filter"; c.Filter != "" && !b.unread(at) {
			t.Filter = b.filter(at, c.Filter)
			for _, key := range t.Filter.Keys() {
				if !slices.Contains(toldKeys, key) && !strings.HasPrefix(key, "tag:") {
					b.faultAt(at, Fault{Text: c.Filter, Problem: say.F("asks for %s, which no message carries, so that none would come", key), Allowed: say.Names(append(slices.Clone(toldKeys), "tag:<key>"))})
				}
			}
		}
		zone := b.zone
		if own, err := calendar.LoadZone(c.Timezone); err == nil && c.Timezone != "" { // a wrong one is a fault already
			zone = own
		}
		if _, written := b.at[path+".quiet"]; written && !b.unread(path+".quiet") {
			t.Quiet = b.quiet(path+".quiet", c.Quiet, zone)
		}
		t.Digest = b.digest(path, c, zone)
		b.l.Tellings[name] = t
	}
}

// quiet compiles quiet hours; nil where they have a fault.
func (b *builder) quiet(path string, q Quiet, zone *time.Location) *calendar.Schedule {
	if len(q.Periods) == 0 && !b.reported(path+".periods") {
		b.faultAt(path, Fault{Problem: say.F("has no %s", "periods"), Fix: say.F("add %s: %s", "periods", "[NAME]")})
		return nil
	}
	for i, name := range q.Periods {
		at := index(path+".periods", i)
		_, known := b.periods[name]
		switch period, _, typed := strings.Cut(name, "@"); {
		case b.unread(at):
		case typed:
			b.faultAt(at, Fault{Text: name, Problem: say.F("has an instance type, and is about messages"), Fix: say.F("write %s", period)})
		case !known:
			b.faultAt(at, Fault{Text: name, Problem: say.F("is no period of this file"), Allowed: say.Names(first(sortedKeys(b.periods), maxListed)), Fix: didYouMean(name, sortedKeys(b.periods))})
		case slices.Contains(q.Periods[:i], name):
			b.faultAt(at, Fault{Text: name, Problem: say.F("is given twice"), Fix: say.F("remove one of the two")})
		}
		b.used[name] = true
	}
	if b.reported(path + ".periods") { // its other faults are told all the same
		b.observes(path, q.Holidays)
		if q.Timezone != "" && !b.unread(path+".timezone") {
			_, err := calendar.LoadZone(q.Timezone)
			b.calendarFaults(path, err)
		}
		return nil
	}
	compiled, err := calendar.CompileWith(calendar.ScheduleDef{
		Name: "quiet", Timezone: q.Timezone, Periods: q.Periods, Holidays: b.observes(path, q.Holidays),
	}, b.periods, zone)
	b.calendarFaults(path, err)
	if err != nil || b.reported(path) {
		return nil
	}
	return compiled
}

func first[T any](list []T, most int) []T { return list[:min(len(list), most)] }

// digest reads when a digest is sent; nil where there is none, or a fault.
func (b *builder) digest(path string, c Channel, zone *time.Location) *DigestTime {
	if c.Digest == "" {
		for _, key := range []string{"digest_at", "digest_on"} {
			if _, written := b.keys[path+"."+key]; written && !b.reported(path+".digest") {
				b.faultAt(path+"."+key, Fault{Problem: say.F("is for a digest, and the channel has none"), Fix: say.F("add digest: daily or digest: weekly, or remove it")})
			}
		}
		return nil
	}
	if _, written := b.keys[path+".digest_on"]; written && c.Digest != "weekly" {
		b.faultAt(path+".digest_on", Fault{Text: c.DigestOn, Problem: say.F("is for a weekly digest"), Fix: say.F("write digest: weekly, or remove it")})
	}
	at, err := calendar.ParseTimeOfDay(cmp.Or(c.DigestAt, defaultDigestAt), false)
	b.oneFault(path+".digest_at", err)
	day, err := calendar.ParseWeekday(cmp.Or(c.DigestOn, defaultDigestOn))
	b.oneFault(path+".digest_on", err)
	if b.reported(path+".digest") || b.reported(path+".digest_at") || b.reported(path+".digest_on") || zone == nil {
		return nil
	}
	return &DigestTime{Weekly: c.Digest == "weekly", Day: time.Weekday((day + 1) % 7), At: at, Zone: zone}
}
