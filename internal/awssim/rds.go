package awssim

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// States of a database instance, in the order of dbStateNames.
const (
	dbAvailable uint8 = iota
	dbStopped
	dbStarting
	dbStopping
	dbCreating
	dbDeleting
	dbGone
	dbRebooting
	dbBackingUp
)

var dbStateNames = [...]string{"available", "stopped", "starting", "stopping", "creating", "deleting", "gone", "rebooting", "backing-up"}

// maxStopped is how long RDS leaves a database stopped before it starts it.
const maxStopped = int64(7 * 24 * time.Hour)

// database is one RDS instance.
type database struct {
	id        string
	class     string
	engine    *engine
	version   string
	zone      string
	cluster   string
	vpc       string // empty: the scope's own
	source    string // of a read replica
	window    string
	backup    string
	storage   int
	storType  string
	port      int
	user      string
	dbName    string
	license   string
	retention int
	created   int64
	multiAZ   bool
	encrypted bool
	protected bool // deletion protection
	public    bool
	tags      []Tag
	line      timeline
	old       *lateView
	startErr  string
}

func (d *database) state(t int64) uint8 { return d.line.when(t).state }

// engine is a database engine that can be created.
type engine struct {
	name    string
	version string
	port    int
	license string
	cluster bool // its instances live in clusters
}

// engines are the engines that exist.
var engines = func() map[string]*engine {
	m := map[string]*engine{}
	for _, e := range []engine{
		{"mysql", "8.0.40", 3306, "general-public-license", false},
		{"mariadb", "10.11.10", 3306, "general-public-license", false},
		{"postgres", "16.6", 5432, "postgresql-license", false},
		{"oracle-ee", "19.0.0.0.ru-2024-10.rur-2024-10.r1", 1521, "bring-your-own-license", false},
		{"oracle-se2", "19.0.0.0.ru-2024-10.rur-2024-10.r1", 1521, "license-included", false},
		{"sqlserver-ee", "15.00.4415.2.v1", 1433, "license-included", false},
		{"sqlserver-se", "15.00.4415.2.v1", 1433, "license-included", false},
		{"sqlserver-ex", "15.00.4415.2.v1", 1433, "license-included", false},
		{"sqlserver-web", "15.00.4415.2.v1", 1433, "license-included", false},
		{"aurora-mysql", "8.0.mysql_aurora.3.08.0", 3306, "general-public-license", true},
		{"aurora-postgresql", "16.6", 5432, "postgresql-license", true},
		{"neptune", "1.3.4.0", 8182, "amazon-license", true},
		{"docdb", "5.0.0", 27017, "na", true},
	} {
		m[e.name] = &e
	}
	return m
}()

