package aws

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

func noSleep(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	good := Account{ID: testAccount, Regions: []fleet.Region{"eu-central-1"}}
	with := func(change func(*Account)) []Account {
		account := good
		change(&account)
		return []Account{account}
	}
	for _, test := range []struct {
		name   string
		config Config
		says   []string
	}{
		{"no accounts", Config{}, []string{"no accounts"}},
		{"a share above one", Config{Accounts: []Account{good}, Share: 1.5}, []string{"share 1.5", "at most 1"}},
		{"twice", Config{Accounts: []Account{good, good}}, []string{"account 111122223333: named twice"}},
		{"an ID of eleven digits", Config{Accounts: with(func(a *Account) { a.ID = "11112222333" })}, []string{`"11112222333"`, "twelve digits"}},
		{"no regions", Config{Accounts: with(func(a *Account) { a.Regions = nil })}, []string{"no regions"}},
		{"a region that is none", Config{Accounts: with(func(a *Account) { a.Regions = []fleet.Region{"mars"} })}, []string{`"mars"`}},
		{"a region twice", Config{Accounts: with(func(a *Account) { a.Regions = []fleet.Region{"eu-west-1", "eu-west-1"} })}, []string{"region eu-west-1: named twice"}},
		{"regions of two partitions", Config{Accounts: with(func(a *Account) { a.Regions = []fleet.Region{"eu-west-1", "cn-north-1"} })}, []string{"eu-west-1 (aws)", "cn-north-1 (aws-cn)"}},
		{"a role that is none", Config{Accounts: with(func(a *Account) { a.RoleARN = "dayshift" })}, []string{`"dayshift"`, "arn:PARTITION:iam::ACCOUNT:role/NAME"}},
		{"a role of another account", Config{Accounts: with(func(a *Account) { a.RoleARN = "arn:aws:iam::444455556666:role/x" })}, []string{"belongs to account 444455556666"}},
		{"a role of another partition", Config{Accounts: with(func(a *Account) { a.RoleARN = "arn:aws-cn:iam::111122223333:role/x" })}, []string{"aws-cn", "eu-central-1"}},
		{"an external ID with a blank", Config{Accounts: with(func(a *Account) { a.RoleARN = "arn:aws:iam::111122223333:role/x"; a.ExternalID = "se cret" })}, []string{"external ID", "2 to 1224"}},
		{"an external ID that is too long", Config{Accounts: with(func(a *Account) {
			a.RoleARN, a.ExternalID = "arn:aws:iam::111122223333:role/x", strings.Repeat("x", 1225)
		})}, []string{"external ID", "2 to 1224"}},
		{"an external ID without a role", Config{Accounts: with(func(a *Account) { a.ExternalID = "secret" })}, []string{"only used with a role"}},
		{"a session name of one letter", Config{Accounts: with(func(a *Account) { a.SessionName = "x" })}, []string{`session name "x"`, "2 to 64"}},
		{"a session name of 65", Config{Accounts: with(func(a *Account) { a.SessionName = strings.Repeat("x", 65) })}, []string{"2 to 64"}},
		{"several faults at once", Config{Share: -1, Accounts: []Account{{ID: "x"}}}, []string{"share -1", "twelve digits", "no regions"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.config)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v\ndoes not say %q", err, says)
				}
			}
			if strings.Contains(err.Error(), "se cret") {
				t.Errorf("shows the external ID: %v", err)
			}
		})
	}
}

// hosts is a way to AWS that keeps where requests went.
type hosts struct {
	http.RoundTripper
	mu    sync.Mutex
	asked map[string]bool
}

func (h *hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	h.asked[r.URL.Host] = true
	h.mu.Unlock()
	return h.RoundTripper.RoundTrip(r)
}

