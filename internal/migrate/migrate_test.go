package migrate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dayshift/internal/golden"
)

// documents are files of testdata, which stand in the READMEs of their systems word for word.
func documents(t testing.TB, names ...string) []File {
	t.Helper()
	var files []File
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Name: filepath.Base(name), Text: text})
	}
	return files
}

// told is a draft as text.
func told(d Draft) string {
	var b strings.Builder
	for _, note := range d.Notes {
		fmt.Fprintf(&b, "# %s\n", note)
	}
	return b.String() + string(d.YAML)
}

func TestDocumentsAsTheyStand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, system string
		files        []string
		options      Options
	}{
		{"ec2-scheduler", "ec2-scheduler", []string{"ec2-scheduler/workload.json", "ec2-scheduler/tier.json"}, Options{Account: "111122223333"}},
		{"ec2-scheduler-windows", "ec2-scheduler", []string{"ec2-scheduler/tier-windows.json", "ec2-scheduler/workload.json"}, Options{}},
		{"jandi", "jandi", []string{"jandi/schedule.json", "jandi/groups.json", "jandi/exception.json"}, Options{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			draft, err := Import(test.system, documents(t, test.files...), test.options)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, filepath.Join("testdata", test.name+".golden"), told(draft), "go test ./internal/migrate -update")
		})
	}
}

