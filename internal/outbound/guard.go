package outbound

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
)

// Guard decides which addresses a connection may go to. The zero Guard allows those that the internet routes, on any port.
type Guard struct {
	// Private allows addresses of private networks, this machine and others that the internet does not route. It is for
	// addresses that the owner of the machine has written down; anyone else's could reach what only this machine may.
	Private bool
	// Networks are those of the private networks that are allowed where Private is not set.
	Networks []netip.Prefix
	// Web refuses ports on which something else than a web server answers.
	Web bool
	// Unless says, as the end of a sentence, what would let it go to private addresses, for those whose connection was
	// refused for that; empty: nothing is said.
	Unless string
}

// RefusedError says to what kind of address a connection was refused. It does not tell the address: whoever may only name
// a host shall not learn what it resolves to in here.
type RefusedError struct {
	Kind   string // "a private address"
	unless string
}

func (e *RefusedError) Error() string {
	if e.unless != "" {
		return fmt.Sprintf("refused to connect: its host is at %s, and %s", e.Kind, e.unless)
	}
	return "refused to connect: its host is at " + e.Kind
}

// Control is a net.Dialer's Control.
func (g Guard) Control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address to connect to: %w", err)
	}
	if g.Web && slices.Contains(otherPorts, ap.Port()) {
		return &RefusedError{Kind: "port " + strconv.Itoa(int(ap.Port())) + ", where no web server answers"}
	}
	return g.check(ap.Addr())
}

// Dialer connects as the guard allows.
func (g Guard) Dialer() *net.Dialer { return &net.Dialer{Control: g.Control} }

// otherPorts are ports of protocols that read lines: part of a request could be taken for a command there. They are the
// ones that browsers do not connect to either, and those of two caches.
var otherPorts = []uint16{
	0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119,
	123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
	993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211,
}

// check refuses an address, or one that it stands for in the tunnels and translations from IPv6 to IPv4.
func (g Guard) check(a netip.Addr) error {
	a = a.WithZone("")
	for {
		for _, r := range refusals {
			if r.prefix.Contains(a) && (!r.private || !g.mine(a)) {
				return g.refuse(r.kind, r.private)
			}
		}
		inner, ok := embedded(a)
		if !ok {
			break
		}
		a = inner
	}
	if a.Is6() && !globalUnicast.Contains(a) && !g.mine(a) {
		return g.refuse("an address outside the internet", true)
	}
	return nil
}

// mine reports whether an address that the internet does not route is allowed.
func (g Guard) mine(a netip.Addr) bool {
	return g.Private || slices.ContainsFunc(g.Networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

func (g Guard) refuse(kind string, private bool) error {
	if private {
		return &RefusedError{kind, g.Unless}
	}
	return &RefusedError{Kind: kind}
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

// refusals are the networks that no connection goes to; those that are private, unless Guard.Private says so. What is
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