// Each partition has addresses and names of its own, and a role of one is no
// role of another: of every kind nothing is asked for anywhere else.
func TestFault44EachPartitionHasItsOwnAddressesAndNames(t *testing.T) {
	for _, test := range []struct {
		region               fleet.Region
		partition, domain    string
		foreign, foreignRole string
	}{
		{"eu-central-1", "aws", "eu-central-1.amazonaws.com", "cn-north-1", "arn:aws-cn:iam::444455556666:role/dayshift"},
		{"cn-north-1", "aws-cn", "cn-north-1.amazonaws.com.cn", "eu-central-1", "arn:aws:iam::444455556666:role/dayshift"},
		{"cn-northwest-1", "aws-cn", "cn-northwest-1.amazonaws.com.cn", "us-gov-west-1", "arn:aws:iam::444455556666:role/dayshift"},
		{"us-gov-west-1", "aws-us-gov", "us-gov-west-1.amazonaws.com", "us-west-1", "arn:aws:iam::444455556666:role/dayshift"},
		{"us-gov-east-1", "aws-us-gov", "us-gov-east-1.amazonaws.com", "cn-north-1", "arn:aws-cn:iam::444455556666:role/dayshift"},
	} {
		t.Run(string(test.region), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				role := fmt.Sprintf("arn:%s:iam::%s:role/dayshift", test.partition, spoke)
				scope := fleet.Scope{Account: spoke, Region: test.region}
				sim := awssim.New(awssim.Options{})
				holds := awssim.Fleet{Accounts: []awssim.Account{
					{ID: string(hub), Partition: test.partition}, {ID: string(spoke), Partition: test.partition, Roles: []awssim.Role{{Name: "dayshift", ExternalID: "between-us"}}},
				}}
				for _, kind := range []string{"ec2", "rds", "rds_cluster", "asg", "ecs", "eks", "redshift", "notebook"} {
					holds.Resources = append(holds.Resources, awssim.Resource{
						Account: string(spoke), Region: string(test.region), Kind: kind, Name: "one-" + strings.ReplaceAll(kind, "_", "-"), Tags: map[string]string{cloudtest.TagKey: "office"},
					})
				}
				if err := sim.Load(holds); err != nil {
					t.Fatal(err)
				}
				way := &hosts{RoundTripper: sim.Transport(), asked: map[string]bool{}}
				config := Config{
					Accounts: []Account{{ID: spoke, RoleARN: role, ExternalID: "between-us", Regions: []fleet.Region{test.region}}}, TagKey: cloudtest.TagKey,
					Credentials: credentials.NewStaticCredentialsProvider(string(hub), "secret", ""), Transport: way,
				}
				c, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				for _, kind := range c.Kinds() {
					found, err := c.List(t.Context(), scope, kind, cloud.Query{TagKey: cloudtest.TagKey})
					if err != nil || len(found) == 0 {
						t.Errorf("%s: %d, %v", kind, len(found), err)
						continue
					}
					one := found[0]
					if want := "arn:" + test.partition + ":"; !strings.HasPrefix(one.ARN, want) || !strings.Contains(one.ARN, ":"+string(test.region)+":"+string(spoke)+":") {
						t.Errorf("%s: ARN %s, want %s…", kind, one.ARN, want)
					}
					if one.Bar == fleet.NoBar {
						if err := c.Do(t.Context(), scope, kind, fleet.Stop, []cloud.Target{{Resource: one}}); err != nil {
							t.Errorf("stop %s: %v", kind, err)
						}
					}
				}
				services := map[string]bool{}
				for host := range way.asked {
					service, found := strings.CutSuffix(host, "."+test.domain)
					if !found {
						t.Errorf("a request went to %s, not to …%s", host, test.domain)
					}
					services[service] = true
				}
				for _, service := range []string{"sts", "ec2", "rds", "autoscaling"} {
					if !services[service] {
						t.Errorf("%s was not asked: %v", service, services)
					}
				}
				session := sim.Calls()[len(sim.Calls())-1].Principal
				if want := fmt.Sprintf("arn:%s:sts::%s:assumed-role/dayshift/", test.partition, spoke); !strings.HasPrefix(session, want) {
					t.Errorf("called as %s, want %s…", session, want)
				}

				for what, change := range map[string]func(*Account){
					"a role of another partition":   func(a *Account) { a.RoleARN = test.foreignRole },
					"a region of another partition": func(a *Account) { a.Regions = append(a.Regions, fleet.Region(test.foreign)) },
				} {
					wrong := config
					wrong.Accounts = slices.Clone(config.Accounts)
					wrong.Accounts[0].Regions = slices.Clone(config.Accounts[0].Regions)
					change(&wrong.Accounts[0])
					if _, err := New(wrong); err == nil || !strings.Contains(err.Error(), test.partition) {
						t.Errorf("%s: %v", what, err)
					}
				}
			})
		})
	}
}

