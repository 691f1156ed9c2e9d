package dayshift_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// module is the path in go.mod; imports below are written without it.
const module = "dayshift"

// role is what a package is in the house. The laws below speak of roles, so
// that no edit of the table can allow what a law forbids.
type role string

const (
	// words are pure: no I/O, no context, no clock, nothing outside the standard library.
	word role = "word"
	// support is small machinery that any package but the words may use.
	support role = "support"
	// contract is an interface with its errors; suite serves tests alone: it examines a contract's implementations, or what was generated.
	contract role = "contract"
	suite    role = "suite"
	// stage is one verb of a pass.
	stage role = "stage"
	// program puts stages in order.
	program role = "program"
	// implementation fulfils a contract, or stands in for the cloud behind one.
	implementation role = "implementation"
	// surface translates between people or programs and the service.
	surface role = "surface"
	// wiring names implementations and puts them behind stages and surfaces.
	wiring role = "wiring"
	// front is the surface that starts the wiring; entry is a main package, which only starts a front.
	front role = "front"
	entry role = "entry"
)

// row is what one package may import of this module, outside its tests.
// Test files are free: they need simulators, suites and implementations.
type row struct {
	role    role
	imports []string
}

// house is the table. A new package needs a row; a row that no package uses
// is an error too, so that the table stays a picture of the tree.
var house = map[string]row{
	// Words and rules.
	"internal/access":   {word, []string{"internal/say"}},
	"internal/say":      {word, nil},
	"internal/typo":     {word, nil},
	"internal/fleet":    {word, []string{"internal/say", "internal/typo"}},
	"internal/calendar": {word, []string{"internal/say", "internal/typo"}},
	"internal/policy":   {word, []string{"internal/calendar", "internal/fleet", "internal/say", "internal/typo", "internal/workload"}},
	"internal/decide":   {word, []string{"internal/calendar", "internal/fleet", "internal/policy", "internal/say"}},
	"internal/plan":     {word, []string{"internal/decide", "internal/fleet", "internal/say"}},
	"internal/savings":  {word, []string{"internal/fleet"}},
	"internal/event":    {word, []string{"internal/fleet"}},
	"internal/wording":  {word, []string{"internal/say"}},
	"internal/workload": {word, []string{"internal/fleet", "internal/say", "internal/typo"}},

	"internal/reservation": {word, []string{"internal/calendar", "internal/fleet", "internal/savings", "internal/say"}},

	// Support.
	"internal/buildinfo": {support, nil},

	// What chat systems post, and how they are answered.
	"internal/chatbot/wire": {support, []string{"internal/outbound"}},

	"internal/clock":     {support, nil},
	"internal/holiday":   {support, []string{"internal/outbound"}},
	"internal/lifecycle": {support, nil},
	"internal/metrics":   {support, nil},
	"internal/outbound":  {support, nil},
	"internal/pagepath":  {support, nil},
	"internal/probe":     {support, []string{"internal/outbound"}},

	// For tests alone.
	"internal/golden": {suite, nil},

	// Contracts and their examinations.
	"internal/cloud":                    {contract, []string{"internal/fleet", "internal/say"}},
	"internal/capacity/table/tabletest": {suite, nil},
	"internal/cloud/cloudtest":          {suite, []string{"internal/cloud", "internal/fleet"}},
	"internal/queue":                    {contract, nil},
	"internal/queue/queuetest":          {suite, []string{"internal/queue"}},
	"internal/notify/kindtest":          {suite, []string{"internal/fleet", "internal/notify"}},
	"internal/notify/roomtest":          {suite, []string{"internal/fleet", "internal/notify", "internal/outbound", "internal/say"}},
	"internal/store":                    {contract, []string{"internal/calendar", "internal/decide", "internal/fleet", "internal/policy", "internal/say"}},
	"internal/store/storetest":          {suite, []string{"internal/decide", "internal/fleet", "internal/say", "internal/store"}},

	// Stages.
	"internal/config": {stage, []string{
		"internal/calendar", "internal/clock", "internal/fleet", "internal/holiday", "internal/outbound", "internal/plan", "internal/policy", "internal/reservation", "internal/say", "internal/store",
		"internal/typo", "internal/wording", "internal/workload",
	}},
	"internal/discover": {stage, []string{"internal/cloud", "internal/fleet", "internal/say"}},
	"internal/act":      {stage, []string{"internal/clock", "internal/cloud", "internal/decide", "internal/fleet", "internal/plan"}},
	"internal/record":   {stage, []string{"internal/decide", "internal/fleet", "internal/plan", "internal/store"}},
	"internal/notify":   {stage, []string{"internal/calendar", "internal/clock", "internal/fleet", "internal/outbound", "internal/say", "internal/wording", "internal/store"}},

	// The program.
	"internal/pass": {program, []string{
		"internal/act", "internal/calendar", "internal/clock", "internal/cloud", "internal/config", "internal/decide", "internal/discover",
		"internal/fleet", "internal/notify", "internal/plan", "internal/policy", "internal/record", "internal/say", "internal/store",
	}},

	"internal/capacity": {program, []string{"internal/clock", "internal/cloud", "internal/fleet", "internal/notify", "internal/reservation", "internal/say", "internal/store"}},

	"internal/watch": {program, []string{"internal/clock", "internal/notify", "internal/outbound", "internal/say"}},

	"internal/run": {program, []string{
		"internal/act", "internal/calendar", "internal/clock", "internal/cloud", "internal/decide", "internal/discover", "internal/fleet", "internal/plan",
		"internal/policy", "internal/record", "internal/say", "internal/store", "internal/workload",
	}},

	// Implementations.
	"internal/awssim":             {implementation, []string{"internal/calendar", "internal/clock", "internal/fleet"}},
	"internal/capacity/table":     {implementation, []string{"internal/clock"}},
	"internal/cloud/aws":          {implementation, []string{"internal/clock", "internal/cloud", "internal/cloud/aws/kinds", "internal/fleet", "internal/say"}},
	"internal/cloud/aws/kinds":    {implementation, []string{"internal/cloud", "internal/fleet", "internal/say"}},
	"internal/notify/logs":        {implementation, []string{"internal/notify"}},
	"internal/notify/sns":         {implementation, []string{"internal/cloud", "internal/notify"}},
	"internal/notify/dingtalk":    {implementation, []string{"internal/notify", "internal/outbound"}},
	"internal/notify/discord":     {implementation, []string{"internal/notify", "internal/outbound"}},
	"internal/notify/email":       {implementation, []string{"internal/notify", "internal/outbound"}},
	"internal/notify/eventbridge": {implementation, []string{"internal/cloud", "internal/notify", "internal/outbound"}},
	"internal/notify/jandi":       {implementation, []string{"internal/notify", "internal/outbound"}},
	"internal/notify/lark":        {implementation, []string{"internal/notify", "internal/outbound"}},
	"internal/notify/slack":       {implementation, []string{"internal/notify", "internal/outbound"}},
	"internal/notify/teams":       {implementation, []string{"internal/notify", "internal/outbound"}},
	"internal/notify/wecom":       {implementation, []string{"internal/notify", "internal/outbound"}},
	"internal/notify/webhook":     {implementation, []string{"internal/notify", "internal/outbound"}},
	"internal/oidc":               {implementation, []string{"internal/access", "internal/clock", "internal/pagepath"}},
	"internal/queue/local":        {implementation, []string{"internal/queue"}},
	"internal/queue/sqs":          {implementation, []string{"internal/cloud", "internal/queue"}},
	"internal/store/memory":       {implementation, []string{"internal/decide", "internal/fleet", "internal/store"}},
	"internal/store/sqlstore":     {implementation, []string{"internal/decide", "internal/fleet", "internal/say", "internal/store"}},

	// Surfaces, and the one thing they ask.
	"internal/service": {program, []string{
		"internal/access", "internal/buildinfo", "internal/calendar", "internal/clock", "internal/cloud", "internal/config", "internal/decide", "internal/fleet",
		"internal/holiday", "internal/notify", "internal/pass", "internal/plan", "internal/policy", "internal/reservation", "internal/run", "internal/savings", "internal/say", "internal/store", "internal/typo", "internal/workload",
	}},
	"internal/httpapi": {surface, []string{"internal/access", "internal/buildinfo", "internal/calendar", "internal/chatbot/wire", "internal/fleet", "internal/pagepath", "internal/say", "internal/service", "internal/store"}},

	"internal/chatbot": {surface, []string{"internal/access", "internal/calendar", "internal/chatbot/wire", "internal/decide", "internal/fleet", "internal/say", "internal/service", "internal/store", "internal/typo"}},

	"internal/migrate": {surface, []string{"internal/fleet", "internal/typo"}},

	"internal/client": {surface, []string{"internal/access", "internal/buildinfo", "internal/clock", "internal/fleet", "internal/say", "internal/service", "internal/store"}},

	// The page, as files.
	"web": {implementation, nil},

	// Wiring.
	"internal/app": {wiring, []string{
		"internal/access", "internal/act", "internal/awssim", "internal/buildinfo", "internal/calendar", "internal/capacity", "internal/capacity/table", "internal/chatbot", "internal/chatbot/wire", "internal/clock", "internal/cloud", "internal/cloud/aws",
		"internal/cloud/aws/kinds", "internal/config", "internal/decide", "internal/discover", "internal/event", "internal/fleet", "internal/holiday", "internal/httpapi",
		"internal/lifecycle", "internal/metrics", "internal/notify", "internal/notify/dingtalk", "internal/notify/discord", "internal/notify/email", "internal/notify/eventbridge", "internal/notify/jandi",
		"internal/notify/lark", "internal/notify/logs", "internal/notify/slack", "internal/notify/sns", "internal/notify/teams", "internal/notify/webhook", "internal/notify/wecom", "internal/oidc", "internal/outbound", "internal/pass", "internal/plan", "internal/policy",
		"internal/probe", "internal/queue", "internal/queue/sqs", "internal/record", "internal/reservation", "internal/run", "internal/savings", "internal/say", "internal/service",
		"internal/store", "internal/store/memory", "internal/store/sqlstore", "internal/watch", "internal/wording", "internal/workload", "web",
	}},

	// The command line.
	"internal/cli": {front, []string{
		"internal/access", "internal/app", "internal/buildinfo", "internal/calendar", "internal/capacity", "internal/client", "internal/clock", "internal/cloud", "internal/config", "internal/decide",
		"internal/fleet", "internal/migrate", "internal/pass", "internal/plan", "internal/policy", "internal/reservation", "internal/say", "internal/service", "internal/store", "internal/typo",
		"internal/workload",
	}},
	"cmd/dayshift": {entry, []string{"internal/cli"}},
}

