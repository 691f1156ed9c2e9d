package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// cluster is a DB cluster: Aurora, Neptune, DocumentDB, or with an engine of
// single instances a Multi-AZ DB cluster. Its members are databases that name it.
type cluster struct {
	id        string
	engine    *engine
	version   string
	class     string // of a Multi-AZ DB cluster; empty for others, whose members have their own
	mode      string // provisioned, serverless …
	global    string // the global database it is part of
	source    string // of a replica of another cluster
	vpc       string // empty: the scope's own
	window    string
	backup    string
	created   int64
	protected bool
	tags      []Tag
	line      timeline
	old       *lateView
	startErr  string
}

func (cl *cluster) state(t int64) uint8 { return cl.line.when(t).state }

// multiAZ reports a Multi-AZ DB cluster.
func (cl *cluster) multiAZ() bool { return !cl.engine.cluster }

// clusterEngine reports whether an engine comes in clusters: of those for single instances, two have Multi-AZ DB clusters.
func clusterEngine(e *engine) bool { return e.cluster || e.name == "mysql" || e.name == "postgres" }

// clusterMembers gives the members of a cluster, the writer first; the scope's lock is held.
func (s *scope) clusterMembers(cl *cluster, now int64) []*database {
	var out []*database
	for _, d := range s.dbs {
		if d.cluster == cl.id && d.state(now) != dbGone {
			out = append(out, d)
		}
	}
	return out
}

// addCluster lists a cluster in order of identifiers; the scope's lock is held.
func (s *scope) addCluster(cl *cluster) {
	i, _ := slices.BinarySearchFunc(s.clusters, cl.id, func(o *cluster, id string) int { return strings.Compare(o.id, id) })
	s.clusters = slices.Insert(s.clusters, i, cl)
}

func (s *scope) clusterByID(id string) *cluster {
	i, found := slices.BinarySearchFunc(s.clusters, id, func(o *cluster, id string) int { return strings.Compare(o.id, id) })
	if !found {
		return nil
	}
	return s.clusters[i]
}

// findCluster finds a cluster by identifier or ARN; the scope's lock is held.
func (k *call) findCluster(id string) (*cluster, *Error) {
	if id == "" {
		return nil, refuse("MissingParameter", "The request must contain the parameter DBClusterIdentifier")
	}
	cl := k.scope.clusterByID(strings.ToLower(strings.TrimPrefix(id, k.scope.dbARN("cluster", ""))))
	if cl == nil {
		return nil, refuse("DBClusterNotFoundFault", "DBCluster %s not found.", id)
	}
	return cl, nil
}

func invalidCluster(format string, args ...any) *Error {
	return refuse("InvalidDBClusterStateFault", format, args...)
}

func (cl *cluster) expect(now int64, want uint8) *Error {
	if is := cl.state(now); is != want {
		return invalidCluster("DbCluster %s is in %s state but expected it to be one of %s.", cl.id, dbStateNames[is], dbStateNames[want])
	}
	return nil
}

// whole says why RDS does not start or stop the cluster, nil when it does.
//
// Source: "Limitations for stopping and starting Aurora DB clusters" of the
// Aurora guide, "Limitations of Multi-AZ DB clusters" of the RDS guide.
func (s *scope) whole(cl *cluster, verb string, now int64) *Error {
	switch {
	case cl.mode == "serverless":
		return invalidCluster("Cannot %s DB cluster %s: Aurora Serverless v1 DB clusters cannot be stopped or started.", verb, cl.id)
	case cl.global != "":
		return invalidCluster("Cannot %s DB cluster %s: it is part of the global cluster %s.", verb, cl.id, cl.global)
	case cl.source != "":
		return invalidCluster("Cannot %s DB cluster %s: it is a replica of %s.", verb, cl.id, cl.source)
	case len(s.clusterReplicas(cl)) > 0:
		return invalidCluster("Cannot %s DB cluster %s: it has replicas.", verb, cl.id)
	case cl.multiAZ():
		return invalidCluster("Cannot %s DB cluster %s: Multi-AZ DB clusters cannot be stopped or started.", verb, cl.id)
	case len(s.clusterMembers(cl, now)) == 0:
		return invalidCluster("Cannot %s DB cluster %s: it has no instances.", verb, cl.id)
	}
	return nil
}

