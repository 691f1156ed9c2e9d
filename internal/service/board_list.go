package service

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"dayshift/internal/decide"
	"dayshift/internal/fleet"
	"dayshift/internal/policy"
	"dayshift/internal/say"
)

// FleetQuery is a question for a part of the fleet. Zero fields select
// everything; of a field with several values one has to match.
type FleetQuery struct {
	// Text selects what has each of its words in its name, ID, address or tags, whatever their case.
	Text string
	// Filter and Within select by filters: what the person asked for, and what the person may see. Facets and totals know nothing outside of Within.
	Filter, Within *fleet.Filter

	State, Wanted, Action, Account, Region, Kind, Schedule []string
	// Override: "any" selects what an override is in force for, "none" what none is.
	Override string

	// Sort is one of FleetSorts, with "-" before it from the last to the first; empty: name.
	Sort string
	// Limit is from 1 to 500; 0: 50.
	Limit int
	// Cursor is FleetPage.Next of the page before, with the same Sort.
	Cursor string
}

// FleetPage is a part of the fleet, a page of it, and what there is in all.
type FleetPage struct {
	At    time.Time  `json:"at"` // of the newest look
	Items []Resource `json:"items"`
	Total int        `json:"total"` // of all pages
	Next  string     `json:"next"`  // cursor of the next page; empty on the last one
	// Facets are the values of state, kind, account, region, schedule, action, wanted and override, with how much has them:
	// of what all other conditions select, so that a choice shows what another choice would give. At most 200 each.
	Facets map[string][]Facet `json:"facets"`
	// Gaps are those of every scope, whatever was asked for.
	Gaps []Gap `json:"gaps"`
	// Looking: the first look is still under way, so that there may be more.
	Looking bool `json:"looking"`
}

// Facet is a value, and how many resources have it.
type Facet struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// FleetSorts are what a list of the fleet can be ordered by.
var FleetSorts = []string{"name", "id", "kind", "type", "state", "schedule", "wanted", "action", "account", "region", "zone", "reason", "next"}

// Bounds of a list.
const (
	defaultPage = 50
	maxPage     = 500
	maxFacet    = 200
	maxQuery    = 200 // bytes of text
	maxWords    = 10
	maxValues   = 100 // of one field
	maxCursor   = 4096
)

// column is a value of rows of which there are few different ones, kept as a number.
type column int

const (
	columnState column = iota
	columnKind
	columnAccount
	columnRegion
	columnSchedule
	columnAction
	columnWanted
	columnOverride
	columns
)

var columnNames = [columns]string{"state", "kind", "account", "region", "schedule", "action", "wanted", "override"}

// The values of columnOverride.
const (
	overrideAny  = "any"
	overrideNone = "none"
)

type codes [columns]uint32

// dictionary numbers the values of a column. Values are added only, so that
// whoever holds an older one reads on.
type dictionary struct {
	values []string
	codes  map[string]uint32 // read and written by the holder of Board.mu alone
}

func (d *dictionary) code(value string) uint32 {
	if code, known := d.codes[value]; known {
		return code
	}
	if d.codes == nil {
		d.codes = map[string]uint32{}
	}
	code := uint32(len(d.values)) // as many as there are resources, at most
	value = strings.Clone(value)
	d.values, d.codes[value] = append(d.values, value), code
	return code
}

// codesOf numbers the values of a row. The caller holds mu.
func (b *Board) codesOf(r *row) (c codes) {
	override := overrideNone
	if r.override != nil {
		override = overrideAny
	}
	for i, value := range [columns]string{
		string(r.seen.State), string(r.seen.Kind), string(r.seen.Scope.Account), string(r.seen.Scope.Region), r.schedule, r.action, r.wanted, override,
	} {
		c[i] = b.names[i].code(value)
	}
	return c
}

// interned keeps one of many equal texts: what is said of a thousand resources is mostly the same.
type interned map[string]string

func (t interned) of(text string) string {
	if same, known := t[text]; known {
		return same
	}
	t[text] = text
	return text
}

// said does the same for what is said in the language of the reader.
func (t interned) said(text say.Text) say.Text { return text.Shared(t.of) }

// rowOf is what is kept of a decision.
func rowOf(book *policy.Book, d *decide.Decision, at time.Time, texts interned) row {
	line := resource(book, d, at)
	r := row{
		seen: d.Resource, schedule: texts.of(line.Schedule), action: line.Action, reason: line.Reason, why: texts.said(line.Why), wanted: line.Wanted,
		governed: book.Governs(d.Resource).Why == policy.Governed, name: strings.ToLower(line.Name), first: d.Memory.FirstSeen, override: line.Override, observed: line.Observed,
	}
	if line.Next != nil {
		r.nextAt, r.nextTo = line.Next.At, line.Next.To
	}
	if d.Memory.Attempts > 0 {
		r.failing = texts.said(say.Raw(d.Memory.LastError).Or(line.Why))
	}
	return r
}

