package aws

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/cloudtest"
	"dayshift/internal/fleet"
)

// Whatever comes back in place of a page, the listing is whole or an error.
func TestFault32AListingIsWholeOrAnError(t *testing.T) {
	whole := instancesPage("", instanceXML("i-0aaaaaaaaaaaaaaa1", "running", tagsXML("Schedule", "office")))
	page := func(next string) func(url.Values) (int, string) {
		return answer(200, instancesPage(next, instanceXML("i-0aaaaaaaaaaaaaaa1", "running", tagsXML("Schedule", "office"))))
	}
	for _, test := range []struct {
		name    string
		answers []func(url.Values) (int, string)
		want    error // nil: the listing succeeds
		calls   int
	}{
		{"whole", []func(url.Values) (int, string){answer(200, whole)}, nil, 1},
		{"empty body", []func(url.Values) (int, string){answer(200, "")}, cloud.ErrTransient, 3},
		{"blank body", []func(url.Values) (int, string){answer(200, " \n ")}, cloud.ErrTransient, 3},
		{"a proxy's page", []func(url.Values) (int, string){answer(200, "<!DOCTYPE html><html><body>Welcome</body></html>")}, cloud.ErrTransient, 3},
		{"well-formed HTML", []func(url.Values) (int, string){answer(200, "<html><body>Welcome</body></html>")}, cloud.ErrTransient, 3},
		{"an error document with status 200", []func(url.Values) (int, string){answer(200, ec2Error("InternalError", "?"))}, cloud.ErrTransient, 3},
		{"the answer of another operation", []func(url.Values) (int, string){answer(200, changesXML("StartInstances"))}, cloud.ErrTransient, 3},
		{"garbage", []func(url.Values) (int, string){answer(200, "\x00\x01\x02")}, cloud.ErrTransient, 3},
		{"JSON", []func(url.Values) (int, string){answer(200, `{"Reservations":[]}`)}, cloud.ErrTransient, 3},
		{"an entity bomb", []func(url.Values) (int, string){answer(200, `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><DescribeInstancesResponse>&b;</DescribeInstancesResponse>`)}, cloud.ErrTransient, 3},
		{"an unknown entity", []func(url.Values) (int, string){answer(200, `<DescribeInstancesResponse><reservationSet>&b;</reservationSet></DescribeInstancesResponse>`)}, cloud.ErrTransient, 4}, // once by the fast reader
		{"a proxy's error", []func(url.Values) (int, string){answer(502, "<html>Bad Gateway</html>")}, cloud.ErrTransient, 3},
		{"a proxy's refusal", []func(url.Values) (int, string){answer(403, "<html>Blocked</html>")}, cloud.ErrTransient, 3},
		{"an error without a body", []func(url.Values) (int, string){answer(500, "")}, cloud.ErrTransient, 3},
		{"a redirect", []func(url.Values) (int, string){answer(301, "<html>Moved</html>")}, cloud.ErrTransient, 3},
		{"reset", []func(url.Values) (int, string){answer(reset, "")}, cloud.ErrTransient, 3},
		{"hang", []func(url.Values) (int, string){answer(hang, "")}, cloud.ErrTransient, 3},
		{"reset, then fine", []func(url.Values) (int, string){answer(reset, ""), answer(200, whole)}, nil, 2},
		{"throttled nine times, then fine", append(slices.Repeat([]func(url.Values) (int, string){answer(503, ec2Error("RequestLimitExceeded", "slow"))}, 9), answer(200, whole)), nil, 10},
		{"throttled for good", []func(url.Values) (int, string){answer(503, ec2Error("RequestLimitExceeded", "slow"))}, cloud.ErrThrottled, 10},
		{"refused", []func(url.Values) (int, string){answer(403, ec2Error("UnauthorizedOperation", "no"))}, cloud.ErrUnauthorized, 1},
		{"second page fails", []func(url.Values) (int, string){page("t1"), answer(500, ec2Error("InternalError", "?"))}, cloud.ErrTransient, 4},
		{"the same token for ever", []func(url.Values) (int, string){page("t1")}, cloud.ErrTransient, 2},
		{"a loop of three tokens", []func(url.Values) (int, string){page("t1"), page("t2"), page("t3"), page("t1")}, cloud.ErrTransient, 4},
		{"a token that expired", []func(url.Values) (int, string){page("t1"), answer(400, ec2Error("InvalidNextToken", "expired"))}, cloud.ErrTransient, 4},
		{"an empty page in between", []func(url.Values) (int, string){answer(200, instancesPage("t1")), answer(200, whole)}, nil, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t)
				w.inTurn("DescribeInstances", test.answers...)
				got, err := list(w.open(nil), fleet.EC2Instance, cloud.Query{TagKey: "Schedule"})
				if test.want == nil && (err != nil || len(got) != 1) {
					t.Errorf("%d resources, %v", len(got), err)
				}
				if test.want != nil {
					wantClass(t, err, test.want)
					if got != nil {
						t.Errorf("%d resources beside the error", len(got))
					}
				}
				if n := w.count("DescribeInstances"); n != test.calls {
					t.Errorf("%d calls, want %d", n, test.calls)
				}
			})
		})
	}
}

