package awssim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// doc is an answer in a form that every protocol can write: members in order,
// whose values are texts, numbers, flags, instants, docs and lists of texts or docs.
type doc []member

type member struct {
	name  string
	value any
}

// wire is the protocol that a request speaks, of those that the service knows.
func (s *service) wire(r *http.Request) protocol {
	content, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case s == nil:
		return awsJSON
	case r.Header.Get(smithyHeader) == smithyName && slices.Contains(s.also, smithyCBOR):
		return smithyCBOR
	case strings.EqualFold(content, json10Type) && slices.Contains(s.also, awsJSON10):
		return awsJSON10
	}
	return s.protocol
}

// named reports whether the operation stands beside the request and not in it.
func (p protocol) named() bool {
	return p == awsJSON || p == awsJSON10 || p == smithyCBOR || p == restJSON
}

// Words of the protocols.
const (
	json10Type   = "application/x-amz-json-1.0"
	cborType     = "application/cbor"
	smithyHeader = "Smithy-Protocol"
	smithyName   = "rpc-v2-cbor"
)

// smithyTarget is the operation in the path of a request, written as in X-Amz-Target.
func smithyTarget(r *http.Request) string {
	parts := strings.Split(r.URL.Path, "/")
	if r.Header.Get(smithyHeader) != smithyName || len(parts) != 5 || parts[1] != "service" || parts[3] != "operation" {
		return ""
	}
	return parts[2] + "." + parts[4]
}

// answerDoc writes an answer in the protocol of the request.
func (k *call) answerDoc(w *xw, d doc) *Error {
	switch k.wire {
	case awsJSON, awsJSON10, restJSON:
		b, err := json.Marshal(d.plain())
		if err != nil {
			return refuse("InternalServerError", "%v", err)
		}
		w.raw(string(b))
	case smithyCBOR:
		if d != nil { // an operation without an answer has no body
			w.raw(string(d.cbor(nil)))
		}
	default:
		d.xml(w)
	}
	return nil
}

func (d doc) xml(w *xw) {
	for _, m := range d {
		switch v := m.value.(type) {
		case string:
			w.el(m.name, v)
		case bool:
			w.flag(m.name, v)
		case int:
			w.int(m.name, v)
		case float64:
			w.el(m.name, strconv.FormatFloat(v, 'f', -1, 64))
		case time.Time:
			w.time(m.name, v)
		case doc:
			w.open(m.name)
			v.xml(w)
			w.close(m.name)
		case []string:
			w.open(m.name)
			for _, text := range v {
				w.el("member", text)
			}
			w.close(m.name)
		case []doc:
			w.open(m.name)
			for _, one := range v {
				w.open("member")
				one.xml(w)
				w.close("member")
			}
			w.close(m.name)
		}
	}
}

// plain is the answer for encoding/json; instants are seconds since 1970.
func (d doc) plain() map[string]any {
	out := make(map[string]any, len(d))
	for _, m := range d {
		switch v := m.value.(type) {
		case time.Time:
			out[m.name] = float64(v.UnixMilli()) / 1000
		case doc:
			out[m.name] = v.plain()
		case []string:
			out[m.name] = append([]string{}, v...)
		case []doc:
			list := make([]map[string]any, len(v))
			for i := range v {
				list[i] = v[i].plain()
			}
			out[m.name] = list
		default:
			out[m.name] = v
		}
	}
	return out
}

// queryError is how services that once spoke Query alone name an error to clients of then.
func (e *Error) queryError(status int) string {
	if status >= http.StatusInternalServerError {
		return e.Code + ";Receiver"
	}
	return e.Code + ";Sender"
}
