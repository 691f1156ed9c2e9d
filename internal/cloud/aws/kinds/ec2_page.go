package kinds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/middleware"
	smithytime "github.com/aws/smithy-go/time"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// seenInstance is what is looked at of an instance.
type seenInstance struct {
	id, typ, state, zone, vpc, subnet, privateIP string
	reasonCode, reasonMessage                    string
	root, lifecycle, spotRequest                 string
	launched                                     time.Time
	hibernation                                  bool
	tags                                         map[string]string
	words                                        uint32 // see fleet.Resource
}

// seenPage is what is looked at of a page of DescribeInstances.
type seenPage struct {
	instances []seenInstance
	kept      []uint64 // see cloud.Known
	next      string   // token; empty: the last page
}

// sameInstance is cloud.Known's question; nil: nothing is known.
type sameInstance = func(id []byte, words uint32) (key uint64, same bool)

// describePage asks for a page. It is decoded by readPage in place of the SDK's
// decoder, which spends 115 µs and 930 allocations on each instance to fill in
// sixty fields of which a dozen are looked at: decoding is what a pass over a
// large fleet costs. An answer that readPage does not understand to the last byte
// is asked for once more and decoded by the SDK, as are those that follow in the
// same listing (strange); tests compare the two.
func (c *ec2Client) describePage(ctx context.Context, in *ec2.DescribeInstancesInput, same sameInstance, strange *bool) (seenPage, error) {
	if !*strange {
		reader := &pageReader{same: same}
		_, err := c.describe(ctx, in, reader.install)
		if err == nil {
			return reader.page, nil
		}
		if !errors.Is(err, errNotUnderstood) {
			return seenPage{}, err
		}
		*strange = true
	}
	page, err := c.describe(ctx, in)
	if err != nil {
		return seenPage{}, err
	}
	return pageOf(page), nil
}

// pageOf takes from the SDK's page what is looked at.
func pageOf(page *ec2.DescribeInstancesOutput) seenPage {
	seen := seenPage{next: sdk.ToString(page.NextToken)}
	for i := range page.Reservations {
		for j := range page.Reservations[i].Instances {
			instance := &page.Reservations[i].Instances[j]
			if sdk.ToString(instance.InstanceId) == "" {
				continue
			}
			one := seenInstance{
				id: sdk.ToString(instance.InstanceId), typ: string(instance.InstanceType), vpc: sdk.ToString(instance.VpcId),
				subnet: sdk.ToString(instance.SubnetId), privateIP: sdk.ToString(instance.PrivateIpAddress), root: string(instance.RootDeviceType),
				lifecycle: string(instance.InstanceLifecycle), spotRequest: sdk.ToString(instance.SpotInstanceRequestId),
				launched:    sdk.ToTime(instance.LaunchTime),
				hibernation: instance.HibernationOptions != nil && sdk.ToBool(instance.HibernationOptions.Configured),
				tags:        make(map[string]string, len(instance.Tags)),
			}
			if instance.State != nil {
				one.state = string(instance.State.Name)
			}
			if instance.Placement != nil {
				one.zone = sdk.ToString(instance.Placement.AvailabilityZone)
			}
			if reason := instance.StateReason; reason != nil {
				one.reasonCode, one.reasonMessage = sdk.ToString(reason.Code), sdk.ToString(reason.Message)
			}
			for _, tag := range instance.Tags {
				one.tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
			}
			seen.instances = append(seen.instances, one)
		}
	}
	return seen
}

// errNotUnderstood: the fast reader leaves an answer to the SDK's decoder.
var errNotUnderstood = errors.New("the answer is written in a way that the fast reader does not know")

// pageReader is the step of the SDK that decodes an answer, for one call.
type pageReader struct {
	stock middleware.DeserializeMiddleware
	same  sameInstance
	page  seenPage
}

// install takes the place of the SDK's step.
func (r *pageReader) install(o *ec2.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		const name = "OperationDeserializer" // the SDK's, in every operation
		stock, known := stack.Deserialize.Get(name)
		if !known {
			return fmt.Errorf("the SDK has no step %s", name)
		}
		r.stock = stock
		_, err := stack.Deserialize.Swap(name, r)
		return err
	})
}

