package awssim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// instanceType is one EC2 instance type.
type instanceType struct {
	name      string
	arch      string
	vcpu      int
	mib       int
	burstable bool
	hibernate bool
	current   bool
	nvme      bool // Nitro: ENA and NVMe
	ebs       string
}

// What AWS says of a type's optimisation for EBS (ec2 EbsOptimizedSupport).
const (
	ebsDefault     = "default" // always on
	ebsSupported   = "supported"
	ebsUnsupported = "unsupported"
)

// ebsOf are the families that are not optimised for EBS by default.
var ebsOf = map[string]string{"t2": ebsUnsupported, "m1": ebsUnsupported, "r3": ebsSupported}

// family is a row of instance types that differ in size alone.
type family struct {
	name      string
	arch      string
	gibPerCPU float64
	sizes     string
	nvme      bool
	hibernate bool
	old       bool
}

// sizeCPU is the number of vCPUs of a size, where a family does not differ.
var sizeCPU = map[string]int{
	"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4,
	"2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "12xlarge": 48, "16xlarge": 64, "24xlarge": 96, "48xlarge": 192,
}

// burstGiB is the memory of the burstable families by size.
var burstGiB = map[string]float64{"nano": 0.5, "micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}

const (
	x86 = "x86_64"
	arm = "arm64"
)

var families = []family{
	{"t2", x86, 0, "nano micro small medium large xlarge 2xlarge", false, true, false},
	{"t3", x86, 0, "nano micro small medium large xlarge 2xlarge", true, true, false},
	{"t3a", x86, 0, "nano micro small medium large xlarge 2xlarge", true, true, false},
	{"t4g", arm, 0, "nano micro small medium large xlarge 2xlarge", true, true, false},
	{"m4", x86, 4, "large xlarge 2xlarge 4xlarge 16xlarge", false, true, true},
	{"m5", x86, 4, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge", true, true, false},
	{"m5a", x86, 4, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge", true, true, false},
	{"m6i", x86, 4, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge", true, true, false},
	{"m6g", arm, 4, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge", true, true, false},
	{"m7i", x86, 4, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge", true, true, false},
	{"m7g", arm, 4, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge", true, true, false},
	{"c4", x86, 1.875, "large xlarge 2xlarge 4xlarge", false, true, true},
	{"c5", x86, 2, "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge", true, true, false},
	{"c6i", x86, 2, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge", true, true, false},
	{"c6g", arm, 2, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge", true, true, false},
	{"c7g", arm, 2, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge", true, true, false},
	{"r3", x86, 7.625, "xlarge 2xlarge 4xlarge", false, true, true},
	{"r5", x86, 8, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge", true, true, false},
	{"r5b", x86, 8, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge", true, true, false},
	{"r6i", x86, 8, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge", true, true, false},
	{"r6g", arm, 8, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge", true, true, false},
	{"i3", x86, 7.625, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge", true, false, false},
	{"g4dn", x86, 4, "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge", true, false, false},
	{"p3", x86, 7.625, "2xlarge 8xlarge 16xlarge", false, false, false},
}

// instanceTypes are the types that exist, by name.
var instanceTypes = func() map[string]*instanceType {
	m := map[string]*instanceType{
		"m1.small": {name: "m1.small", arch: x86, vcpu: 1, mib: 1740, ebs: ebsOf["m1"]},
	}
	for _, f := range families {
		for size := range strings.FieldsSeq(f.sizes) {
			t := &instanceType{name: f.name + "." + size, arch: f.arch, vcpu: sizeCPU[size], hibernate: f.hibernate, current: !f.old, nvme: f.nvme, ebs: cmp.Or(ebsOf[f.name], ebsDefault)}
			switch f.gibPerCPU {
			case 0:
				t.burstable = true
				t.mib = int(burstGiB[size] * 1024)
				if size == "2xlarge" {
					t.vcpu = 8
				}
				if f.name == "t2" && (size == "nano" || size == "micro" || size == "small") {
					t.vcpu = 1
				}
			default:
				if size == "medium" {
					t.vcpu = 1
				}
				t.mib = int(math.Round(f.gibPerCPU * float64(t.vcpu) * 1024))
			}
			m[t.name] = t
		}
	}
	return m
}()

var typeNames = func() []string {
	var out []string
	for n := range instanceTypes {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}()

func describeInstanceTypes(k *call, w *xw) *Error {
	want := k.p.list("InstanceType")
	var unknown []string
	for _, n := range want {
		if instanceTypes[n] == nil {
			unknown = append(unknown, n)
		}
	}
	if len(unknown) > 0 {
		return refuse("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", strings.Join(unknown, ", "))
	}
	if len(want) > 0 && k.p.has("MaxResults") {
		return refuse("InvalidParameterCombination", "The parameter InstanceTypes cannot be used with the parameter MaxResults")
	}
	fs, e := readFilters(k, func(name string) field[*instanceType] {
		switch name {
		case "instance-type":
			return text(func(t *instanceType) string { return t.name })
		case "current-generation":
			return text(func(t *instanceType) string { return strconv.FormatBool(t.current) })
		case "hibernation-supported":
			return text(func(t *instanceType) string { return strconv.FormatBool(t.hibernate) })
		case "burstable-performance-supported":
			return text(func(t *instanceType) string { return strconv.FormatBool(t.burstable) })
		case "processor-info.supported-architecture":
			return text(func(t *instanceType) string { return t.arch })
		case "ebs-info.ebs-optimized-support":
			return text(func(t *instanceType) string { return t.ebs })
		case "vcpu-info.default-vcpus":
			return text(func(t *instanceType) string { return strconv.Itoa(t.vcpu) })
		case "memory-info.size-in-mib":
			return text(func(t *instanceType) string { return strconv.Itoa(t.mib) })
		}
		return nil
	})
	if e != nil {
		return e
	}
	var found []*instanceType
	for _, n := range typeNames {
		if t := instanceTypes[n]; (len(want) == 0 || slices.Contains(want, n)) && fs.match(t) {
			found = append(found, t)
		}
	}
	from, to, next, e := k.window(len(found), 100, 5, 100)
	if e != nil {
		return e
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	w.open("instanceTypeSet")
	for _, t := range found[from:to] {
		w.open("item")
		w.el("instanceType", t.name)
		w.flag("currentGeneration", t.current)
		w.flag("freeTierEligible", t.name == "t2.micro" || t.name == "t3.micro")
		w.raw("<supportedUsageClasses><item>on-demand</item><item>spot</item></supportedUsageClasses>")
		w.raw("<supportedRootDeviceTypes><item>ebs</item></supportedRootDeviceTypes>")
		w.raw("<supportedVirtualizationTypes><item>hvm</item></supportedVirtualizationTypes>")
		w.flag("bareMetal", false)
		if t.nvme {
			w.el("hypervisor", "nitro")
		} else {
			w.el("hypervisor", "xen")
		}
		w.raw("<processorInfo><supportedArchitectures>")
		w.el("item", t.arch)
		w.raw("</supportedArchitectures></processorInfo><vCpuInfo>")
		w.int("defaultVCpus", t.vcpu)
		w.raw("</vCpuInfo><memoryInfo>")
		w.int("sizeInMiB", t.mib)
		w.raw("</memoryInfo><ebsInfo>")
		w.el("ebsOptimizedSupport", t.ebs)
		w.raw("</ebsInfo>")
		w.flag("hibernationSupported", t.hibernate)
		w.flag("burstablePerformanceSupported", t.burstable)
		w.close("item")
	}
	w.close("instanceTypeSet")
	w.some("nextToken", next)
	return nil
}

// image is a machine image.
type image struct {
	id    string
	name  string
	arch  string
	owner string
	root  string // device name
}

// wellKnownImages exist in every region, so that a client can run an instance
// without making an image first.
func wellKnownImages() map[string]*image {
	m := map[string]*image{}
	for _, i := range []image{
		{"ami-0abcdef1234567890", "al2023-ami-2023.6.20250101.0-kernel-6.1-x86_64", x86, "137112412989", "/dev/xvda"},
		{"ami-0abcdef1234567891", "al2023-ami-2023.6.20250101.0-kernel-6.1-arm64", arm, "137112412989", "/dev/xvda"},
		{"ami-0abcdef1234567892", "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250101", x86, "099720109477", "/dev/sda1"},
		{"ami-0abcdef1234567893", "Windows_Server-2022-English-Full-Base-2025.01.15", x86, "801119661308", "/dev/sda1"},
		{"ami-12345678", "amzn2-ami-hvm-2.0.20180810-x86_64-gp2", x86, "137112412989", "/dev/xvda"},
	} {
		m[i.id] = &i
	}
	return m
}

// Images fleets fall back on, by architecture.
const (
	imageX86 = "ami-0abcdef1234567890"
	imageARM = "ami-0abcdef1234567891"
)

func (i *image) windows() bool { return strings.HasPrefix(i.name, "Windows") }

func (c *Cloud) image(id string) *image {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.images[id]
}

func describeImages(k *call, w *xw) *Error {
	want := k.p.list("ImageId")
	for _, id := range want {
		if e := checkImage(k.c, id); e != nil {
			return e
		}
	}
	if len(want) > 0 && k.p.has("MaxResults") {
		return refuse("InvalidParameterCombination", "The parameter ImageIds cannot be used with the parameter MaxResults")
	}
	fs, e := readFilters(k, func(name string) field[*image] {
		var get func(*image) string
		switch name {
		case "image-id":
			get = func(i *image) string { return i.id }
		case "name":
			get = func(i *image) string { return i.name }
		case "architecture":
			get = func(i *image) string { return i.arch }
		case "owner-id":
			get = func(i *image) string { return i.owner }
		case "state":
			get = func(*image) string { return "available" }
		case "root-device-type":
			get = func(*image) string { return "ebs" }
		default:
			return nil
		}
		return text(get)
	})
	if e != nil {
		return e
	}
	owners := k.p.list("Owner")
	k.c.mu.RLock()
	var found []*image
	for _, i := range k.c.images {
		owned := len(owners) == 0 || slices.Contains(owners, i.owner) || slices.Contains(owners, "amazon") ||
			slices.Contains(owners, "self") && i.owner == k.who.account.id
		if owned && (len(want) == 0 || slices.Contains(want, i.id)) && fs.match(i) {
			found = append(found, i)
		}
	}
	k.c.mu.RUnlock()
	slices.SortFunc(found, func(a, b *image) int { return strings.Compare(a.id, b.id) })
	from, to, next, e := k.window(len(found), 1000, 1, 1000)
	if e != nil {
		return e
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	w.open("imagesSet")
	for _, i := range found[from:to] {
		w.open("item")
		w.el("imageId", i.id)
		w.el("imageLocation", "amazon/"+i.name)
		w.el("imageState", "available")
		w.el("imageOwnerId", i.owner)
		w.flag("isPublic", true)
		w.el("architecture", i.arch)
		w.el("imageType", "machine")
		if i.windows() {
			w.el("platform", "windows")
		}
		w.el("name", i.name)
		w.el("rootDeviceType", "ebs")
		w.el("rootDeviceName", i.root)
		w.el("virtualizationType", "hvm")
		w.el("hypervisor", "xen")
		w.flag("enaSupport", true)
		w.el("creationDate", "2025-01-15T00:00:00.000Z")
		w.close("item")
	}
	w.close("imagesSet")
	w.some("nextToken", next)
	return nil
}

func checkImage(c *Cloud, id string) *Error {
	if !idForm(id, "ami-") {
		return refuse("InvalidAMIID.Malformed", `Invalid id: "%s" (expecting "ami-...")`, id)
	}
	if c.image(id) == nil {
		return refuse("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", id)
	}
	return nil
}

// idForm reports whether s is prefix and 8 or 17 hexadecimal digits.
func idForm(s, prefix string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != 8 && len(rest) != 17 {
		return false
	}
	for i := range len(rest) {
		if c := rest[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func describeRegions(k *call, w *xw) *Error {
	all, e := k.p.boolean("AllRegions", false)
	if e != nil {
		return e
	}
	want := k.p.list("RegionName")
	for _, n := range want {
		if r := regions[n]; r == nil || r.partition != k.who.region.partition {
			return refuse("InvalidParameterValue", "Invalid region: [%s]", n)
		}
	}
	status := func(r *region) string {
		k.c.mu.RLock()
		defer k.c.mu.RUnlock()
		a := k.who.account
		switch {
		case a.disabled[r.name] || r.optIn && !a.optIn[r.name]:
			return "not-opted-in"
		case r.optIn:
			return "opted-in"
		}
		return "opt-in-not-required"
	}
	fs, e := readFilters(k, func(name string) field[*region] {
		switch name {
		case "region-name":
			return text(func(r *region) string { return r.name })
		case "opt-in-status":
			return text(func(r *region) string { return status(r) })
		case "endpoint":
			return text(func(r *region) string { return "ec2." + r.name + "." + r.dnsSuffix() })
		}
		return nil
	})
	if e != nil {
		return e
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	var names []string
	for n, r := range regions {
		if r.partition != k.who.region.partition || len(want) > 0 && !slices.Contains(want, n) || !fs.match(r) ||
			!all && len(want) == 0 && status(r) == "not-opted-in" {
			continue
		}
		names = append(names, n)
	}
	slices.Sort(names)
	w.open("regionInfo")
	for _, n := range names {
		w.open("item")
		w.el("regionName", n)
		w.el("regionEndpoint", "ec2."+n+"."+regions[n].dnsSuffix())
		w.el("optInStatus", status(regions[n]))
		w.close("item")
	}
	w.close("regionInfo")
	return nil
}

func describeZones(k *call, w *xw) *Error {
	r := k.who.region
	if _, e := k.p.boolean("AllAvailabilityZones", false); e != nil { // every zone here is on by default
		return e
	}
	names, ids := k.p.list("ZoneName"), k.p.list("ZoneId")
	for _, n := range names {
		if !r.hasZone(n) {
			return refuse("InvalidParameterValue", "Invalid availability zone: [%s]", n)
		}
	}
	fs, e := readFilters(k, func(name string) field[string] {
		var get func(zone string) string
		switch name {
		case "zone-name":
			get = func(z string) string { return z }
		case "zone-id":
			get = zoneID
		case "region-name":
			get = func(string) string { return r.name }
		case "state":
			get = func(string) string { return "available" }
		case "opt-in-status":
			get = func(string) string { return "opt-in-not-required" }
		case "zone-type":
			get = func(string) string { return "availability-zone" }
		default:
			return nil
		}
		return text(get)
	})
	if e != nil {
		return e
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	w.open("availabilityZoneInfo")
	for _, z := range r.zoneNames() {
		if len(names) > 0 && !slices.Contains(names, z) || len(ids) > 0 && !slices.Contains(ids, zoneID(z)) || !fs.match(z) {
			continue
		}
		w.open("item")
		w.el("zoneName", z)
		w.el("zoneState", "available")
		w.el("regionName", r.name)
		w.raw("<messageSet/>")
		w.el("zoneId", zoneID(z))
		w.el("zoneType", "availability-zone")
		w.el("groupName", r.name)
		w.el("networkBorderGroup", r.name)
		w.el("optInStatus", "opt-in-not-required")
		w.close("item")
	}
	w.close("availabilityZoneInfo")
	return nil
}

// zoneID makes a zone's id in AWS's style (use1-az1 for us-east-1a).
func zoneID(zone string) string {
	parts := strings.Split(zone[:len(zone)-1], "-")
	var short strings.Builder
	short.WriteString(parts[0])
	for _, p := range parts[1 : len(parts)-1] {
		switch p {
		case "northeast", "northwest", "southeast", "southwest":
			short.WriteString(p[:1] + p[5:6])
		default:
			short.WriteString(p[:1])
		}
	}
	return fmt.Sprintf("%s%s-az%d", short.String(), parts[len(parts)-1], zone[len(zone)-1]-'a'+1)
}
