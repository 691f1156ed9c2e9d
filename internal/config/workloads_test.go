package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// environment has every key of a workload once.
const environment = small + `
workloads:
  shop:
    description: the shop
    schedule: office
    filters: "tag:Environment=ENV001"
    accounts: ["111122223333"]
    enabled: true
    profile: default
    overlap: queue
    on_failure: undo
    topic: arn:aws:sns:us-east-1:111122223333:shop
    tiers:
      db:
        filters: "tag:Role=DB"
        regions: [us-east-1]
        profiles: {default: t3.nano, performant: c5.large}
        start: {sequence: 0, delay: 10s, synchronous: true, before: [{type: webhook, url: "https://hooks.example/shop", veto: true}]}
        stop: {sequence: 2, at_once: 4, timeout: 1h, after: [{type: lambda, function: "arn:aws:lambda:us-east-1:111122223333:function:cool-down", once_per: member}]}
        ready: [{type: tcp, port: 5432, timeout: 5m, interval: 2s}, {type: http, port: 80, path: /health, expect: "200"}]
        vetoes: [{type: file, path: /tmp/StopOverride, unknown: stop, limit: 4h}, {type: sessions}]
        balancers: true
        bypass: "instance-id=i-0abc"
      web:
        filters: "tag:Role=Web"
        start: {sequence: 7}
        stop: {sequence: 0}
rules:
  nightly: {expression: "cron(0 20 * * ? *)", action: "workload:shop:stop"}
`

func TestAWorkloadIsReadWhole(t *testing.T) {
	loaded := mustJoin(t, environment)
	w := loaded.Book.Workloads.Named("shop")
	if w == nil || !w.Usable() {
		t.Fatalf("the workload is %+v", w)
	}
	zero, two := 0, 2
	want := workload.Tier{
		Name: "db", Regions: w.Tiers[0].Regions, Profiles: map[string]string{"default": "t3.nano", "performant": "c5.large"}, Balancers: true,
		Start: workload.Half{
			Sequence: &zero, Delay: 10 * time.Second, Synchronous: true, Timeout: 30 * time.Minute,
			Before: []workload.Hook{{Type: workload.HookWebhook, URL: "https://hooks.example/shop", Timeout: 5 * time.Minute, Veto: true, OncePer: workload.PerTier}},
		},
		Stop: workload.Half{
			Sequence: &two, AtOnce: 4, Timeout: time.Hour,
			After: []workload.Hook{{Type: workload.HookLambda, Function: "arn:aws:lambda:us-east-1:111122223333:function:cool-down", Timeout: 5 * time.Minute, OncePer: workload.PerMember}},
		},
		Ready: []workload.Gate{
			{Type: workload.GateTCP, Port: 5432, Timeout: 5 * time.Minute, Interval: 2 * time.Second},
			{Type: workload.GateHTTP, Port: 80, Path: "/health", Expect: workload.Statuses{From: 200, To: 200}, Timeout: 10 * time.Minute, Interval: 10 * time.Second},
		},
		Vetoes: []workload.Veto{
			{Type: workload.VetoFile, Path: "/tmp/StopOverride", Timeout: 3 * time.Minute, Unknown: workload.StopIt, Limit: 4 * time.Hour},
			{Type: workload.VetoSessions, Timeout: 3 * time.Minute, Unknown: workload.Keep},
		},
	}
	want.Filter, want.Bypass = w.Tiers[0].Filter, w.Tiers[0].Bypass
	if diff := cmp.Diff(want, w.Tiers[0]); diff != "" {
		t.Errorf("tier db (-want +got):\n%s", diff)
	}
	if got := []string{w.Filter.String(), w.Tiers[0].Filter.String(), w.Tiers[0].Bypass.String(), string(w.Overlap), string(w.OnFailure), w.Profile, w.Schedule, w.Topic}; !slices.Equal(got, []string{
		"tag:Environment=ENV001", "tag:Role=DB", "instance-id=i-0abc", "queue", "undo", "default", "office", "arn:aws:sns:us-east-1:111122223333:shop",
	}) {
		t.Errorf("the workload has %v", got)
	}
	if names, _ := w.Order(workload.Start); !slices.Equal(names, []string{"db", "web"}) {
		t.Errorf("it starts as %v", names)
	}
	if r := loaded.Book.Rules[0]; r.Workload != "shop" || r.Verb != "stop" || !r.Filter.IsZero() {
		t.Errorf("the rule is %+v", r)
	}
}