func TestAnEndpointTakesThePlaceOfAWS(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:1")
	w := newWire(t)
	w.on("DescribeInstances", answer(200, instancesPage("")))
	c := w.open(func(config *Config) { config.Endpoint = "http://127.0.0.1:4321" })
	if _, err := list(c, fleet.EC2Instance, cloud.Query{}); err != nil {
		t.Fatal(err)
	}
	for _, call := range w.calls {
		if call.host != "127.0.0.1:4321" {
			t.Errorf("%s went to %s", call.action, call.host)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4322")
	t.Setenv("AWS_ENDPOINT_URL_EC2", "")
	t.Setenv("AWS_CA_BUNDLE", "") // a bundle must not get in the way of a transport of one's own
	w.calls = nil
	if _, err := list(w.open(nil), fleet.EC2Instance, cloud.Query{}); err != nil {
		t.Fatal(err)
	}
	if host := w.made("GetCallerIdentity")[0].host; host != "127.0.0.1:4322" {
		t.Errorf("STS went to %s", host)
	}
}

func TestCredentialsOfAnotherAccountAreRefused(t *testing.T) {
	w := newWire(t)
	w.on("GetCallerIdentity", answer(200, callerIdentity("999988887777")))
	c := w.open(nil)
	for range 3 {
		err := start(c, "i-0aaaaaaaaaaaaaaa1")
		wantClass(t, err, cloud.ErrCredentials)
		if err == nil || !strings.Contains(err.Error(), "111122223333") || !strings.Contains(err.Error(), "999988887777") {
			t.Errorf("%v does not name both accounts", err)
		}
	}
	if n := w.count("GetCallerIdentity"); n != 1 {
		t.Errorf("asked %d times in a row", n)
	}
}

func roleAccount(config *Config) {
	config.Accounts[0].RoleARN = "arn:aws:iam::111122223333:role/dayshift"
	config.Accounts[0].ExternalID = "between-us"
}

func assumed(account fleet.AccountID, key string, ends time.Time) string {
	return fmt.Sprintf(`<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token-%s</SessionToken>`+
		`<Expiration>%s</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::%s:assumed-role/dayshift/dayshift</Arn><AssumedRoleId>AROA:dayshift</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`,
		key, key, ends.UTC().Format(time.RFC3339), account)
}

// rolling gives a new session of an hour for each call, named ASIA1, ASIA2 …
func rolling(w *wire) {
	n := 0
	w.on("AssumeRole", func(url.Values) (int, string) {
		n++
		return 200, assumed(testAccount, fmt.Sprintf("ASIA%d", n), time.Now().Add(time.Hour))
	})
}

func TestOneSessionServesAllCallsUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		rolling(w)
		w.on("DescribeInstances", answer(200, instancesPage("")))
		w.on("DescribeDBInstances", answer(200, databasesPage("")))
		w.on("DescribeDBClusters", answer(200, clustersPage()))
		c := w.open(roleAccount)
		var group sync.WaitGroup
		for range 20 {
			for _, kind := range []fleet.Kind{fleet.EC2Instance, fleet.RDSInstance} {
				group.Go(func() {
					if _, err := list(c, kind, cloud.Query{}); err != nil {
						t.Error(err)
					}
				})
			}
		}
		group.Wait()
		if n := w.count("AssumeRole"); n != 1 {
			t.Errorf("%d sessions for one account", n)
		}
		form := w.made("AssumeRole")[0].form
		if form.Get("ExternalId") != "between-us" || form.Get("RoleSessionName") != "dayshift" || form.Get("RoleArn") != "arn:aws:iam::111122223333:role/dayshift" {
			t.Errorf("asked with %v", form)
		}
		if auth := w.made("DescribeInstances")[0].header.Get("Authorization"); !strings.Contains(auth, "Credential=ASIA1/") {
			t.Errorf("signed with %s", auth)
		}
		for range 4 { // the session of an hour is replaced after 55 minutes
			time.Sleep(30 * time.Minute)
			if _, err := list(c, fleet.EC2Instance, cloud.Query{}); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.count("AssumeRole"); n != 3 {
			t.Errorf("%d sessions in two hours, want 3", n)
		}
	})
}

