package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of Run Command.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html
const (
	maxCommandTargets  = 50
	maxCommandComment  = 100
	shownOutput        = 2500 // characters of a plugin's output in a listing
	minDelivery        = 30   // seconds
	maxDelivery        = 2_592_000
	defaultDelivery    = 3600
	defaultExecution   = 3600
	maxExecution       = 172_800
	maxInformation     = 50
	maxSessionsPage    = 200
	commandFilters     = 5
	mostCommandsOfLog  = 100_000 // that a scope keeps here; AWS keeps thirty days
	shellDocument      = "AWS-RunShellScript"
	powerShellDocument = "AWS-RunPowerShellScript"
)

// plugins of the documents, by name.
var plugins = map[string]struct{ name, platform string }{
	shellDocument:      {"aws:runShellScript", guestLinux},
	powerShellDocument: {"aws:runPowerShellScript", guestWindows},
}

// command is one that was sent.
type command struct {
	id, document, comment string
	parameters            map[string][]string
	sent                  int64
	delivery, execution   int64 // how long each may take
	cancelled             int64 // 0: it was not
	invocations           []*invocation
}

// invocation is a command on an instance. Its future is fixed when it is sent.
type invocation struct {
	*command
	i       *instance
	fetched int64 // when the agent has it; never for one that does not answer
	ran     ran
	foreign bool // the script is for another platform
}

const never = int64(1<<63 - 1)

// invocationState is how an invocation stands, in AWS's words.
type invocationState struct {
	status, details string
	exit            int
	output          string
	began, ended    int64
}

// at is how the invocation stands at an instant; the scope's lock is held.
func (v *invocation) at(now int64) invocationState {
	out := invocationState{status: "Pending", details: "Pending", exit: -1, began: v.fetched, ended: now}
	end := func(at int64, status, details string) invocationState {
		out.status, out.details, out.ended = status, details, at
		return out
	}
	expires := v.sent + v.delivery
	up := v.fetched != never && v.i.line.when(min(v.fetched, now)) != nil && v.i.line.when(min(v.fetched, now)).state == running
	switch arrives := v.fetched <= expires && up; {
	case v.foreign && now >= v.fetched:
		return end(v.fetched, "Failed", "InvalidPlatform")
	case v.cancelled != 0 && (!arrives || v.cancelled < v.fetched):
		return end(v.cancelled, "Cancelled", "Cancelled")
	case !arrives && now >= expires:
		return end(expires, "TimedOut", "DeliveryTimedOut")
	case !arrives || now < v.fetched:
		return out
	}
	takes, over := v.ran.takes, false
	if takes > v.execution {
		takes, over = v.execution, true
	}
	switch done := v.fetched + takes; {
	case v.cancelled != 0 && v.cancelled < done:
		return end(v.cancelled, "Cancelled", "Cancelled")
	case now < done:
		out.status, out.details = "InProgress", "InProgress"
		return out
	case over:
		out.output = v.ran.output
		return end(done, "TimedOut", "ExecutionTimedOut")
	case v.ran.exit != 0:
		out.exit, out.output = v.ran.exit, v.ran.output
		return end(done, "Failed", "Failed")
	default:
		out.exit, out.output = 0, v.ran.output
		return end(done, "Success", "Success")
	}
}

// commandActions are Run Command's and Session Manager's among those of Systems Manager.
func commandActions() map[string]*action {
	const one = "CommandId InstanceId MaxResults NextToken Filters.N.key Filters.N.value"
	return map[string]*action{
		"SendCommand": does(write, "DocumentName DocumentVersion InstanceIds.N Comment TimeoutSeconds MaxConcurrency MaxErrors "+
			"Parameters.commands.N Parameters.executionTimeout.N Parameters.workingDirectory.N", "InstanceIds", sendCommand),
		"ListCommands":                does(read, one, "CommandId", listCommands),
		"ListCommandInvocations":      does(read, one+" Details", "CommandId", listCommandInvocations),
		"GetCommandInvocation":        does(read, "CommandId InstanceId PluginName", "CommandId InstanceId", getCommandInvocation),
		"CancelCommand":               does(write, "CommandId InstanceIds.N", "CommandId InstanceIds", cancelCommand),
		"DescribeInstanceInformation": does(read, "MaxResults NextToken Filters.N.Key Filters.N.Values.N InstanceInformationFilterList.N.key InstanceInformationFilterList.N.valueSet.N", "", describeInstanceInformation),
		"DescribeSessions":            does(read, "State MaxResults NextToken Filters.N.key Filters.N.value", "", describeSessions),
	}
}

