package say

import (
	"bytes"
	"encoding/json"
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
	"unicode"
)

// ourWords are what Word is given in the tree: words of types, each with an entry of its own where a language has
// another word for it. The types say which there are; what is missing here stays English on the page.
var ourWords = []string{
	// States, also as what is wanted and remembered.
	"running", "stopped", "any", "unknown", "starting", "stopping", "other", "start-failed", "stop-failed", "retain-running",
	// Verbs, and the other ends of a stretch.
	"start", "stop", "hibernate", "reboot", "resize", "release", "started",
	// Events of the record about a resource.
	"start-accepted", "stop-accepted", "rebooted", "announced", "recovered", "failed", "skipped", "held", "short", "confirmed", "observed", "resized",
	"override", "override-ended", "alarms-muted", "alarms-restored",
	// Days.
	"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
	"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
	// Kinds of objects, what becomes of them, and what people write with that.
	"schedule", "period", "exception", "holiday", "rule", "workload", "reservation",
	"a schedule", "a period", "an exception", "a holiday", "a rule", "a workload", "a reservation",
	"created", "changed", "deleted", "author", "reason", "label",
	"an object", "a record",
	// Months, the days of a month, and what there are many of.
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	"first", "second", "third", "fourth", "fifth", "starts", "stops", "hibernates", "reboots", "resizes",
	// Roles and permissions.
	"viewer", "operator", "editor", "admin", "read", "act", "edit", "manage",
	// Runs of workloads: steps, phases, statuses, ends, and why something is so.
	"wait", "settle", "arrive", "gates", "register", "health", "veto", "places", "drain", "leave", "restore", "put-back", "before",
	"after", "tell", "waiting", "listing", "members", "delay", "done", "kept", "left", "done with exceptions", "cancelling",
	"undoing", "cancelled", "undone", "ready", "gone", "bypassed", "protected", "overridden", "barred", "tiers", "hooks", "turn",
	"state", "result", "retry", "vetoes", "somebody", "undo", "already", "other-type", "vetoed", "unanswered", "veto-limit",
	"needed", "matches-nothing", "timeout", "refused", "fell-back", "stayed-up", "gate", "hook", "left-out", "run-ended", "again",
	"lost",
	// Gates, vetoes and hooks, how a member stands, and what can be asked of a run.
	"status-checks", "target-health", "tcp", "http", "command", "file", "sessions", "backup", "webhook", "lambda", "healthy",
	"unhealthy", "initial", "draining", "out", "unused", "impaired", "initializing", "cancel", "continue",
	// Why a resource can not be started or stopped singly.
	"auto-scaling-group-member", "instance-store-root", "spot-one-time", "stop-protected", "read-replica", "replica-source",
	"cluster-member", "sqlserver-multi-az", "serverless-v1", "global-database", "multi-az-cluster", "service-managed",
	"scaling-suspended", "daemon-service", "external-deployer", "hsm-cluster", "no-automated-snapshots",
	// Fields of days and of rules' expressions, and what is wrong with addresses.
	"minutes", "hours", "days", "months", "weekdays", "years", "weekday", "month", "begins with webcal://",
	"write https:// instead", "cannot be read", "holds a user name or a password, which would be stored and shown",
	"begins with neither http:// nor https://", "names no host", "day of the month",
	"remove it, and use an address that needs none",
	// Why a scope is left alone.
	"credentials", "region-disabled", "unauthorized", "no-answer",
	// What doctor tries.
	"answer in time", "assume role", "be looked at by passes", "cancel capacity reservations", "describe instance types",
	"drain instances from load balancers", "find ECS services by tag", "find EKS node groups by tag", "find the organization", "find the scope",
	"know the accounts", "list Auto Scaling groups", "list Classic load balancers", "list CloudWatch alarms", "list EC2 instances", "list ECS clusters",
	"list ECS services", "list EKS clusters", "list EKS node groups", "list RDS clusters", "list RDS instances", "list Redshift clusters",
	"list SSM maintenance windows", "list SageMaker notebooks", "list agents in instances", "list all accounts", "list backup jobs", "list backups",
	"list capacity reservations", "list commands in instances", "list load balancers", "list open sessions", "list snapshots", "list target groups",
	"list the accounts of the organization", "list the accounts of the organizational units", "list the node groups of EKS clusters",
	"modify capacity reservations", "mute CloudWatch alarms", "read the queue of events", "read what is remembered", "reserve capacity",
	"restore CloudWatch alarms", "run commands in instances", "see how commands end", "see the scaling of ECS services",
	"see the tags of SageMaker notebooks", "see why a SageMaker notebook failed", "start Auto Scaling groups", "start EC2 instances",
	"start ECS services", "start EKS node groups", "start RDS clusters", "start RDS instances", "start Redshift clusters", "start SageMaker notebooks",
	"stop Auto Scaling groups", "stop EC2 instances", "stop ECS services", "stop EKS node groups", "stop RDS clusters", "stop RDS instances",
	"stop Redshift clusters", "stop SageMaker notebooks", "tag Auto Scaling groups", "tag EC2 instances", "tag ECS services", "tag EKS node groups",
	"tag RDS clusters", "tag RDS instances", "tag Redshift clusters", "tag SageMaker notebooks", "use the credentials at hand", "use the region",
}

