package awssim

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Call is one request as the simulator received it.
type Call struct {
	Seq       int64     `json:"seq"`
	Time      time.Time `json:"time"` // simulated
	Account   string    `json:"account,omitempty"`
	Region    string    `json:"region,omitempty"`
	Service   string    `json:"service,omitempty"`
	Action    string    `json:"action,omitempty"`
	Principal string    `json:"principal,omitempty"` // ARN of the caller
	// Resources are all ids the request named, in its order.
	Resources []string `json:"resources,omitempty"`
	// Instances is how many a reservation was to have after the call.
	Instances int  `json:"instances,omitempty"`
	Mutating  bool `json:"mutating,omitempty"`
	DryRun    bool `json:"dryRun,omitempty"`
	// Status is the HTTP status sent, 0 where no answer was.
	Status    int    `json:"status"`
	Code      string `json:"code,omitempty"` // AWS's error code, empty for success
	Throttled bool   `json:"throttled,omitempty"`
	// Fault is the kind of the injected fault that shaped the answer.
	Fault     string `json:"fault,omitempty"`
	Items     int    `json:"items,omitempty"` // resources in the answer of a listing
	RequestID string `json:"requestId"`
}

// Stats are counts since New or ResetCalls.
type Stats struct {
	Calls     int64            `json:"calls"`
	Mutating  int64            `json:"mutating"`
	Throttled int64            `json:"throttled"`
	Errors    int64            `json:"errors"` // throttled ones included
	ByAction  map[string]int64 `json:"byAction"`
	ByCode    map[string]int64 `json:"byCode"`
}

// keepCalls bounds the log: the oldest calls are forgotten, the counts stay.
const keepCalls = 1 << 18

type callLog struct {
	mu    sync.Mutex
	seq   int64
	calls []Call
	stats Stats
}

func (l *callLog) add(k Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	k.Seq = l.seq
	if len(l.calls) >= keepCalls {
		l.calls = slices.Delete(l.calls, 0, keepCalls/4)
	}
	l.calls = append(l.calls, k)
	if l.stats.ByAction == nil {
		l.stats.ByAction, l.stats.ByCode = map[string]int64{}, map[string]int64{}
	}
	l.stats.Calls++
	l.stats.ByAction[k.Service+":"+k.Action]++
	if k.Mutating {
		l.stats.Mutating++
	}
	if k.Throttled {
		l.stats.Throttled++
	}
	if k.Code != "" {
		l.stats.Errors++
		l.stats.ByCode[k.Code]++
	}
}

// Calls gives the calls since New or ResetCalls, oldest first; of more than
// 262,144 only the newest.
func (c *Cloud) Calls() []Call {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return slices.Clone(c.log.calls)
}

// CallsAfter gives the calls with a sequence number above seq.
func (c *Cloud) CallsAfter(seq int64) []Call {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	i, _ := slices.BinarySearchFunc(c.log.calls, seq+1, func(k Call, s int64) int { return int(k.Seq - s) })
	return slices.Clone(c.log.calls[i:])
}

// Stats gives the counts since New or ResetCalls.
func (c *Cloud) Stats() Stats {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	s := c.log.stats
	s.ByAction, s.ByCode = maps.Clone(s.ByAction), maps.Clone(s.ByCode)
	return s
}

// ResetCalls forgets the calls and sets the counts to zero; sequence numbers
// go on.
func (c *Cloud) ResetCalls() {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.log.calls, c.log.stats = nil, Stats{}
}
