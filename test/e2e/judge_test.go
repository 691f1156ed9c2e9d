package e2e

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"dayshift/internal/awssim"
)

// account is one account and region of a simulated AWS, spoken to without any
// part of the program under test.
type account struct{ endpoint, id, region string }

// thing is an instance or a database as AWS describes it.
type thing struct{ kind, name, state, id string }

func (t thing) String() string { return t.kind + " " + t.name + " " + t.state }

func (t thing) settled() bool {
	return slices.Contains([]string{"running", "stopped", "available", "terminated"}, t.state)
}

func lines(list []thing) string {
	var text strings.Builder
	for _, t := range list {
		fmt.Fprintln(&text, t)
	}
	return text.String()
}

func sorted(list []thing) []thing {
	slices.SortFunc(list, func(a, b thing) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
	})
	return list
}

// call speaks AWS's query protocol by hand. The signature is not one: the
// simulated AWS reads who calls, where and which service, and nothing else.
func (a account) call(service, action string, params ...string) ([]byte, error) {
	form := url.Values{"Action": {action}, "Version": {map[string]string{"ec2": "2016-11-15", "rds": "2014-10-31"}[service]}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	request, err := http.NewRequest(http.MethodPost, a.endpoint+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	request.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=host;x-amz-date, Signature=%064d",
		a.id, now.Format("20060102"), a.region, service, 0))
	status, text, err := send(request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", action, status, text)
	}
	return []byte(text), err
}

// list describes everything in the account and region, all pages.
func (a account) list() ([]thing, error) {
	var list []thing
	for token := ""; ; {
		body, err := a.call("ec2", "DescribeInstances", slices.Concat([]string{"MaxResults", "1000"}, given("NextToken", token))...)
		if err != nil {
			return nil, err
		}
		var page struct {
			Instances []struct {
				ID    string `xml:"instanceId"`
				State string `xml:"instanceState>name"`
				Tags  []struct {
					Key   string `xml:"key"`
					Value string `xml:"value"`
				} `xml:"tagSet>item"`
			} `xml:"reservationSet>item>instancesSet>item"`
			Next string `xml:"nextToken"`
		}
		if err := xml.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("read DescribeInstances: %w", err)
		}
		for _, instance := range page.Instances {
			t := thing{kind: "ec2", name: instance.ID, state: instance.State, id: instance.ID}
			for _, tag := range instance.Tags {
				if tag.Key == "Name" {
					t.name = tag.Value
				}
			}
			list = append(list, t)
		}
		if token = page.Next; token == "" {
			break
		}
	}
	for marker := ""; ; {
		body, err := a.call("rds", "DescribeDBInstances", given("Marker", marker)...)
		if err != nil {
			return nil, err
		}
		var page struct {
			Databases []struct {
				ID    string `xml:"DBInstanceIdentifier"`
				State string `xml:"DBInstanceStatus"`
			} `xml:"DescribeDBInstancesResult>DBInstances>DBInstance"`
			Marker string `xml:"DescribeDBInstancesResult>Marker"`
		}
		if err := xml.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("read DescribeDBInstances: %w", err)
		}
		for _, database := range page.Databases {
			list = append(list, thing{"rds", database.ID, database.State, database.ID})
		}
		if marker = page.Marker; marker == "" {
			return sorted(list), nil
		}
	}
}

func given(name, value string) []string {
	if value == "" {
		return nil
	}
	return []string{name, value}
}

// judge is list by the aws command line: a client that nobody here wrote. Where
// there is none, list answers, except in CI.
func (a account) judge(env []string) ([]thing, error) {
	if _, err := exec.LookPath("aws"); err != nil {
		if inCI() {
			return nil, err
		}
		return a.list()
	}
	// The pages are turned by the command line itself.
	var instances [][3]string
	if err := a.aws(env, &instances, "ec2", "describe-instances", "--query", "Reservations[].Instances[].[InstanceId,State.Name,Tags[?Key=='Name']|[0].Value]"); err != nil {
		return nil, err
	}
	var databases [][2]string
	if err := a.aws(env, &databases, "rds", "describe-db-instances", "--query", "DBInstances[].[DBInstanceIdentifier,DBInstanceStatus]"); err != nil {
		return nil, err
	}
	var list []thing
	for _, i := range instances {
		list = append(list, thing{"ec2", cmp.Or(i[2], i[0]), i[1], i[0]})
	}
	for _, d := range databases {
		list = append(list, thing{"rds", d[0], d[1], d[0]})
	}
	return sorted(list), nil
}

