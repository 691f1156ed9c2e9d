package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/workload"
)

// Patterns of what workloads name. The schema repeats them.
const (
	patternTopic    = `^arn:(aws|aws-cn|aws-us-gov):sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$`
	patternFunction = `^arn:(aws|aws-cn|aws-us-gov):lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]{1,128})?$`
	patternStatuses = `^[1-5][0-9]{2}(-[1-5][0-9]{2})?$`
)

var (
	topicPattern    = regexp.MustCompile(patternTopic)
	functionPattern = regexp.MustCompile(patternFunction)
	statusesPattern = regexp.MustCompile(patternStatuses)
)

// workload compiles a workload.
func (b *builder) workload(name string, w Workload) *workload.Workload {
	path := join("workloads", name)
	b.entryName(path, name, maxPeriodName)
	b.note(path+".description", w.Description)
	compiled := &workload.Workload{
		Name: name, Description: w.Description, Schedule: w.Schedule, Enabled: w.Enabled, Profile: w.Profile,
		Overlap: workload.Overlap(w.Overlap), OnFailure: workload.Failure(w.OnFailure), Topic: w.Topic,
		Accounts: b.ruleAccounts(path, Rule{Accounts: w.Accounts}), Regions: b.ruleRegions(path, Rule{Accounts: w.Accounts, Regions: w.Regions}),
	}
	if b.readable(path + ".filters") {
		compiled.Filter = b.filter(path+".filters", w.Filters)
	}
	if at := path + ".schedule"; b.readable(at) && b.l.Book.Schedules[w.Schedule] == nil {
		b.faultAt(at, Fault{Text: w.Schedule, Problem: say.F("is not a schedule"), Fix: guess(b, w.Schedule, b.l.Book.Schedules)})
	}
	if at := path + ".topic"; b.readable(at) && !topicPattern.MatchString(w.Topic) {
		b.faultAt(at, Fault{Text: w.Topic, Problem: say.F("is not the ARN of an SNS topic"), Allowed: say.F("arn:aws:sns:REGION:ACCOUNT:NAME")})
	}
	for _, tier := range sortedKeys(w.Tiers) {
		compiled.Tiers = append(compiled.Tiers, b.tier(join(path+".tiers", tier), tier, w.Tiers[tier]))
	}
	for _, fault := range compiled.Check() {
		b.workloadFault(path, fault)
	}
	if len(compiled.Tiers) > 1 && !ordered(compiled) {
		b.warnAt(path+".tiers", Fault{Problem: say.F("have no order: all of them start and stop at once"), Fix: say.F("say it with depends_on, or with start.sequence")})
	}
	return compiled
}

// ordered reports whether anything says in which order the tiers go.
func ordered(w *workload.Workload) bool {
	for _, d := range [...]workload.Direction{workload.Start, workload.Stop} {
		for i := range w.Tiers {
			t := &w.Tiers[i]
			if t.Half(d).Sequence != nil || len(t.DependsOn) > 0 || len(t.StopDependsOn) > 0 {
				return true
			}
		}
	}
	return false
}

// workloadFault hands on what the model found, at the nearest place that was written, unless more is known of it already.
func (b *builder) workloadFault(path string, f workload.Fault) {
	full := path + "." + f.Path
	for _, known := range [...]string{".filters", ".type"} { // required, and refused where they are read
		if strings.HasSuffix(full, known) {
			return
		}
	}
	if _, written := b.keys[full]; b.unread(full) || f.Path == "tiers" && !written {
		return
	}
	at, known := b.at[full]
	for place := full; !known && place != ""; {
		if at, known = b.keys[place]; known {
			break
		}
		place = place[:max(strings.LastIndexAny(place, ".["), 0)]
		at, known = b.at[place]
	}
	b.fault(at, Fault{Path: full, Text: f.Text, Problem: f.Problem, Allowed: f.Allowed, Fix: f.Fix})
}

// tier compiles one tier.
func (b *builder) tier(path, name string, t Tier) workload.Tier {
	compiled := workload.Tier{
		Name: name, DependsOn: t.DependsOn, StopDependsOn: t.StopDependsOn, Balancers: t.Balancers,
		Accounts: b.ruleAccounts(path, Rule{Accounts: t.Accounts}), Regions: b.ruleRegions(path, Rule{Accounts: t.Accounts, Regions: t.Regions}),
		Start: b.half(path+".start", t.Start), Stop: b.half(path+".stop", t.Stop),
	}
	if b.readable(path + ".filters") {
		compiled.Filter = b.filter(path+".filters", t.Filters)
	}
	if b.readable(path + ".bypass") {
		compiled.Bypass = b.filter(path+".bypass", t.Bypass)
	}
	for _, profile := range sortedKeys(t.Profiles) {
		at := join(path+".profiles", profile)
		kind := strings.ToLower(strings.TrimSpace(t.Profiles[profile]))
		if !policy.IsInstanceType(kind) {
			b.faultAt(at, Fault{Text: t.Profiles[profile], Problem: say.F("is not an instance type"), Allowed: say.F("family, dot and size, such as t3.nano")})
			continue
		}
		if compiled.Profiles == nil {
			compiled.Profiles = map[string]string{}
		}
		compiled.Profiles[profile] = kind
	}
	for i, g := range t.Ready {
		compiled.Ready = append(compiled.Ready, b.gate(index(path+".ready", i), g))
	}
	for i, v := range t.Vetoes {
		at := index(path+".vetoes", i)
		b.calledURL(at+".url", v.URL)
		compiled.Vetoes = append(compiled.Vetoes, workload.Veto{
			Type: workload.VetoKind(v.Type), Path: v.Path, Windows: v.Windows, Lines: v.Lines, URL: v.URL,
			Timeout: time.Duration(v.Timeout), Unknown: workload.Unknown(v.Unknown), Limit: time.Duration(v.Limit),
		})
	}
	return compiled
}

