package config

import (
	"cmp"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
	"dayshift/internal/workload"
)

// Limits of AWS on what a configuration names (IAM, STS and tagging references).
const (
	maxTagKey     = 128  // characters of a tag key
	maxTagValue   = 256  // characters of a tag value, and so of a schedule's name
	maxPeriodName = 128  // ours: it is shown in every reason
	maxNote       = 1024 // ours: a note for people
	maxExternalID = 1224 // characters of an external ID
	maxProfile    = 128  // ours: characters of a profile's name
)

// Patterns of what AWS accepts. The schema repeats them.
const (
	patternAccount    = `^[0-9]{12}$`
	patternRegion     = `^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`
	patternRole       = `^arn:(aws|aws-cn|aws-us-gov):iam::([0-9]{12}):role/[\x21-\x7e]{1,512}$`
	patternSnapshot   = `^[a-z](-?[a-z0-9]){0,19}$`
	patternSession    = `^[A-Za-z0-9_+=,.@-]{2,64}$`
	patternExternalID = `^[A-Za-z0-9_+=,.@:/-]{2,}$`
	patternStore      = `^(sqlite:[^?#]+|memory:?)$`
	patternWindow     = `^[A-Za-z0-9_.-]{3,128}$` // the name of an SSM maintenance window
)

var (
	rolePattern       = regexp.MustCompile(patternRole)
	snapshotPattern   = regexp.MustCompile(patternSnapshot)
	sessionPattern    = regexp.MustCompile(patternSession)
	windowPattern     = regexp.MustCompile(patternWindow)
	externalIDPattern = regexp.MustCompile(patternExternalID)
)

// builder turns what was decoded into what the program works with, name by
// name, so that objects can join what a file says.
// maxSnapshotPrefix leaves room for the name of a database in the 63 characters of a snapshot's.
const maxSnapshotPrefix = 20

type builder struct {
	*decoder
	c   *Config
	l   *Loaded
	env Env

	zone       *time.Location // of schedules that name none; nil where it is a fault
	workloads  map[string]*workload.Workload
	periods    map[string]*calendar.Period
	calendars  map[string]*calendar.Holidays // nil: at fault
	exceptions datedOf
	days       map[string]int  // that the exceptions of a schedule stand for
	used       map[string]bool // periods that a schedule names
	observed   map[string]bool // holiday calendars that a schedule names
	waiting    map[string]bool // holiday calendars whose address has not been fetched yet, or gave nothing of use
	full       bool            // the file has too many exceptions of one schedule: no more of them are looked at

	lists map[string]*AccountList // of organizations, by key
	found map[string]string       // the roles of the accounts they have, by path

	objects   []*candidate    // in the order in which one can name the other
	fileNames map[string]bool // the paths of what the file has of their kinds
	setAside  int             // how many objects are
}

func newBuilder(d *decoder, c *Config, env Env) *builder {
	return &builder{
		decoder: d, c: c, env: env,
		l:         &Loaded{Book: policy.Book{TagKey: c.Tag, Schedules: map[string]*policy.Schedule{}}},
		workloads: map[string]*workload.Workload{},
		periods:   map[string]*calendar.Period{}, calendars: map[string]*calendar.Holidays{},
		exceptions: datedOf{}, days: map[string]int{},
		found: map[string]string{},
		used:  map[string]bool{}, observed: map[string]bool{}, waiting: map[string]bool{},
	}
}

