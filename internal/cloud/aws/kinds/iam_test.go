package kinds

//go:generate go test -run TestIAM -update .

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/fleet"
	"dayshift/internal/golden"
)

// Where the policies lie.
const (
	iamPage    = "../../../../docs/iam.md"
	iamFolder  = "../../../../deploy/iam"
	defaultTag = "Schedule" // config's default for tag
)

// Names in the shipped policies that people replace by their own.
const (
	hubPlaceholder      = "HUB_ACCOUNT_ID"
	accountPlaceholder  = "ACCOUNT_ID"
	externalPlaceholder = "EXTERNAL_ID"

	organizationPlaceholder = "ORGANIZATION_ID"
)

var partitions = []string{"aws", "aws-cn", "aws-us-gov"}

// policyDocument and statement are IAM's JSON, with the keys in the order in which people read them.
type policyDocument struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  []string                       `json:",omitempty"`
	Condition map[string]map[string][]string `json:",omitempty"`
}

// policyKinds are the policies of a partition in the order of the page.
var policyKinds = []struct {
	name, title, about string
	make               func(partition string) policyDocument
}{
	{"read", "Reading", "Enough for `resource list`, `explain`, `preview`, `run --dry-run` and what `doctor` lists. Describing actions know no resources and no tags, so they are granted on `*`.", readPolicy},
	{
		"act", "Acting", "Starting, stopping, rebooting, changing the type and writing the two informational tags, on resources that carry the schedule tag and on nothing else.",
		func(partition string) policyDocument { return actPolicy(partition, false) },
	},
	{
		"kms", "Encrypted volumes", "Only where volumes or databases are encrypted with keys of your own (customer managed keys): without it such an instance falls back to *stopped* right after its start. Put the ARNs of the keys in the place of `key/*`. The key policy has to allow it as well.",
		func(partition string) policyDocument { return actPolicy(partition, true) },
	},
	{
		"alarms", "Alarms", "Only where something says `mute_alarms: true`: finding the alarms of CloudWatch that watch what is stopped, muting them and giving them their voice back. An alarm carries no schedule tag of its own, so any alarm may be muted; to narrow that, put the ARNs of yours in the place of `alarm:*` or ask for a tag that they have.",
		alarmsPolicy,
	},
	{
		"reservations", "Reservations", "Only where the configuration has `reservations`: seeing what capacity is held, reserving with the tag `" + ReservationTag + "`, and changing and giving back what carries that tag. Whoever may write that tag on other reservations hands them over: this policy writes tags in the call that reserves alone.",
		reservationsPolicy,
	},
	{
		"secret", "The table's secret", "Only where the [table of capacity](configuration.md) has its credentials in Secrets Manager: reading that one secret. Replace `SECRET_NAME`; the six question marks stand for what Secrets Manager appends. A secret with a key of your own needs `kms:Decrypt` on it as well.",
		secretPolicy,
	},
	{
		"balancers", "Load balancers", "Only where a tier of a workload says `balancers: true`, or waits for `target-health`: finding the target groups and Classic load balancers that instances are in, taking instances out before they are stopped and putting them back. They carry no schedule tag, and AWS asks nothing about the instance; to narrow that, put the ARNs of yours in the place of `targetgroup/*/*` and `loadbalancer/*`.",
		workloadPolicy("balancers"),
	},
	{
		"commands", "Commands in instances", "Only where workloads have gates, vetoes or hooks of the type `command`, or vetoes of the types `file` and `sessions`: running AWS's own two documents for scripts, in instances that carry the schedule tag. What a script may do inside is decided there: it runs as root or SYSTEM. Whoever may write workloads may run commands in these instances.",
		workloadPolicy("commands"),
	},
	{"backups", "Backups", "Only where workloads have vetoes of the type `backup`: seeing which snapshots and which jobs of AWS Backup are under way.", workloadPolicy("backups")},
	{"functions", "Functions", "Only where workloads have hooks of the type `lambda`: calling the functions that they name. Put their ARNs in the place of `function:dayshift-*`.", workloadPolicy("functions")},
	{"topics", "Topics", "Only where channels or workloads name a `topic`: publishing to it. Put its ARN in the place of `dayshift-*`. A topic with a key of your own needs `kms:GenerateDataKey*` and `kms:Decrypt` on that key too.", workloadPolicy("topics")},
	{"buses", "Buses", "Only where channels name a `bus`: putting events on it. Put its ARN in the place of `event-bus/dayshift-*`.", workloadPolicy("buses")},
	{"trust", "Trust", "Who may assume the role: the hub's role alone, and only with the external ID. Replace `" + hubPlaceholder + "` and `" + externalPlaceholder + "`.", trustPolicy},
	{"hub", "Hub", "What the hub's own role needs: to assume the roles of the accounts. One line for each account; replace `" + accountPlaceholder + "`.", hubPolicy},
	{"members", "Hub of an organization", "The same for every account of an organization, those of tomorrow included: the role of one name in any account, as long as it belongs to the organization. Replace `" + organizationPlaceholder + "`.", membersPolicy},
	{"organization", "Reading an organization", "What lists the accounts of an organization: for a role in its management account or in that of a delegated administrator, or for the hub's own where the hub is there. These actions know no narrower resources that would hold for units to come.", organizationPolicy},
	{"events", "Reading events", "Only where the configuration has `events`: reading the [queue of events](events.md), on the role that is used for it. `sqs:GetQueueAttributes` is for `doctor`. Replace `" + accountPlaceholder + "`, and the name where the queue has another.", eventsPolicy},
}