// mayNeed says which roles a package of a role may import. It draws the one
// direction of the house; the table narrows it package by package.
var mayNeed = map[role][]role{
	word:           {word},
	support:        {support},
	contract:       {word, contract},
	suite:          {word, contract, support},
	stage:          {word, contract, support},
	program:        {word, contract, support, stage, program},
	implementation: {word, contract, support, implementation}, // its own folder only, see breachOfLaw
	surface:        {word, contract, support, program},
	wiring:         {word, contract, support, stage, program, implementation, surface},
	front:          {word, contract, support, stage, program, wiring, surface},
	entry:          {front},
}

// impureImports are the packages of the standard library that reach outside
// the process, carry deadlines or give another answer every time. A pure
// package imports neither them nor anything below them.
var impureImports = []string{
	"context", "crypto/rand", "database/sql", "io/fs", "io/ioutil", "log", "math/rand", "net", "os",
	"path/filepath", "plugin", "runtime", "syscall", "testing", "unsafe",
}

// clockReads are the names of package time that read the clock, wait for it,
// or depend on the zone of the host.
var clockReads = []string{"After", "AfterFunc", "Local", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// readsZones may load time zones, which is the one look outside that a calendar can not do without.
const readsZones = "internal/calendar"

func TestArchitecture(t *testing.T) {
	tree, err := load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, breach := range check(tree, house) {
		t.Error(breach)
	}
}

// pkg is one package as its source shows it, tests left out.
type pkg struct {
	name    string
	comment string
	imports map[string]string // import path → the file that has it
	impure  []string          // file:line: what reads a clock, a zone or writes
	zones   []string          // file:line of every time.LoadLocation
}

// load reads every package of the module below root, whatever its build tags.
// Folders named testdata, hidden ones and other modules are left out.
func load(root fs.FS) (map[string]*pkg, error) {
	tree := map[string]*pkg{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name == "." {
				return nil
			}
			_, err := fs.Stat(root, path.Join(name, "go.mod"))
			if base := entry.Name(); err == nil || base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		p := tree[path.Dir(name)]
		if p == nil {
			p = &pkg{name: file.Name.Name, imports: map[string]string{}}
			tree[path.Dir(name)] = p
		}
		p.read(files, name, file)
		return nil
	})
	return tree, err
}

