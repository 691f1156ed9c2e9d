package awssim

import (
	"fmt"
	"slices"
	"time"
)

// Backup is a backup or snapshot that is under way from when it is loaded.
type Backup struct {
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	// Of is an instance by id, name or pattern of either; of a job also a database or cluster by identifier.
	Of string `yaml:"of"`
	// Kind is snapshot (of the root volume, by EBS) or job (of AWS Backup).
	Kind string `yaml:"kind"`
	// For is how long it takes from now on.
	For Duration `yaml:"for"`
}

// backup is one at work.
type backup struct {
	id, kind    string
	of          string // as the fleet names it
	arn, volume string
	began, ends int64
}

const (
	backupSnapshot = "snapshot"
	backupJob      = "job"
)

// backupService is the row of AWS Backup.
func backupService() *service {
	return &service{
		name: "backup", protocol: restJSON,
		words: map[string]string{
			"InvalidParameterValue": "InvalidParameterValueException", "InvalidParameterCombination": "InvalidParameterValueException",
			"UnknownParameter": "InvalidParameterValueException", "InvalidAction": "UnknownOperationException", "AccessDenied": "AccessDeniedException",
			"ExpiredToken": "ExpiredTokenException", "InvalidClientTokenId": "UnrecognizedClientException", "Throttling": "ThrottlingException",
		},
		actions: map[string]*action{
			"ListBackupJobs": does(read, "state resourceArn maxResults nextToken", "resourceArn", listBackupJobs).at("GET /backup-jobs/"),
		},
	}
}

func (b *Backup) check(bad func(field, format string, args ...any), parts map[string]string) {
	checkPlace(b.Account, b.Region, bad, parts)
	if b.Of == "" {
		bad("of", "name an instance, database or cluster")
	}
	if b.Kind != backupSnapshot && b.Kind != backupJob {
		bad("kind", "%q is not known: %s, %s", b.Kind, backupSnapshot, backupJob)
	}
	if b.For <= 0 {
		bad("for", "say how long it takes")
	}
}

// addBackups makes the backups of an entry that check accepts; the scope's lock
// is held, and its resources are there.
func (s *scope) addBackups(b *Backup, now int64) {
	var made []*backup
	add := func(arn, volume string) {
		made = append(made, &backup{kind: b.Kind, of: b.Of, arn: arn, volume: volume, began: now, ends: now + int64(b.For)})
	}
	for _, id := range s.instancesNamed(b.Of) {
		add(fmt.Sprintf("arn:%s:ec2:%s:%s:instance/%s", s.region.partition, s.region.name, s.account.id, id), s.byID[id].volume())
	}
	if b.Kind == backupJob {
		if d := s.dbByID[b.Of]; d != nil {
			add(fmt.Sprintf("arn:%s:rds:%s:%s:db:%s", s.region.partition, s.region.name, s.account.id, d.id), "")
		}
		if c := s.clusterByID(b.Of); c != nil {
			add(fmt.Sprintf("arn:%s:rds:%s:%s:cluster:%s", s.region.partition, s.region.name, s.account.id, c.id), "")
		}
	}
	for _, one := range made {
		if one.id = hex17("snap-", s.c.mint()); one.kind == backupJob {
			one.id = uuid(s.c.seed, s.c.mint())
		}
	}
	s.backups = append(s.backups, made...)
}

// state is pending or RUNNING while it is under way.
func (b *backup) state(now int64) string {
	switch under := now < b.ends; {
	case b.kind == backupSnapshot && under:
		return "pending"
	case b.kind == backupSnapshot:
		return "completed"
	case under:
		return "RUNNING"
	}
	return "COMPLETED"
}

func describeSnapshots(k *call, w *xw) *Error {
	now := k.ns()
	fs, e := readFilters(k, func(name string) field[*backup] {
		switch name {
		case "status":
			return text(func(b *backup) string { return b.state(now) })
		case "volume-id":
			return text(func(b *backup) string { return b.volume })
		case "snapshot-id":
			return text(func(b *backup) string { return b.id })
		}
		return nil
	})
	if e != nil {
		return e
	}
	owners := k.p.list("Owner")
	if len(owners) > 0 && !slices.Contains(owners, "self") && !slices.Contains(owners, k.scope.account.id) {
		return refuse("InvalidParameterValue", "The simulator has the account's own snapshots alone")
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	var found []*backup
	for _, b := range k.scope.backups {
		if b.kind == backupSnapshot && fs.match(b) {
			found = append(found, b)
		}
	}
	from, to, next, e := k.window(len(found), 1000, 5, 1000)
	if e != nil {
		return e
	}
	w.open("snapshotSet")
	for _, b := range found[from:to] {
		w.open("item")
		w.el("snapshotId", b.id)
		w.el("volumeId", b.volume)
		w.el("status", b.state(now))
		w.time("startTime", instant(b.began))
		progress := "100%"
		if now < b.ends {
			progress = fmt.Sprintf("%d%%", (now-b.began)*100/(b.ends-b.began))
		}
		w.el("progress", progress)
		w.el("ownerId", k.scope.account.id)
		w.int("volumeSize", 8)
		w.close("item")
		k.log.Items++
	}
	w.close("snapshotSet")
	w.some("nextToken", next)
	return nil
}

func listBackupJobs(k *call, w *xw) *Error {
	state, arn := k.p["state"], k.p["resourceArn"]
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	list := []doc{}
	for _, b := range k.scope.backups {
		is := b.state(k.ns())
		if b.kind != backupJob || state != "" && is != state || arn != "" && b.arn != arn {
			continue
		}
		list = append(list, doc{{"BackupJobId", b.id}, {"AccountId", k.scope.account.id}, {"ResourceArn", b.arn}, {"State", is}, {"CreationDate", instant(b.began)}})
	}
	size, e := k.p.number("maxResults", 1000, 1, 1000)
	if e != nil {
		return e
	}
	after, e := k.cursor("nextToken")
	if e != nil {
		return e
	}
	from := min(int(after), len(list))
	to := min(from+size, len(list))
	answer := doc{{"BackupJobs", list[from:to]}}
	if to < len(list) {
		answer = append(answer, member{"NextToken", k.token("nextToken", uint64(to))})
	}
	k.log.Items = to - from
	return k.answerDoc(w, answer)
}

// describeBackups gives what is still under way as a fleet's entries.
func (s *scope) describeBackups(now int64) []Backup {
	var out []Backup
	for _, b := range s.backups {
		if now < b.ends {
			out = append(out, Backup{Account: s.account.id, Region: s.region.name, Of: b.of, Kind: b.kind, For: Duration(time.Duration(b.ends - now))})
		}
	}
	return slices.Compact(out)
}
