package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func sample() Resource {
	return Resource{
		Ref:  Ref{Scope: Scope{"111122223333", "ap-northeast-2"}, Kind: EC2Instance, ID: "i-0abc"},
		ARN:  "arn:aws:ec2:ap-northeast-2:111122223333:instance/i-0abc",
		Name: "batch 1", Native: "running", Type: "t3.small", Zone: "ap-northeast-2a", VPC: "vpc-1", Subnet: "subnet-1", PrivateIP: "10.0.3.7",
		Tags: map[string]string{"Name": "batch 1", "Env": "dev", "Empty": "", "a=b": "x,y", "Team": "[data]*"},
	}
}

func TestFilterMatch(t *testing.T) {
	for text, want := range map[string]bool{
		"instance-id=i-0abc":                       true,
		"instance-id=i-0ABC":                       false,
		"tag:Env=dev":                              true,
		"tag:Env=Dev":                              false,
		"tag:env=dev":                              false,
		"tag:Env=prod,tag:Env=dev":                 true,
		"tag:Env=dev,instance-type=m5.*":           false,
		"tag:Env=dev,instance-type=t3.*":           true,
		"tag:Env=dev , instance-type = t3.small":   true,
		"tag:Empty=*":                              true,
		"tag:Absent=*":                             false,
		"tag:Empty=?":                              false,
		"vpc-id=vpc-1":                             true,
		"vpc-id=vpc-2,vpc-id=vpc-*":                true,
		"vpc-id=vpc-2":                             false,
		"subnet-id=subnet-?":                       true,
		"private-ip-address=10.0.3.*":              true,
		"private-ip-address=10.0.3.8":              false,
		"instance-state-name=running":              true,
		"instance-state-name=stopp*":               false,
		"name=batch ?":                             true,
		"name=batch??":                             true,
		"name=batch?":                              false,
		"name=*":                                   true,
		"name=b*c*1":                               true,
		"name=b*c*2":                               false,
		`tag:Team=[data]\*`:                        true,
		`tag:Team=\[data]*`:                        false, // refused below; never matches
		`tag:a\=b=x\,y`:                            true,
		"region=ap-*":                              true,
		"region=us-east-1":                         false,
		"account=111122223333":                     true,
		"account=1111*":                            true,
		"availability-zone=ap-northeast-2[ab]":     false,
		"availability-zone=ap-northeast-2?":        true,
		"resource-type=ec2_instance":               true,
		"resource-type=rds*":                       false,
		"arn=arn:aws:ec2:*:instance/i-0abc":        true,
		"instance-id=i-1,instance-id=i-2,name=b*1": false,
	} {
		filter, err := ParseFilter(text)
		if err != nil {
			if !strings.Contains(text, `\[`) {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if got := filter.Match(sample()); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	if (Filter{}).Match(sample()) {
		t.Error("the zero filter selects something")
	}
}

func TestFilterRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "filter is empty",
		"  \t":                            "filter is empty",
		",":                               "nothing between two commas",
		"tag:Env=dev,":                    "nothing between two commas",
		"tag:Env":                         `has no "="`,
		"tag:=x":                          "names no tag",
		"Tag:Name=x":                      `did you mean "tag:Name"?`,
		"instanceid=i-1":                  `did you mean "instance-id"?`,
		"Instance-Id=i-1":                 `did you mean "instance-id"?`,
		"key-name=deploy":                 "allowed are account, arn, availability-zone, instance-id, instance-state-name, instance-type, name, private-ip-address, region, resource-type, subnet-id, vpc-id, tag:<key>",
		"vpc-id=4085e027":                 `begin with "vpc-"`,
		"subnet-id=vpc-1":                 `begin with "subnet-"`,
		"private-ip-address=10.0.3":       "is not an address",
		"instance-state-name=runing":      `did you mean "running"?`,
		"=x":                              `unknown key ""`,
		"name=":                           "write name=* for any value",
		"name= ,region=*":                 "write name=* for any value",
		"account=1234":                    "exactly twelve digits",
		"region=moon":                     "expected an AWS region code",
		"resource-type=ec2_instances":     `did you mean "ec2_instance"?`,
		"resource-type=lambda*":           "matches no kind of resource",
		`name=a\nb`:                       `"\n" means nothing`,
		`name=a\`:                         `ends in a single "\"`,
		"name=\xff":                       "not valid UTF-8",
		strings.Repeat("name=a,", 10_000): "at most 16384 are allowed",
	} {
		filter, err := ParseFilter(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q in it", text, err, want)
		}
		if filter.Match(sample()) {
			t.Errorf("%.40q: a refused filter selects something", text)
		}
	}
}

func TestFilterString(t *testing.T) {
	const text = `tag:Env=dev, name = a*, tag:Env=te\*st,tag:Env=dev`
	filter, err := ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := filter.String(), `tag:Env=dev,tag:Env=te\*st,name=a*`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var again Filter
	if err := again.UnmarshalText([]byte(filter.String())); err != nil || !again.Equal(filter) {
		t.Errorf("%v, %v", again, err)
	}
}

// Whatever a tag is called and holds, the filter that names it literally
// selects it, and printing and reading keep it.
func TestFilterOfAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringN(1, 20, 60).Draw(t, "key")
		value := rapid.StringN(1, 20, 60).Draw(t, "value")
		want := Filter{}
		want.add(tagPrefix+key, compile(literal(value)))
		filter, err := ParseFilter(want.String())
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if !filter.Equal(want) {
			t.Fatalf("%s became %s", want, filter)
		}
		if !filter.Match(Resource{Tags: map[string]string{key: value}}) {
			t.Fatalf("%s does not match its own value", filter)
		}
		if filter.Match(Resource{Tags: map[string]string{key: value + "x"}}) {
			t.Fatalf("%s matches more than its value", filter)
		}
	})
}