// ID implements middleware.DeserializeMiddleware: the name of the step it replaces.
func (r *pageReader) ID() string { return r.stock.ID() }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (r *pageReader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, isHTTP := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !isHTTP || response.StatusCode < 200 || response.StatusCode >= 300 {
		return r.stock.HandleDeserialize(ctx, in, answered{out, metadata, err})
	}
	var source io.Reader = response.Body
	if guarded, ok := source.(interface{ Unguarded() io.Reader }); ok { // readPage bounds its depth itself
		source = guarded.Unguarded()
	}
	select {
	case reading <- struct{}{}:
		r.page, err = readPage(source, r.same)
		<-reading
	case <-ctx.Done():
		err = fmt.Errorf("read the answer: %w", context.Cause(ctx))
	}
	if closed := response.Body.Close(); err == nil && closed != nil {
		err = fmt.Errorf("read the answer: %w", closed)
	}
	out.Result = &ec2.DescribeInstancesOutput{}
	return out, metadata, err
}

// reading bounds the pages that are read at once: more than there are processors,
// so that some that come slowly hold up nobody, and few enough for what they hold,
// two megabytes each.
var reading = make(chan struct{}, 16)

// answered is the rest of the stack when its answer is there already.
type answered struct {
	out      middleware.DeserializeOutput
	metadata middleware.Metadata
	err      error
}

func (a answered) HandleDeserialize(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
	return a.out, a.metadata, a.err
}

// readPage reads a page of DescribeInstances: of each instance what is looked
// at, and nothing else, through a window over the answer. It does not
// understand (errNotUnderstood), rather than guesses, everything that AWS does not
// write: comments, CDATA, entities of a DTD, tags that do not match, text beside
// elements, an instance without an id. Any other error is that of the source.
// Instances of which same says so are not read again, see known.
func readPage(source io.Reader, same sameInstance) (seenPage, error) {
	window, _ := windows.Get().(*[]byte)
	s := &pageScanner{source: source, buffer: *window, words: map[string]string{}, same: same}
	defer func() {
		if *window = s.buffer; cap(s.buffer) <= windowKept {
			windows.Put(window)
		}
	}()
	var page seenPage
	listed := false
	s.ahead()
	s.prolog()
	if name, empty := s.start(); string(name) != pageRoot || empty {
		s.fail()
	}
	for !s.closes(pageRoot) {
		name, empty := s.start()
		s.empty = empty
		switch string(name) {
		case "nextToken":
			page.next = s.text(name)
		case pageSet:
			listed = true
			for !s.closes(pageSet) {
				s.reservation(&page)
			}
		default:
			s.skip(name)
		}
	}
	s.ahead()
	s.blanks()
	switch {
	case s.failed != nil:
		return seenPage{}, fmt.Errorf("read the answer: %w", s.failed)
	case !listed || s.lost || len(s.rest) > 0:
		return seenPage{}, errNotUnderstood
	}
	return page, nil
}

// The window over an answer: windowSize is read at once, and as soon as less than
// windowLow is left of it the next part. An element that does not fit is read
// again in a larger one. 64 listings at once hold 8 MB of windows, where whole
// answers would be 250 MB.
const (
	windowSize = 128 << 10
	windowLow  = 32 << 10
)

// windowKept is the largest window that is kept for the next answer.
const windowKept = 1 << 20

var windows = sync.Pool{New: func() any { return new(make([]byte, 0, windowSize)) }}

// Elements of the page.
const (
	pageRoot = "DescribeInstancesResponse"
	pageSet  = "reservationSet"
)

// pageScanner walks through a document from start to end. lost is set when it
// meets what it does not understand; then it stands still and all it returns is
// empty.
type pageScanner struct {
	source io.Reader
	buffer []byte
	rest   []byte // of what was read
	ended  bool   // the source has no more
	failed error  // of the source
	lost   bool
	same   sameInstance
	// words keeps one copy of the short texts that come again and again.
	words map[string]string
	// empty is set by start for an element without content: <name/>.
	empty bool
	// list is room for the tags of an instance.
	list []seenTag
}

type seenTag struct{ key, value string }

// ahead reads on when little is left to be scanned. What was returned of the
// document before is void then.
func (s *pageScanner) ahead() {
	if len(s.rest) < windowLow {
		s.read()
	}
}

