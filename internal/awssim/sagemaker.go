package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// sagemakerService is the row of SageMaker, of which only notebook instances are there.
func sagemakerService() *service {
	const named = "NotebookInstanceName"
	return &service{
		name: "sagemaker", version: "2017-07-24", protocol: awsJSON, namespace: "SageMaker",
		words: map[string]string{
			"InvalidNextToken": "ValidationException", "InvalidParameterCombination": "ValidationException", "InvalidParameterValue": "ValidationException",
			"MissingParameter": "ValidationException", "UnknownParameter": "ValidationException", "TagLimitExceeded": "ValidationException",
		},
		actions: map[string]*action{
			"ListNotebookInstances":    does(read, "MaxResults NextToken NameContains StatusEquals", "", listNotebooks),
			"DescribeNotebookInstance": does(read, named, named, onNotebook(describeNotebook)),
			"StartNotebookInstance":    does(write, named, named, onNotebook(startNotebook)),
			"StopNotebookInstance":     does(write, named, named, onNotebook(stopNotebook)),
			"AddTags":                  does(write, "ResourceArn Tags.N.Key Tags.N.Value", "ResourceArn", addNotebookTags),
			"DeleteTags":               does(write, "ResourceArn TagKeys.N", "ResourceArn", deleteNotebookTags),
			"ListTags":                 does(read, "ResourceArn MaxResults NextToken", "ResourceArn", listNotebookTags),
		},
	}
}

// States of a notebook instance, in the order of notebookStates.
const (
	nbInService uint8 = iota
	nbStopped
	nbPending
	nbStopping
	nbFailed
)

var notebookStates = [...]string{"InService", "Stopped", "Pending", "Stopping", "Failed"}

// notebook is a notebook instance.
type notebook struct {
	name    string
	typ     string
	created int64
	tags    []Tag
	line    timeline
	// failure is why it failed, or fails when it is started; empty: it does not.
	failure  string
	startErr string
}

func (n *notebook) state(t int64) uint8 { return n.line.when(t).state }

// notebookARN writes the name in small letters, as SageMaker does.
func (s *scope) notebookARN(name string) string {
	return fmt.Sprintf("arn:%s:sagemaker:%s:%s:notebook-instance/%s", s.region.partition, s.region.name, s.account.id, strings.ToLower(name))
}

// sortedNotebooks gives the notebook instances in order of their names; the scope's lock is held.
func (s *scope) sortedNotebooks() []*notebook {
	var out []*notebook
	for _, key := range slices.Sorted(maps.Keys(s.notebooks)) {
		out = append(out, s.notebooks[key])
	}
	return out
}

// onNotebook makes an action of what is done to the notebook instance that a
// request names: it is found, and the scope's lock is held.
func onNotebook(run func(k *call, w *xw, n *notebook, now int64) *Error) func(*call, *xw) *Error {
	return func(k *call, w *xw) *Error {
		if e := k.p.need("NotebookInstanceName"); e != nil {
			return e
		}
		k.scope.mu.Lock()
		defer k.scope.mu.Unlock()
		n := k.scope.notebooks[strings.ToLower(k.p["NotebookInstanceName"])]
		if n == nil {
			return refuse("ValidationException", "RecordNotFound")
		}
		return run(k, w, n, k.ns())
	}
}

// transit refuses a change from a state that is not one of those, in SageMaker's words.
func (k *call) transit(n *notebook, now int64, to uint8, from ...uint8) *Error {
	if slices.Contains(from, n.state(now)) {
		return nil
	}
	var names []string
	for _, state := range from {
		names = append(names, notebookStates[state])
	}
	return refuse("ValidationException", "Status (%s) not in ([%s]). Unable to transition to (%s) for Notebook Instance (%s).",
		notebookStates[n.state(now)], strings.Join(names, ", "), notebookStates[to], k.scope.notebookARN(n.name))
}

// noCapacity is what SageMaker says of a start for which there is no machine.
const noCapacity = "Insufficient notebook instance capacity. Retry later or with a different instance type."

