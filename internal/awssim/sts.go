package awssim

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

var (
	sessionNameForm = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalIDForm  = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
	roleARNForm     = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role/((?:[\x21-\x7e]+/)?[\w+=,.@-]{1,64})$`)
)

const (
	defaultSession = time.Hour
	chainedSession = time.Hour // AWS's bound for a role assumed with a role
	maxSessions    = 100_000   // kept; expired ones go first
)

func assumeRole(k *call, w *xw) *Error {
	if e := validate("roleSessionName", k.p["RoleSessionName"], 2, 64, sessionNameForm); e != nil {
		return e
	}
	arn := k.p["RoleArn"]
	if e := validate("roleArn", arn, 20, 2048, nil); e != nil {
		return e
	}
	dur, e := k.p.number("DurationSeconds", int(defaultSession.Seconds()), -1<<31, 1<<31-1)
	if e != nil {
		return refuse("ValidationError", "DurationSeconds: %s", e.Message)
	}
	if dur < 900 || dur > 43200 {
		return refuse("ValidationError", "1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200", dur)
	}
	if k.p.has("ExternalId") {
		if e := validate("externalId", k.p["ExternalId"], 2, 1224, externalIDForm); e != nil {
			return e
		}
	}
	lasts := time.Duration(dur) * time.Second
	if k.who.role != nil && lasts > chainedSession {
		return refuse("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	m := roleARNForm.FindStringSubmatch(arn)
	if m == nil {
		return refuse("ValidationError", "%s is invalid", arn)
	}
	part, accountID, name := m[1], m[2], m[3]
	a := k.c.lookAccount(accountID)
	r := k.c.findRole(a, part, name)
	if r == nil || r.denied || part != k.who.region.partition || (r.externalID != "" && r.externalID != k.p["ExternalId"]) {
		return refuse("AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", k.who.arn, arn)
	}
	if lasts > r.maxSession {
		return refuse("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	n := k.c.mint()
	key := fmt.Sprintf("ASIA%016X", n)
	short := name[strings.LastIndexByte(name, '/')+1:]
	bare := *r
	bare.name = short // an assumed-role ARN leaves out the path
	s := &session{
		account: a, role: &bare, partition: part, name: k.p["RoleSessionName"],
		token: opaque(fmt.Sprintf("session %s %016x %016x", key, hash(k.c.seed, "token", n), hash(k.c.seed, "token2", n))),
		// Sent and kept to the second: a session ends when its answer said.
		expires: k.c.opt.Now().Add(lasts).Truncate(time.Second),
	}
	k.c.keepSession(key, s)
	w.raw("<Credentials>")
	w.el("AccessKeyId", key)
	w.el("SecretAccessKey", opaque(fmt.Sprintf("%015x%015x", hash(k.c.seed, "secret", n)>>4, hash(k.c.seed, "secret2", n)>>4)))
	w.el("SessionToken", s.token)
	w.el("Expiration", s.expires.UTC().Format("2006-01-02T15:04:05Z"))
	w.raw("</Credentials><AssumedRoleUser>")
	w.el("AssumedRoleId", roleID(k.c.seed, r.arn)+":"+s.name)
	w.el("Arn", fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", part, a.id, short, s.name))
	w.raw("</AssumedRoleUser>")
	return nil
}

// findRole gives the role, or nil when it cannot be assumed because it or its
// account is not there. An account for which no roles are declared has every
// role that is asked for.
func (c *Cloud) findRole(a *account, part, name string) *role {
	if a == nil || a.partition != "" && a.partition != part {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(a.roles) > 0 {
		return a.roles[name]
	}
	return &role{name: name, arn: fmt.Sprintf("arn:%s:iam::%s:role/%s", part, a.id, name), maxSession: 12 * time.Hour}
}

func (c *Cloud) keepSession(key string, s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) >= maxSessions {
		now := c.opt.Now()
		for k, old := range c.sessions {
			if !now.Before(old.expires) {
				delete(c.sessions, k)
			}
		}
		for k := range c.sessions { // all alive: any one has to go
			if len(c.sessions) < maxSessions {
				break
			}
			delete(c.sessions, k)
		}
	}
	c.sessions[key] = s
}

// validate checks a member as STS does, in its words.
func validate(name, v string, lo, hi int, form *regexp.Regexp) *Error {
	const head = "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must "
	switch {
	case v == "":
		return refuse("ValidationError", "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name)
	case len(v) < lo:
		return refuse("ValidationError", head+"have length greater than or equal to %d", v, name, lo)
	case len(v) > hi:
		return refuse("ValidationError", head+"have length less than or equal to %d", v, name, hi)
	case form != nil && !form.MatchString(v):
		return refuse("ValidationError", head+"satisfy regular expression pattern: %s", v, name, strings.Trim(form.String(), "^$"))
	}
	return nil
}

func getCallerIdentity(k *call, w *xw) *Error {
	w.el("Arn", k.who.arn)
	w.el("UserId", k.who.userID)
	w.el("Account", k.who.account.id)
	return nil
}