func isReading(operation Operation) bool {
	_, action, _ := strings.Cut(string(operation), ":")
	return strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "List") || strings.HasPrefix(action, "Get")
}

func service(operation Operation) string {
	name, _, _ := strings.Cut(string(operation), ":")
	return name
}

func readPolicy(partition string) policyDocument {
	return compose(partition, Registry, func(p Permission) bool { return isReading(p.Action) })
}

// alarmRow stands for alarms among the kinds.
var alarmRow = Kind{Kind: "alarms", Title: "alarms (`mute_alarms`)", Permissions: AlarmPermissions}

func alarmsPolicy(partition string) policyDocument {
	return compose(partition, []Kind{alarmRow}, func(Permission) bool { return true })
}

// reservationRow stands for reservations among the kinds.
var reservationRow = Kind{Kind: "reservations", Title: "reservations", Permissions: ReservationPermissions}

func reservationsPolicy(partition string) policyDocument {
	return compose(partition, []Kind{reservationRow}, func(Permission) bool { return true })
}

// secretRow stands for the secret of the table of capacity.
var secretRow = Kind{Kind: "secret", Title: "the table of capacity", Permissions: SecretPermissions}

func secretPolicy(partition string) policyDocument {
	return compose(partition, []Kind{secretRow}, func(Permission) bool { return true })
}

// beside are the rows that stand behind the kinds.
var beside = append([]Kind{alarmRow, reservationRow, secretRow}, workloadRows...)

// workloadRows stand for what workloads need, a policy each.
var workloadRows = []Kind{
	{Kind: "balancers", Title: "load balancers", Permissions: BalancerPermissions},
	{Kind: "commands", Title: "commands in instances", Permissions: CommandPermissions},
	{Kind: "backups", Title: "backups (veto)", Permissions: BackupPermissions},
	{Kind: "functions", Title: "functions (hooks)", Permissions: FunctionPermissions},
	{Kind: "topics", Title: "topics", Permissions: TopicPermissions},
	{Kind: "buses", Title: "event buses", Permissions: BusPermissions},
}

// workloadPolicy is the one of a row of workloads.
func workloadPolicy(row fleet.Kind) func(partition string) policyDocument {
	return func(partition string) policyDocument {
		at := slices.IndexFunc(workloadRows, func(k Kind) bool { return k.Kind == row })
		return compose(partition, workloadRows[at:at+1], func(Permission) bool { return true })
	}
}

// actPolicy is everything that changes something: with keys, or without.
func actPolicy(partition string, keys bool) policyDocument {
	return compose(partition, Registry, func(p Permission) bool { return !isReading(p.Action) && (service(p.Action) == "kms") == keys })
}

