package kinds

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go/middleware"
	smithytime "github.com/aws/smithy-go/time"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// readPages makes DescribeInstances decode with readPage in place of the SDK's
// decoder, which spends 115 µs and 930 allocations on each instance to fill in
// sixty fields of which a dozen are looked at. Decoding is what a pass over a
// large fleet costs, so this one is worth its lines. The SDK's decoder stays behind
// it: it reads every answer that this one does not understand to the last byte,
// and tests compare the two.
func readPages(o *ec2.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		const name = "OperationDeserializer" // the SDK's, in every operation
		stock, known := stack.Deserialize.Get(name)
		if !known {
			return fmt.Errorf("the SDK has no step %s", name)
		}
		_, err := stack.Deserialize.Swap(name, &pageReader{stock})
		return err
	})
}

// pageReader is the step of the SDK that decodes an answer.
type pageReader struct {
	stock middleware.DeserializeMiddleware
}

// ID implements middleware.DeserializeMiddleware: the name of the step it replaces.
func (r *pageReader) ID() string { return r.stock.ID() }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (r *pageReader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, isHTTP := out.RawResponse.(*smithyhttp.Response)
	if err == nil && isHTTP && response.StatusCode >= 200 && response.StatusCode < 300 {
		body, failed := readAll(response)
		if closed := response.Body.Close(); failed == nil {
			failed = closed
		}
		if failed != nil {
			return out, metadata, fmt.Errorf("read the answer: %w", failed)
		}
		if page, understood := readPage(body); understood {
			out.Result = page
			return out, metadata, nil
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
	}
	return r.stock.HandleDeserialize(ctx, in, answered{out, metadata, err})
}

// sizeTrusted is how much memory is set aside on the word of a header.
const sizeTrusted = 8 << 20

// readAll reads the body into memory of about its size.
func readAll(response *smithyhttp.Response) ([]byte, error) {
	var body bytes.Buffer
	body.Grow(int(min(max(response.ContentLength, 0), sizeTrusted)) + bytes.MinRead)
	_, err := body.ReadFrom(response.Body)
	return body.Bytes(), err
}

// answered is the rest of the stack when its answer is there already.
type answered struct {
	out      middleware.DeserializeOutput
	metadata middleware.Metadata
	err      error
}

func (a answered) HandleDeserialize(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
	return a.out, a.metadata, a.err
}

// readPage reads a page of DescribeInstances: of each instance what
// instances.resource looks at, and nothing else. It does not understand, rather
// than guesses, everything that AWS does not write: comments, CDATA, entities of
// a DTD, tags that do not match, text beside elements, an instance without an id.
func readPage(body []byte) (page *ec2.DescribeInstancesOutput, understood bool) {
	s := &pageScanner{rest: body, words: map[string]string{}}
	page = &ec2.DescribeInstancesOutput{}
	listed := false
	s.prolog()
	root, empty := s.start()
	if string(root) != "DescribeInstancesResponse" || empty {
		return nil, false
	}
	s.children(root, func(name []byte) {
		switch string(name) {
		case "nextToken":
			page.NextToken = sdk.String(s.text(name))
		case "reservationSet":
			listed = true
			s.children(name, func(name []byte) { page.Reservations = append(page.Reservations, s.reservation(name)) })
		default:
			s.skip(name)
		}
	})
	s.blanks()
	return page, listed && !s.lost && len(s.rest) == 0
}

// pageScanner walks through a document from start to end. lost is set when it
// meets what it does not understand; then it stands still and all it returns is
// empty.
type pageScanner struct {
	rest []byte
	lost bool
	// words keeps one copy of the short texts that come again and again.
	words map[string]string
	// empty is set by start for an element without content: <name/>.
	empty bool
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
	for i < len(s.rest) && nameByte(s.rest[i]) {
		i++
	}
	name = s.rest[1:i]
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

func nameByte(c byte) bool {
	return nameStart(c) || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}

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

// text reads the text of the element whose start tag was read, and its end tag.
func (s *pageScanner) text(name []byte) string {
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
		return s.word(raw)
	}
	if !utf8.Valid(raw) {
		s.fail()
		return ""
	}
	return s.unescape(string(raw))
}

// wordBound is the longest text of which one copy is kept for all that are alike.
const wordBound = 64

func (s *pageScanner) word(raw []byte) string {
	if known, found := s.words[string(raw)]; found {
		return known
	}
	text := string(raw)
	if len(raw) <= wordBound {
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

func (s *pageScanner) reservation(name []byte) (r types.Reservation) {
	s.children(name, func(name []byte) {
		if string(name) != "instancesSet" {
			s.skip(name)
			return
		}
		s.children(name, func(name []byte) { r.Instances = append(r.Instances, s.instance(name)) })
	})
	return r
}

func (s *pageScanner) instance(name []byte) (i types.Instance) {
	s.children(name, func(name []byte) {
		switch string(name) {
		case "instanceId":
			i.InstanceId = sdk.String(s.text(name))
		case "instanceType":
			i.InstanceType = types.InstanceType(s.text(name))
		case "instanceState":
			i.State = &types.InstanceState{}
			s.children(name, func(name []byte) {
				if string(name) == "name" {
					i.State.Name = types.InstanceStateName(s.text(name))
				} else {
					s.skip(name)
				}
			})
		case "placement":
			i.Placement = &types.Placement{}
			s.children(name, func(name []byte) {
				if string(name) == "availabilityZone" {
					i.Placement.AvailabilityZone = sdk.String(s.text(name))
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
			i.LaunchTime = &at
		case "stateReason":
			i.StateReason = &types.StateReason{}
			s.children(name, func(name []byte) {
				switch string(name) {
				case "code":
					i.StateReason.Code = sdk.String(s.text(name))
				case "message":
					i.StateReason.Message = sdk.String(s.text(name))
				default:
					s.skip(name)
				}
			})
		case "hibernationOptions":
			i.HibernationOptions = &types.HibernationOptions{}
			s.children(name, func(name []byte) {
				if string(name) != "configured" {
					s.skip(name)
					return
				}
				configured, err := strconv.ParseBool(s.text(name))
				if err != nil {
					s.fail()
				}
				i.HibernationOptions.Configured = sdk.Bool(configured)
			})
		case "vpcId":
			i.VpcId = sdk.String(s.text(name))
		case "subnetId":
			i.SubnetId = sdk.String(s.text(name))
		case "privateIpAddress":
			i.PrivateIpAddress = sdk.String(s.text(name))
		case "rootDeviceType":
			i.RootDeviceType = types.DeviceType(s.text(name))
		case "instanceLifecycle":
			i.InstanceLifecycle = types.InstanceLifecycleType(s.text(name))
		case "spotInstanceRequestId":
			i.SpotInstanceRequestId = sdk.String(s.text(name))
		case "tagSet":
			s.children(name, func(name []byte) { i.Tags = append(i.Tags, s.tag(name)) })
		default:
			s.skip(name)
		}
	})
	if sdk.ToString(i.InstanceId) == "" || i.State == nil {
		s.fail()
	}
	return i
}

func (s *pageScanner) tag(name []byte) (t types.Tag) {
	s.children(name, func(name []byte) {
		switch string(name) {
		case "key":
			t.Key = sdk.String(s.text(name))
		case "value":
			t.Value = sdk.String(s.text(name))
		default:
			s.skip(name)
		}
	})
	return t
}