// between are what stands between the parts of what is put together.
var between = []string{betweenSentences, betweenClauses, betweenItems}

// Every format in the tree is in both catalogs, with its verbs; nothing else is; and every format is a literal.
func TestCatalogs(t *testing.T) {
	formats, breaches := formatsOf(t, os.DirFS("../.."))
	for _, breach := range breaches {
		t.Error(breach)
	}
	if len(formats) < 100 {
		t.Fatalf("only %d formats were found", len(formats))
	}
	for _, word := range slices.Concat(ourWords, between) {
		formats[word] = "a word of ours"
	}
	for language, file := range map[Language][]byte{Chinese: chinese, Korean: korean} {
		catalog := catalogs[language]()
		var missing []string
		for _, format := range slices.Sorted(maps.Keys(formats)) {
			translated, ok := catalog[format]
			if !ok {
				missing = append(missing, fmt.Sprintf("%s: %q", formats[format], format))
				continue
			}
			if fault := unlike(format, translated); fault != "" {
				t.Errorf("%s: %q → %q: %s", language, format, translated, fault)
			}
		}
		if len(missing) > 0 {
			t.Errorf("%s.json does not have\n%s", language, strings.Join(missing, "\n"))
		}
		for format := range catalog {
			if formats[format] == "" {
				t.Errorf("%s.json has %q, which nobody says", language, format)
			}
		}
		if twice := repeated(t, file); len(twice) > 0 {
			t.Errorf("%s.json has twice: %q", language, twice)
		}
	}
}

// unlike says how a translation differs from its format in what may not differ; empty: it does not.
func unlike(format, translated string) string {
	wants, has := map[int]string{}, map[int]string{}
	for n, verb := range verbs(format) {
		if verb.index > 0 {
			return "a format of the source names no places"
		}
		wants[n] = verb.text
	}
	for n, verb := range verbs(translated) {
		if verb.index > 0 {
			n = verb.index - 1
		}
		has[n] = verb.text
	}
	switch {
	case !maps.Equal(wants, has):
		return fmt.Sprintf("other arguments: %v, %v", wants, has)
	case strings.TrimSpace(translated) == "" && strings.TrimSpace(format) != "":
		return "it says nothing"
	case strings.ContainsFunc(translated, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }):
		return "control characters"
	}
	return ""
}

// repeated gives the keys that stand twice in a file, of which one would never be read.
func repeated(t *testing.T, file []byte) (twice []string) {
	decoder := json.NewDecoder(bytes.NewReader(file))
	seen := map[string]bool{}
	for i := 0; ; i++ {
		token, err := decoder.Token()
		if err != nil {
			return twice
		}
		if text, isText := token.(string); isText && i%2 == 1 {
			if seen[text] {
				twice = append(twice, text)
			}
			seen[text] = true
		}
		if i > 1_000_000 {
			t.Fatal("it does not end")
		}
	}
}

