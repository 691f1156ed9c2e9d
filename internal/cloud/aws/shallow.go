package aws

import (
	"bytes"
	"errors"
	"io"
)

// Bounds of a document in XML, beside its size: the decoder keeps every element
// that is open, and the attributes of one, at some sixty times their size.
const (
	// depthBound is far above the some fifteen levels of AWS's deepest answers.
	depthBound = 100
	// tagBound: AWS's tags carry a namespace at most.
	tagBound = 64 << 10
)

var (
	errTooDeep = errors.New("the answer has elements within elements without end")
	errLongTag = errors.New("the answer has a tag without end")
)

// shallowBody is a document that ends with an error where it gets too deep, or a
// tag too long. It counts tags by their brackets alone, which is enough for what
// AWS writes: in a bracket inside a comment or a quotation it would miscount by one.
type shallowBody struct {
	io.ReadCloser
	depth int
	tag   int  // bytes of the tag so far, its bracket included; 0 outside of one
	first byte // of the tag
	last  byte
}

func (b *shallowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if wrong := b.count(p[:n]); wrong != nil {
		return 0, wrong
	}
	return n, err
}

// Unguarded is the document for a reader that bounds its depth itself; it is read
// either this way or by Read.
func (b *shallowBody) Unguarded() io.Reader { return b.ReadCloser }

func (b *shallowBody) count(p []byte) error {
	for len(p) > 0 {
		if b.tag == 0 {
			i := bytes.IndexByte(p, '<')
			if i < 0 {
				return nil
			}
			p, b.tag = p[i+1:], 1
			continue
		}
		i := bytes.IndexByte(p, '>')
		inside := p
		if i >= 0 {
			inside = p[:i]
		}
		if len(inside) > 0 {
			if b.tag == 1 {
				b.first = inside[0]
			}
			b.last = inside[len(inside)-1]
			if b.tag += len(inside); b.tag > tagBound {
				return errLongTag
			}
		}
		if i < 0 {
			return nil
		}
		switch {
		case b.tag == 1, b.first == '?', b.first == '!':
		case b.first == '/':
			b.depth--
		case b.last != '/':
			if b.depth++; b.depth > depthBound {
				return errTooDeep
			}
		}
		p, b.tag = p[i+1:], 0
	}
	return nil
}