// file checks what one field alone cannot tell, and compiles what the file says.
func (b *builder) file() {
	b.top()
	b.accounts()
	b.protect()
	var err error
	b.zone, err = calendar.LoadZone(b.c.Timezone)
	b.calendarFaults("", err)
	// A period with faults is stood in for, so that the schedules that name it are still checked for faults of their own.
	standIn, err := calendar.CompilePeriod(calendar.PeriodDef{Name: "-", Weekdays: calendar.DayField{"*"}})
	mustDefault(err)
	for _, name := range sortedKeys(b.c.Periods) {
		b.periods[name] = cmp.Or(b.period(name, b.c.Periods[name]), standIn)
	}
	for _, name := range sortedKeys(b.c.Holidays) {
		b.calendars[name] = b.calendar(name, b.c.Holidays[name])
	}
	for i, e := range b.c.Exceptions {
		if b.full {
			break
		}
		b.exception(index("exceptions", i), e)
	}
	for _, name := range sortedKeys(b.c.Schedules) {
		b.l.Book.Schedules[name] = b.schedule(name, b.c.Schedules[name])
	}
	b.tellings()
	if b.c.HookSecret.value != "" {
		b.c.HookSecret = b.hookSecret("hook_secret", b.c.HookSecret)
	}
	b.l.HookNetworks = b.networks("hook_networks", b.c.HookNetworks)
	for _, name := range sortedKeys(b.c.Workloads) {
		b.workloads[name] = b.workload(name, b.c.Workloads[name])
	}
	for _, name := range sortedKeys(b.c.Rules) {
		b.l.Book.Rules = append(b.l.Book.Rules, b.rule(name, b.c.Rules[name], time.Time{}, time.Time{}))
	}
	b.capacityTable()
	for _, name := range sortedKeys(b.c.Reservations) {
		b.l.Reservations = append(b.l.Reservations, b.reservation(name, b.c.Reservations[name]))
	}
}

// remarks warns of what is in order and yet hardly meant.
func (b *builder) remarks() {
	b.coverage()
	b.silentChannels()
	if len(b.c.Schedules) == 0 {
		b.warnAt("schedules", Fault{Problem: say.F("there are none, so nothing will be started or stopped"), Fix: say.F("add a schedule: see examples/minimal.yaml")})
	}
	for _, name := range sortedKeys(b.c.Periods) {
		if !b.used[name] && len(b.c.Schedules) > 0 {
			b.warnName(join("periods", name), Fault{Problem: say.F("is used by no schedule")})
		}
	}
	for name, list := range b.exceptions {
		if s := b.l.Book.Schedules[name]; s != nil && s.Calendar != nil {
			b.pastExceptions(list, s.Calendar.Location())
		}
	}
}

// top checks the single values at the top of the file.
func (b *builder) top() {
	c, l := b.c, b.l
	l.Book.Observe = c.Observe
	l.Book.WindowLead = time.Duration(c.ResyncInterval) + windowSlack
	if !snapshotPattern.MatchString(c.SnapshotPrefix) || len(c.SnapshotPrefix) > maxSnapshotPrefix {
		b.faultAt("snapshot_prefix", Fault{
			Text: c.SnapshotPrefix, Problem: say.F("can not begin the name of a snapshot"),
			Allowed: say.F("1 to %d small letters, digits and single hyphens, a letter first and no hyphen last", maxSnapshotPrefix),
		})
	}
	if problem := badTagText(c.Tag, maxTagKey); !problem.Empty() {
		b.faultAt("tag", Fault{Text: c.Tag, Problem: problem, Allowed: say.F("a tag key of 1 to %d characters", maxTagKey)})
	} else if strings.HasPrefix(strings.ToLower(c.Tag), "aws:") {
		b.faultAt("tag", Fault{Text: c.Tag, Problem: say.F("is a key that AWS keeps for itself"), Allowed: say.F("a tag key that does not begin with aws:")})
	} else if strings.HasPrefix(c.Tag, "dayshift:") {
		b.faultAt("tag", Fault{Text: c.Tag, Problem: say.F("is a key that Dayshift itself reads or writes"), Allowed: say.F("a tag key that does not begin with dayshift:")})
	}
	b.kinds()
	store, f := parseStore(c.Store)
	if f != nil {
		b.faultAt("store", *f)
	}
	l.Store = store
	if f := checkListen(c.Listen); f != nil {
		b.faultAt("listen", *f)
	}
	b.web()
	b.channels()
	b.chats()
	b.heartbeat()
}

