package awssim

import (
	"io"
	"net/http"
	"net/url"
	"runtime"
	"testing"
)

// One page of a thousand instances, from request to the last byte.
func BenchmarkDescribeInstancesPage(b *testing.B) {
	c := New(Options{Limits: Limits{Off: true}})
	if err := c.Load(Generate(Spec{Accounts: 1, Instances: 1000})); err != nil {
		b.Fatal(err)
	}
	k := caller{t: &testing.T{}, c: c, key: "200000000001", region: "us-east-1", service: "ec2"}
	form := url.Values{"Action": {"DescribeInstances"}, "Version": {"2016-11-15"}, "MaxResults": {"1000"}}
	var n int64
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Transport().RoundTrip(k.request(form))
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp, err)
		}
		if n, err = io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(n)
	b.ReportMetric(float64(n)/1000, "B/instance")
}

// A filter that selects nothing, over a thousand instances: the steady state
// of a scheduler that asks for what should change.
func BenchmarkDescribeInstancesNoMatch(b *testing.B) {
	c := New(Options{Limits: Limits{Off: true}})
	if err := c.Load(Generate(Spec{Accounts: 1, Instances: 1000})); err != nil {
		b.Fatal(err)
	}
	k := caller{t: &testing.T{}, c: c, key: "200000000001", region: "us-east-1", service: "ec2"}
	form := url.Values{"Action": {"DescribeInstances"}, "Version": {"2016-11-15"}, "Filter.1.Name": {"tag:Schedule"}, "Filter.1.Value.1": {"none"}}
	b.ReportAllocs()
	for b.Loop() {
		if resp, err := c.Transport().RoundTrip(k.request(form)); err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp, err)
		}
	}
}

// A hundred thousand resources in four hundred scopes.
func BenchmarkLoad100k(b *testing.B) {
	f := Generate(Spec{Accounts: 100, Regions: []string{"us-east-1", "us-west-2", "eu-west-1", "ap-northeast-2"}, Instances: 90_000, Databases: 10_000})
	var c *Cloud
	for b.Loop() {
		c = New(Options{})
		if err := c.Load(f); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/100_000, "heap-B/resource")
	runtime.KeepAlive(c)
}
