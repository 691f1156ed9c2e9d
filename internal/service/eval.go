package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/config"
)

// Question is one line of `dayshift eval`: what a schedule wants at an instant
// (Schedule, Periods, Exceptions, Holidays, At), which days or months a day expression names
// (Field, Text, Year, Month), or when a rule fires (Expression, Timezone, From,
// To, Anchor).
type Question struct {
	ID json.RawMessage `json:"id"`

	Schedule *scheduleQuestion    `json:"schedule"`
	Periods  []calendar.PeriodDef `json:"periods"`
	At       string               `json:"at"`

	Exceptions []exceptionQuestion        `json:"exceptions"`
	Holidays   map[string]holidayQuestion `json:"holidays"`

	Field string             `json:"field"`
	Text  *calendar.DayField `json:"text"`
	Year  int                `json:"year"`
	Month int                `json:"month"`

	Expression *string `json:"expression"`
	Timezone   *string `json:"timezone"` // default UTC
	From       string  `json:"from"`     // not included
	To         string  `json:"to"`       // included
	Anchor     *string `json:"anchor"`   // from where a rate is counted; default From

	// Expect is what test data carries along; it is not looked at.
	Expect json.RawMessage `json:"expect"`
}

// scheduleQuestion is a schedule as people keep it in this and in other
// schedulers: the flags that say nothing about an instant are accepted and
// have no effect here.
type scheduleQuestion struct {
	calendar.ScheduleDef
	Enabled   *bool               `json:"enabled"`
	StartLead string              `json:"start_lead"`
	Holidays  calendar.PeriodRefs `json:"holidays"` // names, as a list or with commas
	ignoredFlags
}

type ignoredFlags struct {
	Type                 json.RawMessage `json:"type"`
	Description          json.RawMessage `json:"description"`
	Enforced             json.RawMessage `json:"enforced"`
	RetainRunning        json.RawMessage `json:"retain_running"`
	StopNewInstances     json.RawMessage `json:"stop_new_instances"`
	NewResourceGrace     json.RawMessage `json:"new_resource_grace"`
	UseMaintenanceWindow json.RawMessage `json:"use_maintenance_window"`
	SSMMaintenanceWindow json.RawMessage `json:"ssm_maintenance_window"`
	UseMetrics           json.RawMessage `json:"use_metrics"`
	Hibernate            json.RawMessage `json:"hibernate"`
	SnapshotBeforeStop   json.RawMessage `json:"snapshot_before_stop"`
	MuteAlarms           json.RawMessage `json:"mute_alarms"`
	Mode                 json.RawMessage `json:"mode"`
	MaxManualUptime      json.RawMessage `json:"max_manual_uptime"`
	NotifyBeforeStop     json.RawMessage `json:"notify_before_stop"`
	Jitter               json.RawMessage `json:"jitter"`
	Verify               json.RawMessage `json:"verify"`
	CapacityDeadline     json.RawMessage `json:"capacity_deadline"`
}

// Answer is one line of output; exactly one of State, Days, Months, Fires
// and Error is set.
type Answer struct {
	ID           json.RawMessage `json:"id,omitempty"`
	State        string          `json:"state,omitempty"`
	Period       string          `json:"period,omitempty"`
	InstanceType string          `json:"instance_type,omitempty"`
	// Special says what is out of the ordinary at the instant: exceptions, days off, years that a calendar does not cover.
	Special []string  `json:"special,omitempty"`
	Days    *[]int    `json:"days,omitempty"`
	Months  *[]int    `json:"months,omitempty"`
	Fires   *[]string `json:"fires,omitempty"`
	Error   string    `json:"error,omitempty"`
}

// Eval answers one question given as JSON. It never fails: what is refused is
// an answer with an error.
func Eval(line []byte) Answer {
	var question Question
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&question)
	if err == nil {
		if _, trailing := decoder.Token(); !errors.Is(trailing, io.EOF) {
			err = errors.New("more than one JSON value on the line")
		}
	}
	var answer Answer
	if err != nil {
		answer.Error = "not a question: " + err.Error()
	} else if answer, err = question.answer(); err != nil {
		answer = Answer{Error: err.Error()}
	}
	if err != nil {
		question.ID = idOf(line)
	}
	answer.ID = bytes.ToValidUTF8(question.ID, []byte("\uFFFD"))
	return answer
}

// idOf finds the ID of a line, also of one that is otherwise refused, so that
// whoever asked knows which question it was.
func idOf(line []byte) json.RawMessage {
	var only struct {
		ID json.RawMessage `json:"id"`
	}
	if json.NewDecoder(bytes.NewReader(line)).Decode(&only) != nil {
		return nil
	}
	return only.ID
}

