package awssim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// instanceFields are the filters of DescribeInstances with a single value; the
// tag filters are read by instanceField.
var instanceFields = map[string]func(sight) string{
	"architecture":                        func(v sight) string { return v.typ.arch },
	"availability-zone":                   func(v sight) string { return v.zone },
	"capacity-reservation-id":             func(v sight) string { _, in := v.s.c.standing(v.instance); return in },
	"client-token":                        func(v sight) string { return v.token },
	"dns-name":                            func(sight) string { return "" },
	"hibernation-options.configured":      func(v sight) string { return strconv.FormatBool(v.is&hibernates != 0) },
	"hypervisor":                          func(sight) string { return "xen" },
	"block-device-mapping.volume-id":      func(v sight) string { return v.volume() },
	"image-id":                            func(v sight) string { return v.image.id },
	"instance-id":                         func(v sight) string { return v.id },
	"instance-lifecycle":                  func(v sight) string { return v.lifecycle() },
	"instance-state-code":                 func(v sight) string { return strconv.Itoa(stateCodes[v.p.state]) },
	"instance-state-name":                 func(v sight) string { return stateNames[v.p.state] },
	"instance-type":                       func(v sight) string { return v.typ.name },
	"instance.group-id":                   func(v sight) string { return v.site.group },
	"key-name":                            func(v sight) string { return v.key },
	"launch-time":                         func(v sight) string { return instant(v.launched).Format("2006-01-02T15:04:05.000Z") },
	"monitoring-state":                    func(v sight) string { return v.monitoring() },
	"network-interface.availability-zone": func(v sight) string { return v.zone },
	"network-interface.private-dns-name":  func(v sight) string { return v.privateDNS() },
	"network-interface.subnet-id":         func(v sight) string { return v.site.subnet },
	"network-interface.vpc-id":            func(v sight) string { return v.site.vpc },
	"network-interface.addresses.private-ip-address": func(v sight) string { return v.address() },
	"owner-id":                 func(v sight) string { return v.s.account.id },
	"platform":                 func(v sight) string { return v.platform() },
	"private-dns-name":         func(v sight) string { return v.privateDNS() },
	"private-ip-address":       func(v sight) string { return v.address() },
	"reason":                   func(v sight) string { return v.transition() },
	"reservation-id":           func(v sight) string { return v.reservation() },
	"root-device-name":         func(v sight) string { return v.image.root },
	"root-device-type":         func(v sight) string { return v.rootType() },
	"spot-instance-request-id": func(v sight) string { return v.request() },
	"state-reason-code":        func(v sight) string { return v.s.c.reasonAt(v.p.reason).code },
	"subnet-id":                func(v sight) string { return v.site.subnet },
	"tenancy":                  func(sight) string { return "default" },
	"virtualization-type":      func(sight) string { return "hvm" },
	"vpc-id":                   func(v sight) string { return v.site.vpc },
}

func instanceField(name string) field[sight] {
	if f := tagField(name, func(v sight) []Tag { return v.tags }); f != nil {
		return f
	}
	if get := instanceFields[name]; get != nil {
		return text(get)
	}
	return nil
}

func describeInstances(k *call, w *xw) *Error {
	fs, e := readFilters(k, instanceField)
	if e != nil {
		return e
	}
	page, e := k.instancePage(fs, 1000, func(sight) bool { return true })
	if e != nil {
		return e
	}
	defer k.scope.mu.Unlock()
	w.grow(len(page.list) * typicalInstance)
	w.open("reservationSet")
	for n := 0; n < len(page.list); {
		first := page.list[n]
		w.open("item")
		w.el("reservationId", first.reservation())
		w.el("ownerId", k.scope.account.id)
		w.raw("<groupSet/><instancesSet>")
		for ; n < len(page.list) && page.list[n].sameReservation(first); n++ {
			writeInstance(w, page.list[n])
		}
		w.raw("</instancesSet>")
		w.close("item")
	}
	w.close("reservationSet")
	w.some("nextToken", page.next)
	return nil
}

// typicalInstance is the room for one instance in an answer, tags included.
const typicalInstance = 4200

// page is one page of a listing of instances.
type page struct {
	list []sight
	next string
}

// lookup is how a listing takes explicit ids.
type lookup struct {
	param, set string // the parameter's name, and that of AWS's messages
	most       int
	find       func(ids []string) ([]*instance, *Error)
}