// compose makes a statement of the chosen permissions with the same resources
// and conditions, in the order of the rows.
func compose(partition string, rows []Kind, choose func(Permission) bool) policyDocument {
	document := policyDocument{Version: "2012-10-17"}
	for _, kind := range rows {
		for _, permission := range kind.Permissions {
			if !choose(permission) {
				continue
			}
			next := statement{Effect: "Allow", Action: []string{string(permission.Action)}, Resource: []string{"*"}}
			if permission.Resource != "*" {
				of := service(permission.Action)
				if permission.Of != "" {
					of = permission.Of
				}
				next.Resource[0] = fmt.Sprintf("arn:%s:%s:*:*:%s", partition, of, permission.Resource)
			}
			for _, condition := range permission.Conditions {
				if next.Condition == nil {
					next.Condition = map[string]map[string][]string{}
				}
				if next.Condition[condition.Operator] == nil {
					next.Condition[condition.Operator] = map[string][]string{}
				}
				key := strings.ReplaceAll(condition.Key, ScheduleTagPlaceholder, defaultTag)
				next.Condition[condition.Operator][key] = condition.Values
			}
			same := func(s statement) bool {
				return slices.Equal(s.Resource, next.Resource) && cmp.Equal(s.Condition, next.Condition)
			}
			if at := slices.IndexFunc(document.Statement, same); at >= 0 {
				if !slices.Contains(document.Statement[at].Action, next.Action[0]) {
					document.Statement[at].Action = append(document.Statement[at].Action, next.Action[0])
				}
				continue
			}
			next.Sid = sid(kind.Kind, permission.Action)
			if ours(next) {
				next.Sid += "Snapshot"
			}
			if permission.Of != "" {
				next.Sid += "In" + strings.ToUpper(permission.Of)
			}
			document.Statement = append(document.Statement, next)
		}
	}
	document.Statement = joined(document.Statement)
	if len(document.Statement) == 1 {
		document.Statement[0].Sid = "Dayshift"
	}
	return document
}

// ours reports whether a statement is about nothing but the snapshots that stops take.
func ours(s statement) bool {
	return !slices.ContainsFunc(s.Resource, func(resource string) bool { return !strings.HasSuffix(resource, "snapshot:"+ourSnapshots) })
}

// joined puts together the statements that allow the same under the same
// conditions, on resources of several kinds: a role's policies have a quota.
func joined(statements []statement) []statement {
	var out []statement
	for _, s := range statements {
		same := func(o statement) bool { return slices.Equal(o.Action, s.Action) && cmp.Equal(o.Condition, s.Condition) }
		if at := slices.IndexFunc(out, same); at >= 0 {
			out[at].Resource = append(out[at].Resource, s.Resource...)
			continue
		}
		out = append(out, s)
	}
	return out
}

// sid names a statement after its kind and its first action; IAM takes letters and digits alone.
func sid(kind fleet.Kind, operation Operation) string {
	_, action, _ := strings.Cut(string(operation), ":")
	name, _, _ := strings.Cut(string(kind), "_")
	return strings.ToUpper(name[:1]) + name[1:] + action
}

func trustPolicy(partition string) policyDocument {
	return policyDocument{Version: "2012-10-17", Statement: []statement{{
		Sid: "DayshiftHub", Effect: "Allow",
		Principal: map[string]string{"AWS": fmt.Sprintf("arn:%s:iam::%s:role/dayshift-hub", partition, hubPlaceholder)},
		Action:    []string{"sts:AssumeRole"},
		Condition: map[string]map[string][]string{"StringEquals": {"sts:ExternalId": {externalPlaceholder}}},
	}}}
}

func hubPolicy(partition string) policyDocument {
	return policyDocument{Version: "2012-10-17", Statement: []statement{{
		Sid: "DayshiftAccounts", Effect: "Allow", Action: []string{"sts:AssumeRole"},
		Resource: []string{fmt.Sprintf("arn:%s:iam::%s:role/dayshift", partition, accountPlaceholder)},
	}}}
}

// membersPolicy lets the hub into accounts that are not known yet: what is known
// is the name of the role, and that the account is of the organization.
func membersPolicy(partition string) policyDocument {
	return policyDocument{Version: "2012-10-17", Statement: []statement{{
		Sid: "DayshiftMembers", Effect: "Allow", Action: []string{"sts:AssumeRole"},
		Resource:  []string{fmt.Sprintf("arn:%s:iam::*:role/dayshift", partition)},
		Condition: map[string]map[string][]string{"StringEquals": {"aws:ResourceOrgID": {organizationPlaceholder}}},
	}}}
}