func sendCommand(k *call, w *xw) *Error {
	plugin, known := plugins[k.p["DocumentName"]]
	if !known {
		return refuse("InvalidDocument", "The simulator has the documents %s and %s", shellDocument, powerShellDocument)
	}
	ids, lines := k.p.list("InstanceIds"), k.p.list("Parameters.commands")
	switch {
	case len(ids) == 0:
		return refuse("InvalidInstanceId", "")
	case len(ids) > maxCommandTargets:
		return refuse("ValidationException", "1 validation error detected: Value '%s' at 'instanceIds' failed to satisfy constraint: Member must have length less than or equal to %d", ids, maxCommandTargets)
	case utf8.RuneCountInString(k.p["Comment"]) > maxCommandComment:
		return refuse("ValidationException", "1 validation error detected: Value at 'comment' failed to satisfy constraint: Member must have length less than or equal to %d", maxCommandComment)
	case len(lines) == 0:
		return refuse("InvalidParameters", "commands: a value is required")
	case slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "{{") }):
		return refuse("InvalidParameters", "The simulator does not fill in parameters: {{ in commands")
	}
	delivery, e := k.p.number("TimeoutSeconds", defaultDelivery, minDelivery, maxDelivery)
	if e != nil {
		return e
	}
	execution := defaultExecution
	if text := k.p["Parameters.executionTimeout.1"]; text != "" {
		var err error
		if execution, err = strconv.Atoi(text); err != nil || execution < 1 || execution > maxExecution {
			return refuse("InvalidParameters", "executionTimeout: %q is not a number of seconds from 1 to %d", text, maxExecution)
		}
	}
	s, now := k.scope, k.ns()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	var idle []string
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			return refuse("DuplicateInstanceId", "%s is named twice", id)
		}
		seen[id] = true
		// One that runs and does not answer is waited for; others are refused.
		if i := s.byID[id]; i == nil || i.guest == nil || i.state(now) != running {
			idle = append(idle, id)
		}
	}
	if len(idle) > 0 {
		return refuse("InvalidInstanceId", "Instances [[%s]] not in a valid state for account %s", strings.Join(idle, ", "), s.account.id)
	}
	c := &command{
		id: uuid(k.c.seed, k.c.mint()), document: k.p["DocumentName"], comment: k.p["Comment"], sent: now,
		delivery: int64(delivery) * int64(time.Second), execution: int64(execution) * int64(time.Second), parameters: map[string][]string{},
	}
	for _, name := range []string{"commands", "executionTimeout", "workingDirectory"} {
		if values := k.p.list("Parameters." + name); len(values) > 0 {
			c.parameters[name] = values
		}
	}
	for _, id := range ids {
		i := s.byID[id]
		v := &invocation{command: c, i: i, fetched: never, foreign: plugin.platform != i.system()}
		if i.guest.Agent != agentOffline {
			p := i.line.when(now)
			v.fetched = now + int64(cmp.Or(time.Duration(i.guest.Slow), defaultFetch))
			if p.at != always {
				v.fetched = max(v.fetched, p.at+int64(i.guest.AgentAfter))
			}
			v.ran = i.runs(strings.Join(lines, "\n"), v.fetched)
		}
		c.invocations = append(c.invocations, v)
	}
	s.commands = append(s.commands, c)
	if len(s.commands) > mostCommandsOfLog {
		s.commands = slices.Clone(s.commands[1:])
	}
	return k.answerDoc(w, doc{{"Command", c.shown(now)}})
}