// A longer session saves calls where the role allows one, and costs one call where
// it does not.
func TestSessionsLastAsLongAsIsConfiguredAndAllowed(t *testing.T) {
	refusal := answer(400, `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining</Message></Error></ErrorResponse>`)
	for _, test := range []struct {
		name  string
		lasts time.Duration // as configured
		most  time.Duration // as the role allows
		asked []string      // DurationSeconds of the calls of a day in which something is listed every half hour
	}{
		{"not configured", 0, 12 * time.Hour, slices.Repeat([]string{""}, 25)},
		{"twelve hours", 12 * time.Hour, 12 * time.Hour, []string{"43200", "43200", "43200"}},
		{"more than is allowed", 12 * time.Hour, time.Hour, append([]string{"43200"}, slices.Repeat([]string{""}, 25)...)},
		{"a short one", 15 * time.Minute, 12 * time.Hour, slices.Repeat([]string{"900"}, 49)},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t)
				n := 0
				w.on("AssumeRole", func(form url.Values) (int, string) {
					n++
					lasts := time.Hour
					if text := form.Get("DurationSeconds"); text != "" {
						seconds, err := strconv.Atoi(text)
						if err != nil {
							t.Error(err)
						}
						lasts = time.Duration(seconds) * time.Second
					}
					if lasts > test.most {
						return refusal(form)
					}
					return 200, assumed(testAccount, fmt.Sprintf("ASIA%d", n), time.Now().Add(lasts))
				})
				w.on("DescribeInstances", answer(200, instancesPage("")))
				c := w.open(func(config *Config) {
					roleAccount(config)
					config.SessionDuration = test.lasts
				})
				for i := range 49 {
					if i > 0 {
						time.Sleep(30 * time.Minute)
					}
					if _, err := list(c, fleet.EC2Instance, cloud.Query{}); err != nil {
						t.Fatal(err)
					}
				}
				var asked []string
				for _, call := range w.made("AssumeRole") {
					asked = append(asked, call.form.Get("DurationSeconds"))
				}
				if !slices.Equal(asked, test.asked) {
					t.Errorf("%d calls asked for %v,\nwant %d with %v", len(asked), asked, len(test.asked), test.asked)
				}
			})
		})
	}
}

// What AWS has refused once is not asked for again: neither after a reload nor,
// where it is the credentials at hand that allow no more, for any other role.
func TestALongSessionThatIsRefusedIsNotAskedForAgain(t *testing.T) {
	const other fleet.AccountID = "444455556666"
	for _, test := range []struct {
		name, says string
		asked      []string // DurationSeconds of the calls: two accounts, then both again with a new Cloud
	}{
		{"by the role", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", []string{"43200", "", "43200", "", "", ""}},
		{"by a chain of roles", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining", []string{"43200", "", "", "", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWire(t)
			w.on("AssumeRole", func(form url.Values) (int, string) {
				if form.Get("DurationSeconds") != "" {
					return 400, `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>` + test.says + `</Message></Error></ErrorResponse>`
				}
				return 200, assumed(fleet.AccountID(accountOf(form.Get("RoleArn"))), "ASIA1", time.Now().Add(time.Hour))
			})
			w.on("DescribeInstances", answer(200, instancesPage("")))
			var kept *Pacer
			for range 2 {
				c := w.open(func(config *Config) {
					roleAccount(config)
					config.Accounts = append(config.Accounts, Account{ID: other, RoleARN: "arn:aws:iam::" + string(other) + ":role/dayshift", Regions: config.Accounts[0].Regions})
					config.SessionDuration, config.Pacer = 12*time.Hour, kept
				})
				kept = c.Pacer()
				for _, account := range []fleet.AccountID{testAccount, other} {
					if _, err := c.List(t.Context(), fleet.Scope{Account: account, Region: testScope.Region}, fleet.EC2Instance, cloud.Query{}); err != nil {
						t.Fatal(err)
					}
				}
			}
			var asked []string
			for _, call := range w.made("AssumeRole") {
				asked = append(asked, call.form.Get("DurationSeconds"))
			}
			if !slices.Equal(asked, test.asked) {
				t.Errorf("asked for %q,\nwant %q", asked, test.asked)
			}
		})
	}
}

