package awssim

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// AWS's bounds on tags.
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// readTags reads prefix.N.Key and prefix.N.Value and refuses what AWS does.
func (k *call) readTags(prefix string) ([]Tag, *Error) {
	var out []Tag
	for _, i := range k.p.indexes(prefix) {
		t := Tag{k.p[prefix+"."+i+".Key"], k.p[prefix+"."+i+".Value"]}
		if e := checkTag(t); e != nil {
			return nil, e
		}
		out = append(out, t)
	}
	return out, nil
}

func checkTag(t Tag) *Error {
	switch {
	case t.Key == "":
		return refuse("InvalidParameterValue", "Tag key cannot be empty or null.")
	case len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:"):
		return refuse("InvalidParameterValue", "Value ( %s ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", t.Key)
	case utf8.RuneCountInString(t.Key) > maxTagKey:
		return refuse("InvalidParameterValue", "Tag key exceeds the maximum length of %d characters", maxTagKey)
	case utf8.RuneCountInString(t.Value) > maxTagValue:
		return refuse("InvalidParameterValue", "Tag value exceeds the maximum length of %d characters", maxTagValue)
	case !utf8.ValidString(t.Key) || !utf8.ValidString(t.Value):
		return refuse("InvalidParameterValue", "Tag key and value must be UTF-8")
	}
	return nil
}

// mergeTags gives have with set on top, in a slice of its own. Tags of AWS
// itself do not count towards the limit.
func mergeTags(have, set []Tag) ([]Tag, *Error) {
	out := slices.Clone(have)
	for _, t := range set {
		if i := slices.IndexFunc(out, func(o Tag) bool { return o.Key == t.Key }); i >= 0 {
			out[i] = t
		} else {
			out = append(out, t)
		}
	}
	n := 0
	for _, t := range out {
		if !strings.HasPrefix(t.Key, "aws:") {
			n++
		}
	}
	if n > maxTags {
		return nil, refuse("TagLimitExceeded", "More than %d tags specified", maxTags)
	}
	return out, nil
}

// tagged is a resource whose tags a request changes.
type tagged struct {
	tags []Tag
	set  func([]Tag)
}

// taggable finds the resources that a tagging request names, all or none. The
// scope's lock is held: nothing else changes tags of what is in it.
func (k *call) taggable() ([]tagged, *Error) {
	ids := k.p.list("ResourceId")
	if len(ids) == 0 {
		return nil, refuse("MissingParameter", "The request must contain the parameter resourceIdSet")
	}
	if len(ids) > 1000 {
		return nil, refuse("InvalidParameterValue", "At most 1000 resources can be tagged in one request, not %d", len(ids))
	}
	var out []tagged
	var instances []string
	for _, id := range ids {
		switch {
		case strings.HasPrefix(id, "i-"):
			instances = append(instances, id)
		case strings.HasPrefix(id, "cr-"):
			one, e := k.taggableReservation(id)
			if e != nil {
				return nil, e
			}
			out = append(out, one)
		default:
			return nil, notTaggable(id)
		}
	}
	if len(instances) == 0 {
		return out, nil
	}
	list, e := k.findAll(instances, false)
	for _, i := range list {
		out = append(out, tagged{i.tags, func(tags []Tag) {
			i.remember(k.ns())
			i.tags = tags
		}})
	}
	return out, e
}

func (k *call) taggableReservation(id string) (tagged, *Error) {
	k.c.poolMu.Lock()
	defer k.c.poolMu.Unlock()
	k.c.ledger.settle(k.ns())
	r, e := k.reservation(id)
	if e != nil {
		return tagged{}, e
	}
	return tagged{r.tags, func(tags []Tag) {
		k.c.poolMu.Lock()
		defer k.c.poolMu.Unlock()
		r.remember(k.ns())
		r.tags = tags
	}}, nil
}

// notTaggable refuses what can not be tagged here.
func notTaggable(id string) *Error {
	for _, o := range []struct{ prefix, code, what string }{
		{"ami-", "InvalidAMIID.NotFound", "image"},
		{"vol-", "InvalidVolume.NotFound", "volume"},
		{"snap-", "InvalidSnapshot.NotFound", "snapshot"},
		{"vpc-", "InvalidVpcID.NotFound", "vpc"},
		{"subnet-", "InvalidSubnetID.NotFound", "subnet"},
		{"sg-", "InvalidGroup.NotFound", "security group"},
	} {
		if idForm(id, o.prefix) {
			return refuse(o.code, "The %s ID '%s' does not exist", o.what, id)
		}
	}
	return refuse("InvalidID", "The ID '%s' is not valid", id)
}