// shown is a command as AWS describes it.
func (c *command) shown(now int64) doc {
	ids := make([]string, len(c.invocations))
	counts := map[string]int{}
	for n, v := range c.invocations {
		ids[n] = v.i.id
		counts[v.at(now).status]++
	}
	status := "Success"
	switch all := len(c.invocations); {
	case counts["Pending"] == all:
		status = "Pending"
	case counts["Pending"]+counts["InProgress"] > 0:
		status = "InProgress"
	case counts["Cancelled"] > 0:
		status = "Cancelled"
	case counts["Failed"] > 0:
		status = "Failed"
	case counts["TimedOut"] > 0:
		status = "TimedOut"
	}
	parameters := doc{}
	for _, name := range []string{"commands", "executionTimeout", "workingDirectory"} {
		if values := c.parameters[name]; values != nil {
			parameters = append(parameters, member{name, values})
		}
	}
	return doc{
		{"CommandId", c.id},
		{"DocumentName", c.document},
		{"DocumentVersion", "$DEFAULT"},
		{"Comment", c.comment},
		{"ExpiresAfter", instant(c.sent + c.delivery + c.execution)},
		{"Parameters", parameters},
		{"InstanceIds", ids},
		{"Targets", []doc{}},
		{"RequestedDateTime", instant(c.sent)},
		{"Status", status},
		{"StatusDetails", status},
		{"MaxConcurrency", "50"},
		{"MaxErrors", "0"},
		{"TargetCount", len(ids)},
		{"CompletedCount", len(ids) - counts["Pending"] - counts["InProgress"]},
		{"ErrorCount", counts["Failed"]},
		{"TimeoutSeconds", int(time.Duration(c.delivery) / time.Second)},
	}
}

// commandsOf are the commands that a listing asks for, the newest first.
func (k *call) commandsOf() ([]*command, *Error) {
	idx := k.p.indexes("Filters")
	if len(idx) > commandFilters {
		return nil, refuse("ValidationException", "%d filters: Member must have length less than or equal to %d", len(idx), commandFilters)
	}
	keep := func(c *command) bool {
		return (k.p["CommandId"] == "" || c.id == k.p["CommandId"]) &&
			(k.p["InstanceId"] == "" || slices.ContainsFunc(c.invocations, func(v *invocation) bool { return v.i.id == k.p["InstanceId"] }))
	}
	for _, n := range idx {
		key, value, before := k.p["Filters."+n+".key"], k.p["Filters."+n+".value"], keep
		switch key {
		case "InvokedAfter", "InvokedBefore":
			bound, err := time.Parse(time.RFC3339, value)
			if err != nil {
				return nil, refuse("ValidationException", "%s: %q is not an instant such as 2027-02-07T02:00:00Z", key, value)
			}
			after := key == "InvokedAfter"
			keep = func(c *command) bool { return before(c) && after != instant(c.sent).Before(bound) }
		case "DocumentName":
			keep = func(c *command) bool { return before(c) && c.document == value }
		default:
			return nil, refuse("InvalidFilterKey", "The simulator has the filters InvokedAfter, InvokedBefore and DocumentName, not %q", key)
		}
	}
	var found []*command
	for _, c := range slices.Backward(k.scope.commands) {
		if keep(c) && k.strikes(FaultMissing, c.id, "") == nil {
			found = append(found, c)
		}
	}
	if id := k.p["CommandId"]; id != "" && !slices.ContainsFunc(k.scope.commands, func(c *command) bool { return c.id == id }) {
		return nil, refuse("InvalidCommandId", "")
	}
	return found, nil
}

func listCommands(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	found, e := k.commandsOf()
	if e != nil {
		return e
	}
	from, to, next, e := k.window(len(found), 50, 1, 50)
	if e != nil {
		return e
	}
	list := []doc{}
	for _, c := range found[from:to] {
		list = append(list, c.shown(k.ns()))
	}
	k.log.Items = len(list)
	return k.answerDoc(w, withToken(doc{{"Commands", list}}, next))
}

// withToken adds the token of the next page where there is one.
func withToken(d doc, next string) doc {
	if next != "" {
		d = append(d, member{"NextToken", next})
	}
	return d
}

