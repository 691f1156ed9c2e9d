package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"dayshift/internal/calendar"
	"dayshift/internal/policy"
	"dayshift/internal/reservation"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/workload"
)

// Bounds on objects. A store holds what people and programs made one by one.
const (
	// MaxObjects is how many objects are looked at; what is beyond is set aside.
	MaxObjects = 20_000
	// MaxSpec is the largest spec of an object, in bytes: a schedule has some 300, a calendar of ten years 10,000.
	MaxSpec = 64 << 10
	// maxObjectFaults bounds the faults kept of one object: thousands of objects can have them at once.
	maxObjectFaults = 10
)

// kinds are the kinds of objects that are parts of the configuration, in the order in which one can name the other.
var kinds = []struct {
	kind    store.ObjectKind
	section string
	t       reflect.Type
	// aside says what it means for an object of the kind to be set aside.
	aside say.Text
}{
	{store.PeriodObject, "periods", reflect.TypeFor[Period](), say.F("what names it is set aside too")},
	{store.HolidayObject, "holidays", reflect.TypeFor[Holidays](), say.F("what names it is set aside too")},
	{store.ScheduleObject, "schedules", reflect.TypeFor[Schedule](), say.F("its resources are left alone")},
	{store.ExceptionObject, "exceptions", reflect.TypeFor[Exception](), say.F("it changes nothing")},
	{store.WorkloadObject, "workloads", reflect.TypeFor[Workload](), say.F("none of it is started or stopped")},
	{store.RuleObject, "rules", reflect.TypeFor[Rule](), say.F("it does not fire")},
	{store.ReservationObject, "reservations", reflect.TypeFor[Reservation](), say.F("nothing is bought for it, and what it holds is left as it is")},
}

// kindOf finds a kind of object; -1 where it is none of the configuration's.
func kindOf(kind store.ObjectKind) int {
	for i := range kinds {
		if kinds[i].kind == kind {
			return i
		}
	}
	return -1
}

// ExceptionName is the name of an exception, made of what no two of them may
// share: SCHEDULE:DATE:TYPE, or SCHEDULE:FROM..TO:TYPE for a range.
func ExceptionName(e Exception) string {
	date := e.Date
	if date == "" {
		date = e.From + ".." + e.To
	}
	return e.Schedule + ":" + date + ":" + e.Type
}

// ObjectError tells why a schedule or rule of the store can not be used, in one line.
type ObjectError struct{ Faults Faults }

