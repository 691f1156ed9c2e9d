package config

import (
	"dayshift/internal/calendar"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
)

// Config is the whole configuration, every default filled in.
//
// The comment of each field is its line in the reference, and the first
// paragraph of each struct's comment stands above its table. Tags: yaml is the key; default is the value of an absent key; min and max
// are the bounds of a number or duration; enum lists the allowed words;
// example is what the reference shows; unless names a key, and how its text
// begins where a required key is not; section is the heading under which a structure is described; form names a check of form that the
// schema repeats as a pattern.
type Config struct {
	// The time zone of schedules that name none, as an IANA name.
	Timezone string `yaml:"timezone" default:"UTC" example:"Asia/Seoul" form:"zone"`
	// The language of messages to channels that name none.
	Language string `yaml:"language" default:"en" example:"ko" enum:"en,zh-CN,ko"`
	// The key of the resource tag whose value names a schedule.
	Tag string `yaml:"tag" default:"Schedule" form:"tagkey"`
	// Where memory, activity and the lease are kept: `sqlite:PATH` or `"memory:"`, in quotes because of the colon at its end. A relative PATH is relative to the working directory; `memory:` forgets everything when the program ends.
	Store string `yaml:"store" default:"sqlite:dayshift.db" example:"sqlite:/var/lib/dayshift/dayshift.db" form:"store"`
	// The AWS accounts and regions to look after.
	Accounts []Account `yaml:"accounts"`
	// Organizations of AWS Organizations whose accounts are looked after too. An account with an entry of its own under accounts is as that says.
	Organizations []Organization `yaml:"organizations"`
	// Named windows of time. Schedules are put together from them.
	Periods map[string]Period `yaml:"periods" form:"periodname"`
	// Schedules by name. A resource takes part by carrying the name in its schedule tag.
	Schedules map[string]Schedule `yaml:"schedules" form:"schedulename"`
	// Holiday calendars by name: days off and make-up working days. A schedule names those that hold for it.
	Holidays map[string]Holidays `yaml:"holidays" form:"calendarname"`
	// Dated exceptions: on these dates a schedule starts or stops at another time, or not at all.
	Exceptions []Exception `yaml:"exceptions"`
	// Workloads by name: tiers of resources that start and stop in an order, as a whole.
	Workloads map[string]Workload `yaml:"workloads" form:"workloadname"`
	// The secret that calls of workloads' hooks and vetoes to webhooks are signed with, 16 characters or more. Absent: they are not signed.
	HookSecret Secret `yaml:"hook_secret" example:"${DAYSHIFT_HOOK_SECRET}" form:"externalid"`
	// Networks of your own that the hooks and vetoes of workloads may call webhooks in: addresses that the internet does not route
	// are refused elsewhere, and the cloud's metadata service always.
	HookNetworks []string `yaml:"hook_networks" example:"[10.0.0.0/8]" form:"network"`
	// Rules by name: at the instants of an expression, do something with what a filter matches.
	Rules map[string]Rule `yaml:"rules" form:"rulename"`
	// Reservations by name: EC2 capacity that is held while it is wanted, and given back after. [Capacity](capacity.md) tells how.
	Reservations map[string]Reservation `yaml:"reservations" form:"reservationname"`
	// How capacity is reserved, and how much money that may cost.
	Capacity Capacity `yaml:"capacity"`
	// Channels by name: where people are told what was done and what needs them. [Notifications](notifications.md) says what is sent.
	Channels map[string]Channel `yaml:"channels" form:"channelname"`
	// Chats by name: where people ask and command from, in their own words. [Chat](chat.md) says how each is set up.
	Chats map[string]Chat `yaml:"chats" form:"chatname"`
	// Who is known in chats, by name, and what they may do there. The record has the name.
	People map[string]Person `yaml:"people" form:"text"`
	// A sign of life to a monitor outside, which tells when it stays away. [When Dayshift itself is silent](notifications.md#when-dayshift-itself-is-silent).
	Heartbeat Heartbeat `yaml:"heartbeat"`
	// What people may decide for a while on the command line, against the schedules.
	Overrides Overrides `yaml:"overrides"`
	// true: everything is decided and recorded, but nothing is started, stopped or changed. For a first look at what a configuration would do.
	Observe bool `yaml:"observe" default:"false"`
	// How long a start is tried for which AWS has no capacity, with growing gaps, where the schedule does not say.
	CapacityDeadline Duration `yaml:"capacity_deadline" default:"2h" min:"1m" max:"30d"`
	// The kinds of resources that are listed and acted on; absent: all. A role that was made before a kind existed needs no new permissions where that is left out. What is remembered of a kind that is left out stays.
	Kinds []fleet.Kind `yaml:"kinds" example:"[ec2_instance, rds_instance]" form:"kind"`
	// Filters such as `tag:env=prod`: what any of them matches is never touched. So is everything with the tag `dayshift:protect` = `true`.
	Protect []string `yaml:"protect" example:"tag:env=prod" form:"filter"`
	// How much one pass may stop before a person has to confirm.
	Limits Limits `yaml:"limits"`
	// How often everything is looked at again between schedule boundaries, to repair what has drifted. Looks before a boundary are spread evenly up to it, at most an eighth (8 minutes) further apart, where that saves one. Boundaries themselves are met to the second whatever this says.
	ResyncInterval Duration `yaml:"resync_interval" default:"5m" min:"10s" max:"24h"`
	// Where AWS says at once what changes. Without it, what people change by hand is seen at the next look: at a boundary, or after resync_interval.
	Events Events `yaml:"events"`
	// Which informational tags are written on resources.
	Tags Tags `yaml:"tags"`
	// How the names of the snapshots begin that snapshot_before_stop takes: `PREFIX-stopped-DATABASE-TIME`. The policies of the role allow the default.
	SnapshotPrefix string `yaml:"snapshot_prefix" default:"dayshift" form:"snapshotprefix"`
	// true: the CloudWatch alarms of what schedules and rules stop have their actions disabled from the stop until it runs again. Needs the permissions of the policy "Alarms". Schedules and rules may say it for themselves.
	MuteAlarms bool `yaml:"mute_alarms" default:"false"`
	// How AWS is called.
	AWS AWS `yaml:"aws"`
	// What is logged and how.
	Log Log `yaml:"log"`
	// Where `serve` listens for the page, the API and health checks, as HOST:PORT. Metrics are served there too as long as that is an address of this machine alone and metrics_listen is absent.
	Listen string `yaml:"listen" default:"127.0.0.1:8080" form:"listen"`
	// The address at which people open the page, for links in messages. Absent: that of auth.oidc.redirect_url; without either, messages have no links.
	PageURL string `yaml:"page_url" example:"https://dayshift.example.com" form:"url"`
	// Where metrics are served instead, as HOST:PORT; nobody is asked for a key there.
	MetricsListen string `yaml:"metrics_listen" example:"127.0.0.1:9090" form:"listen"`
	// true: Go's profiles are served at /debug/pprof beside the metrics. Needs metrics_listen.
	Pprof bool `yaml:"pprof" default:"false"`
	// The certificate that browsers are shown. Absent: plain HTTP, for this machine alone or behind a proxy.
	TLS TLS `yaml:"tls"`
	// Addresses of proxies, as networks: what they say of whom they speak for and by which protocol is believed, and of nobody else.
	TrustedProxies []string `yaml:"trusted_proxies" example:"[10.0.0.0/8]" form:"network"`
	// Who may ask the page and the API, beside those who have a key.
	Auth Auth `yaml:"auth"`
}