// read adds what one file shows.
func (p *pkg) read(files *token.FileSet, name string, file *ast.File) {
	if file.Doc != nil {
		p.comment += file.Doc.Text()
	}
	local := map[string]string{} // the name a package has in this file → its path
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused it already
		}
		p.imports[imported] = name
		as := path.Base(imported)
		if spec.Name != nil {
			as = spec.Name.Name
		}
		if as == "." {
			p.impure = append(p.impure, fmt.Sprintf("%s: a dot import of %s hides what is called", name, imported))
		}
		local[as] = imported
	}
	ast.Inspect(file, func(node ast.Node) bool {
		at := func(what string) string { return fmt.Sprintf("%s: %s", files.Position(node.Pos()), what) }
		switch node := node.(type) {
		case *ast.SelectorExpr:
			from, ok := node.X.(*ast.Ident)
			if !ok {
				break
			}
			switch selected := node.Sel.Name; {
			case local[from.Name] == "time" && slices.Contains(clockReads, selected):
				p.impure = append(p.impure, at("time."+selected))
			case local[from.Name] == "time" && selected == "LoadLocation":
				p.zones = append(p.zones, at("time.LoadLocation"))
			case local[from.Name] == "fmt" && (strings.HasPrefix(selected, "Print") || strings.HasPrefix(selected, "Scan")):
				p.impure = append(p.impure, at("fmt."+selected))
			}
		case *ast.CallExpr:
			// time.Time.Local turns an instant into the zone of the host.
			if method, ok := node.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "Local" && len(node.Args) == 0 {
				p.impure = append(p.impure, at("a call of Local"))
			}
			if builtin, ok := node.Fun.(*ast.Ident); ok && (builtin.Name == "print" || builtin.Name == "println") {
				p.impure = append(p.impure, at(builtin.Name))
			}
		}
		return true
	})
}

