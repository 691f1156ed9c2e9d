package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// cloudwatchService is the row of CloudWatch, of which the metric alarms are
// there. Old clients speak Query to it, newer ones JSON, the newest CBOR.
func cloudwatchService() *service {
	const queries = " Metrics.N.Id Metrics.N.Expression Metrics.N.Label Metrics.N.ReturnData Metrics.N.Period Metrics.N.AccountId " +
		"Metrics.N.MetricStat.Metric.Namespace Metrics.N.MetricStat.Metric.MetricName Metrics.N.MetricStat.Metric.Dimensions.N.Name " +
		"Metrics.N.MetricStat.Metric.Dimensions.N.Value Metrics.N.MetricStat.Period Metrics.N.MetricStat.Stat Metrics.N.MetricStat.Unit "
	return &service{
		name: "monitoring", version: "2010-08-01", protocol: awsQuery, also: []protocol{awsJSON10, smithyCBOR},
		namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/", target: "GraniteServiceVersion20100801", iam: "cloudwatch",
		actions: map[string]*action{
			"DescribeAlarms":      does(read, "AlarmNames.N AlarmNamePrefix AlarmTypes.N StateValue ActionPrefix MaxRecords NextToken", "AlarmNames", describeAlarms),
			"DisableAlarmActions": does(write, "AlarmNames.N", "AlarmNames", func(k *call, w *xw) *Error { return setAlarmActions(k, w, false) }),
			"EnableAlarmActions":  does(write, "AlarmNames.N", "AlarmNames", func(k *call, w *xw) *Error { return setAlarmActions(k, w, true) }),
			"DeleteAlarms":        does(write, "AlarmNames.N", "AlarmNames", deleteAlarms),
			"PutMetricAlarm": does(write, "AlarmName AlarmDescription ActionsEnabled OKActions.N AlarmActions.N InsufficientDataActions.N MetricName Namespace "+
				"Statistic ExtendedStatistic Dimensions.N.Name Dimensions.N.Value Period Unit EvaluationPeriods DatapointsToAlarm Threshold ComparisonOperator "+
				"TreatMissingData ThresholdMetricId"+queries, "AlarmName", putMetricAlarm),
		},
	}
}

// Alarm is a metric alarm of CloudWatch, or Count alike, with # as in a Resource.
type Alarm struct {
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	Name    string `yaml:"name"`
	Count   int    `yaml:"count,omitempty"`
	// Of names what it watches: resources of the fleet in the account and region, by id or name. Of several it watches the sum.
	Of []string `yaml:"of,omitempty"`
	// Dimensions say it instead, as CloudWatch does: {InstanceId: i-0123456789abcdef0}.
	Dimensions map[string]string `yaml:"dimensions,omitempty"`
	Namespace  string            `yaml:"namespace,omitempty"` // default that of the first resource, else Custom
	Metric     string            `yaml:"metric,omitempty"`    // default CPUUtilization
	// Missing says what data that is missing means: missing (default), breaching, notBreaching or ignore.
	Missing string `yaml:"missing,omitempty"`
	// Actions are ARNs; default a topic of SNS. An empty list: none.
	Actions *[]string `yaml:"actions,omitempty"`
	// Muted: its actions are disabled.
	Muted bool `yaml:"muted,omitempty"`
}

// alarm is an alarm ready to be asked.
type alarm struct {
	name, description   string
	ok, alarm, noData   []string // actions
	metrics             []metric
	math                bool // Metrics were given, and not one metric alone
	statistic, extended string
	period, periods     int
	datapoints          int
	threshold           float64
	thresholdID         string
	comparison, missing string
	unit                string
	enabled             timeline // of its actions: state 1 is enabled
	updated             int64
}

// metric is a metric or an expression over others.
type metric struct {
	id, expression, label string
	returns               string // ReturnData as it was given
	account, stat, unit   string
	period                int
	namespace, name       string
	dimensions            []dimension
}

type dimension struct{ name, value string }

// Bounds of CloudWatch.
const (
	maxAlarmName   = 255 // characters
	maxAlarmNames  = 100 // of one request
	maxDimensions  = 30
	alarmPage      = 50
	maxAlarmPage   = 100
	alarmPeriod    = 60
	alarmPeriods   = 3
	maxMathMetrics = 10
)