// TLS is a certificate with its key, in two files. They are read again when
// they change, so that a renewed certificate needs no restart; one that can not be used leaves the last good one.
type TLS struct {
	// The certificate, with those of the authorities in between behind it, in PEM; relative to the folder of this file.
	Cert string `yaml:"cert" required:"true" example:"/etc/dayshift/tls.crt" form:"path"`
	// Its private key in PEM.
	Key string `yaml:"key" required:"true" example:"/etc/dayshift/tls.key" form:"path"`
}

// Auth says who may ask without a key, and who signs in with an identity provider.
type Auth struct {
	// `read`: whoever reaches the page may look at everything, and change nothing. `none`: nothing without a key or a sign-in.
	Anonymous string `yaml:"anonymous" default:"none" enum:"none,read"`
	// An identity provider that people sign in with.
	OIDC OIDC `yaml:"oidc"`
}

// OIDC is an identity provider that speaks OpenID Connect.
type OIDC struct {
	// What people call it: the word on the button.
	Name string `yaml:"name" example:"Company login" form:"label"`
	// Its address, exactly as it calls itself; `https://`, or `http://` on this machine.
	Issuer string `yaml:"issuer" required:"true" example:"https://login.example.com/realms/shop" form:"url"`
	// What it calls Dayshift.
	ClientID string `yaml:"client_id" required:"true" example:"dayshift" form:"text"`
	// The secret that goes with it, written as an external_id. Absent: a public client.
	ClientSecret Secret `yaml:"client_secret" example:"${DAYSHIFT_OIDC_SECRET}" form:"externalid"`
	// Where it leads people back to: the address of this page as browsers see it, with /api/v1/session/oidc/callback behind it, and as it is registered with the provider.
	RedirectURL string `yaml:"redirect_url" required:"true" example:"https://dayshift.example.com/api/v1/session/oidc/callback" form:"url"`
	// What is asked for beside openid. Absent: profile and email.
	Scopes []string `yaml:"scopes" example:"[profile, email, groups]" form:"text"`
	// The claim of the ID token that people's groups are in; with dots it is a path.
	GroupsClaim string `yaml:"groups_claim" default:"groups" example:"realm_access.roles" form:"text"`
	// What groups give. Who is in several has the highest role, who is in none can not sign in.
	Groups []OIDCGroup `yaml:"groups" required:"true"`
}

// OIDCGroup is what the members of a group may do.
type OIDCGroup struct {
	// The group as the provider writes it.
	Group string `yaml:"group" required:"true" example:"platform-team" form:"text"`
	// Their role.
	Role string `yaml:"role" required:"true" example:"operator" enum:"viewer,operator,editor,admin"`
	// A filter that bounds the role. Absent: the whole fleet.
	Within string `yaml:"within" example:"tag:Team=shop" form:"filter"`
}

// Account is one AWS account to look after.
type Account struct {
	// The account ID: twelve digits, in quotes because it is not a number.
	ID fleet.AccountID `yaml:"id" required:"true" example:"\"111122223333\"" form:"account"`
	// A name for people, shown beside the ID.
	Name string `yaml:"name" example:"shop-test" form:"label"`
	// The role to assume in the account. Without one the credentials at hand are used, which can be so for one account only.
	Role string `yaml:"role" example:"arn:aws:iam::111122223333:role/dayshift" form:"role"`
	// The external ID that the role asks for. Best kept out of the file: `${NAME}` takes it from the environment, `file:PATH` from a file (relative to this one).
	ExternalID Secret `yaml:"external_id" example:"${DAYSHIFT_EXTERNAL_ID}" form:"externalid"`
	// The profile of the shared AWS files (`~/.aws/config`) whose credentials are at hand for this account. Absent: the credentials of the standard chain. Accounts of different partitions (China, GovCloud) need different ones.
	Profile string `yaml:"profile" example:"china" form:"label"`
	// The regions to look after in this account, all of one partition.
	Regions []fleet.Region `yaml:"regions" required:"true" example:"[ap-northeast-2]" form:"region"`
	// The session name that AWS CloudTrail shows for what is done with the role.
	SessionName string `yaml:"session_name" default:"dayshift" form:"session"`
}

// Organization is an organization of AWS Organizations whose active accounts are
// looked after, new ones from the next look on; its management account is not, unless it has an entry of its own under accounts.
type Organization struct {
	// A name for people.
	Name string `yaml:"name" example:"shop" form:"label"`
	// The role to assume to list the accounts, in the management account or in that of a delegated administrator. Absent: the credentials at hand are of one of these.
	Role string `yaml:"role" example:"arn:aws:iam::999988887777:role/dayshift-reader" form:"role"`
	// The name of the role to assume in each account, with its path if it has one.
	MemberRole string `yaml:"member_role" default:"dayshift" example:"ops/dayshift" form:"memberrole"`
	// The external ID that these roles ask for, written as that of an account.
	ExternalID Secret `yaml:"external_id" example:"${DAYSHIFT_EXTERNAL_ID}" form:"externalid"`
	// The profile of the shared AWS files whose credentials are at hand, as for an account.
	Profile string `yaml:"profile" example:"china" form:"label"`
	// The regions to look after in each account, all of one partition. One that an account has not enabled is left alone there.
	Regions []fleet.Region `yaml:"regions" required:"true" example:"[eu-central-1, eu-west-1]" form:"region"`
	// Roots and organizational units: only the accounts in and below them. Absent: those of the whole organization.
	Units []string `yaml:"units" example:"[ou-ab12-cd345678]" form:"unit"`
	// Only these accounts, of those that are found. Absent: all of them.
	Include []fleet.AccountID `yaml:"include" example:"[\"111122223333\"]" form:"account"`
	// Accounts, and organizational units with all below them, that are left out.
	Exclude []string `yaml:"exclude" example:"[\"444455556666\", ou-ab12-ef901234]" form:"excluded"`
	// How often the accounts are listed again.
	Refresh Duration `yaml:"refresh" default:"1h" min:"5m" max:"7d"`
	// The session name that AWS CloudTrail shows for what is done with the roles.
	SessionName string `yaml:"session_name" default:"dayshift" form:"session"`
}

// Period is a named window of time. At least one of begintime, endtime,
// weekdays, monthdays and months is needed.
type Period struct {
	// When it begins, `HH:MM` from 00:00 to 23:59 in the schedule's time zone. Later than endtime: the night belongs to the day it begins on.
	BeginTime string `yaml:"begintime" example:"\"09:00\"" form:"begintime"`
	// When it ends, `HH:MM` from 00:00 to 24:00. At that minute it is no longer running.
	EndTime string `yaml:"endtime" example:"\"18:00\"" form:"endtime"`
	// The days of the week it applies to: names, ranges, `mon#1`, `friL`; 0 is Monday. Absent: every day.
	Weekdays calendar.DayField `yaml:"weekdays" example:"mon-fri" form:"weekdays"`
	// The days of the month it applies to: numbers, ranges, steps, `L`, `15W`. Absent: every day.
	MonthDays calendar.DayField `yaml:"monthdays" example:"1-15,L" form:"monthdays"`
	// The months it applies to: names or numbers, ranges. Absent: every month.
	Months calendar.DayField `yaml:"months" example:"nov-feb" form:"months"`
	// true: it holds on the days off of a schedule's holiday calendars as well.
	OnHolidays bool `yaml:"on_holidays" default:"false"`
	// A note for people.
	Description string `yaml:"description" form:"text"`
}

