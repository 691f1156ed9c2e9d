package migrate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"dayshift/internal/fleet"
)

// The Jandi scheduler keeps Schedule, ScheduleServerGroup and ScheduleException
// items. Instances carry the tag ScheduleName with a schedule's TagValue, and
// ScheduleGroupName with the name of their group.

const (
	jandiScheduleTag = "ScheduleName"
	jandiGroupTag    = "ScheduleGroupName"
	// jandiZone is the zone that its code sets.
	jandiZone = "Asia/Seoul"
	// jandiWarning is how long before a stop it warns.
	jandiWarning = "10m"
)

func (im *importer) jandi() error {
	var schedules, groups, exceptions []*item
	for i := range im.items {
		it := &im.items[i]
		switch {
		case it.has("ExceptionDate"):
			exceptions = append(exceptions, it)
		case it.has("GroupName"):
			groups = append(groups, it)
		case it.has("ScheduleName"):
			schedules = append(schedules, it)
		default:
			return it.errorf("the item is no Schedule, ScheduleServerGroup or ScheduleException: it has no ScheduleName, GroupName or ExceptionDate")
		}
	}
	tags := map[string]string{} // of schedules, by name
	for _, it := range schedules {
		if err := im.jandiSchedule(it, tags); err != nil {
			return err
		}
	}
	if err := im.jandiGroups(groups, tags); err != nil {
		return err
	}
	if err := im.jandiExceptions(exceptions, tags); err != nil {
		return err
	}
	if len(schedules) > 0 {
		im.notes = append(im.notes, Note{
			Where: "tag", What: "write tag: " + jandiScheduleTag + " into the file of the configuration",
			Why: "instances name their schedule in that tag; Dayshift's default is Schedule",
		})
	}
	slices.SortStableFunc(im.sections.periods, byName)
	slices.SortStableFunc(im.sections.schedules, byName)
	return nil
}

// jandiSchedule writes a schedule and its period.
func (im *importer) jandiSchedule(it *item, tags map[string]string) error {
	name, err := it.needed("ScheduleName")
	if err != nil {
		return err
	}
	old, err := texts(it, "TagValue", "DaysActive", "Enabled", "StartTime", "StopTime", "ForceStart")
	if err != nil {
		return err
	}
	if _, twice := tags[name]; twice {
		return it.errorf("the schedule %s is there twice; remove one of the two items", name)
	}
	tag := old["TagValue"]
	if tag == "" {
		return it.errorf("TagValue is missing; no instance could name the schedule %s", name)
	}
	for other, value := range tags {
		if value == tag {
			return it.errorf("the schedules %s and %s have the same TagValue %s; give one of them another, and its instances too", other, name, tag)
		}
	}
	tags[name] = tag
	if tag != name {
		im.note(it, "the schedule "+name+" is called "+tag, "a schedule has the name that is in the tags of its resources")
	}
	begin, err := clockTime(it, "StartTime", old["StartTime"])
	if err != nil {
		return err
	}
	end, err := clockTime(it, "StopTime", old["StopTime"])
	if err != nil {
		return err
	}
	days, err := activeDays(it, old["DaysActive"])
	if err != nil {
		return err
	}

	s := &fields{}
	if im.Timezone != nil {
		s.put("timezone", im.Timezone.String())
	} else {
		s.put("timezone", jandiZone)
		im.note(it, "its time zone is "+jandiZone, "that is what the old code sets; say --timezone where yours was changed")
	}
	switch {
	case begin == "" && end == "":
		s.put("enabled", false)
		im.note(it, "the schedule "+tag+" is not enabled", "it has neither a StartTime nor a StopTime and decides nothing")
	case begin == end:
		return it.errorf("the schedule %s starts and stops at %s; expected two times, or None for one of them", name, begin)
	default:
		period := &fields{}
		add(period, "begintime", begin)
		add(period, "endtime", end)
		add(period, "weekdays", days)
		im.sections.periods = append(im.sections.periods, yaml.MapItem{Key: tag + "-hours", Value: period.MapSlice})
		s.put("periods", []string{tag + "-hours"})
		switch enabled := strings.ToLower(old["Enabled"]); enabled {
		case "true", "1", "":
		case "false", "0":
			s.put("enabled", false)
		default:
			return it.errorf("Enabled is %q; allowed are true and false", old["Enabled"])
		}
	}
	switch {
	case end == "" && begin != "":
		s.put("mode", "start-only")
		im.note(it, "mode: start-only", "without a StopTime nothing was ever stopped")
	case begin == "" && end != "":
		s.put("mode", "stop-only")
		im.note(it, "mode: stop-only", "without a StartTime nothing was ever started")
	case begin > end:
		im.note(it, "the night from "+begin+" to "+end+" belongs to the day it begins on", "the old system cut windows at midnight and missed such a stop")
	}
	if end != "" {
		s.put("notify_before_stop", jandiWarning)
	}
	if strings.EqualFold(old["ForceStart"], "true") {
		im.note(it, "ForceStart is left out", "it is a decision and not a schedule: dayshift start --schedule %s, which holds until the next stop and is not undone ten minutes later", tag)
	}
	im.sections.schedules = append(im.sections.schedules, yaml.MapItem{Key: tag, Value: s.MapSlice})
	im.note(it, "its EC2 instances are shut down, not cut off", "the old code stopped with Force, which is like pulling the plug")
	im.leftOut(it)
	return nil
}