// kinds checks the kinds of resources that are looked after.
func (b *builder) kinds() {
	known := make([]string, len(fleet.Kinds))
	for i, kind := range fleet.Kinds {
		known[i] = string(kind)
	}
	for i, kind := range b.c.Kinds {
		at := index("kinds", i)
		switch {
		case b.unread(at):
		case !slices.Contains(fleet.Kinds, kind):
			b.faultAt(at, Fault{Text: string(kind), Problem: say.F("is no kind of resource"), Allowed: say.Names(known), Fix: didYouMean(string(kind), known)})
		case slices.Contains(b.c.Kinds[:i], kind):
			b.faultAt(at, Fault{Text: string(kind), Problem: say.F("is given twice"), Fix: say.F("remove one of the two")})
		}
	}
	if _, written := b.at["kinds"]; written && len(b.c.Kinds) == 0 && !b.reported("kinds") {
		b.faultAt("kinds", Fault{Problem: say.F("is empty: nothing would be looked after"), Fix: say.F("name a kind, or remove the line for all of them")})
	}
}

// badTagText says why a text cannot be a tag key or value, or "".
func badTagText(text string, limit int) say.Text {
	switch {
	case text == "":
		return say.F("is empty")
	case strings.TrimSpace(text) != text:
		return say.F("has blanks at its ends")
	case utf8.RuneCountInString(text) > limit:
		return say.F("is longer than %d characters", limit)
	case strings.ContainsFunc(text, unicode.IsControl):
		return say.F("has a control character in it")
	}
	return say.Text{}
}

// Store says where Dayshift keeps what it remembers.
type Store struct {
	Engine StoreEngine
	Path   string // of the database file; empty for memory
}

// StoreEngine names an engine.
type StoreEngine string

// The engines of this version.
const (
	SQLite StoreEngine = "sqlite"
	Memory StoreEngine = "memory"
)

func parseStore(text string) (Store, *Fault) {
	allowed := say.F(`sqlite:PATH, or "memory:" for a store that forgets everything at the end`)
	engine, rest, colon := strings.Cut(text, ":")
	fault := func(problem, fix say.Text) *Fault {
		return &Fault{Text: urlUser.ReplaceAllString(text, "${1}"+redacted+"${3}"), Problem: problem, Allowed: allowed, Fix: fix}
	}
	switch {
	case strings.Contains(text, "${"):
		return Store{}, fault(say.F("has a variable in it, which is replaced in secrets only"), say.F("write the path out, or give it relative to the working directory"))
	case text == "memory" || text == "memory:":
		return Store{Engine: Memory}, nil
	case engine == "memory":
		return Store{}, fault(say.F("has something after memory:"), say.F(`write "memory:"`))
	case engine == "sqlite" && colon:
		switch {
		case strings.TrimSpace(rest) == "":
			return Store{}, fault(say.F("has no path"), say.F("write sqlite:dayshift.db"))
		case strings.HasPrefix(rest, "//"):
			return Store{}, fault(say.F("is an address, not a path"), say.F("write sqlite:%s, or sqlite:/%s for a path from the root", strings.TrimLeft(rest, "/"), strings.TrimLeft(rest, "/")))
		case strings.ContainsAny(rest, "?#") || strings.ContainsFunc(rest, unicode.IsControl):
			return Store{}, fault(say.F("has a character in its path that a database file cannot have (?, # or a control character)"), say.F("rename the file"))
		case strings.HasSuffix(rest, "/"):
			return Store{}, fault(say.F("is a folder"), say.F("add the name of the file: %sdayshift.db", text))
		case strings.TrimSpace(rest) == ":memory:":
			return Store{}, fault(say.F("is SQLite's name for a store in memory"), say.F(`write "memory:"`))
		}
		return Store{Engine: SQLite, Path: rest}, nil
	case slices.Contains([]string{"postgres", "postgresql", "dynamodb", "mysql"}, engine) && colon:
		shown := &Fault{Text: engine + ":…", Problem: say.F("is a store that is not in this version"), Allowed: allowed, Fix: say.F("use sqlite:dayshift.db")}
		return Store{}, shown
	case strings.HasSuffix(text, ".db") || strings.HasSuffix(text, ".sqlite"):
		return Store{}, fault(say.F("does not say which store it is"), say.F("write sqlite:%s", text))
	}
	return Store{}, fault(say.F("is not a store"), didYouMean(engine, []string{"sqlite", "memory"}))
}

