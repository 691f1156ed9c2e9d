// Package event reads what Amazon EventBridge says when a resource changes.
//
// An event is a hint and nothing else: it tells where to look, and a look tells
// what is. So nothing is ever decided by what an event claims, one that is lost
// is made up for by the next look, and one that is forged costs a look.
//
// What it guarantees: any text is answered with an Event or an error, in time
// and memory that its length bounds; what an Event names has the form that AWS
// gives it.
package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/fleet"
)

const (
	// maxSize is EventBridge's own bound on an event, in bytes.
	maxSize = 256 << 10
	// maxDepth is how deeply objects and lists may be nested: events that are
	// understood have three levels, the deepest of AWS's some ten.
	maxDepth = 64
	// maxName is the longest name of a resource that an event may give, in bytes:
	// an Auto Scaling group has up to 255 characters, an ECS service with its cluster 511.
	maxName = 1 << 10
	// maxTagKeys is how many changed keys are looked at: a resource has 50 tags.
	maxTagKeys = 200
)

// The errors of Parse.
var (
	ErrMalformed = errors.New("not an event of EventBridge")
	ErrUnknown   = errors.New("an event that tells nothing about what Dayshift looks after")
)

// Event is a change of one resource.
type Event struct {
	ID   string // of the event itself; the same in every copy
	Type string // its detail-type
	At   time.Time
	// Ref is the resource. A resource whose kind is not known has a scope alone.
	Ref fleet.Ref
	// State is what the resource has come to, by the event; empty where it does not say.
	State fleet.State
	// TagKeys are the keys of the tags that changed, sorted, of a change of tags alone.
	TagKeys []string
}