// check returns every breach of the table and of the laws, sorted.
func check(tree map[string]*pkg, table map[string]row) []string {
	var breaches []string
	add := func(format string, args ...any) { breaches = append(breaches, fmt.Sprintf(format, args...)) }

	for dir := range table {
		if tree[dir] == nil {
			add("%s has a row in the table and no package: drop the row", dir)
		}
	}
	for dir, p := range tree {
		if !wellCommented(p) {
			add("%s has no package comment: say what it guarantees and what it expects", dir)
		}
		r, known := table[dir]
		if !known {
			add("%s has no row in the table of arch_test.go: give it a role and what it may import", dir)
			continue
		}
		for imported, file := range p.imports {
			if inner, ours := strings.CutPrefix(imported, module+"/"); ours {
				if !slices.Contains(r.imports, inner) {
					add("%s imports %s, which its row does not allow", file, inner)
				}
				if target, ok := table[inner]; ok {
					if law := breachOfLaw(dir, r.role, inner, target.role); law != "" {
						add("%s imports %s: %s", file, inner, law)
					}
				}
				continue
			}
			if law := breachOutside(r.role, imported); law != "" {
				add("%s imports %s: %s", file, imported, law)
			}
		}
		if r.role == word {
			for _, what := range p.impure {
				add("%s: a pure package is given its instants and returns its answers", what)
			}
			for _, what := range p.zones {
				if dir != readsZones {
					add("%s: only %s loads time zones", what, readsZones)
				}
			}
		}
	}
	slices.Sort(breaches)
	return breaches
}