var missingWords = []string{"missing", "breaching", "notBreaching", "ignore"}

func badAlarmName(name string) bool {
	return name == "" || utf8.RuneCountInString(name) > maxAlarmName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (a *Alarm) check(bad func(field, format string, args ...any), parts map[string]string) {
	if !isAccountID(a.Account) {
		bad("account", "%q is not an account: twelve digits, quoted", a.Account)
	}
	if r := regions[a.Region]; r == nil {
		bad("region", "%q is not a region", a.Region)
	} else if p := parts[a.Account]; p != "" && p != r.partition {
		bad("region", "%s belongs to partition %s, account %s to %s", a.Region, r.partition, a.Account, p)
	}
	if badAlarmName(a.Name) {
		bad("name", "%q is not a name: 1 to %d characters without control characters", a.Name, maxAlarmName)
	}
	if a.Count < 0 || a.Count > maxCount {
		bad("count", "%d: must be between 1 and %d", a.Count, maxCount)
	} else if a.Count > 1 && !strings.Contains(a.Name, "#") {
		bad("count", "%d alarms cannot have one name: put # into it", a.Count)
	}
	if (len(a.Of) == 0) == (len(a.Dimensions) == 0) {
		bad("of", "say either of or dimensions")
	}
	if len(a.Of) >= maxMathMetrics {
		bad("of", "%d resources: an alarm has at most %d metrics, their sum included", len(a.Of), maxMathMetrics)
	}
	if len(a.Dimensions) > maxDimensions {
		bad("dimensions", "%d: a metric has at most %d", len(a.Dimensions), maxDimensions)
	}
	if a.Missing != "" && !slices.Contains(missingWords, a.Missing) {
		bad("missing", "%q is not known: %s", a.Missing, strings.Join(missingWords, ", "))
	}
	if a.Actions != nil && len(*a.Actions) > 5 {
		bad("actions", "%d: an alarm has at most 5", len(*a.Actions))
	}
}

// alarmsOf makes the alarms of an entry that check accepts; the scope's lock is
// held, and what they watch is there.
func (s *scope) alarmsOf(a *Alarm, now int64) ([]*alarm, error) {
	actions := []string{fmt.Sprintf("arn:%s:sns:%s:%s:alarms", s.region.partition, s.region.name, s.account.id)}
	if a.Actions != nil {
		actions = *a.Actions
	}
	numbered := Resource{Count: a.Count}
	var made []*alarm
	for n := 1; n <= max(1, a.Count); n++ {
		one := &alarm{
			name: numbered.numbered(a.Name, n), alarm: actions, noData: actions, ok: actions, statistic: "Average", period: alarmPeriod, periods: alarmPeriods,
			threshold: 90, comparison: "GreaterThanThreshold", missing: a.Missing, enabled: timeline{{at: always, state: 1}}, updated: now,
		}
		if a.Muted {
			one.enabled[0].state = 0
		}
		var of []metric
		for _, name := range a.Of {
			namespace, dimensions := s.watched(numbered.numbered(name, n))
			if dimensions == nil {
				return nil, fmt.Errorf("of: there is no %q in account %s, %s", numbered.numbered(name, n), s.account.id, s.region.name)
			}
			of = append(of, metric{namespace: cmp.Or(a.Namespace, namespace), dimensions: dimensions})
		}
		if len(a.Dimensions) > 0 {
			m := metric{namespace: cmp.Or(a.Namespace, "Custom")}
			for _, name := range slices.Sorted(maps.Keys(a.Dimensions)) {
				m.dimensions = append(m.dimensions, dimension{name, numbered.numbered(a.Dimensions[name], n)})
			}
			of = append(of, m)
		}
		for i := range of {
			m := &of[i]
			m.name, m.stat, m.period = cmp.Or(a.Metric, "CPUUtilization"), "Average", alarmPeriod
			if len(of) > 1 {
				m.id, m.returns = fmt.Sprintf("m%d", i+1), "false"
			}
		}
		if len(of) > 1 {
			one.math = true
			of = append(of, metric{id: "e1", expression: "SUM(METRICS())", returns: "true", label: a.Name})
		}
		one.metrics = of
		made = append(made, one)
	}
	return made, nil
}

// checkAlarms finds what would keep the alarms of a fleet from being loaded
// beside its resources; the cloud's lock is held.
func (c *Cloud) checkAlarms(f *Fleet) error {
	type place struct{ account, region, name string }
	named, alarms := map[place]bool{}, map[place]bool{}
	for i := range f.Resources {
		r := &f.Resources[i]
		for n := 1; n <= max(1, r.Count) && len(f.Alarms) > 0; n++ {
			for _, name := range []string{r.ID, r.Name, cmp.Or(r.Cluster, "default") + "/" + r.Name} {
				named[place{r.Account, r.Region, r.numbered(name, n)}] = true
			}
			if r.Kind == "rds_cluster" { // its members, which it may get as it is loaded
				for member := range mostMembers {
					named[place{r.Account, r.Region, fmt.Sprintf("%s-%d", r.numbered(cmp.Or(r.ID, r.Name), n), member+1)}] = true
				}
			}
		}
	}
	for i := range f.Alarms {
		a := &f.Alarms[i]
		s := c.scopeLocked(c.accountLocked(a.Account), regions[a.Region])
		numbered := Resource{Count: a.Count}
		for n := 1; n <= max(1, a.Count); n++ {
			at := place{a.Account, a.Region, numbered.numbered(a.Name, n)}
			s.mu.Lock()
			taken := alarms[at] || s.alarms[at.name] != nil
			lacks := slices.IndexFunc(a.Of, func(name string) bool {
				name = numbered.numbered(name, n)
				_, dimensions := s.watched(name)
				return dimensions == nil && !named[place{a.Account, a.Region, name}]
			})
			s.mu.Unlock()
			switch {
			case taken:
				return fmt.Errorf("load fleet: alarms[%d].name: alarm %q exists already in account %s, %s", i, at.name, a.Account, a.Region)
			case lacks >= 0:
				return fmt.Errorf("load fleet: alarms[%d].of: there is no %q in account %s, %s", i, numbered.numbered(a.Of[lacks], n), a.Account, a.Region)
			}
			alarms[at] = true
		}
	}
	return nil
}

// watched gives the namespace and dimensions of a resource's own metrics, by
// its id or name; nil where there is none.
func (s *scope) watched(name string) (string, []dimension) {
	for _, i := range s.instances {
		if i.id == name || i.name() == name {
			return "AWS/EC2", []dimension{{"InstanceId", i.id}}
		}
	}
	if d := s.dbByID[strings.ToLower(name)]; d != nil {
		return "AWS/RDS", []dimension{{"DBInstanceIdentifier", d.id}}
	}
	if cl := s.clusterByID(strings.ToLower(name)); cl != nil {
		return "AWS/RDS", []dimension{{"DBClusterIdentifier", cl.id}}
	}
	for _, v := range s.ecs {
		if v.id() == name || v.name == name {
			return "AWS/ECS", []dimension{{"ClusterName", v.cluster}, {"ServiceName", v.name}}
		}
	}
	if g := s.group(name); g != nil {
		return "AWS/EC2", []dimension{{"AutoScalingGroupName", g.name}}
	}
	return "", nil
}

// silent tells since when what the dimensions name sends no data; false while
// it does, or where nobody knows it. The scope's lock is held.
func (s *scope) silent(dimensions []dimension, now int64) (since int64, is bool) {
	value := map[string]string{}
	for _, d := range dimensions {
		value[d.name] = d.value
	}
	if id := value["InstanceId"]; id != "" {
		i := s.byID[id]
		if i == nil {
			return always, true
		}
		return i.line.without(running, now)
	}
	if id := value["DBInstanceIdentifier"]; id != "" {
		d := s.dbByID[id]
		if d == nil {
			return always, true
		}
		return d.line.without(dbAvailable, now)
	}
	if id := value["DBClusterIdentifier"]; id != "" {
		cl := s.clusterByID(id)
		if cl == nil {
			return always, true
		}
		return cl.line.without(dbAvailable, now)
	}
	if name := value["ServiceName"]; name != "" {
		v := s.ecs[value["ClusterName"]+"/"+name]
		if v == nil {
			return always, true
		}
		since = v.updated
		for _, t := range v.tasks {
			if t.up <= now && t.down > now {
				return 0, false
			}
			if t.down <= now {
				since = max(since, t.down)
			}
		}
		return since, true
	}
	if name := value["AutoScalingGroupName"]; name != "" {
		g := s.group(name)
		if g == nil {
			return always, true
		}
		since = max(g.created, g.scaledIn)
		for _, i := range g.members {
			at, is := i.line.without(running, now)
			if !is {
				return 0, false
			}
			since = max(since, at)
		}
		return since, true
	}
	return 0, false
}

// without tells since when the timeline has been in other states than the given one.
func (l timeline) without(state uint8, now int64) (since int64, is bool) {
	for _, p := range slices.Backward(l) {
		switch {
		case p.at > now:
		case p.state == state:
			return since, is
		default:
			since, is = p.at, true
		}
	}
	return since, is
}

// Alarm states of CloudWatch.
const (
	alarmOK     = "OK"
	alarmRaised = "ALARM"
	alarmNoData = "INSUFFICIENT_DATA"
)

// state is what the alarm shows at an instant and since when. Data keeps it OK;
// without any, it is after its periods what missing data means to it.
func (s *scope) state(a *alarm, now int64) (string, int64) {
	last, quiet := always, false
	for i := range a.metrics {
		if a.metrics[i].expression == "" {
			if since, is := s.silent(a.metrics[i].dimensions, now); is {
				last, quiet = max(last, since), true
			}
		}
	}
	late := int64(a.period) * int64(a.periods) * int64(time.Second)
	if !quiet || last != always && now-last < late {
		return alarmOK, a.updated
	}
	at := a.updated
	if last != always {
		at = last + late
	}
	switch a.missing {
	case "breaching":
		return alarmRaised, at
	case "notBreaching", "ignore":
		return alarmOK, a.updated
	}
	return alarmNoData, at
}

// AlarmView is an alarm as it truly is.
type AlarmView struct {
	Name    string
	State   string
	Since   time.Time
	Enabled bool // its actions
	// Told: its actions were enabled when it came into the state, so somebody was told; of OK nobody is.
	Told bool
}

// Alarms gives the alarms of an account and region, ordered by name.
func (c *Cloud) Alarms(account, region string) []AlarmView {
	c.mu.RLock()
	s := c.scopes[scopeKey{account, region}]
	c.mu.RUnlock()
	if s == nil {
		return nil
	}
	now := c.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tend(now)
	var out []AlarmView
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		a := s.alarms[name]
		state, at := s.state(a, now)
		view := AlarmView{Name: name, State: state, Since: instant(at), Enabled: a.enabled.when(now).state == 1}
		if p := a.enabled.when(at); state != alarmOK && p != nil {
			view.Told = p.state == 1
		}
		out = append(out, view)
	}
	return out
}