func (k *call) instancePage(fs filters[sight], maxIDs int, shows func(sight) bool) (page, *Error) {
	return k.page(fs, lookup{"InstanceId", "instancesSet", maxIDs, func(ids []string) ([]*instance, *Error) { return k.findAll(ids, true) }}, shows)
}

// page selects what a listing of instances, or of what hangs on them, shows: by
// ids or filters, from the cursor on. On success the scope's lock is held, for
// the writer to read on.
func (k *call) page(fs filters[sight], by lookup, shows func(sight) bool) (page, *Error) {
	ids := k.p.list(by.param)
	if len(ids) > 0 && k.p.has("MaxResults") {
		return page{}, refuse("InvalidParameterCombination", "The parameter %s cannot be used with the parameter maxResults", by.set)
	}
	if len(ids) > by.most {
		return page{}, refuse("InvalidParameterValue", "At most %d values of %s can be given in one request, not %d", by.most, by.param, len(ids))
	}
	size, e := k.p.number("MaxResults", 0, 5, 1000)
	if e != nil {
		return page{}, e
	}
	if pc := k.c.opt.PageCap; pc > 0 && (size == 0 || size > pc) && len(ids) == 0 {
		size = pc
	}
	after, e := k.cursor("NextToken")
	if e != nil {
		return page{}, e
	}
	if size > 0 && k.strikes(FaultShortPages, "", "") != nil {
		size = int(hash(k.c.seed, "short", k.log.RequestID) % uint64(size))
	}
	if e := k.dryRun(); e != nil {
		return page{}, e
	}

	k.scope.mu.Lock()
	var list []*instance
	if len(ids) > 0 {
		if list, e = by.find(ids); e != nil {
			k.scope.mu.Unlock()
			return page{}, e
		}
	} else {
		k.scope.sweep(k.ns())
		list = k.scope.instances
		from, _ := k.scope.find(after + 1)
		list = list[from:]
	}
	var p page
	last := after
	paged := k.p.has("MaxResults") || k.c.opt.PageCap > 0
	for _, i := range list {
		v, ok := k.look(i)
		if !ok || !shows(v) || !fs.match(v) {
			continue
		}
		if paged && len(p.list) >= size {
			p.next = k.token("NextToken", last)
			break
		}
		last = i.seq
		p.list = append(p.list, v)
	}
	if k.hasFault(FaultMissing) {
		p.list = slices.DeleteFunc(p.list, func(v sight) bool { return k.strikes(FaultMissing, v.id, v.name()) != nil })
	}
	if k.hasFault(FaultDuplicate) {
		for _, v := range p.list {
			if k.strikes(FaultDuplicate, v.id, v.name()) != nil {
				p.list = append(p.list, v)
			}
		}
	}
	if k.p.has("NextToken") && k.strikes(FaultTokenLoop, "", "") != nil {
		p.next = k.p["NextToken"]
	}
	k.log.Items = len(p.list)
	return p, nil
}

func (i *instance) reservation() string {
	if i.group != 0 {
		return hex17("r-", i.group)
	}
	return "r-" + i.id[2:]
}

func (i *instance) sameReservation(o sight) bool {
	return i.group == o.group && (i.group != 0 || i.id == o.id)
}

func (i *instance) lifecycle() string {
	if i.is&spot != 0 {
		return "spot"
	}
	return ""
}

func (i *instance) monitoring() string {
	if i.is&monitored != 0 {
		return "enabled"
	}
	return "disabled"
}

// volume is its root volume; empty where it has none of EBS.
func (i *instance) volume() string {
	if i.is&(rootMissing|instanceStoreRoot) != 0 {
		return ""
	}
	return "vol-" + i.id[2:]
}

func (i *instance) platform() string {
	if i.image.windows() {
		return "windows"
	}
	return ""
}

func (i *instance) rootType() string {
	if i.is&instanceStoreRoot != 0 {
		return "instance-store"
	}
	return "ebs"
}

func (i *instance) address() string {
	b := make([]byte, 0, len("255.255.255.255"))
	for shift := 24; shift >= 0; shift -= 8 {
		if shift < 24 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(i.ip>>shift&255), 10)
	}
	return string(b)
}

func (v sight) privateDNS() string {
	domain := v.s.region.name + ".compute.internal"
	if v.s.region.name == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(v.address(), ".", "-") + "." + domain
}

// transition is the text AWS shows of why a state was entered.
func (v sight) transition() string {
	if v.p.reason == noReason {
		return ""
	}
	switch v.p.reason {
	case userStop, userHibernate, userTerminate:
		if v.p.at == always {
			return "User initiated"
		}
		return "User initiated (" + instant(v.since()).Format("2006-01-02 15:04:05") + " GMT)"
	}
	return v.s.c.reasonAt(v.p.reason).code
}

