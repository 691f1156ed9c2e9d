package awssim

import (
	"fmt"
	"strings"
	"time"
)

// principal is who makes a call, and where.
type principal struct {
	account *account
	region  *region
	role    *role // nil for an access key of a user
	arn     string
	userID  string
}

// session is what AssumeRole gives out.
type session struct {
	account   *account
	role      *role
	partition string
	name      string
	token     string
	expires   time.Time // base clock
}

// identify finds the caller by the access key id and the region by the scope.
func (c *Cloud) identify(cred *credential, svc *service) (*principal, *Error) {
	p := &principal{region: regions[cred.region]}
	c.mu.RLock()
	s := c.sessions[cred.key]
	c.mu.RUnlock()
	keyAccount, listed := c.opt.Keys[cred.key]
	switch {
	case s != nil:
		p.account, p.role = s.account, s.role
	case listed:
		p.account = c.account(keyAccount)
	case isAccountID(cred.key):
		p.account = c.lookAccount(cred.key)
		if p.account == nil && !c.opt.StrictCredentials {
			p.account = c.account(cred.key)
		}
	case !c.opt.StrictCredentials:
		p.account = c.account(c.opt.DefaultAccount)
	}
	if p.account == nil || p.region == nil {
		return nil, invalidKey(svc)
	}
	part := p.region.partition
	if s != nil {
		p.arn = fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", s.partition, s.account.id, s.role.name, s.name)
		p.userID = roleID(c.seed, s.role.arn) + ":" + s.name
		switch {
		case cred.token != s.token, part != s.partition:
			return p, invalidKey(svc)
		case !c.opt.Now().Before(s.expires):
			return p, expired(svc)
		}
	} else {
		p.arn = fmt.Sprintf("arn:%s:iam::%s:user/%s", part, p.account.id, userName(cred.key))
		p.userID = fmt.Sprintf("AIDA%016X", hash(c.seed, "user", cred.key))
		if isAccountID(cred.key) && p.account.partition != "" && p.account.partition != part {
			return p, invalidKey(svc)
		}
	}
	a := p.account
	c.mu.RLock()
	off := a.disabled[p.region.name] || p.region.optIn && !a.optIn[p.region.name]
	c.mu.RUnlock()
	if off {
		return p, notOptedIn(svc)
	}
	return p, nil
}

// userName is what an ARN may hold of an access key id.
func userName(key string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_+=,.@-", r)) {
			return r
		}
		return '-'
	}, key)
}

func isAccountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func invalidKey(svc *service) *Error {
	if svc != nil && svc.protocol == ec2Query {
		return refuse("AuthFailure", "AWS was not able to validate the provided access credentials")
	}
	return refuse("InvalidClientTokenId", "The security token included in the request is invalid.")
}

// notOptedIn is the answer of a region that the account has not enabled: to
// its endpoint the account's keys are unknown.
func notOptedIn(svc *service) *Error { return invalidKey(svc) }

func expired(svc *service) *Error {
	if svc != nil && svc.protocol == ec2Query {
		return refuse("RequestExpired", "Request has expired.")
	}
	return refuse("ExpiredToken", "The security token included in the request is expired")
}

// denied is the refusal of a call that no policy allows.
func (k *call) denied() *Error {
	who := "arn:aws:iam::" + k.accountID + ":user/unknown"
	if k.who != nil {
		who = k.who.arn
	}
	msg := fmt.Sprintf("User: %s is not authorized to perform: %s:%s", who, k.serviceName, k.actionName)
	if len(k.log.Resources) == 1 {
		msg += " on resource: " + k.log.Resources[0]
	}
	msg += fmt.Sprintf(" because no identity-based policy allows the %s:%s action", k.serviceName, k.actionName)
	if k.svc != nil && k.svc.protocol == ec2Query {
		return refuse("UnauthorizedOperation", "You are not authorized to perform this operation. %s.", msg)
	}
	return refuse("AccessDenied", "%s", msg)
}

func (r *role) permits(action string) bool {
	return action == "sts:GetCallerIdentity" || // which no policy can deny
		!globAny(r.deny, action) && (len(r.allow) == 0 || globAny(r.allow, action))
}

func roleID(seed int64, arn string) string { return fmt.Sprintf("AROA%016X", hash(seed, "role", arn)) }

// ExpireSessions ends every session that AssumeRole gave out.
func (c *Cloud) ExpireSessions() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		s.expires = time.Time{}
	}
}