// startNotebook launches a machine for the volume. Whether there is one shows only afterwards.
func startNotebook(k *call, _ *xw, n *notebook, now int64) *Error {
	if e := k.transit(n, now, nbPending, nbStopped, nbFailed); e != nil {
		return e
	}
	if f := k.strikes(FaultCannotStart, n.name, ""); f != nil {
		return refuse(cmp.Or(f.Code, "ResourceLimitExceeded"), "%s", cmp.Or(f.Message, fmt.Sprintf(
			"The account-level service limit '%s for notebook instance usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances.", n.typ)))
	}
	end := phase{at: now + k.c.lasts("notebook-pending", n.name, now), state: nbInService}
	n.failure = n.startErr
	if f := k.strikes(FaultFallBack, n.name, ""); f != nil {
		n.failure = cmp.Or(f.Message, noCapacity)
	}
	if n.failure != "" {
		end.state = nbFailed
	}
	n.line.turn(now, phase{at: now, state: nbPending}, end)
	return nil
}

func stopNotebook(k *call, _ *xw, n *notebook, now int64) *Error {
	if e := k.transit(n, now, nbStopping, nbInService); e != nil {
		return e
	}
	n.line.turn(now, phase{at: now, state: nbStopping}, phase{at: now + k.c.lasts("notebook-stopping", n.name, now), state: nbStopped})
	return nil
}

// notebookSummary is a notebook instance as its listing shows it, notebookDescription as its description does.
type notebookSummary struct {
	Name     string  `json:"NotebookInstanceName"`
	ARN      string  `json:"NotebookInstanceArn"`
	Status   string  `json:"NotebookInstanceStatus"`
	Type     string  `json:"InstanceType"`
	Created  float64 `json:"CreationTime"`
	Modified float64 `json:"LastModifiedTime"`
}

type notebookDescription struct {
	notebookSummary
	Failure string `json:"FailureReason,omitempty"`
	Role    string `json:"RoleArn"`
	Volume  int    `json:"VolumeSizeInGB"`
}

func (k *call) summary(n *notebook, t int64) notebookSummary {
	return notebookSummary{
		Name: n.name, ARN: k.scope.notebookARN(n.name), Status: notebookStates[n.state(t)], Type: n.typ,
		Created: epoch(n.created), Modified: epoch(max(n.created, n.line.when(t).at)),
	}
}

func listNotebooks(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	status, named := k.p["StatusEquals"], k.p["NameContains"]
	if status != "" && !slices.Contains(notebookStates[:], status) && !slices.Contains([]string{"Deleting", "Updating"}, status) {
		return refuse("InvalidParameterValue", "Value '%s' at 'statusEquals' failed to satisfy constraint: Member must satisfy enum value set", status)
	}
	var found []notebookSummary
	for _, n := range k.scope.sortedNotebooks() {
		if s := k.summary(n, k.seen(n.name, n.line, nil)); strings.Contains(n.name, named) && (status == "" || status == s.Status) {
			found = append(found, s)
		}
	}
	from, to, next, e := k.cut("MaxResults", "NextToken", len(found), 10, 100)
	if e != nil {
		return e
	}
	list := []notebookSummary{}
	for _, s := range found[from:to] {
		if k.strikes(FaultMissing, s.Name, "") != nil {
			continue
		}
		list = append(list, s)
		if k.strikes(FaultDuplicate, s.Name, "") != nil {
			list = append(list, s)
		}
	}
	k.log.Items = len(list)
	return answerJSON(w, struct {
		Notebooks []notebookSummary `json:"NotebookInstances"`
		NextToken string            `json:"NextToken,omitempty"`
	}{list, next})
}

func describeNotebook(k *call, w *xw, n *notebook, now int64) *Error {
	d := notebookDescription{
		notebookSummary: k.summary(n, now), Volume: 5,
		Role: fmt.Sprintf("arn:%s:iam::%s:role/service-role/AmazonSageMaker-ExecutionRole", k.scope.region.partition, k.accountID),
	}
	if n.state(now) == nbFailed {
		d.Failure = n.failure
	}
	return answerJSON(w, d)
}

// taggedNotebook finds the notebook instance that an ARN names; the scope's lock is held.
func (k *call) taggedNotebook() (*notebook, *Error) {
	if e := k.p.need("ResourceArn"); e != nil {
		return nil, e
	}
	if name, ok := strings.CutPrefix(k.p["ResourceArn"], k.scope.notebookARN("")); ok {
		if n := k.scope.notebooks[name]; n != nil {
			return n, nil
		}
	}
	return nil, refuse("ValidationException", "RecordNotFound")
}