func organizationPolicy(string) policyDocument {
	s := statement{Sid: "DayshiftOrganization", Effect: "Allow", Resource: []string{"*"}}
	for _, permission := range OrganizationPermissions {
		s.Action = append(s.Action, string(permission.Action))
	}
	return policyDocument{Version: "2012-10-17", Statement: []statement{s}}
}

// eventsPolicy is what internal/queue/sqs calls to read; in any region.
func eventsPolicy(partition string) policyDocument {
	return policyDocument{Version: "2012-10-17", Statement: []statement{{
		Sid: "DayshiftEvents", Effect: "Allow", Action: []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
		Resource: []string{"arn:" + partition + ":sqs:*:" + accountPlaceholder + ":dayshift-events"},
	}}}
}

func (d policyDocument) text(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestIAM holds the policies that are shipped and documented to the Registry.
// With -update it writes them anew.
func TestIAM(t *testing.T) {
	want := map[string]string{iamPage: iamDocument(t)}
	for _, partition := range partitions {
		for _, kind := range policyKinds {
			want[filepath.Join(iamFolder, partition+"-"+kind.name+".json")] = kind.make(partition).text(t)
		}
	}
	for path, text := range want {
		golden.Check(t, path, text, "go generate ./internal/cloud/aws/kinds")
	}
	files, err := filepath.Glob(filepath.Join(iamFolder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, known := want[file]; !known {
			t.Errorf("%s is nobody's: delete it", file)
		}
	}
}

// IAM's bounds, in characters without blanks: of one managed policy, and of all inline policies of a role.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	managedPolicyMost  = 6_144
	inlinePoliciesMost = 10_240
)

// TestPoliciesGrantTheLeast reads the shipped files as IAM would.
func TestPoliciesGrantTheLeast(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(iamFolder, "*.json"))
	if err != nil || len(files) != len(partitions)*len(policyKinds) {
		t.Fatalf("%d policies: %v", len(files), err)
	}
	granted, together := map[string]map[Operation]bool{}, map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields() // NotAction, NotResource and the like grant what nobody reads
		var document policyDocument
		if err := decoder.Decode(&document); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(document.Statement) == 0 || document.Version != "2012-10-17" {
			t.Errorf("%s: grants nothing, or in an old language", file)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		partition := name[:strings.LastIndex(name, "-")]
		if granted[partition] == nil {
			granted[partition] = map[Operation]bool{}
		}
		compact := len(strings.Join(strings.Fields(string(data)), "")) // AWS counts no blanks
		if compact > managedPolicyMost {
			t.Errorf("%s: %d characters", file, compact)
		}
		if kind := strings.TrimPrefix(name, partition+"-"); !slices.Contains([]string{"trust", "hub", "members", "organization", "events"}, kind) { // those are not of the role in the account
			if together[partition] += compact; together[partition] > inlinePoliciesMost {
				t.Errorf("%s: %d characters with the others of its role", file, together[partition])
			}
		}
		sids := map[string]bool{}
		for _, s := range document.Statement {
			if sids[s.Sid] || s.Sid == "" || s.Effect != "Allow" {
				t.Errorf("%s: statement %q: named twice or not at all, or does not allow", file, s.Sid)
			}
			sids[s.Sid] = true
			for _, complaint := range judge(partition, s) {
				t.Errorf("%s: statement %s: %s", file, s.Sid, complaint)
			}
			for _, action := range s.Action {
				granted[partition][Operation(action)] = true
			}
		}
	}
	for _, partition := range partitions {
		for _, kind := range append(slices.Clone(Registry), beside...) {
			for _, permission := range kind.Permissions {
				if !granted[partition][permission.Action] {
					t.Errorf("%s: %s is granted by no policy", partition, permission.Action)
				}
			}
		}
	}
}