// retag changes the tags of everything that the request names, or of nothing.
func (k *call) retag(w *xw, change func(have []Tag) ([]Tag, *Error)) *Error {
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	list, e := k.taggable()
	if e != nil {
		return e
	}
	next := make([][]Tag, len(list))
	for n, o := range list {
		if next[n], e = change(o.tags); e != nil {
			return e
		}
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	for n, o := range list {
		o.set(next[n])
	}
	w.flag("return", true)
	return nil
}

func createTags(k *call, w *xw) *Error {
	set, e := k.readTags("Tag")
	if e != nil {
		return e
	}
	if len(set) == 0 {
		return refuse("MissingParameter", "The request must contain the parameter tagSet")
	}
	return k.retag(w, func(have []Tag) ([]Tag, *Error) { return mergeTags(have, set) })
}

func deleteTags(k *call, w *xw) *Error {
	idx := k.p.indexes("Tag")
	return k.retag(w, func(have []Tag) ([]Tag, *Error) {
		for _, n := range idx {
			if e := checkTag(Tag{Key: k.p["Tag."+n+".Key"]}); e != nil {
				return nil, e
			}
		}
		return slices.DeleteFunc(slices.Clone(have), func(t Tag) bool {
			if len(idx) == 0 { // no tag named: all of the user's go
				return !strings.HasPrefix(t.Key, "aws:")
			}
			return slices.ContainsFunc(idx, func(n string) bool {
				want, ok := k.p["Tag."+n+".Value"]
				return k.p["Tag."+n+".Key"] == t.Key && (!ok || want == t.Value)
			})
		}), nil
	})
}

func describeTags(k *call, w *xw) *Error {
	type row struct {
		id, kind string
		Tag
	}
	fs, e := readFilters(k, func(name string) field[row] {
		switch name {
		case "key":
			return text(func(r row) string { return r.Key })
		case "value":
			return text(func(r row) string { return r.Value })
		case "resource-id":
			return text(func(r row) string { return r.id })
		case "resource-type":
			return text(func(r row) string { return r.kind })
		}
		if key, ok := strings.CutPrefix(name, "tag:"); ok {
			return func(r row, is func(string) bool) bool { return r.Key == key && is(r.Value) }
		}
		return nil
	})
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	k.scope.sweep(k.ns())
	var found []row
	for _, i := range k.scope.instances {
		v, ok := k.look(i)
		if !ok {
			continue
		}
		for _, t := range v.tags {
			if r := (row{i.id, "instance", t}); fs.match(r) {
				found = append(found, r)
			}
		}
	}
	k.c.poolMu.Lock()
	defer k.c.poolMu.Unlock()
	k.c.ledger.settle(k.ns())
	for _, o := range k.c.ledger.odcrs[k.scope] {
		v, ok := k.lookReservation(o)
		if !ok {
			continue
		}
		for _, t := range v.odcrShape.tags {
			if r := (row{o.id, "capacity-reservation", t}); fs.match(r) {
				found = append(found, r)
			}
		}
	}
	from, to, next, e := k.window(len(found), 1000, 5, 1000)
	if e != nil {
		return e
	}
	if e := k.dryRun(); e != nil {
		return e
	}
	w.open("tagSet")
	for _, r := range found[from:to] {
		w.open("item")
		w.el("resourceId", r.id)
		w.el("resourceType", r.kind)
		w.el("key", r.Key)
		w.el("value", r.Value)
		w.close("item")
	}
	w.close("tagSet")
	w.some("nextToken", next)
	k.log.Items = to - from
	return nil
}

// writeTags writes the tags of a resource of EC2, where it has any.
func writeTags(w *xw, tags []Tag) {
	if len(tags) == 0 {
		return
	}
	w.raw("<tagSet>")
	for _, t := range tags {
		w.raw("<item>")
		w.el("key", t.Key)
		w.el("value", t.Value)
		w.raw("</item>")
	}
	w.raw("</tagSet>")
}
