package awssim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Events says where the simulated EventBridge puts what happens, in the accounts
// and regions of the whole fleet: as if every one of them forwarded to this one.
type Events struct {
	// Queue is the name of a queue of SQS, which is made.
	Queue string `yaml:"queue"`
	// Account and Region of the queue; default the default account and us-east-1.
	Account string `yaml:"account,omitempty"`
	Region  string `yaml:"region,omitempty"`
}

// defaultEventRegion is where the queue is when a fleet does not say.
const defaultEventRegion = "us-east-1"

func (e *Events) check(bad func(field, format string, args ...any)) {
	if !queueNameForm.MatchString(e.Queue) {
		bad("queue", "%q is not the name of a queue: 1 to 80 letters, digits, hyphens and underscores", e.Queue)
	}
	if e.Account != "" && !isAccountID(e.Account) {
		bad("account", "%q is not an account: twelve digits, quoted", e.Account)
	}
	if e.Region != "" && regions[e.Region] == nil {
		bad("region", "%q is not a region", e.Region)
	}
}

// bus is the simulated EventBridge. States are read off the clock and nothing
// runs in the background, so events come to be when somebody looks into a queue:
// what has happened since the last look is put there first.
type bus struct {
	mu    sync.Mutex
	to    Events // zero: there is none
	since int64  // what was before has been told, or was before the bus
	// told is the last phase that was told of resources that changed since.
	told map[string]phase
}

// late is how long, in base time, a command may take from the instant that
// counts for it until it acts: looks go back so far.
const late = 2 * time.Second

// listen begins to tell what happens from an instant on; the locks of the bus
// and the cloud are held.
func (c *Cloud) listen(to Events, now time.Time) {
	to.Account, to.Region = cmp.Or(to.Account, c.opt.DefaultAccount), cmp.Or(to.Region, defaultEventRegion)
	c.bus.to, c.bus.since, c.bus.told = to, now.UnixNano(), map[string]phase{}
	s := c.scopeLocked(c.accountLocked(to.Account), regions[to.Region])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queueNamed(to.Queue, now)
}

// silence ends the bus.
func (c *Cloud) silence() {
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	c.bus.to = Events{}
}

// listens gives what listen was told; nil where it was not.
func (c *Cloud) listens() *Events {
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	if c.bus.to == (Events{}) {
		return nil
	}
	to := c.bus.to
	return &to
}

// happening is an event before it is written.
type happening struct {
	at     int64
	s      *scope
	source string
	what   string
	arn    string
	detail any
}

// spread puts what has happened up to now into the queue of events.
func (c *Cloud) spread(now time.Time) {
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	if c.bus.to == (Events{}) {
		return
	}
	var news []happening
	for _, s := range c.allScopes() {
		news = append(news, c.newsOf(s, now.UnixNano())...)
	}
	c.bus.since = max(c.bus.since, now.UnixNano()-int64(float64(late)*c.clock.rate()))
	maps.DeleteFunc(c.bus.told, func(_ string, p phase) bool { return p.at < c.bus.since })
	if len(news) == 0 {
		return
	}
	slices.SortStableFunc(news, func(a, b happening) int { return cmp.Compare(a.at, b.at) })
	s := c.scope(c.account(c.bus.to.Account), regions[c.bus.to.Region])
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queueNamed(c.bus.to.Queue, now)
	for i := range news {
		c.put(q, c.eventOf(&news[i]), now)
	}
}