// TestWorkloadsAsObjects: what export writes is read as the same, from a file and from the store.
func TestWorkloadsAsObjects(t *testing.T) {
	loaded := mustJoin(t, environment)
	written, err := loaded.Export(false, store.WorkloadObject)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(environment, "workloads:")
	again := mustJoin(t, head+string(written))
	if diff := cmp.Diff(loaded.Config.Workloads, again.Config.Workloads); diff != "" {
		t.Errorf("exported and read (-want +got):\n%s\n%s", diff, written)
	}
	spec := loaded.Objects(store.WorkloadObject)[0].Spec
	joined := mustJoin(t, small, objectOf(store.WorkloadObject, "shop", string(spec)),
		objectOf(store.RuleObject, "nightly", `{"expression":"cron(0 20 * * ? *)","action":"workload:shop:stop"}`))
	if diff := cmp.Diff(loaded.Config.Workloads, joined.Config.Workloads); diff != "" {
		t.Errorf("from the store (-want +got):\n%s", diff)
	}
	if w := joined.Book.Workloads.Named("shop"); w == nil || w.Err != nil || joined.Book.Rules[0].Err != nil {
		t.Errorf("the workload is %+v, the rule %+v", w, joined.Book.Rules[0])
	}
	sections, err := Sections("f", written)
	if err != nil || len(sections) != 1 || sections[0].Kind != store.WorkloadObject || string(sections[0].Spec) != string(spec) {
		t.Errorf("as sections %v, %v", sections, err)
	}
}

// TestAWorkloadIsSetAside: one with a circle holds nothing else back, and says its path.
func TestAWorkloadIsSetAside(t *testing.T) {
	loaded := mustJoin(t, small,
		objectOf(store.WorkloadObject, "circle", `{"tiers":{"a":{"filters":"tag:Role=a","depends_on":["b"]},"b":{"filters":"tag:Role=b","depends_on":["a"]}}}`),
		objectOf(store.WorkloadObject, "shop", `{"tiers":{"a":{"filters":"tag:Role=a"}}}`),
		objectOf(store.RuleObject, "down", `{"expression":"cron(0 20 * * ? *)","action":"workload:nowhere:stop"}`))
	circle := loaded.Book.Workloads.Named("circle")
	var faults Faults
	if circle == nil || !errors.As(circle.Err, &faults) || !strings.Contains(faults[0].Problem.String(), "a → b → a") {
		t.Errorf("circle is %+v", circle)
	}
	if w := loaded.Book.Workloads.Named("shop"); w == nil || w.Err != nil {
		t.Errorf("shop is %+v", w)
	}
	if r := loaded.Book.Rules[0]; r.Err == nil || r.Usable() {
		t.Errorf("the rule is %+v", r)
	}
}

func TestTiersOnTheCommandLine(t *testing.T) {
	fields := Fields(store.WorkloadObject)
	tiers := fields[slices.IndexFunc(fields, func(f Field) bool { return f.Key == "tiers" })]
	value, err := tiers.Value(`{db: {filters: "tag:Role=DB", start: {sequence: 0}}, web: {filters: "tag:Role=Web", start: {sequence: 1}}}`)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := SpecOf(store.WorkloadObject, "shop", map[string]any{"tiers": value})
	if want := `{"tiers":{"db":{"filters":"tag:Role=DB","start":{"sequence":0}},"web":{"filters":"tag:Role=Web","start":{"sequence":1}}}}`; err != nil || string(spec) != want {
		t.Errorf("the spec is %s, %v", spec, err)
	}
}
