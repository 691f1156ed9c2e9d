package config

import (
	"strings"
	"testing"
	"time"

	"dayshift/internal/calendar"
)

const telling = `
timezone: Asia/Seoul
accounts: [{id: "111122223333", regions: [ap-northeast-2]}]
holidays: {kr: {days: [{date: 2027-02-05}]}}
periods:
  night: {begintime: "22:00", endtime: "08:00"}
  rest: {weekdays: sat-sun}
  office: {begintime: "09:00", endtime: "18:00", weekdays: mon-fri}
schedules: {o: {periods: [office]}}
channels:
  ops: {type: slack, url: "https://hooks.example.com/x", `

// TestWhenChannelsAreTold: quiet hours with the meaning of schedules, and digests.
func TestWhenChannelsAreTold(t *testing.T) {
	loaded, err := Parse("f", []byte(telling+`quiet: {periods: [night, rest]}, digest: weekly, digest_on: fri, filter: "tag:Team=shop,region=ap-northeast-2"}`), Env{})
	if err != nil {
		t.Fatal(err)
	}
	got := loaded.Tellings["ops"]
	if got.Filter.IsZero() || !got.Digest.Weekly || got.Digest.Day != time.Friday || got.Digest.At != 9*60 || got.Digest.Zone.String() != "Asia/Seoul" {
		t.Errorf("%+v, %+v", got, got.Digest)
	}
	for at, quiet := range map[string]bool{
		"2027-02-04T21:59:59+09:00": false, "2027-02-04T22:00:00+09:00": true, "2027-02-05T07:59:59+09:00": true, "2027-02-05T08:00:00+09:00": false,
		"2027-02-06T12:00:00+09:00": true, "2027-02-08T12:00:00+09:00": false,
	} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if is := got.Quiet.Wanted(instant).State == calendar.Running; is != quiet {
			t.Errorf("at %s it is quiet: %v", at, is)
		}
	}
	loaded, err = Parse("f", []byte(telling+`timezone: Asia/Shanghai, digest: daily, digest_at: "18:30"}`), Env{})
	if err != nil {
		t.Fatal(err)
	}
	if d := loaded.Tellings["ops"].Digest; d.Weekly || d.At != 18*60+30 || d.Zone.String() != "Asia/Shanghai" || loaded.Tellings["ops"].Quiet != nil {
		t.Errorf("%+v", d)
	}
}

// TestWrongTellings: each with its place and what to do.
func TestWrongTellings(t *testing.T) {
	for _, test := range []struct{ text, path, says string }{
		{`quiet: {timezone: Asia/Seoul}}`, "channels.ops.quiet", "add periods: [NAME]"},
		{`quiet: {periods: [nihgt]}}`, "channels.ops.quiet.periods[0]", "night"},
		{`quiet: {periods: [night@t3.small]}}`, "channels.ops.quiet.periods[0]", "write night"},
		{`quiet: {periods: [night, night]}}`, "channels.ops.quiet.periods[1]", "twice"},
		{`quiet: {periods: [night], timezone: Asia/Soul}}`, "channels.ops.quiet.timezone", "Asia/Seoul"},
		{`quiet: {periods: [night], holidays: [kp]}}`, "channels.ops.quiet.holidays[0]", "kr"},
		{`digest: hourly}`, "channels.ops.digest", "daily"},
		{`digest: daily, digest_on: fri}`, "channels.ops.digest_on", "write digest: weekly"},
		{`digest: weekly, digest_on: someday}`, "channels.ops.digest_on", "mon"},
		{`digest: daily, digest_at: "25:00"}`, "channels.ops.digest_at", "23:59"},
		{`digest_at: "18:00"}`, "channels.ops.digest_at", "add digest: daily"},
		{`filter: "tag:Team=shop,vpc-id=vpc-1"}`, "channels.ops.filter", "asks for vpc-id, which no message carries"},
		{`filter: "team"}`, "channels.ops.filter", "key=value"},
	} {
		_, err := Parse("f", []byte(telling+test.text), Env{})
		faults := Faults(nil)
		if list, is := err.(Faults); is { //nolint:errorlint // that is what it gives
			faults = list
		}
		if len(faults) != 1 || faults[0].Path != test.path || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}