func (q *Question) answer() (Answer, error) {
	switch {
	case q.Schedule != nil:
		return q.state()
	case q.Field != "":
		return q.days()
	case q.Expression != nil:
		return q.fires()
	}
	return Answer{}, errors.New(`not a question: give "schedule", "periods" and "at"; or "field", "text", "year" and "month"; ` +
		`or "expression", "from" and "to"`)
}

func (q *Question) state() (Answer, error) {
	at, err := readInstant("at", q.At)
	if err != nil {
		return Answer{}, err
	}
	def := q.Schedule.ScheduleDef
	if q.Schedule.StartLead != "" {
		lead, err := config.ParseDuration(q.Schedule.StartLead)
		if err != nil {
			return Answer{}, fmt.Errorf("start_lead: %w", err)
		}
		def.StartLead = time.Duration(lead)
	}
	periods := make(map[string]*calendar.Period, len(q.Periods))
	var faults []error
	for _, period := range q.Periods {
		if _, twice := periods[period.Name]; twice {
			faults = append(faults, fmt.Errorf("period %q is given twice", period.Name))
		}
		compiled, err := calendar.CompilePeriod(period)
		faults = append(faults, err)
		periods[period.Name] = compiled
	}
	if err := errors.Join(faults...); err != nil {
		return Answer{}, err
	}
	if def.Exceptions, err = q.exceptions(); err != nil {
		return Answer{}, err
	}
	if def.Holidays, err = q.observed(); err != nil {
		return Answer{}, err
	}
	schedule, err := calendar.CompileWith(def, periods, time.UTC)
	if err != nil {
		return Answer{}, err
	}
	if q.Schedule.Enabled != nil && !*q.Schedule.Enabled {
		return Answer{State: calendar.Any.String()}, nil // a disabled schedule decides nothing
	}
	want := schedule.Wanted(at)
	answer := Answer{State: want.State.String(), Period: want.Period, InstanceType: want.InstanceType}
	for _, fact := range schedule.Special(at).Facts() {
		answer.Special = append(answer.Special, fact.Rule+": "+fact.Text.String())
	}
	return answer, nil
}

func (q *Question) days() (Answer, error) {
	if q.Text == nil {
		return Answer{}, errors.New("text: missing; give the day expression")
	}
	if q.Year < 1 || q.Year > 9999 {
		return Answer{}, fmt.Errorf("year: %d is outside 1-9999", q.Year)
	}
	if q.Field == "months" {
		months, err := calendar.ParseMonths(*q.Text)
		if err != nil {
			return Answer{}, err
		}
		list := append([]int{}, months.Months()...)
		return Answer{Months: &list}, nil
	}
	if q.Month < 1 || q.Month > 12 {
		return Answer{}, fmt.Errorf("month: %d is outside 1-12", q.Month)
	}
	var days []int
	switch q.Field {
	case "weekdays":
		parsed, err := calendar.ParseWeekdays(*q.Text)
		if err != nil {
			return Answer{}, err
		}
		days = parsed.Days(q.Year, q.Month)
	case "monthdays":
		parsed, err := calendar.ParseMonthDays(*q.Text)
		if err != nil {
			return Answer{}, err
		}
		days = parsed.Days(q.Year, q.Month)
	default:
		return Answer{}, fmt.Errorf("field: %q is unknown; use weekdays, monthdays or months", q.Field)
	}
	list := append([]int{}, days...)
	return Answer{Days: &list}, nil
}

// maxFires bounds one answer: more than two months of a rule that fires every
// minute, in two megabytes.
const maxFires = 100_000

func (q *Question) fires() (Answer, error) {
	zone := time.UTC
	if q.Timezone != nil {
		var err error
		if zone, err = calendar.LoadZone(*q.Timezone); err != nil {
			return Answer{}, err
		}
	}
	from, err := readInstant("from", q.From)
	if err != nil {
		return Answer{}, err
	}
	to, err := readInstant("to", q.To)
	if err != nil {
		return Answer{}, err
	}
	if to.Before(from) {
		return Answer{}, fmt.Errorf("to: %q is before from, %q", q.To, q.From)
	}
	anchor := from
	if q.Anchor != nil {
		if anchor, err = readInstant("anchor", *q.Anchor); err != nil {
			return Answer{}, err
		}
	}
	expression, err := calendar.ParseExpression(*q.Expression, zone, anchor)
	if err != nil {
		return Answer{}, err
	}
	fires := []string{}
	for at := range expression.Fires(from, to) {
		if len(fires) == maxFires {
			return Answer{}, fmt.Errorf("expression: %q fires more than %d times from %s to %s; ask about a shorter time",
				*q.Expression, maxFires, q.From, q.To)
		}
		fires = append(fires, at.Format(time.RFC3339))
	}
	return Answer{Fires: &fires}, nil
}

// readInstant reads an instant that a question gives under a name.
func readInstant(name, text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %q is not an instant; write it as 2027-02-05T09:00:00Z", name, text)
	}
	return at, nil
}
