package kinds

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
)

// served answers every request with one document.
type served string

func (s served) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(s))), Request: r, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(s))}, nil
}

var scope = fleet.Scope{Account: "111122223333", Region: "eu-central-1"}

// decode reads a page as resources, by the SDK or as the kind does.
func decode(document string, fast bool) ([]fleet.Resource, string, error) {
	c := ec2.NewFromConfig(sdk.Config{
		Region: string(scope.Region), Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
		HTTPClient: &http.Client{Transport: served(document)}, Retryer: func() sdk.Retryer { return sdk.NopRetryer{} },
	})
	client := ec2Client{describe: c.DescribeInstances}
	var page seenPage
	var err error
	if fast {
		page, err = client.describePage(context.Background(), &ec2.DescribeInstancesInput{}, nil, new(bool))
	} else {
		var whole *ec2.DescribeInstancesOutput
		if whole, err = c.DescribeInstances(context.Background(), &ec2.DescribeInstancesInput{}); err == nil {
			page = pageOf(whole)
		}
	}
	if err != nil {
		return nil, "", err
	}
	k := &instances{Env: Env{Scope: scope}}
	var list []fleet.Resource
	for i := range page.instances {
		page.instances[i].words = 0 // the SDK takes none
		list = append(list, k.resource(&page.instances[i], time.Time{}))
	}
	return list, page.next, nil
}

// understood reports whether the fast reader reads the document itself, however
// it comes over the network.
func understood(t *testing.T, document string) bool {
	t.Helper()
	_, err := readPage(strings.NewReader(document), nil)
	if err != nil && !errors.Is(err, errNotUnderstood) {
		t.Fatal(err)
	}
	_, slow := readPage(iotest.OneByteReader(strings.NewReader(document)), nil)
	if (err == nil) != (slow == nil) {
		t.Fatalf("at once: %v, byte by byte: %v", err, slow)
	}
	return err == nil
}

// instanceDocument is an instance as AWS writes it, with everything that is not
// looked at; some 3.3 KB.
func instanceDocument(n int) string {
	return fmt.Sprintf(`<item>
<reservationId>r-%017[1]x</reservationId><ownerId>111122223333</ownerId><groupSet/>
<instancesSet><item>
<instanceId>i-%017[1]x</instanceId><imageId>ami-0abcdef1234567890</imageId>
<instanceState><code>80</code><name>stopped</name></instanceState>
<privateDnsName>ip-10-0-%[2]d-%[3]d.eu-central-1.compute.internal</privateDnsName><dnsName/>
<reason>User initiated (2027-01-04 18:00:02 GMT)</reason><keyName>ops</keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/>
<instanceType>m5.large</instanceType><launchTime>2027-01-04T08:00:01.000Z</launchTime>
<placement><availabilityZone>eu-central-1%[4]c</availabilityZone><availabilityZoneId>euc1-az2</availabilityZoneId><groupName/><tenancy>default</tenancy></placement>
<monitoring><state>disabled</state></monitoring><subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId>
<privateIpAddress>10.0.%[2]d.%[3]d</privateIpAddress><sourceDestCheck>true</sourceDestCheck>
<groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>web</groupName></item></groupSet>
<stateReason><code>Client.UserInitiatedShutdown</code><message>Client.UserInitiatedShutdown: User initiated shutdown</message></stateReason>
<architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>
<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-%017[1]x</volumeId><status>attached</status><attachTime>2026-11-04T08:00:02.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>
<virtualizationType>hvm</virtualizationType><clientToken>0b7c6a52-0000-4000-8000-%012[1]x</clientToken>
<tagSet><item><key>Name</key><value>web-%[1]d</value></item><item><key>Schedule</key><value>office</value></item><item><key>Team</key><value>shop &amp; &lt;cart&gt; é</value></item><item><key>CostCenter</key><value/></item></tagSet>
<hypervisor>xen</hypervisor>
<networkInterfaceSet><item><networkInterfaceId>eni-%017[1]x</networkInterfaceId><subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><description/><ownerId>111122223333</ownerId><status>in-use</status><macAddress>02:00:00:00:00:01</macAddress><privateIpAddress>10.0.%[2]d.%[3]d</privateIpAddress><sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>web</groupName></item></groupSet><attachment><attachmentId>eni-attach-0123456789abcdef0</attachmentId><deviceIndex>0</deviceIndex><status>attached</status><attachTime>2026-11-04T08:00:01.000Z</attachTime><deleteOnTermination>true</deleteOnTermination><networkCardIndex>0</networkCardIndex></attachment><privateIpAddressesSet><item><privateIpAddress>10.0.%[2]d.%[3]d</privateIpAddress><primary>true</primary></item></privateIpAddressesSet><ipv6AddressesSet/><interfaceType>interface</interfaceType></item></networkInterfaceSet>
<ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport><cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>
<capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference></capacityReservationSpecification>
<hibernationOptions><configured>%[5]t</configured></hibernationOptions><enclaveOptions><enabled>false</enabled></enclaveOptions>
<metadataOptions><state>applied</state><httpTokens>required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint></metadataOptions>
<maintenanceOptions><autoRecovery>default</autoRecovery></maintenanceOptions><currentInstanceBootMode>uefi</currentInstanceBootMode>
</item></instancesSet></item>`, n, n/250%256, n%250, 'a'+rune(n%3), n%2 == 0)
}

