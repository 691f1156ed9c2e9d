package config

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"dayshift/internal/say"
)

// Bounds on the text, checked before the YAML parser sees it. Ten thousand
// schedules of a line each are far inside all of them.
const (
	// MaxBytes is the largest file that is read. A hundred thousand schedules fit.
	MaxBytes = 16 << 20
	// maxMarks bounds the characters that make tokens; a token takes some 300 bytes of memory, so this is about half a gigabyte at worst.
	maxMarks = 1_500_000
	// maxDepth bounds nesting; the configuration itself needs 6. The parser works recursively.
	maxDepth = 32
	// maxSiblings bounds the entries of one block mapping, and the square of it the sum of squares over all of them:
	// the parser's time grows with the square. At the bound it is some 2 seconds.
	maxSiblings = 20_000
	// maxFaults bounds how many faults are collected: nobody reads more, and a file of another kind has one on every line.
	maxFaults = 100
)

// source is the text of a file, as its faults show it.
type source struct {
	name  string
	of    origin
	lines []string
	// secret holds the lines on which a secret is written; they are shown without it.
	secret map[int]bool
	// wholly holds those of them of which nothing can be shown: a header may have any name.
	wholly map[int]bool
	// values are where on a line the values of secrets stand, whatever their keys look like.
	values map[int][]span
	// surveyed: the lines with secrets are known. Before, it may not even be YAML, and no address is shown whole.
	surveyed bool
	shown    map[int]string // lines as they may be shown, made once: a file can be one line of a megabyte
}

// secretKey finds a value that must not be shown, on a line of a file that may not even be YAML.
var secretKey = regexp.MustCompile(`(?i)([\w-]*(?:external[_-]?id|secret|token|passw|api[_-]?key|webhook|dsn|credential|authorization)[\w-]*["']?\s*:\s*)("[^"]*"?|'[^']*'?|[^\s,}#"'][^,}]*)`)

// secretRef is a value that only says where the secret is.
var secretRef = regexp.MustCompile(`^["']?(\$\{\w+\}?|(file|ssm|secretsmanager):[^"']*)["']?$`)

// urlUser finds user and password in an address.
var urlUser = regexp.MustCompile(`(://)([^/@\s"']+)(@)`)

// urlPath finds what is behind the host of an address: with many webhooks it is the secret.
var urlPath = regexp.MustCompile(`(?i)(https?://[^/?#\s"']+[/?#])([^\s"',}\]]+)`)

// secretName tells a key whose value is not shown, mistyped ones included.
func secretName(key string) bool {
	return secretKey.MatchString(key+": x") || nearest(key, []string{"external_id"}) != ""
}

// secretKeys are keys of sections whose values are not shown, beside those that their names tell.
var secretKeys = map[string][]string{"channels": {"url", "headers", "secret", "previous_secret", "token", "password"}, "chats": {"secret", "previous_secret", "token", "previous_token"}, "heartbeat": {"url", "secret", "previous_secret"}}

// secretIn tells a key of a section, mistyped ones included, whose values are not shown.
func secretIn(section, key string) bool {
	for name, keys := range secretKeys {
		if section == name || nearest(section, []string{name}) != "" {
			return slices.Contains(keys, key) || nearest(key, keys) != ""
		}
	}
	return false
}

// line gives a line as it may be shown. Secrets are covered by as many stars
// as they have characters, so that the mark below the line stays in its place.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	if shown, done := s.shown[n]; done {
		return shown
	}
	line := s.lines[n-1]
	covered := secretKey.ReplaceAllStringFunc(line, func(found string) string {
		parts := secretKey.FindStringSubmatch(found)
		if secretRef.MatchString(parts[2]) {
			return found
		}
		return parts[1] + stars(parts[2])
	})
	covered = urlUser.ReplaceAllStringFunc(covered, func(found string) string {
		parts := urlUser.FindStringSubmatch(found)
		return parts[1] + stars(parts[2]) + parts[3]
	})
	if !s.surveyed || s.secret[n] {
		covered = urlPath.ReplaceAllStringFunc(covered, func(found string) string {
			parts := urlPath.FindStringSubmatch(found)
			return parts[1] + stars(parts[2])
		})
	}
	covered = cover(covered, s.values[n])
	if s.secret[n] && (covered == line || s.wholly[n]) {
		indent := len(line) - len(strings.TrimLeft(line, " \t-"))
		covered = line[:indent] + stars(line[indent:])
	}
	s.shown[n] = printable(covered)
	return s.shown[n]
}

