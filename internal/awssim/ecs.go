package awssim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// ecsServices are the rows of ECS, Application Auto Scaling and the Resource
// Groups Tagging API. Of the latter two only what concerns services of ECS is there.
func ecsServices() []*service {
	return []*service{
		{
			name: "ecs", version: "2014-11-13", protocol: awsJSON, namespace: "AmazonEC2ContainerServiceV20141113",
			words: map[string]string{
				"InvalidNextToken": "InvalidParameterException", "InvalidParameterCombination": "InvalidParameterException",
				"InvalidParameterValue": "InvalidParameterException", "MissingParameter": "InvalidParameterException",
				"UnknownParameter": "InvalidParameterException", "TagLimitExceeded": "InvalidParameterException",
			},
			actions: map[string]*action{
				"ListClusters":        does(read, "maxResults nextToken", "", listClusters),
				"DescribeClusters":    does(read, "clusters.N include.N", "clusters", describeClusters),
				"ListServices":        does(read, "cluster maxResults nextToken launchType schedulingStrategy", "cluster", listServices),
				"DescribeServices":    does(read, "cluster services.N include.N", "services", describeServices),
				"UpdateService":       does(write, "cluster service desiredCount forceNewDeployment", "service", updateService),
				"TagResource":         does(write, "resourceArn tags.N.key tags.N.value", "resourceArn", tagService),
				"UntagResource":       does(write, "resourceArn tagKeys.N", "resourceArn", untagService),
				"ListTagsForResource": does(read, "resourceArn", "resourceArn", listServiceTags),
			},
		},
		{
			name: "application-autoscaling", version: "2016-02-06", protocol: awsJSON, namespace: "AnyScaleFrontendService",
			words: map[string]string{"InvalidNextToken": "InvalidNextTokenException"},
			actions: map[string]*action{
				"DescribeScalableTargets": does(read, "ServiceNamespace ResourceIds.N ScalableDimension MaxResults NextToken", "ResourceIds", describeScalableTargets),
				"RegisterScalableTarget": does(write, "ServiceNamespace ResourceId ScalableDimension MinCapacity MaxCapacity SuspendedState.DynamicScalingInSuspended "+
					"SuspendedState.DynamicScalingOutSuspended SuspendedState.ScheduledScalingSuspended", "ResourceId", registerScalableTarget),
				"DeregisterScalableTarget": does(write, "ServiceNamespace ResourceId ScalableDimension", "ResourceId", deregisterScalableTarget),
			},
		},
		{
			name: "tagging", version: "2017-01-26", protocol: awsJSON, namespace: "ResourceGroupsTaggingAPI_20170126", iam: "tag",
			words: map[string]string{
				"InvalidNextToken": "PaginationTokenExpiredException", "InvalidParameterCombination": "InvalidParameterException",
				"InvalidParameterValue": "InvalidParameterException", "MissingParameter": "InvalidParameterException",
				"UnknownParameter": "InvalidParameterException", "Throttling": "ThrottledException",
			},
			actions: map[string]*action{
				"GetResources": does(read, "ResourcesPerPage PaginationToken ResourceTypeFilters.N TagFilters.N.Key TagFilters.N.Values.N", "", getResources),
			},
		},
	}
}

// forever is after every clock.
const forever = int64(math.MaxInt64)

// ecsService is a service of ECS.
type ecsService struct {
	cluster, name string
	launch        string // FARGATE, EC2 or EXTERNAL
	daemon        bool
	controller    string // ECS, CODE_DEPLOY or EXTERNAL
	created       int64
	updated       int64 // when its desired count last changed
	rolling       int64 // until when a deployment is in progress
	desired       int
	tasks         []task
	tags          []Tag
	target        *scalableTarget
	startErr      string
}

// task runs from up until down: both are known when they are decided.
type task struct{ up, down int64 }

// scalableTarget is what Application Auto Scaling has of a service.
type scalableTarget struct {
	min, max int
	made     int64
	// suspended: in, out and scheduled scaling.
	suspended [3]bool
}

// suspensions are the words of a fleet file for scalableTarget.suspended.
var suspensions = [3]string{"in", "out", "scheduled"}

func (v *ecsService) id() string { return v.cluster + "/" + v.name }

// counts tells how many tasks run and how many are on their way up.
func (v *ecsService) counts(now int64) (running, pending int) {
	for _, t := range v.tasks {
		switch {
		case t.down <= now:
		case t.up <= now:
			running++
		case t.down == forever:
			pending++
		}
	}
	return running, pending
}

