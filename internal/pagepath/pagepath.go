// Package pagepath says which paths somebody may be led back to after signing in.
//
// It guarantees that whatever it gives is a path of this very server's page, as
// every browser and proxy reads it. It expects nothing of what it is given.
package pagepath

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Max bounds the path that a sign-in leads back to, in bytes as it is sent: it has to fit into a cookie.
const Max = 1024

// Local gives the path of the page, with its query and fragment, that a sign-in may lead back to, and "/" for anything
// that a browser, or a proxy that decodes what it should not, could take for another site: an address with a scheme or a host,
// two slashes, a backslash, a control character or an invisible one, each also percent-encoded in the path. The API is no place
// to be led to either, least of all where the next sign-in begins.
func Local(to string) string {
	const home = "/"
	if len(to) > Max || !strings.HasPrefix(to, "/") || unsafePath(to) {
		return home
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") {
		return home
	}
	// Twice: once as a browser reads the path, and once more for what decodes it in between.
	decoded := u.Path
	for range 2 {
		if unsafePath(decoded) || strings.Contains(decoded, "//") || dotted(decoded) || decoded == "/api" || strings.HasPrefix(decoded, "/api/") {
			return home
		}
		again, err := url.PathUnescape(decoded)
		if err != nil {
			break // a percent sign that is meant
		}
		decoded = again
	}
	if text := u.String(); len(text) <= Max {
		return text
	}
	return home
}

// unsafePath tells whether a text has a character that browsers drop or turn into a slash, or that nobody sees.
func unsafePath(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return r == '\\' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
	})
}

// dotted tells whether a path has a segment that browsers resolve: what it leads to is another path than the one looked at.
func dotted(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