func stars(text string) string { return strings.Repeat("*", utf8.RuneCountInString(text)) }

// printable keeps a line from moving the cursor of a terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, line)
}

// fault fills in what the source knows: file and line to show.
func (s *source) fault(f Fault, width int) Fault {
	f.File, f.width, f.of = s.name, width, s.of
	f.source = s.line(f.Line)
	return f
}

// whole is a fault of the file as a whole.
func (s *source) whole(problem, fix say.Text) Faults {
	return Faults{{File: s.name, Problem: problem, Fix: fix, of: s.of}}
}

// span is a part of a line, in characters from 0.
type span struct{ from, to int }

// cover puts stars in the place of parts of a line.
func cover(line string, spans []span) string {
	if len(spans) == 0 {
		return line
	}
	text := []rune(line)
	for _, s := range spans {
		for i := max(s.from, 0); i < min(s.to, len(text)); i++ {
			text[i] = '*'
		}
	}
	return string(text)
}

// read reads the text of a file.
func read(name string, data []byte) (*source, ast.Node, Faults) {
	src := newSource(name, ofFile)
	root, faults := src.read(data)
	return src, root, faults
}

func newSource(name string, of origin) *source {
	return &source{name: name, of: of, secret: map[int]bool{}, wholly: map[int]bool{}, values: map[int][]span{}, shown: map[int]string{}}
}

// read checks the encoding and the bounds of the text and parses it. A nil node
// with no faults does not happen: an empty text is a fault.
func (s *source) read(data []byte) (ast.Node, Faults) {
	text, faults := decodeText(s, data)
	if faults != nil {
		return nil, faults
	}
	tokens := lexer.Tokenize(text)
	if faults := checkTokens(s, tokens); faults != nil {
		return nil, faults
	}
	file, faults := parseTokens(s, tokens)
	if faults != nil {
		return nil, faults
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			at := startOf(doc.Body)
			if doc.Start != nil {
				at = doc.Start.Position
			}
			return nil, Faults{s.fault(Fault{
				Line: at.Line, Column: at.Column, Problem: say.F("a second document begins here"),
				Allowed: say.F("one document in one file"), Fix: say.F("remove the line --- and what does not belong to this configuration"),
			}, 3)}
		}
		body = doc.Body
	}
	if isNull(body) {
		return nil, s.whole(say.F("the file is empty: it has no line that is not a comment"), say.F("begin with the ten lines of examples/minimal.yaml"))
	}
	return body, nil
}

// decodeText checks size and encoding and evens out line ends.
func decodeText(src *source, data []byte) (string, Faults) {
	if len(data) > MaxBytes {
		return "", src.whole(say.F("the file is larger than %d MB", MaxBytes>>20), say.F("is it the right file? A configuration of ten thousand schedules has about 1 MB"))
	}
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return "", src.whole(say.F("the file is UTF-16"), say.F("save it as UTF-8"))
	case bytes.HasPrefix(data, []byte("SQLite format 3\x00")):
		return "", src.whole(say.F("the file is a database, not a configuration"), say.F("name the YAML file with --config and the database in it with store:"))
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // a byte order mark, as Windows editors write it
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))

	marks := 0
	for _, c := range data {
		if strings.IndexByte("[]{},:-\n#&*!?|>\"'%", c) >= 0 {
			marks++
		}
	}
	if marks > maxMarks {
		return "", src.whole(say.F("the file has more entries than can be read"), say.F("keep it below %d lines, colons, commas, dashes and brackets together", maxMarks))
	}

	text := string(data)
	src.lines = strings.Split(strings.ToValidUTF8(text, "\uFFFD"), "\n")
	if faults := badCharacters(src, text); faults != nil {
		return "", faults
	}
	return text, nil
}