func TestFault35AnExpiredSessionIsReplacedOnce(t *testing.T) {
	w := newWire(t)
	rolling(w)
	w.inTurn("StartInstances", answer(400, ec2Error("RequestExpired", "Request has expired.")), acceptAll("StartInstances"))
	c := w.open(roleAccount)
	if err := start(c, "i-0aaaaaaaaaaaaaaa1"); err != nil {
		t.Fatal(err)
	}
	calls := w.made("StartInstances")
	if len(calls) != 2 || !strings.Contains(calls[1].header.Get("Authorization"), "Credential=ASIA2/") {
		t.Errorf("%d calls, the last signed with %s", len(calls), calls[len(calls)-1].header.Get("Authorization"))
	}
	w.on("StartInstances", answer(400, ec2Error("ExpiredToken", "expired")))
	wantClass(t, start(c, "i-0aaaaaaaaaaaaaaa1"), cloud.ErrCredentials)
	if n := w.count("AssumeRole"); n != 3 {
		t.Errorf("%d sessions, want 3: one more for each call that met an expired one", n)
	}
}

// Sessions are renewed before they end by the clock of the configuration, which
// in a rehearsal goes faster than the wall's, and on some machines is wrong.
func TestSessionsAreRenewedByTheConfiguredClock(t *testing.T) {
	for _, test := range []struct {
		name string
		now  func(began time.Time) time.Time // the configuration's clock
		sim  bool                            // AWS goes by it too
		fast time.Duration                   // what its hour takes
	}{
		{"the wall", func(time.Time) time.Time { return time.Now() }, true, time.Hour},
		{"sixty times as fast", func(began time.Time) time.Time { return began.Add(60 * time.Since(began)) }, true, time.Minute},
		{"in another year", func(time.Time) time.Time { return time.Now().AddDate(40, 0, 0) }, true, time.Hour},
		{"two hours ahead of AWS", func(time.Time) time.Time { return time.Now().Add(2 * time.Hour) }, false, time.Hour},
		{"two hours behind AWS", func(time.Time) time.Time { return time.Now().Add(-2 * time.Hour) }, false, time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				now := func() time.Time { return test.now(began) }
				var opt awssim.Options
				if test.sim {
					opt.Now = now
				}
				resources := fleetOf(1, "running")
				resources[0].Account = string(spoke)
				c, sim := simulate(t, opt, resources, func(config *Config) { config.Now = now })
				const hours = 5
				for range hours * 6 {
					time.Sleep(test.fast / 6)
					got, err := c.List(t.Context(), fleet.Scope{Account: spoke, Region: "eu-central-1"}, fleet.EC2Instance, cloud.Query{})
					if err != nil || len(got) != 1 {
						t.Fatal(got, err)
					}
				}
				stats := sim.Stats()
				if n := stats.ByAction["sts:AssumeRole"]; n != hours {
					t.Errorf("%d sessions in %d hours", n, hours)
				}
				if stats.Errors != 0 {
					t.Errorf("%d calls refused: sessions ended before they were renewed", stats.Errors)
				}
			})
		})
	}
}