func (s *scope) alarmARN(name string) string {
	return fmt.Sprintf("arn:%s:cloudwatch:%s:%s:alarm:%s", s.region.partition, s.region.name, s.account.id, name)
}

// alarmNames reads the list of a request.
func (k *call) alarmNames() ([]string, *Error) {
	names := k.p.list("AlarmNames")
	if len(names) > maxAlarmNames {
		return nil, refuse("ValidationError", "AlarmNames: %d names; Member must have length less than or equal to %d", len(names), maxAlarmNames)
	}
	if i := slices.IndexFunc(names, badAlarmName); i >= 0 {
		return nil, refuse("ValidationError", "AlarmNames: %q is not the name of an alarm", names[i])
	}
	return names, nil
}

func describeAlarms(k *call, w *xw) *Error {
	names, e := k.alarmNames()
	if e != nil {
		return e
	}
	kinds := k.p.list("AlarmTypes")
	for _, kind := range kinds {
		if kind != "MetricAlarm" && kind != "CompositeAlarm" {
			return refuse("ValidationError", "AlarmTypes: %q is not one of MetricAlarm, CompositeAlarm", kind)
		}
	}
	if len(names) > 0 && k.p.has("AlarmNamePrefix") {
		return refuse("ValidationError", "AlarmNames and AlarmNamePrefix cannot both be given")
	}
	now := k.ns()
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	k.scope.tend(now)
	var found []*alarm
	for _, name := range slices.Sorted(maps.Keys(k.scope.alarms)) {
		a := k.scope.alarms[name]
		state, _ := k.scope.state(a, now)
		acts := func(prefix string) bool {
			return slices.ContainsFunc(slices.Concat(a.ok, a.alarm, a.noData), func(arn string) bool { return strings.HasPrefix(arn, prefix) })
		}
		switch {
		case len(kinds) > 0 && !slices.Contains(kinds, "MetricAlarm"), len(names) > 0 && !slices.Contains(names, name), !strings.HasPrefix(name, k.p["AlarmNamePrefix"]),
			k.p.has("StateValue") && k.p["StateValue"] != state, k.p.has("ActionPrefix") && !acts(k.p["ActionPrefix"]):
		default:
			found = append(found, a)
		}
	}
	from, to, next, e := k.cut("MaxRecords", "NextToken", len(found), alarmPage, maxAlarmPage)
	if e != nil {
		return e
	}
	list := []doc{}
	for _, a := range found[from:to] {
		if k.strikes(FaultMissing, a.name, a.name) != nil {
			continue
		}
		one := k.scope.alarmDoc(a, now)
		list = append(list, one)
		if k.strikes(FaultDuplicate, a.name, a.name) != nil {
			list = append(list, one)
		}
	}
	k.log.Items = len(list)
	answer := doc{{"MetricAlarms", list}, {"CompositeAlarms", []doc{}}}
	if next != "" {
		answer = append(answer, member{"NextToken", next})
	}
	return k.answerDoc(w, answer)
}