// wellCommented tells whether godoc would show a comment for the package.
func wellCommented(p *pkg) bool {
	if p.name == "main" {
		return p.comment != ""
	}
	return strings.HasPrefix(p.comment, "Package "+p.name+" ")
}

// breachOfLaw says what forbids one package of this module to import another; empty when nothing does.
func breachOfLaw(from string, fromRole role, to string, toRole role) string {
	switch {
	case toRole == suite:
		return "only tests use a suite"
	case fromRole == stage && toRole == stage:
		return "no stage imports another; what they share is a word or a contract"
	case fromRole == implementation && toRole == implementation && !strings.HasPrefix(to, from+"/") && !strings.HasPrefix(from, to+"/"):
		return "an implementation knows its contract, never a sibling"
	case (fromRole == implementation || fromRole == suite) && toRole == stage && strings.HasPrefix(from, to+"/"):
		return "" // a channel below the stage that says what a channel is, or what examines channels
	case toRole == implementation && fromRole != wiring && fromRole != implementation:
		return "only the wiring names implementations"
	case !slices.Contains(mayNeed[fromRole], toRole):
		return fmt.Sprintf("%s may not need %s", fromRole, toRole)
	}
	return ""
}

// breachOutside says what forbids a package of a role to import a package that is not of this module; empty when nothing does.
func breachOutside(r role, imported string) string {
	below := func(dir string) bool { return imported == dir || strings.HasPrefix(imported, dir+"/") }
	switch {
	case r == word && slices.ContainsFunc(impureImports, below):
		return "a pure package does no I/O, carries no context and reads no clock"
	case r == word && strings.Contains(strings.SplitN(imported, "/", 2)[0], "."):
		return "the words need nothing but the standard library"
	case r == entry && (below("flag") || strings.Contains(imported, "cobra") || strings.Contains(imported, "pflag")):
		return "main parses nothing: the command line belongs to internal/cli"
	case r != suite && below("testing"):
		return "only tests and conformance suites import testing"
	}
	return ""
}