// Schedule says when the resources that carry its name should run.
type Schedule struct {
	// Its time zone, as an IANA name. Absent: the timezone of the file.
	Timezone string `yaml:"timezone" example:"Asia/Shanghai" form:"zone"`
	// The periods in which it is running, as a list or as text with commas; `period@instance-type` also sets the EC2 instance type.
	Periods calendar.PeriodRefs `yaml:"periods" example:"[office, weekend@t3.small]" form:"periodref"`
	// false: the schedule decides nothing.
	Enabled bool `yaml:"enabled" default:"true"`
	// true: the wanted state is applied at every pass, so that manual changes are undone.
	Enforced bool `yaml:"enforced" default:"false"`
	// true: what a person had started before a period began is not stopped at its end.
	RetainRunning bool `yaml:"retain_running" default:"false"`
	// true: a resource seen for the first time outside its periods is stopped, after new_resource_grace.
	StopNewInstances bool `yaml:"stop_new_instances" default:"true"`
	// How long the stop of a new resource is held back, and announced.
	NewResourceGrace Duration `yaml:"new_resource_grace" default:"10m" min:"0s" max:"7d"`
	// true: maintenance windows count as running time: the preferred windows of databases from 10 minutes before until their end, and those of ssm_maintenance_window.
	UseMaintenanceWindow bool `yaml:"use_maintenance_window" default:"true"`
	// The names of SSM maintenance windows, as a list or as text with commas: its EC2 instances run from resync_interval and 10 minutes before such a window until it ends.
	SSMMaintenanceWindow Names `yaml:"ssm_maintenance_window" example:"[patching]" form:"window"`
	// true: EC2 instances are hibernated instead of stopped, where they can be.
	Hibernate bool `yaml:"hibernate" default:"false"`
	// true: a snapshot of a database or cluster is taken before it is stopped, and the one of its stop before that is deleted once the new one is there. Without the snapshot it is not stopped. Snapshots cost money, and AWS counts them: 100 of each sort in a region, by default.
	SnapshotBeforeStop bool `yaml:"snapshot_before_stop" default:"false"`
	// true: the CloudWatch alarms of what is stopped have their actions disabled from the stop until it runs again. Absent: the mute_alarms of the file.
	MuteAlarms bool `yaml:"mute_alarms"`
	// The holiday calendars that hold for it. On their days off none of its periods holds; on their make-up days it is another weekday. Where two of them differ, the first one named counts.
	Holidays []string `yaml:"holidays" example:"[company, cn]" form:"text"`
	// `running` or `stopped`: wanted at all times, whatever the periods say.
	OverrideStatus string `yaml:"override_status" enum:"running,stopped" fold:"true"`
	// `start-only` never stops anything, `stop-only` never starts anything.
	Mode policy.Mode `yaml:"mode" default:"both" enum:"both,start-only,stop-only"`
	// A resource that a person started while stopped was wanted is stopped after this long. 0s: it is left alone.
	MaxManualUptime Duration `yaml:"max_manual_uptime" default:"0s" min:"0s" max:"90d"`
	// Start this much earlier, so that things are ready at the begin time.
	StartLead Duration `yaml:"start_lead" default:"0s" min:"0s" max:"24h"`
	// Warn this long before a scheduled stop. 0s: no warning.
	NotifyBeforeStop Duration `yaml:"notify_before_stop" default:"0s" min:"0s" max:"24h"`
	// Spread starts and stops over this long, each resource always at the same place.
	Jitter Duration `yaml:"jitter" default:"0s" min:"0s" max:"1h"`
	// When a start counts as done: `state` once it runs, `status-checks` once AWS's status checks of the EC2 instance have passed. What does not pass them in 15 minutes is reported.
	Verify policy.Verification `yaml:"verify" default:"state" enum:"state,status-checks"`
	// How long a start is tried for which AWS has no capacity; after that it is given up until something else is wanted. Absent: the capacity_deadline of the file.
	CapacityDeadline Duration `yaml:"capacity_deadline" example:"90m" min:"1m" max:"30d"`
	// true: what it wants is decided and recorded, but nothing is started, stopped or changed for it.
	Observe bool `yaml:"observe" default:"false"`
	// A note for people.
	Description string `yaml:"description" form:"text"`
}

// Holidays is a calendar of days off and make-up working days. It covers the
// years of which it names a day, and says so of any other; its own `days` and
// `make_up` go before those of a file or an address, and these before a built-in calendar.
type Holidays struct {
	// Days off.
	Days []DayOff `yaml:"days"`
	// Working days on a weekend, as China has them around its long holidays.
	MakeUp []MakeUp `yaml:"make_up"`
	// An iCalendar file (.ics), relative to the folder of this file, up to 1 MB. Each event is a day off; recurring events are written out for 2000 to 2060.
	File string `yaml:"file" example:"company.ics" form:"text"`
	// The address of an iCalendar file, `https://` or `http://`, instead of a file: fetched by the daemon; the last good copy counts until there is a better one. Whoever may read this file can read the address.
	URL string `yaml:"url" example:"https://calendar.example/company.ics" form:"url"`
	// How often the address is fetched.
	Refresh Duration `yaml:"refresh" default:"24h" min:"15m" max:"30d"`
	// A regular expression: events of the file or address whose SUMMARY or CATEGORIES it matches are make-up working days, as Monday. Absent: none is.
	MakeUpPattern string `yaml:"make_up_pattern" example:"\"班|make-up\"" form:"text"`
	// A calendar that comes with Dayshift: `cn` mainland China, `kr` South Korea, `us` the federal holidays of the United States.
	Builtin string `yaml:"builtin" enum:"cn,kr,us"`
}

// DayOff is a date that does not count as a working day.
type DayOff struct {
	// The date.
	Date string `yaml:"date" required:"true" example:"2027-02-08" form:"date"`
	// What it is called.
	Name string `yaml:"name" example:"Seollal" form:"text"`
}

// MakeUp is a date that counts as a working day.
type MakeUp struct {
	// The date.
	Date string `yaml:"date" required:"true" example:"2026-10-10" form:"date"`
	// The weekday it counts as: mon, tue, wed, thu, fri, sat or sun.
	As string `yaml:"as" default:"mon" example:"thu" form:"weekday"`
	// What it is called.
	Name string `yaml:"name" form:"text"`
}

// Exception is a dated change to one schedule: on one date, or on each date of
// a range, its start or its stop is at another time or left out.
type Exception struct {
	// The schedule it is for.
	Schedule string `yaml:"schedule" required:"true" example:"seoul-office" form:"schedulename"`
	// The date, in the schedule's time zone. A night belongs to the date it begins on.
	Date string `yaml:"date" example:"2027-02-05" form:"date"`
	// The first date of a range, instead of date.
	From string `yaml:"from" example:"2027-12-27" form:"date"`
	// The last date of the range.
	To string `yaml:"to" example:"2027-12-31" form:"date"`
	// Which boundary of the date it moves.
	Type string `yaml:"type" required:"true" example:"stop" enum:"start,stop"`
	// The time at which that happens instead, `HH:MM`, or `none`: a stop that is left out keeps it running until the next one.
	Value string `yaml:"value" required:"true" example:"\"21:00\"" form:"clock"`
	// Why, for people.
	Note string `yaml:"note" example:"release night" form:"text"`
}