// alarmDoc shows an alarm.
func (s *scope) alarmDoc(a *alarm, now int64) doc {
	state, since := s.state(a, now)
	out := doc{
		{"AlarmName", a.name},
		{"AlarmArn", s.alarmARN(a.name)},
		{"AlarmConfigurationUpdatedTimestamp", instant(a.updated)},
		{"ActionsEnabled", a.enabled.when(now).state == 1},
		{"OKActions", a.ok},
		{"AlarmActions", a.alarm},
		{"InsufficientDataActions", a.noData},
		{"StateValue", state},
		{"StateUpdatedTimestamp", instant(since)},
		{"StateReason", "As simulated"},
		{"EvaluationPeriods", a.periods},
		{"Threshold", a.threshold},
		{"ComparisonOperator", a.comparison},
	}
	some := func(d *doc, name, text string) {
		if text != "" {
			*d = append(*d, member{name, text})
		}
	}
	some(&out, "AlarmDescription", a.description)
	some(&out, "TreatMissingData", a.missing)
	some(&out, "ThresholdMetricId", a.thresholdID)
	if a.datapoints > 0 {
		out = append(out, member{"DatapointsToAlarm", a.datapoints})
	}
	dimensions := func(m *metric) []doc {
		list := []doc{}
		for _, d := range m.dimensions {
			list = append(list, doc{{"Name", d.name}, {"Value", d.value}})
		}
		return list
	}
	if !a.math {
		m := &a.metrics[0]
		out = append(out, member{"MetricName", m.name}, member{"Namespace", m.namespace}, member{"Dimensions", dimensions(m)}, member{"Period", a.period})
		some(&out, "Statistic", a.statistic)
		some(&out, "ExtendedStatistic", a.extended)
		some(&out, "Unit", a.unit)
		return out
	}
	queries := []doc{}
	for i := range a.metrics {
		m := &a.metrics[i]
		q := doc{{"Id", m.id}}
		some(&q, "Label", m.label)
		some(&q, "AccountId", m.account)
		if m.returns != "" {
			q = append(q, member{"ReturnData", m.returns == "true"})
		}
		if m.expression != "" {
			q = append(q, member{"Expression", m.expression})
			if m.period > 0 {
				q = append(q, member{"Period", m.period})
			}
		} else {
			stat := doc{{"Metric", doc{{"Namespace", m.namespace}, {"MetricName", m.name}, {"Dimensions", dimensions(m)}}}, {"Period", m.period}, {"Stat", m.stat}}
			some(&stat, "Unit", m.unit)
			q = append(q, member{"MetricStat", stat})
		}
		queries = append(queries, q)
	}
	return append(out, member{"Metrics", queries})
}