func (s *scope) clusterReplicas(cl *cluster) []string {
	var out []string
	for _, o := range s.clusters {
		if o.source == cl.id || o.source == s.dbARN("cluster", cl.id) {
			out = append(out, s.dbARN("cluster", o.id))
		}
	}
	return out
}

// onCluster makes an action of what is done to the cluster that a request
// names: it is found, and the scope's lock is held.
func onCluster(run func(k *call, w *xw, cl *cluster, now int64) *Error) func(*call, *xw) *Error {
	return func(k *call, w *xw) *Error {
		k.scope.mu.Lock()
		defer k.scope.mu.Unlock()
		cl, e := k.findCluster(k.p["DBClusterIdentifier"])
		if e != nil {
			return e
		}
		now := k.ns()
		if e := run(k, w, cl, now); e != nil {
			return e
		}
		k.writeCluster(w, cl, now)
		return nil
	}
}

func startDBCluster(k *call, _ *xw, cl *cluster, now int64) *Error {
	if e := k.scope.whole(cl, "start", now); e != nil {
		return e
	}
	if e := cl.expect(now, dbStopped); e != nil {
		return e
	}
	if f := k.strikes(FaultCannotStart, cl.id, ""); f != nil {
		return refuse(cmp.Or(f.Code, "InvalidDBClusterStateFault"), "%s", cmp.Or(f.Message, fmt.Sprintf("DbCluster %s cannot be started.", cl.id)))
	}
	if f := k.strikes(FaultFallBack, cl.id, ""); f != nil {
		k.c.fallBackCluster(k.scope, cl, now)
	} else if cl.startErr != "" {
		return refuse(cl.startErr, "DB cluster %s cannot be started.", cl.id)
	} else {
		k.c.startCluster(k.scope, cl, now)
	}
	return nil
}

func stopDBCluster(k *call, _ *xw, cl *cluster, now int64) *Error {
	if e := k.scope.whole(cl, "stop", now); e != nil {
		return e
	}
	if e := cl.expect(now, dbAvailable); e != nil {
		return e
	}
	for _, d := range k.scope.clusterMembers(cl, now) {
		if d.state(now) != dbAvailable {
			return invalidState("Instance %s is not in available state.", d.id)
		}
	}
	k.c.stopCluster(k.scope, cl, now)
	return nil
}

func rebootDBCluster(k *call, _ *xw, cl *cluster, now int64) *Error {
	if !cl.multiAZ() {
		return refuse("InvalidParameterValue", "DB cluster %s is not a Multi-AZ DB cluster: reboot its instances.", cl.id)
	}
	if e := cl.expect(now, dbAvailable); e != nil {
		return e
	}
	end := now
	for _, d := range k.scope.clusterMembers(cl, now) {
		at := now + k.c.lasts("rds-rebooting", d.id, now)
		d.line.turn(now, phase{at: now, state: dbRebooting}, phase{at: at, state: dbAvailable})
		end = max(end, at)
	}
	cl.line.turn(now, phase{at: now, state: dbRebooting}, phase{at: end, state: dbAvailable})
	return nil
}

// startsAt gives the phases of members that are started at an instant, by
// member, and when the last of them is up.
func (c *Cloud) startsAt(members []*database, at int64) (map[*database][]phase, int64) {
	lines, up := map[*database][]phase{}, at
	for _, d := range members {
		end := at + c.lasts("rds-starting", d.id, at)
		lines[d] = []phase{{at: at, state: dbStarting}, {at: end, state: dbAvailable}}
		up = max(up, end)
	}
	return lines, up
}

