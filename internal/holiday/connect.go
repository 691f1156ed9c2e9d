package holiday

import (
	"fmt"
	"net/netip"
	"syscall"
)

// connecting decides which addresses a connection may go to. It is asked with the address that is connected to, after names
// are resolved and numbers are read, so that no spelling and no second answer of a name server gets around it.
type connecting struct{ private bool }

// refusedError says to what kind of address a connection was refused. It does not tell the address: whoever may only name
// a host shall not learn what it resolves to in here.
type refusedError struct {
	kind    string
	private bool // an address that Fetcher.Private would allow
}

func (e *refusedError) Error() string {
	if e.private {
		return fmt.Sprintf("refused to connect: its host is at %s, and only addresses in the configuration file may lead there", e.kind)
	}
	return fmt.Sprintf("refused to connect: its host is at %s", e.kind)
}

// control is a net.Dialer's Control.
func (c connecting) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address to connect to: %w", err)
	}
	return c.check(ap.Addr())
}

// check refuses an address, or one that it stands for in the tunnels and translations from IPv6 to IPv4.
func (c connecting) check(a netip.Addr) error {
	a = a.WithZone("")
	for {
		for _, r := range refusals {
			if r.prefix.Contains(a) && (!r.private || !c.private) {
				return &refusedError{r.kind, r.private}
			}
		}
		inner, ok := embedded(a)
		if !ok {
			break
		}
		a = inner
	}
	if a.Is6() && !globalUnicast.Contains(a) && !c.private {
		return &refusedError{"an address outside the internet", true}
	}
	return nil
}

// globalUnicast is what of IPv6 is given out to be routed.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// embedded gives the IPv4 address in an IPv6 address.
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return netip.Addr{}, false
	}
	b := a.As16()
	switch {
	case a.Is4In6():
		return a.Unmap(), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case compatible.Contains(a) && a != netip.IPv6Loopback(), translated.Contains(a), nat64.Contains(a), localNAT64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return netip.Addr{}, false
}

var (
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291 2.5.5.1, no longer in use
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 2765
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215, with the suffix of a /96
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056
)

// refusals are the networks that no connection goes to; those that are private, unless Fetcher.Private says so. What is
// always refused comes first: some of it lies within a private network.
var refusals = func() (list []refusal) {
	for _, r := range []struct {
		kind     string
		private  bool
		networks []string
	}{
		{"the cloud's metadata service", false, []string{
			"169.254.169.254/32", "169.254.170.0/24", // EC2 and most others; ECS tasks and EKS pods
			"fd00:ec2::/32",      // EC2 over IPv6
			"fd20:ce::254/128",   // Google Cloud over IPv6
			"100.100.100.200/32", // Alibaba Cloud
			"168.63.129.16/32",   // Azure
			"192.0.0.192/32",     // Oracle Cloud
		}},
		{"a link-local address", false, []string{"169.254.0.0/16", "fe80::/10"}},
		{"a multicast address", false, []string{"224.0.0.0/4", "ff00::/8"}},
		{"an unspecified address", false, []string{"0.0.0.0/8", "::/128"}},
		{"a broadcast or reserved address", false, []string{"240.0.0.0/4"}},
		{"an address of a Teredo tunnel", false, []string{"2001::/32"}},
		{"this machine", true, []string{"127.0.0.0/8", "::1/128"}},
		{"a private address", true, []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"}},
		{"a private address of a carrier's network", true, []string{"100.64.0.0/10"}},
		{"an address outside the internet", true, []string{ // IANA's special-purpose registries
			"192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
			"2001:2::/48", "2001:db8::/32", "3fff::/20", "64:ff9b:1::/48",
		}},
	} {
		for _, network := range r.networks {
			list = append(list, refusal{netip.MustParsePrefix(network), r.kind, r.private})
		}
	}
	return list
}()

type refusal struct {
	prefix  netip.Prefix
	kind    string
	private bool
}