func checkListen(text string) *Fault {
	f := &Fault{Text: text, Allowed: say.F("HOST:PORT such as 127.0.0.1:8080, or :8080 for every address of the machine")}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		f.Problem = say.F("is not an address with a port")
		if _, err := strconv.ParseUint(text, 10, 16); err == nil {
			f.Fix = say.F("write 127.0.0.1:%s", text)
		}
		return f
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		f.Problem = say.F("has a port that is not a number from 0 to 65535")
		return f
	}
	if net.ParseIP(host) == nil && strings.ContainsFunc(host, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '-' && r != '%' && r != ':'
	}) {
		f.Problem = say.F("has a host that is neither a name nor an address")
		return f
	}
	return nil
}

// accounts checks accounts, roles, secrets and regions.
func (b *builder) accounts() {
	c, l := b.c, b.l
	seen := map[fleet.AccountID]string{}
	withoutRole := map[string]string{} // by profile
	for i := range c.Accounts {
		a := &c.Accounts[i]
		path := index("accounts", i)
		if b.unread(path) && a.ID == "" && a.Role == "" && len(a.Regions) == 0 {
			continue
		}
		if _, written := b.at[path+".id"]; written {
			if _, err := fleet.ParseAccountID(string(a.ID)); err != nil {
				b.faultAt(path+".id", Fault{Text: string(a.ID), Problem: say.F("is not an AWS account ID"), Allowed: say.F(`exactly twelve digits, in quotes, such as "111122223333"`), Fix: fixAccount(string(a.ID))})
			} else if first, twice := seen[a.ID]; twice {
				b.faultAt(path+".id", Fault{Text: string(a.ID), Problem: say.F("is given twice: the first time on line %d", b.at[first+".id"].line), Fix: say.F("put all regions of the account into one entry")})
			} else {
				seen[a.ID] = path
			}
		}
		b.role(path, a)
		if a.Role == "" {
			if first := withoutRole[a.Profile]; first != "" {
				b.faultAt(path, Fault{
					Problem: say.F("has no role, and neither has the account on line %d: the credentials at hand belong to one account", b.at[first].line),
					Fix:     say.F("add role: arn:%s:iam::%s:role/dayshift, or a profile of its own", partitionOf(a), cmp.Or(string(a.ID), "ACCOUNT")),
				})
			} else {
				withoutRole[a.Profile] = path
			}
		}
		b.externalID(path, a, b.env)
		if !sessionPattern.MatchString(a.SessionName) {
			b.faultAt(path+".session_name", Fault{Text: a.SessionName, Problem: say.F("is not a session name"), Allowed: say.F("2 to 64 letters, digits and _ + = , . @ -")})
		}
		if problem := badNote(a.Name, maxTagValue); !problem.Empty() {
			b.faultAt(path+".name", Fault{Text: a.Name, Problem: problem})
		}
		if _, written := b.at[path+".profile"]; written {
			if problem := badTagText(a.Profile, maxProfile); !problem.Empty() {
				b.faultAt(path+".profile", Fault{Text: a.Profile, Problem: problem, Allowed: say.F("the name of a profile in ~/.aws/config")})
			}
		}
		b.regions(path, a)
	}
	b.organizations()
	b.discovered()
	b.eventQueue()
	if len(c.Accounts) == 0 && len(c.Organizations) == 0 {
		b.warnAt("accounts", Fault{Problem: say.F("there are none, so nothing will be started or stopped"), Fix: say.F("add an account: see examples/minimal.yaml")})
	}
	b.partitions(c)
	for _, a := range l.Accounts {
		for _, region := range a.Regions {
			l.Scopes = append(l.Scopes, fleet.Scope{Account: a.ID, Region: region})
		}
	}
	slices.SortFunc(l.Scopes, fleet.Scope.Compare)
}