// read fills the window behind the rest.
func (s *pageScanner) read() {
	if s.ended || s.lost {
		return
	}
	whole := s.buffer[:copy(s.buffer[:cap(s.buffer)], s.rest)]
	if len(whole) == cap(whole) {
		whole = slices.Grow(whole, len(whole))
	}
	for len(whole) < cap(whole) {
		n, err := s.source.Read(whole[len(whole):cap(whole)])
		whole = whole[:len(whole)+n]
		if err != nil {
			s.ended = true
			if !errors.Is(err, io.EOF) {
				s.failed = err
			}
			break
		}
	}
	s.buffer, s.rest = whole, whole
}

// closes reports whether the element of that name ends here, and reads its end
// tag. Its content may be longer than the window.
func (s *pageScanner) closes(name string) bool {
	if s.empty {
		s.empty = false
		return true
	}
	s.ahead()
	s.blanks()
	if s.lost {
		return true
	}
	if len(s.rest) > 1 && s.rest[0] == '<' && s.rest[1] == '/' {
		s.end([]byte(name))
		return true
	}
	return false
}

// scannerDepth bounds how deeply elements that are skipped may be nested.
const scannerDepth = 100

func (s *pageScanner) fail() { s.lost, s.rest = true, nil }

func (s *pageScanner) blanks() {
	i := 0
	for i < len(s.rest) && (s.rest[i] == ' ' || s.rest[i] == '\n' || s.rest[i] == '\t' || s.rest[i] == '\r') {
		i++
	}
	s.rest = s.rest[i:]
}

func (s *pageScanner) prolog() {
	s.rest = bytes.TrimPrefix(s.rest, []byte("\xef\xbb\xbf"))
	s.blanks()
	if bytes.HasPrefix(s.rest, []byte("<?xml")) {
		_, after, closed := bytes.Cut(s.rest, []byte("?>"))
		if !closed {
			s.fail()
			return
		}
		s.rest = after
	}
	s.blanks()
}

// start reads a start tag and returns its name.
func (s *pageScanner) start() (name []byte, empty bool) {
	if s.lost || len(s.rest) < 3 || s.rest[0] != '<' || !nameStart(s.rest[1]) {
		s.fail()
		return nil, false
	}
	i := 1
	for i < len(s.rest) && nameBytes[s.rest[i]] {
		i++
	}
	name = s.rest[1:i]
	if i < len(s.rest) && s.rest[i] == '>' { // no attributes, as nearly everywhere
		s.rest = s.rest[i+1:]
		return name, false
	}
	var quote byte
	for ; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			s.fail()
			return nil, false
		case c == '>':
			empty = s.rest[i-1] == '/'
			s.rest = s.rest[i+1:]
			return name, empty
		}
	}
	s.fail()
	return nil, false
}

func nameStart(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// nameBytes are the bytes of names.
var nameBytes = func() (is [256]bool) {
	for c := range is {
		c := byte(c)
		is[c] = nameStart(c) || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
	}
	return is
}()

// end reads the end tag of the element.
func (s *pageScanner) end(name []byte) {
	n := len(name)
	if len(s.rest) < n+3 || s.rest[0] != '<' || s.rest[1] != '/' || !bytes.Equal(s.rest[2:2+n], name) || s.rest[2+n] != '>' {
		s.fail()
		return
	}
	s.rest = s.rest[n+3:]
}

// children calls visit for each element inside the element whose start tag was
// read, up to and with its end tag. visit reads the child to its end.
func (s *pageScanner) children(name []byte, visit func(name []byte)) {
	if s.empty {
		s.empty = false
		return
	}
	for !s.lost {
		s.blanks()
		if len(s.rest) > 1 && s.rest[0] == '<' && s.rest[1] == '/' {
			s.end(name)
			return
		}
		child, empty := s.start()
		if s.lost {
			return
		}
		s.empty = empty
		visit(child)
	}
}

// text reads the text of the element whose start tag was read, and its end tag;
// unique does so for what no other instance has.
func (s *pageScanner) text(name []byte) string   { return s.content(name, false) }
func (s *pageScanner) unique(name []byte) string { return s.content(name, true) }

func (s *pageScanner) content(name []byte, once bool) string {
	if s.empty {
		s.empty = false
		return ""
	}
	i := bytes.IndexByte(s.rest, '<')
	if i < 0 {
		s.fail()
		return ""
	}
	raw := s.rest[:i]
	s.rest = s.rest[i:]
	s.end(name)
	if s.lost {
		return ""
	}
	plain := true
	for _, c := range raw {
		if c < 0x20 && c != '\t' && c != '\n' || c == ']' {
			s.fail() // not allowed, changed by XML's rules, or perhaps the end of a CDATA section
			return ""
		}
		plain = plain && c != '&' && c < utf8.RuneSelf
	}
	if plain {
		return s.word(raw, once)
	}
	if !utf8.Valid(raw) {
		s.fail()
		return ""
	}
	return s.unescape(string(raw))
}

// wordBound is the longest text of which one copy is kept for all that are
// alike, wordsKept how many are: names of instances are not alike.
const (
	wordBound = 64
	wordsKept = 2000
)

func (s *pageScanner) word(raw []byte, once bool) string {
	if once || len(raw) > wordBound {
		return string(raw)
	}
	if known, found := s.words[string(raw)]; found {
		return known
	}
	text := string(raw)
	if len(s.words) < wordsKept {
		s.words[text] = text
	}
	return text
}

var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

func (s *pageScanner) unescape(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "&")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		entity, rest, closed := strings.Cut(after, ";")
		text = rest
		if plain, known := entities[entity]; closed && known {
			b.WriteString(plain)
			continue
		}
		digits, base := strings.TrimPrefix(entity, "#"), 10
		if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
			digits, base = hex, 16
		}
		r, err := strconv.ParseUint(digits, base, 21)
		if !closed || err != nil || !strings.HasPrefix(entity, "#") || !allowed(rune(r)) {
			s.fail()
			return ""
		}
		b.WriteRune(rune(r))
	}
}