func listCommandInvocations(k *call, w *xw) *Error {
	details, e := k.p.boolean("Details", false)
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	commands, e := k.commandsOf()
	if e != nil {
		return e
	}
	var found []*invocation
	for _, c := range commands {
		for _, v := range c.invocations {
			if k.p["InstanceId"] == "" || v.i.id == k.p["InstanceId"] {
				found = append(found, v)
			}
		}
	}
	from, to, next, e := k.window(len(found), 50, 1, 50)
	if e != nil {
		return e
	}
	list := []doc{}
	for _, v := range found[from:to] {
		is := v.at(k.ns())
		one := doc{
			{"CommandId", v.id},
			{"InstanceId", v.i.id},
			{"InstanceName", v.i.name()},
			{"Comment", v.comment},
			{"DocumentName", v.document},
			{"DocumentVersion", "$DEFAULT"},
			{"RequestedDateTime", instant(v.sent)},
			{"Status", is.status},
			{"StatusDetails", is.details},
		}
		shown := []doc{}
		if details && is.details != "Pending" && is.details != "DeliveryTimedOut" && is.details != "InvalidPlatform" {
			shown = append(shown, doc{
				{"Name", plugins[v.document].name},
				{"Status", is.status},
				{"StatusDetails", is.details},
				{"ResponseCode", is.exit},
				{"ResponseStartDateTime", instant(is.began)},
				{"ResponseFinishDateTime", instant(is.ended)},
				{"Output", cut(is.output)},
			})
		}
		list = append(list, append(one, member{"CommandPlugins", shown}))
	}
	k.log.Items = len(list)
	return k.answerDoc(w, withToken(doc{{"CommandInvocations", list}}, next))
}

// cut leaves of an output what a listing shows.
func cut(output string) string {
	if runes := []rune(output); len(runes) > shownOutput {
		return string(runes[:shownOutput])
	}
	return output
}

// commandNamed finds a command; the scope's lock is held.
func (k *call) commandNamed() (*command, *Error) {
	if e := k.p.need("CommandId"); e != nil {
		return nil, e
	}
	at := slices.IndexFunc(k.scope.commands, func(c *command) bool { return c.id == k.p["CommandId"] })
	if at < 0 {
		return nil, refuse("InvalidCommandId", "")
	}
	return k.scope.commands[at], nil
}

func getCommandInvocation(k *call, w *xw) *Error {
	if e := k.p.need("InstanceId"); e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	c, e := k.commandNamed()
	if e != nil {
		return e
	}
	at := slices.IndexFunc(c.invocations, func(v *invocation) bool { return v.i.id == k.p["InstanceId"] })
	if name := k.p["PluginName"]; at < 0 {
		return refuse("InvocationDoesNotExist", "")
	} else if name != "" && name != plugins[c.document].name {
		return refuse("InvalidPluginName", "")
	}
	is := c.invocations[at].at(k.ns())
	return k.answerDoc(w, doc{
		{"CommandId", c.id},
		{"InstanceId", k.p["InstanceId"]},
		{"Comment", c.comment},
		{"DocumentName", c.document},
		{"DocumentVersion", "$DEFAULT"},
		{"PluginName", plugins[c.document].name},
		{"ResponseCode", is.exit},
		{"Status", is.status},
		{"StatusDetails", is.details},
		{"StandardOutputContent", is.output},
		{"StandardErrorContent", ""},
	})
}