// since is when the command behind the present phase was given.
func (v sight) since() int64 {
	at := v.p.at
	for i := range v.line {
		if v.line[i].at <= v.p.at && v.line[i].reason == v.p.reason && v.line[i].at != always {
			at = min(at, v.line[i].at)
		}
	}
	return at
}

// writeInstance writes one instance as AWS shows it. Elements that depend on
// things that are not simulated (public addresses, instance profiles) are left
// out, as AWS leaves out what is not set.
func writeInstance(w *xw, v sight) {
	address, dns, launched := v.address(), v.privateDNS(), instant(v.launched)
	dead := v.p.state == terminated || v.p.state == shuttingDown
	w.open("item")
	w.el("instanceId", v.id)
	w.el("imageId", v.image.id)
	w.open("instanceState")
	writeState(w, v.p.state)
	w.close("instanceState")
	if dead {
		w.raw("<privateDnsName/>")
	} else {
		w.el("privateDnsName", dns)
	}
	w.raw("<dnsName/>")
	w.el("reason", v.transition())
	w.some("keyName", v.key)
	w.int("amiLaunchIndex", int(v.index))
	w.raw("<productCodes/>")
	w.el("instanceType", v.typ.name)
	w.time("launchTime", launched)
	w.raw("<placement>")
	w.el("availabilityZone", v.zone)
	w.raw("<groupName/><tenancy>default</tenancy></placement>")
	w.some("platform", v.platform())
	w.raw("<monitoring>")
	w.el("state", v.monitoring())
	w.raw("</monitoring>")
	if !dead {
		w.el("subnetId", v.site.subnet)
		w.el("vpcId", v.site.vpc)
		w.el("privateIpAddress", address)
		w.raw("<sourceDestCheck>true</sourceDestCheck><groupSet><item>")
		w.el("groupId", v.site.group)
		w.raw("<groupName>default</groupName></item></groupSet>")
	}
	if v.p.reason != noReason {
		r := v.s.c.reasonAt(v.p.reason)
		w.raw("<stateReason>")
		w.el("code", r.code)
		w.el("message", r.message)
		w.raw("</stateReason>")
	}
	w.el("architecture", v.typ.arch)
	w.el("rootDeviceType", v.rootType())
	w.el("rootDeviceName", v.image.root)
	w.raw("<blockDeviceMapping>")
	if !dead && v.volume() != "" {
		w.raw("<item>")
		w.el("deviceName", v.image.root)
		w.raw("<ebs>")
		w.el("volumeId", v.volume())
		w.raw("<status>attached</status>")
		w.time("attachTime", launched)
		w.raw("<deleteOnTermination>true</deleteOnTermination></ebs></item>")
	}
	w.raw("</blockDeviceMapping><virtualizationType>hvm</virtualizationType>")
	w.some("instanceLifecycle", v.lifecycle())
	w.some("spotInstanceRequestId", v.request())
	w.el("clientToken", v.token)
	writeTags(w, v.tags)
	w.raw("<hypervisor>xen</hypervisor>")
	if !dead {
		w.raw("<networkInterfaceSet><item>")
		w.el("networkInterfaceId", "eni-"+v.id[2:])
		w.el("subnetId", v.site.subnet)
		w.el("vpcId", v.site.vpc)
		w.raw("<description/>")
		w.el("ownerId", v.s.account.id)
		w.raw("<status>in-use</status>")
		w.raw("<macAddress>0a:ff")
		for shift := 24; shift >= 0; shift -= 8 {
			*w = append(*w, ':', hexDigits[v.ip>>shift>>4&15], hexDigits[v.ip>>shift&15])
		}
		w.close("macAddress")
		w.el("privateIpAddress", address)
		w.el("privateDnsName", dns)
		w.raw("<sourceDestCheck>true</sourceDestCheck><groupSet><item>")
		w.el("groupId", v.site.group)
		w.raw("<groupName>default</groupName></item></groupSet><attachment>")
		w.el("attachmentId", "eni-attach-"+v.id[2:])
		w.raw("<deviceIndex>0</deviceIndex><status>attached</status>")
		w.time("attachTime", launched)
		w.raw("<deleteOnTermination>true</deleteOnTermination><networkCardIndex>0</networkCardIndex></attachment><privateIpAddressesSet><item>")
		w.el("privateIpAddress", address)
		w.el("privateDnsName", dns)
		w.raw("<primary>true</primary></item></privateIpAddressesSet><ipv6AddressesSet/><interfaceType>interface</interfaceType></item></networkInterfaceSet>")
	}
	w.flag("ebsOptimized", v.is&ebsOptimized != 0)
	w.flag("enaSupport", v.typ.nvme)
	w.raw("<cpuOptions>")
	w.int("coreCount", max(1, v.typ.vcpu/2))
	w.int("threadsPerCore", min(2, v.typ.vcpu))
	w.raw("</cpuOptions>")
	v.writeReservation(w)
	w.raw("<hibernationOptions>")
	w.flag("configured", v.is&hibernates != 0)
	w.raw("</hibernationOptions><enclaveOptions><enabled>false</enabled></enclaveOptions><metadataOptions><state>applied</state><httpTokens>required</httpTokens>" +
		"<httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint><httpProtocolIpv6>disabled</httpProtocolIpv6>" +
		"<instanceMetadataTags>disabled</instanceMetadataTags></metadataOptions>")
	if v.platform() == "" {
		w.raw("<platformDetails>Linux/UNIX</platformDetails><usageOperation>RunInstances</usageOperation>")
	} else {
		w.raw("<platformDetails>Windows</platformDetails><usageOperation>RunInstances:0002</usageOperation>")
	}
	w.raw("<maintenanceOptions><autoRecovery>default</autoRecovery></maintenanceOptions><currentInstanceBootMode>legacy-bios</currentInstanceBootMode>")
	w.close("item")
}