// badCharacters finds what is neither text nor allowed in YAML, one fault per line.
func badCharacters(src *source, text string) Faults {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, forbidden) {
		return nil
	}
	var faults Faults
	for i, line := range strings.Split(text, "\n") {
		column := 0
		for at, r := range line {
			column++
			f := Fault{Line: i + 1, Column: column}
			_, size := utf8.DecodeRuneInString(line[at:])
			switch {
			case r == utf8.RuneError && size == 1:
				f.Problem = say.F("the byte 0x%02x here is not UTF-8", line[at])
				f.Fix = say.F("save the file as UTF-8")
			case r == 0:
				f.Problem, f.Fix = say.F("a NUL character stands here"), say.F("is it a text file? Remove the character")
			case forbidden(r):
				f.Problem, f.Fix = say.F("the control character U+%04X stands here", r), say.F("remove it")
			default:
				continue
			}
			faults = append(faults, src.fault(f, 1))
			break
		}
		if len(faults) == maxFaults {
			break
		}
	}
	return faults
}

func forbidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' || r == 0x7f || 0x80 <= r && r < 0xa0 && r != 0x85 ||
		r == 0xFEFF || 0xFFFE <= r && r <= 0xFFFF
}

// checkTokens refuses what the parser could not read within bounds, and what
// of YAML a configuration has no use for.
func checkTokens(src *source, tokens token.Tokens) Faults {
	type level struct{ column, entries int }
	var (
		blocks  []level
		flow    int
		squares int
		faults  Faults
	)
	add := func(tk *token.Token, problem, fix say.Text) {
		faults = append(faults, src.fault(Fault{Line: tk.Position.Line, Column: tk.Position.Column, Problem: problem, Fix: fix}, len(tk.Value)))
	}
	for i, tk := range tokens {
		opener := tk // what gives a block its column
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.TagType:
			add(tk, say.F("YAML tags (!) are not used in a configuration"), say.F("remove %s, or quote the text when it is one", shorten(tk.Value)))
		case token.DirectiveType:
			add(tk, say.F("YAML directives (%%) are not used in a configuration"), say.F("remove the line"))
		case token.MappingKeyType:
			add(tk, say.F("keys of several parts (?) are not used in a configuration"), say.F("write KEY: VALUE, or quote the text when it is one"))
		}
		if tk.Type == token.MappingValueType && i > 0 {
			opener = tokens[i-1]
			if flow > 0 && glued(tokens, i) {
				add(opener, say.F("no blank stands after this text and its colon"), say.F("write KEY: VALUE with a blank, or quote a text that has a colon in it"))
			}
		}
		if flow <= 0 && (tk.Type == token.SequenceEntryType || tk.Type == token.MappingValueType) {
			column := opener.Position.Column
			for len(blocks) > 0 && blocks[len(blocks)-1].column > column {
				blocks = blocks[:len(blocks)-1]
			}
			if len(blocks) == 0 || blocks[len(blocks)-1].column < column {
				blocks = append(blocks, level{column: column})
			}
			top := &blocks[len(blocks)-1]
			top.entries++
			squares += 2*top.entries - 1 // n² - (n-1)²
		}
		if flow+len(blocks) > maxDepth {
			add(tk, say.F("lists and mappings are nested more than %d deep", maxDepth), say.F("a configuration needs no more than 6"))
			return faults
		}
		if squares > maxSiblings*maxSiblings {
			add(tk, say.F("too many entries, one below the other: more than %d", maxSiblings), say.F("write entries on one line each, {…}, or split the file"))
			return faults
		}
		if len(faults) == maxFaults {
			return faults
		}
	}
	return faults
}

// glued reports a colon between braces with text on both sides and no blank, as
// in {timezone:Asia/Seoul}. To YAML that is one text; the parser takes it for a
// key and a value.
func glued(tokens token.Tokens, i int) bool {
	if i+1 == len(tokens) || tokens[i-1].Indicator == token.QuotedScalarIndicator {
		return false
	}
	colon, next := tokens[i].Position, tokens[i+1]
	switch next.Type {
	case token.SequenceStartType, token.SequenceEndType, token.MappingStartType, token.MappingEndType, token.CollectEntryType, token.CommentType:
		return false
	}
	return next.Position.Line == colon.Line && next.Position.Column == colon.Column+1
}