// Error is the first fault, and how many more there are.
func (e *ObjectError) Error() string {
	text := e.Faults[0].Place() + ": " + e.Faults[0].Summary()
	if more := len(e.Faults) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// Unwrap gives the Faults.
func (e *ObjectError) Unwrap() error { return e.Faults }

// candidate is an object on its way into the configuration.
type candidate struct {
	store.Object
	path   string // where it stands among the values
	src    *source
	value  reflect.Value // of the kind's struct
	read   bool          // value holds what could be read
	faults Faults
	// aside: it is not part of the configuration.
	aside bool
}

func newCandidate(o store.Object) *candidate {
	version := "not saved"
	if o.Version > 0 {
		version = "version " + strconv.FormatInt(o.Version, 10)
	}
	k := kinds[kindOf(o.Kind)]
	return &candidate{
		Object: o, path: join(k.section, o.Name), value: reflect.New(k.t).Elem(),
		src: &source{of: ofObject, name: fmt.Sprintf("%s %q (object, %s)", o.Kind, shorten(printable(o.Name)), version)},
	}
}

// candidates sorts the objects that concern the configuration by kind and
// name. Of two of one kind and name the later counts, so that a change can be
// tried out before it is saved.
func candidates(objects []store.Object) (byKind [][]*candidate, over []*candidate) {
	type key struct {
		kind store.ObjectKind
		name string
	}
	at := map[key]int{}
	var all []store.Object
	for _, o := range objects {
		if kindOf(o.Kind) < 0 {
			continue
		}
		k := key{o.Kind, o.Name}
		if i, twice := at[k]; twice {
			all[i] = o
			continue
		}
		at[k] = len(all)
		all = append(all, o)
	}
	byKind = make([][]*candidate, len(kinds))
	for i, o := range all {
		c := newCandidate(o)
		if i >= MaxObjects {
			over = append(over, c)
			continue
		}
		k := kindOf(o.Kind)
		byKind[k] = append(byKind[k], c)
	}
	for _, list := range byKind {
		slices.SortFunc(list, func(a, b *candidate) int { return strings.Compare(a.Name, b.Name) })
	}
	return byKind, over
}

// join adds objects to what the file says. The file has been compiled alone
// and without a fault; nothing of an object changes that. The kinds come in the
// order in which one can name the other, so that an object that is set aside
// takes along what needs it, in one walk.
func (b *builder) join(objects []store.Object) {
	byKind, over := candidates(objects)
	b.objects = append(slices.Concat(byKind...), over...)
	if len(b.objects) == 0 {
		return
	}
	b.own()
	for _, o := range over {
		b.enter(o)
		b.nameFault(o.path, Fault{Problem: say.F("is not read: there are more than %d objects", MaxObjects), Fix: say.F("write them into the file, which takes more, or delete what nobody needs")})
		b.refuse(o)
		b.leave(o)
	}
	for i, list := range byKind {
		for _, o := range list {
			b.enter(o)
			b.decode(o)
			if kinds[i].kind != store.ScheduleObject { // what exceptions there are comes first
				b.compileObject(o)
			} else if !o.twin(b) {
				b.c.Schedules[o.Name] = o.value.Interface().(Schedule) //nolint:errcheck // the kind's own struct
			}
			b.leave(o)
		}
		if kinds[i].kind == store.ExceptionObject {
			b.joinSchedules(byKind[kindOf(store.ScheduleObject)], list)
		}
	}
	slices.SortFunc(b.l.Reservations, func(a, c *reservation.Reservation) int { return strings.Compare(a.Name, c.Name) })
	slices.SortFunc(b.l.Book.Rules, func(a, c *policy.Rule) int { return strings.Compare(a.Name, c.Name) })
	for _, o := range b.objects {
		if e, ok := reflect.TypeAssert[Exception](o.value); ok && !o.aside {
			b.c.Exceptions = append(b.c.Exceptions, e)
		}
	}
}

// own makes the maps that objects go into, where the file has none.
func (b *builder) own() {
	b.fileNames = map[string]bool{}
	config := reflect.ValueOf(b.c).Elem()
	for _, k := range kinds {
		_, known := fields(config.Type())
		section := config.FieldByIndex(known[k.section].Index)
		if section.Kind() != reflect.Map {
			continue
		}
		if section.IsNil() {
			section.Set(reflect.MakeMap(section.Type()))
		}
		for _, name := range section.MapKeys() {
			b.fileNames[join(k.section, name.String())] = true
		}
	}
	for i, e := range b.c.Exceptions {
		path := join("exceptions", ExceptionName(e))
		b.fileNames[path] = true
		b.keys[path] = b.at[index("exceptions", i)]
	}
}

// twin reports whether the file has an object of this kind and name.
func (o *candidate) twin(b *builder) bool { return b.fileNames[o.path] }

// enter makes the object the one that is read: faults are its own until leave.
func (b *builder) enter(o *candidate) {
	b.src, b.faults, b.missed, b.visits = o.src, o.faults, 0, 0
}

func (b *builder) leave(o *candidate) {
	o.faults = b.faults
	if len(o.faults) > 0 && !o.aside {
		o.aside = true
		b.setAside++
	}
}

// tired: so many objects are set aside that nobody reads what each was probably meant to be, and guessing takes time.
func (b *builder) tired() bool { return b.setAside > maxFaults }

// guess says which name of many was probably meant.
func guess[V any](b *builder, text string, known map[string]V) say.Text {
	if b.tired() {
		return say.Text{}
	}
	return didYouMean(text, sortedKeys(known))
}

// decode reads the spec of an object.
func (b *builder) decode(o *candidate) {
	if o.twin(b) {
		b.faults = append(b.faults, b.src.fault(Fault{
			Path:    o.path,
			Problem: say.F("is in the file as well, %s, and the file's counts", b.keys[o.path].words()),
			Fix:     say.F("delete the object, or take it out of the file"),
		}, 0))
		return
	}
	b.keys[o.path] = spot{src: o.src, text: o.Name}
	if len(o.Spec) > MaxSpec {
		b.nameFault(o.path, Fault{Problem: say.F("has a spec of %d bytes", len(o.Spec)), Allowed: say.F("up to %d", MaxSpec)})
		return
	}
	node, err := jsonNode(o.Spec)
	if err == nil && isNull(node) {
		err = errors.New("its spec is empty")
	}
	if err != nil {
		b.nameFault(o.path, Fault{Problem: say.F("cannot be read: %v", err), Allowed: say.F("a JSON object with what stands below the name in a file")})
		return
	}
	setDefaults(o.value)
	b.value(o.path, node, o.value, "")
	_, o.read = entries(node)
}

// compileObject checks an object that was decoded and makes it part of the configuration if it is in order.
func (b *builder) compileObject(o *candidate) {
	if !o.read {
		b.refuse(o)
		return
	}
	switch v := o.value.Interface().(type) {
	case Period:
		if compiled := b.period(o.Name, v); len(b.faults) == 0 {
			b.c.Periods[o.Name], b.periods[o.Name] = v, compiled
			return
		}
	case Holidays:
		addresses := len(b.l.Addresses)
		if compiled := b.calendar(o.Name, v); len(b.faults) == 0 {
			b.c.Holidays[o.Name], b.calendars[o.Name] = v, compiled
			return
		}
		b.l.Addresses = b.l.Addresses[:addresses]
	case Schedule:
		if ref, unknown := b.unknownPeriod(v.Periods); unknown && b.tired() {
			b.within(o.path+".periods", Fault{Text: ref, Problem: say.F("names a period that does not exist")})
			break
		}
		if compiled := b.schedule(o.Name, v); len(b.faults) == 0 {
			b.l.Book.Schedules[o.Name] = compiled
			return
		}
	case Exception:
		if name := ExceptionName(v); name != o.Name && len(b.faults) == 0 {
			b.nameFault(o.path, Fault{Text: o.Name, Problem: say.F("is not the name of this exception"), Fix: say.F("name it %s", name)})
		}
		if b.exception(o.path, v); len(b.faults) == 0 {
			return
		}
	case Workload:
		if compiled := b.workload(o.Name, v); len(b.faults) == 0 {
			b.c.Workloads[o.Name], b.workloads[o.Name] = v, compiled
			return
		}
	case Rule:
		if compiled := b.rule(o.Name, v, o.Created, o.Changed); len(b.faults) == 0 {
			b.c.Rules[o.Name] = v
			b.l.Book.Rules = append(b.l.Book.Rules, compiled)
			return
		}
	case Reservation:
		compiled := b.reservation(o.Name, v)
		compiled.Created, compiled.Version, compiled.Author = o.Created, o.Version, o.Author
		if len(b.faults) == 0 {
			b.c.Reservations[o.Name] = v
			b.l.Reservations = append(b.l.Reservations, compiled)
			return
		}
	}
	b.refuse(o)
}

// refuse leaves a mark where an object at fault would stand, so that what names it is told so, and its resources are known.
func (b *builder) refuse(o *candidate) {
	if o.twin(b) {
		return
	}
	err := &ObjectError{b.faults}
	switch o.Kind { //nolint:exhaustive // the others are named by nothing
	case store.PeriodObject:
		b.periods[o.Name] = nil
	case store.HolidayObject:
		b.calendars[o.Name] = nil
		delete(b.contents, o.path+".file")
		delete(b.contents, o.path+".url")
	case store.ScheduleObject:
		b.l.Book.Schedules[o.Name] = &policy.Schedule{Name: o.Name, Err: err, Enabled: true}
		delete(b.c.Schedules, o.Name)
	case store.WorkloadObject:
		b.workloads[o.Name] = &workload.Workload{Name: o.Name, Err: err, Enabled: true}
	case store.RuleObject:
		b.l.Book.Rules = append(b.l.Book.Rules, &policy.Rule{Name: o.Name, Err: err, Enabled: true})
	case store.ReservationObject:
		b.l.Reservations = append(b.l.Reservations, &reservation.Reservation{Name: o.Name, Err: err, Enabled: true})
	}
}

// joinSchedules compiles the schedules of objects with the exceptions that are
// known by now, and those of the file anew that an object's exception is for.
func (b *builder) joinSchedules(schedules, exceptions []*candidate) {
	refused := map[string]bool{}
	for _, o := range schedules {
		b.enter(o)
		b.compileObject(o)
		b.leave(o)
		refused[o.Name] = o.aside && !o.twin(b)
	}
	touched := map[string]bool{}
	for _, o := range exceptions {
		e, _ := reflect.TypeAssert[Exception](o.value)
		switch {
		case o.aside:
		case refused[e.Schedule]:
			b.enter(o)
			b.faultAt(o.path+".schedule", Fault{Text: e.Schedule, Problem: say.F("names a schedule that is set aside itself")})
			b.leave(o)
			delete(b.exceptions, e.Schedule)
		default:
			touched[e.Schedule] = true
		}
	}
	for _, name := range sortedKeys(touched) {
		if !b.fileNames[join("schedules", name)] {
			continue
		}
		compiled, err := b.compile(name, b.c.Schedules[name])
		if err == nil {
			b.l.Book.Schedules[name].Calendar = compiled
			continue
		}
		// Nothing known leads here. If something does, the file's schedule stays as the file has it.
		for _, o := range exceptions {
			if e, _ := reflect.TypeAssert[Exception](o.value); !o.aside && e.Schedule == name {
				b.enter(o)
				b.faultAt(o.path, Fault{Problem: say.F("cannot be joined to its schedule: %v", err)})
				b.leave(o)
			}
		}
	}
}

// asides warns of the objects that are set aside; other warnings of them concern nobody.
func (b *builder) asides() {
	var list Faults
	refused := map[string]bool{}
	for _, o := range b.objects {
		if !o.aside {
			continue
		}
		refused[o.src.name] = true
		if len(refused) > maxFaults {
			continue
		}
		f := o.faults[0]
		if more := len(o.faults) - 1; more > 0 {
			f.Problem = say.F("%s (and %d faults more)", f.Problem, more)
		}
		f.Problem = say.Clauses(f.Problem, say.F("the %s is set aside: %s", say.Word(o.Kind), kinds[kindOf(o.Kind)].aside))
		list = append(list, f)
	}
	if more := len(refused) - maxFaults; more > 0 {
		list = append(list, Fault{File: "objects", Problem: say.F("%d more are set aside", more), of: ofObject})
	}
	b.warnings = append(slices.DeleteFunc(b.warnings, func(f Fault) bool { return f.of == ofObject && refused[f.File] }), list...)
}

// unknownPeriod gives the first period that a schedule names and that does not exist.
func (b *builder) unknownPeriod(refs calendar.PeriodRefs) (string, bool) {
	for _, ref := range refs {
		name, _, _ := strings.Cut(ref, "@")
		if _, known := b.periods[strings.TrimSpace(name)]; !known {
			return ref, true
		}
	}
	return "", false
}