const hexDigits = "0123456789abcdef"

// maxStatusIDs is AWS's bound on explicit ids of DescribeInstanceStatus.
const maxStatusIDs = 100

func describeInstanceStatus(k *call, w *xw) *Error {
	all, e := k.p.boolean("IncludeAllInstances", false)
	if e != nil {
		return e
	}
	impaired := map[string]bool{} // a fault strikes an instance once in a call
	checks := func(v sight, what string) string {
		status := v.checks()
		if what == "systemStatus" || v.p.state != running {
			return status
		}
		struck, known := impaired[v.id]
		if !known {
			struck = k.strikes(FaultImpaired, v.id, v.name()) != nil
			impaired[v.id] = struck
		}
		if struck {
			return "impaired"
		}
		return status
	}
	fs, e := readFilters(k, func(name string) field[sight] {
		what, sort, _ := strings.Cut(name, "-status.")
		switch {
		case name == "availability-zone" || name == "instance-state-code" || name == "instance-state-name":
			return text(instanceFields[name])
		case what != "instance" && what != "system":
			return nil
		case sort == "status":
			return text(func(v sight) string { return checks(v, what+"Status") })
		case sort == "reachability":
			return text(func(v sight) string { return reachability[checks(v, what+"Status")] })
		}
		return nil
	})
	if e != nil {
		return e
	}
	page, e := k.instancePage(fs, maxStatusIDs, func(v sight) bool { return all || v.p.state == running })
	if e != nil {
		return e
	}
	defer k.scope.mu.Unlock()
	w.open("instanceStatusSet")
	for _, v := range page.list {
		w.open("item")
		w.el("instanceId", v.id)
		w.el("availabilityZone", v.zone)
		w.open("instanceState")
		writeState(w, v.p.state)
		w.close("instanceState")
		for _, what := range []string{"systemStatus", "instanceStatus"} {
			status := checks(v, what)
			w.open(what)
			w.el("status", status)
			if r := reachability[status]; r != "" {
				w.raw("<details><item><name>reachability</name>")
				w.el("status", r)
				if status == "impaired" && v.p.at != always {
					w.el("impairedSince", instant(v.p.at).Format(time.RFC3339))
				}
				w.raw("</item></details>")
			}
			w.close(what)
		}
		w.close("item")
	}
	w.close("instanceStatusSet")
	w.some("nextToken", page.next)
	return nil
}

var reachability = map[string]string{"ok": "passed", "impaired": "failed", "initializing": "initializing"}

// checks is the result of the status checks: they need minutes after the
// instance runs.
func (v sight) checks() string {
	switch {
	case v.p.state != running && v.p.state != pending:
		return "not-applicable"
	case v.p.state == pending:
		return "initializing"
	case v.p.at != always && v.at < v.p.at+v.s.c.lasts("ec2-initializing", v.id, v.p.at):
		return "initializing"
	}
	return "ok"
}