// setAlarmActions switches the actions of the alarms that there are; others
// are passed over.
func setAlarmActions(k *call, w *xw, on bool) *Error {
	names, e := k.alarmNames()
	if e != nil {
		return e
	}
	if len(names) == 0 {
		return refuse("ValidationError", "AlarmNames: must be specified")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	now := k.ns()
	for _, name := range names {
		if a := k.scope.alarms[name]; a != nil {
			a.switchActions(now, on)
		}
	}
	return k.answerDoc(w, nil)
}

func (a *alarm) switchActions(now int64, on bool) {
	next := phase{at: now}
	if on {
		next.state = 1
	}
	if a.enabled.when(now).state != next.state {
		a.enabled.turn(now, next)
		a.updated = now
	}
}

// SwitchAlarm enables or disables the actions of an alarm as a person would.
func (c *Cloud) SwitchAlarm(account, region, name string, on bool) error {
	return c.personAlarm(account, region, name, func(_ *scope, a *alarm) { a.switchActions(c.Now().UnixNano(), on) })
}

// DeleteAlarm deletes an alarm as a person would.
func (c *Cloud) DeleteAlarm(account, region, name string) error {
	return c.personAlarm(account, region, name, func(s *scope, a *alarm) { delete(s.alarms, a.name) })
}

func (c *Cloud) personAlarm(account, region, name string, do func(*scope, *alarm)) error {
	c.mu.RLock()
	s := c.scopes[scopeKey{account, region}]
	c.mu.RUnlock()
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if a := s.alarms[name]; a != nil {
			do(s, a)
			return nil
		}
	}
	return fmt.Errorf("alarm %q: there is none in account %s, %s", name, account, region)
}

