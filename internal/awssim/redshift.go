package awssim

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// redshiftService is the row of Redshift.
func redshiftService() *service {
	const named = "ClusterIdentifier"
	return &service{
		name: "redshift", version: "2012-12-01", protocol: awsQuery,
		namespace: "http://redshift.amazonaws.com/doc/2012-12-01/",
		words:     map[string]string{"TagLimitExceeded": "TagLimitExceededFault"},
		actions: map[string]*action{
			"DescribeClusters": does(read, named+" MaxRecords Marker TagKeys.N TagValues.N", named, describeWarehouses),
			"PauseCluster":     does(write, named, named, onWarehouse(pauseWarehouse)),
			"ResumeCluster":    does(write, named, named, onWarehouse(resumeWarehouse)),
			"CreateTags":       does(write, "ResourceName Tags.N.Key Tags.N.Value", "ResourceName", createWarehouseTags),
			"DeleteTags":       does(write, "ResourceName TagKeys.N", "ResourceName", deleteWarehouseTags),
		},
	}
}

// States of a Redshift cluster, in the order of warehouseStates.
const (
	whAvailable uint8 = iota
	whPaused
	whPausing
	whResuming
)

var warehouseStates = [...]string{"available", "paused", "pausing", "resuming"}

// warehouse is a Redshift cluster.
type warehouse struct {
	id        string
	node      string
	zone      string
	vpc       string // empty: the scope's own
	window    string
	created   int64
	hsm       bool
	multiAZ   bool
	snapshots bool // automated ones are taken
	tags      []Tag
	line      timeline
	old       *lateView
	startErr  string
}

func (h *warehouse) state(t int64) uint8 { return h.line.when(t).state }

// warehouseNodes is how many nodes every cluster has. Of a paused one Redshift says 1.
const warehouseNodes = 2

func (s *scope) warehouseARN(id string) string {
	return fmt.Sprintf("arn:%s:redshift:%s:%s:cluster:%s", s.region.partition, s.region.name, s.account.id, id)
}

// warehouse finds a cluster by identifier, which is case-sensitive here; the scope's lock is held.
func (s *scope) warehouse(id string) *warehouse {
	i, found := slices.BinarySearchFunc(s.warehouses, id, func(h *warehouse, id string) int { return strings.Compare(h.id, id) })
	if !found {
		return nil
	}
	return s.warehouses[i]
}

// addWarehouse lists a cluster in order of identifiers; the scope's lock is held.
func (s *scope) addWarehouse(h *warehouse) {
	i, _ := slices.BinarySearchFunc(s.warehouses, h.id, func(o *warehouse, id string) int { return strings.Compare(o.id, id) })
	s.warehouses = slices.Insert(s.warehouses, i, h)
}

// onWarehouse makes an action of what is done to the cluster that a request
// names: it is found, and the scope's lock is held.
func onWarehouse(run func(k *call, h *warehouse, now int64) *Error) func(*call, *xw) *Error {
	return func(k *call, w *xw) *Error {
		if e := k.p.need("ClusterIdentifier"); e != nil {
			return e
		}
		k.scope.mu.Lock()
		defer k.scope.mu.Unlock()
		h := k.scope.warehouse(k.p["ClusterIdentifier"])
		if h == nil {
			return refuse("ClusterNotFound", "Cluster %s not found.", k.p["ClusterIdentifier"])
		}
		now := k.ns()
		if e := run(k, h, now); e != nil {
			return e
		}
		k.writeWarehouse(w, h, now)
		return nil
	}
}

// pauseWarehouse takes a cluster down, once its snapshot is there.
//
// Source: "Pausing and resuming clusters" and "Limitations" of Multi-AZ
// deployments in Redshift's management guide.
func pauseWarehouse(k *call, h *warehouse, now int64) *Error {
	switch {
	case h.hsm:
		return refuse("UnsupportedOperation", "Cluster %s uses a hardware security module and cannot be paused.", h.id)
	case h.multiAZ:
		return refuse("UnsupportedOperation", "Cluster %s is a Multi-AZ deployment and cannot be paused.", h.id)
	case !h.snapshots:
		return refuse("UnsupportedOperation", "Cluster %s has automated snapshots turned off and cannot be paused.", h.id)
	case h.state(now) != whAvailable:
		return refuse("InvalidClusterState", "Cluster %s is %s; only an available cluster can be paused.", h.id, warehouseStates[h.state(now)])
	}
	h.line.turn(now, phase{at: now, state: whPausing}, phase{at: now + k.c.lasts("redshift-pausing", h.id, now), state: whPaused})
	return nil
}