// scale sets the desired count; the scheduler starts what is missing and stops
// what is too much, the youngest first.
func (c *Cloud) scale(v *ecsService, desired int, now int64) {
	if v.desired == desired {
		return
	}
	v.desired, v.updated = desired, now
	v.tasks = slices.DeleteFunc(v.tasks, func(t task) bool { return t.down <= now })
	kept := 0
	for i := range v.tasks {
		t := &v.tasks[i]
		switch {
		case t.down != forever: // on its way down
		case kept < desired:
			kept++
		case t.up > now:
			t.down = now
		default:
			t.down = now + c.lasts("ecs-stopping", fmt.Sprintf("%s/%d", v.id(), i), now)
		}
	}
	for ; kept < desired; kept++ {
		up := forever - 1 // no place for it
		if v.startErr == "" {
			up = now + c.lasts("ecs-starting", fmt.Sprintf("%s/%d", v.id(), kept), now)
		}
		v.tasks = append(v.tasks, task{up, forever})
	}
}

// maxTasks is AWS's bound on the tasks of a service.
const maxTasks = 5000

func (s *scope) ecsARN(what, id string) string {
	return fmt.Sprintf("arn:%s:ecs:%s:%s:%s/%s", s.region.partition, s.region.name, s.account.id, what, id)
}