// startCluster brings up a cluster with its members; it is available once the last of them is.
func (c *Cloud) startCluster(s *scope, cl *cluster, now int64) {
	members, up := c.startsAt(s.clusterMembers(cl, now), now)
	for d, line := range members {
		d.line.turn(now, line...)
	}
	cl.line.turn(now, phase{at: now, state: dbStarting}, phase{at: up, state: dbAvailable})
}

// stopCluster takes down a cluster with its members. RDS starts it after seven days.
func (c *Cloud) stopCluster(s *scope, cl *cluster, now int64) {
	down := now
	for _, d := range s.clusterMembers(cl, now) {
		down = max(down, now+c.lasts("rds-stopping", d.id, now))
	}
	c.stoppedCluster(s, cl, now, dbStopping, down)
}

// fallBackCluster starts a cluster that ends up stopped again.
func (c *Cloud) fallBackCluster(s *scope, cl *cluster, now int64) {
	_, back := c.startsAt(s.clusterMembers(cl, now), now)
	c.stoppedCluster(s, cl, now, dbStarting, back)
}

// stoppedCluster lets a cluster and its members be in a state until they are stopped, and started by RDS seven days later.
func (c *Cloud) stoppedCluster(s *scope, cl *cluster, now int64, until uint8, down int64) {
	restart := down + maxStopped
	members, up := c.startsAt(s.clusterMembers(cl, now), restart)
	begin := []phase{{at: now, state: until}, {at: down, state: dbStopped}}
	for d, line := range members {
		d.line.turn(now, append(slices.Clone(begin), line...)...)
	}
	cl.line.turn(now, append(begin, phase{at: restart, state: dbStarting}, phase{at: up, state: dbAvailable})...)
}

// autoRestart is when RDS starts what has this timeline, if it is stopped.
func (l timeline) autoRestart(t int64) (int64, bool) {
	p := l.when(t)
	if p == nil || p.state != dbStopped {
		return 0, false
	}
	for _, next := range l {
		if next.at > p.at && next.state == dbStarting {
			return next.at, true
		}
	}
	return 0, false
}