// shard makes what was seen ready for questions. The caller holds mu of b.
func (f *fill) shard(b *Board, at time.Time) *shard {
	p := &shard{
		scope: f.scope, at: at, rows: f.rows, gaps: f.gaps, windows: f.windows, held: f.held, breaker: f.breaker,
		codes: make([]codes, len(f.rows)), ends: make([]uint32, len(f.rows)), names: make([]string, len(f.rows)), nexts: make([]int64, len(f.rows)),
		governed: newBits(len(f.rows)),
	}
	var text strings.Builder
	for i := range p.rows {
		p.codes[i] = b.codesOf(&p.rows[i])
		p.names[i], p.nexts[i] = p.rows[i].name, never
		if next := p.rows[i].nextAt; !next.IsZero() {
			p.nexts[i] = next.UnixNano()
		}
		if p.rows[i].governed {
			p.governed.set(i)
		}
		if !p.rows[i].failing.Empty() {
			p.failing = append(p.failing, i)
		}
		p.rows[i].searched(&text)
		p.ends[i] = uint32(text.Len()) // a scope with 4 GB of names and tags has no place in memory
	}
	p.text = text.String()
	return p
}

// searched writes what a row is searched by, in lower case, with a NUL at the end.
func (r *row) searched(text *strings.Builder) {
	text.WriteString(r.name)
	for _, part := range []string{r.seen.ID, r.seen.PrivateIP} {
		text.WriteByte('\n')
		text.WriteString(strings.ToLower(part))
	}
	for key, value := range r.seen.Tags {
		text.WriteByte('\n')
		text.WriteString(strings.ToLower(key))
		text.WriteByte('=')
		text.WriteString(strings.ToLower(value))
	}
	text.WriteByte(0)
}

// copied is a shard whose rows may be changed, but for what is searched by.
func (p *shard) copied() *shard {
	return &shard{
		scope: p.scope, at: p.at, rows: slices.Clone(p.rows), codes: slices.Clone(p.codes), text: p.text, ends: p.ends, names: p.names, nexts: p.nexts, governed: p.governed, failing: p.failing,
		gaps: p.gaps, windows: p.windows, held: p.held, breaker: p.breaker,
	}
}

// bits is a set of rows of a shard; nil: all.
type bits []uint64

func newBits(n int) bits      { return make(bits, (n+63)/64) }
func (b bits) has(i int) bool { return b == nil || b[i/64]&(1<<(i%64)) != 0 }
func (b bits) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bits) drop(i int)     { b[i/64] &^= 1 << (i % 64) }
func (b bits) and(other bits) bits {
	switch {
	case b == nil:
		return other
	case other == nil:
		return b
	}
	both := make(bits, len(b))
	for i := range b {
		both[i] = b[i] & other[i]
	}
	return both
}

// matchCache keeps which rows of a shard the last filters matched: those of
// principals and of saved questions come again and again.
type matchCache struct {
	mu   sync.Mutex
	kept []matched // the last asked for last
}

type matched struct {
	filter string
	rows   bits
}

// matchesKept bounds them: 12 KB each for 100,000 rows.
const matchesKept = 16

func (p *shard) match(filter *fleet.Filter, text string) bits {
	if filter == nil {
		return nil
	}
	p.matched.mu.Lock()
	defer p.matched.mu.Unlock()
	kept := p.matched.kept
	if i := slices.IndexFunc(kept, func(m matched) bool { return m.filter == text }); i >= 0 {
		m := kept[i]
		p.matched.kept = append(slices.Delete(kept, i, i+1), m)
		return m.rows
	}
	rows := newBits(len(p.rows))
	for i := range p.rows {
		if filter.Match(p.rows[i].seen) {
			rows.set(i)
		}
	}
	if len(kept) == matchesKept {
		p.matched.kept = slices.Delete(kept, 0, 1)
	}
	p.matched.kept = append(p.matched.kept, matched{text, rows})
	return rows
}

// search gives the rows that have every word.
func (p *shard) search(words []string) bits {
	if len(words) == 0 {
		return nil
	}
	found := newBits(len(p.rows))
	for from, i := 0, 0; from < len(p.text); {
		at := strings.Index(p.text[from:], words[0])
		if at < 0 {
			break
		}
		at += from
		for int(p.ends[i]) <= at { // rows lie in order: over a search it goes through them once
			i++
		}
		begin := 0
		if i > 0 {
			begin = int(p.ends[i-1])
		}
		text := p.text[begin:p.ends[i]]
		if !slices.ContainsFunc(words[1:], func(word string) bool { return !strings.Contains(text, word) }) {
			found.set(i)
		}
		from = int(p.ends[i])
	}
	return found
}