// Rule does something once at each instant of its expression. It is an edge
// where a schedule is a level: it leaves alone what schedules remember, so that
// a schedule does not undo it before its own next boundary, unless it is enforced.
type Rule struct {
	// When it fires: `cron(min hour day month weekday year)` and `rate(n minutes|hours|days)` as EventBridge has them, `at(yyyy-mm-ddThh:mm:ss)`, or the five fields of Unix cron.
	Expression string `yaml:"expression" required:"true" example:"cron(55 14 * * ? *)" form:"expression"`
	// The time zone of the expression, as an IANA name.
	Timezone string `yaml:"timezone" default:"UTC" example:"Asia/Seoul" form:"zone"`
	// What it does: `start`, `stop`, `hibernate`, `reboot` or `resize:TYPE`; or `workload:NAME:start`, `workload:NAME:stop` for a workload as a whole.
	Action string `yaml:"action" required:"true" example:"stop" form:"action"`
	// The accounts in which it acts. Absent: all.
	Accounts []fleet.AccountID `yaml:"accounts" example:"[\"111122223333\"]" form:"account"`
	// The regions in which it acts. Absent: all.
	Regions []fleet.Region `yaml:"regions" example:"[ap-northeast-2]" form:"region"`
	// What it acts on: `key=value` with commas between; different keys must all match, of one key given twice either. An action on a workload takes none.
	Filters string `yaml:"filters" required:"true" unless:"action workload:" example:"tag:Name=batch,vpc-id=vpc-4085e027" form:"filter"`
	// false: it acts only on what carries the schedule tag, whatever the tag's value. true: on everything that its filter matches, which needs wider permissions in AWS than the tag allows.
	Untagged bool `yaml:"untagged" default:"false"`
	// true: the CloudWatch alarms of what it stops have their actions disabled until that runs again, as they have where the schedule of a resource says so. Absent: the mute_alarms of the file.
	MuteAlarms bool `yaml:"mute_alarms"`
	// How long after its instant it still fires when the daemon was not running; older instants are recorded as missed.
	CatchUp Duration `yaml:"catch_up" default:"10m" min:"0s" max:"24h"`
	// false: it never fires.
	Enabled bool `yaml:"enabled" default:"true"`
	// The instant from which a rate counts and before which the rule does not fire, such as 2027-02-05T09:00:00Z. Absent: rates count from 1970-01-01T00:00:00Z.
	Created string `yaml:"created" example:"2027-02-05T09:00:00Z" form:"instant"`
	// A note for people.
	Description string `yaml:"description" form:"text"`
}

// Workload is an environment of tiers that starts and stops as a whole, in an order:
// by its schedule, by rules, or when somebody asks for it. What a tier selects never moves singly.
type Workload struct {
	// The schedule that drives the workload as a whole; the schedule tags of its members do not count. Absent: rules and people alone.
	Schedule string `yaml:"schedule" example:"seoul-office" form:"schedulename"`
	// Narrows every tier: a member has to match both filters. Absent: it narrows nothing.
	Filters string `yaml:"filters" example:"tag:Environment=ENV001" form:"filter"`
	// The accounts of its members. Absent: all.
	Accounts []fleet.AccountID `yaml:"accounts" example:"[\"111122223333\"]" form:"account"`
	// The regions of its members. Absent: all.
	Regions []fleet.Region `yaml:"regions" example:"[us-west-2]" form:"region"`
	// false: the kill switch. Nothing of it is started or stopped, by whomever; a run that is under way is cancelled.
	Enabled bool `yaml:"enabled" default:"true"`
	// The scaling profile of a start that names none. Absent: nothing is resized.
	Profile string `yaml:"profile" example:"default" form:"text"`
	// What becomes of a run that is asked for while another one is under way: it does not take place, it waits, or the other one is cancelled first.
	Overlap string `yaml:"overlap" default:"skip" enum:"skip,queue,replace"`
	// What becomes of a run of which a tier fails: it goes on as if it had not, it waits for a person, or what it did is undone.
	OnFailure string `yaml:"on_failure" default:"hold" enum:"continue,hold,undo"`
	// The ARN of an SNS topic that gets its messages.
	Topic string `yaml:"topic" example:"arn:aws:sns:us-west-2:111122223333:shop" form:"topic"`
	// Its tiers by name.
	Tiers map[string]Tier `yaml:"tiers" required:"true" example:"{db: {filters: \"tag:Role=DB\"}}" form:"tiername"`
	// A note for people.
	Description string `yaml:"description" form:"text"`
}

// Tier is a group of resources of a workload. Its place in the order is told by
// start.sequence and stop.sequence of all tiers, or by depends_on; where the stop has none of its own, it is the start the other way round.
type Tier struct {
	// Its members: `key=value` with commas between, as for a rule.
	Filters string `yaml:"filters" required:"true" example:"tag:Role=DB" form:"filter"`
	// The accounts of its members. Absent: those of the workload.
	Accounts []fleet.AccountID `yaml:"accounts" form:"account"`
	// The regions of its members. Absent: those of the workload.
	Regions []fleet.Region `yaml:"regions" form:"region"`
	// The instance type of stopped EC2 members for each scaling profile, changed before they are started.
	Profiles map[string]string `yaml:"profiles" example:"{default: t3.nano, performant: c5.large}" form:"text"`
	// The tiers that are ready before this one starts.
	DependsOn []string `yaml:"depends_on" example:"[cache]" form:"tiername"`
	// The tiers that have stopped before this one stops. Absent everywhere: a tier stops after those that depend on it.
	StopDependsOn []string `yaml:"stop_depends_on" example:"[web]" form:"tiername"`
	// How it starts.
	Start Half `yaml:"start" section:"start and stop"`
	// How it stops.
	Stop Half `yaml:"stop" section:"start and stop"`
	// When a started member is ready: once all of these have passed. Absent: once it runs.
	Ready []ReadyGate `yaml:"ready"`
	// Who may forbid the stop of a member: all are asked, about all members at once.
	Vetoes []StopVeto `yaml:"vetoes"`
	// true: EC2 members are drained from their target groups and Classic load balancers before they are stopped, put back once they are up, and have to be healthy there.
	Balancers bool `yaml:"balancers" default:"false"`
	// Members that are left out; so are those with the tag `dayshift:bypass` = `true`. The rest of the tier goes on.
	Bypass string `yaml:"bypass" example:"instance-id=i-0abc" form:"filter"`
}