func fixAccount(text string) say.Text {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
	if len(digits) == 12 && digits != text {
		return say.F(`write "%s"`, digits)
	}
	if len(digits) == len(text) && len(digits) > 0 && len(digits) < 12 {
		return say.F("it has %s digits: a leading zero may have been lost", strconv.Itoa(len(digits)))
	}
	return say.Text{}
}

func (d *decoder) role(path string, a *Account) {
	at := path + ".role"
	if a.Role == "" {
		if _, written := d.at[at]; written {
			d.faultAt(at, Fault{Problem: say.F("is empty"), Fix: say.F("remove the line to use the credentials at hand")})
		}
		return
	}
	parts := rolePattern.FindStringSubmatch(a.Role)
	if parts == nil {
		f := Fault{Text: a.Role, Problem: say.F("is not the ARN of an IAM role"), Allowed: say.F("arn:PARTITION:iam::ACCOUNT:role/NAME with partition aws, aws-cn or aws-us-gov")}
		switch {
		case strings.Contains(a.Role, ":user/"), strings.Contains(a.Role, ":assumed-role/"), strings.Contains(a.Role, ":instance-profile/"):
			f.Fix = say.F("name the role itself")
		case !strings.Contains(a.Role, ":") && a.Role != "":
			f.Fix = say.F("write arn:%s:iam::%s:role/%s", partitionOf(a), cmp.Or(string(a.ID), "ACCOUNT"), strings.TrimPrefix(a.Role, "role/"))
		}
		d.faultAt(at, f)
		return
	}
	if a.ID != "" && parts[2] != string(a.ID) {
		d.faultAt(at, Fault{Text: a.Role, Problem: say.F("is a role of account %s, not of %s", parts[2], a.ID), Fix: say.F("correct the role or the id: a role acts in its own account only")})
	}
}

// partitionOf is the partition of the account's first region.
func partitionOf(a *Account) fleet.Partition {
	if len(a.Regions) == 0 {
		return fleet.AWS
	}
	return a.Regions[0].Partition()
}

// Partition is the part of AWS that the account belongs to.
func (a Account) Partition() fleet.Partition { return partitionOf(&a) }