// parseTokens parses, and turns the parser's complaint into a fault.
func parseTokens(src *source, tokens token.Tokens) (file *ast.File, faults Faults) {
	// The parser is not ours and the text can be anything: a file that makes it panic is a file that cannot be read.
	defer func() {
		if cause := recover(); cause != nil {
			file, faults = nil, src.whole(say.F("the file cannot be read as YAML"), say.F("look for unfinished brackets and quotes"))
		}
	}()
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file, nil
	}
	if tabs := tabIndents(src); tabs != nil {
		return nil, tabs
	}
	var syntax yaml.Error
	if !errors.As(err, &syntax) || syntax.GetToken() == nil || syntax.GetToken().Position == nil {
		return nil, src.whole(say.F("the file cannot be read as YAML: %v", err), say.F("look for unfinished brackets and quotes"))
	}
	tk := syntax.GetToken()
	if before := tk.Prev; before != nil && (before.Type == token.AliasType || before.Type == token.AnchorType) {
		tk = before // the parser complains of what follows a bare * or &
	}
	return nil, Faults{src.fault(Fault{
		Line: tk.Position.Line, Column: tk.Position.Column,
		Problem: say.F("not valid YAML: %s", syntax.GetMessage()), Fix: syntaxFix(tk, syntax.GetMessage()),
	}, utf8.RuneCountInString(tk.Value))}
}

// syntaxFix guesses at the usual causes.
func syntaxFix(tk *token.Token, message string) say.Text {
	switch {
	case tk.Type == token.AliasType:
		return say.F(`quote a text that begins with *, as in "*"`)
	case tk.Type == token.AnchorType, strings.IndexAny(tk.Value, "@`%") == 0:
		return say.F("quote the text")
	case strings.Contains(message, "quoted"):
		return say.F("close the quote")
	case strings.Contains(message, "must be specified"), strings.Contains(message, "end token"):
		return say.F("close the bracket, or put a comma between the entries")
	case strings.Contains(message, "mapping value is not allowed"):
		return say.F(`quote a text that has a colon in it, as in "memory:", and give each key its own line`)
	}
	return say.F("check the indentation of this line and the one before it, the blank after each colon, and that quotes and brackets are closed")
}

// tabIndents gives a fault for each line that is indented with a tab, which YAML forbids.
func tabIndents(src *source) Faults {
	var faults Faults
	for i, line := range src.lines {
		at := strings.IndexByte(line, '\t')
		if at < 0 || strings.TrimLeft(line[:at], " ") != "" || strings.TrimSpace(line) == "" {
			continue
		}
		faults = append(faults, src.fault(Fault{
			Line: i + 1, Column: at + 1, Problem: say.F("the line is indented with a tab, which YAML forbids"),
			Fix: say.F("indent with spaces, two for each level"),
		}, 1))
		if len(faults) == maxFaults {
			break
		}
	}
	return faults
}

// startOf is where a node's text begins.
func startOf(node ast.Node) *token.Position {
	switch n := node.(type) {
	case *ast.MappingNode:
		if n.IsFlowStyle || len(n.Values) == 0 {
			return n.Start.Position
		}
		return startOf(n.Values[0].Key)
	case *ast.MappingValueNode:
		return startOf(n.Key)
	case *ast.SequenceNode:
		return n.Start.Position
	}
	return node.GetToken().Position
}

// entries gives the key-value pairs of a mapping node, whichever of the parser's two forms it has.
func entries(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// isNull reports a value that was left out.
func isNull(node ast.Node) bool { return node == nil || node.Type() == ast.NullType }

// scalar gives the text of a scalar as it was written, quotes and escapes
// resolved: 010 stays 010, and 1_0 stays what it is.
func scalar(node ast.Node) (text string, quoted, ok bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType, true
	case *ast.LiteralNode:
		return n.Value.Value, true, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, false, true
	case *ast.MergeKeyNode:
		return "<<", false, true
	}
	return "", false, false
}

// nodeWords says what a node is, in words.
func nodeWords(node ast.Node) say.Text {
	if _, ok := entries(node); ok {
		return say.F("a mapping (KEY: VALUE)")
	}
	switch n := node.(type) {
	case *ast.SequenceNode:
		return say.F("a list")
	case *ast.BoolNode:
		return say.F("%s (true or false)", n.Token.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return say.F("the number %s", shorten(node.GetToken().Value))
	case *ast.NullNode:
		return say.F("nothing")
	}
	return say.F("text")
}

// sortedKeys gives the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