func resumeWarehouse(k *call, h *warehouse, now int64) *Error {
	if h.state(now) != whPaused {
		return refuse("InvalidClusterState", "Cluster %s is %s; only a paused cluster can be resumed.", h.id, warehouseStates[h.state(now)])
	}
	if f := k.strikes(FaultCannotStart, h.id, ""); f != nil {
		return refuse(cmp.Or(f.Code, "InsufficientClusterCapacity"), "%s", cmp.Or(f.Message, "There is not enough capacity for cluster "+h.id+"."))
	}
	up := phase{at: now + k.c.lasts("redshift-resuming", h.id, now), state: whAvailable}
	if f := k.strikes(FaultFallBack, h.id, ""); f != nil {
		up.state = whPaused
	} else if h.startErr != "" {
		return refuse(h.startErr, "Cluster %s cannot be resumed.", h.id)
	}
	h.line.turn(now, phase{at: now, state: whResuming}, up)
	return nil
}

func describeWarehouses(k *call, w *xw) *Error {
	s := k.scope
	id, named := k.p["ClusterIdentifier"]
	if named && k.p.has("Marker") {
		return refuse("InvalidParameterCombination", "ClusterIdentifier and Marker cannot be given together.")
	}
	keys, values := k.p.list("TagKeys"), k.p.list("TagValues")
	s.mu.Lock()
	defer s.mu.Unlock()
	if named && s.warehouse(id) == nil {
		return refuse("ClusterNotFound", "Cluster %s not found.", id)
	}
	var found []*warehouse
	seen := map[*warehouse]int64{}
	for _, h := range s.warehouses {
		seen[h] = k.seen(h.id, h.line, h.old)
		tags := h.seenTags(seen[h])
		fits := func(want []string, of func(Tag) string) bool {
			return len(want) == 0 || slices.ContainsFunc(tags, func(t Tag) bool { return slices.Contains(want, of(t)) })
		}
		if (!named || h.id == id) && h.line.when(seen[h]) != nil && fits(keys, func(t Tag) string { return t.Key }) && fits(values, func(t Tag) string { return t.Value }) {
			found = append(found, h)
		}
	}
	list, next, e := dbPage(k, found, func(h *warehouse) string { return h.id })
	if e != nil {
		return e
	}
	w.some("Marker", next)
	w.open("Clusters")
	for _, h := range list {
		if k.strikes(FaultMissing, h.id, "") != nil {
			continue
		}
		k.writeWarehouse(w, h, seen[h])
		k.log.Items++
		if k.strikes(FaultDuplicate, h.id, "") != nil {
			k.writeWarehouse(w, h, seen[h])
		}
	}
	w.close("Clusters")
	return nil
}

// seenTags are the tags that the listing of an instant shows.
func (h *warehouse) seenTags(t int64) []Tag {
	if h.old != nil && t < h.old.until {
		return h.old.tags
	}
	return h.tags
}

