package awssim

import (
	"cmp"
	"fmt"
	"net/netip"
)

// place is where a resource is in the network. All that are in one place share
// one.
type place struct{ vpc, subnet, group string }

// network is a scope's default VPC with one subnet for each zone. It never
// changes.
type network struct {
	vpc, group string
	places     map[string]*place // by zone
}

func newNetwork(seed int64, account string, r *region) network {
	n := network{
		vpc:    hex17("vpc-", hash(seed, "vpc", account, r.name)),
		group:  hex17("sg-", hash(seed, "sg", account, r.name)),
		places: map[string]*place{},
	}
	for _, z := range r.zoneNames() {
		n.places[z] = &place{vpc: n.vpc, subnet: hex17("subnet-", hash(seed, "subnet", account, z)), group: n.group}
	}
	return n
}

// place gives the place in a zone: of the default network where neither VPC nor
// subnet is named. What is not named follows from what is.
func (s *scope) place(zone, vpc, subnet string) *place {
	own := s.net.places[zone]
	if vpc == "" && subnet == "" {
		return own
	}
	p := place{vpc: cmp.Or(vpc, own.vpc), subnet: cmp.Or(subnet, own.subnet), group: s.groupOf(vpc)}
	if subnet == "" && p.vpc != own.vpc {
		p.subnet = hex17("subnet-", hash(s.c.seed, "subnet", vpc, zone))
	}
	return &p
}

// groupOf is the default security group of a VPC; empty is the scope's own VPC.
func (s *scope) groupOf(vpc string) string {
	if vpc == "" || vpc == s.net.vpc {
		return s.net.group
	}
	return hex17("sg-", hash(s.c.seed, "sg", vpc))
}

// address is a private address, which nobody else has in its VPC.
type address struct {
	vpc string
	ip  uint32
}

// firstAddress begins the addresses that instances get when none is named:
// 10.0.0.0/8 by their numbers, so that no two of a scope have one until 16 million.
const firstAddress = 10 << 24

func numberedAddress(seq uint64) uint32 { return firstAddress | uint32(seq)&0xffffff }

func (i *instance) address4() address { return address{i.site.vpc, i.ip} }

// hasAddress reports whether an instance of the scope has the address; the
// scope's lock is held.
func (s *scope) hasAddress(a address) bool {
	if s.named[a] {
		return true
	}
	if a.ip&^0xffffff != firstAddress {
		return false
	}
	// Who got it by number has that number, or one of 16 million later rounds.
	for seq := uint64(a.ip & 0xffffff); seq <= s.seq; seq += 1 << 24 {
		if at, found := s.find(seq); found && s.instances[at].address4() == a {
			return true
		}
	}
	return false
}

// parseAddress reads an IPv4 address; 0 is none.
func parseAddress(text string) (uint32, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil || !ip.Is4() || ip.IsUnspecified() {
		return 0, fmt.Errorf("%q is not an IPv4 address, such as 10.0.1.23", text)
	}
	b := ip.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), nil
}

// surroundings check that the entries of a fleet agree about their networks.
type surroundings struct {
	vpcs      map[string]string    // region
	subnets   map[string][3]string // region, VPC, zone
	addresses map[[3]string]string // account or VPC, region, address → entry
}

func newSurroundings() *surroundings {
	return &surroundings{map[string]string{}, map[string][3]string{}, map[[3]string]string{}}
}

// check reports what an entry says that contradicts those before it. path names
// the entry.
func (n *surroundings) check(r *Resource, path string, bad func(field, format string, args ...any)) {
	if r.VPC != "" && !idForm(r.VPC, "vpc-") {
		bad("vpc", "%q is not a VPC id: vpc- and 8 or 17 hexadecimal digits", r.VPC)
	} else if r.VPC != "" {
		if region, known := n.vpcs[r.VPC]; known && region != r.Region {
			bad("vpc", "%s is in %s already: a VPC is in one region", r.VPC, region)
		}
		n.vpcs[r.VPC] = r.Region
	}
	if r.Subnet != "" && !idForm(r.Subnet, "subnet-") {
		bad("subnet", "%q is not a subnet id: subnet- and 8 or 17 hexadecimal digits", r.Subnet)
	} else if r.Subnet != "" {
		here := [3]string{r.Region, r.VPC, r.Zone}
		if before, known := n.subnets[r.Subnet]; known && before != here {
			bad("subnet", "%s was in region %q, vpc %q, zone %q above: say the same of each resource in it", r.Subnet, before[0], before[1], before[2])
		} else {
			n.subnets[r.Subnet] = here
		}
	}
	if r.PrivateIP == "" {
		return
	}
	if _, err := parseAddress(r.PrivateIP); err != nil {
		bad("private_ip", "%w", err)
		return
	}
	if r.Count > 1 {
		bad("private_ip", "%d instances cannot have one address: leave it out", r.Count)
	}
	key := [3]string{cmp.Or(r.VPC, r.Account), r.Region, r.PrivateIP}
	if other, taken := n.addresses[key]; taken {
		bad("private_ip", "%s is the address of %s already", r.PrivateIP, other)
	}
	n.addresses[key] = path
}