// What `aws dynamodb scan` prints means what the items mean.
func TestScanOfATable(t *testing.T) {
	t.Parallel()
	plain, err := Import("jandi", documents(t, "jandi/schedule.json"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	scan := `{"Count": 1, "Items": [{"ScheduleName": {"S": "SampleSchedule"}, "TagValue": {"S": "SampleScheduleTag"}, "DaysActive": {"S": "weekdays"},
		"Enabled": {"BOOL": true}, "StartTime": {"S": "09:00"}, "StopTime": {"S": "18:00"}, "ForceStart": {"BOOL": false}}]}`
	typed, err := Import("jandi", []File{{"scan.json", []byte(scan)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(plain.YAML), string(typed.YAML)); diff != "" {
		t.Errorf("(-items +scan)\n%s", diff)
	}
}

const schedule = `{"ScheduleName": "s", "TagValue": "t", "DaysActive": "all", "Enabled": true, "StartTime": "9:5", "StopTime": "18:00"}`

// with gives the schedule with other values.
func with(t *testing.T, pairs ...string) string {
	t.Helper()
	values := map[string]any{}
	if err := json.Unmarshal([]byte(schedule), &values); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	seoul, tokyo := "timezone: Asia/Seoul", "timezone: Asia/Tokyo"
	for name, test := range map[string]struct {
		text    string
		options Options
		want    []string
		not     string
	}{
		"a time of one digit":       {schedule, Options{}, []string{`begintime: "09:05"`, seoul, "notify_before_stop: 10m"}, "weekdays"},
		"another zone":              {schedule, Options{Timezone: mustZone(t, "Asia/Tokyo")}, []string{tokyo}, seoul},
		"it only starts":            {with(t, "StopTime", "None"), Options{}, []string{"mode: start-only"}, "endtime"},
		"it only stops":             {with(t, "StartTime", "none"), Options{}, []string{"mode: stop-only"}, "begintime"},
		"neither":                   {with(t, "StartTime", "None", "StopTime", "None"), Options{}, []string{"enabled: false"}, "periods"},
		"a night":                   {with(t, "StartTime", "22:00", "StopTime", "06:00"), Options{}, []string{`begintime: "22:00"`, `endtime: "06:00"`}, "mode"},
		"days":                      {with(t, "DaysActive", "Mon, wed,fri"), Options{}, []string{"weekdays: mon,wed,fri"}, ""},
		"it is off":                 {with(t, "Enabled", "False"), Options{}, []string{"enabled: false"}, ""},
		"a name that YAML may read": {with(t, "TagValue", "yes"), Options{}, []string{`"yes":`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draft, err := Import("jandi", []File{{"f.json", []byte(test.text)}}, test.options)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(string(draft.YAML), want) {
					t.Errorf("there is no %s in\n%s", want, draft.YAML)
				}
			}
			if test.not != "" && strings.Contains(string(draft.YAML), test.not) {
				t.Errorf("there is %s in\n%s", test.not, draft.YAML)
			}
		})
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const workload = `{"SpecName": "w", "WorkloadFilterTagName": "Environment", "WorkloadFilterTagValue": "x", "WorkloadRegion": "us-west-2", "TierFilterTagName": "Role"}`
	tier := func(start, stop string) string {
		return workload + `{"SpecName": "w", "TierTagValue": "db", "TierStart": ` + start + `, "TierStop": ` + stop + `}`
	}
	const zero = `{"TierSequence": "0"}`
	for name, test := range map[string]struct{ system, text, want string }{
		"a system that there is not":    {"jandy", schedule, `"jandy" is no system that can be imported; did you mean "jandi"?`},
		"nothing":                       {"jandi", " \n", "f.json: there are no items in it"},
		"no JSON":                       {"jandi", "ScheduleName: s", `f.json:1: "ScheduleName" is no value of JSON`},
		"half an item":                  {"jandi", "{\n\"ScheduleName\": \"s\"", `f.json:2: it ends before '}'`},
		"an attribute twice":            {"jandi", `{"ScheduleName": "a", "ScheduleName": "b"}`, `"ScheduleName" is there twice in one item`},
		"a text over the end of a line": {"jandi", "{\"a\n\": 1}", "a text does not end on its line"},
		"deep":                          {"jandi", strings.Repeat("[", 50), "values lie more than 32 deep"},
		"not UTF-8":                     {"jandi", "{\"a\": \"\xff\"}", "it is not UTF-8"},
		"a number for an item":          {"jandi", "7", "expected an item in braces"},
		"something else":                {"jandi", `{"Name": "x"}`, "the item is no Schedule, ScheduleServerGroup or ScheduleException"},
		"a wrong time":                  {"jandi", with(t, "StopTime", "25:00"), `StopTime is "25:00"; allowed are times from 0:00 to 23:59, and None`},
		"begin and end at once":         {"jandi", with(t, "StopTime", "09:05"), "starts and stops at 09:05"},
		"wrong days":                    {"jandi", with(t, "DaysActive", "workdays"), `DaysActive is "workdays"`},
		"a schedule twice":              {"jandi", schedule + "\n" + schedule, "f.json:2: the schedule s is there twice"},
		"no tag":                        {"jandi", with(t, "TagValue", ""), "TagValue is missing"},
		"a tag of two schedules":        {"jandi", schedule + with(t, "ScheduleName", "other"), "have the same TagValue t"},
		"a group of nobody":             {"jandi", schedule + `{"GroupName": "g", "InstanceType": "EC2", "ScheduleName": "x"}`, `belongs to the schedule "x", which is not among the documents`},
		"a group of something else":     {"jandi", schedule + `{"GroupName": "g", "InstanceType": "ECS", "ScheduleName": "s"}`, `InstanceType is "ECS"; allowed are EC2 and RDS`},
		"an exception of another type":  {"jandi", schedule + `{"ScheduleName": "s", "ExceptionDate": "2017-07-10", "ExceptionType": "skip"}`, `ExceptionType is "skip"`},
		"an exception on no date":       {"jandi", schedule + `{"ScheduleName": "s", "ExceptionDate": "2017-02-30", "ExceptionType": "stop"}`, `ExceptionDate is "2017-02-30"`},
		"a workload without tiers":      {"ec2-scheduler", workload, "the workload w has no tier among the documents"},
		"a tier without its workload":   {"ec2-scheduler", `{"SpecName": "w", "TierTagValue": "db"}`, "whose WorkloadSpecification is not among the documents"},
		"a workload twice":              {"ec2-scheduler", workload + workload, "the workload w is there twice"},
		"a tier without a stop":         {"ec2-scheduler", workload + `{"SpecName": "w", "TierTagValue": "db", "TierStart": ` + zero + `}`, "has no TierStop"},
		"a sequence that is no number":  {"ec2-scheduler", tier(`{"TierSequence": "first"}`, zero), `has the TierSequence "first"`},
		"a delay that is no number":     {"ec2-scheduler", tier(zero, `{"TierSequence": "0", "InterTierOrchestrationDelay": "-1"}`), `has the InterTierOrchestrationDelay "-1"`},
		"another word for True":         {"ec2-scheduler", tier(zero, `{"TierSequence": "0", "TierSynchronization": "yes"}`), "allowed are True and False"},
		"another system in the guest":   {"ec2-scheduler", tier(zero, `{"TierSequence": "0", "TierStopOverrideFilename": "/x", "TierStopOverrideOperatingSystem": "BSD"}`), "allowed are Linux and Windows"},
		"a list for a text":             {"ec2-scheduler", `{"SpecName": ["w"]}`, "SpecName is a list or a mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Import(test.system, []File{{"f.json", []byte(test.text)}}, Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// Defects of the old system that the import must not carry along.
func TestOldDefects(t *testing.T) {
	t.Parallel()
	const spec = `{"SpecName": "w", "WorkloadFilterTagName": "Environment", "WorkloadFilterTagValue": "a,b*", "WorkloadRegion": "cn-north-1", "TierFilterTagName": "Role", "SNSTopicName": "ops", "DisableAllSchedulingActions": "1"}`
	tier := func(name, sequence, stop string) string {
		return `{"SpecName": "w", "TierTagValue": "` + name + `", "TierStart": {"TierSequence": "` + sequence + `"}, "TierStop": {"TierSequence": "7"` + stop + `}}`
	}
	text := spec + tier("db", "3", `, "TierStopOverrideFilename": "C:\\x.txt"`) + tier("web", "3", "")
	draft, err := Import("ec2-scheduler", []File{{"f.json", []byte(text)}}, Options{Account: "111122223333"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a missing TierSynchronization does not crash": "sequence: 3\n          delay: 5s",
		"two tiers with one sequence are both there":   "web:",
		"a gap in the sequences is a gap":              "sequence: 7",
		"the kill switch":                              "enabled: false",
		"the topic, in its partition":                  "topic: arn:aws-cn:sns:cn-north-1:111122223333:ops",
		"a value with a comma is one value":            `tag:Environment=a\\,b\\*`,
		"a file of Windows without a system":           "windows: true",
	} {
		if !strings.Contains(string(draft.YAML), want) {
			t.Errorf("%s: there is no %q in\n%s", name, want, draft.YAML)
		}
	}
	if !strings.Contains(told(draft), "the old system stopped such instances without looking") {
		t.Errorf("nothing is said of the guest's system:\n%s", told(draft))
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"jandi/schedule.json", "jandi/groups.json", "ec2-scheduler/workload.json", "ec2-scheduler/tier.json"} {
		f.Add(string(documents(f, name)[0].Text))
	}
	f.Add(`[{"Items": [{"a": {"S": "\u0000"}}]}, 1e9, tru, "`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, system := range Systems() {
			draft, err := Import(system, []File{{"f.json", []byte(text)}}, Options{})
			if err != nil && !strings.HasPrefix(err.Error(), "f.json") {
				t.Errorf("the error does not say where: %v", err)
			}
			if err == nil && len(draft.YAML) == 0 {
				t.Error("there is nothing in the draft, and no error")
			}
		}
	})
}