// writeWarehouse writes a cluster as the listing of instant t shows it.
func (k *call) writeWarehouse(w *xw, h *warehouse, t int64) {
	s := k.scope
	state := h.state(t)
	available, nodes := "Unavailable", warehouseNodes
	if state == whAvailable {
		available = "Available"
	}
	if state == whPaused {
		nodes = 1
	}
	w.open("Cluster")
	w.el("ClusterIdentifier", h.id)
	w.el("NodeType", h.node)
	w.el("ClusterStatus", warehouseStates[state])
	w.el("ClusterAvailabilityStatus", available)
	w.el("MasterUsername", "admin")
	w.el("DBName", "dev")
	w.raw("<Endpoint>")
	w.el("Address", fmt.Sprintf("%s.%012x.%s.redshift.%s", h.id, hash(s.c.seed, "warehouse", s.account.id, s.region.name)&0xffffffffffff, s.region.name, s.region.dnsSuffix()))
	w.int("Port", 5439)
	w.raw("</Endpoint>")
	w.time("ClusterCreateTime", instant(h.created))
	retention := 1
	if !h.snapshots {
		retention = 0
	}
	w.int("AutomatedSnapshotRetentionPeriod", retention)
	w.el("VpcId", cmp.Or(h.vpc, s.net.vpc))
	w.el("AvailabilityZone", h.zone)
	w.el("PreferredMaintenanceWindow", h.window)
	w.el("ClusterVersion", "1.0")
	w.raw("<AllowVersionUpgrade>true</AllowVersionUpgrade><PendingModifiedValues/>")
	w.int("NumberOfNodes", nodes)
	w.raw("<PubliclyAccessible>false</PubliclyAccessible><Encrypted>true</Encrypted>")
	if h.hsm {
		w.raw("<HsmStatus>")
		w.el("HsmClientCertificateIdentifier", h.id+"-certificate")
		w.el("HsmConfigurationIdentifier", h.id+"-hsm")
		w.raw("<Status>active</Status></HsmStatus>")
	}
	if h.multiAZ {
		w.el("MultiAZ", "Enabled")
	} else {
		w.el("MultiAZ", "Disabled")
	}
	w.open("Tags")
	for _, tag := range h.seenTags(t) {
		w.open("Tag")
		w.el("Key", tag.Key)
		w.el("Value", tag.Value)
		w.close("Tag")
	}
	w.close("Tags")
	w.close("Cluster")
}

// taggedWarehouse finds the cluster that an ARN names; the scope's lock is held.
func (k *call) taggedWarehouse() (*warehouse, *Error) {
	if e := k.p.need("ResourceName"); e != nil {
		return nil, e
	}
	if id, ok := strings.CutPrefix(k.p["ResourceName"], k.scope.warehouseARN("")); ok {
		if h := k.scope.warehouse(id); h != nil {
			return h, nil
		}
	}
	return nil, refuse("ResourceNotFoundFault", "Resource not found: %s", k.p["ResourceName"])
}