// Half is how a tier goes in one direction.
type Half struct {
	// Its place in the order. Tiers of equal numbers go side by side, and numbers may be left out. Either all tiers have one or none has.
	Sequence int `yaml:"sequence" example:"0" min:"0" max:"1000000"`
	// How long the tiers behind it wait after it.
	Delay Duration `yaml:"delay" default:"0s" min:"0s" max:"24h"`
	// true: one member after the other.
	Synchronous bool `yaml:"synchronous" default:"false"`
	// How many members are on their way at once. 0: all.
	AtOnce int `yaml:"at_once" default:"0" min:"0" max:"100000"`
	// How long the tier may take. What is not done by then has failed.
	Timeout Duration `yaml:"timeout" default:"30m" min:"1m" max:"24h"`
	// What is called before it.
	Before []TierHook `yaml:"before" section:"before and after"`
	// What is called after it.
	After []TierHook `yaml:"after" section:"before and after"`
}

// ReadyGate is one condition of being ready.
type ReadyGate struct {
	// What is looked at: that it runs; EC2's status checks; that it is healthy in all its target groups and load balancers; that a port accepts a connection; that a path answers; that a script inside it (Systems Manager) ends with 0.
	Type string `yaml:"type" required:"true" example:"tcp" enum:"state,status-checks,target-health,tcp,http,command"`
	// For tcp and http: asked instead of the member's private address.
	Host string `yaml:"host" example:"db.shop.internal" form:"text"`
	// For tcp and http: the port.
	Port int `yaml:"port" example:"5432" min:"1" max:"65535"`
	// For http: the path.
	Path string `yaml:"path" default:"" example:"/health" form:"text"`
	// For http: the statuses that pass, one or from-to.
	Expect string `yaml:"expect" default:"200-399" example:"200" form:"statuses"`
	// For command: the lines of the script.
	Lines []string `yaml:"lines" example:"[\"systemctl is-active postgresql\"]" form:"text"`
	// For command: PowerShell instead of a shell script.
	Windows bool `yaml:"windows" default:"false"`
	// How long it may take to pass, once the member runs.
	Timeout Duration `yaml:"timeout" default:"10m" min:"10s" max:"24h"`
	// The time between two tries.
	Interval Duration `yaml:"interval" default:"10s" min:"1s" max:"1h"`
}

// StopVeto is somebody who may forbid the stop of a member.
type StopVeto struct {
	// What forbids it: that a file exists inside it (Systems Manager); an open session of Session Manager; a backup or snapshot under way; a script inside it that does not end with 0; an address that does not answer with 2xx.
	Type string `yaml:"type" required:"true" example:"file" enum:"file,sessions,backup,command,webhook"`
	// For file: its path.
	Path string `yaml:"path" example:"/tmp/StopOverride" form:"text"`
	// For file and command: the member runs Windows.
	Windows bool `yaml:"windows" default:"false"`
	// For command: the lines of the script.
	Lines []string `yaml:"lines" form:"text"`
	// For webhook: the address.
	URL string `yaml:"url" example:"https://ci.example/may-stop" form:"url"`
	// How long an answer is waited for.
	Timeout Duration `yaml:"timeout" default:"3m" min:"10s" max:"1h"`
	// What is done when there is no answer in that time: the member is kept running, or stopped.
	Unknown string `yaml:"unknown" default:"keep" enum:"keep,stop"`
	// A member that was kept for longer than this, stop after stop, is stopped all the same, and people are told. 0s: never.
	Limit Duration `yaml:"limit" default:"0s" example:"4h" min:"0s" max:"90d"`
}

// TierHook is called before or after a tier.
type TierHook struct {
	// What is called: a script inside members (Systems Manager), an address, or a Lambda function.
	Type string `yaml:"type" required:"true" example:"lambda" enum:"command,webhook,lambda"`
	// For command: the lines of the script.
	Lines []string `yaml:"lines" form:"text"`
	// For command: PowerShell instead of a shell script.
	Windows bool `yaml:"windows" default:"false"`
	// For webhook: the address.
	URL string `yaml:"url" example:"https://hooks.example/shop" form:"url"`
	// For lambda: the ARN of the function.
	Function string `yaml:"function" example:"arn:aws:lambda:us-west-2:111122223333:function:warm-up" form:"function"`
	// How long it may take.
	Timeout Duration `yaml:"timeout" default:"5m" min:"10s" max:"1h"`
	// true: when it fails, so does the tier. false: people are told, and the tier goes on.
	Veto bool `yaml:"veto" default:"false"`
	// Once for the tier, where a script runs on the first member that runs; or once for each member.
	OncePer string `yaml:"once_per" default:"tier" enum:"tier,member"`
}

// Reservation is EC2 capacity that is wanted: so many instances of a type, in a
// zone or several, always, in a window or while a schedule wants running.
type Reservation struct {
	// The account in which it is held.
	Account fleet.AccountID `yaml:"account" required:"true" example:"\"111122223333\"" form:"account"`
	// The region in which it is held.
	Region fleet.Region `yaml:"region" required:"true" example:"ap-northeast-1" form:"region"`
	// The instance type.
	InstanceType string `yaml:"instance_type" required:"true" example:"r5b.2xlarge" form:"instancetype"`
	// The availability zones in which count is held, in all of them together, spread as evenly as can be.
	Zones []string `yaml:"zones" required:"true" example:"[ap-northeast-1a, ap-northeast-1c]" form:"availabilityzone"`
	// How many instances are held in all.
	Count int `yaml:"count" required:"true" example:"37" min:"0" max:"10000"`
	// The platform, in AWS's words.
	Platform string `yaml:"platform" default:"Linux/UNIX" enum:"Linux/UNIX,Red Hat Enterprise Linux,SUSE Linux,Windows,Windows with SQL Server,Windows with SQL Server Enterprise,Windows with SQL Server Standard,Windows with SQL Server Web,Linux with SQL Server Standard,Linux with SQL Server Web,Linux with SQL Server Enterprise,RHEL with SQL Server Standard,RHEL with SQL Server Enterprise,RHEL with SQL Server Web,RHEL with HA,RHEL with HA and SQL Server Standard,RHEL with HA and SQL Server Enterprise,Ubuntu Pro"`
	// Whether the hardware is shared with other customers of AWS.
	Tenancy string `yaml:"tenancy" default:"default" enum:"default,dedicated"`
	// Whether the instances are optimised for EBS. Absent: where the type is at no charge.
	EBSOptimized bool `yaml:"ebs_optimized"`
	// Who uses the capacity: `open`, every instance that fits, or `targeted`, instances that name the reservation.
	Match string `yaml:"match" default:"open" enum:"open,targeted"`
	// The ARN of the placement group in which the capacity is.
	PlacementGroup string `yaml:"placement_group" example:"arn:aws:ec2:ap-northeast-1:111122223333:placement-group/shop" form:"placementgroup"`
	// The AWS resource group that what is held is put into, by name: instances that name the group use it. It has to exist, of the type AWS::EC2::CapacityReservationPool, and needs `match: targeted`.
	ResourceGroup string `yaml:"resource_group" example:"shop-capacity" form:"resourcegroup"`
	// Where else to ask, in this order, for what AWS has no room for in zones.
	Alternatives []Alternative `yaml:"alternatives"`
	// When it begins: a local time of its time zone, or an instant with its offset from UTC. Absent: at once.
	From string `yaml:"from" example:"2026-11-26T18:00" form:"localtime"`
	// When it ends, and everything is given back. Absent: never.
	To string `yaml:"to" example:"2026-11-30T12:00" form:"localtime"`
	// A schedule instead of from and to: capacity is held while it wants running.
	Schedule string `yaml:"schedule" example:"shop-sale" form:"schedulename"`
	// Begin this much earlier.
	Lead Duration `yaml:"lead" default:"0s" example:"30m" min:"0s" max:"7d"`
	// The time zone of from and to, as an IANA name. Absent: the timezone of the file.
	Timezone string `yaml:"timezone" example:"Asia/Tokyo" form:"zone"`
	// How many are asked for at once. When AWS refuses, half of it is asked for, down to one.
	Step int `yaml:"step" default:"10" min:"1" max:"1000"`
	// So long after its begin asking ends, and people are told what is missing. Absent: as long as it is wanted.
	Deadline Duration `yaml:"deadline" example:"6h" min:"1m" max:"90d"`
	// true: what running instances use is given back too when less is wanted. They run on.
	ReleaseUsed bool `yaml:"release_used" default:"false"`
	// true: made as a future-dated reservation when its begin is 5 to 120 days away, where AWS takes it. That binds for 14 days from its begin, so that the window has to be as long.
	Future bool `yaml:"future" default:"false"`
	// false: nothing is wanted; what is held is given back.
	Enabled bool `yaml:"enabled" default:"true"`
	// Tags that the reservations get in AWS, beside those of Dayshift.
	Tags map[string]string `yaml:"tags" example:"{Team: shop}" form:"tagkey"`
	// A note for people.
	Description string `yaml:"description" form:"text"`
}

