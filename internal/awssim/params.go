package awssim

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params are the parameters of a Query request by canonical name: list
// positions as numbers, and for the Query protocol without the member name in
// front of them (Filters.Filter.1.Name and Filters.member.1.Name are both
// Filters.1.Name).
type params map[string]string

// commonParams belong to every request, not to an action.
var commonParams = map[string]bool{
	"Action": true, "Version": true,
	"X-Amz-Algorithm": true, "X-Amz-Credential": true, "X-Amz-Date": true, "X-Amz-Expires": true,
	"X-Amz-SignedHeaders": true, "X-Amz-Signature": true, "X-Amz-Security-Token": true,
}

func canonical(key string, proto protocol) string {
	if !strings.Contains(key, ".") {
		return key
	}
	parts := strings.Split(key, ".")
	out := parts[:0]
	for i, part := range parts {
		if proto == awsQuery && i+1 < len(parts) && isIndex(parts[i+1]) && i > 0 {
			continue // the member name
		}
		out = append(out, part)
	}
	return strings.Join(out, ".")
}

func isIndex(s string) bool {
	if s == "" || len(s) > 6 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// shape is a parameter's name with N for each list position.
func shape(key string) string {
	if !strings.Contains(key, ".") {
		return key
	}
	parts := strings.Split(key, ".")
	for i, p := range parts {
		if isIndex(p) {
			parts[i] = "N"
		}
	}
	return strings.Join(parts, ".")
}

func newParams(form url.Values, act *action, proto protocol) (params, *Error) {
	p := make(params, len(form))
	for key, vals := range form {
		if commonParams[key] {
			continue
		}
		name := canonical(key, proto)
		sh := shape(name)
		if !act.takes[sh] {
			// An empty list is sent as its bare name.
			if len(vals) == 1 && vals[0] == "" && act.takesList(sh) {
				continue
			}
			return nil, refuse("UnknownParameter", "The parameter %s is not recognized", key)
		}
		if _, dup := p[name]; dup || len(vals) != 1 {
			return nil, refuse("InvalidParameterCombination", "The parameter %s was given more than once", key)
		}
		p[name] = vals[0]
	}
	return p, nil
}

func (p params) has(name string) bool { _, ok := p[name]; return ok }

// list gives the values of name.1, name.2 … in order of their numbers.
func (p params) list(name string) []string {
	idx := p.indexes(name)
	out := make([]string, 0, len(idx))
	for _, i := range idx {
		if v, ok := p[name+"."+i]; ok {
			out = append(out, v)
		}
	}
	return out
}

// indexes gives the positions under name in order of their numbers.
func (p params) indexes(name string) []string {
	var idx []string
	for k := range p {
		rest, ok := strings.CutPrefix(k, name+".")
		if !ok {
			continue
		}
		i, _, _ := strings.Cut(rest, ".")
		if isIndex(i) {
			idx = append(idx, i)
		}
	}
	slices.SortFunc(idx, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
	return slices.Compact(idx)
}

func (p params) boolean(name string, def bool) (bool, *Error) {
	switch v, ok := p[name]; {
	case !ok:
		return def, nil
	case strings.EqualFold(v, "true") || v == "1":
		return true, nil
	case strings.EqualFold(v, "false") || v == "0":
		return false, nil
	default:
		return false, refuse("InvalidParameterValue", "Invalid value '%s' for %s. Must be true or false", v, name)
	}
}

// number reads a whole number within bounds; def where it is not given.
func (p params) number(name string, def, lo, hi int) (int, *Error) {
	v, ok := p[name]
	if !ok {
		return def, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < lo || n > hi {
		return 0, refuse("InvalidParameterValue", "Value ( %s ) for parameter %s is invalid. Expecting a value between %d and %d.", v, name, lo, hi)
	}
	return n, nil
}

func (p params) need(names ...string) *Error {
	for _, n := range names {
		if p[n] == "" {
			return refuse("MissingParameter", "The request must contain the parameter %s", n)
		}
	}
	return nil
}