// judge finds what a statement grants too much of.
func judge(partition string, s statement) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	has := func(operator, key string, values ...string) bool {
		return slices.Equal(s.Condition[operator][key], values)
	}
	narrow := len(s.Resource) > 0 && !slices.Contains(s.Resource, "*")
	for _, resource := range s.Resource {
		if resource != "*" && !strings.HasPrefix(resource, "arn:"+partition+":") {
			complain("%s is of another partition", resource)
		}
	}
	for _, who := range s.Principal {
		if !strings.HasPrefix(who, "arn:"+partition+":iam::") || strings.Contains(who, "*") {
			complain("%s may assume it", who)
		}
	}
	for _, action := range s.Action {
		operation := Operation(action)
		switch {
		case strings.Contains(action, "*"):
			complain("%s grants more than one action", action)
		case operation == getSecret: // what it reads is no description
			if len(s.Resource) != 1 || !strings.HasSuffix(s.Resource[0], ":secret:SECRET_NAME-??????") {
				complain("%s may read other secrets", action)
			}
		case isReading(operation):
		case service(operation) == "sqs":
			// A queue of one name is no resource of anybody's schedule.
			if len(s.Resource) != 1 || !strings.HasSuffix(s.Resource[0], ":dayshift-events") || action != "sqs:ReceiveMessage" && action != "sqs:DeleteMessage" {
				complain("%s is more than reading the one queue", action)
			}
		case action == "sts:AssumeRole" && s.Principal != nil:
			if len(s.Condition["StringEquals"]["sts:ExternalId"]) != 1 {
				complain("it can be assumed without the external ID")
			}
		case !narrow:
			complain("%s is granted on everything", action)
		case action == "sts:AssumeRole":
			for _, resource := range s.Resource {
				anywhere, ofMembers := strings.Count(resource, "*"), strings.HasPrefix(resource, "arn:"+partition+":iam::*:role/") && has("StringEquals", "aws:ResourceOrgID", organizationPlaceholder)
				if anywhere > 1 || anywhere == 1 && !ofMembers {
					complain("%s may be assumed", resource)
				}
			}
		case action == "kms:CreateGrant":
			if !has("Bool", "kms:GrantIsForAWSResource", "true") || len(s.Condition["StringLike"]["kms:ViaService"]) != 1 {
				complain("%s is granted to more than AWS's own services", action)
			}
		case service(operation) == "elasticloadbalancing": // these have no tags of what is behind them
			if slices.ContainsFunc(s.Resource, func(resource string) bool {
				return !strings.Contains(resource, ":targetgroup/") && !strings.Contains(resource, ":loadbalancer/")
			}) {
				complain("%s is granted on more than target groups and load balancers", action)
			}
		case operation == sendCommand:
			for _, resource := range s.Resource {
				ofAWS := strings.HasSuffix(resource, ":document/"+shellDocument) || strings.HasSuffix(resource, ":document/"+powerShellDocument)
				instances := strings.HasSuffix(resource, ":instance/*") && has("Null", "aws:ResourceTag/"+defaultTag, "false")
				if !ofAWS && !instances {
					complain("%s may run other documents, or in instances without a schedule tag", action)
				}
			}
		case operation == InvokeFunction || operation == PublishMessage || operation == PutEvents: // by names, which people replace
			if slices.ContainsFunc(s.Resource, func(resource string) bool {
				return !strings.HasSuffix(resource, ":dayshift-*") && !strings.HasSuffix(resource, ":event-bus/dayshift-*")
			}) {
				complain("%s is granted on anybody's functions, topics or buses", action)
			}
		case operation == groupResources: // a group has no tags of what is in it
			if slices.ContainsFunc(s.Resource, func(resource string) bool { return !strings.Contains(resource, ":group/") }) {
				complain("%s is granted on more than groups", action)
			}
		case operation == disableAlarms || operation == enableAlarms: // an alarm has no tags of what it watches
			if slices.ContainsFunc(s.Resource, func(resource string) bool { return !strings.Contains(resource, ":alarm:") }) {
				complain("%s is granted on more than alarms", action)
			}
		case operation == registerTarget: // a target of Application Auto Scaling has tags of its own, not the service's
			if !has("StringEquals", "application-autoscaling:service-namespace", "ecs") || !has("StringEquals", "application-autoscaling:scalable-dimension", "ecs:service:DesiredCount") {
				complain("%s may change the scaling of other things than services of ECS", action)
			}
		case strings.HasSuffix(action, "CapacityReservation") || slices.Equal(s.Resource, []string{"arn:" + partition + ":ec2:*:*:capacity-reservation/*"}):
			made := has("Null", "aws:RequestTag/"+ReservationTag, "false")
			switch operation {
			case createReservation:
				if !made {
					complain("%s may reserve what nobody knows again", action)
				}
			case createTags:
				if !made || !has("StringEquals", "ec2:CreateAction", "CreateCapacityReservation") {
					complain("%s may hand other reservations over", action)
				}
			case modifyReservation, cancelReservation:
				if !has("Null", "aws:ResourceTag/"+ReservationTag, "false") {
					complain("%s is granted on everybody's reservations", action)
				}
			default:
				complain("%s is granted on reservations", action)
			}
		case ours(s): // by their names, which nobody else gives
			switch operation {
			case createDBSnapshot, stopDBInstance, deleteDBSnapshot, createDBClusterSnapshot, deleteDBClusterSnapshot:
			default:
				complain("%s is granted on snapshots", action)
			}
		case !has("Null", "aws:ResourceTag/"+defaultTag, "false"):
			complain("%s is granted on resources without a schedule tag", action)
		case action == string(modifyInstanceAttribute) && !has("Null", "ec2:Attribute/InstanceType", "false"):
			complain("%s may change more than the type", action)
		case strings.Contains(action, "Tag") &&
			(!has("ForAllValues:StringEquals", "aws:TagKeys", tagsOf(operation)...) || !has("Null", "aws:TagKeys", "false")):
			complain("%s may write other tags than Dayshift's own", action)
		}
	}
	return complaints
}

