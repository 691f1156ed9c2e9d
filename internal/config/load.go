package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dayshift/internal/calendar"
	"dayshift/internal/clock"
	"dayshift/internal/fleet"
	"dayshift/internal/holiday"
	"dayshift/internal/plan"
	"dayshift/internal/policy"
	"dayshift/internal/reservation"
	"dayshift/internal/say"
	"dayshift/internal/store"
)

// DefaultFile is read when neither --config nor DAYSHIFT_CONFIG names another.
const DefaultFile = "dayshift.yaml"

// FileVariable is the environment variable that names the file.
const FileVariable = "DAYSHIFT_CONFIG"

// Loaded is a configuration that is in order, ready for use.
type Loaded struct {
	// Config is the file with every default filled in, and the objects that are in order.
	Config Config
	// Book, Limits, Scopes and Store are what the program works with.
	Book   policy.Book
	Limits plan.Limits
	// Reservations are ordered by name; those that are set aside have an Err.
	Reservations []*reservation.Reservation
	// Tellings are what the channels say of when and of what they are told, by name.
	Tellings map[string]Telling
	// Table is where rows are read that are reservations too; nil: nowhere.
	Table *CapacityTable
	// Capacity is what holds for all of them.
	Capacity reservation.Rules
	// Accounts are those of the file and, behind them, those that organizations were found to have.
	Accounts []Account
	Scopes   []fleet.Scope // every account and region, ordered
	// Directories are the organizations, in the order of the file.
	Directories []Directory
	// Events is the queue that events are read from; nil: there is none.
	Events *EventQueue
	// Addresses are the addresses of holiday calendars that have to be fetched, ordered by calendar.
	Addresses []Address
	Store     Store
	// HookNetworks are networks of private addresses that webhooks of workloads may be in.
	HookNetworks []netip.Prefix
	// Web is how the program is reached over HTTP.
	Web Web
	// Warnings are what people should know although the file was taken, in the order of the file; then those of objects.
	Warnings []Fault
	// File is the file it came from.
	File string

	at      map[string]spot
	keys    map[string]spot
	objects []*candidate
	// calendars are the compiled holiday calendars by name; nil: at fault.
	calendars   map[string]*calendar.Holidays
	lines       map[string]string // every value as text, by path; secrets as hashes
	fingerprint string            // of lines
}

// Env is what a configuration may look at besides its own text. The zero Env
// has no environment and no files.
type Env struct {
	// Lookup finds an environment variable.
	Lookup func(name string) (string, bool)
	// ReadFile reads a file that a secret names, relative to the configuration's folder. It is asked for at most maxSecret+1 bytes.
	ReadFile func(path string) ([]byte, error)
	// ReadCalendar reads an iCalendar file, likewise, of which at most holiday.MaxBytes+1 bytes are wanted.
	ReadCalendar func(path string) ([]byte, error)
	// Copy gives the last good copy of what was fetched from the address of a calendar; false where there is none yet.
	Copy func(url string) (data []byte, fetched time.Time, ok bool)
	// Written is when the file was last written; zero: not known.
	Written time.Time
	// Now is the time for what is said of dates: exceptions that are over, years that a calendar does not cover. nil:
	// nothing is said.
	Now func() time.Time
}

// maxSecret bounds a secret, in bytes; AWS's longest external ID has 1224.
const maxSecret = 4096

// Choose gives the configuration file to read: the flag's value if there is
// one, else DAYSHIFT_CONFIG, else dayshift.yaml. It also says who chose, for messages.
func Choose(flag string, lookup func(string) (string, bool)) (path, chosenBy string) {
	if flag != "" {
		return flag, "--config"
	}
	if path, ok := lookup(FileVariable); ok && path != "" {
		return path, FileVariable
	}
	return DefaultFile, "default"
}