func createWarehouseTags(k *call, _ *xw) *Error {
	set, e := k.readTags("Tags")
	if e != nil {
		return refuse("InvalidTagFault", "%s", e.Message)
	}
	if len(set) == 0 {
		return refuse("MissingParameter", "The request must contain the parameter Tags")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	h, e := k.taggedWarehouse()
	if e != nil {
		return e
	}
	merged, e := mergeTags(h.tags, set)
	if e != nil {
		return e
	}
	h.old = &lateView{until: k.ns(), tags: h.tags}
	h.tags = merged
	return nil
}

func deleteWarehouseTags(k *call, _ *xw) *Error {
	keys := k.p.list("TagKeys")
	if len(keys) == 0 {
		return refuse("MissingParameter", "The request must contain the parameter TagKeys")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	h, e := k.taggedWarehouse()
	if e != nil {
		return e
	}
	h.old = &lateView{until: k.ns(), tags: h.tags}
	h.tags = slices.DeleteFunc(slices.Clone(h.tags), func(t Tag) bool { return slices.Contains(keys, t.Key) })
	return nil
}

var (
	// warehouseForm is AWS's form of identifiers: lowercase, a letter first, no hyphen at the end and no two in a row.
	warehouseForm = regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`)
	nodeTypeForm  = regexp.MustCompile(`^[a-z]+[0-9]+\.[a-z0-9]+$`)
)

// ofWarehouses are the fields that belong to Redshift clusters alone.
func (r *Resource) ofWarehouses() []stray {
	return []stray{{"hsm", r.HSM}, {"snapshots_off", r.SnapshotsOff}}
}

// ofMachines are the fields that belong to EC2 instances alone.
func (r *Resource) ofMachines() []stray {
	return []stray{
		{"image", r.Image != ""},
		{"key", r.Key != ""},
		{"spot", r.Spot != ""},
		{"root", r.Root != ""},
		{"asg", r.ASG != ""},
		{"hibernation", r.Hibernation},
		{"ebs_optimized", r.EBSOptimized},
		{"disable_api_stop", r.DisableStop},
		{"terminate_on_shutdown", r.TerminateOnShutdown},
		{"disable_api_termination", r.DisableTermination},
		{"subnet", r.Subnet != ""},
		{"private_ip", r.PrivateIP != ""},
	}
}

// checkWarehouse refuses what is not a Redshift cluster.
func (r *Resource) checkWarehouse(bad func(field, format string, args ...any)) {
	id := cmp.Or(r.ID, r.Name)
	if name := r.numbered(id, 1); len(name) > 63 || !warehouseForm.MatchString(name) {
		bad("id", "%q is not an identifier of a Redshift cluster: 1 to 63 lowercase letters, digits and single hyphens, a letter first", id)
	} else if r.Count > 1 && name == r.numbered(id, 2) {
		bad("count", "%d clusters cannot have one identifier: put # into it", r.Count)
	}
	if r.Type != "" && !nodeTypeForm.MatchString(r.Type) {
		bad("type", "%q is not a node type, such as ra3.xlplus", r.Type)
	}
	if r.Window != "" && !dbWindowForm.MatchString(r.Window) {
		bad("maintenance_window", "%q: write ddd:hh:mm-ddd:hh:mm in UTC, such as sun:18:00-sun:18:30", r.Window)
	}
	if r.State == "paused" && (r.HSM || r.MultiAZ || r.SnapshotsOff) {
		bad("state", "a cluster with HSM, in several zones or without automated snapshots is never paused")
	}
}

// warehouseOf makes the nth copy of an entry.
func (c *Cloud) warehouseOf(s *scope, r *Resource, n int, tags []Tag, now int64) *warehouse {
	h := &warehouse{
		id: r.numbered(cmp.Or(r.ID, r.Name), n+1), node: cmp.Or(r.Type, "ra3.xlplus"), zone: r.Zone, vpc: r.VPC, created: c.launchedAt(r.Launched, now),
		hsm: r.HSM, multiAZ: r.MultiAZ, snapshots: !r.SnapshotsOff, tags: tags, startErr: r.StartError, line: timeline{{at: always, state: whAvailable}},
	}
	if h.zone == "" {
		zones := s.region.zoneNames()
		h.zone = zones[hash(c.seed, "warehouse zone", s.account.id, h.id)%uint64(len(zones))]
	}
	h.window, _ = c.windowsOf(s, "warehouse", h.id, r.Window, "")
	if r.State == "paused" {
		h.line[0].state = whPaused
	}
	return h
}

func (s *scope) describeWarehouse(h *warehouse) Resource {
	r := Resource{
		Account: s.account.id, Region: s.region.name, Kind: "redshift", ID: h.id, Type: h.node, Zone: h.zone, VPC: h.vpc, Window: h.window, State: "available",
		HSM: h.hsm, MultiAZ: h.multiAZ, SnapshotsOff: !h.snapshots, StartError: h.startErr, Launched: When{At: instant(h.created)}, Tags: tagMap(h.tags),
	}
	if last := h.line[len(h.line)-1].state; last == whPaused {
		r.State = "paused"
	}
	return r
}

// Warehouse is the true state of a Redshift cluster.
type Warehouse struct {
	ID, ARN, Account, Region string
	NodeType, State          string
	Tags                     map[string]string
}

// Warehouses gives the Redshift clusters of an account and region in order of
// their identifiers; an empty account or region means all.
func (c *Cloud) Warehouses(account, region string) []Warehouse {
	var out []Warehouse
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		for _, h := range s.warehouses {
			out = append(out, Warehouse{
				ID: h.id, ARN: s.warehouseARN(h.id), Account: s.account.id, Region: s.region.name, NodeType: h.node, State: warehouseStates[h.state(now)], Tags: tagMap(h.tags),
			})
		}
		s.mu.Unlock()
	}
	return out
}