// An answer that ends too early never passes for a short one.
func TestFault32ACutPageIsAnError(t *testing.T) {
	for kind, page := range map[fleet.Kind]string{
		fleet.EC2Instance: instancesPage("", instanceXML("i-0aaaaaaaaaaaaaaa1", "running", tagsXML("Schedule", "office")), instanceXML("i-0aaaaaaaaaaaaaaa2", "running", "")),
		fleet.RDSInstance: databasesPage("", databaseXML("a", "available", ""), databaseXML("b", "available", "")),
	} {
		action := map[fleet.Kind]string{fleet.EC2Instance: "DescribeInstances", fleet.RDSInstance: "DescribeDBInstances"}[kind]
		// What comes after the result is metadata: there it may be cut.
		end := strings.Index(page, "</DescribeDBInstancesResult>")
		if end < 0 {
			end = len(page)
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWire(t)
			c := w.open(nil)
			for cut := 0; cut < end; cut += 11 {
				w.on(action, answer(200, page[:cut]))
				if got, err := list(c, kind, cloud.Query{}); err == nil {
					t.Errorf("%s: cut after %d of %d bytes: %d resources and no error", kind, cut, len(page), len(got))
				}
			}
		})
	}
}

func TestFault32AnEndlessAnswerIsCutOff(t *testing.T) {
	for _, size := range []int{0, 99, 100, 101, 5000} {
		body := bound(io.NopCloser(strings.NewReader(strings.Repeat("a", size))), 100)
		got, err := io.ReadAll(body)
		if (err != nil) != (size >= 100) || len(got) != min(size, 100) {
			t.Errorf("%d bytes: %d read, %v", size, len(got), err)
		}
	}
	w := newWire(t)
	w.on("DescribeInstances", answer(500, ec2Error("InternalError", strings.Repeat("a", refusalBound))))
	_, err := list(w.open(func(config *Config) { config.Sleep = noSleep }), fleet.EC2Instance, cloud.Query{})
	wantClass(t, err, cloud.ErrTransient)
	if err == nil || !strings.Contains(err.Error(), "longer than 1 MB") {
		t.Errorf("%.300v", err)
	}
}

