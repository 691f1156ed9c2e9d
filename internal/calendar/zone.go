package calendar

import (
	_ "embed" // the list of zone names
	"strings"
	"sync"
	"time"

	"dayshift/internal/say"
)

const fieldTimezone = "timezone"

// zoneNames are the names of IANA's zones and links, one a line. They serve spelling: which name was meant, and
// on file systems that ignore case, that it was written right. A zone newer than the list is taken all the same
// when the machine's zone data have it.
//
//go:embed zones.txt
var zoneNames string

var knownZones = sync.OnceValue(func() []string { return strings.Fields(zoneNames) })

// zones keeps what was loaded: schedules share their zone, and its data (some 10 KB) are read once per process.
// Its size is bounded by the number of zones that exist.
var zones sync.Map // name → *time.Location

// LoadZone finds a zone by its IANA name, in the spelling of IANA. "UTC" is one; "", "Local", offsets, paths and
// the file system's other names ("posix/…", "localtime") are not.
func LoadZone(name string) (*time.Location, error) {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil //nolint:errcheck // only the last lines of this function store into the map
	}
	e := &Error{Field: fieldTimezone, Text: name, Allowed: say.F("an IANA name such as UTC, Asia/Seoul or America/New_York")}
	switch {
	case name == "":
		e.Problem = say.F("is empty")
		return nil, e
	case name == "Local" || name == "localtime":
		e.Problem = say.F("would mean another zone on another machine")
		e.Hint = say.F("name the zone")
		return nil, e
	case !zoneShaped(name):
		e.Problem = say.F("is not a time zone")
		e.Hint = suggestZone(name)
		return nil, e
	}
	for _, known := range knownZones() {
		if strings.EqualFold(known, name) && known != name {
			e.Problem, e.Hint = say.F("is not a time zone"), say.F("did you mean %s?", quote(known))
			return nil, e
		}
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		e.Problem, e.Hint = say.F("is not a time zone that this machine knows"), suggestZone(name)
		return nil, e
	}
	kept, _ := zones.LoadOrStore(name, loc)
	return kept.(*time.Location), nil //nolint:errcheck // as above
}

// zoneShaped refuses what the zone files' folder holds besides zones, and every path out of it.
func zoneShaped(name string) bool {
	const longest = 64 // bytes; the longest name in use has 32
	if len(name) > longest || strings.HasPrefix(name, "posix") || strings.HasPrefix(name, "right/") || name == "Factory" {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" {
			return false
		}
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '/' && c != '_' && c != '-' && c != '+' {
			return false
		}
	}
	return true
}

// suggestZone looks for the zone that was meant: the whole name with a slip in it, or a city without its region.
func suggestZone(name string) say.Text {
	if hint := suggest(name, knownZones()); !hint.Empty() || len(name) > maxText {
		return hint
	}
	asked := lowerASCII(strings.ReplaceAll(trimBlank(name), " ", "_"))
	asked = asked[strings.LastIndexByte(asked, '/')+1:]
	var found []string
	for _, known := range knownZones() {
		city := known[strings.LastIndexByte(known, '/')+1:]
		if len(asked) > 2 && lowerASCII(city) == asked && len(found) < maxNames {
			found = append(found, known)
		}
	}
	if len(found) == 0 {
		return say.Text{}
	}
	return say.F("did you mean %s?", list(found))
}

// offset is a stretch of time in which a zone's clock runs without a jump: local = instant + seconds. It lasts
// until the next one in its list begins.
type offset struct {
	from    int64 // Unix seconds
	seconds int64
}

// zoneReach is how far a local clock can be from UTC, with room to spare, in seconds: the largest offset on record
// is under 16 hours, and the largest jump is 24.
const zoneReach = 2 * daySeconds

// offsetsIn lists a zone's offsets in force between two instants (Unix seconds), appending to list. The first one
// counts as in force from the beginning of time.
func offsetsIn(list []offset, loc *time.Location, from, to int64) []offset {
	for at := from; ; {
		t := time.Unix(at, 0).In(loc)
		_, seconds := t.Zone()
		if n := len(list); n == 0 || list[n-1].seconds != int64(seconds) {
			list = append(list, offset{at, int64(seconds)})
		}
		_, end := t.ZoneBounds()
		if end.IsZero() || end.Unix() > to || end.Unix() <= at {
			return list
		}
		at = end.Unix()
	}
}

// instantOf turns a local time into the instant at which the local clock first shows it or, where the clock jumps
// over it, the first instant after the jump. The offsets have to reach zoneReach around the local time.
//
// That is the first instant at which the clock shows the time or a later one. So the order of local times is kept:
// the later of two never becomes the earlier instant.
func instantOf(offsets []offset, local int64) int64 {
	for i := 0; ; i++ {
		at := local - offsets[i].seconds
		if i > 0 && at < offsets[i].from {
			at = offsets[i].from
		}
		if i == len(offsets)-1 || at < offsets[i+1].from {
			return at
		}
	}
}
