package httpapi

import (
	"regexp"
	"strings"

	"dayshift/internal/say"
)

// said is what the check of a request against its schema says. It comes as
// English text, made by huma, and is known by its form: what has none of these
// forms stays as it came.
func said(message string) say.Text {
	for _, form := range forms {
		if args := form.pattern.FindStringSubmatch(message); args != nil {
			return form.say(args[1:])
		}
	}
	return say.Raw(message)
}

// form is one of huma's messages.
type form struct {
	pattern *regexp.Regexp
	say     func(args []string) say.Text
}

var formVerb = regexp.MustCompile(`%[.0-9]*[a-z]`)

// formF knows a message by its format.
func formF(format string) form {
	parts := formVerb.Split(format, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return form{
		pattern: regexp.MustCompile("(?s)^" + strings.Join(parts, "(.*)") + "$"),
		say: func(args []string) say.Text {
			list := make([]any, len(args))
			for i, arg := range args {
				list[i] = say.Raw(arg)
			}
			return say.F(format, list...)
		},
	}
}

// forms are huma's messages, the more special before the more general.
var forms = []form{
	formF("it is not UTF-8"), // of checkJSON, which huma takes for the reader of bodies
	formF("it is not JSON: %w"),
	formF("it is nested more than %d deep"),
	formF("the key %.60q is there twice"),
	formF("validation failed"),
	formF("unexpected property"),
	formF("unknown query parameter"),
	formF("required %s parameter is missing"),
	formF("request body is required"),
	formF("request body is too large limit=%s bytes"),
	formF("request body read timeout"),
	formF("cannot read request body"),
	formF("expected at most one value, but received multiple values"),
	formF("invalid integer"),
	formF("invalid float"),
	formF("invalid boolean"),
	formF("invalid date/time for format %s"),
	formF("invalid value: %s"),
	formF("expected boolean"),
	formF("expected number"),
	formF("expected integer"),
	formF("expected string"),
	formF("expected array"),
	formF("expected object"),
	formF("expected string to be RFC 3339 date-time"),
	formF("expected string to be RFC 3339 date"),
	formF("expected string to be RFC 3986 uri: %v"),
	formF("expected string to match pattern %s"),
	formF("expected string to be %s"),
	formF("expected duration: %v"),
	formF("expected array items to be unique"),
	formF("expected value to be one of \"%s\""),
	formF("expected number >= %v"),
	formF("expected number > %v"),
	formF("expected number <= %v"),
	formF("expected number < %v"),
	formF("expected length >= %d"),
	formF("expected length <= %d"),
	formF("expected array length >= %d"),
	formF("expected array length <= %d"),
	formF("expected object with at least %d properties"),
	formF("expected object with at most %d properties"),
	formF("expected required property %s to be present"),
	formF("expected property %s to be present when %s is present"),
	formF("expected value to match at least one schema but matched none"),
	formF("expected value to match exactly one schema but matched none"),
	formF("expected value to match exactly one schema but matched multiple"),
	formF("unable to marshal response"),
	formF("unexpected error occurred"),
}