// A term of FilterTerm matches exactly its value, whatever characters that has.
func TestFilterTerm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune(`ab*?\\,= é`)), 1, 12, -1)
		key, value, other := text.Draw(t, "key"), text.Draw(t, "value"), text.Draw(t, "other")
		filter, err := ParseFilter(FilterTerm("tag:"+key, value))
		if err != nil {
			t.Fatal(err)
		}
		r := sample()
		r.Tags = map[string]string{key: other}
		if got := filter.Match(r); got != (other == value) {
			t.Errorf("%q matches %q=%q: %v", filter, key, other, got)
		}
		if r.Tags[key] = value; !filter.Match(r) {
			t.Errorf("%q does not match its own value", filter)
		}
	})
}

func literal(text string) []char {
	var chars []char
	for _, r := range text {
		chars = append(chars, char{r, true})
	}
	return chars
}

// The matcher agrees with the plainest possible one.
func TestPatternAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("abé")), 0, 12, -1).Draw(t, "text")
		written := rapid.StringOfN(rapid.SampledFrom([]rune("abé*?")), 0, 8, -1).Draw(t, "pattern")
		chars, err := unescape(written)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := compile(chars).match(text), oracle([]rune(written), []rune(text)); got != want {
			t.Fatalf("%q on %q: got %v, want %v", written, text, got, want)
		}
	})
}

func oracle(pattern, text []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(text) == 0
	case pattern[0] == '*':
		return oracle(pattern[1:], text) || len(text) > 0 && oracle(pattern, text[1:])
	case len(text) == 0:
		return false
	}
	return (pattern[0] == '?' || pattern[0] == text[0]) && oracle(pattern[1:], text[1:])
}

func TestPatternIsQuickOnHostileText(t *testing.T) {
	filter, err := ParseFilter("name=" + strings.Repeat("*a", 100) + "*b")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if filter.Match(Resource{Name: strings.Repeat("a", 255)}) {
		t.Error("matched")
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %s", took)
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		"tag:Env=dev,instance-type=t3.*", `name=a\*b\ `, "Tag:Name=x", "", ",", "account=111122223333", `tag:a\=b=c\,d`, "resource-type=*",
		"tag:*=x", `tag:\ a\ =\ x\ `,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := ParseFilter(text)
		if err != nil {
			if !filter.IsZero() {
				t.Fatalf("%q: refused, yet not empty", text)
			}
			return
		}
		if filter.IsZero() {
			t.Fatalf("%q: accepted, yet empty", text)
		}
		again, err := ParseFilter(filter.String())
		if err != nil || !again.Equal(filter) {
			t.Fatalf("%q: %q came back as %q, %v", text, filter, again, err)
		}
		filter.Match(sample())
	})
}

func TestFilterReach(t *testing.T) {
	scope := Scope{Account: "111122223333", Region: "ap-northeast-2"}
	for text, want := range map[string][2]bool{
		"tag:Env=dev":                        {true, false},
		"tag:Env=dev,region=ap-*":            {true, false},
		"tag:Env=dev,region=eu-*":            {false, false},
		"account=111122223333,tag:Env=dev":   {true, true},
		"account=444455556666":               {false, false},
		"resource-type=ec2_*":                {true, true},
		"resource-type=rds_*,instance-id=i-": {false, false},
	} {
		filter, err := ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		if can, named := filter.Reach(scope, EC2Instance); [2]bool{can, named} != want {
			t.Errorf("%s: can %v, named %v", text, can, named)
		}
	}
}

func TestWhatStandsForAFilter(t *testing.T) {
	seoul, china := Resource{Ref: Ref{Scope: Scope{Account: "111122223333", Region: "ap-northeast-2"}}}, Resource{Ref: Ref{Scope: Scope{Account: "444455556666", Region: "cn-north-1"}}}
	for text, want := range map[string]string{
		"tag:Team=shop": "111122223333/ap-northeast-2 map[Team:shop]; 444455556666/cn-north-1 map[Team:shop]",
		"account=111122223333,tag:Team=shop,tag:Team=web,tag:Env=d*,instance-type=t3.micro": "111122223333/ap-northeast-2 map[Team:shop]; 111122223333/ap-northeast-2 map[Team:web]",
		"region=eu-west-1,tag:Team=shop":                  "",
		"region=cn-*,resource-type=ec2_instance,name=web": "444455556666/cn-north-1 ec2_instance web map[]",
	} {
		filter, err := ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range filter.Stand([]Resource{seoul, china}) {
			if !filter.Match(r) && text != "account=111122223333,tag:Team=shop,tag:Team=web,tag:Env=d*,instance-type=t3.micro" {
				t.Errorf("%s does not select %+v", text, r)
			}
			got = append(got, strings.Join(strings.Fields(fmt.Sprint(r.Scope, " ", r.Kind, " ", r.Name, " ", r.Tags)), " "))
		}
		if joined := strings.Join(got, "; "); joined != want {
			t.Errorf("%s: %s, want %s", text, joined, want)
		}
	}
	team, err := ParseFilter("tag:Team=shop")
	if err != nil {
		t.Fatal(err)
	}
	if list := team.Stand([]Resource{{Tags: map[string]string{"Team": "web"}}}); len(list) != 0 {
		t.Errorf("nothing is of two teams: %+v", list)
	}
}