// deleteAlarms deletes all of them or, when one does not exist, none.
func deleteAlarms(k *call, w *xw) *Error {
	names, e := k.alarmNames()
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	for _, name := range names {
		if k.scope.alarms[name] == nil {
			return refuse("ResourceNotFound", "Alarm %s does not exist", name)
		}
	}
	for _, name := range names {
		delete(k.scope.alarms, name)
	}
	return k.answerDoc(w, nil)
}

var comparisons = []string{
	"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold",
	"LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold",
}

func putMetricAlarm(k *call, w *xw) *Error {
	if e := k.p.need("AlarmName", "ComparisonOperator", "EvaluationPeriods"); e != nil {
		return e
	}
	a := &alarm{
		name: k.p["AlarmName"], description: k.p["AlarmDescription"], statistic: k.p["Statistic"], extended: k.p["ExtendedStatistic"], unit: k.p["Unit"],
		comparison: k.p["ComparisonOperator"], missing: k.p["TreatMissingData"], thresholdID: k.p["ThresholdMetricId"],
		ok: k.p.list("OKActions"), alarm: k.p.list("AlarmActions"), noData: k.p.list("InsufficientDataActions"),
	}
	switch {
	case badAlarmName(a.name):
		return refuse("ValidationError", "AlarmName: 1 to %d characters without control characters", maxAlarmName)
	case !slices.Contains(comparisons, a.comparison):
		return refuse("ValidationError", "ComparisonOperator: %q is not one of %s", a.comparison, strings.Join(comparisons, ", "))
	case a.missing != "" && !slices.Contains(missingWords, a.missing):
		return refuse("ValidationError", "TreatMissingData: %q is not one of %s", a.missing, strings.Join(missingWords, ", "))
	}
	for _, list := range [][]string{a.ok, a.alarm, a.noData} {
		if len(list) > 5 {
			return refuse("ValidationError", "%d actions: Member must have length less than or equal to 5", len(list))
		}
	}
	on, e := k.p.boolean("ActionsEnabled", true)
	if e != nil {
		return e
	}
	if a.periods, e = k.p.number("EvaluationPeriods", 1, 1, 86400); e != nil {
		return e
	}
	if a.datapoints, e = k.p.number("DatapointsToAlarm", 0, 1, a.periods); e != nil {
		return e
	}
	if text, given := k.p["Threshold"]; given {
		var err error
		if a.threshold, err = strconv.ParseFloat(text, 64); err != nil || math.IsNaN(a.threshold) || math.IsInf(a.threshold, 0) {
			return refuse("ValidationError", "Threshold: %q is not a number", text)
		}
	}
	if e := k.readMetrics(a); e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	now := k.ns()
	a.updated = now
	state := uint8(0)
	if on {
		state = 1
	}
	a.enabled = timeline{{at: always, state: state}}
	if before := k.scope.alarms[a.name]; before != nil {
		a.enabled = before.enabled
		a.switchActions(now, on)
	}
	k.scope.alarms[a.name] = a
	return k.answerDoc(w, nil)
}

