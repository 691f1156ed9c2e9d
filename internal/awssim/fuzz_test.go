package awssim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// promptly fails a fuzz input that takes longer than any should, which the
// fuzzer itself would wait for.
func promptly(t *testing.T, what []byte) {
	timer := time.AfterFunc(5*time.Second, func() { panic(fmt.Sprintf("hangs on %q", what)) })
	t.Cleanup(func() { timer.Stop() })
}

// No request panics, and every answer is XML or JSON with a status.
func FuzzRequest(f *testing.F) {
	f.Add("ec2", "us-east-1", "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag:x&Filter.1.Value.1=*")
	f.Add("ec2", "us-east-1", "Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=1&MaxCount=2&TagSpecification.1.Tag.1.Key=a")
	f.Add("ec2", "cn-north-1", "Action=CreateTags&Version=2016-11-15&ResourceId.1=i-0123456789abcdef0&Tag.1.Key=%00&Tag.1.Value=%ff")
	f.Add("rds", "us-east-1", "Action=CreateDBInstance&Version=2014-10-31&DBInstanceIdentifier=x&Tags.Tag.1.Key=a")
	f.Add("rds", "us-east-1", "Action=DescribeDBInstances&Version=2014-10-31&Marker=AAAA&Filters.Filter.99999.Name=engine")
	f.Add("sts", "us-east-1", "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/x&RoleSessionName=xy&DurationSeconds=-1")
	f.Add("ssm", "us-east-1", `{"Filters":[{"Key":"Name","Values":["patch"]}],"MaxResults":10}`)
	f.Add("ssm", "us-east-1", `{"Filters":[{"Key":{"a":[null,1e999]},"":true}],"Action":"x","Filters.1.Key":"Name"}`)
	f.Add("ssm", "us-east-1", `{"MaxResults":10,"NextToken":"\ud800"}`)
	f.Fuzz(func(t *testing.T, service, region, body string) {
		c := New(Options{})
		if err := c.Load(Fleet{
			Resources: []Resource{{Account: "111122223333", Region: "us-east-1", Kind: "ec2", ID: "i-0123456789abcdef0"}},
			Windows:   []Window{{Account: "111122223333", Region: "us-east-1", Name: "patch", Cron: "cron(0 2 ? * SUN *)", Hours: 1}},
		}); err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodPost, "http://sim/", strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if strings.HasPrefix(body, "{") {
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			r.Header.Set("X-Amz-Target", "AmazonSSM.DescribeMaintenanceWindows")
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=111122223333/20261120/"+region+"/"+service+"/aws4_request, Signature=00")
		resp, err := c.Transport().RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode < 200 || resp.StatusCode > 599 {
			t.Fatalf("%d %v", resp.StatusCode, err)
		}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/xml") {
			if err := wellFormed(b); err != nil {
				t.Fatalf("not XML: %v\n%s", err, b)
			}
		} else if !json.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
	})
}

func FuzzParseFleet(f *testing.F) {
	f.Add([]byte(sampleFleet))
	f.Add([]byte("resources: [{kind: rds, name: db-#, count: 1048577}]"))
	f.Add([]byte("faults: [{kind: delay, for: 99999999999d}]"))
	f.Add([]byte(`windows: [{account: "111122223333", region: us-east-1, name: patch, cron: cron(0 2 30 2 ? *), duration_hours: 3}]`))
	f.Add([]byte(`resources: [{account: "111122223333", region: us-east-1, kind: ec2, vpc: vpc-01234567, subnet: subnet-01234567, private_ip: 10.0.0.1}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		promptly(t, data)
		fl, err := ParseFleet(data)
		if err != nil {
			return
		}
		n := 0
		for _, r := range fl.Resources {
			n += max(1, r.Count)
		}
		if n > 1000 { // legal, and slow to load
			return
		}
		// What parses also loads, unless two resources want one name.
		if err := New(Options{}).Load(fl); err != nil && !strings.Contains(err.Error(), "exists already") {
			t.Fatalf("parsed but not loaded: %v", err)
		}
	})
}

func FuzzParseFaults(f *testing.F) {
	f.Add([]byte("faults: [{kind: hang}]"))
	f.Add([]byte("! 000000000000000000000000000000000")) // panics inside the YAML parser
	f.Add([]byte("- {kind: stale, for: 1m, from: 2026-01-01T00:00:00Z}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		promptly(t, data)
		if list, err := ParseFaults(data); err == nil {
			if err := New(Options{}).SetFaults(list); err != nil {
				t.Fatalf("parsed but not set: %v", err)
			}
		}
	})
}

// The wildcard match is that of a regular expression.
func TestWildcardsAreRegularExpressions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune(`ab*?\`)), 0, 8, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.SampledFrom([]rune(`ab*?\`)), 0, 10, -1).Draw(t, "text")
		var re strings.Builder
		for i := 0; i < len(pattern); i++ {
			switch c := pattern[i]; {
			case c == '*':
				re.WriteString("(?s:.*)")
			case c == '?':
				re.WriteString("(?s:.)")
			case c == '\\' && i+1 < len(pattern):
				i++
				re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
			default:
				re.WriteString(regexp.QuoteMeta(string(c)))
			}
		}
		if want := regexp.MustCompile("^" + re.String() + "$").MatchString(s); glob(pattern, s) != want {
			t.Fatalf("glob(%q, %q) = %v", pattern, s, !want)
		}
	})
}

// Whatever is set going, the past stays as it was, as far back as it is kept.
func TestATimelineNeverRewritesThePast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := timeline{{at: always, state: 9}}
		truth := []uint8{9} // by instant
		now := int64(0)
		for range rapid.IntRange(1, 12).Draw(t, "turns") {
			now += rapid.Int64Range(1, 20).Draw(t, "wait")
			for at := int64(len(truth)); at < now; at++ {
				truth = append(truth, l.when(at).state)
			}
			l.turn(now, phase{at: now, state: uint8(now % 5)}, phase{at: now + rapid.Int64Range(1, 20).Draw(t, "takes"), state: 7})
			for at := now - 1; at >= 0; at-- {
				if p := l.when(at); p == nil || p.state != truth[at] && p.at != always {
					t.Fatalf("at %d: %v, was %d", at, p, truth[at])
				}
			}
			if l.when(now).state != uint8(now%5) {
				t.Fatalf("the present is %v", l.when(now))
			}
		}
	})
}
