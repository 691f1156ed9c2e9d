package awssim

import (
	"strings"
	"testing"
	"time"
)

func newSTS(t *testing.T) caller {
	k := newCaller(t, Options{})
	err := k.c.Load(Fleet{Accounts: []Account{
		{ID: "222233334444", Roles: []Role{
			{Name: "dayshift", ExternalID: "s3cret", Deny: []string{"ec2:Stop*", "rds:*"}, MaxSession: Duration(2 * time.Hour)},
			{Name: "closed", Denied: true},
			{Name: "path/reader", Allow: []string{"ec2:Describe*"}},
		}},
		{ID: "333344445555"},
		{ID: "444455556666", Partition: "aws-cn"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return k.to("sts")
}

// assume gives a caller with the session of a role.
func (k caller) assume(arn string, more ...string) caller {
	k.t.Helper()
	a := k.ok("AssumeRole", append([]string{"RoleArn", arn, "RoleSessionName", "dayshift"}, more...)...)
	k.key, k.token = a.element("AccessKeyId"), a.element("SessionToken")
	return k
}

func TestAnAssumedRoleAnswersForItsAccount(t *testing.T) {
	k := newSTS(t)
	s := k.assume("arn:aws:iam::222233334444:role/dayshift", "ExternalId", "s3cret")
	a := s.ok("GetCallerIdentity")
	if a.element("Account") != "222233334444" || a.element("Arn") != "arn:aws:sts::222233334444:assumed-role/dayshift/dayshift" {
		t.Errorf("identity %s", a.body)
	}
	s.load(Resource{Account: "222233334444", Name: "web"})
	if n := len(s.to("ec2").ok("DescribeInstances").elements("instanceId")); n != 1 {
		t.Errorf("the role sees %d instances", n)
	}
	if msg := s.to("ec2").fails("UnauthorizedOperation", "StopInstances", ids(s.id("web"))...).msg; !strings.Contains(msg, "ec2:StopInstances") || !strings.Contains(msg, "assumed-role/dayshift") {
		t.Errorf("message %q", msg)
	}
	s.to("rds").fails("AccessDenied", "DescribeDBInstances")
	r := k.assume("arn:aws:iam::222233334444:role/path/reader")
	r.to("ec2").ok("DescribeInstances")
	r.to("ec2").fails("UnauthorizedOperation", "StartInstances", ids(s.id("web"))...)
	if arn := r.ok("GetCallerIdentity").element("Arn"); arn != "arn:aws:sts::222233334444:assumed-role/reader/dayshift" {
		t.Errorf("a role with a path is %s", arn)
	}
	// An account that lists no roles has every role.
	k.assume("arn:aws:iam::333344445555:role/whatever").to("ec2").ok("DescribeInstances")
	k.in("cn-north-1").assume("arn:aws-cn:iam::444455556666:role/whatever").to("ec2").ok("DescribeInstances")
}

func TestAssumeRoleRefuses(t *testing.T) {
	k := newSTS(t)
	const role = "arn:aws:iam::222233334444:role/dayshift"
	for _, tc := range []struct {
		name, code string
		pairs      []string
		says       string
	}{
		{"no external id", "AccessDenied", []string{"RoleArn", role}, "User: arn:aws:iam::111122223333:user/111122223333 is not authorized to perform: sts:AssumeRole on resource: " + role},
		{"wrong external id", "AccessDenied", []string{"RoleArn", role, "ExternalId", "guess"}, "not authorized"},
		{"closed role", "AccessDenied", []string{"RoleArn", "arn:aws:iam::222233334444:role/closed"}, ""},
		{"unknown role", "AccessDenied", []string{"RoleArn", "arn:aws:iam::222233334444:role/ghost"}, ""},
		{"unknown account", "AccessDenied", []string{"RoleArn", "arn:aws:iam::999988887777:role/dayshift"}, ""},
		{"other partition", "AccessDenied", []string{"RoleArn", "arn:aws-cn:iam::444455556666:role/dayshift"}, ""},
		{"no session name", "ValidationError", []string{"RoleArn", role, "RoleSessionName", ""}, "roleSessionName"},
		{"session name of one letter", "ValidationError", []string{"RoleArn", role, "RoleSessionName", "a"}, "greater than or equal to 2"},
		{"session name of 65 letters", "ValidationError", []string{"RoleArn", role, "RoleSessionName", strings.Repeat("a", 65)}, "less than or equal to 64"},
		{"session name with a space", "ValidationError", []string{"RoleArn", role, "RoleSessionName", "a b"}, `[\w+=,.@-]*`},
		{"too short", "ValidationError", []string{"RoleArn", role, "ExternalId", "s3cret", "DurationSeconds", "899"}, "between 900 and 43200"},
		{"too long", "ValidationError", []string{"RoleArn", role, "ExternalId", "s3cret", "DurationSeconds", "43201"}, "between 900 and 43200"},
		{"longer than the role allows", "ValidationError", []string{"RoleArn", role, "ExternalId", "s3cret", "DurationSeconds", "7201"}, "MaxSessionDuration"},
		{"not a role", "ValidationError", []string{"RoleArn", "arn:aws:iam::222233334444:user/bob"}, ""},
		{"session policy, which is not modelled", "UnknownParameter", []string{"RoleArn", role, "Policy", "{}"}, "Policy"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := k
			k.t = t
			a := k.fails(tc.code, "AssumeRole", append([]string{"RoleSessionName", "dayshift"}, tc.pairs...)...)
			if !strings.Contains(a.msg, tc.says) {
				t.Errorf("message %q, want it to say %q", a.msg, tc.says)
			}
		})
	}
	s := k.assume(role, "ExternalId", "s3cret")
	s.fails("ValidationError", "AssumeRole", "RoleArn", "arn:aws:iam::333344445555:role/x", "RoleSessionName", "chain", "DurationSeconds", "3601")
}

func TestSessionsEnd(t *testing.T) {
	k := newSTS(t)
	s := k.assume("arn:aws:iam::333344445555:role/x", "DurationSeconds", "900")
	k.clock.pass(15*time.Minute - time.Second)
	s.to("ec2").ok("DescribeInstances")
	k.clock.pass(time.Second)
	s.to("ec2").fails("RequestExpired", "DescribeInstances")
	s.to("rds").fails("ExpiredToken", "DescribeDBInstances")
	s.fails("ExpiredToken", "GetCallerIdentity")

	s = k.assume("arn:aws:iam::333344445555:role/x")
	k.c.ExpireSessions()
	s.fails("ExpiredToken", "GetCallerIdentity")

	s = k.assume("arn:aws:iam::333344445555:role/x")
	s.in("cn-north-1").to("ec2").fails("AuthFailure", "DescribeInstances")
	s.token = "stolen"
	s.fails("InvalidClientTokenId", "GetCallerIdentity")
}
