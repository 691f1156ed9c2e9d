package say

import (
	"errors"
	"strings"
)

// saidError is an error that people read.
type saidError struct {
	text  Text
	wraps []error
}

// Err is F for an error: its Error is the English. It wraps the errors among
// its arguments, whatever their verb, so that %v does what %w does.
func Err(format string, args ...any) error {
	e := &saidError{text: F(format, args...)}
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			e.wraps = append(e.wraps, err)
		}
	}
	return e
}

// Error implements error.
func (e *saidError) Error() string { return e.text.String() }

// Said implements Sayer.
func (e *saidError) Said() Text { return e.text }

// Unwrap gives the errors that the text was made of.
func (e *saidError) Unwrap() []error { return e.wraps }

// Of is what an error says. Of errors that were put together by errors.Join each
// is said for itself; what is no Sayer is as it was written.
func Of(err error) Text {
	switch e := err.(type) { //nolint:errorlint // not an error within: what wraps it says more
	case nil:
		return Text{}
	case Sayer:
		return e.Said()
	case interface{ Unwrap() []error }:
		parts := e.Unwrap()
		if err.Error() == errors.Join(parts...).Error() {
			list := make([]Text, len(parts))
			for i, part := range parts {
				list[i] = Of(part)
			}
			return Lines(list...)
		}
	}
	return Raw(strings.TrimSpace(err.Error()))
}
