package awssim

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxBody bounds a request: the largest legal one, a thousand ids with fifty
// filters of two hundred values, stays well below.
const maxBody = 1 << 20

// call is one request on its way through the simulator.
type call struct {
	c     *Cloud
	ctx   context.Context
	now   time.Time
	scope *scope // nil until the caller is known
	svc   *service
	act   *action
	p     params
	who   *principal

	serviceName, actionName string
	accountID, regionName   string
	target                  string   // the header that names the operation of services in JSON, or what stands for it
	wire                    protocol // that the request speaks

	header http.Header // of the answer, beside those of its protocol
	faults []*faultState
	log    Call
}

func (k *call) ns() int64 { return k.now.UnixNano() }

// drop is how a connection ends without an answer.
type drop int

const (
	answered drop = iota
	reset
	refused
)

// reply is an answer before it meets a connection.
type reply struct {
	status int
	ctype  string
	id     string
	header http.Header
	body   []byte
	cut    bool // lose the connection in the middle of body
	drop   drop
}

// ServeHTTP answers AWS requests on / and the simulator's own interface under
// /_sim/.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sim/") {
		c.control(w, r)
		return
	}
	// The time limit is on the request alone: a server-wide one would also end
	// a hang before the client gives up.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(readTimeout)) // a writer without deadlines is its owner's choice
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	_ = rc.SetReadDeadline(time.Time{})
	r.Body = &memoryBody{data: body, end: err}
	rep := c.serve(r)
	if rep.drop != answered {
		dropConnection(w)
	}
	h := w.Header()
	maps.Copy(h, rep.header)
	h.Set("Content-Type", rep.ctype)
	h.Set("Content-Length", strconv.Itoa(len(rep.body)))
	h.Set("x-amzn-RequestId", rep.id)
	w.WriteHeader(rep.status)
	if rep.cut {
		// Errors of a connection that is to be lost do not matter.
		_, _ = w.Write(rep.body[:len(rep.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(rep.body) // the client may be gone; the action was carried out
}

// dropConnection ends the connection with a reset, as a failing network does,
// and the handler with it.
func dropConnection(w http.ResponseWriter) {
	if hj, ok := w.(http.Hijacker); ok {
		if conn, _, err := hj.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // close then sends RST
			}
			_ = conn.Close()
		}
	}
	panic(http.ErrAbortHandler)
}

// Transport gives a round tripper that calls the simulator in the caller's own
// goroutine: no socket, no background work, so that AWS clients can run inside
// a testing/synctest bubble with a virtual clock. /_sim/ is not served.
func (c *Cloud) Transport() http.RoundTripper { return transport{c} }

type transport struct{ c *Cloud }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	rep := t.c.serve(r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}
	switch rep.drop {
	case reset:
		return nil, &net.OpError{Op: "read", Net: "tcp", Addr: addr, Err: syscall.ECONNRESET}
	case refused:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: syscall.ECONNREFUSED}
	}
	h := http.Header{"Content-Type": {rep.ctype}, "X-Amzn-Requestid": {rep.id}}
	maps.Copy(h, rep.header)
	body := &memoryBody{data: rep.body}
	if rep.cut {
		body.data, body.end = rep.body[:len(rep.body)/2], io.ErrUnexpectedEOF
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", rep.status, http.StatusText(rep.status)), StatusCode: rep.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: body, ContentLength: int64(len(rep.body)), Request: r,
	}, nil
}

// memoryBody is an answer's body that may end before its time.
type memoryBody struct {
	data []byte
	end  error
}