// allowed are the characters that XML may hold.
func allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || 0x20 <= r && r <= 0xD7FF || 0xE000 <= r && r <= 0xFFFD || 0x10000 <= r && r <= 0x10FFFF
}

// skip passes over the element whose start tag was read, and all in it.
func (s *pageScanner) skip(name []byte) {
	if s.empty {
		s.empty = false
		return
	}
	var open [scannerDepth][]byte
	open[0] = name
	depth := 1
	for depth > 0 {
		i := bytes.IndexByte(s.rest, '<')
		if i < 0 || len(s.rest) < i+2 {
			s.fail()
			return
		}
		s.rest = s.rest[i:]
		if s.rest[1] == '/' {
			depth--
			s.end(open[depth])
			if s.lost {
				return
			}
			continue
		}
		child, empty := s.start()
		switch {
		case s.lost:
			return
		case empty:
		case depth == scannerDepth:
			s.fail()
			return
		default:
			open[depth] = child
			depth++
		}
	}
}

// reservation reads an element of the set. One that is cut at the end of the
// window is read again when there is more.
func (s *pageScanner) reservation(page *seenPage) {
	known, kept, rest := len(page.instances), len(page.kept), s.rest
	name, empty := s.start()
	s.empty = empty
	s.children(name, func(name []byte) {
		if string(name) != "instancesSet" {
			s.skip(name)
			return
		}
		s.children(name, func(name []byte) {
			key, words, size := s.known()
			if words == 0 && size > 0 {
				page.kept = append(page.kept, key)
				return
			}
			left := len(s.rest)
			instance := s.instance(name)
			if left-len(s.rest) == size { // else its end was guessed wrong
				instance.words = words
			}
			page.instances = append(page.instances, instance)
		})
	})
	if s.lost && !s.ended {
		page.instances, page.kept = page.instances[:known], page.kept[:kept]
		s.lost, s.empty, s.rest = false, false, rest
		s.read()
	}
}