func pageDocument(n int, next string) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n    <requestId>8f7724cf-496f-496e-8fe3-example</requestId>\n<reservationSet>")
	for i := range n {
		b.WriteString(instanceDocument(i))
	}
	b.WriteString("</reservationSet>" + next + "</DescribeInstancesResponse>\n")
	return b.String()
}

// documents are pages that AWS or a stranger may send; understood says whether
// the fast reader reads them itself.
var documents = []struct {
	name       string
	document   string
	understood bool
}{
	{"as AWS writes it", pageDocument(7, "<nextToken>eyJ2IjoiMiJ9==</nextToken>"), true},
	{"longer than a window", pageDocument(100, "<nextToken>more</nextToken>"), true},
	{"an instance longer than a window", page(`<instanceId>i-1</instanceId><instanceState><name>running</name></instanceState><x>` + strings.Repeat("y", 3*windowSize) + `</x>`), true},
	{"no instances", pageDocument(0, ""), true},
	{"an empty set", "<DescribeInstancesResponse><requestId/><reservationSet/></DescribeInstancesResponse>", true},
	{"a mark of the byte order", "\xef\xbb\xbf" + pageDocument(1, ""), true},
	{"all fields", page(`<instanceId>i-1</instanceId><instanceState><name>running</name></instanceState><instanceLifecycle>spot</instanceLifecycle><spotInstanceRequestId>sir-1</spotInstanceRequestId><rootDeviceType>instance-store</rootDeviceType>`), true},
	{"entities", page(`<instanceId>i-1</instanceId><instanceState><name>running</name></instanceState><tagSet><item><key>a&#65;&#x42;&quot;&apos;</key><value>&amp;lt;&#x1F600;</value></item></tagSet>`), true},
	{"blanks around words", page(`<instanceId>i-1</instanceId><instanceState><name>running</name></instanceState><tagSet><item><key> k </key><value>
 v </value></item></tagSet>`), true},
	{"an attribute with a bracket", page(`<instanceId a='>' b=">">i-1</instanceId><instanceState><name>running</name></instanceState>`), true},
	{"no launch time, no type", page(`<instanceId>i-1</instanceId><instanceState><name>pending</name></instanceState>`), true},
	{"a comment", page(`<!-- hello --><instanceId>i-1</instanceId><instanceState><name>running</name></instanceState>`), false},
	{"a comment in what is skipped", page(`<instanceId>i-1</instanceId><x><!-- </x> --></x><instanceState><name>running</name></instanceState>`), false},
	{"CDATA", page(`<instanceId><![CDATA[i-1]]></instanceId><instanceState><name>running</name></instanceState>`), false},
	{"other letters in the names", strings.ReplaceAll(pageDocument(1, ""), "reservationSet", "ReservationSet"), false},
	{"carriage returns", page("<instanceId>i-1</instanceId><instanceState><name>running</name></instanceState><tagSet><item><key>k</key><value>a\r\nb</value></item></tagSet>"), false},
	{"an instance without an id", page(`<instanceState><name>running</name></instanceState>`), false},
	{"a brace", page(`<instanceId>i-1</instanceId><instanceState><name>running</name></instanceState><tagSet><item><key>[k]</key><value>[v]</value></item></tagSet>`), false},
	{"a launch time that is none", page(`<instanceId>i-1</instanceId><instanceState><name>running</name></instanceState><launchTime>soon</launchTime>`), false},
	{"tags that do not match", page(`<instanceId>i-1</instanceId><instanceState><name>running</nome></instanceState>`), false},
	{"tags that do not match in what is skipped", page(`<instanceId>i-1</instanceId><x><y></x></y><instanceState><name>running</name></instanceState>`), false},
	{"nested without end", page(strings.Repeat("<x>", 5000)), false},
	{"something after the end", pageDocument(1, "") + "<more/>", false},
	{"another document", "<RunInstancesResponse/>", false},
	{"bytes that are no text", page("<instanceId>i-1</instanceId><instanceState><name>running</name></instanceState><tagSet><item><key>k</key><value>\xff\xfe</value></item></tagSet>"), false},
}