func (b *memoryBody) Read(p []byte) (int, error) {
	if len(b.data) == 0 {
		if b.end != nil {
			return 0, b.end
		}
		return 0, io.EOF
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (b *memoryBody) Close() error { b.data = nil; return nil }

// serve answers one AWS request: who calls, what goes wrong on the way, is
// there a token, may they, and then the action itself, in AWS's order. Every
// request leaves one line in the log.
func (c *Cloud) serve(r *http.Request) reply {
	k := &call{c: c, ctx: r.Context(), now: c.clock.now()}
	k.log.Time = k.now
	k.log.RequestID = requestID(c.seed, c.mint())
	rep := k.answer(r)
	rep.id = k.log.RequestID
	k.log.Status = rep.status
	if rep.drop != answered {
		k.log.Status = 0
	}
	k.log.Throttled = isThrottle(k.log.Code)
	k.log.Account, k.log.Region, k.log.Service, k.log.Action = k.accountID, k.regionName, k.serviceName, k.actionName
	c.log.add(k.log)
	return rep
}

func (k *call) answer(r *http.Request) reply {
	form, cred, refusal := k.c.read(r)
	if cred != nil {
		k.serviceName, k.regionName = cred.service, cred.region
	}
	k.actionName, k.target = form.Get("Action"), cmp.Or(smithyTarget(r), r.Header.Get("X-Amz-Target"))
	k.svc = k.c.services[k.serviceName]
	if k.svc != nil && k.svc.older != nil && form.Get("Version") == k.svc.older.version {
		k.svc = k.svc.older
		k.serviceName = k.svc.name
	}
	k.wire = k.svc.wire(r)
	if refusal != nil {
		return k.fail(refusal.inWordsOf(k.svc))
	}
	k.who, refusal = k.c.identify(cred, k.svc)
	if k.who != nil {
		k.accountID, k.log.Principal = k.who.account.id, k.who.arn
	}
	var paramErr *Error
	if k.svc != nil {
		if k.act = k.svc.actions[k.actionName]; k.act != nil {
			k.log.Mutating = k.act.mutating
			if k.p, paramErr = newParams(form, k.act, k.wire); paramErr == nil {
				k.log.Resources = k.act.named(k.p)
				k.log.DryRun, _ = k.p.boolean("DryRun", false)
			}
		}
	}
	k.faults = k.c.matching(k)
	if !k.wait(k.c.opt.Latency) {
		return reply{drop: reset}
	}
	struck, rep, done := k.disturb()
	if done {
		return rep
	}
	if refusal == nil {
		refusal = k.admit(form, paramErr)
	}
	if refusal == nil {
		rep, refusal = k.perform()
	}
	if refusal != nil {
		rep = k.fail(refusal.inWordsOf(k.svc))
	}
	if struck != nil {
		return k.distort(struck, rep)
	}
	return rep
}

// disturb lets the fault of the answer strike, if there is one. done means
// that the action is not carried out; struck is a fault to strike afterwards.
func (k *call) disturb() (struck *faultState, rep reply, done bool) {
	for _, f := range k.faults {
		if !faultKinds[f.Kind] || !k.c.hit(f) {
			continue
		}
		k.log.Fault = string(f.Kind)
		if f.Kind == FaultDelay && !f.Applied {
			if !k.wait(time.Duration(f.For)) {
				return nil, reply{drop: reset}, true
			}
			continue
		}
		if f.Applied || f.Kind == FaultCut {
			return f, reply{}, false
		}
		return nil, k.distort(f, reply{}), true
	}
	return nil, reply{}, false
}

// distort turns an answer into what the fault makes of it.
func (k *call) distort(f *faultState, rep reply) reply {
	status := func(def int) int {
		if f.Status != 0 {
			return f.Status
		}
		return def
	}
	switch f.Kind {
	case FaultDelay:
		if !k.wait(time.Duration(f.For)) {
			return reply{drop: reset}
		}
		return rep
	case FaultHang:
		<-k.ctx.Done()
		return reply{drop: reset}
	case FaultReset:
		return reply{drop: reset}
	case FaultUnreachable:
		return reply{drop: refused}
	case FaultCut:
		rep.cut = true
		return rep
	case FaultGarbage:
		b := make([]byte, 0, 4096)
		for i := range 512 {
			h := hash(k.c.seed, "garbage", k.log.RequestID, i)
			for s := 0; s < 64; s += 8 {
				b = append(b, byte(h>>s))
			}
		}
		return reply{status: status(http.StatusOK), ctype: "text/xml;charset=UTF-8", body: b}
	case FaultEmpty:
		return reply{status: status(http.StatusOK), ctype: "text/xml;charset=UTF-8"}
	case FaultHTML:
		code := status(http.StatusBadGateway)
		k.log.Code = strconv.Itoa(code)
		page := fmt.Sprintf("<html>\r\n<head><title>%[1]d %[2]s</title></head>\r\n<body>\r\n<center><h1>%[1]d %[2]s</h1></center>\r\n</body>\r\n</html>\r\n", code, http.StatusText(code))
		return reply{status: code, ctype: "text/html", body: []byte(page)}
	case FaultThrottle:
		return k.fail(k.throttled().inWordsOf(k.svc))
	case FaultDenied:
		return k.fail(k.denied().inWordsOf(k.svc))
	case FaultNotOptedIn:
		return k.fail(notOptedIn(k.svc).inWordsOf(k.svc))
	}
	e := refuse(f.Code, "%s", f.Message)
	if e.Message == "" {
		e.Message = "An injected fault: " + f.Code
	}
	e.Status = status(e.Status)
	rep = k.fail(e)
	if f.Kind == FaultErrorIn200 {
		rep.status = http.StatusOK
	}
	return rep
}

func (k *call) throttled() *Error {
	if k.svc == nil {
		return refuse("Throttling", "Rate exceeded")
	}
	return throttled(k.svc)
}

// admit is everything between the connection and the action.
func (k *call) admit(form url.Values, paramErr *Error) *Error {
	if k.svc == nil {
		return refuse("UnknownOperationException", "The simulator has no service %q", k.serviceName)
	}
	if v := form.Get("Version"); k.wire.named() {
		if of := cmp.Or(k.svc.target, k.svc.namespace); k.wire != restJSON && k.target != of+"."+k.actionName {
			return refuse("InvalidAction", "The request names no operation of %s in X-Amz-Target: %q", of, k.target)
		}
	} else if v != k.svc.version {
		if k.svc.protocol == ec2Query {
			return refuse("NoSuchVersion", "The requested version (%s) of service AmazonEC2 does not exist", v)
		}
		return refuse("InvalidAction", "Could not find operation %s for version %s", k.actionName, v)
	}
	if k.act == nil {
		if k.svc.protocol == ec2Query {
			return refuse("InvalidAction", "The action %s is not valid for this web service.", k.actionName)
		}
		return refuse("InvalidAction", "Could not find operation %s for version %s", k.actionName, k.svc.version)
	}
	k.scope = k.c.scope(k.who.account, k.who.region)
	if e := k.drawRequest(); e != nil {
		return e
	}
	if k.who.role != nil && !k.who.role.permits(k.svc.permission(k.actionName)) {
		return k.denied()
	}
	return paramErr
}

// drawRequest takes the token of the request.
func (k *call) drawRequest() *Error {
	row, name := k.c.opt.Limits.find(k.serviceName, k.actionName, k.act.isUnpaged(k.p))
	if row.Request == (Bucket{}) {
		return nil
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	scale := k.c.opt.Limits.Scale
	if !k.scope.buckets.has(name, row.Request, 1, scale, k.now) {
		return throttled(k.svc)
	}
	k.scope.buckets.take(name, row.Request, 1, scale, k.now)
	return nil
}

// drawResources takes a token for each of n resources, and refuses when they
// are not all there. The scope's lock is held. It is the last check before an
// action acts: a call that fails for another reason keeps its tokens.
func (k *call) drawResources(n int) *Error {
	row, name := k.c.opt.Limits.find(k.serviceName, k.actionName, false)
	if row.Resource == (Bucket{}) {
		return nil
	}
	name += ":resources"
	scale := k.c.opt.Limits.Scale
	if !k.scope.buckets.has(name, row.Resource, float64(n), scale, k.now) {
		return throttled(k.svc)
	}
	k.scope.buckets.take(name, row.Resource, float64(n), scale, k.now)
	return nil
}

// perform runs the action and frames its answer.
func (k *call) perform() (reply, *Error) {
	w := make(xw, 0, 4096)
	if k.wire.named() {
		if e := k.act.run(k, &w); e != nil {
			return reply{}, e
		}
		rep := k.framed()
		rep.status, rep.body = http.StatusOK, w
		if k.header != nil {
			rep.header = k.header
		}
		return rep, nil
	}
	if k.svc.protocol == ec2Query {
		w.raw(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<" + k.actionName + `Response xmlns="` + k.svc.namespace + `">`)
		w.el("requestId", k.log.RequestID)
	} else {
		w.raw("<" + k.actionName + `Response xmlns="` + k.svc.namespace + `"><` + k.actionName + "Result>")
	}
	if e := k.act.run(k, &w); e != nil {
		return reply{}, e
	}
	if k.svc.protocol == awsQuery {
		w.close(k.actionName + "Result")
		w.raw("<ResponseMetadata>")
		w.el("RequestId", k.log.RequestID)
		w.raw("</ResponseMetadata>")
	}
	w.close(k.actionName + "Response")
	return reply{status: http.StatusOK, ctype: "text/xml;charset=UTF-8", body: w}, nil
}

// framed is an answer that has nothing but what its protocol puts around it.
func (k *call) framed() reply {
	switch k.wire {
	case smithyCBOR:
		return reply{ctype: cborType, header: http.Header{smithyHeader: {smithyName}}}
	case awsJSON10:
		return reply{ctype: json10Type, header: http.Header{}}
	case restJSON:
		return reply{ctype: restType}
	}
	return reply{ctype: jsonType}
}

// jsonType is the content type of services in JSON.
const jsonType = "application/x-amz-json-1.1"

// fail frames a refusal in the protocol of the request.
func (k *call) fail(e *Error) reply {
	k.log.Code = e.Code
	rep := reply{status: e.Status, ctype: "text/xml;charset=UTF-8"}
	if rep.status == 0 {
		rep.status = statusFor(e.Code)
	}
	if k.svc != nil && k.wire.named() && k.wire != awsJSON && k.wire != restJSON {
		framed := k.framed()
		rep.ctype, rep.header = framed.ctype, framed.header
		rep.header.Set("X-Amzn-Query-Error", e.queryError(rep.status))
		rep.body = e.jsonDocument()
		if k.wire == smithyCBOR {
			rep.body = e.cborDocument()
		}
		return rep
	}
	if k.svc == nil && k.serviceName != "" || k.svc != nil && k.wire.named() {
		// Of a service that is not simulated, the form is not known: JSON with the
		// error's name in the header is what most clients can read.
		rep.ctype = k.framed().ctype
		if status, other := restStatus[e.Code]; other && k.wire == restJSON && rep.status == http.StatusBadRequest {
			rep.status = status
		}
		rep.header = http.Header{"X-Amzn-Errortype": {e.Code}}
		rep.body = e.jsonDocument()
		return rep
	}
	rep.body = e.document(k.svc, k.log.RequestID)
	return rep
}

// wait pauses on the base clock; false when the client gave up.
func (k *call) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-k.ctx.Done():
		return false
	}
}

// credential is what a signature says about the request.
type credential struct {
	key, region, service, token string
}

// read takes the request apart.
func (c *Cloud) read(r *http.Request) (url.Values, *credential, *Error) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet && r.Method != http.MethodDelete {
		return nil, nil, unsupportedMethod(r)
	}
	form := url.Values{}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return form, nil, refuse("MalformedQueryString", "The query string contains a syntax error.")
	}
	cred, refusal := credentialOf(r, query)
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1)); err != nil {
			return form, cred, refuse("RequestTimeout", "The request body could not be read.")
		}
	}
	if len(body) > maxBody {
		return form, cred, refuse("RequestEntityTooLarge", "The request body is larger than %d bytes.", maxBody)
	}
	if svc := c.signedFor(cred); svc != nil && svc.protocol == restJSON {
		form, wrong := svc.restForm(r, query, body)
		return form, cred, cmp.Or(refusal, wrong)
	}
	if r.Method == http.MethodDelete {
		return nil, nil, unsupportedMethod(r)
	}
	ct, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case strings.EqualFold(ct, jsonType), strings.EqualFold(ct, json10Type):
		if form, err = flatten(body); err != nil {
			return url.Values{}, cred, refuse("SerializationException", "The request body is %v.", err)
		}
		form.Del("Action") // it comes from the header alone
	case strings.EqualFold(ct, cborType):
		if form, err = flattenCBOR(body); err != nil {
			return url.Values{}, cred, refuse("SerializationException", "The request body is %v.", err)
		}
		form.Del("Action")
	case strings.EqualFold(ct, "application/x-www-form-urlencoded") || ct == "":
		if form, err = url.ParseQuery(string(body)); err != nil {
			return url.Values{}, cred, refuse("MalformedQueryString", "The query string contains a syntax error.")
		}
	}
	for k, v := range query {
		form[k] = slices.Concat(form[k], v)
	}
	if target := cmp.Or(smithyTarget(r), r.Header.Get("X-Amz-Target")); target != "" && form.Get("Action") == "" {
		form.Set("Action", target[strings.LastIndexByte(target, '.')+1:])
	}
	return form, cred, refusal
}