func addNotebookTags(k *call, w *xw) *Error {
	set, e := k.readTags("Tags")
	if e != nil {
		return e
	}
	for _, t := range set {
		if !ecsTagText(t.Key) || !ecsTagText(t.Value) {
			return refuse("ValidationException", `Value at 'tags' failed to satisfy constraint: Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)`)
		}
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	n, e := k.taggedNotebook()
	if e != nil {
		return e
	}
	if n.tags, e = mergeTags(n.tags, set); e != nil {
		return e
	}
	return answerJSON(w, map[string]any{"Tags": tagPairs(n.tags)})
}

func deleteNotebookTags(k *call, w *xw) *Error {
	keys := k.p.list("TagKeys")
	if len(keys) == 0 {
		return refuse("MissingParameter", "The request must contain the parameter TagKeys")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	n, e := k.taggedNotebook()
	if e != nil {
		return e
	}
	n.tags = slices.DeleteFunc(slices.Clone(n.tags), func(t Tag) bool { return slices.Contains(keys, t.Key) })
	w.raw("{}")
	return nil
}

func listNotebookTags(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	n, e := k.taggedNotebook()
	if e != nil {
		return e
	}
	from, to, next, e := k.cut("MaxResults", "NextToken", len(n.tags), 50, maxTags)
	if e != nil {
		return e
	}
	answer := map[string]any{"Tags": tagPairs(n.tags[from:to])}
	if next != "" {
		answer["NextToken"] = next
	}
	return answerJSON(w, answer)
}

// tagPairs are tags as SageMaker writes them.
func tagPairs(tags []Tag) []map[string]string {
	out := []map[string]string{}
	for _, t := range tags {
		out = append(out, map[string]string{"Key": t.Key, "Value": t.Value})
	}
	return out
}

var (
	notebookNameForm = regexp.MustCompile(`^[a-zA-Z0-9](-*[a-zA-Z0-9])*$`)
	notebookTypeForm = regexp.MustCompile(`^ml\.[a-z0-9]+\.[a-z0-9]+$`)
)

// checkNotebook refuses what is not a notebook instance.
func (r *Resource) checkNotebook(bad func(field, format string, args ...any)) {
	if name := r.numbered(r.Name, 1); len(name) > 63 || !notebookNameForm.MatchString(name) {
		bad("name", "%q is not a notebook instance: 1 to 63 letters, digits and hyphens between them", r.Name)
	} else if r.Count > 1 && name == r.numbered(r.Name, 2) {
		bad("count", "%d notebook instances cannot have one name: put # into it", r.Count)
	}
	if r.Type != "" && !notebookTypeForm.MatchString(r.Type) {
		bad("type", "%q is not a type of notebook instances, such as ml.t3.medium", r.Type)
	}
	for key, value := range r.Tags {
		if !ecsTagText(key) || !ecsTagText(value) {
			bad("tags", "%s=%s: SageMaker takes letters, digits, blanks and _.:/=+-@ in tags", key, value)
		}
	}
}

// notebookOf makes the nth copy of an entry.
func (c *Cloud) notebookOf(r *Resource, n int, tags []Tag, now int64) *notebook {
	i := max(slices.Index(notebookStates[:], cmp.Or(r.State, "InService")), 0)
	nb := &notebook{
		name: r.numbered(r.Name, n+1), typ: cmp.Or(r.Type, "ml.t3.medium"), created: c.launchedAt(r.Launched, now), tags: tags, startErr: r.StartError,
		line: timeline{{at: always, state: uint8(i)}},
	}
	if nb.line[0].state == nbFailed {
		nb.failure = cmp.Or(r.StartError, noCapacity)
	}
	return nb
}

func (s *scope) describeNotebook(n *notebook) Resource {
	return Resource{
		Account: s.account.id, Region: s.region.name, Kind: "notebook", Name: n.name, Type: n.typ, State: notebookStates[n.line[len(n.line)-1].state],
		StartError: n.startErr, Launched: When{At: instant(n.created)}, Tags: tagMap(n.tags),
	}
}

// Notebook is the true state of a notebook instance.
type Notebook struct {
	Name, ARN, Account, Region string
	Type, State, Failure       string
	Tags                       map[string]string
}

// Notebooks gives the notebook instances of an account and region in order of
// their names; an empty account or region means all.
func (c *Cloud) Notebooks(account, region string) []Notebook {
	var out []Notebook
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		for _, n := range s.sortedNotebooks() {
			v := Notebook{Name: n.name, ARN: s.notebookARN(n.name), Account: s.account.id, Region: s.region.name, Type: n.typ, State: notebookStates[n.state(now)], Tags: tagMap(n.tags)}
			if n.state(now) == nbFailed {
				v.Failure = n.failure
			}
			out = append(out, v)
		}
		s.mu.Unlock()
	}
	return out
}