// readMetrics reads what the alarm watches: one metric, or Metrics.
func (k *call) readMetrics(a *alarm) *Error {
	dimensions := func(prefix string) ([]dimension, *Error) {
		var list []dimension
		for _, i := range k.p.indexes(prefix) {
			d := dimension{k.p[prefix+"."+i+".Name"], k.p[prefix+"."+i+".Value"]}
			if d.name == "" || d.value == "" {
				return nil, refuse("ValidationError", "%s.%s: a dimension has a Name and a Value", prefix, i)
			}
			list = append(list, d)
		}
		if len(list) > maxDimensions {
			return nil, refuse("ValidationError", "%s: %d; Member must have length less than or equal to %d", prefix, len(list), maxDimensions)
		}
		return list, nil
	}
	var e *Error
	idx := k.p.indexes("Metrics")
	if len(idx) == 0 {
		if e := k.p.need("MetricName", "Namespace", "Period"); e != nil {
			return e
		}
		m := metric{namespace: k.p["Namespace"], name: k.p["MetricName"]}
		if a.period, e = k.p.number("Period", alarmPeriod, 1, 86400); e != nil {
			return e
		}
		if m.dimensions, e = dimensions("Dimensions"); e != nil {
			return e
		}
		a.metrics = []metric{m}
		return nil
	}
	if k.p.has("MetricName") || len(k.p.indexes("Dimensions")) > 0 {
		return refuse("InvalidParameterCombination", "Metrics and MetricName cannot both be given")
	}
	a.math, a.period = true, alarmPeriod
	for _, i := range idx {
		q := "Metrics." + i + "."
		m := metric{
			id: k.p[q+"Id"], expression: k.p[q+"Expression"], label: k.p[q+"Label"], returns: k.p[q+"ReturnData"], account: k.p[q+"AccountId"],
			stat: k.p[q+"MetricStat.Stat"], unit: k.p[q+"MetricStat.Unit"],
			namespace: k.p[q+"MetricStat.Metric.Namespace"], name: k.p[q+"MetricStat.Metric.MetricName"],
		}
		switch {
		case m.id == "":
			return refuse("ValidationError", "%sId: must be specified", q)
		case (m.expression == "") == (m.name == ""):
			return refuse("ValidationError", "%s: either Expression or MetricStat must be specified", q)
		}
		where := q + "MetricStat.Period"
		if m.expression != "" {
			where = q + "Period"
		}
		if m.period, e = k.p.number(where, 0, 1, 86400); e != nil {
			return e
		}
		if m.dimensions, e = dimensions(q + "MetricStat.Metric.Dimensions"); e != nil {
			return e
		}
		a.metrics = append(a.metrics, m)
	}
	if len(a.metrics) > maxMathMetrics {
		return refuse("ValidationError", "Metrics: %d; Member must have length less than or equal to %d", len(a.metrics), maxMathMetrics)
	}
	return nil
}

// describeAlarm is the alarm as a fleet file says it.
func (s *scope) describeAlarm(a *alarm, now int64) Alarm {
	actions := a.alarm
	out := Alarm{
		Account: s.account.id, Region: s.region.name, Name: a.name, Missing: a.missing, Actions: &actions, Muted: a.enabled.when(now).state == 0,
		Namespace: a.metrics[0].namespace, Metric: a.metrics[0].name,
	}
	if !a.math {
		out.Dimensions = map[string]string{}
		for _, d := range a.metrics[0].dimensions {
			out.Dimensions[d.name] = d.value
		}
		return out
	}
	for i := range a.metrics {
		if id := resourceIn(a.metrics[i].dimensions); id != "" {
			if _, dimensions := s.watched(id); dimensions != nil { // what is not of the fleet is lost
				out.Of = append(out.Of, id)
			}
		}
	}
	if len(out.Of) == 0 {
		out.Dimensions = map[string]string{"Of": "nobody"}
	}
	return out
}

// resourceIn is the resource that the dimensions of a metric name, empty where they name none.
func resourceIn(dimensions []dimension) string {
	value := map[string]string{}
	for _, d := range dimensions {
		value[d.name] = d.value
	}
	if name := value["ServiceName"]; name != "" {
		return value["ClusterName"] + "/" + name
	}
	return cmp.Or(value["InstanceId"], value["DBInstanceIdentifier"], value["DBClusterIdentifier"], value["AutoScalingGroupName"])
}
