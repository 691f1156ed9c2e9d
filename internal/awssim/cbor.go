package awssim

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// CBOR, RFC 8949, as far as Smithy's RPC v2 uses it: no byte strings, and maps
// have texts as keys. It is written anew so that the simulator does not read
// what a client wrote by the client's own code.

// Major types.
const (
	cborUint byte = iota
	cborNegative
	cborBytes
	cborText
	cborList
	cborMap
	cborTag
	cborOther
)

// Additional information of a head.
const (
	cborOneByte    = 24 // 25, 26 and 27: two, four and eight bytes follow
	cborIndefinite = 31
)

// Values of cborOther.
const (
	cborFalse     = 20
	cborTrue      = 21
	cborNull      = 22
	cborUndefined = 23
	cborHalf      = 25
	cborSingle    = 26
	cborDouble    = 27
)

// cborEpoch is the tag of an instant, in seconds since 1970.
const cborEpoch = 1

func cborHead(b []byte, major byte, n uint64) []byte {
	switch major <<= 5; {
	case n < cborOneByte:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|cborOneByte, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|cborOneByte+1), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|cborOneByte+2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|cborOneByte+3), n)
}

func cborString(b []byte, text string) []byte {
	return append(cborHead(b, cborText, uint64(len(text))), text...)
}

func cborNumber(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, cborOther<<5|cborDouble), math.Float64bits(f))
}

// cbor writes the answer.
func (d doc) cbor(b []byte) []byte {
	b = cborHead(b, cborMap, uint64(len(d)))
	for _, m := range d {
		b = cborString(b, m.name)
		switch v := m.value.(type) {
		case string:
			b = cborString(b, v)
		case bool:
			word := byte(cborFalse)
			if v {
				word = cborTrue
			}
			b = append(b, cborOther<<5|word)
		case int:
			b = cborHead(b, cborUint, uint64(max(v, 0))) // counts, none of which is negative
		case float64:
			b = cborNumber(b, v)
		case time.Time:
			b = cborNumber(cborHead(b, cborTag, cborEpoch), float64(v.UnixMilli())/1000)
		case doc:
			b = v.cbor(b)
		case []string:
			b = cborHead(b, cborList, uint64(len(v)))
			for _, text := range v {
				b = cborString(b, text)
			}
		case []doc:
			b = cborHead(b, cborList, uint64(len(v)))
			for _, one := range v {
				b = one.cbor(b)
			}
		}
	}
	return b
}

var errCBOR = errors.New("not a CBOR map")

// flattenCBOR is flatten for a request in CBOR.
func flattenCBOR(body []byte) (url.Values, error) {
	form := url.Values{}
	if len(body) == 0 { // an operation without parameters
		return form, nil
	}
	r := cborReader{data: body}
	value, err := r.value(1)
	document, is := value.(map[string]any)
	if err != nil || !is || len(r.data) > 0 {
		return form, errCBOR
	}
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if err := flattenInto(form, name, document[name], 1); err != nil {
			return url.Values{}, errCBOR
		}
	}
	return form, nil
}

// cborReader reads values as encoding/json would give them.
type cborReader struct{ data []byte }

func (r *cborReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.data)) {
		return nil, errCBOR
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b, nil
}

// head reads the head of a value; open: its length is indefinite.
func (r *cborReader) head() (major, info byte, n uint64, err error) {
	first, err := r.take(1)
	if err != nil {
		return 0, 0, 0, err
	}
	major, info = first[0]>>5, first[0]&31
	switch {
	case info < cborOneByte:
		return major, info, uint64(info), nil
	case info < cborOneByte+4:
		b, err := r.take(1 << (info - cborOneByte))
		if err != nil {
			return 0, 0, 0, err
		}
		for _, c := range b {
			n = n<<8 | uint64(c)
		}
		return major, info, n, nil
	case info == cborIndefinite && (major == cborText || major == cborList || major == cborMap):
		return major, info, 0, nil
	}
	return 0, 0, 0, errCBOR
}

// ended takes the end of what has an indefinite length.
func (r *cborReader) ended() bool {
	if len(r.data) == 0 || r.data[0] != 0xff {
		return false
	}
	r.data = r.data[1:]
	return true
}

// members calls each for every member of a list or map.
func (r *cborReader) members(info byte, n uint64, each func() error) error {
	for i := uint64(0); ; i++ {
		if info == cborIndefinite && r.ended() || info != cborIndefinite && i == n {
			return nil
		}
		if err := each(); err != nil {
			return err
		}
	}
}

func (r *cborReader) value(depth int) (any, error) {
	major, info, n, err := r.head()
	if err != nil || depth > maxJSONDepth {
		return nil, errCBOR
	}
	switch major {
	case cborUint:
		return json.Number(strconv.FormatUint(n, 10)), nil
	case cborNegative:
		if n > math.MaxInt64 {
			return nil, errCBOR
		}
		return json.Number(strconv.FormatInt(-1-int64(n), 10)), nil
	case cborText:
		return r.text(info, n)
	case cborList:
		list := []any{}
		err := r.members(info, n, func() error {
			one, err := r.value(depth + 1)
			list = append(list, one)
			return err
		})
		return list, err
	case cborMap:
		document := map[string]any{}
		err := r.members(info, n, func() error {
			key, err := r.value(depth + 1)
			if err != nil {
				return err
			}
			name, is := key.(string)
			if _, twice := document[name]; !is || twice {
				return errCBOR
			}
			document[name], err = r.value(depth + 1)
			return err
		})
		return document, err
	case cborTag:
		return r.value(depth + 1)
	case cborOther:
		return cborSimple(info, n)
	}
	return nil, errCBOR
}

func (r *cborReader) text(info byte, n uint64) (any, error) {
	if info != cborIndefinite {
		b, err := r.take(n)
		if err != nil || !utf8.Valid(b) {
			return nil, errCBOR
		}
		return string(b), nil
	}
	whole := ""
	err := r.members(info, 0, func() error {
		major, info, n, err := r.head()
		if err != nil || major != cborText || info == cborIndefinite {
			return errCBOR
		}
		part, err := r.text(info, n)
		if text, is := part.(string); is {
			whole += text
		}
		return err
	})
	return whole, err
}

func cborSimple(info byte, n uint64) (any, error) {
	var number float64
	switch info {
	case cborFalse, cborTrue:
		return info == cborTrue, nil
	case cborNull, cborUndefined:
		return nil, nil //nolint:nilnil // a null is a value
	case cborHalf:
		number = half(uint16(n))
	case cborSingle:
		number = float64(math.Float32frombits(uint32(n)))
	case cborDouble:
		number = math.Float64frombits(n)
	default:
		return nil, errCBOR
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return nil, errCBOR
	}
	return json.Number(strconv.FormatFloat(number, 'f', -1, 64)), nil
}

// half reads a number of 16 bits: a sign, five bits of exponent, ten of fraction.
func half(bits uint16) float64 {
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	var number float64
	switch exponent {
	case 0:
		number = math.Ldexp(fraction, -24)
	case 31:
		return math.Inf(1)
	default:
		number = math.Ldexp(1024+fraction, exponent-25)
	}
	if bits>>15 == 1 {
		number = -number
	}
	return number
}

// cborDocument writes the error document of a service in CBOR.
func (e *Error) cborDocument() []byte {
	return doc{{"__type", e.Code}, {"message", e.Message}}.cbor(nil)
}