// ecsClusters lists the names of the clusters; the scope's lock is held.
func (s *scope) ecsClusters() []string {
	names := map[string]bool{}
	for _, v := range s.ecs {
		names[v.cluster] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// inCluster reads the parameter cluster: a name or an ARN, "default" where it is not given.
func (k *call) inCluster() (string, *Error) {
	name := cmp.Or(strings.TrimPrefix(k.p["cluster"], k.scope.ecsARN("cluster", "")), "default")
	if !slices.Contains(k.scope.ecsClusters(), name) {
		return "", refuse("ClusterNotFoundException", "Cluster not found.")
	}
	return name, nil
}

// service finds a service by name or ARN in a cluster; the scope's lock is held.
func (s *scope) service(cluster, id string) *ecsService {
	name := strings.TrimPrefix(id, s.ecsARN("service", cluster+"/"))
	return s.ecs[cluster+"/"+name]
}

// sortedServices gives the services in order of cluster and name; the scope's lock is held.
func (s *scope) sortedServices(keep func(*ecsService) bool) []*ecsService {
	var out []*ecsService
	for _, id := range slices.Sorted(maps.Keys(s.ecs)) {
		if v := s.ecs[id]; keep(v) {
			out = append(out, v)
		}
	}
	return out
}

// answerJSON writes the answer of a service in JSON.
func answerJSON(w *xw, document any) *Error {
	b, err := json.Marshal(document)
	if err != nil {
		return refuse("InternalServerError", "%v", err)
	}
	w.raw(string(b))
	return nil
}

// cut takes a page out of n resources, with the faults of listings that
// concern pages.
func (k *call) cut(size, token string, n, def, most int) (from, to int, next string, e *Error) {
	per, e := k.p.number(size, def, 1, most)
	if e != nil {
		return 0, 0, "", e
	}
	at, e := k.cursor(token)
	if e != nil || k.p.has(token) && k.strikes(FaultTokenExpire, "", "") != nil {
		return 0, 0, "", refuse("InvalidNextToken", "The parameter %s is not valid.", token)
	}
	from = min(int(at), n)
	to = min(from+per, n)
	if k.strikes(FaultShortPages, "", "") != nil && to > from {
		to = from + int(hash(k.c.seed, "short", k.log.RequestID)%uint64(to-from))
	}
	if to < n {
		next = k.token(token, uint64(to))
	}
	if k.p.has(token) && k.strikes(FaultTokenLoop, "", "") != nil {
		next = k.p[token]
	}
	return from, to, next, nil
}

func listClusters(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	names := k.scope.ecsClusters()
	k.scope.mu.Unlock()
	from, to, next, e := k.cut("maxResults", "nextToken", len(names), 100, 100)
	if e != nil {
		return e
	}
	arns := []string{}
	for _, name := range names[from:to] {
		arns = append(arns, k.scope.ecsARN("cluster", name))
	}
	k.log.Items = len(arns)
	return answerJSON(w, struct {
		ClusterARNs []string `json:"clusterArns"`
		NextToken   string   `json:"nextToken,omitempty"`
	}{arns, next})
}

// ecsFailure is what a describing call says of what it did not find.
type ecsFailure struct {
	ARN    string `json:"arn"`
	Reason string `json:"reason"`
}

func describeClusters(k *call, w *xw) *Error {
	type cluster struct {
		ARN      string `json:"clusterArn"`
		Name     string `json:"clusterName"`
		Status   string `json:"status"`
		Running  int    `json:"runningTasksCount"`
		Pending  int    `json:"pendingTasksCount"`
		Services int    `json:"activeServicesCount"`
	}
	ids := k.p.list("clusters")
	if len(ids) == 0 {
		ids = []string{"default"}
	}
	if len(ids) > 100 {
		return refuse("InvalidParameterValue", "clusters cannot have more than 100 elements")
	}
	found, failures := []cluster{}, []ecsFailure{}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	names := k.scope.ecsClusters()
	for _, id := range ids {
		name := strings.TrimPrefix(id, k.scope.ecsARN("cluster", ""))
		if !slices.Contains(names, name) {
			failures = append(failures, ecsFailure{k.scope.ecsARN("cluster", name), "MISSING"})
			continue
		}
		c := cluster{ARN: k.scope.ecsARN("cluster", name), Name: name, Status: "ACTIVE"}
		for _, v := range k.scope.sortedServices(func(v *ecsService) bool { return v.cluster == name }) {
			running, pending := v.counts(k.ns())
			c.Running, c.Pending, c.Services = c.Running+running, c.Pending+pending, c.Services+1
		}
		found = append(found, c)
	}
	k.log.Items = len(found)
	return answerJSON(w, map[string]any{"clusters": found, "failures": failures})
}

func listServices(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	cluster, e := k.inCluster()
	if e != nil {
		return e
	}
	found := k.scope.sortedServices(func(v *ecsService) bool {
		return v.cluster == cluster && (k.p["launchType"] == "" || k.p["launchType"] == v.launch) &&
			(k.p["schedulingStrategy"] == "" || k.p["schedulingStrategy"] == v.strategy())
	})
	from, to, next, e := k.cut("maxResults", "nextToken", len(found), 10, 100)
	if e != nil {
		return e
	}
	arns := []string{}
	for _, v := range found[from:to] {
		if k.strikes(FaultMissing, v.id(), v.name) != nil {
			continue
		}
		arns = append(arns, k.scope.ecsARN("service", v.id()))
		if k.strikes(FaultDuplicate, v.id(), v.name) != nil {
			arns = append(arns, k.scope.ecsARN("service", v.id()))
		}
	}
	k.log.Items = len(arns)
	return answerJSON(w, struct {
		ServiceARNs []string `json:"serviceArns"`
		NextToken   string   `json:"nextToken,omitempty"`
	}{arns, next})
}

// ecsTag is a tag as ECS writes it.
type ecsTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type ecsDeployment struct {
	ID           string  `json:"id"`
	Status       string  `json:"status"`
	Desired      int     `json:"desiredCount"`
	Running      int     `json:"runningCount"`
	Pending      int     `json:"pendingCount"`
	Failed       int     `json:"failedTasks"`
	Created      float64 `json:"createdAt"`
	Updated      float64 `json:"updatedAt"`
	Rollout      string  `json:"rolloutState"`
	RolloutState string  `json:"rolloutStateReason"`
	Task         string  `json:"taskDefinition"`
}

type ecsEvent struct {
	ID      string  `json:"id"`
	Created float64 `json:"createdAt"`
	Message string  `json:"message"`
}

type ecsDescription struct {
	ARN         string          `json:"serviceArn"`
	Name        string          `json:"serviceName"`
	Cluster     string          `json:"clusterArn"`
	Status      string          `json:"status"`
	Desired     int             `json:"desiredCount"`
	Running     int             `json:"runningCount"`
	Pending     int             `json:"pendingCount"`
	Launch      string          `json:"launchType"`
	Task        string          `json:"taskDefinition"`
	Strategy    string          `json:"schedulingStrategy"`
	Controller  map[string]any  `json:"deploymentController,omitempty"`
	Deployments []ecsDeployment `json:"deployments"`
	TaskSets    []any           `json:"taskSets,omitempty"`
	Events      []ecsEvent      `json:"events"`
	Created     float64         `json:"createdAt"`
	Tags        []ecsTag        `json:"tags,omitempty"`
}

func (v *ecsService) strategy() string {
	if v.daemon {
		return "DAEMON"
	}
	return "REPLICA"
}

func epoch(at int64) float64 { return float64(at/int64(time.Millisecond)) / 1000 }

// describeService shows a service as of now; the scope's lock is held.
func (k *call) describeService(v *ecsService, tags bool) ecsDescription {
	now := k.ns()
	running, pending := v.counts(now)
	seed := hash(k.c.seed, "ecs", k.accountID, k.regionName, v.id())
	d := ecsDescription{
		ARN: k.scope.ecsARN("service", v.id()), Name: v.name, Cluster: k.scope.ecsARN("cluster", v.cluster), Status: "ACTIVE",
		Desired: v.desired, Running: running, Pending: pending, Launch: v.launch, Task: k.scope.ecsARN("task-definition", v.name+":1"), Strategy: v.strategy(),
		Deployments: []ecsDeployment{}, Events: []ecsEvent{}, Created: epoch(v.created),
	}
	if v.controller != "ECS" {
		d.Controller = map[string]any{"type": v.controller}
		d.TaskSets = []any{map[string]any{"id": fmt.Sprintf("ecs-svc/%019d", seed>>1), "status": "PRIMARY", "runningCount": running, "pendingCount": pending}}
	} else {
		primary := ecsDeployment{
			ID: fmt.Sprintf("ecs-svc/%019d", seed>>1), Status: "PRIMARY", Desired: v.desired, Running: running, Pending: pending, Created: epoch(v.created), Updated: epoch(v.updated),
			Rollout: "COMPLETED", RolloutState: "ECS deployment completed.", Task: d.Task,
		}
		if now < v.rolling {
			primary.Rollout, primary.RolloutState = "IN_PROGRESS", "ECS deployment in progress."
		}
		d.Deployments = append(d.Deployments, primary)
	}
	if v.startErr != "" && pending > 0 {
		d.Events = append(d.Events, ecsEvent{
			ID: requestID(k.c.seed, seed), Created: epoch(v.updated),
			Message: fmt.Sprintf("(service %s) was unable to place a task. Reason: %s.", v.name, v.startErr),
		})
	}
	if tags {
		d.Tags = ecsTags(v.tags)
	}
	return d
}

func ecsTags(tags []Tag) []ecsTag {
	out := []ecsTag{}
	for _, t := range tags {
		out = append(out, ecsTag(t))
	}
	return out
}

// describedAtMost is AWS's bound on the services of one call.
const describedAtMost = 10

func describeServices(k *call, w *xw) *Error {
	ids := k.p.list("services")
	switch {
	case len(ids) == 0:
		return refuse("InvalidParameterValue", "Services cannot be empty.")
	case len(ids) > describedAtMost:
		return refuse("InvalidParameterValue", "Services cannot contain more than %d elements.", describedAtMost)
	}
	for _, field := range k.p.list("include") {
		if field != "TAGS" {
			return refuse("InvalidParameterValue", "Include must be TAGS, not %s", field)
		}
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	cluster, e := k.inCluster()
	if e != nil {
		return e
	}
	found, failures := []ecsDescription{}, []ecsFailure{}
	for _, id := range ids {
		v := k.scope.service(cluster, id)
		if v == nil {
			failures = append(failures, ecsFailure{k.scope.ecsARN("service", cluster+"/"+id), "MISSING"})
			continue
		}
		if k.strikes(FaultMissing, v.id(), v.name) != nil {
			continue
		}
		found = append(found, k.describeService(v, len(k.p.list("include")) > 0))
	}
	k.log.Items = len(found)
	return answerJSON(w, map[string]any{"services": found, "failures": failures})
}

// deploymentTime is how long a new deployment is in progress here.
const deploymentTime = int64(2 * time.Minute)

func updateService(k *call, w *xw) *Error {
	if e := k.p.need("service"); e != nil {
		return e
	}
	desired, e := k.p.number("desiredCount", -1, 0, maxTasks)
	if e != nil {
		return e
	}
	force, e := k.p.boolean("forceNewDeployment", false)
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	cluster, e := k.inCluster()
	if e != nil {
		return e
	}
	v := k.scope.service(cluster, k.p["service"])
	switch {
	case v == nil:
		return refuse("ServiceNotFoundException", "Service not found.")
	case v.daemon && desired >= 0:
		return refuse("InvalidParameterValue", "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again")
	case force && v.controller != "ECS":
		return refuse("InvalidParameterValue", "Cannot force a new deployment on services with a %s deployment controller.", v.controller)
	}
	if desired >= 0 {
		k.c.scale(v, desired, k.ns())
	}
	if force {
		v.rolling = k.ns() + deploymentTime
	}
	return answerJSON(w, map[string]any{"service": k.describeService(v, false)})
}

// taggedService finds the service that an ARN names; the scope's lock is held.
func (k *call) taggedService() (*ecsService, *Error) {
	if e := k.p.need("resourceArn"); e != nil {
		return nil, e
	}
	id, ok := strings.CutPrefix(k.p["resourceArn"], k.scope.ecsARN("service", ""))
	if !ok {
		return nil, refuse("InvalidParameterValue", "Invalid identifier: Identifier is for %s. The simulator tags services alone.", k.p["resourceArn"])
	}
	if v := k.scope.ecs[id]; v != nil {
		return v, nil
	}
	return nil, refuse("InvalidParameterValue", "The specified service is not found or is inactive: %s", id)
}

// ecsTagText reports whether ECS takes the text in a tag.
func ecsTagText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsSpace(r) && !strings.ContainsRune("_.:/=+-@", r)
	})
}