// All that a pass asks for at once comes to the end of the session together.
func TestASessionThatEndsMidPassIsRenewedOnce(t *testing.T) {
	for _, test := range []struct {
		name    string
		ends    func(sim *awssim.Cloud)
		refused bool // AWS ended it, which only a refusal tells
	}{
		{"its hour is over", func(*awssim.Cloud) { time.Sleep(time.Hour) }, false},
		{"the last minutes of its hour", func(*awssim.Cloud) { time.Sleep(56 * time.Minute) }, false},
		{"AWS ended it", func(sim *awssim.Cloud) { sim.ExpireSessions() }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				resources := fleetOf(1, "running")
				resources[0].Account = string(spoke)
				c, sim := simulate(t, awssim.Options{Latency: 300 * time.Millisecond}, resources, nil)
				look := func() {
					var group sync.WaitGroup
					for _, region := range simAccounts[1].Regions {
						for range 5 {
							for _, kind := range []fleet.Kind{fleet.EC2Instance, fleet.RDSInstance, fleet.RDSCluster} {
								group.Go(func() {
									if _, err := c.List(t.Context(), fleet.Scope{Account: spoke, Region: region}, kind, cloud.Query{}); err != nil {
										t.Error(err)
									}
								})
							}
						}
					}
					group.Wait()
				}
				look()
				test.ends(sim)
				sim.ResetCalls()
				look()
				stats := sim.Stats()
				if n := stats.ByAction["sts:AssumeRole"]; n != 1 {
					t.Errorf("%d new sessions, want one for all", n)
				}
				if (stats.Errors > 0) != test.refused {
					t.Errorf("%d calls refused", stats.Errors)
				}
			})
		})
	}
}

