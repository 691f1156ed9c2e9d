package outbound

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
)

// MaxAddress bounds an address, in bytes.
const MaxAddress = 2048

// ParseAddress reads the address of a web server, and refuses another scheme than http and https, none of a host, and
// credentials in it. allowed says what it should be. The error never shows credentials or the path, which is a secret with
// some providers.
func ParseAddress(address, allowed string) (*url.URL, error) {
	if len(address) > MaxAddress {
		return nil, fmt.Errorf("the address is %d bytes long; allowed: up to %d", len(address), MaxAddress)
	}
	u, err := url.Parse(address)
	if err != nil { // the error repeats the text, which may hold credentials
		return nil, errors.New("the address cannot be read; allowed: " + allowed)
	}
	switch {
	case u.User != nil:
		return nil, errors.New("the address holds a user name or a password, which would be stored and shown; " +
			"remove it, and use an address that needs none")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the address begins with neither http:// nor https://; allowed: " + allowed)
	case u.Hostname() == "":
		return nil, errors.New("the address names no host; allowed: " + allowed)
	}
	return u, nil
}

// Shown is as much of an address as an error may tell.
func Shown(u *url.URL) string { return strconv.Quote(u.Scheme + "://" + u.Host) }