func tagService(k *call, w *xw) *Error {
	var set []Tag
	for _, i := range k.p.indexes("tags") {
		t := Tag{k.p["tags."+i+".key"], k.p["tags."+i+".value"]}
		if e := checkTag(t); e != nil {
			return e
		}
		if !ecsTagText(t.Key) || !ecsTagText(t.Value) {
			return refuse("InvalidParameterValue", "Some tag values contain invalid characters. Valid characters: UTF-8 letters, spaces, numbers and _ . / = + - : @.")
		}
		set = append(set, t)
	}
	if len(set) == 0 {
		return refuse("InvalidParameterValue", "Tags cannot be empty.")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	v, e := k.taggedService()
	if e != nil {
		return e
	}
	if v.tags, e = mergeTags(v.tags, set); e != nil {
		return e
	}
	w.raw("{}")
	return nil
}

func untagService(k *call, w *xw) *Error {
	keys := k.p.list("tagKeys")
	if len(keys) == 0 {
		return refuse("InvalidParameterValue", "Tag keys cannot be empty.")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	v, e := k.taggedService()
	if e != nil {
		return e
	}
	v.tags = slices.DeleteFunc(slices.Clone(v.tags), func(t Tag) bool { return slices.Contains(keys, t.Key) })
	w.raw("{}")
	return nil
}

func listServiceTags(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	v, e := k.taggedService()
	if e != nil {
		return e
	}
	return answerJSON(w, map[string]any{"tags": ecsTags(v.tags)})
}

const ecsDimension = "ecs:service:DesiredCount"

// scalable checks namespace and dimension of a request.
func (k *call) scalable() *Error {
	if ns := k.p["ServiceNamespace"]; ns != "ecs" {
		return refuse("ValidationException", "The simulator has the service namespace ecs alone, not %q", ns)
	}
	if d, given := k.p["ScalableDimension"]; given && d != ecsDimension {
		return refuse("ValidationException", "Unsupported service namespace, resource type or scalable dimension: %q", d)
	}
	return nil
}

// scalableService finds the service that a request for one target names; the scope's lock is held.
func (k *call) scalableService() (*ecsService, *Error) {
	if e := k.scalable(); e != nil {
		return nil, e
	}
	if e := k.p.need("ResourceId", "ScalableDimension"); e != nil {
		return nil, e
	}
	id, ok := strings.CutPrefix(k.p["ResourceId"], "service/")
	if !ok || strings.Count(id, "/") != 1 {
		return nil, refuse("ValidationException", "Unsupported service namespace, resource type or scalable dimension: %q", k.p["ResourceId"])
	}
	return k.scope.ecs[id], nil
}

func describeScalableTargets(k *call, w *xw) *Error {
	if e := k.scalable(); e != nil {
		return e
	}
	ids := k.p.list("ResourceIds")
	if len(ids) > 50 {
		return refuse("ValidationException", "Value at 'resourceIds' failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	found := k.scope.sortedServices(func(v *ecsService) bool {
		return v.target != nil && (len(ids) == 0 || slices.Contains(ids, "service/"+v.id()))
	})
	from, to, next, e := k.cut("MaxResults", "NextToken", len(found), 50, 50)
	if e != nil {
		return e
	}
	targets := []map[string]any{}
	for _, v := range found[from:to] {
		t := v.target
		targets = append(targets, map[string]any{
			"ServiceNamespace": "ecs", "ResourceId": "service/" + v.id(), "ScalableDimension": ecsDimension,
			"MinCapacity": t.min, "MaxCapacity": t.max, "CreationTime": epoch(t.made),
			"RoleARN": fmt.Sprintf("arn:%s:iam::%s:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService", k.scope.region.partition, k.accountID),
			"SuspendedState": map[string]bool{
				"DynamicScalingInSuspended": t.suspended[0], "DynamicScalingOutSuspended": t.suspended[1], "ScheduledScalingSuspended": t.suspended[2],
			},
		})
	}
	k.log.Items = len(targets)
	answer := map[string]any{"ScalableTargets": targets}
	if next != "" {
		answer["NextToken"] = next
	}
	return answerJSON(w, answer)
}

// registerScalableTarget makes or changes a target. As AWS does, it moves the
// service's count into the bounds, also when the request names none.
func registerScalableTarget(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	v, e := k.scalableService()
	if e != nil {
		return e
	}
	if v == nil {
		return refuse("ValidationException", "ECS service doesn't exist: %s", k.p["ResourceId"])
	}
	next := scalableTarget{min: -1, max: -1, made: k.ns()}
	if v.target != nil {
		next = *v.target
	}
	if next.min, e = k.p.number("MinCapacity", next.min, 0, maxTasks); e != nil {
		return e
	}
	if next.max, e = k.p.number("MaxCapacity", next.max, 0, maxTasks); e != nil {
		return e
	}
	switch {
	case next.min < 0 || next.max < 0:
		return refuse("ValidationException", "MinCapacity and MaxCapacity must be specified for a new scalable target")
	case next.min > next.max:
		return refuse("ValidationException", "Maximum capacity cannot be less than minimum capacity")
	}
	for i, name := range [3]string{"DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"} {
		if next.suspended[i], e = k.p.boolean("SuspendedState."+name, next.suspended[i]); e != nil {
			return e
		}
	}
	v.target = &next
	k.c.scale(v, min(max(v.desired, next.min), next.max), k.ns())
	return answerJSON(w, map[string]any{"ScalableTargetARN": fmt.Sprintf("arn:%s:application-autoscaling:%s:%s:scalable-target/0ec5%016x",
		k.scope.region.partition, k.regionName, k.accountID, hash(k.c.seed, "target", k.accountID, v.id()))})
}

func deregisterScalableTarget(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	v, e := k.scalableService()
	if e != nil {
		return e
	}
	if v == nil || v.target == nil {
		return refuse("ObjectNotFoundException", "No scalable target found for service namespace: ecs, resource ID: %s, scalable dimension: %s", k.p["ResourceId"], ecsDimension)
	}
	v.target = nil
	w.raw("{}")
	return nil
}

// taggable is what the Resource Groups Tagging API knows of a resource.
type taggable struct {
	id, name, arn string
	tags          []Tag
}

// taggables are the resource types that it finds, each in a fixed order; the scope's lock is held.
var taggables = map[string]func(*call) []taggable{
	"ecs:service": func(k *call) (out []taggable) {
		for _, v := range k.scope.sortedServices(func(*ecsService) bool { return true }) {
			out = append(out, taggable{v.id(), v.name, k.scope.ecsARN("service", v.id()), v.tags})
		}
		return out
	},
	"rds:db": func(k *call) (out []taggable) {
		for _, d := range k.scope.dbs {
			out = append(out, taggable{d.id, d.id, k.scope.dbARN("db", d.id), d.tags})
		}
		return out
	},
	"rds:cluster": func(k *call) (out []taggable) {
		for _, cl := range k.scope.clusters {
			out = append(out, taggable{cl.id, cl.id, k.scope.dbARN("cluster", cl.id), cl.tags})
		}
		return out
	},
	"redshift:cluster": func(k *call) (out []taggable) {
		for _, h := range k.scope.warehouses {
			out = append(out, taggable{h.id, h.id, k.scope.warehouseARN(h.id), h.tags})
		}
		return out
	},
	"sagemaker:notebook-instance": func(k *call) (out []taggable) {
		for _, n := range k.scope.sortedNotebooks() {
			if len(n.tags) > 0 { // of what never had a tag it does not know
				out = append(out, taggable{n.name, "", k.scope.notebookARN(n.name), n.tags})
			}
		}
		return out
	},
	"eks:nodegroup": func(k *call) (out []taggable) {
		for _, n := range k.scope.nodeGroups(k.ns(), func(*nodeGroup) bool { return true }) {
			out = append(out, taggable{n.key(), n.name, k.scope.nodeGroupARN(n), n.tags})
		}
		return out
	},
}

func getResources(k *call, w *xw) *Error {
	types := k.p.list("ResourceTypeFilters")
	for _, name := range types {
		if taggables[name] == nil {
			return refuse("InvalidParameterValue", "The simulator knows the resource types %s, not %q", strings.Join(slices.Sorted(maps.Keys(taggables)), ", "), name)
		}
	}
	if len(types) == 0 || len(types) > 100 {
		return refuse("InvalidParameterException", "The simulator takes 1 to 100 resource types, not %d", len(types))
	}
	keep := func(taggable) bool { return true }
	for _, i := range k.p.indexes("TagFilters") {
		key, values, before := k.p["TagFilters."+i+".Key"], k.p.list("TagFilters."+i+".Values"), keep
		if key == "" {
			return refuse("InvalidParameterValue", "A tag filter needs a key")
		}
		keep = func(v taggable) bool {
			return before(v) && slices.ContainsFunc(v.tags, func(t Tag) bool { return t.Key == key && (len(values) == 0 || slices.Contains(values, t.Value)) })
		}
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	var found []taggable
	for _, name := range types {
		found = append(found, slices.DeleteFunc(taggables[name](k), func(v taggable) bool { return !keep(v) })...)
	}
	from, to, next, e := k.cut("ResourcesPerPage", "PaginationToken", len(found), 50, 100)
	if e != nil {
		return e
	}
	type tag struct{ Key, Value string }
	type mapping struct {
		ResourceARN string
		Tags        []tag
	}
	list := []mapping{}
	for _, v := range found[from:to] {
		if k.strikes(FaultMissing, v.id, v.name) != nil {
			continue
		}
		m := mapping{ResourceARN: v.arn}
		for _, t := range v.tags {
			m.Tags = append(m.Tags, tag(t))
		}
		list = append(list, m)
		if k.strikes(FaultDuplicate, v.id, v.name) != nil {
			list = append(list, m)
		}
	}
	k.log.Items = len(list)
	return answerJSON(w, map[string]any{"ResourceTagMappingList": list, "PaginationToken": next})
}

// ecsNameForm is AWS's form of names of clusters and services.
var ecsNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,255}$`)

// ofServices are the fields that belong to services alone.
func (r *Resource) ofServices() []stray {
	return []stray{
		{"desired", r.Desired != 0},
		{"min", r.Min != 0},
		{"max", r.Max != 0},
		{"suspended", len(r.Suspended) > 0},
		{"scheduling", r.Scheduling != ""},
		{"controller", r.Controller != ""},
	}
}

// checkECS refuses what is not a service.
func (r *Resource) checkECS(bad func(field, format string, args ...any)) {
	if !ecsNameForm.MatchString(cmp.Or(r.Cluster, "default")) {
		bad("cluster", "%q is not a cluster: 1 to 255 letters, digits, hyphens and underscores", r.Cluster)
	}
	if name := r.numbered(r.Name, 1); !ecsNameForm.MatchString(name) {
		bad("name", "%q is not a service: 1 to 255 letters, digits, hyphens and underscores", r.Name)
	} else if r.Count > 1 && name == r.numbered(r.Name, 2) {
		bad("count", "%d services cannot have one name: put # into it", r.Count)
	}
	for key, value := range r.Tags {
		if !ecsTagText(key) || !ecsTagText(value) {
			bad("tags", "%s=%s: ECS takes letters, digits, blanks and _.:/=+-@ in tags", key, value)
		}
	}
	if r.Desired < 0 || r.Desired > maxTasks {
		bad("desired", "%d: must be between 0 and %d", r.Desired, maxTasks)
	}
	if r.Min < 0 || r.Max < 0 || r.Min > r.Max || r.Max > maxTasks {
		bad("max", "%d to %d: min must not be more than max, and both between 0 and %d", r.Min, r.Max, maxTasks)
	}
	for i, word := range r.Suspended {
		if !slices.Contains(suspensions[:], word) {
			bad(fmt.Sprintf("suspended[%d]", i), "%q is not known: %s", word, strings.Join(suspensions[:], ", "))
		}
	}
	if len(r.Suspended) > 0 && r.Max == 0 {
		bad("suspended", "belongs to a service with min and max")
	}
}

// serviceOf makes the nth copy of an entry. Its tasks have been up for long.
func (c *Cloud) serviceOf(r *Resource, n int, tags []Tag, now int64) *ecsService {
	v := &ecsService{
		cluster: cmp.Or(r.Cluster, "default"), name: r.numbered(r.Name, n+1), launch: cmp.Or(r.Type, "FARGATE"),
		daemon: r.Scheduling == "DAEMON", controller: cmp.Or(r.Controller, "ECS"), created: c.launchedAt(r.Launched, now), tags: tags, startErr: r.StartError,
	}
	v.updated = v.created
	if r.State != "stopped" {
		v.desired = cmp.Or(r.Desired, 1)
	}
	for range v.desired {
		v.tasks = append(v.tasks, task{always, forever})
	}
	if r.Max > 0 {
		v.target = &scalableTarget{min: r.Min, max: r.Max, made: v.created}
		for i, word := range suspensions {
			v.target.suspended[i] = slices.Contains(r.Suspended, word)
		}
	}
	return v
}

func (s *scope) describeECS(v *ecsService) Resource {
	r := Resource{
		Account: s.account.id, Region: s.region.name, Kind: "ecs", Name: v.name, Cluster: v.cluster, Type: v.launch, State: "running", Desired: v.desired,
		StartError: v.startErr, Launched: When{At: instant(v.created)}, Tags: tagMap(v.tags),
	}
	if v.desired == 0 {
		r.State = "stopped"
	}
	if v.daemon {
		r.Scheduling = "DAEMON"
	}
	if v.controller != "ECS" {
		r.Controller = v.controller
	}
	if t := v.target; t != nil {
		r.Min, r.Max = t.min, t.max
		for i, word := range suspensions {
			if t.suspended[i] {
				r.Suspended = append(r.Suspended, word)
			}
		}
	}
	return r
}

// Service is the true state of a service of ECS.
type Service struct {
	ID, ARN, Account, Region  string // ID is cluster/name
	Desired, Running, Pending int
	// Scaled: Application Auto Scaling has a target, with these bounds and these
	// kinds of scaling suspended: in, out, scheduled.
	Scaled    bool
	Min, Max  int
	Suspended []string
	Tags      map[string]string
}

// Services gives the services of an account and region in order of their ids;
// an empty account or region means all.
func (c *Cloud) Services(account, region string) []Service {
	var out []Service
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		for _, v := range s.sortedServices(func(*ecsService) bool { return true }) {
			r := s.describeECS(v)
			running, pending := v.counts(now)
			out = append(out, Service{
				ID: v.id(), ARN: s.ecsARN("service", v.id()), Account: s.account.id, Region: s.region.name, Desired: v.desired, Running: running, Pending: pending,
				Scaled: v.target != nil, Min: r.Min, Max: r.Max, Suspended: r.Suspended, Tags: r.Tags,
			})
		}
		s.mu.Unlock()
	}
	return out
}

// ScaleService sets the desired count of a service as a person at the console would.
func (c *Cloud) ScaleService(account, region, id string, desired int) error {
	return c.onService(account, region, id, func(v *ecsService, now int64) error {
		c.scale(v, desired, now)
		return nil
	})
}

// AutoScaleService is what a scaling policy does when its alarm goes off: it
// moves the count within the bounds, unless that is suspended. It reports
// whether the count changed.
func (c *Cloud) AutoScaleService(account, region, id string, desired int) (changed bool, err error) {
	err = c.onService(account, region, id, func(v *ecsService, now int64) error {
		if v.target == nil {
			return fmt.Errorf("scale service %s: Application Auto Scaling has no target for it", id)
		}
		to := min(max(desired, v.target.min), v.target.max)
		if to < v.desired && v.target.suspended[0] || to > v.desired && v.target.suspended[1] {
			return nil
		}
		changed = to != v.desired
		c.scale(v, to, now)
		return nil
	})
	return changed, err
}

// DeployService begins a deployment of a service as its owner's pipeline would; it is in progress for two minutes.
func (c *Cloud) DeployService(account, region, id string) error {
	return c.onService(account, region, id, func(v *ecsService, now int64) error {
		v.rolling = now + deploymentTime
		return nil
	})
}

func (c *Cloud) onService(account, region, id string, do func(*ecsService, int64) error) error {
	c.mu.RLock()
	s := c.scopes[scopeKey{account, region}]
	c.mu.RUnlock()
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if v := s.ecs[id]; v != nil {
			return do(v, c.Now().UnixNano())
		}
	}
	return fmt.Errorf("service %s: there is none in account %s, %s", id, account, region)
}
