package fleet

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"dayshift/internal/say"
	"dayshift/internal/typo"
)

// maxFilterLength bounds a filter's text: EC2 takes 200 values of 255 runes in
// a filter, far more than anybody writes, and a configuration full of filters
// must not become a way to burn CPU.
const maxFilterLength = 16 << 10

// filterKeys are the keys of a filter but for tag:<key>, in the order in which
// people are told of them.
var filterKeys = []string{
	"account", "arn", "availability-zone", "instance-id", "instance-state-name", "instance-type", "name", "private-ip-address", "region",
	"resource-type", "subnet-id", "vpc-id",
}

// stateNames are AWS's words for the states of instances and databases that people mean most; others are taken as they are.
var stateNames = []string{
	"available", "backing-up", "creating", "deleting", "failed", "maintenance", "modifying", "pending", "rebooting", "running",
	"shutting-down", "starting", "stopped", "stopping", "storage-full", "terminated", "upgrading",
}

// addressPattern is the form of an IPv4 address, or roughly that of an IPv6 one.
var addressPattern = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){3}$|^[0-9a-f:]*:[0-9a-f:]*$`)

// tagPrefix introduces the key of a tag.
const tagPrefix = "tag:"

// allowedKeys is the list that every refused key is answered with.
var allowedKeys = strings.Join(filterKeys, ", ") + ", tag:<key>"

// Filter selects resources. Different keys must all match; of the values given
// for one key one must. The zero Filter selects nothing: a filter that was
// forgotten must never select a whole account. Make one with ParseFilter.
type Filter struct {
	terms []term
}

// term is one key with all its values.
type term struct {
	key    string // one of filterKeys, or tag:<key>
	values []pattern
}

// ParseFilter reads comma-separated key=value terms, such as
//
//	tag:Env=dev,tag:Env=test,instance-type=t3.*
//
// In a value "*" stands for any text and "?" for one character, as in EC2's own
// filters; "\" takes the meaning from the character after it (\* \? \\ \, \= and
// a blank). Blanks around keys and values do not count. Case matters. An empty
// filter, an unknown key and a value that can never match are refused.
func ParseFilter(text string) (Filter, error) {
	if len(text) > maxFilterLength {
		return Filter{}, say.Err("filter is %d bytes long; at most %d are allowed", len(text), maxFilterLength)
	}
	if !utf8.ValidString(text) {
		return Filter{}, say.Err("filter %q is not valid UTF-8", text)
	}
	if strings.TrimSpace(text) == "" {
		return Filter{}, say.Err("filter is empty; write key=value terms with commas between them (keys: %s)", allowedKeys)
	}
	var filter Filter
	for _, part := range splitTerms(text) {
		key, value, err := parseTerm(part)
		if err != nil {
			return Filter{}, say.Err("filter %q: %w", text, err)
		}
		filter.add(key, value)
	}
	return filter, nil
}

// add puts a value to its key, once.
func (f *Filter) add(key string, value pattern) {
	at := slices.IndexFunc(f.terms, func(t term) bool { return t.key == key })
	if at < 0 {
		f.terms = append(f.terms, term{key: key, values: []pattern{value}})
		return
	}
	if !slices.ContainsFunc(f.terms[at].values, value.equal) {
		f.terms[at].values = append(f.terms[at].values, value)
	}
}

// splitTerms cuts at the commas that no backslash protects.
func splitTerms(text string) []string {
	var parts []string
	start, escaped := 0, false
	for i := range len(text) {
		switch {
		case escaped:
			escaped = false
		case text[i] == '\\':
			escaped = true
		case text[i] == ',':
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// parseTerm reads one key=value.
func parseTerm(text string) (string, pattern, error) {
	if strings.TrimSpace(text) == "" {
		return "", nil, say.Err("there is nothing between two commas, or after the last; expected key=value")
	}
	runes, err := unescape(text)
	if err != nil {
		return "", nil, err
	}
	equals := slices.IndexFunc(runes, func(r char) bool { return !r.escaped && r.rune == '=' })
	if equals < 0 {
		return "", nil, say.Err("%q has no \"=\"; expected key=value (keys: %s)", strings.TrimSpace(text), allowedKeys)
	}
	key, err := checkKey(plain(trim(runes[:equals])))
	if err != nil {
		return "", nil, err
	}
	value := compile(trim(runes[equals+1:]))
	if len(value) == 0 {
		return "", nil, say.Err("%q has no value; write %s=* for any value", key, escape(key, true))
	}
	return key, value, checkValue(key, value)
}

// char is a character and whether a backslash stood before it.
type char struct {
	rune    rune
	escaped bool
}

// unescape resolves the backslashes.
func unescape(text string) ([]char, error) {
	chars := make([]char, 0, len(text))
	escaped := false
	for _, r := range text {
		switch {
		case escaped && !strings.ContainsRune(`*?\,=`, r) && !unicode.IsSpace(r):
			return nil, say.Err("%q: \"\\%c\" means nothing; \"\\\" may stand before * ? \\ , = and a blank", strings.TrimSpace(text), r)
		case escaped:
			chars = append(chars, char{r, true})
			escaped = false
		case r == '\\':
			escaped = true
		default:
			chars = append(chars, char{rune: r})
		}
	}
	if escaped {
		return nil, say.Err("%q ends in a single \"\\\"; write \"\\\\\" for the character itself", strings.TrimSpace(text))
	}
	return chars, nil
}

// trim removes the blanks around chars that no backslash protects.
func trim(chars []char) []char {
	blank := func(c char) bool { return !c.escaped && unicode.IsSpace(c.rune) }
	for len(chars) > 0 && blank(chars[0]) {
		chars = chars[1:]
	}
	for len(chars) > 0 && blank(chars[len(chars)-1]) {
		chars = chars[:len(chars)-1]
	}
	return chars
}

func plain(chars []char) string {
	var b strings.Builder
	for _, c := range chars {
		b.WriteRune(c.rune)
	}
	return b.String()
}

// checkKey refuses a key that is not known: a key that is silently dropped
// selects more than was meant, in the end everything.
func checkKey(key string) (string, error) {
	if slices.Contains(filterKeys, key) {
		return key, nil
	}
	if name, ok := strings.CutPrefix(key, tagPrefix); ok {
		if name == "" {
			return "", say.Err("%q names no tag; write tag:<key>=value, such as tag:Env=dev", key)
		}
		return key, nil
	}
	if name, ok := cutPrefixFold(key, tagPrefix); ok && name != "" {
		return "", say.Err("unknown key %q; did you mean %q? (keys: %s)", key, tagPrefix+name, allowedKeys)
	}
	if near, ok := typo.Nearest(key, filterKeys); ok {
		return "", say.Err("unknown key %q; did you mean %q? (keys: %s)", key, near, allowedKeys)
	}
	return "", say.Err("unknown key %q; allowed are %s", key, allowedKeys)
}

func cutPrefixFold(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return "", false
	}
	return text[len(prefix):], true
}

// checkValue refuses what can match no resource, because it is a slip.
func checkValue(key string, value pattern) error {
	text, literal := value.literal()
	switch {
	case key == "account" && literal:
		_, err := ParseAccountID(text)
		return err
	case key == "region" && literal:
		_, err := ParseRegion(text)
		return err
	case key == "vpc-id" && literal && !strings.HasPrefix(text, "vpc-"), key == "subnet-id" && literal && !strings.HasPrefix(text, "subnet-"):
		return say.Err("%s %q can match nothing: AWS's begin with %q", key, text, strings.TrimSuffix(key, "id"))
	case key == "private-ip-address" && literal && !addressPattern.MatchString(text):
		return say.Err("private-ip-address %q is not an address; write one such as 10.0.3.7, or with wildcards 10.0.3.*", text)
	case key == "instance-state-name" && literal && !slices.Contains(stateNames, text):
		if near, ok := typo.Nearest(text, stateNames); ok {
			return say.Err("instance-state-name %q is none of AWS's; did you mean %q?", text, near)
		}
	case key == "resource-type" && !slices.ContainsFunc(Kinds, func(k Kind) bool { return value.match(string(k)) }):
		names := make([]string, len(Kinds))
		for i, kind := range Kinds {
			names[i] = string(kind)
		}
		if near, ok := typo.Nearest(text, names); ok {
			return say.Err("resource-type %q matches no kind of resource; did you mean %q? (kinds: %s)", value.String(), near, strings.Join(names, ", "))
		}
		return say.Err("resource-type %q matches no kind of resource (kinds: %s)", value.String(), strings.Join(names, ", "))
	}
	return nil
}

// Match reports whether the filter selects the resource.
func (f Filter) Match(r Resource) bool {
	for _, t := range f.terms {
		if !t.match(&r) {
			return false
		}
	}
	return len(f.terms) > 0
}

func (t *term) match(r *Resource) bool {
	var text string
	switch t.key {
	case "account":
		text = string(r.Scope.Account)
	case "arn":
		text = r.ARN
	case "availability-zone":
		text = r.Zone
	case "instance-id":
		text = r.ID
	case "instance-state-name":
		text = r.Native
	case "instance-type":
		text = r.Type
	case "name":
		text = r.Name
	case "private-ip-address":
		text = r.PrivateIP
	case "region":
		text = string(r.Scope.Region)
	case "resource-type":
		text = string(r.Kind)
	case "subnet-id":
		text = r.Subnet
	case "vpc-id":
		text = r.VPC
	default:
		value, ok := r.Tags[t.key[len(tagPrefix):]]
		if !ok {
			return false
		}
		text = value
	}
	for _, value := range t.values {
		if value.match(text) {
			return true
		}
	}
	return false
}

// Reach tells whether the filter can match a resource of the kind in the scope, by its keys account, region and resource-type,
// and whether it names such a place: it has the account or the resource-type among its keys.
func (f Filter) Reach(scope Scope, kind Kind) (can, named bool) {
	place := Resource{Ref: Ref{Scope: scope, Kind: kind}}
	for _, t := range f.terms {
		switch t.key {
		case "account", "region", "resource-type":
			if !t.match(&place) {
				return false, false
			}
			named = named || t.key != "region"
		}
	}
	return true, named
}

// Tag gives a tag and its values without one of which the filter matches nothing, so that who has many
// filters need not ask each; false where no tag without wildcards is among its keys.
func (f Filter) Tag() (key string, values []string, ok bool) {
	for _, t := range f.terms {
		key, tagged := strings.CutPrefix(t.key, tagPrefix)
		if !tagged {
			continue
		}
		values := make([]string, 0, len(t.values))
		for _, value := range t.values {
			if text, literal := value.literal(); literal {
				values = append(values, text)
			}
		}
		if len(values) == len(t.values) {
			return key, values, true
		}
	}
	return "", nil, false
}

// maxStands bounds what stands for what a filter selects.
const maxStands = 100

// Stand gives resources that stand for what the filter selects of those that others stand for: each with the kind, the name and
// the tags that the filter names without wildcards, one for each choice that it leaves. None: it selects nothing of them.
func (f Filter) Stand(list []Resource) []Resource {
	for _, t := range f.terms {
		if t.key == "account" || t.key == "region" {
			list = slices.DeleteFunc(slices.Clone(list), func(r Resource) bool { return !t.match(&r) })
			continue
		}
		var texts []string
		for _, value := range t.values {
			if text, literal := value.literal(); literal {
				texts = append(texts, text)
			}
		}
		if len(texts) < len(t.values) || len(texts)*len(list) > maxStands {
			continue
		}
		var next []Resource
		for i := range list {
			for _, text := range texts {
				if r, can := t.stand(list[i], text); can {
					next = append(next, r)
				}
			}
		}
		list = next
	}
	return list
}

// stand gives a resource with the value of a term, where it has no other.
func (t *term) stand(r Resource, text string) (Resource, bool) {
	set := func(field *string) bool {
		if *field != "" && *field != text {
			return false
		}
		*field = text
		return true
	}
	switch t.key {
	case "name":
		return r, set(&r.Name)
	case "resource-type":
		return r, set((*string)(&r.Kind))
	}
	if tag, is := strings.CutPrefix(t.key, tagPrefix); is {
		if has, tagged := r.Tags[tag]; tagged {
			return r, has == text
		}
		r.Tags = maps.Clone(r.Tags)
		if r.Tags == nil {
			r.Tags = map[string]string{}
		}
		r.Tags[tag] = text
	}
	return r, true
}

// Keys are the keys of the filter, in the order of their first use.
func (f Filter) Keys() []string {
	keys := make([]string, 0, len(f.terms))
	for _, t := range f.terms {
		keys = append(keys, t.key)
	}
	return keys
}

// IsZero reports whether the filter was never set.
func (f Filter) IsZero() bool { return len(f.terms) == 0 }

// String returns a text that ParseFilter reads as the same filter: one term per
// key and value, keys in the order of their first use.
func (f Filter) String() string {
	var b strings.Builder
	for _, t := range f.terms {
		for _, value := range t.values {
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(escape(t.key, true))
			b.WriteByte('=')
			b.WriteString(value.String())
		}
	}
	return b.String()
}

// Equal reports whether both filters have the same keys and values in the same order.
func (f Filter) Equal(o Filter) bool {
	return slices.EqualFunc(f.terms, o.terms, func(a, b term) bool {
		return a.key == b.key && slices.EqualFunc(a.values, b.values, pattern.equal)
	})
}

// MarshalText writes the filter as String does.
func (f Filter) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what ParseFilter reads.
func (f *Filter) UnmarshalText(text []byte) error {
	filter, err := ParseFilter(string(text))
	if err != nil {
		return err
	}
	*f = filter
	return nil
}

// pattern is a text with wildcards, one piece per character or run of stars.
type pattern []piece

type piece struct {
	rune rune
	wild byte // 0: the rune itself, '?': any one, '*': any run
}

func compile(chars []char) pattern {
	var p pattern
	for _, c := range chars {
		switch {
		case !c.escaped && c.rune == '?':
			p = append(p, piece{wild: '?'})
		case !c.escaped && c.rune == '*':
			if len(p) == 0 || p[len(p)-1].wild != '*' {
				p = append(p, piece{wild: '*'})
			}
		default:
			p = append(p, piece{rune: c.rune})
		}
	}
	return p
}

func (p pattern) equal(o pattern) bool { return slices.Equal(p, o) }

// literal returns the text and whether it has no wildcard.
func (p pattern) literal() (string, bool) {
	literal := true
	var b strings.Builder
	for _, piece := range p {
		if piece.wild != 0 {
			literal = false
			b.WriteByte(piece.wild)
			continue
		}
		b.WriteRune(piece.rune)
	}
	return b.String(), literal
}

// match compares without recursion: on a mismatch it goes back to the last star
// and lets it swallow one character more, at most len(p)·len(text) steps.
func (p pattern) match(text string) bool {
	at, i := 0, 0       // in the pattern, in the text
	star, from := -1, 0 // the last star and where its text ended so far
	for i < len(text) {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[i:])
		}
		switch {
		case at < len(p) && p[at].wild == '*':
			star, from = at, i
			at++
		case at < len(p) && (p[at].wild == '?' || p[at].wild == 0 && p[at].rune == r):
			at++
			i += size
		case star >= 0:
			_, size = utf8.DecodeRuneInString(text[from:])
			from += size
			at, i = star+1, from
		default:
			return false
		}
	}
	for at < len(p) && p[at].wild == '*' {
		at++
	}
	return at == len(p)
}

// String escapes what would be read as something else.
func (p pattern) String() string {
	var b strings.Builder
	for i, piece := range p {
		if piece.wild != 0 {
			b.WriteByte(piece.wild)
			continue
		}
		edge := i == 0 || i == len(p)-1
		if strings.ContainsRune(`*?\,`, piece.rune) || edge && unicode.IsSpace(piece.rune) {
			b.WriteByte('\\')
		}
		b.WriteRune(piece.rune)
	}
	return b.String()
}

// FilterTerm writes a term of a filter that matches exactly the value, whatever
// characters it has. ParseFilter refuses it where there is no such key.
func FilterTerm(key, value string) string { return escape(key, true) + "=" + escape(value, false) }

// escape protects a key: "=" ends it, blanks around it would be trimmed.
func escape(key string, equals bool) string {
	var b strings.Builder
	last := len(key)
	for i, r := range key {
		edge := i == 0 || i+utf8.RuneLen(r) == last
		if strings.ContainsRune(`*?\,`, r) || equals && r == '=' || edge && unicode.IsSpace(r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