func page(instance string) string {
	return "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>" + instance + "</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
}

// The fast reader says what the SDK's decoder says, or leaves it to it.
func TestPagesReadFastAreAsTheSDKReadsThem(t *testing.T) {
	for _, test := range documents {
		t.Run(test.name, func(t *testing.T) {
			if got := understood(t, test.document); got != test.understood {
				t.Errorf("understood: %v, want %v", got, test.understood)
			}
			want, wantToken, wantErr := decode(test.document, false)
			got, token, err := decode(test.document, true)
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("%v, the SDK says %v", err, wantErr)
			}
			if diff := cmp.Diff(want, got); diff != "" || token != wantToken {
				t.Errorf("token %q, want %q\n%s", token, wantToken, diff)
			}
		})
	}
}

func TestACutPageIsNotUnderstood(t *testing.T) {
	whole := strings.TrimSpace(pageDocument(2, "<nextToken>t</nextToken>"))
	for cut := range len(whole) {
		if _, err := readPage(strings.NewReader(whole[:cut]), nil); err == nil {
			t.Fatalf("understood after %d of %d bytes: …%s", cut, len(whole), whole[max(0, cut-40):cut])
		}
	}
}

func TestAPageWhoseConnectionBreaksIsNotLeftToTheSDK(t *testing.T) {
	broken := errors.New("reset by peer")
	whole := pageDocument(100, "")
	for _, cut := range []int{0, 100, len(whole) / 2, len(whole)} {
		_, err := readPage(io.MultiReader(strings.NewReader(whole[:cut]), iotest.ErrReader(broken)), nil)
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", cut, err)
		}
	}
}

// What both read they read alike.
func FuzzReadPage(f *testing.F) {
	const long = 32 << 10 // more is tried often enough by the table, and costs a fuzzer minutes to make smaller
	for _, test := range documents {
		if len(test.document) <= long {
			f.Add(test.document)
		}
	}
	f.Fuzz(func(t *testing.T, document string) {
		if len(document) > long {
			t.Skip()
		}
		if !understood(t, document) {
			return
		}
		want, wantToken, err := decode(document, false)
		if err != nil {
			return // strict about what is not looked at
		}
		got, token, err := decode(document, true)
		if diff := cmp.Diff(want, got); err != nil || diff != "" || token != wantToken {
			t.Errorf("%v, token %q, want %q\n%s", err, token, wantToken, diff)
		}
		checkKnown(t, document, document)
	})
}

// known remembers how instances were described.
type known map[string]uint32

func (k known) same(id []byte, words uint32) (uint64, bool) {
	return maphash.Bytes(wordsSeed, id), k[string(id)] == words
}