// Alternative is another zone, another type or both. One of the two is needed.
type Alternative struct {
	// The availability zone. Absent: the first one of the reservation.
	Zone string `yaml:"zone" example:"ap-northeast-1d" form:"availabilityzone"`
	// The instance type. Absent: that of the reservation.
	InstanceType string `yaml:"instance_type" example:"r5.2xlarge" form:"instancetype"`
}

// Capacity says how capacity is reserved, and how much money that may cost.
// Costs are by list price; a type whose price is not in the list needs a second person's approval as soon as one of the limits is set.
type Capacity struct {
	// How often AWS is asked again while it has no room for all that is wanted. At rest, what is held is compared every resync_interval.
	Interval Duration `yaml:"interval" default:"5m" min:"10s" max:"24h"`
	// The most that all that is held may cost, in USD per hour. 0: no limit.
	MaxHourly float64 `yaml:"max_hourly" default:"0" min:"0" max:"10000000"`
	// The most that what is held in one account may cost, in USD per hour. 0: no limit.
	MaxHourlyPerAccount float64 `yaml:"max_hourly_per_account" default:"0" min:"0" max:"10000000"`
	// How many instances may be bought within any 24 hours. What was given back meanwhile counts, and 10 minutes are added at most. 0: any number.
	MaxPerDay int `yaml:"max_per_day" default:"0" min:"0" max:"1000000"`
	// How many instances may be bought in one account within any 24 hours, in the same way. 0: any number.
	MaxPerDayPerAccount int `yaml:"max_per_day_per_account" default:"0" min:"0" max:"1000000"`
	// A reservation that costs more than this in USD per hour waits until a second person approves it. 0: none does.
	ApproveAbove float64 `yaml:"approve_above" default:"0" min:"0" max:"10000000"`
	// What is held and not used for so long is told, with what it costs.
	IdleAfter Duration `yaml:"idle_after" default:"1h" min:"5m" max:"30d"`
	// The end that is set in AWS is so much after the end of the window, so that a Dayshift that is down leaves nothing behind. What is wanted without an end gets one a day and so much ahead, which is moved as long as it is wanted.
	SafetyEnd Duration `yaml:"safety_end" default:"1h" min:"10m" max:"30d"`
	// A table of MySQL or PostgreSQL in which people write how much is to be held, as the ODCR loop has it.
	Table CapacityTable `yaml:"table"`
}

// CapacityTable is the table odcr_capacity(InstanceType, AvailabilityZone,
// Target_Capacity, Current_Capacity). Each row is a reservation without an end; Current_Capacity is kept at what is held.
type CapacityTable struct {
	// The account in which the capacity is held, and the secret is read.
	Account fleet.AccountID `yaml:"account" required:"true" example:"\"111122223333\"" form:"account"`
	// The region, likewise.
	Region fleet.Region `yaml:"region" required:"true" example:"ap-northeast-1" form:"region"`
	// The database: `mysql`, MariaDB and Aurora too, or `postgres`.
	Driver string `yaml:"driver" default:"mysql" enum:"mysql,postgres"`
	// The name or ARN of a secret in Secrets Manager with username, password, host, port and dbname. Absent: the keys below say it.
	Secret string `yaml:"secret" example:"odcr/database" form:"text"`
	// The server, for what the secret does not say.
	Host string `yaml:"host" example:"db.example.com" form:"text"`
	// Its port. 0: that of the driver.
	Port int `yaml:"port" default:"0" min:"0" max:"65535"`
	// The database.
	Database string `yaml:"database" example:"capacity" form:"text"`
	// The user.
	User string `yaml:"user" example:"dayshift" form:"text"`
	// The password, written as an external_id.
	Password Secret `yaml:"password" example:"${DAYSHIFT_TABLE_PASSWORD}" form:"externalid"`
	// The table, or SCHEMA.TABLE.
	Table string `yaml:"table" default:"odcr_capacity" form:"text"`
	// `required`: the connection is encrypted and the server's certificate verified. `off`: it is not encrypted.
	TLS string `yaml:"tls" default:"required" enum:"required,off"`
	// The certificates that the server's has to come from, in PEM; relative to the working directory. Absent: those that the system trusts, which those of RDS are not among.
	CAFile string `yaml:"ca_file" example:"/etc/dayshift/rds-ca.pem" form:"path"`
	// The platform that is reserved, in AWS's words.
	Platform string `yaml:"platform" default:"Linux/UNIX" example:"Windows" form:"text"`
}

// Overrides bounds what people decide for a while: running or stopped, against
// the schedule, always with an end.
type Overrides struct {
	// The longest that one override may last.
	MaxDuration Duration `yaml:"max_duration" default:"7d" min:"1m" max:"90d"`
	// How many overrides one person may make within 7 days. 0: any number.
	MaxPerWeek int `yaml:"max_per_week" default:"0" min:"0" max:"10000"`
	// How many resources of one account people may have started within any 24 hours, by overrides and by the runs of workloads that they ask for. What schedules and rules start does not count. 0: any number.
	MaxStartsPerDay int `yaml:"max_starts_per_day" default:"0" min:"0" max:"1000000"`
}

// Limits guard against harm: a mistaken tag, schedule or clock must not take a
// fleet down unasked.
type Limits struct {
	// A pass that would stop more resources than this holds all its stops back until somebody confirms. 0: no limit. The default lets the evening of a large fleet pass and holds back a whole organisation going down at once; set it a little above what your fleet stops on an ordinary evening.
	MaxStops int `yaml:"max_stops" default:"5000" min:"0" max:"1000000"`
	// An account and region in which more than this share of the running scheduled resources would be stopped holds its stops back until somebody confirms. 0: no limit, the default, because an office-hours fleet rightly stops whole every evening. Set it where something always stays up.
	MaxStopPercent float64 `yaml:"max_stop_percent" default:"0" min:"0" max:"100"`
	// max_stop_percent is not applied where fewer scheduled resources than this are running: one of one is 100 percent.
	MinScopeSize int `yaml:"min_scope_size" default:"10" min:"1" max:"1000000"`
	// After a change of the configuration, a pass that would stop more than this many times what was stopped in the 24 hours before holds the stops until somebody confirms; the same for a rule whose filter matches this many times what it matched last. 0: no limit.
	Surge float64 `yaml:"surge" default:"3" min:"0" max:"1000"`
	// surge is not applied where there are fewer stops or matches than this.
	SurgeFrom int `yaml:"surge_from" default:"10" min:"1" max:"1000000"`
}

