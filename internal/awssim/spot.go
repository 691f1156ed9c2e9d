package awssim

import (
	"strconv"
	"strings"
)

// A Spot request is not kept beside its instance: id, type and state are read
// off the instance, and it is listed as long as the instance is. AWS keeps the
// requests of terminated instances longer, and opens a persistent one again.

// requestDigits is the length of a request's id after sir-, in digits and small letters.
const requestDigits = 8

// request is the id of the instance's Spot request; empty for other instances.
func (i *instance) request() string {
	if i.is&spot == 0 {
		return ""
	}
	const all = 36 * 36 * 36 * 36 * 36 * 36 * 36 * 36
	digits := strconv.FormatUint(hash(0, "spot", i.id)%all, 36)
	return "sir-" + strings.Repeat("0", requestDigits-len(digits)) + digits
}

func requestForm(s string) bool {
	rest, ok := strings.CutPrefix(s, "sir-")
	return ok && len(rest) == requestDigits && !strings.ContainsFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

func (i *instance) requestType() string {
	if i.is&spotPersistent != 0 {
		return "persistent"
	}
	return "one-time"
}

func (i *instance) interruption() string {
	switch {
	case i.is&interruptionStops != 0:
		return "stop"
	case i.is&interruptionHibernates != 0:
		return "hibernate"
	}
	return "terminate"
}

func (i *instance) product() string {
	if i.image.windows() {
		return "Windows"
	}
	return "Linux/UNIX"
}

// spotStatus is what AWS says of a Spot request.
type spotStatus struct{ state, code, message string }

// requestStatus follows AWS's table of codes by the state of request and instance.
func (v sight) requestStatus() spotStatus {
	switch {
	case v.p.state == stopped:
		return spotStatus{"disabled", "instance-stopped-by-user", "The Spot Instance was stopped by its user."}
	case v.p.state != terminated:
		return spotStatus{"active", "fulfilled", "The Spot request is fulfilled."}
	case v.p.reason != userTerminate:
		return spotStatus{"closed", "system-error", "The launch failed: " + v.s.c.reasonAt(v.p.reason).message}
	case v.is&spotPersistent != 0:
		return spotStatus{"open", "instance-terminated-by-user", "The Spot Instance was terminated by its user."}
	}
	return spotStatus{"closed", "instance-terminated-by-user", "The Spot Instance was terminated by its user."}
}

// fulfilledBy is the id of the request's instance; an open request has none.
func (v sight) fulfilledBy() string {
	if v.requestStatus().state == "open" {
		return ""
	}
	return v.id
}

// requestFields are the filters of DescribeSpotInstanceRequests. Tags of
// requests are not modelled, so their filters are refused.
var requestFields = map[string]func(sight) string{
	"create-time":                func(v sight) string { return instant(v.launched).Format("2006-01-02T15:04:05.000Z") },
	"instance-id":                sight.fulfilledBy,
	"launch.group-id":            func(v sight) string { return v.site.group },
	"launch.image-id":            func(v sight) string { return v.image.id },
	"launch.instance-type":       func(v sight) string { return v.typ.name },
	"launch.key-name":            func(v sight) string { return v.key },
	"launched-availability-zone": func(v sight) string { return v.zone },
	"product-description":        func(v sight) string { return v.product() },
	"spot-instance-request-id":   func(v sight) string { return v.request() },
	"state":                      func(v sight) string { return v.requestStatus().state },
	"status-code":                func(v sight) string { return v.requestStatus().code },
	"type":                       func(v sight) string { return v.requestType() },
}

// maxRequestIDs bounds explicit ids as those of instances are.
const maxRequestIDs = 1000

func describeSpotInstanceRequests(k *call, w *xw) *Error {
	fs, e := readFilters(k, func(name string) field[sight] {
		if get := requestFields[name]; get != nil {
			return text(get)
		}
		return nil
	})
	if e != nil {
		return e
	}
	page, e := k.page(fs, lookup{"SpotInstanceRequestId", "spotInstanceRequestIdSet", maxRequestIDs, k.findRequests}, func(v sight) bool { return v.is&spot != 0 })
	if e != nil {
		return e
	}
	defer k.scope.mu.Unlock()
	w.open("spotInstanceRequestSet")
	for _, v := range page.list {
		writeRequest(w, v)
	}
	w.close("spotInstanceRequestSet")
	w.some("nextToken", page.next)
	return nil
}

// findRequests finds the instances of Spot requests by the requests' ids, all
// or none. The scope's lock is held.
func (k *call) findRequests(ids []string) ([]*instance, *Error) {
	wanted := make(map[string]*instance, len(ids))
	for _, id := range ids {
		if !requestForm(id) {
			return nil, refuse("InvalidSpotInstanceRequestID.Malformed", `Invalid id: "%s" (expecting "sir-...")`, id)
		}
		wanted[id] = nil
	}
	k.scope.sweep(k.ns())
	for _, i := range k.scope.instances {
		if i.is&spot == 0 {
			continue
		}
		if _, asked := wanted[i.request()]; !asked {
			continue
		}
		if _, visible := k.look(i); visible {
			wanted[i.request()] = i
		}
	}
	var unknown []string
	out := make([]*instance, 0, len(wanted))
	for _, id := range ids {
		switch i, asked := wanted[id]; {
		case !asked: // a second time
		case i == nil:
			unknown = append(unknown, id)
		default:
			out = append(out, i)
		}
		delete(wanted, id)
	}
	switch len(unknown) {
	case 0:
		return out, nil
	case 1:
		return nil, refuse("InvalidSpotInstanceRequestID.NotFound", "The spot instance request ID '%s' does not exist", unknown[0])
	}
	return nil, refuse("InvalidSpotInstanceRequestID.NotFound", "The spot instance request IDs '%s' do not exist", strings.Join(unknown, ", "))
}

// writeRequest writes one Spot request as AWS shows it, but for its price.
func writeRequest(w *xw, v sight) {
	status, launched := v.requestStatus(), instant(v.launched)
	w.open("item")
	w.el("spotInstanceRequestId", v.request())
	w.el("type", v.requestType())
	w.el("state", status.state)
	w.open("status")
	w.el("code", status.code)
	w.time("updateTime", instant(max(v.launched, v.p.at)))
	w.el("message", status.message)
	w.close("status")
	w.open("launchSpecification")
	w.el("imageId", v.image.id)
	w.some("keyName", v.key)
	w.raw("<groupSet><item>")
	w.el("groupId", v.site.group)
	w.raw("<groupName>default</groupName></item></groupSet>")
	w.el("instanceType", v.typ.name)
	w.open("placement")
	w.el("availabilityZone", v.zone)
	w.close("placement")
	w.open("monitoring")
	w.flag("enabled", v.is&monitored != 0)
	w.close("monitoring")
	w.flag("ebsOptimized", v.is&ebsOptimized != 0)
	w.el("subnetId", v.site.subnet)
	w.close("launchSpecification")
	w.some("instanceId", v.fulfilledBy())
	w.time("createTime", launched)
	w.time("validFrom", launched)
	w.el("productDescription", v.product())
	w.el("launchedAvailabilityZone", v.zone)
	w.el("instanceInterruptionBehavior", v.interruption())
	w.close("item")
}
