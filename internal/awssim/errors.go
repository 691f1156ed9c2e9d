package awssim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Error is a refusal in AWS's words: its code, its sentence and the HTTP
// status it travels with.
type Error struct {
	Code    string
	Message string
	Status  int
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// statusOf lists the codes that AWS does not send as 400.
var statusOf = map[string]int{
	"AccessDenied":                   http.StatusForbidden,
	"AuthFailure":                    http.StatusUnauthorized,
	"ClusterNotFound":                http.StatusNotFound,
	"DBClusterNotFoundFault":         http.StatusNotFound,
	"DBClusterSnapshotNotFoundFault": http.StatusNotFound,
	"DBInstanceNotFound":             http.StatusNotFound,
	"DBSnapshotNotFound":             http.StatusNotFound,
	"DryRunOperation":                http.StatusPreconditionFailed,
	"ExpiredToken":                   http.StatusForbidden,
	"IncompleteSignature":            http.StatusForbidden,
	"InsufficientInstanceCapacity":   http.StatusInternalServerError,
	"InternalError":                  http.StatusInternalServerError,
	"InternalFailure":                http.StatusInternalServerError,
	"InternalServerError":            http.StatusInternalServerError,
	"InvalidClientTokenId":           http.StatusForbidden,
	"MissingAuthenticationToken":     http.StatusForbidden,
	"OptInRequired":                  http.StatusForbidden,
	"RequestEntityTooLarge":          http.StatusRequestEntityTooLarge,
	"RequestLimitExceeded":           http.StatusServiceUnavailable,
	"ResourceNotFoundFault":          http.StatusNotFound,
	"ServiceUnavailable":             http.StatusServiceUnavailable,
	"SignatureDoesNotMatch":          http.StatusForbidden,
	"Unavailable":                    http.StatusServiceUnavailable,
	"UnauthorizedOperation":          http.StatusForbidden,
}

// refuse makes an Error with the status that AWS gives the code.
func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: statusFor(code)}
}

func statusFor(code string) int {
	if s, ok := statusOf[code]; ok {
		return s
	}
	return http.StatusBadRequest
}

// jsonDocument writes the error document of services in JSON.
func (e *Error) jsonDocument() []byte {
	b, err := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.Code, e.Message})
	if err != nil { // of two texts it cannot fail
		return []byte("{}")
	}
	return b
}

// document writes the error document of the service's protocol.
func (e *Error) document(svc *service, requestID string) []byte {
	var w xw
	if svc != nil && svc.protocol == ec2Query {
		w.raw(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<Response><Errors><Error>")
		w.el("Code", e.Code)
		w.el("Message", e.Message)
		w.raw("</Error></Errors>")
		w.el("RequestID", requestID)
		w.raw("</Response>")
		return w
	}
	ns := "http://webservices.amazon.com/AWSFault/2005-15-09"
	if svc != nil {
		ns = svc.namespace
	}
	w.raw(`<ErrorResponse xmlns="` + ns + `"><Error>`)
	if e.Status >= http.StatusInternalServerError {
		w.el("Type", "Receiver")
	} else {
		w.el("Type", "Sender")
	}
	w.el("Code", e.Code)
	w.el("Message", e.Message)
	w.raw("</Error>")
	w.el("RequestId", requestID)
	w.raw("</ErrorResponse>")
	return w
}