func unsupportedMethod(r *http.Request) *Error {
	return &Error{"InvalidRequest", "The HTTP method " + r.Method + " is not supported", http.StatusMethodNotAllowed}
}

// signedFor is the service that a request was signed for; nil where it is not simulated.
func (c *Cloud) signedFor(cred *credential) *service {
	if cred == nil {
		return nil
	}
	return c.services[cred.service]
}

var errCredential = errors.New("not a SigV4 credential")

// credentialOf reads the credential scope of a Signature Version 4, from the
// header or a presigned query. The signature itself is not verified: the
// simulator knows no secret keys.
func credentialOf(r *http.Request, query url.Values) (*credential, *Error) {
	scope, token := query.Get("X-Amz-Credential"), query.Get("X-Amz-Security-Token")
	if auth := r.Header.Get("Authorization"); auth != "" {
		_, rest, ok := strings.Cut(auth, "Credential=")
		if !ok || !strings.HasPrefix(auth, "AWS4-") || !strings.Contains(auth, "Signature=") {
			return nil, refuse("IncompleteSignature", "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization=%s", auth)
		}
		scope, _, _ = strings.Cut(rest, ",")
		scope, _, _ = strings.Cut(scope, " ")
		token = r.Header.Get("X-Amz-Security-Token")
	}
	if scope == "" {
		return nil, refuse("MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	cred, err := parseScope(scope)
	if err != nil {
		return nil, refuse("IncompleteSignature", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", scope)
	}
	cred.token = token
	return cred, nil
}

func parseScope(s string) (*credential, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" || slices.Contains(parts, "") {
		return nil, errCredential
	}
	return &credential{key: parts[0], region: parts[2], service: parts[3]}, nil
}

func requestID(seed int64, n uint64) string {
	a, b := hash(seed, "request", n), hash(seed, "request2", n)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}

// opaque encodes a page token or the like so that clients cannot read meaning
// into it.
func opaque(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func transparent(s string) (string, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return string(b), err == nil
}