// Load reads and checks a configuration file and the objects beside it, as Parse does. The error is a Faults.
func Load(path string, objects ...store.Object) (*Loaded, error) {
	data, err := readBounded(path, MaxBytes)
	if err != nil {
		return nil, Faults{unreadable(path, err)}
	}
	var written time.Time
	if info, err := os.Stat(path); err == nil {
		written = info.ModTime().UTC()
	}
	within := func(limit int64) func(name string) ([]byte, error) {
		return func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(path), name)
			}
			return readBounded(name, limit)
		}
	}
	return Parse(path, data, Env{
		Lookup: os.LookupEnv, ReadFile: within(maxSecret), ReadCalendar: within(holiday.MaxBytes), Now: clock.Real{}.Now, Written: written,
	}, objects...)
}

var errNotFile = errors.New("not a regular file")

// readBounded reads a regular file up to one byte more than limit, so that the
// reader can tell that it is too large. A pipe or device could hang the program.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() || !info.Mode().IsRegular() {
		return nil, errNotFile
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read from
	return io.ReadAll(io.LimitReader(file, limit+1))
}

// unreadable says why a file could not be read and what to do.
func unreadable(path string, err error) Fault {
	f := Fault{File: path}
	switch info, statErr := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		f.Problem = say.F("the file does not exist")
		f.Fix = say.F("name the configuration with --config or %s; examples/minimal.yaml is one to begin with", FileVariable)
	case errors.Is(err, fs.ErrPermission):
		f.Problem, f.Fix = say.F("the file may not be read by this user"), say.F("check the permissions of the file and of the folders above it")
	case statErr == nil && info.IsDir():
		f.Problem, f.Fix = say.F("this is a folder"), say.F("name the file in it: %s", filepath.Join(path, DefaultFile))
	case errors.Is(err, errNotFile):
		f.Problem, f.Fix = say.F("this is not a regular file"), say.F("name a file")
	default:
		f.Problem = say.F("the file cannot be read: %v", err)
	}
	return f
}

// Parse checks a configuration: a file, and the objects of a store beside it.
// name stands for the file in messages. The error is a Faults with every fault
// found in the file, in its order.
//
// The file stands alone: what it names is in it, and a fault in it refuses it
// whole, with or without objects. An object may name what the file and other
// objects have. One with a fault never holds anything else back: it is set
// aside with a warning and kept in Objects with its faults; a schedule stands
// in the Book with Err, so that its resources are left alone, and a rule
// likewise. Where both have a name, the file's counts.
//
// Of objects, those of kinds that are no part of a configuration are passed
// over, but for copies of calendars, which serve as Env.Copy where that is nil,
// and for lists of the accounts of organizations.
// Of two objects of one kind and name the later counts.
func Parse(name string, data []byte, env Env, objects ...store.Object) (*Loaded, error) {
	src, root, faults := read(name, data)
	if faults != nil {
		return nil, faults
	}
	if env.Copy == nil {
		env.Copy = copiesAmong(objects)
	}
	d := newDecoder(src, root)
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem())
	if node := d.resolve("", root); node != nil {
		d.structure("", node, reflect.ValueOf(&c).Elem())
	}
	b := newBuilder(d, &c, env)
	b.lists = listsAmong(objects)
	if d.visits <= maxVisits { // what aliases stand for is read in part only: more faults of it would be made up
		b.file()
	}
	if len(d.faults) > 0 {
		d.faults.sort()
		if d.missed > 0 {
			d.faults = append(d.faults, Fault{File: name, Problem: say.F("%d more faults are not shown", d.missed)})
		}
		return nil, d.faults
	}
	lines := map[string]string{}
	flatten("", reflect.ValueOf(c), lines)
	b.join(objects)
	b.follow()
	b.wholes()
	d.src = src
	b.remarks()
	b.asides()
	d.warnings.sort()

	l := b.l
	l.Warnings = d.warnings
	l.Config, l.File, l.at, l.keys, l.objects, l.calendars = c, name, d.at, d.keys, b.objects, b.calendars
	l.Limits = plan.Limits{
		MaxStops: c.Limits.MaxStops, MaxStopPercent: c.Limits.MaxStopPercent, MinScopeSize: c.Limits.MinScopeSize,
		Surge: c.Limits.Surge, SurgeFrom: c.Limits.SurgeFrom,
	}
	slices.SortFunc(l.Addresses, func(x, y Address) int { return strings.Compare(x.Calendar, y.Calendar) })
	for _, o := range b.objects {
		o.flatten(lines)
	}
	maps.Copy(lines, d.contents)
	maps.Copy(lines, b.found)
	l.lines, l.fingerprint = lines, fingerprint(lines)
	return l, nil
}

