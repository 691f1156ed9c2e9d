package outbound

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestConnections(t *testing.T) {
	for _, test := range []struct {
		want      string // "", private or never
		addresses string
	}{
		{"", "1.1.1.1 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 223.255.255.255 2606:4700::1 2a00:1450::1 ::ffff:1.1.1.1 64:ff9b::101:101 2002:101:101::1"},
		{"private", "127.0.0.1 127.255.255.255 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 192.0.0.1 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 ::1 fd00::1 fc00::1 fec0::1 2001:db8::1 3fff::1 100::1 5f00::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::a00:1 64:ff9b:1::101:101 2002:a00:1::1 ::10.0.0.1"},
		{"never", "0.0.0.0 0.1.2.3 169.254.169.254 169.254.0.1 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fe80::1 fe80::1%eth0 febf::1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 ff02::1 :: 2001::1 ::ffff:169.254.169.254 ::ffff:0.0.0.0 ::ffff:0:169.254.169.254 ::169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:1::a9fe:a9fe 2002:a9fe:a9fe::1 ::ffff:255.255.255.255"},
	} {
		for text := range strings.FieldsSeq(test.addresses) {
			a := netip.MustParseAddr(text)
			public, private := Guard{}.Control("tcp", netip.AddrPortFrom(a, 80).String(), nil), Guard{Private: true}.Control("tcp", netip.AddrPortFrom(a, 80).String(), nil)
			got := ""
			switch {
			case public != nil && private != nil:
				got = "never"
			case public != nil:
				got = "private"
			case private != nil:
				got = "public only"
			}
			if got != test.want {
				t.Errorf("%s: %q, want %q (%v; %v)", text, got, test.want, public, private)
			}
		}
	}
	if err := (Guard{Private: true}).Control("unix", "/run/x.sock", nil); err == nil {
		t.Error("a socket in the file system is connected to")
	}
}

// A web server's port is no port of mail, of a shell or of a cache.
func TestPorts(t *testing.T) {
	for _, test := range []struct {
		guard   Guard
		address string
		refused bool
	}{
		{Guard{Web: true}, "1.1.1.1:443", false},
		{Guard{Web: true}, "1.1.1.1:8443", false},
		{Guard{Web: true}, "1.1.1.1:32768", false},
		{Guard{Web: true}, "1.1.1.1:22", true},
		{Guard{Web: true}, "[2606:4700::1]:25", true},
		{Guard{Web: true, Private: true}, "10.0.0.1:6379", true},
		{Guard{Web: true}, "1.1.1.1:0", true},
		{Guard{}, "1.1.1.1:22", false},
	} {
		var refused *RefusedError
		if err := test.guard.Control("tcp", test.address, nil); errors.As(err, &refused) != test.refused {
			t.Errorf("%+v to %s: %v", test.guard, test.address, err)
		}
	}
}

// What is refused says what would allow it, where something would, and never tells the address.
func TestRefusedSaysWhatWouldAllowIt(t *testing.T) {
	guard := Guard{Unless: "allow_private: true would allow that"}
	for address, allows := range map[string]bool{"10.11.12.13:443": true, "127.0.0.1:443": true, "[fd00::1]:443": true, "169.254.169.254:80": false, "[fe80::1]:80": false} {
		_, err := guard.Dialer().Dial("tcp", address)
		said := Failure(err)
		host, _, splitErr := net.SplitHostPort(address)
		if splitErr != nil {
			t.Fatal(splitErr)
		}
		if said == nil || strings.Contains(said.Error(), "would allow") != allows || strings.Contains(said.Error(), host) {
			t.Errorf("%s: %v", address, said)
		}
	}
}

// Networks of one's own are allowed by name; this machine is so where it is named, the cloud's metadata service never.
func TestNetworksOfOnesOwn(t *testing.T) {
	of := func(texts ...string) (g Guard) {
		for _, text := range texts {
			g.Networks = append(g.Networks, netip.MustParsePrefix(text))
		}
		return g
	}
	for _, test := range []struct {
		guard   Guard
		address string
		allowed bool
	}{
		{of(), "10.1.2.3:443", false},
		{of("10.1.0.0/16"), "10.1.2.3:443", true},
		{of("10.1.0.0/16"), "[::ffff:10.1.2.3]:443", true},
		{of("10.1.0.0/16"), "[64:ff9b::a01:203]:443", true},
		{of("10.1.0.0/16"), "10.2.2.3:443", false},
		{of("10.1.0.0/16"), "127.0.0.1:443", false},
		{of("10.0.0.0/8"), "[fd00::1]:443", false},
		{of("fd00::/8"), "[fd00::1]:443", true},
		{of("127.0.0.0/8"), "127.0.0.1:443", true},
		{of("0.0.0.0/0", "::/0"), "169.254.169.254:80", false},
		{of("0.0.0.0/0", "::/0"), "[fd00:ec2::254]:80", false},
		{of("169.254.0.0/16"), "169.254.170.2:80", false},
		{of("10.1.0.0/16"), "52.1.2.3:443", true},
	} {
		if err := test.guard.Control("tcp", test.address, nil); (err == nil) != test.allowed {
			t.Errorf("%v to %s: %v", test.guard.Networks, test.address, err)
		}
	}
}