// TestArchitectureRefuses shows that every rule catches the tree that breaks it,
// and that the tree next to it is left alone.
func TestArchitectureRefuses(t *testing.T) {
	table := map[string]row{
		"internal/calendar":               {word, nil},
		"internal/decide":                 {word, []string{"internal/calendar", "internal/store"}},
		"internal/store":                  {contract, []string{"internal/decide"}},
		"internal/store/memory":           {implementation, []string{"internal/store", "internal/store/sqlstore"}},
		"internal/store/sqlstore":         {implementation, []string{"internal/store", "internal/store/sqlstore/dialect"}},
		"internal/store/sqlstore/dialect": {implementation, nil},
		"internal/store/storetest":        {suite, []string{"internal/store"}},
		"internal/act":                    {stage, []string{"internal/discover", "internal/store"}},
		"internal/discover":               {stage, []string{"internal/store/memory"}},
		"internal/discover/list":          {implementation, []string{"internal/act", "internal/discover"}},
		"internal/app":                    {wiring, []string{"internal/act", "internal/store/memory", "internal/store/storetest"}},
		"internal/cli":                    {front, []string{"internal/app"}},
		"cmd/dayshift":                    {entry, []string{"internal/app", "internal/cli"}},
	}
	sound := map[string]string{
		"internal/calendar":               "import (\"strings\"; \"time\")\nvar _ = strings.ToLower\nfunc f(t time.Time) (*time.Location, error) { return time.LoadLocation(t.Location().String()) }",
		"internal/decide":                 "import \"dayshift/internal/calendar\"",
		"internal/store":                  "import (\"context\"; \"dayshift/internal/decide\"; \"time\")\nvar _ = time.Now",
		"internal/store/memory":           "import \"dayshift/internal/store\"",
		"internal/store/sqlstore":         "import (\"dayshift/internal/store\"; \"dayshift/internal/store/sqlstore/dialect\")",
		"internal/store/sqlstore/dialect": "",
		"internal/store/storetest":        "import (\"dayshift/internal/store\"; \"testing\")",
		"internal/act":                    "import \"dayshift/internal/store\"",
		"internal/discover":               "",
		"internal/discover/list":          "import \"dayshift/internal/discover\"",
		"internal/app":                    "import (\"dayshift/internal/act\"; \"dayshift/internal/store/memory\")",
		"internal/cli":                    "import (\"dayshift/internal/app\"; \"flag\")",
		"cmd/dayshift":                    "import \"dayshift/internal/cli\"",
	}
	tests := []struct {
		name   string
		dir    string // whose source is replaced
		source string // after the package clause; the comment is there unless the source begins with "package"
		want   string // part of the only complaint; empty: none
	}{
		{name: "the tree as it should be"},
		{"a package nobody entered", "internal/newcomer", "", "internal/newcomer has no row"},
		{"an import the row does not have", "internal/cli", `import "dayshift/internal/store"`, "which its row does not allow"},
		{"no package comment", "internal/act", "package act", "internal/act has no package comment"},
		{"a comment that is not godoc's", "internal/act", "// acts.\npackage act", "internal/act has no package comment"},
		{"a word that needs a contract", "internal/decide", `import "dayshift/internal/store"`, "word may not need contract"},
		{"a word with a context", "internal/decide", `import "context"`, "a pure package does no I/O"},
		{"a word that opens files", "internal/decide", `import "os"`, "a pure package does no I/O"},
		{"a word that runs programs", "internal/decide", `import "os/exec"`, "a pure package does no I/O"},
		{"a word that reads a file system", "internal/decide", `import "io/fs"`, "a pure package does no I/O"},
		{"a word on the network", "internal/decide", `import "net/http"`, "a pure package does no I/O"},
		{"a word that logs", "internal/decide", `import "log/slog"`, "a pure package does no I/O"},
		{"a word that rolls dice", "internal/decide", `import "math/rand/v2"`, "a pure package does no I/O"},
		{"a word that only sounds impure", "internal/decide", `import "math/big"`, ""},
		{"a word with a library", "internal/decide", `import "example.com/clever"`, "nothing but the standard library"},
		{"a word that reads the clock", "internal/decide", "import \"time\"\nvar _ = time.Now()", "decide.go:5:9: time.Now"},
		{"the clock passed on as a value", "internal/decide", "import \"time\"\nvar _ = time.Since", "time.Since"},
		{"the clock by another name", "internal/decide", "import watch \"time\"\nvar _ = watch.Until", "time.Until"},
		{"the clock under no name", "internal/decide", "import . \"time\"\nvar _ = Now", "a dot import of time"},
		{"a timer", "internal/calendar", "import \"time\"\nvar _ = time.NewTimer(1)", "time.NewTimer"},
		{"a nap", "internal/calendar", "import \"time\"\nfunc f() { time.Sleep(1) }", "time.Sleep"},
		{"the zone of the host", "internal/calendar", "import \"time\"\nvar _ = time.Local", "time.Local"},
		{"an instant in the zone of the host", "internal/calendar", "import \"time\"\nfunc f(t time.Time) time.Time { return t.Local() }", "a call of Local"},
		{"zones loaded outside the calendar", "internal/decide", "import \"time\"\nvar _, _ = time.LoadLocation(\"UTC\")", "only internal/calendar loads time zones"},
		{"a word that prints", "internal/decide", "import \"fmt\"\nfunc f() { fmt.Println() }", "fmt.Println"},
		{"a word that prints while somebody debugs", "internal/decide", "func f() { println(1) }", "println"},
		{"a stage that imports a stage", "internal/act", `import "dayshift/internal/discover"`, "no stage imports another"},
		{"a stage that names an implementation", "internal/discover", `import "dayshift/internal/store/memory"`, "only the wiring names implementations"},
		{"an implementation that needs another's stage", "internal/discover/list", `import "dayshift/internal/act"`, "implementation may not need stage"},
		{"an implementation that knows its sibling", "internal/store/memory", `import "dayshift/internal/store/sqlstore"`, "never a sibling"},
		{"a suite in the product", "internal/app", `import "dayshift/internal/store/storetest"`, "only tests use a suite"},
		{"testing in the product", "internal/app", `import "testing"`, "only tests and conformance suites"},
		{"a main that wires", "cmd/dayshift", `import "dayshift/internal/app"`, "entry may not need wiring"},
		{"a main that parses", "cmd/dayshift", `import "flag"`, "main parses nothing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sources := maps.Clone(sound)
			if test.dir != "" {
				sources[test.dir] = test.source
			}
			root := fstest.MapFS{
				"internal/calendar/calendar_test.go": {Data: []byte("package calendar\nimport \"os\"")},
				"internal/act/testdata/broken.go":    {Data: []byte("not Go")},
				"bench/go.mod":                       {Data: []byte("module dayshift/bench")},
				"bench/main.go":                      {Data: []byte("package main")},
			}
			for dir, source := range sources {
				name := path.Base(dir)
				if strings.HasPrefix(dir, "cmd/") {
					name = "main"
				}
				if !strings.Contains(source, "package ") {
					source = fmt.Sprintf("// Package %s is here.\n//\n// And so on.\npackage %s; %s", name, name, source)
				}
				root[path.Join(dir, path.Base(dir)+".go")] = &fstest.MapFile{Data: []byte(source)}
			}
			tree, err := load(root)
			if err != nil {
				t.Fatal(err)
			}
			got := check(tree, table)
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("complaints about a sound tree: %q", got)
			case test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)):
				t.Errorf("complaints %q, want only one, with %q", got, test.want)
			}
		})
	}

	t.Run("a row nobody lives in", func(t *testing.T) {
		got := check(map[string]*pkg{}, map[string]row{"internal/ghost": {word, nil}})
		if len(got) != 1 || !strings.Contains(got[0], "drop the row") {
			t.Errorf("complaints %q, want one about the row", got)
		}
	})
}

// TestDirection shows that the roles can be put in one order: a cycle among
// them would let two rooms need each other by way of a third.
func TestDirection(t *testing.T) {
	state := map[role]int{} // 0 not seen, 1 on the way down, 2 done
	var visit func(r role, way []role)
	visit = func(r role, way []role) {
		way = append(way, r)
		if state[r] == 1 {
			t.Errorf("roles need each other: %v", way)
			return
		}
		if state[r] == 2 {
			return
		}
		state[r] = 1
		for _, next := range mayNeed[r] {
			if next != r {
				visit(next, way)
			}
		}
		state[r] = 2
	}
	for r := range mayNeed {
		visit(r, nil)
	}
}