// Events is a queue into which EventBridge puts the changes of states in the
// accounts, so that the account and region of a change are looked at within
// seconds. [Events](events.md) says how to set it up.
type Events struct {
	// The queue of SQS, as its address or its ARN.
	Queue string `yaml:"queue" required:"true" example:"arn:aws:sqs:eu-central-1:111122223333:dayshift-events" form:"queue"`
	// The role to assume in the account of the queue. Absent: as for that account under accounts or organizations; where it is in neither, the credentials at hand.
	Role string `yaml:"role" example:"arn:aws:iam::111122223333:role/dayshift-events" form:"role"`
	// The external ID that the role asks for, as under accounts.
	ExternalID Secret `yaml:"external_id" example:"${DAYSHIFT_EXTERNAL_ID}" form:"externalid"`
	// The profile of the shared AWS files whose credentials are at hand for the queue, as under accounts.
	Profile string `yaml:"profile" example:"china" form:"label"`
}

// Channel is a place where people are told: an Amazon SNS topic, or a webhook.
// What is given of kinds, schedules and workloads narrows what it gets.
type Channel struct {
	// `sns` publishes to a topic, `eventbridge` puts events on a bus, `webhook` posts signed JSON to an address, `email` sends mails, the others write in a room of their chat system.
	Type string `yaml:"type" required:"true" example:"slack" enum:"sns,eventbridge,webhook,email,slack,teams,discord,jandi,lark,dingtalk,wecom"`
	// The ARN of the topic. It is published to with the credentials of the topic's account.
	Topic string `yaml:"topic" example:"arn:aws:sns:ap-northeast-2:111122223333:dayshift" form:"topic"`
	// The ARN of the event bus. Events are put on it with the credentials of its account.
	Bus string `yaml:"bus" example:"arn:aws:events:ap-northeast-2:111122223333:event-bus/dayshift" form:"bus"`
	// The mail server, as HOST:PORT. Nothing is sent without TLS.
	SMTP string `yaml:"smtp" example:"smtp.example.com:587" form:"text"`
	// How the mail server speaks TLS: `starttls` when it is asked to, `implicit` from the first byte. Absent: `implicit` at port 465, else `starttls`.
	TLS string `yaml:"tls" example:"implicit" enum:"starttls,implicit"`
	// The name to sign in to the mail server with. Absent: nobody signs in.
	Username string `yaml:"username" example:"dayshift" form:"text"`
	// The password that goes with it.
	Password Secret `yaml:"password" example:"${DAYSHIFT_SMTP_PASSWORD}" form:"externalid"`
	// The sender of mails: an address, or a name and an address in angle brackets.
	From string `yaml:"from" example:"Dayshift <dayshift@example.com>" form:"text"`
	// The recipients of mails.
	To []string `yaml:"to" example:"[ops@example.com]" form:"text"`
	// The address of the webhook or of the room, `https://`. It is a secret, as its path mostly is one.
	URL Secret `yaml:"url" example:"${DAYSHIFT_HOOK_URL}" form:"externalid"`
	// The token of a bot of Slack (`xoxb-…`), instead of an address: its messages are changed as things go on, which those of a webhook can not be.
	Token Secret `yaml:"token" example:"${DAYSHIFT_SLACK_TOKEN}" form:"externalid"`
	// The ID of the channel of Slack that the bot writes in.
	Channel string `yaml:"channel" example:"C0123ABCDEF" form:"text"`
	// The chat under chats that the buttons of the same app of Slack are sent to. Absent: messages have links to the page instead of buttons.
	Chat string `yaml:"chat" example:"ops" form:"text"`
	// The secret that posts are signed with: of a webhook 16 characters or more, of a room of Lark or DingTalk what its bot was given, where it has one.
	Secret Secret `yaml:"secret" example:"${DAYSHIFT_HOOK_SECRET}" form:"externalid"`
	// The secret before it, which signs too until every receiver has the new one.
	PreviousSecret Secret `yaml:"previous_secret" form:"externalid"`
	// Headers that are sent along, by name. Their values are secrets.
	Headers map[string]Secret `yaml:"headers" example:"{X-Team: platform}" form:"headername"`
	// true: the address may lead to a private network or this machine, and may be `http://`.
	AllowPrivate bool `yaml:"allow_private" default:"false"`
	// Titles of your own by kind of message, in the place of Dayshift's. Names in braces are put in: `{count}`, `{kind}`, `{schedule}`, `{workload}`, `{time}`, `{title}`.
	Titles map[string]string `yaml:"titles" example:"{stop-warning: lights out at {time}}" form:"text"`
	// Lines of your own by kind of message, one for each resource: `{name}`, `{id}`, `{account}`, `{region}`, `{text}`, `{time}`, `{kind}`, `{schedule}`, `{workload}`, `{line}`.
	Lines map[string]string `yaml:"lines" example:"{failed: watch {name}}" form:"text"`
	// The language of its messages. Absent: the one at the top of the file.
	Language string `yaml:"language" example:"ko" enum:"en,zh-CN,ko"`
	// The time zone of the times on its buttons. Absent: that of the schedule. It is also that of quiet and digest, where absent the one at the top of the file.
	Timezone string `yaml:"timezone" example:"Asia/Seoul" form:"zone"`
	// Only messages of these kinds. Absent: all.
	Kinds []string `yaml:"kinds" example:"[held, failed]" form:"messagekind"`
	// Only messages about these schedules, and about the workloads below.
	Schedules []string `yaml:"schedules" example:"[seoul-office]" form:"text"`
	// Only messages about these workloads, and about the schedules above.
	Workloads []string `yaml:"workloads" example:"[shop]" form:"text"`
	// Only messages about resources that this filter selects, or about accounts and regions by `account=` and `region=`. What is about no resource has no tags.
	Filter string `yaml:"filter" example:"tag:Team=shop,region=ap-northeast-2" form:"filter"`
	// When only messages that need somebody are sent; the others wait until it is over.
	Quiet Quiet `yaml:"quiet"`
	// `daily` or `weekly`: what needs nobody comes in one message a day or a week. What needs somebody comes at once. Absent: everything does.
	Digest string `yaml:"digest" example:"daily" enum:"daily,weekly"`
	// When the digest is sent. Absent: 09:00.
	DigestAt string `yaml:"digest_at" example:"\"18:00\"" form:"begintime"`
	// The day on which a weekly digest is sent. Absent: mon.
	DigestOn string `yaml:"digest_on" example:"fri" form:"weekday"`
}