// checkKnown reads one document and then, knowing it, another. It returns the ids
// of those that were read again; all that was left out must be as it was.
func checkKnown(t *testing.T, before, after string) (again []string) {
	t.Helper()
	first, err := readPage(strings.NewReader(before), nil)
	if err != nil {
		t.Fatal(err)
	}
	told, was := known{}, map[uint64]seenInstance{}
	twice := map[string]bool{}
	for _, instance := range first.instances {
		twice[instance.id] = told[instance.id] != 0 && told[instance.id] != instance.words
		told[instance.id] = instance.words
		was[maphash.String(wordsSeed, instance.id)] = instance
	}
	want, err := readPage(strings.NewReader(after), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readPage(iotest.HalfReader(strings.NewReader(after)), told.same)
	if err != nil || got.next != want.next || len(got.instances)+len(got.kept) != len(want.instances) {
		t.Fatalf("%v: %d read and %d kept of %d", err, len(got.instances), len(got.kept), len(want.instances))
	}
	kept := map[uint64]int{}
	for _, key := range got.kept {
		kept[key]++
	}
	rest := slices.Values(got.instances)
	next, stop := iter.Pull(rest)
	defer stop()
	for _, instance := range want.instances {
		key := maphash.String(wordsSeed, instance.id)
		if kept[key] > 0 && told[instance.id] == instance.words {
			kept[key]--
			if diff := cmp.Diff(was[key], instance, cmp.AllowUnexported(seenInstance{})); diff != "" && !twice[instance.id] {
				t.Errorf("%s was left out and has changed:\n%s", instance.id, diff)
			}
			continue
		}
		read, _ := next()
		if diff := cmp.Diff(instance, read, cmp.AllowUnexported(seenInstance{})); diff != "" {
			t.Errorf("%s was read again and otherwise:\n%s", instance.id, diff)
		}
		again = append(again, instance.id)
	}
	return again
}

// What is described in the same words is not read again, wherever it stands; what
// differs in one of them is.
func TestWhatIsDescribedAsBeforeIsNotReadAgain(t *testing.T) {
	whole := pageDocument(200, "<nextToken>t</nextToken>")
	name := func(n int) string { return fmt.Sprintf("i-%017x", n) }
	together := func(instances ...int) string {
		var items []string
		for _, n := range instances {
			_, item, _ := strings.Cut(instanceDocument(n), "<instancesSet>")
			item, _, _ = strings.Cut(item, "</instancesSet>")
			items = append(items, item)
		}
		return "<DescribeInstancesResponse><reservationSet><item><reservationId>r-1</reservationId><groupSet><item><groupId>sg-1</groupId></item></groupSet><instancesSet>" +
			strings.Join(items, "\n ") + "</instancesSet><requesterId>1</requesterId></item></reservationSet></DescribeInstancesResponse>"
	}
	for _, test := range []struct {
		name, before, after string
		again               []string
	}{
		{"the same", whole, whole, nil},
		{"one has stopped", whole, strings.Replace(whole, "<name>stopped</name>", "<name>stopping</name>", 1), []string{name(0)}},
		{"another tag", whole, strings.Replace(whole, "web-77<", "web-78<", 1), []string{name(77)}},
		{"a word that is not looked at", whole, strings.Replace(whole, "<keyName>ops</keyName>", "<keyName>dev</keyName>", 1), []string{name(0)}},
		{"the last one", whole, strings.Replace(whole, "web-199<", "web-299<", 1), []string{name(199)}},
		{"fewer, in another order", pageDocument(3, ""), together(2, 0), nil},
		{"in reservations of their own", together(0, 1, 2), pageDocument(3, ""), nil},
		{"a new one among them", together(0, 2), together(0, 1, 2), []string{name(1)}},
		{"nothing known", pageDocument(0, ""), pageDocument(2, ""), []string{name(0), name(1)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if again := checkKnown(t, test.before, test.after); !slices.Equal(again, test.again) {
				t.Errorf("read again: %v, want %v", again, test.again)
			}
		})
	}
}

func TestAPageThatIsNoneIsTheSDKsError(t *testing.T) {
	_, _, err := decode(strings.TrimSuffix(pageDocument(1, ""), "</DescribeInstancesResponse>\n"), true)
	if err == nil || errors.Is(err, cloud.ErrTransient) {
		t.Errorf("%v", err)
	}
}

// BenchmarkPage decodes a page of 1,000 instances of 3.3 KB each.
func BenchmarkPage(b *testing.B) {
	document := pageDocument(1000, "")
	for name, fast := range map[string]bool{"fast": true, "SDK": false} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(document)))
			for b.Loop() {
				if list, _, err := decode(document, fast); err != nil || len(list) != 1000 {
					b.Fatal(len(list), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/instance")
		})
	}
}
