package awssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// PutEvent is an event that somebody put on a bus of EventBridge.
type PutEvent struct {
	ID         string          `json:"id"`
	Bus        string          `json:"bus"` // ARN
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Detail     json.RawMessage `json:"detail"`
	At         time.Time       `json:"at"` // simulated
}

// Bounds of PutEvents.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
const (
	mostEvents     = 10
	mostEventBytes = 256 << 10
)

var busNameForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,256}$`)

// eventsService is the row of EventBridge. Nothing has rules; what was put on a
// bus is read at the simulator's own interface. Every region has the bus default.
func eventsService() *service {
	return &service{
		name: "events", version: "2015-10-07", protocol: awsJSON, namespace: "AWSEvents",
		words: map[string]string{
			"InvalidParameterValue": "ValidationException", "InvalidParameterCombination": "ValidationException", "MissingParameter": "ValidationException", "UnknownParameter": "ValidationException",
			"Throttling": "ThrottlingException", "AccessDenied": "AccessDeniedException",
		},
		actions: map[string]*action{
			"CreateEventBus": does(write, "Name", "Name", createEventBus),
			"PutEvents":      does(write, "Entries.N.Source Entries.N.DetailType Entries.N.Detail Entries.N.EventBusName Entries.N.Time Entries.N.Resources.N", "", putEvents),
		},
	}
}

func (s *scope) busARN(name string) string {
	return fmt.Sprintf("arn:%s:events:%s:%s:event-bus/%s", s.region.partition, s.region.name, s.account.id, name)
}

func createEventBus(k *call, w *xw) *Error {
	name := k.p["Name"]
	if !busNameForm.MatchString(name) || name == "default" {
		return refuse("ValidationException", "The name %s is not one of an event bus.", name)
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	if k.scope.buses[name] {
		return refuse("ResourceAlreadyExistsException", "Event bus %s already exists.", name)
	}
	if k.scope.buses == nil {
		k.scope.buses = map[string]bool{}
	}
	k.scope.buses[name] = true
	return writeAnswer(w, map[string]string{"EventBusArn": k.scope.busARN(name), "Name": name})
}

// putEntry is what is answered of one event.
type putEntry struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

func putEvents(k *call, w *xw) *Error {
	places := k.p.indexes("Entries")
	if len(places) == 0 || len(places) > mostEvents {
		return refuse("ValidationException", "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and %d", mostEvents)
	}
	size := 0
	for _, i := range places {
		at := "Entries." + i + "."
		size += len(k.p[at+"Source"]) + len(k.p[at+"DetailType"]) + len(k.p[at+"Detail"])
		name := strings.TrimPrefix(k.p[at+"EventBusName"], k.scope.busARN(""))
		k.scope.mu.Lock()
		known := name == "" || name == "default" || k.scope.buses[name]
		k.scope.mu.Unlock()
		switch {
		case strings.HasPrefix(name, "arn:"): // of another account, whose policy allows nobody
			return &Error{"AccessDeniedException", fmt.Sprintf("User: %s is not authorized to perform: events:PutEvents on resource: %s", k.who.arn, name), http.StatusBadRequest}
		case !known:
			return refuse("ResourceNotFoundException", "Event bus %s does not exist.", name)
		}
	}
	if size > mostEventBytes {
		return refuse("ValidationException", "Total size of the entries in the request is over the limit.")
	}
	answer := struct {
		FailedEntryCount int
		Entries          []putEntry
	}{}
	for _, i := range places {
		entry := k.put("Entries." + i + ".")
		if entry.ErrorCode != "" {
			answer.FailedEntryCount++
		}
		answer.Entries = append(answer.Entries, entry)
	}
	return writeAnswer(w, answer)
}

// put takes one event.
func (k *call) put(at string) putEntry {
	for _, field := range []string{"Source", "DetailType", "Detail"} {
		if k.p[at+field] == "" {
			return putEntry{ErrorCode: "InvalidArgument", ErrorMessage: fmt.Sprintf("Parameter %s is not valid. Reason: %s is a required argument.", field, field)}
		}
	}
	var detail map[string]any
	if json.Unmarshal([]byte(k.p[at+"Detail"]), &detail) != nil {
		return putEntry{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}
	name := strings.TrimPrefix(k.p[at+"EventBusName"], k.scope.busARN(""))
	if name == "" {
		name = "default"
	}
	id := uuid(k.c.seed, k.c.mint())
	k.c.publishedMu.Lock()
	defer k.c.publishedMu.Unlock()
	k.c.events = append(k.c.events, PutEvent{id, k.scope.busARN(name), k.p[at+"Source"], k.p[at+"DetailType"], json.RawMessage(k.p[at+"Detail"]), k.now})
	k.c.events = k.c.events[max(0, len(k.c.events)-mostPublished):]
	return putEntry{EventID: id}
}

// PutEvents gives what was put on buses, in order.
func (c *Cloud) PutEvents() []PutEvent {
	c.publishedMu.Lock()
	defer c.publishedMu.Unlock()
	return append([]PutEvent{}, c.events...)
}