// STS counts AssumeRole for the account that asks, whichever accounts the roles are of.
func TestAThousandAccountsAtOneInstantAreNotThrottled(t *testing.T) {
	const n = 1000
	accountID := func(i int) fleet.AccountID { return fleet.AccountID(fmt.Sprintf("2%011d", i)) }
	role := func(id fleet.AccountID) string { return fmt.Sprintf("arn:aws:iam::%s:role/dayshift", id) }
	for _, test := range []struct {
		name   string
		change func(*Config)
	}{
		{"nobody says whose the credentials are", func(*Config) {}},
		{"an account needs no role, with the default share", func(config *Config) {
			config.Accounts = append(config.Accounts, Account{ID: hub, Regions: []fleet.Region{"eu-central-1"}})
			config.Share = 0.8
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := awssim.New(awssim.Options{})
				holds := awssim.Fleet{Accounts: []awssim.Account{{ID: string(hub)}}}
				config := Config{Credentials: credentials.NewStaticCredentialsProvider(string(hub), "secret", ""), Transport: sim.Transport()}
				for i := range n {
					holds.Accounts = append(holds.Accounts, awssim.Account{ID: string(accountID(i))})
					config.Accounts = append(config.Accounts, Account{ID: accountID(i), RoleARN: role(accountID(i)), Regions: []fleet.Region{"eu-central-1"}})
				}
				if err := sim.Load(holds); err != nil {
					t.Fatal(err)
				}
				test.change(&config)
				c, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				var group sync.WaitGroup
				for _, account := range config.Accounts {
					group.Go(func() {
						if _, err := c.List(t.Context(), fleet.Scope{Account: account.ID, Region: "eu-central-1"}, fleet.EC2Instance, cloud.Query{}); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				stats := sim.Stats()
				if stats.ByAction["sts:AssumeRole"] != n || stats.Throttled != 0 {
					t.Errorf("%d sessions, %d calls throttled, want %d and none", stats.ByAction["sts:AssumeRole"], stats.Throttled, n)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("took %v, what is over 600 comes at 600 a second", took)
				}
			})
		})
	}
}

// Where sessions come from several sets of credentials, those of one account have
// one bucket in each region: by what the credentials say, also those of a role
// from which the next one is assumed.
func TestCredentialsOfOneAccountShareItsBucketOfSTS(t *testing.T) {
	said := func(id fleet.AccountID) Credentials {
		return credentials.StaticCredentialsProvider{Value: sdk.Credentials{AccessKeyID: string(hub), SecretAccessKey: "secret", AccountID: string(id)}}
	}
	c, _ := simulate(t, awssim.Options{}, nil, func(config *Config) {
		home, asked := config.Accounts[0], config.Accounts[1]
		home.Credentials, asked.Credentials = said(""), said(hub)
		config.Accounts = []Account{home, asked}
	})
	for _, account := range []fleet.AccountID{hub, spoke} {
		if _, err := c.List(t.Context(), fleet.Scope{Account: account, Region: "eu-central-1"}, fleet.EC2Instance, cloud.Query{}); err != nil {
			t.Fatal(err)
		}
	}
	var scopes []fleet.Scope
	for key := range c.pacer.meters {
		if key.group == stsShared.Group {
			scopes = append(scopes, key.scope)
		}
	}
	if len(scopes) != 1 || scopes[0] != (fleet.Scope{Account: hub, Region: "eu-central-1"}) {
		t.Errorf("buckets of %v, want the one of %s", scopes, hub)
	}
}

func TestASessionOfAnotherAccountIsRefused(t *testing.T) {
	w := newWire(t)
	w.on("AssumeRole", answer(200, assumed("999988887777", "ASIA1", time.Now().Add(time.Hour))))
	wantClass(t, start(w.open(roleAccount), "i-0aaaaaaaaaaaaaaa1"), cloud.ErrCredentials)
}

func TestFault35ARoleThatIsRefusedConcernsItsAccountAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulate(t, awssim.Options{}, fleetOf(3, "running"), func(config *Config) {
			config.Accounts = []Account{simAccounts[0], simAccounts[1]}
			config.Accounts[1].ExternalID = "guessed"
		})
		refused := fleet.Scope{Account: spoke, Region: "eu-central-1"}
		for range 4 {
			for _, kind := range c.Kinds() {
				_, err := c.List(t.Context(), refused, kind, cloud.Query{})
				wantClass(t, err, cloud.ErrCredentials)
				for _, says := range []string{"444455556666", "arn:aws:iam::444455556666:role/dayshift", "external ID"} {
					if err == nil || !strings.Contains(err.Error(), says) {
						t.Errorf("%v does not say %q", err, says)
					}
				}
				if strings.Contains(err.Error(), "guessed") {
					t.Errorf("shows the external ID: %v", err)
				}
			}
		}
		if n := sim.Stats().ByAction["AssumeRole"] + sim.Stats().ByAction["sts:AssumeRole"]; n > 1 {
			t.Errorf("asked for the role %d times in a row", n)
		}
		if got, err := list(c, fleet.EC2Instance, cloud.Query{}); err != nil || len(got) != 3 {
			t.Errorf("the other account: %d, %v", len(got), err)
		}
		finding := c.Probe(t.Context(), refused)[0]
		if finding.OK || finding.Ability.String() != "assume role" || finding.Missing != "arn:aws:iam::444455556666:role/dayshift" {
			t.Errorf("%+v", finding)
		}
		time.Sleep(failureKept)
		_, _ = c.List(t.Context(), refused, fleet.EC2Instance, cloud.Query{})
		if n := len(sim.Calls()); n < 3 {
			t.Errorf("the role is never asked for again")
		}
	})
}

func TestNoCredentialsAtHand(t *testing.T) {
	w := newWire(t)
	c := w.open(func(config *Config) { config.Credentials = credentials.NewStaticCredentialsProvider("", "", "") })
	err := start(c, "i-0aaaaaaaaaaaaaaa1")
	wantClass(t, err, cloud.ErrCredentials)
	if err == nil || !strings.Contains(err.Error(), "AWS_PROFILE") {
		t.Errorf("%v does not say what to do", err)
	}
}