// newsOf collects what happened in a scope since the last look; the bus's lock is held.
func (c *Cloud) newsOf(s *scope, now int64) []happening {
	var news []happening
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tend(now)
	for _, i := range s.instances {
		for _, p := range c.fresh("ec2 "+i.id, i.line, now) {
			news = append(news, happening{
				at: p.at, s: s, source: "aws.ec2", what: "EC2 Instance State-change Notification",
				arn:    fmt.Sprintf("arn:%s:ec2:%s:%s:instance/%s", s.region.partition, s.region.name, s.account.id, i.id),
				detail: map[string]string{"instance-id": i.id, "state": stateNames[p.state]},
			})
		}
	}
	for _, d := range s.dbs {
		for _, p := range c.fresh("rds "+s.account.id+" "+s.region.name+" "+d.id, d.line, now) {
			news = append(news, s.databaseNews(p, d.line, "Instance", "db", d.id)...)
		}
	}
	for _, cl := range s.clusters {
		for _, p := range c.fresh("cluster "+s.account.id+" "+s.region.name+" "+cl.id, cl.line, now) {
			news = append(news, s.databaseNews(p, cl.line, "Cluster", "cluster", cl.id)...)
		}
	}
	return news
}

// fresh gives the phases of a resource that were not told yet and have begun.
func (c *Cloud) fresh(key string, line timeline, now int64) []phase {
	// Most resources have not changed since the last look: the last phase tells.
	current := line.when(now)
	if current == nil || current.at < c.bus.since {
		return nil
	}
	told, known := c.bus.told[key]
	var news []phase
	for _, p := range line {
		switch {
		case known && p == told:
			news = nil // all before it were told, too
		case p.at == always || p.at < c.bus.since || p.at > now || known && p.at < told.at:
		default:
			news = append(news, p)
		}
	}
	if len(news) > 0 {
		c.bus.told[key] = news[len(news)-1]
	}
	return news
}

// databaseEvents are what RDS tells of a state that was reached, of an instance
// and of a cluster: its event and its sentence. Of ways there it tells nothing.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
var databaseEvents = map[string]map[uint8][2]string{
	"Instance": {dbStopped: {"RDS-EVENT-0087", "DB instance stopped"}, dbAvailable: {"RDS-EVENT-0088", "DB instance started"}},
	"Cluster":  {dbStopped: {"RDS-EVENT-0150", "DB cluster stopped"}, dbAvailable: {"RDS-EVENT-0151", "DB cluster started"}},
}

// databaseNews is what RDS tells of a phase, if anything.
func (s *scope) databaseNews(p phase, line timeline, what, sort, id string) []happening {
	before := line.when(p.at - 1)
	told, tells := databaseEvents[what][p.state]
	if p.state == dbAvailable && before != nil && before.state != dbStarting {
		tells = false // it came back from something else
	}
	if p.state == dbStarting && before != nil && before.state == dbStopped && p.at-before.at >= maxStopped {
		number := map[string]string{"Instance": "RDS-EVENT-0154", "Cluster": "RDS-EVENT-0153"}[what]
		told, tells = [2]string{number, "DB " + strings.ToLower(what) + " is being started due to it exceeding the maximum allowed time being stopped."}, true
	}
	if !tells {
		return nil
	}
	arn := s.dbARN(sort, id)
	return []happening{{
		at: p.at, s: s, source: "aws.rds", what: "RDS DB " + what + " Event", arn: arn,
		detail: map[string]any{
			"EventCategories": []string{"notification"}, "SourceType": map[string]string{"Instance": "DB_INSTANCE", "Cluster": "CLUSTER"}[what],
			"SourceArn": arn, "Date": instant(p.at).Format("2006-01-02T15:04:05.000Z"), "Message": told[1], "SourceIdentifier": id, "EventID": told[0],
		},
	}}
}

// eventOf writes an event as EventBridge does.
func (c *Cloud) eventOf(h *happening) string {
	body, err := json.Marshal(struct {
		Version    string   `json:"version"`
		ID         string   `json:"id"`
		DetailType string   `json:"detail-type"`
		Source     string   `json:"source"`
		Account    string   `json:"account"`
		Time       string   `json:"time"`
		Region     string   `json:"region"`
		Resources  []string `json:"resources"`
		Detail     any      `json:"detail"`
	}{
		"0", uuid(c.seed, c.mint()), h.what, h.source, h.s.account.id, instant(h.at).Format(time.RFC3339), h.s.region.name, []string{h.arn}, h.detail,
	})
	if err != nil { // of texts it cannot fail
		return "{}"
	}
	return string(body)
}