func (d *decoder) regions(path string, a *Account) {
	seen := map[fleet.Region]bool{}
	role := rolePattern.FindStringSubmatch(a.Role)
	if _, written := d.at[path+".regions"]; len(a.Regions) == 0 {
		if _, key := d.keys[path+".regions"]; (written || key) && !d.reported(path+".regions") {
			d.faultAt(path+".regions", Fault{Problem: say.F("is empty"), Fix: say.F("name at least one region, such as [ap-northeast-2]")})
		}
		return
	}
	var first fleet.Region
	for i, region := range a.Regions {
		at := index(path+".regions", i)
		f := Fault{Text: string(region)}
		switch _, err := fleet.ParseRegion(string(region)); {
		case err != nil:
			f.Problem, f.Allowed = say.F("is not an AWS region"), say.F("a region code such as ap-northeast-2 or cn-north-1")
			f.Fix = didYouMean(string(region), knownRegions)
			if text := string(region); f.Fix.Empty() && text != "" && slices.Contains(knownRegions, text[:len(text)-1]) {
				f.Fix = say.F("that looks like an availability zone: write %s", text[:len(text)-1])
			}
			d.faultAt(at, f)
			continue
		case seen[region]:
			f.Problem, f.Fix = say.F("is given twice"), say.F("remove one of the two")
			d.faultAt(at, f)
			continue
		case role != nil && role[1] != string(region.Partition()): //nolint:gocritic // a match of the pattern has all its groups
			f.Problem = say.F("is in the partition %s, and the role is in %s", region.Partition(), role[1])
			f.Fix = say.F("an account lives in one partition: is the role arn:%s:iam::…?", region.Partition())
			d.faultAt(at, f)
		case role == nil && first != "" && first.Partition() != region.Partition():
			f.Problem = say.F("is in the partition %s, and %s is in %s", region.Partition(), first, first.Partition())
			f.Fix = say.F("an account lives in one partition: make two entries")
			d.faultAt(at, f)
		}
		if fix := didYouMean(string(region), knownRegions); !fix.Empty() && !slices.Contains(knownRegions, string(region)) {
			d.warnAt(at, Fault{Text: string(region), Problem: say.F("is not a region that this version knows; it is asked all the same"), Fix: fix})
		}
		seen[region] = true
		first = cmp.Or(first, region)
	}
}

// partitions warns of accounts that one set of credentials cannot reach.
func (d *decoder) partitions(c *Config) {
	first := map[string]fleet.Partition{} // of each profile
	for i, a := range c.Accounts {
		p := a.Partition()
		if other, seen := first[a.Profile]; seen && other != p && a.Role != "" {
			d.warnAt(index("accounts", i)+".role", Fault{
				Text: a.Role, Problem: say.F("is in the partition %s, other accounts with the same credentials are in %s: credentials of one partition cannot assume a role in another", p, other),
				Fix: say.F("give the account a profile with credentials of its partition"),
			})
		}
		if first[a.Profile] == "" {
			first[a.Profile] = p
		}
	}
}

// externalID looks the secret up. It never shows the value.
func (d *decoder) externalID(path string, a *Account, env Env) {
	at := path + ".external_id"
	if _, written := d.at[at]; !written {
		return
	}
	value, source, f := env.secret(a.ExternalID.value)
	a.ExternalID = Secret{}
	if f != nil {
		d.faultAt(at, *f)
		return
	}
	if !externalIDPattern.MatchString(value) || len(value) > maxExternalID {
		d.faultAt(at, Fault{Problem: say.F("is not an external ID (the value is not shown; it comes from %s)", source), Allowed: say.F("2 to 1224 letters, digits and _ + = , . @ : / -")})
		return
	}
	a.ExternalID = Secret{value: value, source: source}
	if a.Role == "" {
		d.faultAt(at, Fault{Problem: say.F("has no role to go with: an external ID is sent when a role is assumed"), Fix: say.F("add the role, or remove the external_id")})
	}
}

func (b *builder) protect() {
	for i, text := range b.c.Protect {
		at := index("protect", i)
		if b.unread(at) {
			continue
		}
		if filter := b.filter(at, text); !filter.IsZero() {
			b.l.Book.Protected = append(b.l.Book.Protected, filter)
		}
	}
}

func badNote(text string, limit int) say.Text {
	if utf8.RuneCountInString(text) > limit {
		return say.F("is longer than %d characters", limit)
	}
	return say.Text{}
}

// entryName checks the name of an entry that people give in other places.
func (d *decoder) entryName(path, name string, limit int) {
	if problem := badTagText(name, limit); !problem.Empty() {
		d.nameFault(path, Fault{Text: name, Problem: say.F("is not a name: it %s", problem), Allowed: say.F("1 to %d characters", limit)})
	}
}