// copiesAmong finds the copies of calendars among objects. What cannot be read as one is none.
func copiesAmong(objects []store.Object) func(url string) ([]byte, time.Time, bool) {
	copies := map[string]holiday.Copy{}
	for _, o := range objects {
		var c holiday.Copy
		if o.Kind == store.CalendarCopy && json.Unmarshal(o.Spec, &c) == nil {
			copies[c.URL] = c
		}
	}
	return func(url string) ([]byte, time.Time, bool) {
		c, found := copies[url]
		return c.Data, c.Fetched, found
	}
}

// variable is ${NAME} in a secret.
var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secret looks up what a secret's text names: ${NAME} anywhere in it, or file:PATH.
func (e Env) secret(text string) (value, source string, fault *Fault) {
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		return e.secretFile(path)
	}
	for _, prefix := range []string{"secretsmanager:", "ssm:", "vault:"} {
		if strings.HasPrefix(text, prefix) {
			return "", "", &Fault{Text: prefix + "…", Problem: say.F("is not in this version"), Allowed: say.F("${NAME} from the environment, file:PATH, or the value itself")}
		}
	}
	if !strings.Contains(text, "${") {
		return text, "the file itself", nil
	}
	source = "the environment"
	value = variable.ReplaceAllStringFunc(text, func(found string) string {
		name := found[2 : len(found)-1]
		if fault != nil {
			return ""
		}
		if !variableName.MatchString(name) {
			fault = &Fault{Text: found, Problem: say.F("is not the name of an environment variable"), Allowed: say.F("${NAME} with letters, digits and _")}
			return ""
		}
		source = "${" + name + "}"
		if e.Lookup != nil {
			if value, ok := e.Lookup(name); ok && value != "" {
				return value
			}
		}
		fault = &Fault{Text: found, Problem: say.F("names an environment variable that is not set"), Fix: say.F("set it: export %s=…", name)}
		return ""
	})
	if fault == nil && strings.Contains(value, "${") && !variable.MatchString(text) {
		fault = &Fault{Problem: say.F("has a ${ without its }"), Allowed: say.F("${NAME}")}
	}
	return value, source, fault
}

func (e Env) secretFile(path string) (value, source string, fault *Fault) {
	source = "file:" + path
	f := Fault{Text: source}
	if e.ReadFile == nil || path == "" {
		f.Problem, f.Allowed = say.F("names no file that can be read here"), say.F("file:PATH")
		return "", "", &f
	}
	data, err := e.ReadFile(path)
	switch {
	case err != nil:
		u := unreadable(path, err)
		f.Problem, f.Fix = say.F("cannot be used: %s", u.Problem), u.Fix
		if errors.Is(err, fs.ErrNotExist) {
			f.Fix = say.F("create the file; the path is relative to the folder of the configuration")
		}
		return "", "", &f
	case len(data) > maxSecret:
		f.Problem = say.F("cannot be used: the file is larger than %s bytes", strconv.Itoa(maxSecret))
		return "", "", &f
	}
	return strings.TrimRight(string(data), "\r\n"), source, nil
}

