package awssim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a listing, as AWS documents them.
const (
	maxFilters      = 50
	maxFilterValues = 200
	// tokenLife is how long a page token is good, on the base clock.
	tokenLife = 24 * time.Hour
)

// field reads one filterable field of a resource: it calls is with each of its
// values until one is accepted.
type field[T any] func(v T, is func(string) bool) bool

// text makes the field of a single value.
func text[T any](get func(T) string) field[T] {
	return func(v T, is func(string) bool) bool { return is(get(v)) }
}

// filters are the filters of a request made ready: a resource must match each
// of them with one of its values.
type filters[T any] []filter[T]

type filter[T any] struct {
	field field[T]
	is    func(string) bool
}

func (fs filters[T]) match(v T) bool {
	for _, f := range fs {
		if !f.field(v, f.is) {
			return false
		}
	}
	return true
}

// accepts makes a test for one of several values with wildcards. Most values
// have none, and there may be 200 of them for each of 100,000 instances.
func accepts(values []string, wild bool) func(string) bool {
	exact := make(map[string]bool, len(values))
	var patterns []string
	for _, v := range values {
		if wild && strings.ContainsAny(v, `*?\`) {
			patterns = append(patterns, v)
		} else {
			exact[v] = true
		}
	}
	return func(s string) bool { return exact[s] || globAny(patterns, s) }
}

// readFilters reads the filters of a request. known gives the field of a
// filter's name, nil for one that is not modelled.
func readFilters[T any](k *call, known func(name string) field[T]) (filters[T], *Error) {
	list, vals := "Filter", "Value"
	if k.svc.protocol == awsQuery {
		list, vals = "Filters", "Values"
	}
	idx := k.p.indexes(list)
	if len(idx) > maxFilters {
		return nil, refuse("FilterLimitExceeded", "The maximum number of filters is %d", maxFilters)
	}
	var out filters[T]
	for _, i := range idx {
		name := k.p[list+"."+i+".Name"]
		values := k.p.list(list + "." + i + "." + vals)
		switch {
		case name == "":
			return nil, refuse("InvalidParameterValue", "The filter 'null' is invalid")
		case len(values) > maxFilterValues:
			return nil, refuse("FilterLimitExceeded", "The maximum number of filter values specified on a single call is %d", maxFilterValues)
		case len(values) == 0 && k.svc.protocol == ec2Query:
			return nil, refuse("InvalidParameterValue", "Filter '%s' has no values", name)
		}
		f := known(name)
		if f == nil {
			if k.svc.protocol == awsQuery {
				return nil, refuse("InvalidParameterValue", "Unrecognized filter name: %s", name)
			}
			return nil, refuse("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
		out = append(out, filter[T]{f, accepts(values, k.svc.protocol == ec2Query)})
	}
	return out, nil
}

// dryRun refuses with DryRunOperation when the request only asks whether it
// would succeed.
func (k *call) dryRun() *Error {
	dry, e := k.p.boolean("DryRun", false)
	if e == nil && dry {
		e = refuse("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	}
	return e
}

// window cuts one page out of a list that does not change between pages: from
// and to are indexes, next is the token of the following page.
func (k *call) window(n, def, lo, hi int) (from, to int, next string, e *Error) {
	size, e := k.p.number("MaxResults", def, lo, hi)
	if e != nil {
		return 0, 0, "", e
	}
	after, e := k.cursor("NextToken")
	if e != nil {
		return 0, 0, "", e
	}
	from = min(int(after), n)
	to = min(from+size, n)
	if to < n {
		next = k.token("NextToken", uint64(to))
	}
	return from, to, next, nil
}

// token makes a page token: where to go on, what was asked, and until when it
// is good. A token of another question or another account is refused.
func (k *call) token(param string, after uint64) string {
	return opaque(fmt.Sprintf("%x.%x.%x", after, k.question(param), k.c.opt.Now().Add(tokenLife).Unix()))
}

// question is the request apart from its position in the pages.
func (k *call) question(param string) uint64 {
	keys := make([]string, 0, len(k.p))
	for name := range k.p {
		if name != param && name != "MaxResults" && name != "MaxRecords" && name != "DryRun" {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, name := range keys {
		b.WriteString(name + "=" + k.p[name] + "&")
	}
	return hash(k.c.seed, "page", k.accountID, k.regionName, k.actionName, b.String())
}

// cursor reads the page token of a request; 0 where there is none.
func (k *call) cursor(param string) (uint64, *Error) {
	tok, ok := k.p[param]
	if !ok {
		return 0, nil
	}
	bad := refuse("InvalidNextToken", "The specified NextToken is not valid.")
	if k.svc.protocol != ec2Query {
		bad = refuse("InvalidParameterValue", "The parameter %s is not valid.", param)
	}
	text, ok := transparent(tok)
	parts := strings.Split(text, ".")
	if !ok || len(parts) != 3 {
		return 0, bad
	}
	var n [3]uint64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 16, 64)
		if err != nil {
			return 0, bad
		}
		n[i] = v
	}
	switch {
	case n[1] != k.question(param):
		return 0, bad
	case n[2] < uint64(k.c.opt.Now().Unix()), k.strikes(FaultTokenExpire, "", "") != nil:
		if k.svc.protocol == ec2Query {
			return 0, refuse("InvalidNextToken", "The specified NextToken is expired.")
		}
		return 0, bad
	}
	return n[0], nil
}