// held lists the Capacity Reservations by the aws command line; without one, except
// in CI, by a question of our own.
func (a account) held(env []string) (string, error) {
	type reserved struct {
		Zone  string `json:"AvailabilityZone" xml:"availabilityZone"`
		Type  string `json:"InstanceType" xml:"instanceType"`
		State string `json:"State" xml:"state"`
		Total int    `json:"TotalInstanceCount" xml:"totalInstanceCount"`
		Free  int    `json:"AvailableInstanceCount" xml:"availableInstanceCount"`
	}
	var list []reserved
	if _, err := exec.LookPath("aws"); err == nil || inCI() {
		if err := a.aws(env, &list, "ec2", "describe-capacity-reservations", "--query", "CapacityReservations"); err != nil {
			return "", err
		}
	} else {
		body, err := a.call("ec2", "DescribeCapacityReservations")
		if err != nil {
			return "", err
		}
		var page struct {
			List []reserved `xml:"capacityReservationSet>item"`
		}
		if err := xml.Unmarshal(body, &page); err != nil {
			return "", fmt.Errorf("read DescribeCapacityReservations: %w", err)
		}
		list = page.List
	}
	var found []string
	for _, r := range list {
		found = append(found, fmt.Sprintf("%s %s %s %d %d\n", r.Zone, r.Type, r.State, r.Total, r.Free))
	}
	slices.Sort(found)
	return strings.Join(found, ""), nil
}

func (a account) aws(env []string, into any, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "aws", append(args, "--output", "json", "--region", a.region)...)
	cmd.Env = append(slices.Clone(env), "AWS_ENDPOINT_URL="+a.endpoint, "AWS_ACCESS_KEY_ID="+a.id)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("aws %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	if err != nil {
		return fmt.Errorf("aws %s: %w", strings.Join(args, " "), err)
	}
	return json.Unmarshal(out, into)
}

// callsAfter lists the calls after a sequence number that would change
// something (or those that only read) and match, one a line: account, region,
// action, names, how many a reservation was to have, and the error. It gives the
// number of the last call too.
func callsAfter(endpoint string, after int64, pattern *regexp.Regexp, reads bool) (string, int64, error) {
	text, err := fetch(http.MethodGet, fmt.Sprintf("%s/_sim/calls?after=%d", endpoint, after), "")
	if err != nil {
		return "", after, err
	}
	var found []string
	names := map[account]map[string]string{}
	scanner := bufio.NewScanner(strings.NewReader(text))
	scanner.Buffer(nil, 1<<24) // a call names up to 1,000 resources
	for scanner.Scan() {
		var call awssim.Call
		if err := json.Unmarshal(scanner.Bytes(), &call); err != nil {
			return "", after, fmt.Errorf("read the calls: %w", err)
		}
		after = max(after, call.Seq)
		if call.Mutating == reads || call.DryRun {
			continue
		}
		where := account{endpoint, call.Account, call.Region}
		if names[where] == nil {
			names[where] = map[string]string{}
			list, err := where.list()
			if err != nil {
				return "", after, err
			}
			for _, thing := range list {
				names[where][thing.id] = thing.name
			}
		}
		words := []string{call.Account, call.Region, call.Action}
		var named []string
		for _, id := range call.Resources {
			id = id[strings.LastIndexByte(id, ':')+1:] // a database is named by its ARN now and then
			named = append(named, cmp.Or(names[where][id], id))
		}
		slices.Sort(named)
		words = append(words, named...)
		if call.Instances > 0 {
			words = append(words, fmt.Sprint(call.Instances))
		}
		if call.Code != "" {
			words = append(words, call.Code)
		}
		if line := strings.Join(words, " "); pattern.MatchString(line) {
			found = append(found, line)
		}
	}
	slices.Sort(found)
	if len(found) == 0 {
		return "", after, scanner.Err()
	}
	return strings.Join(found, "\n") + "\n", after, scanner.Err()
}