// envelope is what all events have in common.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
type envelope struct {
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Time       time.Time       `json:"time"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// form is how the events of one type are read. read completes the Event, whose
// scope is known; it returns ErrUnknown for what tells nothing.
type form struct {
	source string
	read   func(e *Event, in envelope) error
}

// forms are the types that are understood, by detail-type.
var forms = map[string]form{
	// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html
	"EC2 Instance State-change Notification": {"aws.ec2", instanceState},
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-cloud-watch-events.html
	"RDS DB Instance Event": {"aws.rds", database(fleet.RDSInstance)},
	"RDS DB Cluster Event":  {"aws.rds", database(fleet.RDSCluster)},
	// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
	"EC2 Instance Launch Successful":      {"aws.autoscaling", group},
	"EC2 Instance Launch Unsuccessful":    {"aws.autoscaling", group},
	"EC2 Instance Terminate Successful":   {"aws.autoscaling", group},
	"EC2 Instance Terminate Unsuccessful": {"aws.autoscaling", group},
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html and ecs_task_events.html
	"ECS Service Action":          {"aws.ecs", service},
	"ECS Deployment State Change": {"aws.ecs", service},
	"ECS Task State Change":       {"aws.ecs", task},
	// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-sagemaker.html
	"SageMaker Notebook Instance State Change": {"aws.sagemaker", notebook},
	// https://docs.aws.amazon.com/tag-editor/latest/userguide/monitor-tag-changes.html
	"Tag Change on Resource": {"aws.tag", tags},
}

// Types returns the detail-types that are understood, by source, sorted: what a rule has to let through.
func Types() map[string][]string {
	types := map[string][]string{}
	for name, form := range forms {
		types[form.source] = append(types[form.source], name)
	}
	for _, list := range types {
		slices.Sort(list)
	}
	return types
}

// Parse reads the body of a message. The error is ErrMalformed for what
// EventBridge does not send, ErrUnknown for what it sends and nobody here needs;
// with ErrUnknown the Event tells as much as could be read.
func Parse(body string) (Event, error) {
	if err := bounded(body); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var in envelope
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	account, err := fleet.ParseAccountID(in.Account)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	region, err := fleet.ParseRegion(in.Region)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case in.DetailType == "" || in.Source == "":
		return Event{}, fmt.Errorf("%w: it has no source or no detail-type", ErrMalformed)
	case in.Time.IsZero():
		return Event{}, fmt.Errorf("%w: it has no time", ErrMalformed)
	}
	e := Event{
		ID: short(in.ID), Type: short(in.DetailType), At: in.Time.UTC(),
		Ref: fleet.Ref{Scope: fleet.Scope{Account: account, Region: region}},
	}
	known, ok := forms[in.DetailType]
	if !ok || known.source != in.Source {
		return e, fmt.Errorf("%w: %q of %q", ErrUnknown, e.Type, short(in.Source))
	}
	if err := known.read(&e, in); err != nil {
		return e, fmt.Errorf("%s: %w", e.Type, err)
	}
	return e, nil
}

// bounded refuses what is too long or nested too deeply before anything is read.
func bounded(body string) error {
	if len(body) > maxSize {
		return fmt.Errorf("%d bytes: an event has at most %d", len(body), maxSize)
	}
	if !utf8.ValidString(body) {
		return errors.New("it is not UTF-8")
	}
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("nested more than %d deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// shown is how much of a text that somebody else chose goes into an Event.
const shown = 128

func short(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	if runes := []rune(text); len(runes) > shown {
		return string(runes[:shown])
	}
	return text
}

// detail reads the part that belongs to the type.
func detail(in envelope, out any) error {
	if len(in.Detail) == 0 {
		return fmt.Errorf("%w: it has no detail", ErrMalformed)
	}
	if err := json.Unmarshal(in.Detail, out); err != nil {
		return fmt.Errorf("%w: detail: %w", ErrMalformed, err)
	}
	return nil
}

// named makes the resource of the event one of the kind, when the name can be one.
func (e *Event) named(kind fleet.Kind, id string) error {
	if id == "" || len(id) > maxName || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("%w: it names no %s", ErrMalformed, kind)
	}
	e.Ref.Kind, e.Ref.ID = kind, id
	return nil
}

var instancePattern = regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)

// instanceStates are EC2's words.
var instanceStates = map[string]fleet.State{
	"pending": fleet.Starting, "running": fleet.Running, "stopping": fleet.Stopping, "stopped": fleet.Stopped,
	"shutting-down": fleet.Other, "terminated": fleet.Other,
}

func instanceState(e *Event, in envelope) error {
	var d struct {
		Instance string `json:"instance-id"`
		State    string `json:"state"`
	}
	if err := detail(in, &d); err != nil {
		return err
	}
	state, known := instanceStates[d.State]
	switch {
	case !instancePattern.MatchString(d.Instance):
		return fmt.Errorf("%w: %q is not an instance", ErrMalformed, short(d.Instance))
	case !known:
		return fmt.Errorf("%w: %q is not a state of an instance", ErrMalformed, short(d.State))
	}
	e.State = state
	return e.named(fleet.EC2Instance, d.Instance)
}

// databaseStates are the events that say where a database or cluster has come to.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
var databaseStates = map[string]fleet.State{
	"RDS-EVENT-0087": fleet.Stopped,  // DB instance stopped
	"RDS-EVENT-0088": fleet.Running,  // DB instance started
	"RDS-EVENT-0154": fleet.Starting, // … is being started due to it exceeding the maximum allowed time being stopped
	"RDS-EVENT-0150": fleet.Stopped,  // DB cluster stopped
	"RDS-EVENT-0151": fleet.Running,  // DB cluster started
	"RDS-EVENT-0153": fleet.Starting, // as 0154, of a cluster
}

// quietCategories say nothing about running and stopped. Backups alone make two
// events a day for every database.
var quietCategories = []string{"backup", "backtrack", "low storage", "maintenance", "read replica", "security", "security patching"}

func database(kind fleet.Kind) func(e *Event, in envelope) error {
	return func(e *Event, in envelope) error {
		var d struct {
			Categories []string `json:"EventCategories"`
			Source     string   `json:"SourceIdentifier"`
			Event      string   `json:"EventID"`
		}
		if err := detail(in, &d); err != nil {
			return err
		}
		if err := e.named(kind, strings.ToLower(d.Source)); err != nil {
			return err
		}
		e.State = databaseStates[d.Event]
		loud := slices.ContainsFunc(d.Categories, func(c string) bool { return !slices.Contains(quietCategories, c) })
		if e.State == "" && len(d.Categories) > 0 && !loud {
			return fmt.Errorf("%w: %q", ErrUnknown, short(strings.Join(d.Categories, ", ")))
		}
		return nil
	}
}

func group(e *Event, in envelope) error {
	var d struct {
		Group string `json:"AutoScalingGroupName"`
	}
	if err := detail(in, &d); err != nil {
		return err
	}
	return e.named(fleet.AutoScalingGroup, d.Group)
}

// notebookStates are SageMaker's words; it has more of them, in which a notebook
// instance neither runs nor is stopped.
// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeNotebookInstance.html
var notebookStates = map[string]fleet.State{
	"Pending": fleet.Starting, "InService": fleet.Running, "Stopping": fleet.Stopping, "Stopped": fleet.Stopped,
}

func notebook(e *Event, in envelope) error {
	var d struct {
		Name   string `json:"NotebookInstanceName"`
		Status string `json:"NotebookInstanceStatus"`
	}
	if err := detail(in, &d); err != nil {
		return err
	}
	e.State = notebookStates[d.Status]
	if e.State == "" {
		e.State = fleet.Other
	}
	return e.named(fleet.SageMakerNotebook, d.Name)
}

// arn is what an ARN consists of that is needed here.
type arn struct{ service, account, region, resource string }

// splitARN reads arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.
func splitARN(text string) (arn, bool) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || len(text) > 2*maxName {
		return arn{}, false
	}
	return arn{service: parts[2], region: parts[3], account: parts[4], resource: parts[5]}, true
}

// service reads a service of ECS out of the ARN that the event is about; older
// ones do not name the cluster.
func service(e *Event, in envelope) error {
	var d struct {
		Cluster string `json:"clusterArn"`
	}
	if err := detail(in, &d); err != nil {
		return err
	}
	for _, text := range in.Resources {
		name, ok := "", false
		if of, is := splitARN(text); is && of.service == "ecs" {
			name, ok = strings.CutPrefix(of.resource, "service/")
		}
		switch {
		case !ok:
		case strings.Contains(name, "/"):
			return e.named(fleet.ECSService, name)
		default:
			return e.inCluster(d.Cluster, name)
		}
	}
	return fmt.Errorf("%w: it names no service", ErrMalformed)
}

func (e *Event) inCluster(clusterARN, name string) error {
	of, is := splitARN(clusterARN)
	cluster, ok := strings.CutPrefix(of.resource, "cluster/")
	if !is || !ok || cluster == "" || name == "" {
		return fmt.Errorf("%w: it names no cluster or no service", ErrMalformed)
	}
	return e.named(fleet.ECSService, cluster+"/"+name)
}

// task reads the service of a task that has come up or ended; on the way a task
// has half a dozen states that change nothing for its service.
func task(e *Event, in envelope) error {
	var d struct {
		Cluster string `json:"clusterArn"`
		Group   string `json:"group"`
		Last    string `json:"lastStatus"`
	}
	if err := detail(in, &d); err != nil {
		return err
	}
	name, ok := strings.CutPrefix(d.Group, "service:")
	if !ok || d.Last != "RUNNING" && d.Last != "STOPPED" {
		return fmt.Errorf("%w: of no service, or on its way", ErrUnknown)
	}
	return e.inCluster(d.Cluster, name)
}

// ownTagKeys are what Dayshift itself writes on resources for people to read.
var ownTagKeys = []string{fleet.TagLastAction, fleet.TagError, fleet.TagSaved}

func tags(e *Event, in envelope) error {
	var d struct {
		Keys    []string `json:"changed-tag-keys"`
		Service string   `json:"service"`
		Type    string   `json:"resource-type"`
	}
	if err := detail(in, &d); err != nil {
		return err
	}
	if len(d.Keys) == 0 || len(d.Keys) > maxTagKeys {
		return fmt.Errorf("%w: %d changed keys", ErrMalformed, len(d.Keys))
	}
	for _, key := range d.Keys {
		e.TagKeys = append(e.TagKeys, short(key))
	}
	slices.Sort(e.TagKeys)
	if !slices.ContainsFunc(e.TagKeys, func(key string) bool { return !slices.Contains(ownTagKeys, key) }) {
		return fmt.Errorf("%w: the tags are Dayshift's own", ErrUnknown)
	}
	if len(in.Resources) == 0 {
		return fmt.Errorf("%w: it names no resource", ErrMalformed)
	}
	of, is := splitARN(in.Resources[0])
	if !is {
		return fmt.Errorf("%w: %q is not an ARN", ErrMalformed, short(in.Resources[0]))
	}
	kind, id := tagged(of)
	if kind == "" {
		return fmt.Errorf("%w: the tags of %s %s", ErrUnknown, short(d.Service), short(d.Type))
	}
	return e.named(kind, id)
}

// tagged tells which resource an ARN names; none for what Dayshift does not look after.
func tagged(of arn) (fleet.Kind, string) {
	for _, form := range []struct {
		service, prefix string
		kind            fleet.Kind
	}{
		{"ec2", "instance/", fleet.EC2Instance},
		{"rds", "db:", fleet.RDSInstance},
		{"rds", "cluster:", fleet.RDSCluster},
		{"ecs", "service/", fleet.ECSService},
		{"redshift", "cluster:", fleet.RedshiftCluster},
		{"sagemaker", "notebook-instance/", fleet.SageMakerNotebook},
	} {
		if id, ok := strings.CutPrefix(of.resource, form.prefix); ok && of.service == form.service {
			return form.kind, id
		}
	}
	// autoScalingGroup:UUID:autoScalingGroupName/NAME
	if _, name, ok := strings.Cut(of.resource, ":autoScalingGroupName/"); ok && of.service == "autoscaling" {
		return fleet.AutoScalingGroup, name
	}
	return "", ""
}