// Origin says where a value came from.
type Origin struct {
	// Default: the file does not give it.
	Default bool   `json:"default,omitempty"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	// Object names the object of the store that gives it; File is then empty.
	Object string `json:"object,omitempty"`
}

// String is "default", FILE:LINE or the name of an object.
func (o Origin) String() string {
	switch {
	case o.Default:
		return "default"
	case o.Object != "":
		return o.Object
	}
	return o.File + ":" + strconv.Itoa(o.Line)
}

// Origin says where the value of a field came from. The path is written as in
// a fault: schedules.office.timezone, accounts[0].regions[1].
func (l *Loaded) Origin(path string) Origin {
	at, ok := l.at[path]
	if !ok {
		return Origin{Default: true}
	}
	return l.origin(at)
}

func (l *Loaded) origin(at spot) Origin {
	if at.src != nil && at.src.of == ofObject {
		return Origin{Object: at.src.name}
	}
	return Origin{File: l.File, Line: at.line, Column: at.column}
}

// Values gives every value of the configuration as text by its path, defaults
// included, in the order of the paths. Secrets are hidden.
func (l *Loaded) Values() []Value {
	values := make([]Value, 0, len(l.lines))
	for path, text := range l.lines {
		if strings.HasPrefix(text, secretMark) {
			text = redacted
		}
		values = append(values, Value{Path: path, Text: text, Origin: l.Origin(path)})
	}
	slices.SortFunc(values, func(a, b Value) int { return strings.Compare(a.Path, b.Path) })
	return values
}

// Value is one value of a configuration.
type Value struct {
	Path   string `json:"path"`
	Text   string `json:"text"`
	Origin Origin `json:"origin"`
}

// Fingerprint is a hash of everything the configuration says. Comments, order
// and layout do not change it; a secret that changed does.
func (l *Loaded) Fingerprint() string { return l.fingerprint }

func fingerprint(lines map[string]string) string {
	hash := sha256.New()
	for _, path := range sortedKeys(lines) {
		fmt.Fprintf(hash, "%q=%q\n", path, lines[path])
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Same reports whether both say the same. A nil configuration is the same as none.
func (l *Loaded) Same(other *Loaded) bool {
	if l == nil || other == nil {
		return l == other
	}
	return l.Fingerprint() == other.Fingerprint()
}

// Diff says in words what changes from l to next, one line for each value, in
// the order of the paths.
func (l *Loaded) Diff(next *Loaded) []string {
	paths := sortedKeys(l.lines)
	for path := range next.lines {
		if _, both := l.lines[path]; !both {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var words []string
	for _, path := range paths {
		before, had := l.lines[path]
		after, has := next.lines[path]
		switch {
		case had && has && before == after:
		case strings.HasPrefix(before, secretMark) || strings.HasPrefix(after, secretMark):
			words = append(words, path+": the secret changed")
		case !had:
			words = append(words, fmt.Sprintf("%s: %s (new)", path, after))
		case !has:
			words = append(words, fmt.Sprintf("%s: %s (removed)", path, before))
		default:
			words = append(words, fmt.Sprintf("%s: %s → %s", path, before, after))
		}
	}
	return words
}

// Concerns is the schedule or the workload whose own value a line of Diff is about; empty: it is about none.
func Concerns(line string) (schedule, workload string) {
	section, rest, _ := strings.Cut(line, ".")
	name := rest
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		name, _ = strconv.Unquote(quoted)
	} else if end := strings.IndexAny(rest, ".:"); end >= 0 {
		name = rest[:end]
	}
	switch section {
	case "schedules":
		return name, ""
	case "workloads":
		return "", name
	}
	return "", ""
}

// secretMark begins the text that stands for a secret in the flat form.
const secretMark = "secret sha256:"

// flatten writes every value that is not empty as text by its path.
func flatten(path string, v reflect.Value, into map[string]string) {
	if s, ok := reflect.TypeAssert[Secret](v); ok {
		if s.value != "" {
			sum := sha256.Sum256([]byte(s.value))
			into[path] = secretMark + hex.EncodeToString(sum[:])
		}
		return
	}
	if d, ok := reflect.TypeAssert[Duration](v); ok {
		into[path] = d.String()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			flatten(join(path, v.Type().Field(i).Tag.Get("yaml")), v.Field(i), into)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			flatten(join(path, key.String()), v.MapIndex(key), into)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				flatten(index(path, i), v.Index(i), into)
			}
			return
		}
		if v.Len() > 0 {
			into[path] = fmt.Sprint(v.Interface())
		}
	default:
		if text := fmt.Sprint(v.Interface()); text != "" {
			into[path] = text
		}
	}
}