// cancelCommand ends what is under way, on all instances.
func cancelCommand(k *call, w *xw) *Error {
	if k.p.has("InstanceIds.1") {
		return refuse("ValidationException", "The simulator cancels a command on all of its instances")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	c, e := k.commandNamed()
	if e != nil {
		return e
	}
	if c.cancelled == 0 {
		c.cancelled = k.ns()
	}
	return k.answerDoc(w, doc{})
}

// describeInstanceInformation lists the instances that have, or had, an agent.
func describeInstanceInformation(k *call, w *xw) *Error {
	keep := func(*instance, string) bool { return true }
	for _, list := range [][3]string{{"Filters", "Key", "Values"}, {"InstanceInformationFilterList", "key", "valueSet"}} {
		for _, n := range k.p.indexes(list[0]) {
			values, before := k.p.list(list[0]+"."+n+"."+list[2]), keep
			if len(values) == 0 || len(values) > 100 {
				return refuse("InvalidInstanceInformationFilterValue", "1 to 100 values are possible")
			}
			switch key := k.p[list[0]+"."+n+"."+list[1]]; key {
			case "InstanceIds":
				keep = func(i *instance, ping string) bool { return before(i, ping) && slices.Contains(values, i.id) }
			case "PingStatus":
				keep = func(i *instance, ping string) bool { return before(i, ping) && slices.Contains(values, ping) }
			default:
				return refuse("InvalidFilterKey", "The simulator has the filters InstanceIds and PingStatus, not %q", key)
			}
		}
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	k.scope.sweep(k.ns())
	ping := func(i *instance) string {
		if i.online(k.ns()) {
			return "Online"
		}
		return "ConnectionLost"
	}
	var found []*instance
	for _, i := range k.scope.instances {
		if i.guest != nil && i.state(k.ns()) != terminated && keep(i, ping(i)) {
			found = append(found, i)
		}
	}
	from, to, next, e := k.window(len(found), 10, 5, maxInformation)
	if e != nil {
		return e
	}
	list := []doc{}
	for _, i := range found[from:to] {
		platform, name := "Linux", "Amazon Linux"
		if i.system() == guestWindows {
			platform, name = "Windows", "Microsoft Windows Server 2022 Datacenter"
		}
		list = append(list, doc{
			{"InstanceId", i.id},
			{"PingStatus", ping(i)},
			{"LastPingDateTime", k.now},
			{"AgentVersion", "3.3.2299.0"},
			{"IsLatestVersion", true},
			{"PlatformType", platform},
			{"PlatformName", name},
			{"ResourceType", "EC2Instance"},
			{"IPAddress", i.address()},
			{"ComputerName", i.id},
		})
	}
	k.log.Items = len(list)
	return k.answerDoc(w, withToken(doc{{"InstanceInformationList", list}}, next))
}

func describeSessions(k *call, w *xw) *Error {
	keep := func(*instance) bool { return true }
	for _, n := range k.p.indexes("Filters") {
		value, before := k.p["Filters."+n+".value"], keep
		switch key := k.p["Filters."+n+".key"]; key {
		case "Target":
			keep = func(i *instance) bool { return before(i) && i.id == value }
		default:
			return refuse("InvalidFilterKey", "The simulator has the filter Target, not %q", key)
		}
	}
	state := k.p["State"]
	if state != "Active" && state != "History" {
		return refuse("ValidationException", "1 validation error detected: Value '%s' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [Active, History]", state)
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	k.scope.sweep(k.ns())
	list := []doc{}
	for _, i := range k.scope.instances {
		if state != "Active" || i.guest == nil || i.state(k.ns()) != running || !keep(i) {
			continue
		}
		for n := range i.guest.Sessions {
			list = append(list, doc{
				{"SessionId", fmt.Sprintf("someone-%017x", hash(k.c.seed, "session", i.id, n))},
				{"Target", i.id},
				{"Status", "Connected"},
				{"StartDate", k.c.start},
				{"Owner", "arn:" + k.scope.region.partition + ":iam::" + k.scope.account.id + ":user/someone"},
			})
		}
	}
	from, to, next, e := k.window(len(list), maxSessionsPage, 1, maxSessionsPage)
	if e != nil {
		return e
	}
	k.log.Items = to - from
	return k.answerDoc(w, withToken(doc{{"Sessions", list[from:to]}}, next))
}

// SentCommand is a command that was sent, for tests.
type SentCommand struct {
	ID, Comment string
	Instances   []string
	Lines       []string
}

// SentCommands gives the commands of an account and region in the order in which
// they were sent; an empty account or region means all.
func (c *Cloud) SentCommands(account, region string) []SentCommand {
	var out []SentCommand
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		for _, one := range s.commands {
			sent := SentCommand{ID: one.id, Comment: one.comment, Lines: one.parameters["commands"]}
			for _, v := range one.invocations {
				sent.Instances = append(sent.Instances, v.i.id)
			}
			out = append(out, sent)
		}
		s.mu.Unlock()
	}
	return out
}