// half compiles one direction of a tier.
func (b *builder) half(path string, h Half) workload.Half {
	compiled := workload.Half{
		Delay: time.Duration(h.Delay), Synchronous: h.Synchronous, AtOnce: h.AtOnce, Timeout: time.Duration(h.Timeout),
		Before: b.hooks(path+".before", h.Before), After: b.hooks(path+".after", h.After),
	}
	if _, written := b.at[path+".sequence"]; written {
		compiled.Sequence = &h.Sequence
	}
	return compiled
}

func (b *builder) hooks(path string, list []TierHook) []workload.Hook {
	var compiled []workload.Hook
	for i, h := range list {
		at := index(path, i)
		b.calledURL(at+".url", h.URL)
		if place := at + ".function"; b.readable(place) && !functionPattern.MatchString(h.Function) {
			b.faultAt(place, Fault{
				Text: h.Function, Problem: say.F("is not the ARN of a Lambda function"), Allowed: say.F("arn:aws:lambda:REGION:ACCOUNT:function:NAME, a version or alias behind it where wanted"),
				Fix: say.F("the name alone does not say in which account and region it is"),
			})
		}
		compiled = append(compiled, workload.Hook{
			Type: workload.HookKind(h.Type), Lines: h.Lines, Windows: h.Windows, URL: h.URL, Function: h.Function,
			Timeout: time.Duration(h.Timeout), Veto: h.Veto, OncePer: workload.Per(h.OncePer),
		})
	}
	return compiled
}

// gate compiles a gate.
func (b *builder) gate(path string, g ReadyGate) workload.Gate {
	compiled := workload.Gate{
		Type: workload.GateKind(g.Type), Host: g.Host, Port: g.Port, Path: g.Path, Lines: g.Lines, Windows: g.Windows,
		Timeout: time.Duration(g.Timeout), Interval: time.Duration(g.Interval),
	}
	switch at := path + ".expect"; {
	case compiled.Type != workload.GateHTTP:
		if b.readable(at) {
			b.faultAt(at, Fault{Text: g.Expect, Problem: say.F("has no meaning for type %s", g.Type), Fix: say.F("remove it")})
		}
	case !statusesPattern.MatchString(strings.TrimSpace(g.Expect)):
		b.faultAt(at, Fault{Text: g.Expect, Problem: say.F("is no range of HTTP statuses"), Allowed: say.F("such as 200 or 200-399")})
		compiled.Expect = workload.Statuses{From: 200, To: 399} // so that nothing else is said of it
	default:
		from, to, ranged := strings.Cut(strings.TrimSpace(g.Expect), "-")
		compiled.Expect.From, _ = strconv.Atoi(from)
		if compiled.Expect.To = compiled.Expect.From; ranged {
			compiled.Expect.To, _ = strconv.Atoi(to)
		}
	}
	return compiled
}

// calledURL checks an address that is called.
func (b *builder) calledURL(path, text string) {
	if !b.readable(path) {
		return
	}
	if f := checkURL(text); f != nil {
		b.faultAt(path, *f)
	}
}

// workloadAction reads an action on a workload; whole is false where it is none.
func (b *builder) workloadAction(path, text string) (name string, verb fleet.Verb, whole bool) {
	rest, whole := strings.CutPrefix(strings.TrimSpace(text), workloadAction)
	if !whole {
		return "", "", false
	}
	at := strings.LastIndexByte(rest, ':')
	f := Fault{Text: text, Allowed: say.F("workload:NAME:start or workload:NAME:stop")}
	if at < 0 || rest[at+1:] != string(fleet.Start) && rest[at+1:] != string(fleet.Stop) {
		f.Problem = say.F("does not say whether the workload is started or stopped")
		b.faultAt(path, f)
		return "", "", true
	}
	name, verb = rest[:at], fleet.Verb(rest[at+1:])
	if b.workloads[name] == nil {
		f.Problem, f.Fix = say.F("names a workload that does not exist"), guess(b, name, b.workloads)
		b.faultAt(path, f)
	}
	return name, verb, true
}

// unfiltered refuses what says which resources a rule acts on, where a workload says it.
func (b *builder) unfiltered(path string) {
	for _, key := range [...]string{"filters", "accounts", "regions", "untagged", "mute_alarms"} {
		if at := path + "." + key; b.readable(at) {
			b.faultAt(at, Fault{Problem: say.F("has no meaning for a workload: its tiers say what is started and stopped"), Fix: say.F("remove it")})
		}
	}
}

// wholes puts the workloads together, once all of them are known.
func (b *builder) wholes() {
	var list []*workload.Workload
	for _, name := range sortedKeys(b.workloads) {
		list = append(list, b.workloads[name])
	}
	if len(list) > 0 {
		b.l.Book.Workloads = policy.NewWorkloads(list)
	}
}