// listing is a FleetQuery that was checked.
type listing struct {
	words          []string
	exact          []string // words that are ARNs or refs
	filter, within *fleet.Filter
	filterText     string
	withinText     string
	wanted         [columns][]string // nil: any
	sort           string
	down           bool
	limit          int
	after          *cursor
	key            string // of the cache
}

// cursor is the place of the last row of a page in its order.
type cursor struct {
	Sort string    `json:"s"`
	Text string    `json:"t,omitempty"`
	At   int64     `json:"n,omitempty"`
	Ref  fleet.Ref `json:"r"`
}

// check refuses what can not be answered.
func (q *FleetQuery) check() (*listing, error) {
	l := &listing{sort: cmp.Or(strings.TrimPrefix(q.Sort, "-"), "name"), down: strings.HasPrefix(q.Sort, "-"), limit: cmp.Or(q.Limit, defaultPage), filter: q.Filter, within: q.Within}
	switch {
	case !slices.Contains(FleetSorts, l.sort):
		return nil, inputErrorF("sort %q: order by one of %s, with - before it from the last to the first", q.Sort, strings.Join(FleetSorts, ", "))
	case l.limit < 1 || l.limit > maxPage:
		return nil, inputErrorF("limit %d: a page has from 1 to %d", q.Limit, maxPage)
	case len(q.Text) > maxQuery || !utf8.ValidString(q.Text):
		return nil, inputErrorF("q: at most %d bytes of UTF-8 can be searched for", maxQuery)
	case q.Override != "" && q.Override != overrideAny && q.Override != overrideNone:
		return nil, inputErrorF("override %q: write any or none", q.Override)
	}
	for word := range strings.FieldsSeq(strings.ToLower(strings.ReplaceAll(q.Text, "\x00", " "))) {
		if strings.HasPrefix(word, "arn:") || strings.Count(word, "/") >= 3 {
			l.exact = append(l.exact, word)
		} else {
			l.words = append(l.words, word)
		}
	}
	if len(l.words)+len(l.exact) > maxWords {
		return nil, inputErrorF("q: at most %d words can be searched for", maxWords)
	}
	// The longest is the rarest, mostly.
	slices.SortStableFunc(l.words, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for c, values := range map[column][]string{
		columnState: q.State, columnKind: q.Kind, columnAccount: q.Account, columnRegion: q.Region, columnSchedule: q.Schedule, columnAction: q.Action, columnWanted: q.Wanted,
	} {
		if len(values) > maxValues {
			return nil, inputErrorF("%s: at most %d values can be asked for", columnNames[c], maxValues)
		}
		if len(values) > 0 {
			l.wanted[c] = values
		}
	}
	if q.Override != "" {
		l.wanted[columnOverride] = []string{q.Override}
	}
	if q.Filter != nil {
		l.filterText = q.Filter.String()
	}
	if q.Within != nil {
		l.withinText = q.Within.String()
	}
	if q.Cursor != "" {
		text, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		if err == nil && len(text) <= maxCursor {
			l.after = new(cursor)
			err = json.Unmarshal(text, l.after)
		}
		if err != nil || l.after == nil || l.after.Sort != l.order() {
			return nil, inputErrorF("the cursor is not of a page in this order; begin again without one")
		}
	}
	key, err := json.Marshal([]any{l.words, l.exact, l.filterText, l.withinText, l.wanted, l.order(), l.limit, q.Cursor})
	if err != nil {
		return nil, fmt.Errorf("name the question: %w", err)
	}
	l.key = string(key)
	return l, nil
}

func (l *listing) order() string {
	if l.down {
		return "-" + l.sort
	}
	return l.sort
}

// List answers a question for a part of the fleet. *InputError where it can not be
// answered as it is put. The order is that of the values and then of the refs,
// so that a cursor goes on behind its place whatever has come, gone or moved since.
func (b *Board) List(q FleetQuery) (FleetPage, error) {
	l, err := q.check()
	if err != nil {
		return FleetPage{}, err
	}
	s := b.ask()
	if page, known := b.answers.get(s.version, l.key); known {
		return page, nil
	}
	page := s.list(l)
	b.answers.put(s.version, l.key, page)
	return page, nil
}

// answerCache keeps the answers to the last questions, until something changes.
type answerCache struct {
	mu      sync.Mutex
	version uint64
	kept    map[string]FleetPage
}

// answersKept bounds them, at some 700 bytes a row.
const answersKept = 32

func (c *answerCache) get(version uint64, key string) (FleetPage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	page, known := c.kept[key]
	return page, known && c.version == version
}

func (c *answerCache) put(version uint64, key string, page FleetPage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version < c.version {
		return
	}
	if version != c.version || len(c.kept) >= answersKept || c.kept == nil {
		c.version, c.kept = version, map[string]FleetPage{}
	}
	c.kept[key] = page
}

func (c *answerCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = nil
}

// ranks gives each value of a dictionary its place in the order of all, doubled,
// so that there is room between them for a value that is not among them.
func ranks(values []string) (rank []int64, of func(string) int64) {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(values[a], values[b]) })
	rank = make([]int64, len(values))
	for place, i := range order {
		rank[i] = int64(2*place + 1)
	}
	return rank, func(value string) int64 {
		place, found := slices.BinarySearchFunc(order, value, func(i int, value string) int { return strings.Compare(values[i], value) })
		if found {
			return int64(2*place + 1)
		}
		return int64(2 * place)
	}
}