// period compiles a period; nil where it has a fault.
func (b *builder) period(name string, p Period) *calendar.Period {
	path := join("periods", name)
	b.note(path+".description", p.Description)
	compiled, err := calendar.CompilePeriod(calendar.PeriodDef{
		Name: name, BeginTime: p.BeginTime, EndTime: p.EndTime,
		Weekdays: p.Weekdays, MonthDays: p.MonthDays, Months: p.Months, OnHolidays: p.OnHolidays, Description: p.Description,
	})
	b.calendarFaults(path, err)
	if err != nil {
		return nil
	}
	b.entryName(path, name, maxPeriodName)
	return compiled
}

// schedule compiles a schedule and hands on every fault that the calendar finds in it.
func (b *builder) schedule(name string, s Schedule) *policy.Schedule {
	path := join("schedules", name)
	if problem := badTagText(name, maxTagValue); !problem.Empty() {
		b.nameFault(path, Fault{Text: name, Problem: say.F("is not a name: it %s", problem), Allowed: say.F("what a tag value can hold: 1 to %d characters", maxTagValue)})
	}
	b.note(path+".description", s.Description)
	if len(s.Periods) == 0 && s.OverrideStatus == "" && !b.reported(path+".periods") && !b.unread(path) {
		b.faultAt(path, Fault{Problem: say.F("has no periods, which would keep everything stopped for ever"), Fix: say.F("add periods: [NAME], or override_status: stopped when that is meant")})
	}
	compiled, err := b.compile(name, s)
	b.calendarFaults(path, err)
	for _, ref := range s.Periods {
		period, _, _ := strings.Cut(ref, "@")
		b.used[strings.TrimSpace(period)] = true
	}
	snapshot := ""
	if s.SnapshotBeforeStop {
		snapshot = b.c.SnapshotPrefix
	}
	return &policy.Schedule{
		Name: name, Description: s.Description, Calendar: compiled, Snapshot: snapshot, MuteAlarms: b.mutes(path, s.MuteAlarms),
		Enabled: s.Enabled, Enforced: s.Enforced, RetainRunning: s.RetainRunning,
		StopNewInstances: s.StopNewInstances, NewResourceGrace: time.Duration(s.NewResourceGrace),
		UseMaintenanceWindow: s.UseMaintenanceWindow, SSMWindows: b.windows(path, s), Hibernate: s.Hibernate, Mode: s.Mode,
		MaxManualUptime: time.Duration(s.MaxManualUptime), NotifyBeforeStop: time.Duration(s.NotifyBeforeStop),
		Jitter: time.Duration(s.Jitter), Observe: s.Observe,
		Verify:           s.Verify,
		CapacityDeadline: time.Duration(cmp.Or(s.CapacityDeadline, b.c.CapacityDeadline)),
	}
}

// mutes reports whether an entry mutes alarms: as it says itself, else as the file does.
func (b *builder) mutes(path string, own bool) bool {
	if _, written := b.at[path+".mute_alarms"]; written {
		return own
	}
	return b.c.MuteAlarms
}

// compile makes the calendar of a schedule, with the exceptions that are known so far.
func (b *builder) compile(name string, s Schedule) (*calendar.Schedule, error) {
	return calendar.CompileWith(calendar.ScheduleDef{
		Name: name, Timezone: s.Timezone, OverrideStatus: b.writtenWord(s.OverrideStatus),
		Periods: s.Periods, StartLead: time.Duration(s.StartLead),
		Holidays: b.observes(join("schedules", name), s.Holidays), Exceptions: b.exceptions.of(name),
	}, b.periods, b.zone)
}

// writtenWord leaves out an override_status that was refused already.
func (d *decoder) writtenWord(status string) string {
	if status == "running" || status == "stopped" {
		return status
	}
	return ""
}

// abbreviation is what a zone's abbreviation looks like: KST, CEST.
var abbreviation = regexp.MustCompile(`^[A-Za-z]{2,4}$`)

// nameFault notes a fault of a key.
func (d *decoder) nameFault(path string, f Fault) {
	f.Path = path
	d.fault(d.keys[path], f)
}