// Quiet are the quiet hours of a channel, in the periods of schedules: it is quiet while a schedule of them would have something run.
type Quiet struct {
	// The periods of the file in which it is quiet. A `begintime` after the `endtime` is overnight.
	Periods []string `yaml:"periods" example:"[night]" form:"text"`
	// The time zone they are in. Absent: that of the channel, or the one at the top of the file.
	Timezone string `yaml:"timezone" example:"Asia/Seoul" form:"zone"`
	// Holiday calendars that its periods go by, as those of a schedule.
	Holidays []string `yaml:"holidays" example:"[kr]" form:"text"`
}

// Chat is a chat system from which people ask and command: it posts to
// `/chat/NAME`. [Chat](chat.md) says how each is set up.
type Chat struct {
	// The chat system; `generic` is any other one, behind a bridge that signs as the channels of the type `webhook` do.
	Type string `yaml:"type" required:"true" example:"slack" enum:"slack,jandi,teams,discord,generic"`
	// What `slack` (the signing secret of the app) and `generic` (16 characters or more) sign with.
	Secret Secret `yaml:"secret" example:"${DAYSHIFT_SLACK_SECRET}" form:"externalid"`
	// The secret before it, which is taken too while it is exchanged.
	PreviousSecret Secret `yaml:"previous_secret" form:"externalid"`
	// The token of an outgoing webhook of `jandi`, or the security token of one of `teams`.
	Token Secret `yaml:"token" example:"${DAYSHIFT_JANDI_TOKEN}" form:"externalid"`
	// The token before it, which is taken too while it is exchanged.
	PreviousToken Secret `yaml:"previous_token" form:"externalid"`
	// The public key of an application of `discord`, in hexadecimal.
	PublicKey Secret `yaml:"public_key" example:"${DAYSHIFT_DISCORD_KEY}" form:"externalid"`
	// The public key before it, which is taken too while it is exchanged.
	PreviousPublicKey Secret `yaml:"previous_public_key" form:"externalid"`
	// The channel that is told what comes later than an answer, such as that what was woken is ready. Absent: it is told where the chat system takes later answers, and nowhere else.
	Channel string `yaml:"channel" example:"ops" form:"text"`
	// The language of those who have none of their own and whose chat system tells none. Absent: that of the words they use; where these are English, language of the configuration.
	Language string `yaml:"language" example:"ko" enum:"en,zh-CN,ko"`
	// The time zone in which times are read and told where they are of no schedule. Absent: that of the configuration.
	Timezone string `yaml:"timezone" example:"Asia/Seoul" form:"zone"`
	// What those may do who are not among people: `none` nothing, `viewer` look.
	Unknown string `yaml:"unknown" default:"none" enum:"none,viewer"`
	// The rooms that are answered, as the chat system identifies them: IDs of channels, with `jandi` names of topics. Absent: all.
	Rooms []string `yaml:"rooms" example:"[C0123ABCDEF]" form:"text"`
}

// Person is somebody who is known in chats, and what they may do there.
type Person struct {
	// Their role.
	Role string `yaml:"role" required:"true" example:"operator" enum:"viewer,operator,editor,admin"`
	// A filter that bounds the role. Absent: the whole fleet.
	Within string `yaml:"within" example:"tag:Team=shop" form:"filter"`
	// The language in which they are answered. Absent: that of the chat system, or of the chat.
	Language string `yaml:"language" example:"ko" enum:"en,zh-CN,ko"`
	// What they are in each chat, by its name: with `slack` and `discord` the ID of the user, with `teams` the object ID in Entra ID, with `jandi` the e-mail address, with `generic` what the bridge says.
	Chats map[string]string `yaml:"chats" required:"true" example:"{ops: U0123ABCDEF}" form:"chatname"`
}

// Heartbeat is an address of a monitor that is posted to for as long as the
// process that holds the lease makes its rounds and can write to its store.
type Heartbeat struct {
	// Where the monitor takes signs of life, `https://`. It is a secret: whoever has it can give signs of life too.
	URL Secret `yaml:"url" required:"true" example:"${DAYSHIFT_HEARTBEAT_URL}" form:"externalid"`
	// How often. The monitor is to wait for three of them before it tells anybody.
	Every Duration `yaml:"every" default:"1m" min:"1s" max:"1h"`
	// Signs of life are signed with it, as a webhook is, and `dayshift watch` takes no others. 16 to 1024 characters. Absent: they are not signed.
	Secret Secret `yaml:"secret" example:"${DAYSHIFT_HEARTBEAT_SECRET}" form:"externalid"`
	// The secret before it, while they are exchanged: signs of life are signed with both, and one that fits is enough.
	PreviousSecret Secret `yaml:"previous_secret" example:"${DAYSHIFT_HEARTBEAT_SECRET_BEFORE}" form:"externalid"`
	// true: the address may lead to a private network or this machine, and may be `http://`.
	AllowPrivate bool `yaml:"allow_private" default:"false"`
}

// Tags says which informational tags are written, always only when they change.
type Tags struct {
	// Write `dayshift:last-action`: what was done last, when and why.
	LastAction bool `yaml:"last_action" default:"true"`
	// Write `dayshift:error`: why the last action failed; removed when one succeeds.
	Error bool `yaml:"error" default:"true"`
}

// AWS says how AWS is called.
type AWS struct {
	// The share of AWS's request limits that Dayshift may use in each account and region; the rest is left to other programs. 1: all of it, where nothing else starts and stops instances in the same account.
	APIShare float64 `yaml:"api_share" default:"0.8" min:"0.05" max:"1"`
	// How long the session of an assumed role is to last. A long one saves a call for each account and hour; a role that does not allow it (its maximum session duration, or a role that is assumed with another role's session) is used for an hour at a time. A session lives in the memory of the process alone; until it ends it survives a change of who may assume the role, so where that matters more than the calls, make it shorter.
	SessionDuration Duration `yaml:"session_duration" default:"12h" min:"15m" max:"12h"`
}

// Log says what is logged and how.
type Log struct {
	// The least important level that is still logged.
	Level string `yaml:"level" default:"info" enum:"debug,info,warn,error"`
	// How a log line looks.
	Format string `yaml:"format" default:"text" enum:"text,json"`
}

// later are keys that are part of Dayshift's language or of the files that
// people bring along, and that this version does not carry out. They are
// refused with the sentence: a key that is read and ignored would be believed.
// The first key is the struct's name.
var later = map[string]map[string]string{
	"Config": {
		"keys": "API keys are made with `dayshift key create` or on the page, and kept in the store",
	},
	"Schedule": {
		"use_metrics": "this switch of AWS Instance Scheduler has no meaning here: metrics are always served at /metrics",
		"name":        "the name of a schedule is the key above it",
		"type":        "what an entry is follows from the section it is in",
	},
	"Period": {
		"name":     "the name of a period is the key above it",
		"type":     "what an entry is follows from the section it is in",
		"timezone": "a time zone belongs to the schedule that uses the period",
	},
	"Holidays": {
		"name": "the name of a calendar is the key above it",
	},
	"Rule": {
		"name":     "the name of a rule is the key above it",
		"filter":   "the key is filters",
		"schedule": "a rule has an expression; what follows a schedule carries its name in the schedule tag",
	},
	"Exception": {
		"schedules": "an exception is for one schedule; write one for each",
	},
	"OIDC": {
		"roles": "the key is groups: a list of group, role and, where it is bounded, within",
	},
	"AWS": {
		"endpoint": "set the environment variable AWS_ENDPOINT_URL, which every AWS tool understands",
	},
}