// place is where a row stands in an order: by the value, and then by the ref.
type place struct {
	number int64
	text   string
	// nth is the row's place in the order of the refs of all scopes, doubled: between two there is room for one that is gone.
	nth  int
	part *shard
	row  int
}

func (p *place) compare(than *place) int {
	if p.number != than.number {
		return cmp.Compare(p.number, than.number)
	}
	if order := strings.Compare(p.text, than.text); order != 0 {
		return order
	}
	return cmp.Compare(p.nth, than.nth)
}

// nth is the place of a ref in the order of all, whether there is still such a row or not.
func (s *snapshot) nth(ref fleet.Ref) int {
	n := 0
	for _, p := range s.shards {
		if p.scope.Compare(ref.Scope) < 0 {
			n += 2 * len(p.rows)
			continue
		}
		if p.scope == ref.Scope {
			place, found := p.find(ref)
			if n += 2 * place; found {
				return n + 1
			}
		}
		return n
	}
	return n
}

// sorter gives the values that rows are ordered by.
type sorter struct {
	column  column // or -1
	rank    []int64
	byName  bool
	byNext  bool
	another func(*row) string
}

// never is the place of what has no next change: behind everything that has one.
const never = int64(1<<63 - 1)

func (s *snapshot) sorter(l *listing) (by sorter, after *place) {
	by.column = -1
	var rankOf func(string) int64
	if c := slices.Index(columnNames[:], l.sort); c >= 0 {
		by.column = column(c)
		by.rank, rankOf = ranks(s.names[c].values)
	}
	switch l.sort {
	case "name":
		by.byName = true
	case "next":
		by.byNext = true
	case "id":
		by.another = func(r *row) string { return r.seen.ID }
	case "type":
		by.another = func(r *row) string { return r.seen.Type }
	case "zone":
		by.another = func(r *row) string { return r.seen.Zone }
	case "reason":
		by.another = func(r *row) string { return r.reason }
	}
	if l.after != nil {
		after = &place{number: l.after.At, text: l.after.Text, nth: s.nth(l.after.Ref)}
		if rankOf != nil {
			after.number, after.text = rankOf(l.after.Text), ""
		}
	}
	return by, after
}

func (b *sorter) of(p *shard, i int) (number int64, text string) {
	switch {
	case b.column >= 0:
		return b.rank[p.codes[i][b.column]], ""
	case b.byName:
		return 0, p.names[i]
	case b.byNext:
		return p.nexts[i], ""
	}
	return 0, b.another(&p.rows[i])
}

// inOrder gives the numbers below n, from the last to the first where that is asked for:
// rows that come in the order of the answer are the cheapest to put in order.
func inOrder(n int, down bool) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if down {
				i = n - 1 - i
			}
			if !yield(i) {
				return
			}
		}
	}
}