func describeDBClusters(k *call, w *xw) *Error {
	s := k.scope
	fs, e := readFilters(k, func(name string) field[*cluster] {
		switch name {
		case "db-cluster-id":
			return func(cl *cluster, is func(string) bool) bool { return is(cl.id) || is(s.dbARN("cluster", cl.id)) }
		case "db-cluster-resource-id":
			return text(func(cl *cluster) string { return s.clusterResourceID(cl) })
		case "engine":
			return text(func(cl *cluster) string { return cl.engine.name })
		}
		return nil
	})
	if e != nil {
		return e
	}
	if _, e := k.p.boolean("IncludeShared", false); e != nil { // nothing is shared here
		return e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*cluster
	if id := k.p["DBClusterIdentifier"]; id != "" {
		cl, e := k.findCluster(id)
		if e != nil {
			return e
		}
		if fs.match(cl) {
			found = append(found, cl)
		}
	} else {
		for _, cl := range s.clusters {
			if fs.match(cl) {
				found = append(found, cl)
			}
		}
	}
	seen := map[*cluster]int64{}
	found = slices.DeleteFunc(found, func(cl *cluster) bool {
		seen[cl] = k.seen(cl.id, cl.line, cl.old)
		return cl.line.when(seen[cl]) == nil
	})
	list, next, e := dbPage(k, found, func(cl *cluster) string { return cl.id })
	if e != nil {
		return e
	}
	if k.hasFault(FaultMissing) {
		list = slices.DeleteFunc(slices.Clone(list), func(cl *cluster) bool { return k.strikes(FaultMissing, cl.id, "") != nil })
	}
	if k.hasFault(FaultDuplicate) {
		for _, cl := range list {
			if k.strikes(FaultDuplicate, cl.id, "") != nil {
				list = append(slices.Clone(list), cl)
			}
		}
	}
	w.some("Marker", next)
	w.open("DBClusters")
	for _, cl := range list {
		k.writeCluster(w, cl, seen[cl])
	}
	w.close("DBClusters")
	k.log.Items = len(list)
	return nil
}

func (s *scope) clusterResourceID(cl *cluster) string {
	return fmt.Sprintf("cluster-%026X", hash(s.c.seed, "dbcluster", s.account.id, s.region.name, cl.id))
}

// writeCluster writes a cluster as the listing of instant t shows it.
func (k *call) writeCluster(w *xw, cl *cluster, t int64) {
	s := k.scope
	p := cl.line.when(t)
	tags := cl.tags
	if cl.old != nil && t < cl.old.until {
		tags = cl.old.tags
	}
	members := s.clusterMembers(cl, k.ns())
	w.open("DBCluster")
	w.el("DBClusterIdentifier", cl.id)
	w.el("DBClusterArn", s.dbARN("cluster", cl.id))
	w.el("DbClusterResourceId", s.clusterResourceID(cl))
	w.el("Status", dbStateNames[p.state])
	if at, ok := cl.line.autoRestart(t); ok {
		w.time("AutomaticRestartTime", instant(at))
	}
	w.el("Engine", cl.engine.name)
	w.el("EngineVersion", cl.version)
	w.el("EngineMode", cl.mode)
	w.some("DBClusterInstanceClass", cl.class)
	w.some("GlobalClusterIdentifier", cl.global)
	w.some("ReplicationSourceIdentifier", cl.source)
	w.open("ReadReplicaIdentifiers")
	for _, id := range s.clusterReplicas(cl) {
		w.el("ReadReplicaIdentifier", id)
	}
	w.close("ReadReplicaIdentifiers")
	w.open("AvailabilityZones")
	for _, zone := range s.region.zoneNames()[:min(3, len(s.region.zones))] {
		w.el("AvailabilityZone", zone)
	}
	w.close("AvailabilityZones")
	w.open("DBClusterMembers")
	for i, d := range members {
		w.open("DBClusterMember")
		w.el("DBInstanceIdentifier", d.id)
		w.flag("IsClusterWriter", i == 0)
		w.el("DBClusterParameterGroupStatus", "in-sync")
		w.int("PromotionTier", 1)
		w.close("DBClusterMember")
	}
	w.close("DBClusterMembers")
	endpoint := fmt.Sprintf("%012x.%s.rds.%s", hash(s.c.seed, "endpoint", s.account.id, s.region.name)&0xffffffffffff, s.region.name, s.region.dnsSuffix())
	w.el("Endpoint", cl.id+".cluster-"+endpoint)
	w.el("ReaderEndpoint", cl.id+".cluster-ro-"+endpoint)
	w.int("Port", cl.engine.port)
	w.el("MasterUsername", "admin")
	w.flag("MultiAZ", len(members) > 1)
	w.el("DBSubnetGroup", subnetGroup(cl.vpc))
	w.raw("<VpcSecurityGroups><VpcSecurityGroupMembership>")
	w.el("VpcSecurityGroupId", s.groupOf(cl.vpc))
	w.raw("<Status>active</Status></VpcSecurityGroupMembership></VpcSecurityGroups>")
	w.el("PreferredBackupWindow", cl.backup)
	w.el("PreferredMaintenanceWindow", cl.window)
	w.time("ClusterCreateTime", instant(cl.created))
	w.raw("<AllocatedStorage>1</AllocatedStorage><BackupRetentionPeriod>7</BackupRetentionPeriod><StorageEncrypted>true</StorageEncrypted>")
	w.flag("DeletionProtection", cl.protected)
	writeDBTags(w, tags)
	w.close("DBCluster")
}

// maxSnapshots is AWS's default quota of manual snapshots of instances, and of clusters.
const maxSnapshots = 100

// clusterSnapshot is a manual snapshot of a cluster.
type clusterSnapshot struct {
	id      string
	cluster *cluster // as it was
	created int64
	ready   int64
	tags    []Tag
}

func createDBClusterSnapshot(k *call, w *xw) *Error {
	given, e := k.readTags("Tags")
	if e != nil {
		return e
	}
	tags, e := mergeTags(nil, given)
	if e != nil {
		return e
	}
	id := k.p["DBClusterSnapshotIdentifier"]
	if e := checkDBName("DBClusterSnapshotIdentifier", id); e != nil {
		return e
	}
	id = strings.ToLower(id)
	s := k.scope
	s.mu.Lock()
	defer s.mu.Unlock()
	cl, e := k.findCluster(k.p["DBClusterIdentifier"])
	if e != nil {
		return e
	}
	now := k.ns()
	if st := cl.state(now); st != dbAvailable && st != dbStopped {
		return invalidCluster("DbCluster %s is in %s state but expected it to be one of available, stopped.", cl.id, dbStateNames[st])
	}
	if s.clusterSnapshots[id] != nil {
		return refuse("DBClusterSnapshotAlreadyExistsFault", "Cannot create the cluster snapshot because one with the identifier %s already exists.", id)
	}
	if len(s.clusterSnapshots) >= maxSnapshots {
		return refuse("SnapshotQuotaExceeded", "Cannot create more than %d manual snapshots", maxSnapshots)
	}
	was := *cl
	took := k.c.lasts("rds-snapshot", id, now)
	snap := &clusterSnapshot{id: id, cluster: &was, created: now, ready: now + took, tags: tags}
	s.clusterSnapshots[id] = snap
	if cl.state(now) == dbAvailable { // it is backed up for the first part of the time, and can be used again before the snapshot can
		cl.line.turn(now, phase{at: now, state: dbBackingUp}, phase{at: now + took/2, state: dbAvailable})
	}
	k.writeClusterSnapshot(w, snap)
	return nil
}

func deleteDBClusterSnapshot(k *call, w *xw) *Error {
	s := k.scope
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.ToLower(k.p["DBClusterSnapshotIdentifier"])
	snap := s.clusterSnapshots[id]
	if snap == nil {
		return refuse("DBClusterSnapshotNotFoundFault", "DBClusterSnapshot not found: %s", k.p["DBClusterSnapshotIdentifier"])
	}
	if k.ns() < snap.ready {
		return refuse("InvalidDBClusterSnapshotStateFault", "Cannot delete the cluster snapshot because it is not currently in the available state.")
	}
	delete(s.clusterSnapshots, id)
	k.writeClusterSnapshot(w, snap)
	return nil
}

func describeDBClusterSnapshots(k *call, w *xw) *Error {
	s := k.scope
	fs, e := readFilters(k, func(name string) field[*clusterSnapshot] {
		switch name {
		case "db-cluster-id":
			return func(snap *clusterSnapshot, is func(string) bool) bool {
				return is(snap.cluster.id) || is(s.dbARN("cluster", snap.cluster.id))
			}
		case "db-cluster-snapshot-id":
			return text(func(snap *clusterSnapshot) string { return snap.id })
		case "engine":
			return text(func(snap *clusterSnapshot) string { return snap.cluster.engine.name })
		case "snapshot-type":
			return text(func(*clusterSnapshot) string { return "manual" })
		}
		return nil
	})
	if e != nil {
		return e
	}
	if e := checkSnapshotType(k.p["SnapshotType"]); e != nil {
		return e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, of, typ := strings.ToLower(k.p["DBClusterSnapshotIdentifier"]), strings.ToLower(k.p["DBClusterIdentifier"]), k.p["SnapshotType"]
	if id != "" && s.clusterSnapshots[id] == nil {
		return refuse("DBClusterSnapshotNotFoundFault", "DBClusterSnapshot %s not found.", k.p["DBClusterSnapshotIdentifier"])
	}
	var found []*clusterSnapshot
	for _, snap := range s.clusterSnapshots {
		if (id == "" || id == snap.id) && (of == "" || of == snap.cluster.id) && (typ == "" || typ == "manual") && fs.match(snap) {
			found = append(found, snap)
		}
	}
	slices.SortFunc(found, func(a, b *clusterSnapshot) int { return strings.Compare(a.id, b.id) })
	list, next, e := dbPage(k, found, func(snap *clusterSnapshot) string { return snap.id })
	if e != nil {
		return e
	}
	w.some("Marker", next)
	w.open("DBClusterSnapshots")
	for _, snap := range list {
		k.writeClusterSnapshot(w, snap)
	}
	w.close("DBClusterSnapshots")
	k.log.Items = len(list)
	return nil
}

func checkSnapshotType(t string) *Error {
	switch t {
	case "", "manual", "automated", "shared", "public", "awsbackup":
		return nil
	}
	return refuse("InvalidParameterValue", "Invalid snapshot type: %s", t)
}

func (k *call) writeClusterSnapshot(w *xw, snap *clusterSnapshot) {
	cl := snap.cluster
	status, done := "available", 100
	if k.ns() < snap.ready {
		status, done = "creating", 0
	}
	w.open("DBClusterSnapshot")
	w.el("DBClusterSnapshotIdentifier", snap.id)
	w.el("DBClusterIdentifier", cl.id)
	w.el("DbClusterResourceId", k.scope.clusterResourceID(cl))
	w.time("SnapshotCreateTime", instant(snap.created))
	w.time("ClusterCreateTime", instant(cl.created))
	w.el("Engine", cl.engine.name)
	w.el("EngineVersion", cl.version)
	w.el("EngineMode", cl.mode)
	w.el("Status", status)
	w.int("Port", cl.engine.port)
	w.el("VpcId", cmp.Or(cl.vpc, k.scope.net.vpc))
	w.raw("<SnapshotType>manual</SnapshotType><AllocatedStorage>1</AllocatedStorage><StorageEncrypted>true</StorageEncrypted>")
	w.int("PercentProgress", done)
	w.el("DBClusterSnapshotArn", k.scope.dbARN("cluster-snapshot", snap.id))
	writeDBTags(w, snap.tags)
	w.close("DBClusterSnapshot")
}

// clusterOf makes the nth copy of an entry.
func (c *Cloud) clusterOf(s *scope, r *Resource, n int, tags []Tag, now int64) *cluster {
	eng := engines[cmp.Or(r.Engine, defaultClusterEngine)]
	cl := &cluster{
		id: strings.ToLower(r.numbered(cmp.Or(r.ID, r.Name), n+1)), engine: eng, version: cmp.Or(r.Version, eng.version), mode: cmp.Or(r.EngineMode, "provisioned"),
		global: r.GlobalCluster, source: strings.ToLower(r.ReplicaOf), vpc: r.VPC, window: r.Window, created: c.launchedAt(r.Launched, now), protected: r.Protected,
		tags: tags, startErr: r.StartError,
	}
	if cl.multiAZ() {
		cl.class = cmp.Or(r.Type, defaultClusterClass)
	}
	cl.window, cl.backup = c.windowsOf(s, "cluster", cl.id, cl.window, "")
	cl.line = timeline{{at: always, state: dbAvailable}}
	return cl
}

const (
	defaultClusterEngine = "aurora-postgresql"
	defaultClusterClass  = "db.r6g.large"
)

// clusterMembersOf makes the members of the nth copy of an entry: as many as it
// says, else what such a cluster commonly has.
func (c *Cloud) clusterMembersOf(s *scope, r *Resource, cl *cluster, joined int, now int64) []*database {
	count := r.Members
	switch {
	case count > 0 || joined > 0 || cl.mode == "serverless":
	case cl.multiAZ():
		count = 3
	default:
		count = 2
	}
	var out []*database
	for i := range count {
		member := Resource{
			Name: fmt.Sprintf("%s-%d", cl.id, i+1), Type: cmp.Or(r.Type, defaultClusterClass), Engine: cl.engine.name, Version: cl.version, Cluster: cl.id,
			VPC: r.VPC, Launched: r.Launched,
		}
		out = append(out, c.databaseOf(s, &member, 0, nil, now))
	}
	return out
}

// settleCluster puts a new cluster and its members into the entry's state; the scope's lock is held.
func (c *Cloud) settleCluster(s *scope, r *Resource, cl *cluster, now int64) {
	if r.State != "stopped" {
		return
	}
	down := now - int64(r.StoppedFor)
	c.stoppedCluster(s, cl, down, dbStopped, down)
}

func (s *scope) describeCluster(cl *cluster, now int64) Resource {
	r := Resource{
		Account: s.account.id, Region: s.region.name, Kind: "rds_cluster", ID: cl.id, Type: cl.class, Engine: cl.engine.name, Version: cl.version,
		EngineMode: cl.mode, GlobalCluster: cl.global, ReplicaOf: cl.source, VPC: cl.vpc, Window: cl.window, Protected: cl.protected, StartError: cl.startErr,
		Launched: When{At: instant(cl.created)}, State: "available", Tags: map[string]string{},
	}
	switch cl.state(now) {
	case dbStopped:
		r.State, r.StoppedFor = "stopped", Duration(now-cl.line.when(now).at)
	case dbStopping:
		r.State = "stopped"
	}
	for _, t := range cl.tags {
		r.Tags[t.Key] = t.Value
	}
	return r
}

// Cluster is the true state of a DB cluster.
type Cluster struct {
	ID, ARN, Account, Region string
	Engine, State            string
	Members                  []string
	// Restart is when RDS starts a stopped cluster; zero otherwise.
	Restart time.Time
	Tags    map[string]string
}

// Clusters gives the DB clusters of an account and region; an empty account or
// region means all.
func (c *Cloud) Clusters(account, region string) []Cluster {
	var out []Cluster
	now := c.Now().UnixNano()
	for _, s := range c.allScopes() {
		if account != "" && account != s.account.id || region != "" && region != s.region.name {
			continue
		}
		s.mu.Lock()
		for _, cl := range s.clusters {
			v := Cluster{
				ID: cl.id, ARN: s.dbARN("cluster", cl.id), Account: s.account.id, Region: s.region.name, Engine: cl.engine.name,
				State: dbStateNames[cl.state(now)], Tags: tagMap(cl.tags),
			}
			for _, d := range s.clusterMembers(cl, now) {
				v.Members = append(v.Members, d.id)
			}
			if at, ok := cl.line.autoRestart(now); ok {
				v.Restart = instant(at)
			}
			out = append(out, v)
		}
		s.mu.Unlock()
	}
	return out
}

// Cluster gives one DB cluster.
func (c *Cloud) Cluster(account, region, id string) (Cluster, bool) {
	all := c.Clusters(account, region)
	i := slices.IndexFunc(all, func(cl Cluster) bool { return strings.EqualFold(cl.ID, id) })
	if i < 0 {
		return Cluster{}, false
	}
	return all[i], true
}

// Snapshot is a manual snapshot of a database or of a DB cluster.
type Snapshot struct {
	ID, Of    string
	Cluster   bool // Of is a cluster
	Created   time.Time
	Available bool
	Tags      map[string]string
}

// Snapshots gives the manual snapshots of an account and region, oldest first.
func (c *Cloud) Snapshots(account, region string) []Snapshot {
	c.mu.RLock()
	s := c.scopes[scopeKey{account, region}]
	c.mu.RUnlock()
	if s == nil {
		return nil
	}
	now := c.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Snapshot
	for _, snap := range s.snapshots {
		out = append(out, Snapshot{snap.id, snap.db.id, false, instant(snap.created), now >= snap.ready, tagMap(snap.tags)})
	}
	for _, snap := range s.clusterSnapshots {
		out = append(out, Snapshot{snap.id, snap.cluster.id, true, instant(snap.created), now >= snap.ready, tagMap(snap.tags)})
	}
	slices.SortFunc(out, func(a, b Snapshot) int { return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID)) })
	return out
}