// reported tells whether a fault of the field or of a part of it was noted.
func (d *decoder) reported(path string) bool {
	return slices.ContainsFunc(d.faults, func(f Fault) bool {
		rest, ok := strings.CutPrefix(f.Path, path)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// unread tells whether the value could not be read at all, so that what is
// checked of it later would only repeat that.
func (d *decoder) unread(path string) bool {
	return slices.ContainsFunc(d.faults, func(f Fault) bool { return f.Path == path })
}

// calendarFaults hands on what the calendar found, each at the place of the text it is about.
func (d *decoder) calendarFaults(path string, err error) {
	for _, e := range calendar.Faults(err) {
		f := Fault{Path: path, Text: e.Text, Problem: e.Problem, Allowed: e.Allowed, Fix: e.Hint}
		switch e.Field {
		case "":
			// A period whose only day or time was refused has said one all the same.
			if !slices.ContainsFunc([]string{"begintime", "endtime", "weekdays", "monthdays", "months"}, func(field string) bool { return d.reported(path + "." + field) }) {
				d.faultAt(path, f)
			}
		case "name":
			d.nameFault(path, f)
		default:
			if e.Field == "timezone" && abbreviation.MatchString(e.Text) {
				f.Fix = say.F("an abbreviation means different zones to different people: write the zone of a city, such as Asia/Seoul")
			}
			field := e.Field
			if path != "" {
				field = path + "." + field
			}
			if f.Text != "" || !d.reported(field) {
				d.within(field, f)
			}
		}
	}
}

// within notes a fault of a part of a value: of one item of a list, of one atom between commas.
func (d *decoder) within(path string, f Fault) {
	f.Path = path
	at, ok := d.at[path]
	if !ok {
		at = d.keys[path]
	}
	for i := 0; ; i++ {
		item, ok := d.at[index(path, i)]
		if !ok {
			break
		}
		if contains(item.text, f.Text) {
			f.Path, at = index(path, i), item
			break
		}
	}
	d.fault(d.narrow(at, f.Text), f)
}

// contains reports whether a text with commas has the part.
func contains(text, part string) bool {
	return slices.ContainsFunc(strings.Split(text, ","), func(s string) bool { return strings.TrimSpace(s) == strings.TrimSpace(part) })
}

// narrow moves a spot to a part of its text, where the part can be seen on the line.
func (d *decoder) narrow(at spot, part string) spot {
	part = strings.TrimSpace(part)
	if part == "" || at.line < 1 || at.line > len(d.src.lines) || !strings.Contains(at.text, ",") {
		return at
	}
	line := []rune(d.src.lines[at.line-1])
	if at.column-1 >= len(line) {
		return at
	}
	rest := string(line[at.column-1:])
	offset := 0
	for piece := range strings.SplitSeq(rest, ",") {
		if strings.Trim(piece, " \t\"'[]}") == part {
			skipped := strings.Index(piece, part)
			at.column += utf8.RuneCountInString(rest[:offset+skipped])
			at.width = utf8.RuneCountInString(part)
			return at
		}
		offset += len(piece) + 1
	}
	return at
}

// warnAt notes something that is no fault but that people should know.
func (d *decoder) warnAt(path string, f Fault) {
	f.Path = path
	at, ok := d.at[path]
	if !ok {
		at = d.keys[path]
	}
	d.warn(at, f)
}

// warnName notes something of an entry as a whole, at its name.
func (d *decoder) warnName(path string, f Fault) {
	f.Path = path
	d.warn(d.keys[path], f)
}

func (d *decoder) warn(at spot, f Fault) {
	f.Line, f.Column = at.line, at.column
	d.warnings = append(d.warnings, cmp.Or(at.src, d.src).fault(f, at.width))
}

// knownRegions serve spelling only: a region that is not among them is taken all the same.
var knownRegions = strings.Fields(`
	af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2
	ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7
	ca-central-1 ca-west-1 cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2
	eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1
	us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2`)