// list goes through the rows once: it counts, and keeps the first of them in the order asked for.
func (s *snapshot) list(l *listing) FleetPage {
	page := FleetPage{At: s.at.UTC(), Items: []Resource{}, Facets: map[string][]Facet{}, Gaps: []Gap{}, Looking: s.looking}
	var allowed [columns][]bool
	var asked []column
	var counts [columns][]int
	for c := range columns {
		counts[c] = make([]int, len(s.names[c].values))
		if l.wanted[c] == nil {
			continue
		}
		asked = append(asked, c)
		allowed[c] = make([]bool, len(s.names[c].values))
		for i, value := range s.names[c].values {
			allowed[c][i] = slices.Contains(l.wanted[c], value)
		}
	}
	by, after := s.sorter(l)
	first := firsts{most: l.limit, down: l.down}
	behind := 0 // the cursor
	begins := make([]int, len(s.shards))
	for i, n := 0, 0; i < len(s.shards); i++ {
		begins[i] = n
		n += len(s.shards[i].rows)
	}
	for nth := range inOrder(len(s.shards), l.down) {
		p := s.shards[nth]
		base := p.match(l.within, l.withinText).and(p.match(l.filter, l.filterText)).and(p.search(l.words)).and(p.named(l.exact))
	rows:
		for i := range inOrder(len(p.rows), l.down) {
			if !base.has(i) {
				continue
			}
			of := &p.codes[i]
			missed := column(-1)
			for _, c := range asked {
				if !allowed[c][of[c]] {
					if missed >= 0 {
						continue rows
					}
					missed = c
				}
			}
			if missed >= 0 {
				counts[missed][of[missed]]++
				continue
			}
			for c := range columns {
				counts[c][of[c]]++
			}
			page.Total++
			here := place{nth: 2*(begins[nth]+i) + 1, part: p, row: i}
			here.number, here.text = by.of(p, i)
			if after != nil {
				order := here.compare(after)
				if order == 0 || (order > 0) == l.down {
					continue
				}
			}
			behind++
			first.offer(&here)
		}
		for i := range p.gaps {
			page.Gaps = append(page.Gaps, p.gaps[i].Gap)
		}
	}
	for c := range columns {
		page.Facets[columnNames[c]] = facets(s.names[c].values, counts[c])
	}
	places := first.sorted()
	for i := range places {
		page.Items = append(page.Items, places[i].part.rows[places[i].row].line())
	}
	if behind > len(places) {
		page.Next = l.next(s, &by, &places[len(places)-1])
	}
	return page
}

// next is the cursor of a row.
func (l *listing) next(s *snapshot, by *sorter, last *place) string {
	c := cursor{Sort: l.order(), Text: last.text, At: last.number, Ref: last.part.rows[last.row].seen.Ref}
	if by.column >= 0 {
		c.At, c.Text = 0, s.names[by.column].values[last.part.codes[last.row][by.column]]
	}
	text, _ := json.Marshal(c) //nolint:errchkjson // texts and numbers
	return base64.RawURLEncoding.EncodeToString(text)
}

// named gives the rows with each of these ARNs or refs; nil: none is asked for.
func (p *shard) named(exact []string) bits {
	if len(exact) == 0 {
		return nil
	}
	found := newBits(len(p.rows))
	for i := range p.rows {
		r := &p.rows[i].seen
		found.set(i)
		for _, word := range exact {
			if !strings.EqualFold(r.ARN, word) && !strings.EqualFold(r.Ref.String(), word) {
				found.drop(i)
				break
			}
		}
	}
	return found
}

// facets are the values that there are, the most frequent first.
func facets(values []string, counts []int) []Facet {
	list := []Facet{}
	for i, n := range counts {
		if n > 0 {
			list = append(list, Facet{values[i], n})
		}
	}
	slices.SortFunc(list, func(a, b Facet) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value)) })
	return list[:min(len(list), maxFacet)]
}

// firsts keeps the first of many places, as a heap with the last of them on top.
type firsts struct {
	most int
	down bool
	heap []place
}

// before reports whether a stands before b.
func (f *firsts) before(a, b *place) bool {
	order := a.compare(b)
	if f.down {
		return order > 0
	}
	return order < 0
}

func (f *firsts) offer(p *place) {
	if len(f.heap) < f.most {
		f.heap = append(f.heap, *p)
		for i := len(f.heap) - 1; i > 0; {
			up := (i - 1) / 2
			if !f.before(&f.heap[up], &f.heap[i]) {
				break
			}
			f.heap[up], f.heap[i] = f.heap[i], f.heap[up]
			i = up
		}
		return
	}
	if !f.before(p, &f.heap[0]) {
		return
	}
	f.heap[0] = *p
	for i := 0; ; {
		last := i
		for _, below := range [2]int{2*i + 1, 2*i + 2} {
			if below < len(f.heap) && f.before(&f.heap[last], &f.heap[below]) {
				last = below
			}
		}
		if last == i {
			return
		}
		f.heap[i], f.heap[last] = f.heap[last], f.heap[i]
		i = last
	}
}

func (f *firsts) sorted() []place {
	slices.SortFunc(f.heap, func(a, b place) int {
		if f.before(&a, &b) {
			return -1
		}
		return 1
	})
	return f.heap
}