func TestFault34ARegionThatIsNotEnabledDoesNotTakeTheOthersWithIt(t *testing.T) {
	for _, regions := range [][]fleet.Region{
		{"me-south-1", "eu-central-1"}, // STS is asked in the one that is sure to be enabled
		{"me-south-1", "eu-south-1"},   // and in each where none is
	} {
		synctest.Test(t, func(t *testing.T) {
			sim := awssim.New(awssim.Options{})
			if err := sim.Load(awssim.Fleet{Accounts: []awssim.Account{{ID: string(hub), OptIn: []string{"eu-south-1"}}}}); err != nil {
				t.Fatal(err)
			}
			c, err := New(Config{
				Accounts:    []Account{{ID: hub, Regions: regions}},
				Credentials: credentials.NewStaticCredentialsProvider(string(hub), "secret", ""),
				Transport:   sim.Transport(),
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range c.Kinds() {
				_, err := c.List(t.Context(), fleet.Scope{Account: hub, Region: "me-south-1"}, kind, cloud.Query{})
				wantClass(t, err, cloud.ErrRegionDisabled)
				if _, err := c.List(t.Context(), fleet.Scope{Account: hub, Region: regions[1]}, kind, cloud.Query{}); err != nil {
					t.Errorf("%s: %v", regions[1], err)
				}
			}
			findings := c.Probe(t.Context(), fleet.Scope{Account: hub, Region: "me-south-1"})
			for _, finding := range findings[1:] {
				if finding.OK || finding.Missing != "region" || !strings.Contains(finding.Detail.String(), "enable the region") {
					t.Errorf("%+v", finding)
				}
			}
		})
	}
}

func TestProbeNamesTheMissingPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		instances := fleetOf(1, "running")
		instances[0].Account = string(spoke)
		c, sim := simulate(t, awssim.Options{}, instances, func(config *Config) {
			config.Accounts = []Account{{ID: spoke, RoleARN: "arn:aws:iam::444455556666:role/readonly", Regions: []fleet.Region{"eu-central-1", "us-east-1"}}}
		})
		missing := map[string]string{}
		for _, finding := range c.Probe(t.Context(), fleet.Scope{Account: spoke, Region: "eu-central-1"}) {
			if !finding.OK {
				missing[finding.Ability.String()] = finding.Missing
			}
		}
		want := map[string]string{
			"start EC2 instances": "ec2:StartInstances", "stop EC2 instances": "ec2:StopInstances", "tag EC2 instances": "ec2:CreateTags",
		}
		if fmt.Sprint(missing) != fmt.Sprint(want) {
			t.Errorf("missing %v, want %v", missing, want)
		}
		// Where there is nothing to try on, a refusal may come from a policy that is
		// limited to tagged instances: nobody knows.
		for _, finding := range c.Probe(t.Context(), fleet.Scope{Account: spoke, Region: "us-east-1"}) {
			if finding.Ability.String() == "stop EC2 instances" && (!finding.OK || !finding.Untested) {
				t.Errorf("%+v", finding)
			}
		}
		for _, call := range sim.Calls() {
			if call.Mutating && !call.DryRun {
				t.Errorf("%s is no dry run", call.Action)
			}
		}
	})
}

func TestObserverHearsOfCallsAndThrottles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.inTurn("DescribeInstances", answer(503, ec2Error("RequestLimitExceeded", "slow")), answer(200, instancesPage("")))
		var mu sync.Mutex
		heard := map[string]int{}
		hear := func(what string) { mu.Lock(); heard[what]++; mu.Unlock() }
		c := w.open(func(config *Config) {
			config.Observer = Observer{
				Called: func(_ fleet.Scope, operation kinds.Operation, _ time.Duration, err error) {
					hear(fmt.Sprintf("%s %v", operation, err == nil))
				},
				Throttled: func(_ fleet.Scope, operation kinds.Operation) { hear("throttled " + string(operation)) },
				Waited: func(_ fleet.Scope, operation kinds.Operation, d time.Duration) {
					if d > 0 {
						hear("waited " + string(operation))
					}
				},
			}
		})
		if _, err := list(c, fleet.EC2Instance, cloud.Query{}); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{
			"sts:GetCallerIdentity true": 1, "ec2:DescribeInstances false": 1, "ec2:DescribeInstances true": 1,
			"throttled ec2:DescribeInstances": 1, "waited ec2:DescribeInstances": 1,
		}
		if fmt.Sprint(heard) != fmt.Sprint(want) {
			t.Errorf("heard %v, want %v", heard, want)
		}
	})
}