// tagsOf are the tags of its own that a kind writes with an operation.
func tagsOf(operation Operation) []string {
	own := []string{fleet.TagLastAction, fleet.TagError}
	if slices.Contains([]string{"autoscaling", "ecs", "eks"}, service(operation)) { // what is scaled to nothing carries its size
		own = append(own, fleet.TagSaved)
	}
	return own
}

func TestJudgeFindsWhatIsTooMuch(t *testing.T) {
	tagged := map[string]map[string][]string{"Null": {"aws:ResourceTag/Schedule": {"false"}}}
	instances := []string{"arn:aws:ec2:*:*:instance/*"}
	for name, s := range map[string]statement{
		"all actions":            {Action: []string{"ec2:Describe*"}, Resource: []string{"*"}},
		"all resources":          {Action: []string{"ec2:StopInstances"}, Resource: []string{"*"}, Condition: tagged},
		"untagged resources":     {Action: []string{"ec2:StopInstances"}, Resource: instances},
		"any attribute":          {Action: []string{"ec2:ModifyInstanceAttribute"}, Resource: instances, Condition: tagged},
		"any tag":                {Action: []string{"ec2:CreateTags"}, Resource: instances, Condition: tagged},
		"any tag of a group":     {Action: []string{"eks:TagResource"}, Resource: []string{"arn:aws:eks:*:*:nodegroup/*"}, Condition: tagged},
		"no tag named":           {Action: []string{"ec2:DeleteTags"}, Resource: instances, Condition: map[string]map[string][]string{"Null": tagged["Null"], "ForAllValues:StringEquals": {"aws:TagKeys": {fleet.TagLastAction, fleet.TagError}}}},
		"any snapshot":           {Action: []string{"rds:DeleteDBSnapshot"}, Resource: []string{"arn:aws:rds:*:*:snapshot:*"}},
		"more of our snapshots":  {Action: []string{"rds:ModifyDBSnapshotAttribute"}, Resource: []string{"arn:aws:rds:*:*:snapshot:" + ourSnapshots}},
		"another partition":      {Action: []string{"ec2:StopInstances"}, Resource: []string{"arn:aws-cn:ec2:*:*:instance/*"}, Condition: tagged},
		"grants to anybody":      {Action: []string{"kms:CreateGrant"}, Resource: []string{"arn:aws:kms:*:*:key/*"}},
		"alarms of dashboards":   {Action: []string{"cloudwatch:DisableAlarmActions"}, Resource: []string{"arn:aws:cloudwatch:*:*:*"}},
		"untagged purchases":     {Action: []string{"ec2:CreateCapacityReservation"}, Resource: []string{"arn:aws:ec2:*:*:capacity-reservation/*"}},
		"any reservation":        {Action: []string{"ec2:CancelCapacityReservation"}, Resource: []string{"arn:aws:ec2:*:*:capacity-reservation/*"}},
		"tags of reservations":   {Action: []string{"ec2:CreateTags"}, Resource: []string{"arn:aws:ec2:*:*:capacity-reservation/*"}, Condition: map[string]map[string][]string{"Null": {"aws:RequestTag/" + ReservationTag: {"false"}}}},
		"any secret":             {Action: []string{"secretsmanager:GetSecretValue"}, Resource: []string{"*"}},
		"any document":           {Action: []string{string(sendCommand)}, Resource: []string{"arn:aws:ssm:*:*:document/*"}},
		"commands anywhere":      {Action: []string{string(sendCommand)}, Resource: []string{"arn:aws:ec2:*:*:instance/*"}},
		"listeners":              {Action: []string{string(registerTargets)}, Resource: []string{"arn:aws:elasticloadbalancing:*:*:*"}},
		"any function":           {Action: []string{string(InvokeFunction)}, Resource: []string{"arn:aws:lambda:*:*:function:*"}},
		"any topic":              {Action: []string{string(PublishMessage)}, Resource: []string{"arn:aws:sns:*:*:*"}},
		"any bus":                {Action: []string{string(PutEvents)}, Resource: []string{"arn:aws:events:*:*:event-bus/*"}},
		"any scaling":            {Action: []string{string(registerTarget)}, Resource: []string{"arn:aws:application-autoscaling:*:*:scalable-target/*"}},
		"any role":               {Action: []string{"sts:AssumeRole"}, Resource: []string{"arn:aws:iam::*:role/*"}},
		"a role of any account":  {Action: []string{"sts:AssumeRole"}, Resource: []string{"arn:aws:iam::*:role/dayshift"}},
		"any role of members":    {Action: []string{"sts:AssumeRole"}, Resource: []string{"arn:aws:iam::*:role/*"}, Condition: map[string]map[string][]string{"StringEquals": {"aws:ResourceOrgID": {organizationPlaceholder}}}},
		"trusts without ID":      {Action: []string{"sts:AssumeRole"}, Principal: map[string]string{"AWS": "arn:aws:iam::111122223333:role/hub"}},
		"trusts a whole account": {Action: []string{"sts:AssumeRole"}, Principal: map[string]string{"AWS": "*"}, Condition: map[string]map[string][]string{"StringEquals": {"sts:ExternalId": {"x"}}}},
	} {
		if len(judge("aws", s)) == 0 {
			t.Errorf("%s: nothing is said", name)
		}
	}
}

