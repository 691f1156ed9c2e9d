package awssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"
)

// described is an answer of DescribeMaintenanceWindows or a refusal.
type described struct {
	WindowIdentities []windowIdentity
	NextToken        string
	Type             string `json:"__type"`
	Message          string `json:"message"`
	status           int
}

func (d described) names() []string {
	var out []string
	for _, w := range d.WindowIdentities {
		out = append(out, w.Name)
	}
	return out
}

func (k caller) windows(body string, header ...string) described {
	k.t.Helper()
	r := k.request(nil)
	raw, err := http.NewRequest(http.MethodPost, "http://sim/", strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	raw.Header = r.Header
	raw.Header.Set("Content-Type", "application/x-amz-json-1.1")
	raw.Header.Set("X-Amz-Target", "AmazonSSM.DescribeMaintenanceWindows")
	for i := 0; i+1 < len(header); i += 2 {
		raw.Header.Set(header[i], header[i+1])
	}
	a := k.send(raw)
	d := described{status: a.status}
	if err := json.Unmarshal([]byte(a.body), &d); err != nil {
		k.t.Fatalf("%s: %v in %q", body, err, a.body)
	}
	return d
}

func newSSM(t *testing.T, opt Options, windows ...Window) caller {
	t.Helper()
	k := newCaller(t, opt)
	for i := range windows {
		w := &windows[i]
		if w.Account == "" {
			w.Account, w.Region = "111122223333", "us-east-1"
		}
		if w.Cron == "" {
			w.Cron, w.Hours = "cron(0 2 ? * SUN *)", 3
		}
	}
	if err := k.c.Load(Fleet{Windows: windows}); err != nil {
		t.Fatal(err)
	}
	return k.to("ssm")
}

func TestMaintenanceWindowsAreFilteredAndPaged(t *testing.T) {
	off := false
	windows := []Window{
		{Name: "patch", Timezone: "America/New_York", ID: "mw-0123456789abcdef0"},
		{Name: "patch", Cron: "cron(30 23 L * ? *)", Hours: 24, Cutoff: 23},
		{Name: "off", Enabled: &off},
		{Name: "elsewhere", Account: "111122223333", Region: "eu-west-1", Cron: "cron(0 0 * * ? *)", Hours: 1},
	}
	for i := range 20 {
		windows = append(windows, Window{Name: fmt.Sprintf("more-%02d", i)})
	}
	k := newSSM(t, Options{Start: time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC)}, windows...)
	for _, tc := range []struct {
		filters string
		want    []string
	}{
		{`[{"Key":"Name","Values":["patch"]}]`, []string{"patch", "patch"}},
		{`[{"Key":"Name","Values":["patch","off"]},{"Key":"Enabled","Values":["True"]}]`, []string{"patch", "patch"}},
		{`[{"Key":"Enabled","Values":["false"]}]`, []string{"off"}},
		{`[{"Key":"Name","Values":["PATCH"]}]`, nil},
		{`[{"Key":"Name","Values":["pa*"]}]`, nil},
	} {
		if diff := cmp.Diff(tc.want, k.windows(`{"Filters":`+tc.filters+`}`).names()); diff != "" {
			t.Errorf("%s: %s", tc.filters, diff)
		}
	}
	first := k.windows(`{"Filters":[{"Key":"Name","Values":["patch","off"]}]}`).WindowIdentities
	want := []windowIdentity{
		// New York's clocks go back at 2:00 on that Sunday: the first 2:00 is the one after.
		{WindowID: "mw-0123456789abcdef0", Name: "patch", Enabled: true, Duration: 3, Schedule: "cron(0 2 ? * SUN *)", ScheduleTimezone: "America/New_York", NextExecutionTime: "2026-11-01T02:00-05:00"},
		{WindowID: first[1].WindowID, Name: "patch", Enabled: true, Duration: 24, Cutoff: 23, Schedule: "cron(30 23 L * ? *)", NextExecutionTime: "2026-10-31T23:30Z"},
		{WindowID: first[2].WindowID, Name: "off", Duration: 3, Schedule: "cron(0 2 ? * SUN *)"},
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	if !windowIDForm.MatchString(first[1].WindowID) {
		t.Errorf("id %q", first[1].WindowID)
	}
	// At its begin a window shows the execution after.
	k.clock.pass(11*time.Hour + 30*time.Minute - time.Second)
	for _, want := range []string{"2026-10-31T23:30Z", "2026-11-30T23:30Z"} {
		if got := k.windows(`{"Filters":[{"Key":"Name","Values":["patch"]}]}`).WindowIdentities[1].NextExecutionTime; got != want {
			t.Errorf("next %s, want %s", got, want)
		}
		k.clock.pass(time.Second)
	}

	var names []string
	pages, token := 0, ""
	for {
		pages++
		page := k.windows(fmt.Sprintf(`{"MaxResults":10,"NextToken":%s}`, token+map[bool]string{true: "null"}[token == ""]))
		names = append(names, page.names()...)
		if page.NextToken == "" {
			break
		}
		token = fmt.Sprintf("%q", page.NextToken)
	}
	if pages != 3 || len(names) != 23 {
		t.Errorf("%d pages with %d windows", pages, len(names))
	}
	if got := k.in("eu-west-1").windows(`{}`).names(); len(got) != 1 || got[0] != "elsewhere" {
		t.Errorf("eu-west-1: %v", got)
	}
	if got := k.in("eu-central-1").windows(`{"Filters":[]}`); got.status != 200 || got.WindowIdentities == nil || len(got.names()) != 0 {
		t.Errorf("eu-central-1: %+v", got)
	}
}

func TestServicesInJSONRefuseInTheirOwnWords(t *testing.T) {
	k := newSSM(t, Options{StrictCredentials: true, Limits: Limits{Table: AWSLimits()}}, Window{Name: "patch"})
	filters := strings.TrimSuffix(strings.Repeat(`{"Key":"Name","Values":["a"]},`, 6), ",")
	for _, tc := range []struct {
		name, body string
		header     []string
		code, says string
	}{
		{"unknown filter", `{"Filters":[{"Key":"WindowId","Values":["a"]}]}`, nil, "ValidationException", "WindowId"},
		{"six filters", `{"Filters":[` + filters + `]}`, nil, "ValidationException", "6 filters"},
		{"a page too small", `{"MaxResults":9}`, nil, "ValidationException", "between 10 and 100"},
		{"a page too large", `{"MaxResults":101}`, nil, "ValidationException", "between 10 and 100"},
		{"a strange token", `{"NextToken":"abc"}`, nil, "ValidationException", "NextToken"},
		{"a member that is not modelled", `{"WindowId":"mw-1"}`, nil, "ValidationException", "WindowId"},
		{"not JSON", `MaxResults=10`, nil, "SerializationException", "JSON"},
		{"a list", `[]`, nil, "SerializationException", "JSON"},
		{"null", `null`, nil, "SerializationException", "JSON"},
		{"two documents", `{}{}`, nil, "SerializationException", "JSON"},
		{"nothing", ``, nil, "SerializationException", "JSON"},
		{"nested without end", `{"Filters":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, nil, "SerializationException", "JSON"},
		{"unknown operation", `{}`, []string{"X-Amz-Target", "AmazonSSM.StartSession"}, "UnknownOperationException", "StartSession"},
		{"an operation of another service", `{}`, []string{"X-Amz-Target", "DynamoDB_20120810.DescribeMaintenanceWindows"}, "UnknownOperationException", "X-Amz-Target"},
		{"the operation in the body", `{"Action":"DescribeMaintenanceWindows"}`, []string{"X-Amz-Target", ""}, "UnknownOperationException", "X-Amz-Target"},
		{"no signature", `{}`, []string{"Authorization", ""}, "MissingAuthenticationToken", ""},
		{"unknown key", `{}`, []string{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIAUNKNOWN/20261120/us-east-1/ssm/aws4_request, SignedHeaders=host, Signature=00"}, "UnrecognizedClientException", "invalid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := k
			k.t = t
			if tc.name == "no signature" { // the service is not known then
				r := k.request(nil)
				r.Header.Del("Authorization")
				if a := k.send(r); a.code != tc.code {
					t.Errorf("%+v", a)
				}
				return
			}
			got := k.windows(tc.body, tc.header...)
			if got.Type != tc.code || got.status != 400 || !strings.Contains(got.Message, tc.says) {
				t.Errorf("%d %s: %s", got.status, got.Type, got.Message)
			}
			k.clock.pass(10 * time.Second)
		})
	}
	n := 0
	for got := k.windows(`{}`); got.Type != "ThrottlingException"; got = k.windows(`{}`) {
		if n++; got.status != 200 || n > 100 {
			t.Fatalf("after %d: %+v", n, got)
		}
	}
	if n != 10 {
		t.Errorf("a burst of %d", n)
	}
}

func TestRolesAndFaultsConcernServicesInJSON(t *testing.T) {
	k := newSSM(t, Options{}, Window{Name: "patch"})
	for _, tc := range []struct {
		fault  Fault
		status int
		code   string
	}{
		{Fault{Kind: FaultDenied}, 400, "AccessDeniedException"},
		{Fault{Kind: FaultThrottle}, 400, "ThrottlingException"},
		{Fault{Kind: FaultNotOptedIn}, 400, "UnrecognizedClientException"},
		{Fault{Kind: FaultError, Code: "InternalServerError"}, 500, "InternalServerError"},
		{Fault{Kind: FaultErrorIn200, Code: "Throttling", Message: "quote \" and \x00"}, 200, "Throttling"},
	} {
		tc.fault.Service = "ssm"
		if err := k.c.SetFaults([]Fault{tc.fault}); err != nil {
			t.Fatal(err)
		}
		if got := k.windows(`{}`); got.status != tc.status || got.Type != tc.code {
			t.Errorf("%s: %+v", tc.fault.Kind, got)
		}
	}
	if err := k.c.SetFaults(nil); err != nil {
		t.Fatal(err)
	}
	if got := k.windows(`{}`); got.status != 200 || len(got.names()) != 1 {
		t.Errorf("without faults: %+v", got)
	}
	last := k.c.Calls()[len(k.c.Calls())-1]
	if last.Service != "ssm" || last.Action != "DescribeMaintenanceWindows" || last.Items != 1 || last.Mutating {
		t.Errorf("logged as %+v", last)
	}
}

func TestTheGoSDKListsWindows(t *testing.T) {
	k := newSSM(t, Options{}, Window{Name: "patch"}, Window{Name: "other"})
	api := ssm.NewFromConfig(sdkConfig(k.c, "us-east-1", credentials.NewStaticCredentialsProvider("111122223333", "x", "")))
	out, err := api.DescribeMaintenanceWindows(t.Context(), &ssm.DescribeMaintenanceWindowsInput{Filters: []ssmtypes.MaintenanceWindowFilter{{Key: aws.String("Name"), Values: []string{"patch"}}}})
	if err != nil || len(out.WindowIdentities) != 1 || aws.ToString(out.WindowIdentities[0].Name) != "patch" || !out.WindowIdentities[0].Enabled {
		t.Errorf("%+v %v", out, err)
	}
	_, err = api.DescribeMaintenanceWindows(t.Context(), &ssm.DescribeMaintenanceWindowsInput{MaxResults: aws.Int32(1)})
	if code(err) != "ValidationException" {
		t.Errorf("a page of one: %v", err)
	}
}

func TestAWrongWindowIsRefusedWithItsPlace(t *testing.T) {
	row := func(more string) string {
		return "windows:\n  - account: \"111122223333\"\n    region: us-east-1\n    name: patch\n" + more
	}
	const good = "    cron: cron(0 2 ? * SUN *)\n    duration_hours: 3\n"
	if _, err := ParseFleet([]byte(row(good))); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, file, says string }{
		{"no name", strings.Replace(row(good), "patch", "ab", 1), `windows[0].name: "ab" is not a name`},
		{"region", strings.Replace(row(good), "us-east-1", "mars-1", 1), `windows[0].region: "mars-1" is not a region`},
		{"account", strings.Replace(row(good), `"111122223333"`, `"1"`, 1), "twelve digits"},
		{"partition", "accounts: [{id: \"111122223333\", partition: aws-cn}]\n" + row(good), "belongs to partition aws"},
		{"cron", row("    cron: cron(0 2 * * SUN *)\n    duration_hours: 3\n"), "[5:11] windows[0].cron"},
		{"five fields", row("    cron: 0 2 * * 0\n    duration_hours: 3\n"), "write cron(minutes hours day month weekday year)"},
		{"rate", row("    cron: rate(3 hours)\n    duration_hours: 3\n"), "write cron("},
		{"zone", row(good + "    timezone: Mars/Olympus\n"), "[7:15] windows[0].timezone"},
		{"no duration", row("    cron: cron(0 2 ? * SUN *)\n"), "duration_hours: 0: must be between 1 and 24"},
		{"long duration", row("    cron: cron(0 2 ? * SUN *)\n    duration_hours: 25\n"), "between 1 and 24"},
		{"cutoff", row(good + "    cutoff_hours: 3\n"), "less than duration_hours"},
		{"id", row(good + "    id: mw-1\n"), "mw- and 17 hexadecimal digits"},
		{"id twice", row(good+"    id: mw-0123456789abcdef0\n") + strings.TrimPrefix(row(good+"    id: mw-0123456789abcdef0\n"), "windows:\n"), "is listed twice"},
		{"unknown key", row(good + "    schedule: daily\n"), `unknown field "schedule"`},
	} {
		_, err := ParseFleet([]byte(tc.file))
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v\nwant %q", tc.name, err, tc.says)
		}
	}
	k := newSSM(t, Options{}, Window{Name: "patch", ID: "mw-0123456789abcdef0"})
	again := Window{Account: k.key, Region: k.region, Name: "patch", ID: "mw-0123456789abcdef0", Cron: "cron(0 2 ? * SUN *)", Hours: 1}
	if err := k.c.Load(Fleet{Windows: []Window{again}}); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("the same id once more: %v", err)
	}
}