// clockTime reads H:M, or None for no time.
func clockTime(it *item, name, text string) (string, error) {
	if text == "" || strings.EqualFold(text, "none") {
		return "", nil
	}
	hour, minute, ok := strings.Cut(text, ":")
	h, errHour := strconv.Atoi(hour)
	m, errMinute := strconv.Atoi(minute)
	if !ok || errHour != nil || errMinute != nil || h < 0 || h > 23 || m < 0 || m > 59 {
		return "", it.errorf("%s is %q; allowed are times from 0:00 to 23:59, and None", name, text)
	}
	return fmt.Sprintf("%02d:%02d", h, m), nil
}

// activeDays reads DaysActive as days of the week; empty for every day.
func activeDays(it *item, text string) (string, error) {
	switch strings.ToLower(text) {
	case "", "all":
		return "", nil
	case "weekdays":
		return "mon-fri", nil
	}
	var days []string
	for day := range strings.SplitSeq(text, ",") {
		day = strings.ToLower(strings.TrimSpace(day))
		if !slices.Contains([]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, day) {
			return "", it.errorf("DaysActive is %q; allowed are all, weekdays, and days such as mon,wed,fri", text)
		}
		days = append(days, day)
	}
	return strings.Join(days, ","), nil
}

// jandiKinds are the words of InstanceType.
var jandiKinds = map[string]fleet.Kind{"EC2": fleet.EC2Instance, "RDS": fleet.RDSInstance}

// jandiGroups writes the groups of each schedule as the tiers of a workload.
func (im *importer) jandiGroups(groups []*item, tags map[string]string) error {
	tiers := map[string]yaml.MapSlice{}
	first := map[string]*item{}
	for _, it := range groups {
		old, err := texts(it, "GroupName", "InstanceType", "ScheduleName")
		if err != nil {
			return err
		}
		group, schedule := old["GroupName"], old["ScheduleName"]
		tag, known := tags[schedule]
		if !known {
			return it.errorf("the group %s belongs to the schedule %q, which is not among the documents; name the file of its Schedule item as well", group, schedule)
		}
		kind, known := jandiKinds[strings.ToUpper(old["InstanceType"])]
		if !known {
			return it.errorf("InstanceType is %q; allowed are EC2 and RDS", old["InstanceType"])
		}
		needs, err := it.list("Dependency")
		if err != nil {
			return err
		}
		if slices.ContainsFunc(tiers[tag], func(t yaml.MapItem) bool { return t.Key == group }) {
			return it.errorf("the schedule %s has the group %s twice; remove one of the two items", schedule, group)
		}
		t := &fields{}
		t.put("filters", filter("resource-type="+string(kind), fleet.FilterTerm("tag:"+jandiScheduleTag, tag), fleet.FilterTerm("tag:"+jandiGroupTag, group)))
		if len(needs) > 0 {
			t.put("depends_on", needs)
		}
		tiers[tag] = append(tiers[tag], yaml.MapItem{Key: group, Value: t.MapSlice})
		if first[tag] == nil {
			first[tag] = it
		}
		im.leftOut(it)
	}
	for tag, list := range tiers {
		slices.SortFunc(list, byName)
		w := &fields{}
		w.put("schedule", tag)
		if im.Account != "" {
			w.put("accounts", []string{string(im.Account)})
		}
		w.put("tiers", list)
		im.sections.workloads = append(im.sections.workloads, yaml.MapItem{Key: tag, Value: w.MapSlice})
	}
	slices.SortFunc(im.sections.workloads, byName)
	for _, workload := range im.sections.workloads {
		tag := fmt.Sprint(workload.Key)
		im.note(first[tag], "the groups of "+tag+" stop in the opposite order", "the old code stopped all groups at once, though each needs those it depends on until it has stopped")
		im.note(first[tag], "a group that is empty, unknown or in a circle is refused or said", "the old code took it for running, or started nothing and said nothing")
	}
	return nil
}

// jandiExceptions writes the exceptions of schedules.
func (im *importer) jandiExceptions(exceptions []*item, tags map[string]string) error {
	seen := map[string]*item{}
	for _, it := range exceptions {
		old, err := texts(it, "ScheduleName", "ExceptionDate", "ExceptionType", "ExceptionValue", "ExceptionUuid")
		if err != nil {
			return err
		}
		tag, known := tags[old["ScheduleName"]]
		if !known {
			return it.errorf("the exception of %s belongs to the schedule %q, which is not among the documents; name the file of its Schedule item as well",
				old["ExceptionDate"], old["ScheduleName"])
		}
		if _, err := time.Parse(time.DateOnly, old["ExceptionDate"]); err != nil {
			return it.errorf("ExceptionDate is %q; expected a date such as 2017-07-10", old["ExceptionDate"])
		}
		kind := strings.ToLower(old["ExceptionType"])
		if kind != "start" && kind != "stop" {
			return it.errorf("ExceptionType is %q; allowed are start and stop", old["ExceptionType"])
		}
		value, err := clockTime(it, "ExceptionValue", old["ExceptionValue"])
		if err != nil {
			return err
		}
		key := tag + " " + old["ExceptionDate"] + " " + kind
		if other := seen[key]; other != nil {
			return it.errorf("there is another exception of %s for the same day and type at %s; remove one of the two items", tag, other.where())
		}
		seen[key] = it
		e := &fields{}
		e.put("schedule", tag)
		e.put("date", old["ExceptionDate"])
		e.put("type", kind)
		if value == "" {
			value = "none"
		}
		e.put("value", value)
		im.sections.exceptions = append(im.sections.exceptions, e.MapSlice)
		im.leftOut(it)
	}
	return nil
}