// iamDocument is docs/iam.md.
func iamDocument(t *testing.T) string {
	t.Helper()
	prose, err := os.ReadFile("testdata/iam.md")
	if err != nil {
		t.Fatal(err)
	}
	var table, policies strings.Builder
	table.WriteString("| kind | action | needed to | without it |\n| --- | --- | --- | --- |\n")
	for _, kind := range append(slices.Clone(Registry), beside...) {
		for _, permission := range kind.Permissions {
			without := "it cannot do its work"
			if permission.Optional {
				without = "it works, with less"
			}
			fmt.Fprintf(&table, "| %s | `%s` | %s | %s |\n", kind.Title, permission.Action, permission.For, without)
		}
	}
	for _, permission := range OrganizationPermissions {
		without := "its accounts can not be listed"
		if permission.Optional {
			without = "`units` and units under `exclude` can not be used"
		}
		fmt.Fprintf(&table, "| an organization | `%s` | %s | %s |\n", permission.Action, permission.For, without)
	}
	for _, kind := range policyKinds {
		fmt.Fprintf(&policies, "\n### %s\n\n%s\n\n", kind.title, kind.about)
		var links []string
		for _, partition := range partitions {
			file := partition + "-" + kind.name + ".json"
			links = append(links, fmt.Sprintf("[%s](../deploy/iam/%s)", file, file))
		}
		fmt.Fprintf(&policies, "%s\n\n```json\n%s```\n", strings.Join(links, " · "), kind.make("aws").text(t))
	}
	for _, part := range []string{"TABLE", "POLICIES"} {
		if strings.Count(string(prose), "<!-- "+part+" -->") != 1 {
			t.Fatalf("testdata/iam.md: the place of %s is not there once", part)
		}
	}
	return strings.NewReplacer("<!-- TABLE -->\n", table.String(), "<!-- POLICIES -->\n", strings.TrimLeft(policies.String(), "\n")).Replace(string(prose))
}
