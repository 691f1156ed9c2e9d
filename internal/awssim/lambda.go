package awssim

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Function is a function of Lambda.
type Function struct {
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	Name    string `yaml:"name"`
	// Answer is what it answers, JSON; default null. Error is the message of the error that it raises instead.
	Answer string `yaml:"answer,omitempty"`
	Error  string `yaml:"error,omitempty"`
	// Duration is how long it runs, in simulated time.
	Duration Duration `yaml:"duration,omitempty"`
}

// function is one with its calls.
type function struct {
	Function
	payloads []string
}

var functionNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// mostPayloads bounds the calls that a function remembers.
const mostPayloads = 10_000

// lambdaService is the row of Lambda: of it there is Invoke alone, which waits
// for the answer.
func lambdaService() *service {
	return &service{
		name: "lambda", protocol: restJSON,
		words: map[string]string{
			"Throttling": "TooManyRequestsException", "InvalidParameterValue": "InvalidParameterValueException", "InvalidParameterCombination": "InvalidParameterValueException",
			"UnknownParameter": "InvalidParameterValueException", "InvalidAction": "UnknownOperationException", "AccessDenied": "AccessDeniedException",
			"ExpiredToken": "ExpiredTokenException", "InvalidClientTokenId": "UnrecognizedClientException",
		},
		actions: map[string]*action{
			"Invoke": does(write, "FunctionName Payload InvocationType", "FunctionName", invokeFunction).at("POST /2015-03-31/functions/{FunctionName}/invocations").withPayload(),
		},
	}
}

func (f *Function) check(bad func(field, format string, args ...any), parts map[string]string) {
	checkPlace(f.Account, f.Region, bad, parts)
	if !functionNameForm.MatchString(f.Name) {
		bad("name", "%q is not a name: 1 to 64 letters, digits, hyphens and underscores", f.Name)
	}
	if f.Answer != "" && !json.Valid([]byte(f.Answer)) {
		bad("answer", "%q is not JSON", f.Answer)
	}
	if f.Answer != "" && f.Error != "" {
		bad("error", "say either answer or error")
	}
	if time.Duration(f.Duration) > 15*time.Minute {
		bad("duration", "%v: Lambda ends a function after 15m", time.Duration(f.Duration))
	}
}

// checkPlace refuses an account and a region that do not go together.
func checkPlace(account, region string, bad func(field, format string, args ...any), parts map[string]string) {
	if !isAccountID(account) {
		bad("account", "%q is not an account: twelve digits, quoted", account)
	}
	if r := regions[region]; r == nil {
		bad("region", "%q is not a region", region)
	} else if p := parts[account]; p != "" && p != r.partition {
		bad("region", "%s belongs to partition %s, account %s to %s", region, r.partition, account, p)
	}
}

func invokeFunction(k *call, w *xw) *Error {
	if t := cmp.Or(k.p["InvocationType"], "RequestResponse"); t != "RequestResponse" {
		return refuse("InvalidParameterValueException", "The simulator waits for the answer; the invocation type %s is not modelled", t)
	}
	s, name := k.scope, k.p["FunctionName"]
	if rest, isARN := strings.CutPrefix(name, "arn:"+s.region.partition+":lambda:"+s.region.name+":"+s.account.id+":function:"); isARN {
		name = rest
	}
	s.mu.Lock()
	f := s.functions[name]
	if f != nil && len(f.payloads) < mostPayloads {
		f.payloads = append(f.payloads, k.p["Payload"])
	}
	s.mu.Unlock()
	if f == nil {
		return refuse("ResourceNotFoundException", "Function not found: arn:%s:lambda:%s:%s:function:%s", s.region.partition, s.region.name, s.account.id, name)
	}
	if text := k.p["Payload"]; text != "" && !json.Valid([]byte(text)) {
		return refuse("InvalidRequestContentException", "Could not parse request body into json")
	}
	if speed := k.c.Speed(); speed > 0 && !k.wait(time.Duration(float64(f.Duration)/speed)) {
		return refuse("ServiceException", "The client gave up.")
	}
	k.header = http.Header{"X-Amz-Executed-Version": {"$LATEST"}}
	if f.Error != "" {
		k.header.Set("X-Amz-Function-Error", "Unhandled")
		document, err := json.Marshal(map[string]string{"errorMessage": f.Error, "errorType": "Error"})
		if err != nil {
			return refuse("ServiceException", "%v", err)
		}
		w.raw(string(document))
		return nil
	}
	w.raw(cmp.Or(f.Answer, "null"))
	return nil
}

// Payloads gives what a function was called with, in order; nil where there is no such function.
func (c *Cloud) Payloads(account, region, name string) []string {
	for _, s := range c.allScopes() {
		if s.account.id == account && s.region.name == region {
			s.mu.Lock()
			f := s.functions[name]
			var payloads []string
			if f != nil {
				payloads = append([]string{}, f.payloads...)
			}
			s.mu.Unlock()
			if f != nil {
				return payloads
			}
		}
	}
	return nil
}