func TestUnlike(t *testing.T) {
	for _, test := range []struct{ format, translated, want string }{
		{"%s of %d", "%[2]d 中的 %[1]s", ""},
		{"%s of %d%%", "%d%% %s", "other"},
		{"%s of %d", "%s", "other"},
		{"%s of %d", "%[1]s %[2]d %[1]s", ""},
		{"%s", "%[2]s", "other"},
		{"%[1]s", "%s", "names"},
		{"%.0f", "%f", "other"},
		{"it is", " ", "nothing"},
	} {
		if got := unlike(test.format, test.translated); test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%q → %q: %q, want %q", test.format, test.translated, got, test.want)
		}
	}
}

// formatsOf finds the literals that are said in a tree, with where, and what is said that is none.
func formatsOf(t *testing.T, root fs.FS) (formats map[string]string, breaches []string) {
	formats = map[string]string{}
	packages := map[string][]*ast.File{} // by folder
	files := token.NewFileSet()
	err := fs.WalkDir(root, "internal", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || name == "internal/say"):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		packages[path.Dir(name)] = append(packages[path.Dir(name)], file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range packages {
		sayers := map[string]place{}
		for _, file := range list {
			for _, declared := range file.Decls {
				if f, ok := declared.(*ast.FuncDecl); ok {
					if at, hands := handsOn(f); hands {
						sayers[f.Name.Name] = at
					}
				}
			}
		}
		for _, file := range list {
			in := ""
			ast.Inspect(file, func(node ast.Node) bool {
				if f, ok := node.(*ast.FuncDecl); ok {
					in = f.Name.Name
				}
				call, ok := node.(*ast.CallExpr)
				if !ok {
					return true
				}
				at, said := sayingOf(call, sayers)
				if !said {
					return true
				}
				for _, arg := range call.Args[at.from:min(at.to, len(call.Args))] {
					where := files.Position(arg.Pos()).String()
					text, literal := literalOf(arg)
					_, own := sayers[in]
					switch name, isName := arg.(*ast.Ident); {
					case literal:
						formats[text] = where
					case own && isName && name.Name == formatParameter:
					default:
						breaches = append(breaches, where+": what is said has to be a literal, so that it can be translated")
					}
				}
				return true
			})
		}
	}
	return formats, breaches
}

// place is which of the arguments of a call are formats.
type place struct{ from, to int }

// formatParameter is what a function calls the format that it hands on.
const formatParameter = "format"

// handsOn reports whether a function hands a parameter named format on to F, and which it is.
func handsOn(f *ast.FuncDecl) (at place, hands bool) {
	n := 0
	for _, field := range f.Type.Params.List {
		for _, name := range field.Names {
			if name.Name == formatParameter {
				at, hands = place{n, n + 1}, true
			}
			n++
		}
	}
	if !hands || f.Body == nil {
		return at, false
	}
	hands = false
	ast.Inspect(f.Body, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok && (isOf(call.Fun, "F") || isOf(call.Fun, "Err")) && len(call.Args) > 0 {
			name, isName := call.Args[0].(*ast.Ident)
			hands = hands || isName && name.Name == formatParameter
		}
		return true
	})
	return at, hands
}

// isOf reports whether an expression is a function of this package.
func isOf(e ast.Expr, name string) bool {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	from, ok := selector.X.(*ast.Ident)
	return ok && from.Name == "say"
}

// sayingOf says which arguments of a call are formats.
func sayingOf(call *ast.CallExpr, sayers map[string]place) (place, bool) {
	if isOf(call.Fun, "F") || isOf(call.Fun, "Err") {
		return place{0, 1}, true
	}
	if isOf(call.Fun, "N") {
		return place{1, 3}, true
	}
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		if from, ok := f.X.(*ast.Ident); ok && unicode.IsLower([]rune(from.Name)[0]) { // a method of a value
			name = f.Sel.Name
		}
	}
	at, said := sayers[name]
	return at, said && len(call.Args) > at.from
}

// literalOf gives the text of a literal, also of one that is put together.
func literalOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := literalOf(e.X)
		right, also := literalOf(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}