// Ten megabytes of XML that nobody can mean, or that mean nothing, cost a small
// multiple of their size at worst, and never pass for an empty fleet.
func TestFault32TenMegabytesOfXML(t *testing.T) {
	const size = 10 << 20
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (size-len(head)-len(tail))/len(unit)) + tail
	}
	for _, kind := range []fleet.Kind{fleet.EC2Instance, fleet.RDSInstance} {
		action, open := "DescribeInstances", "<DescribeInstancesResponse><reservationSet>"
		whole := instancesPage("", instanceXML("i-0aaaaaaaaaaaaaaa1", "running", tagsXML("Schedule", "office")))
		if kind == fleet.RDSInstance {
			action, open = "DescribeDBInstances", "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances>"
			whole = databasesPage("", databaseXML("a", "available", ""))
		}
		for _, test := range []struct {
			name, body string
			found      int // -1: an error
		}{
			{"elements within elements", fill(open, "<a>", ""), -1},
			{"one text without end", fill(open+"<item>", "x", ""), -1},
			{"one name without end", fill(open+"<", "x", ""), -1},
			{"attributes without end", fill(open+"<item ", "a='b' ", ""), -1},
			{"a comment without end", fill(open+"<!--", "x", ""), -1},
			{"entities within entities", fill("<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\">", "<!ENTITY b \"&a;&a;\">", "]>"+open+"&b;"), -1},
			{"blanks before it", fill("", " ", whole), -1},
			{"blanks after it", fill(whole, " ", ""), 1},
		} {
			t.Run(string(kind)+", "+test.name, func(t *testing.T) {
				w := newWire(t)
				w.on(action, answer(200, test.body))
				c := w.open(func(config *Config) { config.Sleep = noSleep })
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				got, err := list(c, kind, cloud.Query{})
				runtime.ReadMemStats(&after)
				if test.found < 0 && (!errors.Is(err, cloud.ErrTransient) || got != nil) || test.found >= 0 && (err != nil || len(got) != test.found) {
					t.Errorf("%d resources, %.200v", len(got), err)
				}
				if err != nil && len(err.Error()) > 4<<10 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
				tries := uint64(w.count(action))
				if used := (after.TotalAlloc - before.TotalAlloc) / tries; used > 8*size {
					t.Errorf("%d MB a try", used>>20)
				}
			})
		}
	}
}

func TestFault32HowDeepADocumentMayBe(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("<a b='c'>", n) + "x" + strings.Repeat("</a>", n) }
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"as deep as it may be", deep(depthBound), nil},
		{"deeper", deep(depthBound + 1), errTooDeep},
		{"many beside each other", "<a>" + strings.Repeat("<b/><b></b><b c='d' />", 1000) + "</a>", nil},
		{"declarations and comments", strings.Repeat("<?xml version='1.0'?><!-- x --><!DOCTYPE a>", 1000) + "<a/>", nil},
		{"a long tag", "<a " + strings.Repeat("b", tagBound-3) + ">", nil},
		{"a longer tag", "<a " + strings.Repeat("b", tagBound) + ">", errLongTag},
		{"a long text", "<a>" + strings.Repeat("b", 2*tagBound) + "</a>", nil},
		{"empty brackets", strings.Repeat("<>", 1000), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for what, reader := range map[string]io.Reader{"at once": strings.NewReader(test.text), "byte by byte": iotest.OneByteReader(strings.NewReader(test.text))} {
				got, err := io.ReadAll(&shallowBody{ReadCloser: io.NopCloser(reader)})
				if !errors.Is(err, test.want) || test.want == nil && string(got) != test.text {
					t.Errorf("%s: %d of %d bytes, %v", what, len(got), len(test.text), err)
				}
			}
		})
	}
}

func databasesPage(marker string, databases ...string) string {
	var b strings.Builder
	b.WriteString(`<DescribeDBInstancesResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeDBInstancesResult><DBInstances>`)
	for _, database := range databases {
		b.WriteString("<DBInstance>" + database + "</DBInstance>")
	}
	b.WriteString("</DBInstances>")
	if marker != "" {
		b.WriteString("<Marker>" + marker + "</Marker>")
	}
	b.WriteString(`</DescribeDBInstancesResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></DescribeDBInstancesResponse>`)
	return b.String()
}

func databaseXML(id, status, more string) string {
	return "<DBInstanceIdentifier>" + id + "</DBInstanceIdentifier><DBInstanceStatus>" + status + "</DBInstanceStatus><Engine>postgres</Engine>" + more
}

func clustersPage(clusters ...string) string {
	var b strings.Builder
	b.WriteString(`<DescribeDBClustersResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeDBClustersResult><DBClusters>`)
	for _, cluster := range clusters {
		b.WriteString("<DBCluster>" + cluster + "</DBCluster>")
	}
	b.WriteString(`</DBClusters></DescribeDBClustersResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></DescribeDBClustersResponse>`)
	return b.String()
}

func clusterXML(id, status, more string) string {
	return "<DBClusterIdentifier>" + id + "</DBClusterIdentifier><Status>" + status + "</Status><Engine>aurora-mysql</Engine><EngineMode>provisioned</EngineMode>" + more
}

