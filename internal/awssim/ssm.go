package awssim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/calendar"
)

// Window is a maintenance window of Systems Manager.
type Window struct {
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	ID      string `yaml:"id,omitempty"` // mw- and 17 hexadecimal digits; default made up
	Name    string `yaml:"name"`
	// Cron is cron(minutes hours day month weekday year), in the time zone.
	Cron     string `yaml:"cron"`
	Timezone string `yaml:"timezone,omitempty"` // an IANA name; default UTC, not shown
	// Hours is how long each execution lasts, 1 to 24; Cutoff how long before its
	// end no more tasks begin, default 0.
	Hours  int `yaml:"duration_hours"`
	Cutoff int `yaml:"cutoff_hours,omitempty"`
	// Enabled is true where it is not said.
	Enabled *bool `yaml:"enabled,omitempty"`
}

// window is a window ready to be asked.
type window struct {
	Window
	enabled bool
	fires   *calendar.Expression
}

// maxWindowHours is AWS's bound on a window's duration.
const maxWindowHours = 24

var (
	windowIDForm   = regexp.MustCompile(`^mw-[0-9a-f]{17}$`)
	windowNameForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,128}$`)
)

func (w *Window) check(bad func(field, format string, args ...any), parts map[string]string) {
	if !isAccountID(w.Account) {
		bad("account", "%q is not an account: twelve digits, quoted", w.Account)
	}
	if r := regions[w.Region]; r == nil {
		bad("region", "%q is not a region", w.Region)
	} else if p := parts[w.Account]; p != "" && p != r.partition {
		bad("region", "%s belongs to partition %s, account %s to %s", w.Region, r.partition, w.Account, p)
	}
	if w.ID != "" && !windowIDForm.MatchString(w.ID) {
		bad("id", "%q is not a window id: mw- and 17 hexadecimal digits", w.ID)
	}
	if !windowNameForm.MatchString(w.Name) {
		bad("name", "%q is not a name: 3 to 128 letters, digits and _.-", w.Name)
	}
	if _, err := w.zone(); err != nil {
		bad("timezone", "%w", err)
	} else if _, err := w.expression(); err != nil {
		bad("cron", "%w", err)
	}
	if w.Hours < 1 || w.Hours > maxWindowHours {
		bad("duration_hours", "%d: must be between 1 and %d", w.Hours, maxWindowHours)
	} else if w.Cutoff < 0 || w.Cutoff >= w.Hours {
		bad("cutoff_hours", "%d: must be at least 0 and less than duration_hours", w.Cutoff)
	}
}

func (w *Window) zone() (*time.Location, error) { return calendar.LoadZone(cmp.Or(w.Timezone, "UTC")) }

func (w *Window) expression() (*calendar.Expression, error) {
	zone, err := w.zone()
	if err != nil {
		return nil, err
	}
	e, err := calendar.ParseExpression(w.Cron, zone, time.Time{})
	if err == nil && e.Kind() != calendar.KindCron {
		err = fmt.Errorf("%q: write cron(minutes hours day month weekday year), such as cron(0 2 ? * SUN *)", w.Cron)
	}
	return e, err
}

// windowOf makes a window that check accepts.
func (c *Cloud) windowOf(w Window) (*window, error) {
	fires, err := w.expression()
	if err != nil {
		return nil, err
	}
	if w.ID == "" {
		w.ID = hex17("mw-", c.mint())
	}
	enabled := w.Enabled == nil || *w.Enabled
	w.Enabled = &enabled
	return &window{w, enabled, fires}, nil
}

// windowIdentity is a window as DescribeMaintenanceWindows shows it.
type windowIdentity struct {
	WindowID          string `json:"WindowId"`
	Name              string
	Enabled           bool
	Duration, Cutoff  int
	Schedule          string
	ScheduleTimezone  string `json:",omitempty"`
	NextExecutionTime string `json:",omitempty"`
}

// identity shows the window at an instant. AWS writes the next execution to the
// minute and with the offset of the window's zone.
func (w *window) identity(now time.Time) windowIdentity {
	out := windowIdentity{
		WindowID: w.ID, Name: w.Name, Enabled: w.enabled, Duration: w.Hours, Cutoff: w.Cutoff, Schedule: w.Cron, ScheduleTimezone: w.Timezone,
	}
	if next, ok := w.fires.Next(now); ok && w.enabled {
		out.NextExecutionTime = next.In(w.fires.Location()).Format("2006-01-02T15:04Z07:00")
	}
	return out
}

// maxWindowFilters is AWS's bound on the filters of one request.
const maxWindowFilters = 5

func describeMaintenanceWindows(k *call, w *xw) *Error {
	idx := k.p.indexes("Filters")
	if len(idx) > maxWindowFilters {
		return refuse("ValidationException", "%d filters: Member must have length less than or equal to %d", len(idx), maxWindowFilters)
	}
	keep := func(*window) bool { return true }
	for _, i := range idx {
		values := k.p.list("Filters." + i + ".Values")
		before := keep
		switch key := k.p["Filters."+i+".Key"]; key {
		case "Name":
			keep = func(w *window) bool { return before(w) && slices.Contains(values, w.Name) }
		case "Enabled":
			keep = func(w *window) bool {
				return before(w) && slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, strconv.FormatBool(w.enabled)) })
			}
		default:
			return refuse("ValidationException", "Filter key %q is not valid. Valid filter keys are Name and Enabled", key)
		}
	}
	k.scope.mu.Lock()
	var found []*window
	for _, one := range k.scope.windows {
		if keep(one) {
			found = append(found, one)
		}
	}
	k.scope.mu.Unlock()
	from, to, next, e := k.window(len(found), 50, 10, 100)
	if e != nil {
		return e
	}
	if k.strikes(FaultShortPages, "", "") != nil && to > from {
		to = from + int(hash(k.c.seed, "short", k.log.RequestID)%uint64(to-from))
		next = k.token("NextToken", uint64(to))
	}
	if k.p.has("NextToken") && k.strikes(FaultTokenLoop, "", "") != nil {
		next = k.p["NextToken"]
	}
	answer := struct {
		NextToken        string `json:",omitempty"`
		WindowIdentities []windowIdentity
	}{next, []windowIdentity{}}
	for _, one := range found[from:to] {
		if k.strikes(FaultMissing, one.ID, one.Name) != nil {
			continue
		}
		answer.WindowIdentities = append(answer.WindowIdentities, one.identity(k.now))
		if k.strikes(FaultDuplicate, one.ID, one.Name) != nil {
			answer.WindowIdentities = append(answer.WindowIdentities, one.identity(k.now))
		}
	}
	k.log.Items = len(answer.WindowIdentities)
	b, err := json.Marshal(answer)
	if err != nil {
		return refuse("InternalServerError", "%v", err)
	}
	w.raw(string(b))
	return nil
}

// maxJSONDepth is far deeper than any request of a service in JSON.
const maxJSONDepth = 16

var errJSON = errors.New("not a JSON object")

// flatten makes Query parameters of a JSON request, so that all protocols share
// what comes after: {"Filters": [{"Key": "Name"}]} is Filters.1.Key=Name.
func flatten(body []byte) (url.Values, error) {
	form := url.Values{}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var document map[string]any
	if err := d.Decode(&document); err != nil || document == nil {
		return form, errJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return form, errJSON
	}
	for name, value := range document {
		if err := flattenInto(form, name, value, 1); err != nil {
			return url.Values{}, err
		}
	}
	return form, nil
}

func flattenInto(form url.Values, name string, value any, depth int) error {
	if depth > maxJSONDepth || strings.HasSuffix(name, ".") {
		return errJSON
	}
	switch v := value.(type) {
	case nil: // as if it were not there
	case string:
		form.Set(name, v)
	case bool:
		form.Set(name, strconv.FormatBool(v))
	case json.Number:
		form.Set(name, v.String())
	case []any:
		if len(v) == 0 {
			form.Set(name, "")
		}
		for i, member := range v {
			if err := flattenInto(form, name+"."+strconv.Itoa(i+1), member, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, member := range v {
			if err := flattenInto(form, name+"."+key, member, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// jsonCodes are the names that services in JSON have for common refusals.
var jsonCodes = map[string]string{
	"AccessDenied":                "AccessDeniedException",
	"ExpiredToken":                "ExpiredTokenException",
	"IncompleteSignature":         "IncompleteSignatureException",
	"InvalidAction":               "UnknownOperationException",
	"InvalidClientTokenId":        "UnrecognizedClientException",
	"InvalidNextToken":            "ValidationException",
	"InvalidParameterCombination": "ValidationException",
	"InvalidParameterValue":       "ValidationException",
	"MissingAuthenticationToken":  "MissingAuthenticationTokenException",
	"MissingParameter":            "ValidationException",
	"Throttling":                  "ThrottlingException",
	"UnknownParameter":            "ValidationException",
}

// inWordsOf gives a common refusal as the service words it.
func (e *Error) inWordsOf(svc *service) *Error {
	if svc == nil {
		return e
	}
	code, other := svc.words[e.Code]
	if !other && (svc.protocol == awsJSON || svc.protocol == restJSON) {
		code, other = jsonCodes[e.Code]
	}
	if other {
		return &Error{Code: code, Message: e.Message, Status: statusFor(code)}
	}
	return e
}