func engineNames() []string {
	var out []string
	for n := range engines {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

var (
	dbNameForm   = regexp.MustCompile(`^[a-zA-Z](-?[a-zA-Z0-9])*$`)
	dbClassForm  = regexp.MustCompile(`^db\.[a-z0-9]+(-[a-z0-9]+)?\.[a-z0-9]+$`)
	dbWindowForm = regexp.MustCompile(`^(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d-(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d$`)
	backupForm   = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$`)
)

// snapshot is a manual snapshot of a database instance.
type snapshot struct {
	id      string
	db      *database // as it was
	created int64
	ready   int64
	tags    []Tag
}

func (s *scope) dbARN(what, id string) string {
	return fmt.Sprintf("arn:%s:rds:%s:%s:%s:%s", s.region.partition, s.region.name, s.account.id, what, id)
}

// findDB finds a database by identifier or ARN; the scope's lock is held.
func (k *call) findDB(id string) (*database, *Error) {
	if id == "" {
		return nil, refuse("MissingParameter", "The request must contain the parameter DBInstanceIdentifier")
	}
	name := strings.ToLower(strings.TrimPrefix(id, k.scope.dbARN("db", "")))
	d := k.scope.dbByID[name]
	if d != nil && d.state(k.ns()) == dbGone {
		k.scope.dropDB(d)
		d = nil
	}
	if d == nil {
		return nil, refuse("DBInstanceNotFound", "DBInstance %s not found.", id)
	}
	return d, nil
}

func (s *scope) dropDB(d *database) {
	delete(s.dbByID, d.id)
	s.dbs = slices.DeleteFunc(s.dbs, func(o *database) bool { return o == d })
}

// addDB lists a database in order of identifiers; the scope's lock is held.
func (s *scope) addDB(d *database) {
	i, _ := slices.BinarySearchFunc(s.dbs, d.id, func(o *database, id string) int { return strings.Compare(o.id, id) })
	s.dbs = slices.Insert(s.dbs, i, d)
	s.dbByID[d.id] = d
}

// replicas gives the identifiers of a database's read replicas.
func (s *scope) replicas(d *database, now int64) []string {
	var out []string
	for _, o := range s.dbs {
		if o.source == d.id && o.state(now) != dbGone {
			out = append(out, o.id)
		}
	}
	return out
}

func invalidState(format string, args ...any) *Error {
	return refuse("InvalidDBInstanceState", format, args...)
}

// singly says why RDS does not start or stop the database by itself, nil when
// it does.
func (s *scope) singly(d *database, verb string, now int64) *Error {
	switch {
	case d.cluster != "":
		return refuse("InvalidDBClusterStateFault", "The DB instance %s is a member of the DB cluster %s. %s the cluster instead.", d.id, d.cluster, verb)
	case d.source != "":
		return invalidState("Cannot %s DB instance %s because it is a read replica.", strings.ToLower(verb), d.id)
	case len(s.replicas(d, now)) > 0:
		return invalidState("Cannot %s DB instance %s because it has read replicas.", strings.ToLower(verb), d.id)
	}
	return nil
}

// onDB makes an action of what is done to the database that a request names:
// it is found, and the scope's lock is held.
func onDB(run func(k *call, w *xw, d *database, now int64) *Error) func(*call, *xw) *Error {
	return func(k *call, w *xw) *Error {
		k.scope.mu.Lock()
		defer k.scope.mu.Unlock()
		d, e := k.findDB(k.p["DBInstanceIdentifier"])
		if e != nil {
			return e
		}
		return run(k, w, d, k.ns())
	}
}

func startDBInstance(k *call, w *xw, d *database, now int64) *Error {
	if e := k.scope.singly(d, "Start", now); e != nil {
		return e
	}
	if d.state(now) != dbStopped {
		return invalidState("Instance %s is not stopped.", d.id)
	}
	if f := k.strikes(FaultCannotStart, d.id, ""); f != nil {
		return refuse(cmp.Or(f.Code, "InvalidDBInstanceState"), "%s", cmp.Or(f.Message, fmt.Sprintf("Instance %s cannot be started.", d.id)))
	}
	if f := k.strikes(FaultFallBack, d.id, ""); f != nil {
		k.c.fallBackDB(d, now)
	} else if d.startErr != "" {
		return refuse(d.startErr, "DB instance %s cannot be started.", d.id)
	} else {
		k.c.startDB(d, now)
	}
	k.writeDB(w, d, now)
	return nil
}

func (c *Cloud) startDB(d *database, now int64) {
	d.line.turn(now, phase{at: now, state: dbStarting}, phase{at: now + c.lasts("rds-starting", d.id, now), state: dbAvailable})
}

// fallBackDB starts a database that ends up stopped again.
func (c *Cloud) fallBackDB(d *database, now int64) {
	back := now + c.lasts("rds-starting", d.id, now)
	d.line.turn(now, append([]phase{{at: now, state: dbStarting}}, c.stoppedFrom(d, back)...)...)
}

// stoppedFrom is the future of a database that is stopped at an instant: RDS
// starts it after seven days.
func (c *Cloud) stoppedFrom(d *database, at int64) []phase {
	restart := at + maxStopped
	return []phase{{at: at, state: dbStopped}, {at: restart, state: dbStarting}, {at: restart + c.lasts("rds-starting", d.id, restart), state: dbAvailable}}
}

func (c *Cloud) stopDB(d *database, now int64) { c.stopDBAfter(d, now, now) }

// stopDBAfter stops a database that is not stopped before an instant: its snapshot is taken first.
func (c *Cloud) stopDBAfter(d *database, now, snapped int64) {
	end := max(now, snapped) + c.lasts("rds-stopping", d.id, now)
	d.line.turn(now, append([]phase{{at: now, state: dbStopping}}, c.stoppedFrom(d, end)...)...)
}

func stopDBInstance(k *call, w *xw, d *database, now int64) *Error {
	if e := k.scope.singly(d, "Stop", now); e != nil {
		return e
	}
	if strings.HasPrefix(d.engine.name, "sqlserver") && d.multiAZ {
		return invalidState("Cannot stop DB instance %s: SQL Server DB instances in a Multi-AZ configuration cannot be stopped.", d.id)
	}
	if d.state(now) != dbAvailable {
		return invalidState("Instance %s is not in available state.", d.id)
	}
	snapped := now
	if id, ok := k.p["DBSnapshotIdentifier"]; ok {
		snap, e := k.snap(d, id, nil)
		if e != nil {
			return e
		}
		snapped = snap.ready
	}
	k.c.stopDBAfter(d, now, snapped)
	k.writeDB(w, d, now)
	return nil
}

func rebootDBInstance(k *call, w *xw, d *database, now int64) *Error {
	if force, e := k.p.boolean("ForceFailover", false); e != nil {
		return e
	} else if force && !d.multiAZ {
		return refuse("InvalidParameterCombination", "ForceFailover cannot be specified since the instance is not configured for either MultiAZ or High Availability")
	}
	if d.state(now) != dbAvailable {
		return invalidState("Instance %s is not in available state.", d.id)
	}
	d.line.turn(now, phase{at: now, state: dbRebooting}, phase{at: now + k.c.lasts("rds-rebooting", d.id, now), state: dbAvailable})
	k.writeDB(w, d, now)
	return nil
}

// checkDBName refuses what is not an identifier.
func checkDBName(param, id string) *Error {
	if len(id) > 63 || !dbNameForm.MatchString(id) {
		return refuse("InvalidParameterValue", "The parameter %s is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; "+
			"and must not end with a hyphen or contain two consecutive hyphens.", param)
	}
	return nil
}

func createDBInstance(k *call, w *xw) *Error {
	p := k.p
	if e := p.need("DBInstanceIdentifier", "DBInstanceClass", "Engine"); e != nil {
		return e
	}
	if e := checkDBName("DBInstanceIdentifier", p["DBInstanceIdentifier"]); e != nil {
		return e
	}
	eng := engines[p["Engine"]]
	if eng == nil {
		return refuse("InvalidParameterValue", "Invalid DB engine: %s", p["Engine"])
	}
	if !dbClassForm.MatchString(p["DBInstanceClass"]) {
		return refuse("InvalidParameterValue", "Invalid DB Instance class: %s", p["DBInstanceClass"])
	}
	d := &database{
		id: strings.ToLower(p["DBInstanceIdentifier"]), class: p["DBInstanceClass"], engine: eng, version: cmp.Or(p["EngineVersion"], eng.version),
		zone: p["AvailabilityZone"], cluster: strings.ToLower(p["DBClusterIdentifier"]), user: p["MasterUsername"], dbName: p["DBName"],
		license: cmp.Or(p["LicenseModel"], eng.license), storType: cmp.Or(p["StorageType"], "gp3"),
		window: strings.ToLower(p["PreferredMaintenanceWindow"]), backup: p["PreferredBackupWindow"], created: k.ns(),
	}
	if eng.cluster != (d.cluster != "") {
		return refuse("InvalidParameterCombination", "The engine %s and the parameter DBClusterIdentifier do not go together.", eng.name)
	}
	if managed, e := p.boolean("ManageMasterUserPassword", false); e != nil {
		return e
	} else if d.cluster == "" && (d.user == "" || p["MasterUserPassword"] == "" && !managed) {
		return refuse("InvalidParameterValue", "MasterUsername and MasterUserPassword (or ManageMasterUserPassword) must be given for engine %s.", eng.name)
	}
	var e *Error
	for _, n := range []struct {
		param       string
		into        *int
		def, lo, hi int
	}{{"AllocatedStorage", &d.storage, 20, 5, 65536}, {"BackupRetentionPeriod", &d.retention, 1, 0, 35}, {"Port", &d.port, eng.port, 1150, 65535}} {
		if *n.into, e = p.number(n.param, n.def, n.lo, n.hi); e != nil {
			return e
		}
	}
	for _, b := range []struct {
		param string
		into  *bool
	}{{"MultiAZ", &d.multiAZ}, {"StorageEncrypted", &d.encrypted}, {"DeletionProtection", &d.protected}, {"PubliclyAccessible", &d.public}} {
		if *b.into, e = p.boolean(b.param, false); e != nil {
			return e
		}
	}
	switch {
	case d.zone != "" && !k.who.region.hasZone(d.zone):
		return refuse("InvalidParameterValue", "Invalid availability zone: %s", d.zone)
	case d.window != "" && !dbWindowForm.MatchString(d.window):
		return refuse("InvalidParameterValue", "Invalid maintenance window format: %s. Specify ddd:hh24:mi-ddd:hh24:mi", d.window)
	case d.backup != "" && !backupForm.MatchString(d.backup):
		return refuse("InvalidParameterValue", "Invalid backup window format: %s. Specify hh24:mi-hh24:mi", d.backup)
	}
	tags, e := k.readTags("Tags")
	if e != nil {
		return e
	}
	if d.tags, e = mergeTags(nil, tags); e != nil {
		return e
	}
	return k.create(w, d)
}

func createReadReplica(k *call, w *xw) *Error {
	p := k.p
	if e := p.need("DBInstanceIdentifier", "SourceDBInstanceIdentifier"); e != nil {
		return e
	}
	if e := checkDBName("DBInstanceIdentifier", p["DBInstanceIdentifier"]); e != nil {
		return e
	}
	given, e := k.readTags("Tags")
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	src, e := k.findDB(p["SourceDBInstanceIdentifier"])
	if e == nil && src.state(k.ns()) != dbAvailable {
		e = invalidState("Source DB instance %s is not in available state.", src.id)
	}
	if e == nil && src.cluster != "" {
		e = refuse("InvalidParameterCombination", "A member of a DB cluster cannot be the source of a read replica here.")
	}
	if e != nil {
		k.scope.mu.Unlock()
		return e
	}
	d := *src
	k.scope.mu.Unlock()
	d.id, d.source, d.line, d.old, d.created = strings.ToLower(p["DBInstanceIdentifier"]), src.id, nil, nil, k.ns()
	d.class = cmp.Or(p["DBInstanceClass"], d.class)
	if !dbClassForm.MatchString(d.class) {
		return refuse("InvalidParameterValue", "Invalid DB Instance class: %s", d.class)
	}
	if z := p["AvailabilityZone"]; z != "" {
		if !k.who.region.hasZone(z) {
			return refuse("InvalidParameterValue", "Invalid availability zone: %s", z)
		}
		d.zone = z
	}
	if d.tags, e = mergeTags(nil, given); e != nil {
		return e
	}
	return k.create(w, &d)
}

// create lists a new database and answers with it.
func (k *call) create(w *xw, d *database) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	if _, e := k.findDB(d.id); e == nil {
		return refuse("DBInstanceAlreadyExists", "DB instance already exists")
	}
	if d.cluster != "" && k.scope.clusterByID(d.cluster) == nil {
		return refuse("DBClusterNotFoundFault", "DBCluster %s not found.", d.cluster)
	}
	if len(k.scope.dbs) >= maxPerScope {
		return refuse("InstanceQuotaExceeded", "The simulator holds %d databases for one account and region.", maxPerScope)
	}
	now := k.ns()
	k.c.complete(k.scope, d)
	d.line = timeline{{at: now, state: dbCreating}, {at: now + k.c.lasts("rds-creating", d.id, now), state: dbAvailable}}
	k.scope.addDB(d)
	k.writeDB(w, d, now)
	return nil
}

// complete fills in what AWS chooses when it is not said.
func (c *Cloud) complete(s *scope, d *database) {
	h := hash(c.seed, "db", s.account.id, s.region.name, d.id)
	if d.zone == "" {
		zones := s.region.zoneNames()
		d.zone = zones[h%uint64(len(zones))]
	}
	d.window, d.backup = c.windowsOf(s, "db", d.id, d.window, d.backup)
}

// windowsOf fills in the windows for maintenance and backups that are not said.
func (c *Cloud) windowsOf(s *scope, what, id, maintenance, backup string) (string, string) {
	h := hash(c.seed, what, s.account.id, s.region.name, id)
	if maintenance == "" {
		at := int(h >> 8 % (7 * 24 * 60))
		maintenance = weekMinute(at) + "-" + weekMinute(at+30)
	}
	if backup == "" {
		at := int(h >> 24 % (24 * 60))
		backup = weekMinute(at)[4:] + "-" + weekMinute(at + 30)[4:]
	}
	return maintenance, backup
}

// weekMinute writes a minute of the week as RDS does: ddd:hh24:mi.
func weekMinute(m int) string {
	m %= 7 * 24 * 60
	return fmt.Sprintf("%s:%02d:%02d", [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}[m/1440], m/60%24, m%60)
}

func deleteDBInstance(k *call, w *xw, d *database, now int64) *Error {
	skip, e := k.p.boolean("SkipFinalSnapshot", false)
	if e != nil {
		return e
	}
	if _, e := k.p.boolean("DeleteAutomatedBackups", true); e != nil { // there are none here
		return e
	}
	final := k.p["FinalDBSnapshotIdentifier"]
	switch st := d.state(now); {
	case st == dbDeleting:
		return invalidState("Instance %s is already being deleted.", d.id)
	case d.protected:
		return refuse("InvalidParameterCombination", "Cannot delete protected DB Instance, please disable deletion protection and try again.")
	case skip && final != "":
		return refuse("InvalidParameterCombination", "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is true.")
	case !skip && final == "" && d.source == "" && d.cluster == "":
		return refuse("InvalidParameterCombination", "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
	case final != "":
		if _, e := k.snap(d, final, nil); e != nil {
			return e
		}
	}
	d.line.turn(now, phase{at: now, state: dbDeleting}, phase{at: now + k.c.lasts("rds-deleting", d.id, now), state: dbGone})
	k.writeDB(w, d, now)
	return nil
}

// seenDB is the instant whose news a listing shows of a database.
func (k *call) seenDB(d *database) int64 { return k.seen(d.id, d.line, d.old) }

// seen is the instant whose news a listing shows of what has this timeline.
func (k *call) seen(id string, line timeline, old *lateView) int64 {
	now := k.ns()
	at := now
	if ec := k.c.opt.EventualConsistency; ec > 0 {
		last := line.changed(now)
		if old != nil {
			last = max(last, old.until)
		}
		if last != always && now < last+int64(hash(k.c.seed, "lag", id, last)%uint64(ec)) {
			at = last - 1
		}
	}
	if k.hasFault(FaultStale) {
		if f := k.strikes(FaultStale, id, ""); f != nil {
			at = min(at, now-int64(f.For))
		}
	}
	return at
}

func describeDBInstances(k *call, w *xw) *Error {
	s := k.scope
	fs, e := readFilters(k, func(name string) field[*database] {
		switch name {
		case "db-instance-id":
			return func(d *database, is func(string) bool) bool { return is(d.id) || is(s.dbARN("db", d.id)) }
		case "db-cluster-id":
			return func(d *database, is func(string) bool) bool {
				return d.cluster != "" && (is(d.cluster) || is(s.dbARN("cluster", d.cluster)))
			}
		case "dbi-resource-id":
			return text(func(d *database) string { return s.resourceID(d) })
		case "engine":
			return text(func(d *database) string { return d.engine.name })
		}
		return nil
	})
	if e != nil {
		return e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := k.ns()
	var found []*database
	id := k.p["DBInstanceIdentifier"]
	if id != "" {
		d, e := k.findDB(id)
		if e != nil {
			return e
		}
		if fs.match(d) {
			found = append(found, d)
		}
	} else {
		s.dbs = slices.DeleteFunc(s.dbs, func(d *database) bool {
			gone := d.state(now) == dbGone
			if gone {
				delete(s.dbByID, d.id)
			}
			return gone
		})
		for _, d := range s.dbs {
			if fs.match(d) {
				found = append(found, d)
			}
		}
	}
	seen := map[*database]int64{}
	found = slices.DeleteFunc(found, func(d *database) bool {
		seen[d] = k.seenDB(d)
		return d.line.when(seen[d]) == nil
	})
	if id != "" && len(found) == 0 && len(fs) == 0 {
		return refuse("DBInstanceNotFound", "DBInstance %s not found.", id)
	}
	list, next, e := dbPage(k, found, func(d *database) string { return d.id })
	if e != nil {
		return e
	}
	if k.hasFault(FaultMissing) {
		list = slices.DeleteFunc(slices.Clone(list), func(d *database) bool { return k.strikes(FaultMissing, d.id, "") != nil })
	}
	if k.hasFault(FaultDuplicate) {
		for _, d := range list {
			if k.strikes(FaultDuplicate, d.id, "") != nil {
				list = append(slices.Clone(list), d)
			}
		}
	}
	if next != "" {
		w.el("Marker", next)
	}
	w.open("DBInstances")
	for _, d := range list {
		k.writeDB(w, d, seen[d])
	}
	w.close("DBInstances")
	k.log.Items = len(list)
	return nil
}

// dbPage cuts the page out of a list in order of its names. The marker holds
// the position of the last name, so that a list that changes between pages
// neither repeats nor loses what stays.
func dbPage[T any](k *call, all []T, name func(T) string) (list []T, next string, e *Error) {
	size, e := k.p.number("MaxRecords", 100, 20, 100)
	if e != nil {
		return nil, "", refuse("InvalidParameterValue", "Invalid value %s for MaxRecords. Must be between 20 and 100", k.p["MaxRecords"])
	}
	from := 0
	if m, ok := k.p["Marker"]; ok {
		bad := refuse("InvalidParameterValue", "The parameter Marker is not valid.")
		text, ok := transparent(m)
		tok, last, cut := strings.Cut(text, " ")
		if !ok || !cut || tok != strconv.FormatUint(k.question("Marker"), 36) || k.strikes(FaultTokenExpire, "", "") != nil {
			return nil, "", bad
		}
		from, _ = slices.BinarySearchFunc(all, last, func(v T, s string) int {
			if name(v) <= s {
				return -1
			}
			return 1
		})
	}
	if k.strikes(FaultShortPages, "", "") != nil {
		size = int(hash(k.c.seed, "short", k.log.RequestID)%uint64(size)) + 1
	}
	to := min(from+size, len(all))
	if to < len(all) {
		next = opaque(strconv.FormatUint(k.question("Marker"), 36) + " " + name(all[to-1]))
	}
	if k.p.has("Marker") && k.strikes(FaultTokenLoop, "", "") != nil {
		next = k.p["Marker"]
	}
	return all[from:to], next, nil
}

// subnetGroup names the group of subnets that RDS makes by itself for a VPC.
func subnetGroup(vpc string) string {
	if vpc == "" {
		return "default"
	}
	return "default-" + vpc
}

func (s *scope) resourceID(d *database) string {
	return fmt.Sprintf("db-%026X", hash(s.c.seed, "dbi", s.account.id, s.region.name, d.id))
}

// writeDB writes a database as the listing of instant t shows it.
func (k *call) writeDB(w *xw, d *database, t int64) {
	s := k.scope
	p := d.line.when(t)
	tags := d.tags
	if d.old != nil && t < d.old.until {
		tags = d.old.tags
	}
	w.open("DBInstance")
	w.el("DBInstanceIdentifier", d.id)
	w.el("DBInstanceClass", d.class)
	w.el("Engine", d.engine.name)
	w.el("DBInstanceStatus", dbStateNames[p.state])
	if at, ok := d.line.autoRestart(t); ok {
		w.time("AutomaticRestartTime", instant(at))
	}
	w.some("MasterUsername", d.user)
	w.some("DBName", d.dbName)
	if p.state != dbCreating {
		w.raw("<Endpoint>")
		w.el("Address", fmt.Sprintf("%s.%012x.%s.rds.%s", d.id, hash(s.c.seed, "endpoint", s.account.id, s.region.name)&0xffffffffffff, s.region.name, s.region.dnsSuffix()))
		w.int("Port", d.port)
		w.raw("</Endpoint>")
		w.time("InstanceCreateTime", instant(d.created))
	}
	w.int("AllocatedStorage", d.storage)
	w.el("PreferredBackupWindow", d.backup)
	w.int("BackupRetentionPeriod", d.retention)
	w.raw("<DBSecurityGroups/><VpcSecurityGroups><VpcSecurityGroupMembership>")
	w.el("VpcSecurityGroupId", s.groupOf(d.vpc))
	w.raw("<Status>active</Status></VpcSecurityGroupMembership></VpcSecurityGroups>")
	w.el("AvailabilityZone", d.zone)
	w.raw("<DBSubnetGroup>")
	w.el("DBSubnetGroupName", subnetGroup(d.vpc))
	w.el("VpcId", cmp.Or(d.vpc, s.net.vpc))
	w.raw("<SubnetGroupStatus>Complete</SubnetGroupStatus></DBSubnetGroup>")
	w.el("PreferredMaintenanceWindow", d.window)
	w.raw("<PendingModifiedValues/>")
	w.flag("MultiAZ", d.multiAZ)
	w.el("EngineVersion", d.version)
	w.raw("<AutoMinorVersionUpgrade>true</AutoMinorVersionUpgrade>")
	w.some("ReadReplicaSourceDBInstanceIdentifier", d.source)
	w.open("ReadReplicaDBInstanceIdentifiers")
	for _, r := range s.replicas(d, t) {
		w.el("ReadReplicaDBInstanceIdentifier", r)
	}
	w.close("ReadReplicaDBInstanceIdentifiers")
	w.el("LicenseModel", d.license)
	w.flag("PubliclyAccessible", d.public)
	w.el("StorageType", d.storType)
	w.raw("<DbInstancePort>0</DbInstancePort>")
	w.some("DBClusterIdentifier", d.cluster)
	w.flag("StorageEncrypted", d.encrypted)
	w.el("DbiResourceId", s.resourceID(d))
	w.flag("DeletionProtection", d.protected)
	w.el("DBInstanceArn", s.dbARN("db", d.id))
	writeDBTags(w, tags)
	w.close("DBInstance")
}

func writeDBTags(w *xw, tags []Tag) {
	w.open("TagList")
	for _, t := range tags {
		w.raw("<Tag>")
		w.el("Key", t.Key)
		w.el("Value", t.Value)
		w.raw("</Tag>")
	}
	w.close("TagList")
}

// tagged finds what an ARN names: its tags, and what to do before they change.
func (k *call) tagged() (tags *[]Tag, before func(), e *Error) {
	arn := k.p["ResourceName"]
	if arn == "" {
		return nil, nil, refuse("MissingParameter", "The request must contain the parameter ResourceName")
	}
	if id, ok := strings.CutPrefix(arn, k.scope.dbARN("db", "")); ok {
		d, e := k.findDB(id)
		if e != nil {
			return nil, nil, e
		}
		return &d.tags, func() { d.old = &lateView{until: k.ns(), tags: d.tags} }, nil
	}
	if id, ok := strings.CutPrefix(arn, k.scope.dbARN("cluster", "")); ok {
		cl, e := k.findCluster(id)
		if e != nil {
			return nil, nil, e
		}
		return &cl.tags, func() { cl.old = &lateView{until: k.ns(), tags: cl.tags} }, nil
	}
	if id, ok := strings.CutPrefix(arn, k.scope.dbARN("cluster-snapshot", "")); ok {
		s := k.scope.clusterSnapshots[id]
		if s == nil {
			return nil, nil, refuse("DBClusterSnapshotNotFoundFault", "DBClusterSnapshot not found: %s", id)
		}
		return &s.tags, func() {}, nil
	}
	if id, ok := strings.CutPrefix(arn, k.scope.dbARN("snapshot", "")); ok {
		s := k.scope.snapshots[id]
		if s == nil {
			return nil, nil, refuse("DBSnapshotNotFound", "DBSnapshot not found: %s", id)
		}
		return &s.tags, func() {}, nil
	}
	return nil, nil, refuse("InvalidParameterValue", "Invalid resource name: %s", arn)
}

func addTagsToResource(k *call, _ *xw) *Error {
	set, e := k.readTags("Tags")
	if e != nil {
		return e
	}
	if len(set) == 0 {
		return refuse("MissingParameter", "The request must contain the parameter Tags")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	tags, before, e := k.tagged()
	if e != nil {
		return e
	}
	merged, e := mergeTags(*tags, set)
	if e != nil {
		return e
	}
	before()
	*tags = merged
	return nil
}

func removeTagsFromResource(k *call, _ *xw) *Error {
	keys := k.p.list("TagKeys")
	if len(keys) == 0 {
		return refuse("MissingParameter", "The request must contain the parameter TagKeys")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	tags, before, e := k.tagged()
	if e != nil {
		return e
	}
	before()
	*tags = slices.DeleteFunc(slices.Clone(*tags), func(t Tag) bool { return slices.Contains(keys, t.Key) })
	return nil
}

func listTagsForResource(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	tags, _, e := k.tagged()
	if e != nil {
		return e
	}
	writeDBTags(w, *tags)
	return nil
}

// snap takes a snapshot; the scope's lock is held.
func (k *call) snap(d *database, id string, tags []Tag) (*snapshot, *Error) {
	if e := checkDBName("DBSnapshotIdentifier", id); e != nil {
		return nil, e
	}
	id = strings.ToLower(id)
	if k.scope.snapshots[id] != nil {
		return nil, refuse("DBSnapshotAlreadyExists", "Cannot create the snapshot because a snapshot with the identifier %s already exists.", id)
	}
	if len(k.scope.snapshots) >= maxSnapshots {
		return nil, refuse("SnapshotQuotaExceeded", "Cannot create more than %d manual snapshots", maxSnapshots)
	}
	now := k.ns()
	was := *d
	s := &snapshot{id: id, db: &was, created: now, ready: now + k.c.lasts("rds-snapshot", id, now), tags: tags}
	k.scope.snapshots[id] = s
	return s, nil
}

func createDBSnapshot(k *call, w *xw) *Error {
	given, e := k.readTags("Tags")
	if e != nil {
		return e
	}
	tags, e := mergeTags(nil, given)
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	d, e := k.findDB(k.p["DBInstanceIdentifier"])
	if e != nil {
		return e
	}
	if st := d.state(k.ns()); st != dbAvailable && st != dbStopped {
		return invalidState("Instance %s is not in a state in which a snapshot can be taken.", d.id)
	}
	s, e := k.snap(d, k.p["DBSnapshotIdentifier"], tags)
	if e != nil {
		return e
	}
	k.writeSnapshot(w, s)
	return nil
}

func deleteDBSnapshot(k *call, w *xw) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	id := strings.ToLower(k.p["DBSnapshotIdentifier"])
	s := k.scope.snapshots[id]
	if s == nil {
		return refuse("DBSnapshotNotFound", "DBSnapshot not found: %s", k.p["DBSnapshotIdentifier"])
	}
	if k.ns() < s.ready {
		return refuse("InvalidDBSnapshotState", "Cannot delete the snapshot because it is not currently in the available state.")
	}
	delete(k.scope.snapshots, id)
	k.writeSnapshot(w, s)
	return nil
}

func describeDBSnapshots(k *call, w *xw) *Error {
	sc := k.scope
	fs, e := readFilters(k, func(name string) field[*snapshot] {
		switch name {
		case "db-instance-id":
			return func(s *snapshot, is func(string) bool) bool { return is(s.db.id) || is(sc.dbARN("db", s.db.id)) }
		case "db-snapshot-id":
			return text(func(s *snapshot) string { return s.id })
		case "engine":
			return text(func(s *snapshot) string { return s.db.engine.name })
		case "snapshot-type":
			return text(func(*snapshot) string { return "manual" })
		}
		return nil
	})
	if e != nil {
		return e
	}
	if e := checkSnapshotType(k.p["SnapshotType"]); e != nil {
		return e
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	id, db, typ := strings.ToLower(k.p["DBSnapshotIdentifier"]), strings.ToLower(k.p["DBInstanceIdentifier"]), k.p["SnapshotType"]
	var found []*snapshot
	for _, s := range sc.snapshots {
		if (id == "" || id == s.id) && (db == "" || db == s.db.id) && (typ == "" || typ == "manual") && fs.match(s) {
			found = append(found, s)
		}
	}
	if id != "" && sc.snapshots[id] == nil {
		return refuse("DBSnapshotNotFound", "DBSnapshot %s not found.", k.p["DBSnapshotIdentifier"])
	}
	slices.SortFunc(found, func(a, b *snapshot) int { return strings.Compare(a.id, b.id) })
	list, next, e := dbPage(k, found, func(s *snapshot) string { return s.id })
	if e != nil {
		return e
	}
	w.some("Marker", next)
	w.open("DBSnapshots")
	for _, s := range list {
		k.writeSnapshot(w, s)
	}
	w.close("DBSnapshots")
	k.log.Items = len(list)
	return nil
}

func (k *call) writeSnapshot(w *xw, s *snapshot) {
	d := s.db
	w.open("DBSnapshot")
	w.el("DBSnapshotIdentifier", s.id)
	w.el("DBInstanceIdentifier", d.id)
	status, done := "available", 100
	if k.ns() < s.ready {
		status, done = "creating", 0
	}
	w.time("SnapshotCreateTime", instant(s.created))
	w.el("Engine", d.engine.name)
	w.int("AllocatedStorage", d.storage)
	w.el("Status", status)
	w.int("Port", d.port)
	w.el("AvailabilityZone", d.zone)
	w.el("VpcId", cmp.Or(d.vpc, k.scope.net.vpc))
	w.time("InstanceCreateTime", instant(d.created))
	w.some("MasterUsername", d.user)
	w.el("EngineVersion", d.version)
	w.el("LicenseModel", d.license)
	w.raw("<SnapshotType>manual</SnapshotType>")
	w.int("PercentProgress", done)
	w.el("StorageType", d.storType)
	w.flag("Encrypted", d.encrypted)
	w.el("DBSnapshotArn", k.scope.dbARN("snapshot", s.id))
	w.el("DbiResourceId", k.scope.resourceID(d))
	writeDBTags(w, s.tags)
	w.close("DBSnapshot")
}