func TestBarsAndStatesAreReadOffTheListing(t *testing.T) {
	t.Run("clusters", func(t *testing.T) {
		members := "<DBClusterMembers><DBClusterMember><DBInstanceIdentifier>a</DBInstanceIdentifier></DBClusterMember><DBClusterMember><DBInstanceIdentifier>b</DBInstanceIdentifier></DBClusterMember></DBClusterMembers>"
		w := newWire(t)
		w.on("DescribeDBClusters", answer(200, clustersPage(
			clusterXML("plain", "available", members),
			strings.Replace(clusterXML("v1", "available", ""), "provisioned", "serverless", 1),
			clusterXML("v2", "available", "<ServerlessV2ScalingConfiguration><MinCapacity>0.5</MinCapacity></ServerlessV2ScalingConfiguration>"),
			clusterXML("world", "available", "<GlobalClusterIdentifier>earth</GlobalClusterIdentifier>"),
			strings.Replace(clusterXML("old-world", "available", ""), "provisioned", "global", 1),
			clusterXML("forwards", "available", "<GlobalWriteForwardingStatus>enabled</GlobalWriteForwardingStatus>"),
			clusterXML("does-not", "available", "<GlobalWriteForwardingStatus>disabled</GlobalWriteForwardingStatus>"),
			clusterXML("replica", "available", "<ReplicationSourceIdentifier>arn:aws:rds:us-east-1:111122223333:cluster:plain</ReplicationSourceIdentifier>"),
			clusterXML("source", "available", "<ReadReplicaIdentifiers><ReadReplicaIdentifier>r</ReadReplicaIdentifier></ReadReplicaIdentifiers>"),
			strings.Replace(clusterXML("three", "available", "<DBClusterInstanceClass>db.m5d.large</DBClusterInstanceClass>"), "aurora-mysql", "mysql", 1),
			clusterXML("down", "stopped", "<AutomaticRestartTime>2027-01-11T08:00:00Z</AutomaticRestartTime>"),
			clusterXML("up", "starting", ""), clusterXML("ending", "stopping", ""), clusterXML("saved", "backing-up", ""), clusterXML("new", "some-new-word", ""),
		)))
		got, err := list(w.open(nil), fleet.RDSCluster, cloud.Query{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"plain": "running aurora-mysql 2 ", "v1": "running aurora-mysql 0 serverless-v1", "v2": "running aurora-mysql 0 ",
			"world": "running aurora-mysql 0 global-database", "old-world": "running aurora-mysql 0 global-database",
			"forwards": "running aurora-mysql 0 global-database", "does-not": "running aurora-mysql 0 ",
			"replica": "running aurora-mysql 0 read-replica", "source": "running aurora-mysql 0 replica-source", "three": "running db.m5d.large 0 multi-az-cluster",
			"down": "stopped aurora-mysql 0 ", "up": "starting aurora-mysql 0 ", "ending": "stopping aurora-mysql 0 ", "saved": "other aurora-mysql 0 ", "new": "other aurora-mysql 0 ",
		}
		for _, r := range got {
			if is := fmt.Sprintf("%s %s %d %s", r.State, r.Type, r.Members, r.Bar); is != want[r.ID] {
				t.Errorf("%s: %q, want %q", r.ID, is, want[r.ID])
			}
			if r.ID == "down" && !r.AutoRestartAt.Equal(time.Date(2027, 1, 11, 8, 0, 0, 0, time.UTC)) {
				t.Errorf("restart at %v", r.AutoRestartAt)
			}
			delete(want, r.ID)
		}
		if len(want) > 0 {
			t.Errorf("not listed: %v", want)
		}
	})
	t.Run("databases", func(t *testing.T) {
		replicas := "<ReadReplicaDBInstanceIdentifiers><ReadReplicaDBInstanceIdentifier>r</ReadReplicaDBInstanceIdentifier></ReadReplicaDBInstanceIdentifiers>"
		w := newWire(t)
		w.on("DescribeDBInstances", answer(200, databasesPage("",
			databaseXML("plain", "available", ""),
			databaseXML("member", "available", "<DBClusterIdentifier>c</DBClusterIdentifier>"),
			databaseXML("replica", "available", "<ReadReplicaSourceDBInstanceIdentifier>plain</ReadReplicaSourceDBInstanceIdentifier>"),
			databaseXML("source", "available", replicas),
			strings.Replace(databaseXML("mssql", "available", "<MultiAZ>true</MultiAZ>"), "postgres", "sqlserver-se", 1),
			strings.Replace(databaseXML("mssql-single", "available", "<MultiAZ>false</MultiAZ>"), "postgres", "sqlserver-se", 1),
			databaseXML("multi", "available", "<MultiAZ>true</MultiAZ>"),
			databaseXML("down", "stopped", "<AutomaticRestartTime>2027-01-11T08:00:00Z</AutomaticRestartTime>"),
			databaseXML("up", "starting", ""), databaseXML("ending", "stopping", ""), databaseXML("busy", "modifying", ""), databaseXML("new", "some-new-word", ""),
		)))
		got, err := list(w.open(nil), fleet.RDSInstance, cloud.Query{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"plain": "running ", "member": "running cluster-member", "replica": "running read-replica", "source": "running replica-source",
			"mssql": "running sqlserver-multi-az", "mssql-single": "running ", "multi": "running ", "down": "stopped ", "up": "starting ",
			"ending": "stopping ", "busy": "other ", "new": "other ",
		}
		for _, resource := range got {
			if text := fmt.Sprintf("%s %s", resource.State, resource.Bar); text != want[resource.ID] {
				t.Errorf("%s: %q, want %q", resource.ID, text, want[resource.ID])
			}
			if resource.ID == "down" && !resource.AutoRestartAt.Equal(time.Date(2027, 1, 11, 8, 0, 0, 0, time.UTC)) {
				t.Errorf("restart at %v", resource.AutoRestartAt)
			}
			if resource.ID == "new" && resource.Native != "some-new-word" {
				t.Errorf("native state %q", resource.Native)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d databases, want %d", len(got), len(want))
		}
	})
	t.Run("instances", func(t *testing.T) {
		spot := func(request string) string {
			return "<instanceLifecycle>spot</instanceLifecycle><spotInstanceRequestId>" + request + "</spotInstanceRequestId>"
		}
		w := newWire(t)
		w.on("DescribeInstances", answer(200, instancesPage("",
			instanceXML("i-plain", "running", ""),
			instanceXML("i-group", "running", tagsXML("aws:autoscaling:groupName", "web")),
			instanceXML("i-store", "running", "<rootDeviceType>instance-store</rootDeviceType>"),
			instanceXML("i-once", "running", spot("sir-once")),
			instanceXML("i-lasting", "running", spot("sir-lasting")),
			instanceXML("i-unknown", "running", spot("sir-unknown")),
			instanceXML("i-new", "some-new-word", ""),
			instanceXML("i-plain", "running", ""), // twice
			instanceXML("", "running", ""),        // without an id
		)))
		requests := `<DescribeSpotInstanceRequestsResponse><spotInstanceRequestSet><item><spotInstanceRequestId>sir-once</spotInstanceRequestId><type>one-time</type></item>` +
			`<item><spotInstanceRequestId>sir-lasting</spotInstanceRequestId><type>persistent</type></item></spotInstanceRequestSet></DescribeSpotInstanceRequestsResponse>`
		w.on("DescribeSpotInstanceRequests", answer(200, requests))
		c := w.open(nil)
		want := map[string]string{
			"i-plain": "running ", "i-group": "running auto-scaling-group-member", "i-store": "running instance-store-root", "i-once": "running spot-one-time",
			"i-lasting": "running ", "i-unknown": "running spot-one-time", "i-new": "other ",
		}
		check := func() {
			t.Helper()
			got, err := list(c, fleet.EC2Instance, cloud.Query{})
			if err != nil || len(got) != len(want) {
				t.Fatalf("%d instances, want %d: %v", len(got), len(want), err)
			}
			for _, resource := range got {
				if text := fmt.Sprintf("%s %s", resource.State, resource.Bar); text != want[resource.ID] {
					t.Errorf("%s: %q, want %q", resource.ID, text, want[resource.ID])
				}
			}
		}
		check()
		// Without the permission nothing more is learned, and what was is remembered.
		w.on("DescribeSpotInstanceRequests", answer(403, ec2Error("UnauthorizedOperation", "no")))
		check()
		c = w.open(nil)
		want["i-lasting"] = "running spot-one-time" // in doubt it is not stopped
		check()
	})
}

// Faults of the simulated AWS: nothing is lost, and what is wrong is said.
func TestFault33ListingsUnderFaults(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault awssim.Fault
		want  error // of a listing
	}{
		{"a burst of throttling", awssim.Fault{Kind: awssim.FaultThrottle, Action: "DescribeInstances", Count: 5}, nil},
		{"a reset", awssim.Fault{Kind: awssim.FaultReset, Action: "DescribeInstances", Skip: 1, Count: 2}, nil},
		{"a cut page", awssim.Fault{Kind: awssim.FaultCut, Action: "DescribeInstances", Skip: 1, Count: 2}, nil},
		{"garbage for good", awssim.Fault{Kind: awssim.FaultGarbage, Action: "DescribeInstances", Skip: 1}, cloud.ErrTransient},
		{"errors with status 200", awssim.Fault{Kind: awssim.FaultErrorIn200, Code: "InternalError", Action: "DescribeInstances", Skip: 1}, cloud.ErrTransient},
		{"empty answers", awssim.Fault{Kind: awssim.FaultEmpty, Action: "DescribeInstances", Skip: 1}, cloud.ErrTransient},
		{"a hang", awssim.Fault{Kind: awssim.FaultHang, Action: "DescribeInstances"}, cloud.ErrTransient},
		{"an unreachable region", awssim.Fault{Kind: awssim.FaultUnreachable, Service: "ec2"}, cloud.ErrTransient},
		{"a region that is not enabled", awssim.Fault{Kind: awssim.FaultNotOptedIn, Service: "ec2"}, cloud.ErrRegionDisabled},
		{"a missing permission", awssim.Fault{Kind: awssim.FaultDenied, Action: "DescribeInstances"}, cloud.ErrUnauthorized},
		{"pages without end", awssim.Fault{Kind: awssim.FaultTokenLoop, Action: "DescribeInstances"}, cloud.ErrTransient},
		{"a token that expires", awssim.Fault{Kind: awssim.FaultTokenExpire, Action: "DescribeInstances"}, cloud.ErrTransient},
		{"uneven pages", awssim.Fault{Kind: awssim.FaultShortPages, Action: "DescribeInstances"}, nil},
		{"items twice", awssim.Fault{Kind: awssim.FaultDuplicate, Action: "DescribeInstances"}, nil},
		{"slow answers", awssim.Fault{Kind: awssim.FaultDelay, For: awssim.Duration(20 * time.Second), Action: "DescribeInstances"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, sim := simulate(t, awssim.Options{PageCap: 50}, fleetOf(120, "running"), nil)
				if err := sim.SetFaults([]awssim.Fault{test.fault}); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				got, err := list(c, fleet.EC2Instance, cloud.Query{TagKey: cloudtest.TagKey})
				if test.want != nil {
					wantClass(t, err, test.want)
				} else if err != nil || len(got) != 120 {
					t.Errorf("%d of 120: %v", len(got), err)
				}
				if took := time.Since(began); took > 5*time.Minute {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// A process that was paused after it had decided to make a call does not send it.
func TestNothingIsSentWithoutAPermit(t *testing.T) {
	lost := errors.New("the lease is lost")
	w := newWire(t)
	w.on("StartInstances", acceptAll("StartInstances"))
	c := w.open(nil)
	if err := start(c, many(1)...); err != nil {
		t.Fatal(err)
	}
	target := cloud.Target{Resource: fleet.Resource{Ref: fleet.Ref{Scope: testScope, Kind: fleet.EC2Instance, ID: "i-0123456789abcdef0"}}}
	ctx := cloud.WithPermit(t.Context(), func() error { return lost })
	err := c.Do(ctx, testScope, fleet.EC2Instance, fleet.Start, []cloud.Target{target})
	if !errors.Is(err, cloud.ErrNotPermitted) || !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
	if n := len(w.made("StartInstances")); n != 1 {
		t.Errorf("%d requests, want the one that was permitted", n)
	}
}