// known looks for the end of the instance whose start tag was read, without
// reading what is in between, and takes the fingerprint of all of it. One that is
// described in the words that the caller knows is passed over: then words is 0 and
// size is not. Otherwise size is how long it seems to be, end tag included; 0: its
// end was not found.
//
// It ends with the last end tag of an item before the next instance or the end of
// the set. What was once read from there to there, to its last byte, means the same
// wherever it is met again; text can not feign these tags, because XML has no "<" in it.
func (s *pageScanner) known() (key uint64, words uint32, size int) {
	after, found := bytes.CutPrefix(bytes.TrimLeft(s.rest, " \n\t\r"), tagInstanceID)
	if !found || s.empty {
		return 0, 0, 0
	}
	end := nextInstance(after)
	if end < 0 {
		if end = bytes.Index(after, tagSetEnd); end < 0 {
			return 0, 0, 0
		}
	}
	// From there back: over what stands between two instances of a reservation, or of two.
	tail := after[max(0, end-betweenInstances):end]
	if set := bytes.LastIndex(tail, tagInstancesEnd); set >= 0 {
		tail = tail[:set]
	}
	last := bytes.LastIndex(tail, tagItemEnd)
	if last < 0 {
		return 0, 0, 0
	}
	size = len(s.rest) - len(after) + max(0, end-betweenInstances) + last + len(tagItemEnd)
	text := s.rest[:size]
	if words = uint32(maphash.Bytes(wordsSeed, text)); words == 0 {
		words = 1
	}
	if s.same == nil {
		return 0, words, size
	}
	id, _, _ := bytes.Cut(after[:min(len(after), wordBound)], []byte("<"))
	key, same := s.same(id, words)
	if !same {
		return 0, words, size
	}
	s.rest = s.rest[size:]
	return key, 0, size
}

// Tags between which an instance stands.
var (
	tagInstanceID   = []byte("<instanceId>")
	tagInstancesEnd = []byte("</instancesSet>")
	tagItemEnd      = []byte("</item>")
	tagSetEnd       = []byte("</" + pageSet + ">")
)

// nextInstance finds the next tag before an instance's id. It looks for the end of
// the tag and the beginning of the id, because a capital letter is met twenty times
// in an instance and a "<" two hundred times.
func nextInstance(text []byte) int {
	for from := 0; ; {
		i := bytes.Index(text[from:], idBegins)
		if i < 0 {
			return -1
		}
		from += i + len(idBegins)
		if before := text[:from-len("i-")]; bytes.HasSuffix(before, tagInstanceID) {
			return len(before) - len(tagInstanceID)
		}
	}
}

var idBegins = []byte("Id>i-")

// betweenInstances bounds what stands between two instances: the head of a
// reservation and its security groups. Behind a longer one no end is found.
const betweenInstances = 1 << 10

var wordsSeed = maphash.MakeSeed()

func (s *pageScanner) instance(name []byte) (i seenInstance) {
	hasState := false
	s.list = s.list[:0]
	s.children(name, func(name []byte) {
		switch string(name) {
		case "instanceId":
			i.id = s.unique(name)
		case "instanceType":
			i.typ = s.text(name)
		case "instanceState":
			hasState = true
			s.children(name, func(name []byte) {
				if string(name) == "name" {
					i.state = s.text(name)
				} else {
					s.skip(name)
				}
			})
		case "placement":
			s.children(name, func(name []byte) {
				if string(name) == "availabilityZone" {
					i.zone = s.text(name)
				} else {
					s.skip(name)
				}
			})
		case "launchTime":
			at, err := smithytime.ParseDateTime(s.text(name))
			if err != nil {
				s.fail()
				return
			}
			i.launched = at
		case "stateReason":
			s.children(name, func(name []byte) {
				switch string(name) {
				case "code":
					i.reasonCode = s.text(name)
				case "message":
					i.reasonMessage = s.text(name)
				default:
					s.skip(name)
				}
			})
		case "hibernationOptions":
			s.children(name, func(name []byte) {
				if string(name) != "configured" {
					s.skip(name)
					return
				}
				configured, err := strconv.ParseBool(s.text(name))
				if err != nil {
					s.fail()
				}
				i.hibernation = configured
			})
		case "vpcId":
			i.vpc = s.text(name)
		case "subnetId":
			i.subnet = s.text(name)
		case "privateIpAddress":
			i.privateIP = s.unique(name)
		case "rootDeviceType":
			i.root = s.text(name)
		case "instanceLifecycle":
			i.lifecycle = s.text(name)
		case "spotInstanceRequestId":
			i.spotRequest = s.unique(name)
		case "tagSet":
			s.children(name, s.tag)
		default:
			s.skip(name)
		}
	})
	if i.id == "" || !hasState {
		s.fail()
	}
	i.tags = make(map[string]string, len(s.list))
	for _, tag := range s.list {
		i.tags[tag.key] = tag.value
	}
	return i
}

func (s *pageScanner) tag(name []byte) {
	var t seenTag
	s.children(name, func(name []byte) {
		switch string(name) {
		case "key":
			t.key = s.text(name)
		case "value":
			t.value = s.text(name)
		default:
			s.skip(name)
		}
	})
	s.list = append(s.list, t)
}
